"""The models that can be named, and what `model.options` of each may hold."""

from __future__ import annotations

from dataclasses import replace

from orthogon.registry.entries import Entry, Option, Registry

IMAGENET, CIFAR = (3, 224, 224, 1000), (3, 32, 32, 10)


def family(path: str, lines: dict[str, str], options: tuple[Option, ...] = (),
           published: tuple[int, ...] = IMAGENET) -> tuple[Entry, ...]:
    """Entries of models for pictures that one builder makes: its `variant` is the name; name -> one line."""
    return tuple(Entry(name, path, line, ("image",), options=options, variant=name, published=published)
                 for name, line in lines.items())


_DROPOUT = "share of the {} left out in training"
_SHAPE = {"low": 1, "scale": "log"}
_LAST_DROPOUT = Option("dropout", 0.0, _DROPOUT.format("units before the last layer"), 0, 0.99, problem="dev fit")
_GRID = Option("grid", 1, "parts along each side that the last map is averaged over; 1 = over all of it", 1, 32)

_MLP = (
    Option("hidden", (256, 128), "sizes of the hidden layers", high=65_536, **_SHAPE),
    Option("activation", "relu", "between the layers: relu, leaky_relu, tanh, gelu, selu, …"),
    Option("dropout", 0.0, _DROPOUT.format("hidden units"), 0, 0.99, problem="dev fit"),
    Option("input_dropout", 0.0, _DROPOUT.format("inputs"), 0, 0.99, problem="dev fit"),
    Option("norm", "none", "none, batch, layer, group, streaming, weight or cosine"),
    Option("norm_after", False, "norm after each activation instead of before it"),
    Option("initializer", None, "first weights of all layers; left out: what suits the activation"),
    Option("embedding", None, "width of embeddings; left out: of categories by their codes, of tokens 100", high=1024,
           **_SHAPE),
)
_FORECASTER = (
    Option("width", 64, "units of each layer", high=65_536, **_SHAPE),
    Option("cell", "gru", "lstm, gru, …: a recurrent cell"),
    Option("layers", 1, "one above the other", 1, 64),
    Option("dropout", 0.0, _DROPOUT.format("units between layers and before the output"), 0, 0.99, problem="dev fit"),
    Option("mode", "direct", "direct: all values ahead at once; recursive: each made from the one before"),
    Option("autoregressive", True, "a linear layer on the history of the target beside the network"),
)
_ENCODER_DECODER = (
    Option("embedding", 256, "width of the embeddings of tokens", high=65_536, **_SHAPE),
    Option("hidden", 256, "units of the encoder in each direction, and of the decoder", high=65_536, **_SHAPE),
    Option("layers", 1, "of the encoder, and of the decoder", 1, 64),
    Option("cell", "gru", "gru or lstm"),
    Option("attention", "bahdanau", "bahdanau (before each step), dot (after it) or none"),
    Option("dropout", 0.2, _DROPOUT.format("embeddings and last units"), 0, 0.99, problem="dev fit"),
    Option("tied", True, "whether the last layer has the target's embeddings as weights"),
)
_CONVNET = (
    Option("width", 32, "channels of the first layer; each stage doubles them", high=512, **_SHAPE),
    Option("depth", 1, "blocks in each stage around which the signal may pass", 0, 64),
    Option("stages", None, "left out: by the size of the picture", 1, 10),
    _LAST_DROPOUT,
    Option("activation", "relu", "between the layers"),
    _GRID,
)
_UNET = (
    Option("width", 64, "channels at full size; each halving doubles them", high=512, **_SHAPE),
    Option("depth", 4, "halvings on the way down", 0, 8),
    Option("up", "transposed", "how the side is doubled again: transposed or bilinear"),
    Option("batch_norm", True, "after each 3×3 convolution"),
)
_GMLP = (
    Option("hidden", 256, "channels within a block, an even number", low=2, high=65_536, scale="log"),
    Option("width", 64, "channels of the sequence of patches", high=65_536, **_SHAPE),
    Option("depth", 4, "blocks", high=256, **_SHAPE),
    Option("patch", None, "side of the patches in pixels; left out: by the size of the picture", high=1024, **_SHAPE),
)
_VIT = (
    Option("hidden", 128, "channels of the feedforward layers", high=65_536, **_SHAPE), *_GMLP[1:3],
    Option("heads", 4, "of each attention; width is a multiple of them", 1, 64), _GMLP[3],
)
_PLAIN = (
    Option("blocks", ((32,), (64,)), "for each block the filters of its convolutions, before a pool that halves"),
    Option("side", 3, "side of the filters", 1, 31),
    Option("padding", "same", "same or valid"),
    Option("pool", "max", "max or average"),
    Option("dense", (128,), "sizes of the fully connected layers", high=65_536, **_SHAPE),
    Option("dropout", 0.0, _DROPOUT.format("units of the last map"), 0, 0.99, problem="dev fit"),
    Option("activation", "relu", "after each convolution and fully connected layer"),
)
_LOCALIZER = (
    Option("trunk", "convnet", "the network for pictures whose last map is read"),
    Option("trunk_options", None, "options of that network"),
    replace(_GRID, default=4),
    Option("hidden", 200, "units of the layer before the last; 0 = none", low=0, high=65_536),
)
_TAGGER = (
    Option("embedding", 100, "width of the embedding of a word", high=4096, **_SHAPE),
    Option("characters", "convolution", "how the characters of a word are read: convolution, recurrent or none"),
    Option("character_width", 50, "width of what is read from the characters", high=1024, **_SHAPE),
    Option("cell", "lstm", "of the recurrent network: lstm, gru, rnn, …"),
    Option("hidden", 200, "units of it in each direction", high=4096, **_SHAPE),
    Option("layers", 1, "of the recurrent network", 1, 16),
    Option("dropout", 0.5, _DROPOUT.format("features before and after each layer"), 0, 0.99, problem="dev fit"),
    Option("word_dropout", 0.1, "share of the words that are unknown in training", 0, 0.9, problem="dev fit"),
)
_LENET5 = (
    Option("variant", "modern", "modern or paper"),
    Option("output", "rbf", "last layer of the paper's variant: rbf or linear"),
)

