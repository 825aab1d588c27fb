"""What the networks for pictures share: the picture they take, their form for small ones, and their first weights."""

from __future__ import annotations

from torch import Tensor, nn

from orthogon.errors import RecipeError, nearest
from orthogon.nn.initializers import initialize, initialize_output
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.nn.trunk import FeatureMap, PictureNetwork

SMALL, TINY = 64, 40
"""Side in pixels up to which a network begins in its form for small pictures, where no form is asked for; and up to
which, where it has one in the middle for those above. Without that, MobileNet-V2 takes 353 million multiply-adds at 64
pixels, more than the 301 at 224 as published; in the middle 99, and the small form at 32 takes 89."""


def picture_input(spec: ModelSpec, model: str) -> InputSpec:
    """The one picture that the model is given; RecipeError where there is none or something else comes first."""
    if not spec.inputs or spec.inputs[0].kind != "image" or "image" in spec.kinds[1:]:
        raise RecipeError(
            f"{model} takes one picture; the inputs are {', '.join(spec.kinds) or 'none'}", where="model.name",
            remedy="Choose mlp for tables: --model mlp",
        )
    return spec.inputs[0]


def lone_picture(spec: ModelSpec, model: str) -> InputSpec:
    """The picture of a model that takes nothing beside it; RecipeError where there is more, or none."""
    picture = picture_input(spec, model)
    if len(spec.inputs) > 1:
        raise RecipeError(f"{model} takes a picture alone; there are other inputs beside it", where="model.name",
                          remedy="Choose convnet, which joins them: --model convnet")
    return picture


def require_side(picture: InputSpec, smallest: int, model: str, otherwise: str = "") -> None:
    """RecipeError for a picture with fewer pixels along a side; otherwise: what helps instead of enlarging it."""
    _, high, wide = picture.shape
    if min(high, wide) < smallest:
        raise RecipeError(
            f"{model} needs pictures of at least {smallest}×{smallest} pixels; these have {high}×{wide}",
            where="model.name", remedy=f"Enlarge them: --set data.image_size={smallest}"
                                       f"{f', or {otherwise}' if otherwise else ''}.",
        )


def choose_form(picture: InputSpec, asked: str | None, option: str = "stem", middle: bool = False) -> str:
    """The form that was asked for, or the one that suits the picture: "small" to 64 pixels, "imagenet" above.

    option: what asks for it, for the RecipeError about a form that does not exist. middle: whether there is a form
    between the two, "middle", from 41 to 64 pixels.
    """
    if asked is None:
        side = min(picture.shape[1:])
        return "imagenet" if side > SMALL else "middle" if middle and side > TINY else "small"
    forms = ("imagenet", *(("middle",) if middle else ()), "small")
    if asked not in forms:
        raise RecipeError(f"{option} is {', '.join(forms[:-1])} or small; got {asked!r}",
                          where=f"model.options.{option}", remedy=nearest(str(asked), list(forms)))
    return asked


class Widen(nn.Sequential):
    """A convolution to other channels, ReLU, and perhaps a pooling: where a stage of maps that are alike begins."""

    def __init__(self, channels_in: int, channels_out: int, side: int = 3, stride: int = 1, pool: bool = False) -> None:
        super().__init__(nn.Conv2d(channels_in, channels_out, side, stride, side // 2), nn.ReLU(inplace=True),
                         *([nn.MaxPool2d(2)] if pool else []))
        self.out_channels, self.stride = channels_out, stride * (2 if pool else 1)


class SequentialTrunk(PictureNetwork):
    """A network whose trunk is one sequence, `features`, read by `classifier`: VGG, AlexNet, SqueezeNet, DenseNet.

    Its maps are what the last part at each stride gives. Parts of several layers say their `out_channels`, and their
    `stride` where they have one.
    """

    head_name = "classifier"
    features: nn.Sequential
    classifier: nn.Module

    @property
    def maps(self) -> tuple[FeatureMap, ...]:
        found, channels, stride = {}, 0, 1
        for name, part in self.features.named_children():
            channels = getattr(part, "out_channels", channels)
            step = getattr(part, "stride", 1)
            stride *= step[0] if isinstance(step, tuple) else step
            found[stride] = FeatureMap(f"features.{name}", int(channels), stride)
        return tuple(found.values())

    def feature_maps(self, picture: Tensor) -> tuple[Tensor, ...]:
        wanted, maps = {each.name for each in self.maps}, []
        x = picture
        for name, part in self.features.named_children():
            x = part(x)
            if f"features.{name}" in wanted:
                maps.append(x)
        return tuple(maps)


class FullyConnectedHead(SequentialTrunk):
    """`features`, their last map pooled to pool×pool, flattened, and `classifier`, whose last layer is the output."""

    def __init__(self, features: nn.Sequential, pool: int, classifier: nn.Sequential) -> None:
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d(pool)
        self.classifier = classifier
        self.output_name = f"classifier.{len(classifier) - 1}"
        initialize_network(self)

    def classify(self, last: Tensor) -> Tensor:
        return self.classifier(self.avgpool(last).flatten(1))


def initialize_network(network: PictureNetwork) -> None:
    """First weights: He et al.'s normal (arXiv:1502.01852) before every ReLU, a tenth of LeCun's in the output layer.

    By fan in, so that the signal keeps its size where no batch norm restores it; what torch draws by itself lets it
    shrink from layer to layer, and VGG without norms starts slowly. Small outputs make the first loss log K, so that no
    steps are spent on unlearning random certainty.
    """
    output = network.get_submodule(network.output_name)
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)) and layer is not output:
            initialize(layer, followed_by="relu")
    if isinstance(output, (nn.Conv2d, nn.Linear)):
        initialize_output(output)
