"""Inception-v3: large convolutions taken apart into 3×3, 1×7 and 7×1 (row 17.13).

Szegedy et al. 2015, arXiv:1512.00567. Parameters are named as in torchvision's.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.nn.spec import ModelSpec
from orthogon.nn.trunk import FeatureMap
from orthogon.vision.blocks import lone_picture, require_side
from orthogon.vision.chain import Chain, times
from orthogon.vision.googlenet import ConvNorm, entrance

SMALLEST = 75  # pixels; three are left of them before the last two modules
SIDE_WEIGHT = 0.4
"""What the loss of the branch counts: as in the published training, the paper does not say."""


class Layer(NamedTuple):
    """A convolution of a module: its name and channels, the high and wide of its kernel."""

    name: str
    channels: int
    high: int = 1
    wide: int = 1


Sequence = tuple[Layer | tuple[Layer, Layer], ...]
"""Layers one after the other; two in a pair read the same and stand beside each other."""


def _threes(name: str, *channels: int) -> tuple[Layer, ...]:
    """A 1×1 convolution, then 3×3 ones."""
    first, *more = channels
    return Layer(f"{name}_1", first), *(Layer(f"{name}_{k}", many, 3, 3) for k, many in enumerate(more, start=2))


def _small(pooled: int) -> tuple[Sequence, ...]:
    return ((Layer("branch1x1", 64),), (Layer("branch5x5_1", 48), Layer("branch5x5_2", 64, 5, 5)),
            _threes("branch3x3dbl", 64, 96, 96), (Layer("branch_pool", pooled),))


def _sevens(narrow: int) -> tuple[Sequence, ...]:
    """7×7 convolutions as 1×7 and 7×1."""
    double = tuple(Layer(f"branch7x7dbl_{k}", many, high, wide) for k, many, high, wide in (
        (1, narrow, 1, 1), (2, narrow, 7, 1), (3, narrow, 1, 7), (4, narrow, 7, 1), (5, 192, 1, 7)))
    return ((Layer("branch1x1", 192),), (Layer("branch7x7_1", narrow), Layer("branch7x7_2", narrow, 1, 7),
                                         Layer("branch7x7_3", 192, 7, 1)), double, (Layer("branch_pool", 192),))


_WIDE: tuple[Sequence, ...] = (
    (Layer("branch1x1", 320),),
    (Layer("branch3x3_1", 384), (Layer("branch3x3_2a", 384, 1, 3), Layer("branch3x3_2b", 384, 3, 1))),
    (*_threes("branch3x3dbl", 448, 384), (Layer("branch3x3dbl_3a", 384, 1, 3), Layer("branch3x3dbl_3b", 384, 3, 1))),
    (Layer("branch_pool", 192),),
)
_HALF_6: tuple[Sequence, ...] = ((Layer("branch3x3", 384, 3, 3),), _threes("branch3x3dbl", 64, 96, 96), ())
_HALF_7: tuple[Sequence, ...] = (
    _threes("branch3x3", 192, 320),
    (Layer("branch7x7x3_1", 192), Layer("branch7x7x3_2", 192, 1, 7), Layer("branch7x7x3_3", 192, 7, 1),
     Layer("branch7x7x3_4", 192, 3, 3)), (),
)

MODULES: dict[str, tuple[Sequence, ...]] = {
    "Mixed_5b": _small(32), "Mixed_5c": _small(64), "Mixed_5d": _small(64), "Mixed_6a": _HALF_6,
    "Mixed_6b": _sevens(128), "Mixed_6c": _sevens(160), "Mixed_6d": _sevens(160), "Mixed_6e": _sevens(192),
    "Mixed_7a": _HALF_7, "Mixed_7b": _WIDE, "Mixed_7c": _WIDE,
}
"""The sequences of each module, the last one behind a pooling. Where nothing follows the pooling, the module halves its
map: the pooling takes the maximum, and it and the last layer of each other sequence have stride 2 and no padding."""


class Mixed(nn.Module):
    """Sequences of convolutions beside each other, the last behind a pooling; what they give is concatenated."""

    def __init__(self, channels: int, sequences: tuple[Sequence, ...], width: float) -> None:
        super().__init__()
        self.halves, self.out_channels = not sequences[-1], 0
        self.sequences: list[list[tuple[str, ...]]] = []
        for sequence in sequences:
            before, names = channels, []
            for place, step in enumerate(sequence):
                layers = (step,) if isinstance(step, Layer) else step
                last = self.halves and place == len(sequence) - 1
                for layer in layers:
                    self.add_module(layer.name, ConvNorm(
                        before, times(width, layer.channels), (layer.high, layer.wide), 2 if last else 1,
                        (0, 0) if last else (layer.high // 2, layer.wide // 2)))
                before = sum(times(width, layer.channels) for layer in layers)
                names.append(tuple(layer.name for layer in layers))
            self.sequences.append(names)
            self.out_channels += before

    def forward(self, x: Tensor) -> Tensor:
        pooled = F.max_pool2d(x, 3, 2) if self.halves else F.avg_pool2d(x, 3, 1, 1)
        given = [self._run(x, names) for names in self.sequences[:-1]]
        return torch.cat([*given, self._run(pooled, self.sequences[-1])], dim=1)

    def _run(self, x: Tensor, names: list[tuple[str, ...]]) -> Tensor:
        for beside in names:
            given = [self.get_submodule(name)(x) for name in beside]
            x = given[0] if len(given) == 1 else torch.cat(given, dim=1)
        return x


class Branch(nn.Module):
    """The map pooled, 1×1 and 5×5 convolution, mean, linear layer.

    A map of 17×17, as of pictures of 299 pixels, is pooled to 5×5, as published; one that is too small for that pooling
    is brought to 5×5 as well.
    """

    def __init__(self, channels: int, outputs: int, width: float) -> None:
        super().__init__()
        self.conv0 = ConvNorm(channels, times(width, 128))
        self.conv1 = ConvNorm(times(width, 128), times(width, 768), 5)
        self.fc = nn.Linear(times(width, 768), outputs)

    def forward(self, x: Tensor) -> Tensor:
        pooled = F.avg_pool2d(x, 5, 3) if min(x.shape[2:]) >= 17 else F.adaptive_avg_pool2d(x, 5)
        return self.fc(self.conv1(self.conv0(pooled)).mean((2, 3)))


def inception(spec: ModelSpec, variant: str = "inception_v3", width: float = 1.0, auxiliary: bool = True,
              dropout: float = 0.5, transform_input: bool = False) -> nn.Module:
    """Inception-v3: 27,161,264 parameters for 1,000 classes; 23,834,568 without the branch, which serves in training.

    For pictures from 75 pixels; published for 299. width: times the channels of every layer. auxiliary: whether there
    is the branch, whose loss counts 0.4. dropout: before the last layer, published 0.5. transform_input: see
    `orthogon.vision.googlenet.FromImageNetScale`; not needed where the data is normalized as the weights say.
    """
    picture = lone_picture(spec, variant)
    require_side(picture, SMALLEST, variant, "choose a network for small pictures: --model googlenet")
    wide = partial(times, width)
    parts: dict[str, nn.Module] = {
        "entrance": entrance(picture, transform_input),
        "Conv2d_1a_3x3": ConvNorm(picture.shape[0], wide(32), 3, 2), "Conv2d_2a_3x3": ConvNorm(wide(32), wide(32), 3),
        "Conv2d_2b_3x3": ConvNorm(wide(32), wide(64), 3, padding=1), "maxpool1": nn.MaxPool2d(3, 2),
        "Conv2d_3b_1x1": ConvNorm(wide(64), wide(80)), "Conv2d_4a_3x3": ConvNorm(wide(80), wide(192), 3),
        "maxpool2": nn.MaxPool2d(3, 2),
    }
    channels = wide(192)
    strides = {"Conv2d_2b_3x3": (wide(64), 2), "Conv2d_4a_3x3": (channels, 4)}
    for name, sequences in MODULES.items():
        parts[name] = made = Mixed(channels, sequences, width)
        channels = made.out_channels
        if name in ("Mixed_5d", "Mixed_6e", "Mixed_7c"):
            strides[name] = (channels, {"5": 8, "6": 16, "7": 32}[name[6]])
        if auxiliary and name == "Mixed_6e":
            parts["AuxLogits"] = Branch(channels, spec.outputs, width)
    sides = {"Mixed_6e": ("AuxLogits", SIDE_WEIGHT)} if auxiliary else {}
    maps = tuple(FeatureMap(name, many, stride) for name, (many, stride) in strides.items())
    return Chain(parts, maps, spec.outputs, dropout, sides)