_FORM = "small for pictures to 64 pixels, imagenet for larger ones; left out: by their side"
_STEM = Option("stem", None, _FORM)
_THREE_STEMS = Option("stem", None, "small for pictures to 40 pixels, middle to 64, imagenet for larger ones; left "
                      "out: by their side")
_RESNET = (
    _STEM,
    Option("width", None, "channels of the first stage; left out: 64 (16 for CIFAR's)", high=1024, **_SHAPE),
    _LAST_DROPOUT,
    Option("shortcut", None, "around a block that changes shape: projection or zeros; left out: as published"),
    Option("zero_init_residual", False, "whether each block starts as the identity"),
)
_HIGHWAY = (
    Option("width", 16, "channels of the first stage; each later one doubles them", high=512, **_SHAPE),
    Option("depth", 4, "gated layers in each stage", 1, 64),
    _STEM,
    Option("carry", 2.0, "how far gates lean at first to letting the signal pass", -10, 10),
    Option("coupled", True, "whether what passes is what is not changed, as published"),
    _LAST_DROPOUT,
)
_RECURRENT_CONVNET = (
    Option("width", 32, "channels of the first stage; each later one doubles them", high=512, **_SHAPE),
    Option("steps", 4, "of time in each stage, with the same convolution", 2, 32, problem="train fit"),
    Option("norms", "step", "step: batch normalization of its own for each step; shared: one for all"),
    _LAST_DROPOUT,
)
_WIDTH = Option("width", 1.0, "times the channels of every layer", 0.05, 8, scale="log")
_MOBILENET = (
    _WIDTH,
    _THREE_STEMS,
    Option("padding", "symmetric", "symmetric, or same: as TensorFlow pads"),
    replace(_LAST_DROPOUT, default=0.2),
)
_HALF_DROPOUT = Option("dropout", 0.5, _DROPOUT.format("units before the last layers"), 0, 0.99, problem="dev fit")
_VGG = (
    Option("classifier", None, _FORM),
    Option("width", 64, "channels of the first block; later ones double them, to 8 times", high=512, **_SHAPE),
    _HALF_DROPOUT,
)
_ALEXNET = (
    _STEM,
    Option("groups", 1, "1, or 2 as in the paper: convolutions in two halves", 1, 2),
    Option("lrn", False, "local response normalization, as in the paper"),
    _HALF_DROPOUT,
)
_SQUEEZENET = (
    _STEM,
    _HALF_DROPOUT,
    Option("last_relu", True, "no output below zero, as published"),
    Option("last_padding", 0, "zeros around the last map; 1 for the weights of Caffe", 0, 1),
)
_DENSENET = (
    _STEM,
    Option("growth", 32, "new channels of every layer", high=256, **_SHAPE),
    Option("dropout", 0.0, _DROPOUT.format("new channels of every layer"), 0, 0.99, problem="dev fit"),
)
_INCEPTION = (
    _WIDTH,
    Option("auxiliary", True, "whether side branches add their losses in training", problem="dev fit"),
    Option("transform_input", False, "from ImageNet's scale to (x − 0.5) / 0.5, for published weights"),
)
_GOOGLENET = (
    _THREE_STEMS, *_INCEPTION,
    Option("paper", False, "the paper's 5×5 convolutions, in place of the 3×3 of the published weights"),
    replace(_LAST_DROPOUT, default=0.2),
)
_BETWEEN = Option("activation", "relu", "between the layers: relu, leaky_relu, tanh, gelu, selu, …")
_CODE = Option("code", 32, "numbers of the code that the input is shrunk to", high=65_536, **_SHAPE)
_AUTOENCODER = (
    Option("hidden", (256,), "sizes of the layers between input and code, and back", high=65_536, **_SHAPE),
    _CODE, _BETWEEN,
    Option("code_activation", "identity", "of the code"),
)
_VAE = (replace(_AUTOENCODER[0], default=(400,)), replace(_CODE, default=20), _BETWEEN)
_CONV_AUTOENCODER = (
    Option("width", 32, "channels of the first stage; each later one doubles them, to 256", high=256, **_SHAPE),
    _CODE,
    Option("stages", None, "how often the picture is halved; left out: while a side has 8 pixels", 1, 10),
    _BETWEEN,
)
_CONV_VAE = (_CONV_AUTOENCODER[0], replace(_CODE, default=20), *_CONV_AUTOENCODER[2:])

