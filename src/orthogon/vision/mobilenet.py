"""MobileNets: convolutions that see one channel each, and 1×1 convolutions that mix the channels.

V1: Howard et al. 2017, arXiv:1704.04861. V2: Sandler et al. 2018, arXiv:1801.04381; the names of its parameters are
torchvision's, those of V1 follow the same pattern.
"""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.errors import RecipeError, nearest
from orthogon.nn.depthwise import DepthwiseConv2d
from orthogon.nn.spec import ModelSpec
from orthogon.vision.blocks import FullyConnectedHead, choose_form, lone_picture, require_side

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


class SameConv2d(DepthwiseConv2d):
    """A convolution padded with zeros as TensorFlow's SAME: ⌈side / stride⌉ places along each side; where that takes an
    odd number of zeros, there is one more at the right and at the bottom. torch pads both sides alike."""

    def forward(self, x: Tensor) -> Tensor:
        padding: list[int] = []
        for side, kernel, stride in zip(x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1]):
            missing = max((-(-side // stride) - 1) * stride + kernel - side, 0)
            padding += [missing // 2, missing - missing // 2]
        return super().forward(F.pad(x, padding))


def convolution(channels_in: int, channels_out: int, kernel: int, stride: int, groups: int, padding: str
                ) -> list[nn.Module]:
    """A convolution without bias, padded "symmetric" or "same", and its batch norm."""
    same = padding == "same" and stride > 1  # at stride 1 both paddings are one
    kind = SameConv2d if same else DepthwiseConv2d if groups > 1 else nn.Conv2d
    conv = kind(channels_in, channels_out, kernel, stride, groups=groups, bias=False,
                padding=0 if same else kernel // 2)
    return [conv, nn.BatchNorm2d(channels_out)]


class Active(nn.Sequential):
    """Convolution, batch norm and ReLU6."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int = 1, stride: int = 1, groups: int = 1,
                 padding: str = "symmetric") -> None:
        super().__init__(*convolution(channels_in, channels_out, kernel, stride, groups, padding),
                         nn.ReLU6(inplace=True))
        self.out_channels, self.stride = channels_out, stride


class Separable(nn.Sequential):
    """The block of V1: 3×3 in each channel, then 1×1 across the channels."""

    def __init__(self, channels_in: int, channels_out: int, stride: int, padding: str) -> None:
        super().__init__(Active(channels_in, channels_in, 3, stride, channels_in, padding),
                         Active(channels_in, channels_out))
        self.out_channels, self.stride = channels_out, stride


class InvertedResidual(nn.Module):
    """The block of V2: 1×1 to `expansion` times the channels, 3×3 in each, 1×1 back without an activation; where the
    outcome has the size of the input, the input is added."""

    def __init__(self, channels_in: int, channels_out: int, stride: int, expansion: int, padding: str) -> None:
        super().__init__()
        hidden = channels_in * expansion
        self.out_channels, self.stride = channels_out, stride
        self.adds = stride == 1 and channels_in == channels_out
        self.conv = nn.Sequential(
            *([Active(channels_in, hidden)] if expansion > 1 else []),
            Active(hidden, hidden, 3, stride, hidden, padding), *convolution(hidden, channels_out, 1, 1, 1, padding),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.adds else self.conv(x)


def _parts(channels: int, variant: str, width: float, left_out: int, padding: str
           ) -> list[Active | Separable | InvertedResidual]:
    """The first layer, the blocks one by one, and of V2 a last layer; so many of the first halvings are left out."""
    strides = [2] + [stage.stride if k == 0 else 1 for stage in STAGES[variant] for k in range(stage.blocks)]
    for _ in range(left_out):
        strides[strides.index(2)] = 1
    before = scaled(STEM, width, variant)
    parts: list[Active | Separable | InvertedResidual] = [Active(channels, before, 3, strides[0], padding=padding)]
    for stage in STAGES[variant]:
        after = scaled(stage.channels, width, variant)
        for _ in range(stage.blocks):
            stride = strides[len(parts)]
            parts.append(Separable(before, after, stride, padding) if variant == "mobilenet_v1" else
                         InvertedResidual(before, after, stride, stage.expansion, padding))
            before = after
    if variant == "mobilenet_v2":
        parts.append(Active(before, scaled(LAST, max(1.0, width), variant)))
    return parts


def scaled(channels: int, width: float, variant: str) -> int:
    """Channels times width: of V1 cut to a whole number of at least 8; of V2 rounded to a multiple of 8 that is not
    below nine tenths of what was asked for."""
    wanted = channels * width
    if variant == "mobilenet_v1":
        return max(int(wanted), 8)
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * wanted else rounded + 8


def mobilenet(spec: ModelSpec, variant: str, width: float = 1.0, stem: str | None = None,
              padding: str = "symmetric", dropout: float = 0.2) -> nn.Module:
    """MobileNet-V1 or V2.

    width: times the channels of every layer. stem: "imagenet" makes maps 32 times coarser than the picture; "middle"
    takes the first of the five halvings out, "small" the first two, for maps 8 times coarser; left out, "small" to 40
    pixels, "middle" to 64.
    padding: "symmetric", as torch pads, or "same", as TensorFlow does: its weights need it. dropout: before the last
    layer. RecipeError for pictures below 32 pixels ("middle": 16, "small": 8).
    """
    picture = lone_picture(spec, variant)
    left_out = {"imagenet": 0, "middle": 1, "small": 2}[choose_form(picture, stem, middle=True)]
    require_side(picture, 32 // 2**left_out, variant,
                 "" if left_out == 2 else "choose its stem for small pictures: --set model.options.stem=small")
    if padding not in PADDINGS:
        raise RecipeError(f"padding is symmetric or same; got {padding!r}", where="model.options.padding",
                          remedy=nearest(str(padding), PADDINGS))
    parts = _parts(picture.shape[0], variant, width, left_out, padding)
    last = nn.Linear(parts[-1].out_channels, spec.outputs)
    return FullyConnectedHead(nn.Sequential(*parts), 1, nn.Sequential(nn.Dropout(dropout), last))
