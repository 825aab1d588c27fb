"""Published weights: where they lie, whose they are, and what pictures they were trained on. A table, without torch.

A name is exact ("imagenet-v2"), or that of the data they were trained on ("imagenet"), which stands for all weights of
a model that were trained on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

LEAST_DIGITS = 8
_MIB = 1 << 20


@dataclass(frozen=True)
class Preprocessing:
    """What was done to the pictures.

    size: side in pixels. mean, std: per channel, red first, in 0 … 255. fit: as `data.fit`.
    """

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fit: str = "crop"

    @property
    def channels(self) -> int:
        return len(self.mean)


@dataclass(frozen=True)
class Published:
    """One published file of weights.

    name:      exact, among those of its model. trained_on: "imagenet" or "cifar10"; says the classes too.
    sha256:    of the file, whole or its first digits, at least 8. megabytes: about how large it is (2^20 bytes).
    reader:    dotted path of what makes tensors by our names of a file that is no torch checkpoint; "" for those.
    options:   of the model, which these weights need.
    """

    model: str
    name: str
    address: str
    sha256: str
    megabytes: float
    licence: str
    citation: str
    preprocessing: Preprocessing
    trained_on: str = "imagenet"
    reader: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    notes: str = ""

    def __post_init__(self) -> None:
        if len(self.sha256) < LEAST_DIGITS or set(self.sha256) - set("0123456789abcdef"):
            raise ValueError(f"{self.title}: {self.sha256!r} does not tell files apart; give at least {LEAST_DIGITS} "
                             "hexadecimal digits of the SHA-256")

    @property
    def title(self) -> str:
        return f"{self.model}/{self.name}"

    @property
    def file(self) -> str:
        """Its name, the end of the address."""
        return self.address.rpartition("/")[2]

    @property
    def most_bytes(self) -> int:
        """More than it has; what is longer is not fetched."""
        return int(self.megabytes * 1.1 * _MIB) + _MIB

    @property
    def classes(self) -> tuple[str, ...]:
        return class_names(self.trained_on)


@cache
def class_names(trained_on: str) -> tuple[str, ...]:
    """The classes in the order of the outputs; those of ImageNet as lists of synonyms, "tench, Tinca tinca".

    They are the WordNet lemmas of the 1,000 synsets of ILSVRC 2012.
    """
    if trained_on == "cifar10":
        return ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    text = (files("orthogon.train") / "imagenet_classes.txt").read_text(encoding="utf-8")
    return tuple(text.splitlines())


_USUAL = Preprocessing(224, (123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
_HALF = (127.5, 127.5, 127.5)
_INCEPTION = Preprocessing(299, _HALF, _HALF)

_VGG = "K. Simonyan, A. Zisserman, Very Deep Convolutional Networks, arXiv:1409.1556"
_RESNET = "K. He, X. Zhang, S. Ren, J. Sun, Deep Residual Learning, arXiv:1512.03385"
_SQUEEZENET = "F. Iandola et al., SqueezeNet, arXiv:1602.07360"
_MOBILENET_V1 = "A. Howard et al., MobileNets, arXiv:1704.04861"
_MOBILENET_V2 = "M. Sandler et al., MobileNetV2, arXiv:1801.04381"
_DENSENET = "G. Huang, Z. Liu, L. van der Maaten, K. Weinberger, Densely Connected Networks, arXiv:1608.06993"


_LARGE, _DENSE = {"stem": "imagenet"}, {"classifier": "imagenet"}
"""Whatever the side of the pictures, the first layers are those of the weights."""


def _torchvision(model: str, file: str, megabytes: float, citation: str, name: str = "imagenet-v1",
                 preprocessing: Preprocessing = _USUAL, options: Mapping[str, Any] = _LARGE) -> Published:
    """torchvision's: the first digits of the SHA-256 stand in the name of the file."""
    return Published(
        model, name, f"https://download.pytorch.org/models/{file}.pth", file.rpartition("-")[2], megabytes,
        "BSD-3-Clause", f"{citation}; trained by torchvision", preprocessing, options=options,
        notes="ImageNet's pictures may be used for research and teaching; ask its owners about anything else",
    )


def _mobilenet(model: str, name: str, file: str, sha256: str, megabytes: float, size: int, width: float,
               citation: str) -> Published:
    """TensorFlow's, trained for whole numbers of 8 bits; batch norm is folded into the convolutions."""
    same = Preprocessing(size, (128.0,) * 3, (128.0,) * 3)
    return Published(
        model, name,
        f"https://raw.githubusercontent.com/google-coral/test_data/104342d2d3480b3e66203073dac24f4e2dbb4c41/{file}",
        sha256, megabytes, "Apache-2.0", f"{citation}; TensorFlow's hosted models", same,
        reader="orthogon.vision.mobilenet_weights:tensors",
        options={**_LARGE, "width": width, "padding": "same"},
        notes="its whole numbers are made real ones; batch norm is the identity; the class 'background' is left out",
    )


def _cifar(model: str, file: str, sha256: str, megabytes: float) -> Published:
    return Published(
        model, "cifar10",
        f"https://raw.githubusercontent.com/akamaster/pytorch_resnet_cifar10/master/pretrained_models/{file}", sha256,
        megabytes, "BSD-2-Clause", f"{_RESNET}; Y. Idelbayev, github.com/akamaster/pytorch_resnet_cifar10",
        Preprocessing(32, _USUAL.mean, _USUAL.std), "cifar10",
    )