_EMBEDDING = Option("embedding", 100, "width of the embeddings of tokens", high=1024, **_SHAPE)
_TOKEN_DROPOUT = Option("embedding_dropout", 0.0, _DROPOUT.format("tokens"), 0, 0.99, problem="dev fit")
_TEXT_CNN = (
    _EMBEDDING,
    Option("filters", 100, "filters of each width", high=4096, **_SHAPE),
    Option("widths", (3, 4, 5), "of the filters, in tokens", 1, 100),
    _TOKEN_DROPOUT,
    replace(_LAST_DROPOUT, default=0.5),
)
_TEXT_RNN = (
    _EMBEDDING,
    Option("hidden", 128, "units of each direction", high=4096, **_SHAPE),
    Option("cell", "lstm", "lstm, gru, rnn, peephole_lstm, layer_norm_lstm, …"),
    Option("layers", 1, "each reads what the one before it says", 1, 16),
    Option("bidirectional", True, "whether the text is also read from its end"),
    Option("pooling", "max", "of the outputs over the tokens: max, mean or last"),
    _TOKEN_DROPOUT,
    Option("recurrent_dropout", 0.0, _DROPOUT.format("state that gates see"), 0, 0.99, problem="dev fit"),
    Option("dropout", 0.5, _DROPOUT.format("units between layers and before the last one"), 0, 0.99,
           problem="dev fit"),
)
_LANGUAGE_RNN = (
    Option("hidden", 512, "units of each layer", high=8192, **_SHAPE),
    Option("layers", 2, "each feeds the next one", 1, 16),
    Option("cell", "lstm", "lstm, gru, rnn, peephole_lstm, layer_norm_lstm, …"),
    Option("embedding", None, "width of the embeddings; left out: as hidden where tied, else at most 128", high=8192,
           **_SHAPE),
    Option("tied", None, "whether the output layer is the embedding again; left out: from 10,000 tokens on"),
    Option("adaptive", False, "whether rare tokens share outputs of their clusters: faster from 10,000 tokens on",
           problem="speed"),
    Option("dropout", 0.0, _DROPOUT.format("outputs of the layers"), 0, 0.99, problem="dev fit"),
    Option("embedding_dropout", 0.0, _DROPOUT.format("embeddings"), 0, 0.99, problem="dev fit"),
    Option("variational", False, "whether one mask of dropout serves all steps", problem="dev fit"),
    Option("recurrent_dropout", 0.0, _DROPOUT.format("state that the gates see"), 0, 0.99, problem="dev fit"),
    Option("zoneout", 0.0, "share of the state that stays as it was in a step", 0, 0.99, problem="dev fit"),
    Option("weight_dropout", 0.0, _DROPOUT.format("weights from state to state"), 0, 0.99, problem="dev fit"),
)

