"""GoogLeNet: modules of parallel convolutions, and two branches with a loss of their own (rows 17.13, 17.14).

Szegedy et al. 2015, arXiv:1409.4842. Parameters are named as in torchvision's.
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.errors import RecipeError
from orthogon.nn.heads import SIDE_WEIGHT
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.nn.trunk import FeatureMap
from orthogon.vision.blocks import choose_form, lone_picture, require_side
from orthogon.vision.chain import Chain, times

MODULES = {
    "inception3a": (64, (96, 128), (16, 32), 32), "inception3b": (128, (128, 192), (32, 96), 64),
    "inception4a": (192, (96, 208), (16, 48), 64), "inception4b": (160, (112, 224), (24, 64), 64),
    "inception4c": (128, (128, 256), (24, 64), 64), "inception4d": (112, (144, 288), (32, 64), 64),
    "inception4e": (256, (160, 320), (32, 128), 128),
    "inception5a": (256, (160, 320), (32, 128), 128), "inception5b": (384, (192, 384), (48, 128), 128),
}
"""Channels of each module: of the 1×1; before and after the 3×3; before and after the 5×5; after the pooling."""

IMAGENET = ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))
"""Mean and standard deviation of red, green and blue, as of values from 0 to 1."""


class ConvNorm(nn.Module):
    """Convolution without bias, batch norm with ε = 0.001, ReLU."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int | tuple[int, int] = 1, stride: int = 1,
                 padding: int | tuple[int, int] = 0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(channels_out, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)), inplace=True)


class FromImageNetScale(nn.Module):
    """Pictures normalized with ImageNet's mean and deviation -> (x − 0.5) / 0.5, the scale of the published weights."""

    def forward(self, picture: Tensor) -> Tensor:
        return torch.cat([picture[:, k : k + 1] * (deviation / 0.5) + (mean - 0.5) / 0.5
                          for k, (mean, deviation) in enumerate(IMAGENET)], dim=1)


def entrance(picture: InputSpec, transform_input: bool) -> nn.Module:
    """FromImageNetScale where it is asked for; RecipeError where pictures are not in colour."""
    if transform_input and picture.shape[0] != 3:
        raise RecipeError(f"transform_input is for pictures in colour; these have {picture.shape[0]} channels",
                          where="model.options.transform_input", remedy="Leave it out, or --set data.channels=3.")
    return FromImageNetScale() if transform_input else nn.Identity()


class Module(nn.Module):
    """1×1, 3×3 and 5×5 convolutions and 3×3 max pooling beside each other; what they give is concatenated.

    A 1×1 convolution before each large one, and after the pooling, keeps the channels few. The published weights have
    3×3 where the paper has 5×5 (`large` 3; github.com/pytorch/vision/issues/906).
    """

    def __init__(self, channels: int, ones: int, threes: tuple[int, int], fives: tuple[int, int], pooled: int,
                 large: int) -> None:
        super().__init__()
        self.branch1 = ConvNorm(channels, ones)
        self.branch2 = nn.Sequential(ConvNorm(channels, threes[0]), ConvNorm(*threes, 3, padding=1))
        self.branch3 = nn.Sequential(ConvNorm(channels, fives[0]), ConvNorm(*fives, large, padding=large // 2))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=True), ConvNorm(channels, pooled))
        self.out_channels = ones + threes[1] + fives[1] + pooled

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], dim=1)


class Branch(nn.Module):
    """The map pooled to 4×4 (by the mean, as torchvision does for every size), 1×1 convolution, two linear layers."""

    def __init__(self, channels: int, outputs: int, narrow: int, hidden: int) -> None:
        super().__init__()
        self.conv = ConvNorm(channels, narrow)
        self.fc1 = nn.Linear(narrow * 4 * 4, hidden)
        self.fc2 = nn.Linear(hidden, outputs)
        self.dropout = nn.Dropout(0.7)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(F.adaptive_avg_pool2d(x, 4)).flatten(1)
        return self.fc2(self.dropout(F.relu(self.fc1(x))))


def googlenet(spec: ModelSpec, variant: str = "googlenet", stem: str | None = None, width: float = 1.0,
              auxiliary: bool = True, paper: bool = False, dropout: float = 0.2, transform_input: bool = False
              ) -> nn.Module:
    """GoogLeNet: 13,004,888 parameters for 1,000 classes; 6,624,904 without the branches, which serve in training.

    stem: "imagenet", a 7×7 convolution with stride 2 and a pooling, for pictures from 32 pixels; "middle", 3×3 with
    stride 2, from 16; "small", 3×3 with stride 1, from 8; left out, "small" to 40 pixels, "middle" to 64. width:
    times the channels of every layer. auxiliary: whether there are the two branches, whose losses count 0.3 each.
    paper: the paper's 5×5 convolutions in place of the 3×3 that the published weights have. dropout: before the last
    layer, published 0.2 (paper 0.4). transform_input: see `FromImageNetScale`; not needed where the
    data is normalized as the weights say.
    """
    picture = lone_picture(spec, variant)
    form = choose_form(picture, stem, middle=True)
    large, first = form == "imagenet", {"imagenet": 4, "middle": 2, "small": 1}[form]
    require_side(picture, 8 * first, variant,
                 "" if form == "small" else "choose its stem for small pictures: --set model.options.stem=small")
    wide = partial(times, width)
    parts: dict[str, nn.Module] = {
        "entrance": entrance(picture, transform_input),
        "conv1": ConvNorm(picture.shape[0], wide(64), 7 if large else 3, min(first, 2), 3 if large else 1),
        "maxpool1": _halve(3) if large else nn.Identity(), "conv2": ConvNorm(wide(64), wide(64)),
        "conv3": ConvNorm(wide(64), wide(192), 3, padding=1), "maxpool2": _halve(3),
    }
    channels, after = wide(192), {}
    for name, (ones, threes, fives, pooled) in MODULES.items():
        parts[name] = made = Module(channels, wide(ones), (wide(threes[0]), wide(threes[1])),
                                    (wide(fives[0]), wide(fives[1])), wide(pooled), 5 if paper else 3)
        channels = after[name] = made.out_channels
        if name == "inception3b":
            parts["maxpool3"] = _halve(3)
        elif name == "inception4e":
            parts["maxpool4"] = _halve(2)
    sides = {"inception4a": ("aux1", SIDE_WEIGHT), "inception4d": ("aux2", SIDE_WEIGHT)} if auxiliary else {}
    for part, (branch, _) in sides.items():
        parts[branch] = Branch(after[part], spec.outputs, wide(128), wide(1024))
    maps = (*([FeatureMap("conv1", wide(64), 2)] if large else []), FeatureMap("conv3", wide(192), first),
            *(FeatureMap(name, after[name], first * 2**k)
              for k, name in enumerate(("inception3b", "inception4e", "inception5b"), start=1)))
    return Chain(parts, maps, spec.outputs, dropout, sides)


def _halve(side: int) -> nn.Module:
    return nn.MaxPool2d(side, 2, ceil_mode=True)
