"""MobileNets: convolutions that see one channel each, and 1×1 convolutions that mix the channels.

V1: Howard et al. 2017, arXiv:1704.04861. V2: Sandler et al. 2018, arXiv:1801.04381; the names of its parameters are
torchvision's, those of V1 follow the same pattern.
"""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.errors import RecipeError, nearest
from orthogon.nn.spec import ModelSpec
from orthogon.nn.trunk import FeatureMap, PictureNetwork
from orthogon.vision.blocks import choose_form, initialize_network, lone_picture, require_side

STEM = 32  # channels of the first layer
LAST = 1280  # channels of V2's last layer, which no width below 1 makes narrower
PADDINGS = ("symmetric", "same")


class Stage(NamedTuple):
    """Blocks of the same channels; the first has the stride. Within, V2 has `expansion` times as many channels."""

    channels: int
    blocks: int
    stride: int
    expansion: int = 1


STAGES: dict[str, tuple[Stage, ...]] = {
    "mobilenet_v1": (Stage(64, 1, 1), Stage(128, 2, 2), Stage(256, 2, 2), Stage(512, 6, 2), Stage(1024, 2, 2)),
    "mobilenet_v2": (Stage(16, 1, 1), Stage(24, 2, 2, 6), Stage(32, 3, 2, 6), Stage(64, 4, 2, 6), Stage(96, 3, 1, 6),
                     Stage(160, 3, 2, 6), Stage(320, 1, 1, 6)),
}


class SameConv2d(nn.Conv2d):
    """A convolution padded with zeros as TensorFlow's SAME: ⌈side / stride⌉ places along each side; where that takes an
    odd number of zeros, there is one more at the right and at the bottom. torch pads both sides alike."""

    def forward(self, x: Tensor) -> Tensor:
        padding: list[int] = []
        for side, kernel, stride in zip(x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1]):
            missing = max((-(-side // stride) - 1) * stride + kernel - side, 0)
            padding += [missing // 2, missing - missing // 2]
        return super().forward(F.pad(x, padding))


class Layers(NamedTuple):
    """Makes the layers of one network, which all pad alike."""

    padding: str

    def linear(self, channels_in: int, channels_out: int, kernel: int = 1, stride: int = 1,
               groups: int = 1) -> list[nn.Module]:
        """A convolution without bias and its batch norm."""
        same = self.padding == "same" and stride > 1  # at stride 1 both paddings are one
        conv = (SameConv2d if same else nn.Conv2d)(channels_in, channels_out, kernel, stride, groups=groups, bias=False,
                                                   padding=0 if same else kernel // 2)
        return [conv, nn.BatchNorm2d(channels_out)]

    def active(self, channels_in: int, channels_out: int, kernel: int = 1, stride: int = 1,
               groups: int = 1) -> nn.Sequential:
        """The same with ReLU6."""
        return nn.Sequential(*self.linear(channels_in, channels_out, kernel, stride, groups), nn.ReLU6(inplace=True))


class SeparableConvolution(nn.Sequential):
    """The block of V1: 3×3 in each channel, then 1×1 across the channels."""

    def __init__(self, layers: Layers, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__(layers.active(channels_in, channels_in, 3, stride, groups=channels_in),
                         layers.active(channels_in, channels_out))


class InvertedResidual(nn.Module):
    """The block of V2: 1×1 to `expansion` times the channels, 3×3 in each, 1×1 back without an activation; where the
    outcome has the size of the input, the input is added."""

    def __init__(self, layers: Layers, channels_in: int, channels_out: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = channels_in * expansion
        self.adds = stride == 1 and channels_in == channels_out
        self.conv = nn.Sequential(
            *([layers.active(channels_in, hidden)] if expansion > 1 else []),
            layers.active(hidden, hidden, 3, stride, groups=hidden), *layers.linear(hidden, channels_out),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.adds else self.conv(x)


class MobileNet(PictureNetwork):
    """See `mobilenet`."""

    head_name, output_name = "classifier", "classifier.1"

    def __init__(self, channels: int, outputs: int, variant: str, width: float, small: bool, padding: str,
                 dropout: float) -> None:
        super().__init__()
        layers, stride, before, ends = Layers(padding), 1, 0, {}
        blocks: list[nn.Module] = []
        for block in _blocks(variant, width, small):
            if not blocks:
                blocks.append(layers.active(channels, block.channels, 3, block.stride))
            elif variant == "mobilenet_v1":
                blocks.append(SeparableConvolution(layers, before, block.channels, block.stride))
            else:
                blocks.append(InvertedResidual(layers, before, block.channels, block.stride, block.expansion))
            before, stride = block.channels, stride * block.stride
            ends[stride] = FeatureMap(f"features.{len(blocks) - 1}", before, stride)
        if variant == "mobilenet_v2":
            last = scaled(LAST, max(1.0, width), variant)
            blocks.append(layers.active(before, last))
            ends[stride] = FeatureMap(f"features.{len(blocks) - 1}", last, stride)
        self.features = nn.Sequential(*blocks)
        self._maps = tuple(ends.values())
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(self._maps[-1].channels, outputs))
        initialize_network(self)

    @property
    def maps(self) -> tuple[FeatureMap, ...]:
        return self._maps

    def feature_maps(self, picture: Tensor) -> tuple[Tensor, ...]:
        wanted, found = {each.name for each in self._maps}, []
        for name, block in self.features.named_children():
            picture = block(picture)
            if f"features.{name}" in wanted:
                found.append(picture)
        return tuple(found)

    def classify(self, last: Tensor) -> Tensor:
        return self.classifier(last.mean((2, 3)))


def scaled(channels: int, width: float, variant: str) -> int:
    """Channels times width: of V1 cut to a whole number of at least 8; of V2 rounded to a multiple of 8 that is not
    below nine tenths of what was asked for."""
    wanted = channels * width
    if variant == "mobilenet_v1":
        return max(int(wanted), 8)
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * wanted else rounded + 8


def _blocks(variant: str, width: float, small: bool) -> list[Stage]:
    """The first layer and every block, one by one. With `small` the first two of stride 2 have stride 1."""
    stages, kept = [Stage(STEM, 1, 2), *STAGES[variant]], 2 if small else 0
    found: list[Stage] = []
    for stage in stages:
        for k in range(stage.blocks):
            stride = stage.stride if k == 0 else 1
            if stride == 2 and kept:
                stride, kept = 1, kept - 1
            found.append(Stage(scaled(stage.channels, width, variant), 1, stride, stage.expansion))
    return found


def mobilenet(spec: ModelSpec, variant: str, width: float = 1.0, stem: str | None = None,
              padding: str = "symmetric", dropout: float = 0.2) -> nn.Module:
    """MobileNet-V1 or V2.

    width: times the channels of every layer. stem: "imagenet" makes maps 32 times coarser than the picture; "small"
    takes the first two of the five halvings out, for maps 8 times coarser; left out, "small" to 64 pixels.
    padding: "symmetric", as torch pads, or "same", as TensorFlow does: its weights need it. dropout: before the last
    layer. RecipeError for pictures below 32 pixels ("small": 8).
    """
    picture = lone_picture(spec, variant)
    small = choose_form(picture, stem) == "small"
    require_side(picture, 8 if small else 32, variant,
                 "" if small else "choose its stem for small pictures: --set model.options.stem=small")
    if padding not in PADDINGS:
        raise RecipeError(f"padding is symmetric or same; got {padding!r}", where="model.options.padding",
                          remedy=nearest(str(padding), PADDINGS))
    return MobileNet(picture.shape[0], spec.outputs, variant, width, small, padding, dropout)