_VISIBLE = Option("visible", None, "bernoulli (values in 0 … 1) or gaussian (standardized); left out: by the input")

models = Registry(
    "model",
    (
        Entry("linear", "orthogon.nn.models:linear", "logistic, softmax or linear regression: no hidden layer"),
        Entry("mlp", "orthogon.nn.models:mlp",
              "fully connected layers; category embeddings on tables, averaged embeddings of texts", options=_MLP),
        Entry("forecaster", "orthogon.nn.forecaster:forecaster", "recurrent, over a window of a series; of forecast",
              ("number",), options=_FORECASTER),
        Entry("encoder_decoder", "orthogon.text.encoder_decoder:encoder_decoder",
              "reads a sequence and writes another, with attention; of translate", ("text",),
              options=_ENCODER_DECODER),
        Entry("text_cnn", "orthogon.text.cnn:text_cnn", "convolutions over the tokens of texts, the largest of each",
              ("text", "number", "category"), options=_TEXT_CNN),
        Entry("text_rnn", "orthogon.text.rnn:text_rnn", "texts read in both directions by a recurrent network",
              ("text", "number", "category"), options=_TEXT_RNN),
        Entry("language_rnn", "orthogon.text.language_rnn:language_rnn", "recurrent language model; of language",
              ("text",), options=_LANGUAGE_RNN),
        Entry("autoencoder", "orthogon.nn.autoencoder:autoencoder", "fully connected layers to a code and back",
              options=_AUTOENCODER),
        Entry("vae", "orthogon.nn.autoencoder:vae", "variational autoencoder of fully connected layers",
              options=_VAE),
        Entry("conv_autoencoder", "orthogon.nn.autoencoder:conv_autoencoder",
              "convolutions to a code, transposed ones back", ("image",), options=_CONV_AUTOENCODER),
        Entry("conv_vae", "orthogon.nn.autoencoder:conv_vae", "variational autoencoder of convolutions", ("image",),
              options=_CONV_VAE),
        Entry("gan", "orthogon.vision.gan:gan", "a generator and a discriminator; of generate", ("image",), options=(
            Option("latent", 64, "numbers that a picture is made of", high=65_536, **_SHAPE),
            Option("width", 32, "channels beside the picture; each coarser map has twice as many", high=512,
                   **_SHAPE))),
        Entry("rbm", "orthogon.nn.belief_network:rbm", "restricted Boltzmann machine; of boltzmann",
              ("image", "number"), options=(
                  Option("hidden", 500, "hidden units", high=65_536, **_SHAPE), _VISIBLE)),
        Entry("dbn", "orthogon.nn.belief_network:dbn", "Boltzmann machines one on the other: a deep belief network",
              ("image", "number"), options=(
                  Option("hidden", (500, 250), "hidden units of each", high=65_536, **_SHAPE), _VISIBLE)),
        Entry("plain", "orthogon.vision.plain:plain", "convolutions and pooling, repeated, then dense layers",
              ("image",), options=_PLAIN),
        Entry("lenet5", "orthogon.vision.lenet5:lenet5", "LeNet-5 (1998), modern or paper variant", ("image",),
              options=_LENET5),
        Entry("convnet", "orthogon.vision.convnet:convnet", "small batch-normalized convnet", ("image",),
              options=_CONVNET),
        Entry("unet", "orthogon.vision.unet:unet", "U-Net: a value for each pixel; of segment", ("image",),
              options=_UNET, published=(3, 572, 572, 2)),
        Entry("localizer", "orthogon.vision.localizer:localizer", "a trunk and a head that knows places; of localize",
              ("image",), options=_LOCALIZER),
        Entry("tagger", "orthogon.text.tagger:tagger", "words and characters, recurrent in both directions; of tag",
              ("text", "characters"), options=_TAGGER),
        Entry("gmlp", "orthogon.vision.gmlp:gmlp", "gated MLP over patches, without attention", ("image",),
              options=_GMLP),
        Entry("vit", "orthogon.vision.vit:vit", "small vision transformer, to measure gmlp against", ("image",),
              options=_VIT),
        Entry("highway", "orthogon.vision.highway:highway", "highway network: gates let the signal pass", ("image",),
              options=_HIGHWAY),
        Entry("recurrent_convnet", "orthogon.vision.recurrent_convnet:recurrent_convnet",
              "convolutions whose map goes back into them several times", ("image",), options=_RECURRENT_CONVNET),
        *family("orthogon.vision.resnet:resnet", {
            f"resnet{n}": f"ResNet of {n} layers, as torchvision's" for n in (18, 34, 50, 101, 152)
        }, _RESNET),
        *family("orthogon.vision.resnet:resnet", {
            f"resnet{n}": f"ResNet of {n} layers, as published for CIFAR" for n in (20, 32, 44, 56, 110)
        }, _RESNET, published=CIFAR),
        *family("orthogon.vision.vgg:vgg", {
            **{f"vgg{n}": f"VGG of {n} layers" for n in (11, 13, 16, 19)},
            **{f"vgg{n}_bn": f"VGG of {n} layers, with batch norm" for n in (11, 13, 16, 19)},
        }, _VGG),
        *family("orthogon.vision.alexnet:alexnet", {"alexnet": "AlexNet, torchvision's or the paper's"}, _ALEXNET),
        *family("orthogon.vision.squeezenet:squeezenet", {
            "squeezenet1_0": "SqueezeNet 1.0: 1.2 million parameters",
            "squeezenet1_1": "SqueezeNet 1.1: with 2.4 times less work",
        }, _SQUEEZENET),
        *family("orthogon.vision.densenet:densenet", {
            f"densenet{n}": f"DenseNet of {n} layers" for n in (121, 169)
        }, _DENSENET),
        *family("orthogon.vision.mobilenet:mobilenet", {
            "mobilenet_v1": "MobileNet-V1: separable convolutions",
            "mobilenet_v2": "MobileNet-V2: inverted residuals, as torchvision's",
        }, _MOBILENET),
        *family("orthogon.vision.googlenet:googlenet", {"googlenet": "GoogLeNet with its two branches"}, _GOOGLENET),
        *family("orthogon.vision.inception:inception", {"inception_v3": "Inception-v3 with its branch"},
                (*_INCEPTION, replace(_LAST_DROPOUT, default=0.5)), (3, 299, 299, 1000)),
        *family("orthogon.vision.gmlp:published_gmlp",
                {f"gmlp_{size.lower()}16": f"gMLP-{size} with patches of 16 pixels" for size in ("Ti", "S", "B")}),
        *family("orthogon.vision.xception:xception", {"xception": "Xception: separable convolutions throughout"},
                (_THREE_STEMS, _WIDTH, _LAST_DROPOUT), (3, 299, 299, 1000)),
    ),
)