PUBLISHED: tuple[Published, ...] = (
    _torchvision("alexnet", "alexnet-owt-7be5be79", 233.087,
                 "A. Krizhevsky, One weird trick for parallelizing convolutional networks, arXiv:1404.5997"),
    _torchvision("vgg11", "vgg11-8a719046", 506.840, _VGG, options=_DENSE),
    _torchvision("vgg11_bn", "vgg11_bn-6002323d", 506.881, _VGG, options=_DENSE),
    _torchvision("vgg13", "vgg13-19584684", 507.545, _VGG, options=_DENSE),
    _torchvision("vgg13_bn", "vgg13_bn-abd245e5", 507.590, _VGG, options=_DENSE),
    _torchvision("vgg16", "vgg16-397923af", 527.796, _VGG, options=_DENSE),
    _torchvision("vgg16_bn", "vgg16_bn-6c64b313", 527.866, _VGG, options=_DENSE),
    _torchvision("vgg19", "vgg19-dcbb9e9d", 548.051, _VGG, options=_DENSE),
    _torchvision("vgg19_bn", "vgg19_bn-c79401a0", 548.143, _VGG, options=_DENSE),
    _torchvision("resnet18", "resnet18-f37072fd", 44.661, _RESNET),
    _torchvision("resnet34", "resnet34-b627a593", 83.275, _RESNET),
    _torchvision("resnet50", "resnet50-0676ba61", 97.781, _RESNET),
    _torchvision("resnet50", "resnet50-11ad3fa6", 97.790, _RESNET, "imagenet-v2"),
    _torchvision("resnet101", "resnet101-63fe2227", 170.511, _RESNET),
    _torchvision("resnet101", "resnet101-cd907fc2", 170.530, _RESNET, "imagenet-v2"),
    _torchvision("resnet152", "resnet152-394f9c45", 230.434, _RESNET),
    _torchvision("resnet152", "resnet152-f82ba261", 230.474, _RESNET, "imagenet-v2"),
    # These two were trained with pictures from -1 to 1; torchvision turns its usual form into that one on the way in.
    _torchvision("googlenet", "googlenet-1378be20", 49.731, "C. Szegedy et al., Going Deeper with Convolutions, "
                 "arXiv:1409.4842", preprocessing=Preprocessing(224, _HALF, _HALF)),
    _torchvision("inception_v3", "inception_v3_google-0cc3c7bd", 103.903, "C. Szegedy et al., Rethinking the Inception "
                 "Architecture, arXiv:1512.00567", preprocessing=_INCEPTION, options={}),
    _torchvision("densenet121", "densenet121-a639ec97", 30.845, _DENSENET),
    _torchvision("densenet169", "densenet169-b2777c0a", 54.708, _DENSENET),
    Published(
        "xception", "imagenet-keras",
        "https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-cadene/xception-43020ad28.pth",
        "43020ad28", 87.4, "Apache-2.0", "F. Chollet, Xception, arXiv:1610.02357; Keras's weights, carried over by R. "
        "Cadene", _INCEPTION,
    ),
    _torchvision("squeezenet1_0", "squeezenet1_0-b66bff10", 4.778, _SQUEEZENET),
    Published(
        "squeezenet1_0", "imagenet-compressed",
        "https://raw.githubusercontent.com/songhan/SqueezeNet-Deep-Compression/"
        "5623e3cdbe1fcd83328c61ce2ee42c34ed319aa3/compressed_SqueezeNet.net",
        "e4ab6960ae8cd81505e1c2136921201507e930966c53deaf15862a395b3a3261", 0.644, "BSD-2-Clause",
        f"{_SQUEEZENET}; S. Han, H. Mao, W. Dally, Deep Compression, arXiv:1510.00149",
        Preprocessing(227, (123.0, 117.0, 104.0), (1.0, 1.0, 1.0)),
        reader="orthogon.vision.squeezenet_weights:tensors", options={"stem": "imagenet", "last_padding": 1},
        notes="pruned: two thirds of its weights are zero",
    ),
    _torchvision("squeezenet1_1", "squeezenet1_1-b8a52dc0", 4.729, _SQUEEZENET),
    _mobilenet("mobilenet_v1", "imagenet-tf-0.75", "mobilenet_v1_0.75_192_quant.tflite",
               "41daeb22fdcf947e0e5ec32373aa9df7c31f3ef45dbd0ef7b5940fbce3c20f6a", 2.530, 192, 0.75, _MOBILENET_V1),
    _mobilenet("mobilenet_v1", "imagenet-tf-0.25", "mobilenet_v1_0.25_128_quant.tflite",
               "cb273c23ee76374b05b9583177e28aa19744858a7679c56a250e83d0333da785", 0.501, 128, 0.25, _MOBILENET_V1),
    _torchvision("mobilenet_v2", "mobilenet_v2-b0353104", 13.555, _MOBILENET_V2),
    _torchvision("mobilenet_v2", "mobilenet_v2-7ebf99e0", 13.598, _MOBILENET_V2, "imagenet-v2"),
    _mobilenet("mobilenet_v2", "imagenet-tf", "mobilenet_v2_1.0_224_quant.tflite",
               "7aad0c74c5e3c06e5eb3c827e13304fdd68a83da6087d92ee169c24ff9fd4776", 3.443, 224, 1.0, _MOBILENET_V2),
    _cifar("resnet20", "resnet20-12fca82f.th", "12fca82f0bebc4135bf1f32f6e3710e61d5108578464b84fd6d7f5c1b04036c8",
           1.048),
    _cifar("resnet32", "resnet32-d509ac18.th", "d509ac1820d7f25398913559d7e81a13229b1e7adc5648e3bfa5e22dc137f850",
           1.802),
    _cifar("resnet56", "resnet56-4bfd9763.th", "4bfd97631478d6b638d2764fd2baff3edb1d7d82252d54439343b6596b9b5367",
           3.311),
)
