"""DenseNet: every layer reads all earlier ones. Huang, Liu, van der Maaten & Weinberger 2016, arXiv:1608.06993.

Row 17.11. Features are reused by concatenation, where ResNet adds (E60).
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.nn.spec import ModelSpec
from orthogon.vision.blocks import SequentialTrunk, choose_form, initialize_network, lone_picture, require_side

BLOCKS = {"densenet121": (6, 12, 24, 16), "densenet169": (6, 12, 32, 32)}
"""Layers in each dense block."""

BOTTLENECK = 4
"""Channels before each 3×3 convolution, in units of the growth."""

Value = TypeVar("Value")


class DenseLayer(nn.Module):
    """Norm, ReLU, 1×1, norm, ReLU, 3×3: all channels so far -> `growth` new ones."""

    def __init__(self, channels: int, growth: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(channels, BOTTLENECK * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(BOTTLENECK * growth)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(BOTTLENECK * growth, growth, 3, padding=1, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(self.relu1(self.norm1(x)))
        return self.dropout(self.conv2(self.relu2(self.norm2(x))))


class DenseBlock(nn.Module):
    """Layers that each add `growth` channels to all before them."""

    def __init__(self, layers: int, channels: int, growth: int, dropout: float) -> None:
        super().__init__()
        self.out_channels = channels + layers * growth
        for k in range(layers):
            self.add_module(f"denselayer{k + 1}", DenseLayer(channels + k * growth, growth, dropout))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.children():
            x = torch.cat([x, layer(x)], 1)
        return x


class Transition(nn.Sequential):
    """Half the channels, half the side."""

    stride = 2

    def __init__(self, channels: int) -> None:
        self.out_channels = channels // 2
        super().__init__(OrderedDict(
            norm=nn.BatchNorm2d(channels), relu=nn.ReLU(inplace=True),
            conv=nn.Conv2d(channels, channels // 2, 1, bias=False), pool=nn.AvgPool2d(2),
        ))


class DenseNet(SequentialTrunk):
    """See `densenet`. Parameters are named as in torchvision's."""

    output_name = "classifier"

    def __init__(self, channels: int, outputs: int, blocks: tuple[int, ...], stem: str, growth: int, dropout: float
                 ) -> None:
        super().__init__()
        large, width = stem == "imagenet", 2 * growth
        parts: dict[str, nn.Module] = {
            "conv0": nn.Conv2d(channels, width, 7, 2, 3, bias=False) if large
            else nn.Conv2d(channels, width, 3, 1, 1, bias=False),
            "norm0": nn.BatchNorm2d(width), "relu0": nn.ReLU(inplace=True),
        }
        if large:
            parts["pool0"] = nn.MaxPool2d(3, 2, 1)
        for k, layers in enumerate(blocks, 1):
            block = DenseBlock(layers, width, growth, dropout)
            parts[f"denseblock{k}"], width = block, block.out_channels
            if k < len(blocks):
                parts[f"transition{k}"], width = Transition(width), width // 2
        self.features = nn.Sequential(OrderedDict(parts, norm5=nn.BatchNorm2d(width)))
        self.classifier = nn.Linear(width, outputs)
        initialize_network(self)

    def classify(self, last: Tensor) -> Tensor:
        return self.classifier(F.relu(last).mean((2, 3)))


def densenet(spec: ModelSpec, variant: str, stem: str | None = None, growth: int = 32, dropout: float = 0.0
             ) -> nn.Module:
    """DenseNet-121 (7,978,856 parameters) or -169: four dense blocks, channels and side halved between them.

    stem: "imagenet", 7×7 with stride 2 and max pooling, for pictures from 32 pixels; "small", 3×3 with stride 1, from
    8; left out, "small" to 64 pixels. growth: new channels of a layer, published 32. dropout: behind each layer's last
    convolution; published 0 with augmentation, 0.2 without.
    """
    picture = lone_picture(spec, variant)
    form = choose_form(picture, stem)
    if form == "imagenet":
        require_side(picture, 32, variant, "choose its stem for small pictures: --set model.options.stem=small")
    else:
        require_side(picture, 8, variant)
    return DenseNet(picture.shape[0], spec.outputs, BLOCKS[variant], form, int(growth), dropout)


def rename_legacy(state: Mapping[str, Value]) -> dict[str, Value]:
    """Keys as published for torchvision before 0.3 -> as they are now: "denselayer1.norm.1.weight" -> "….norm1.weight".

    All densenet*.pth files of torchvision have the old ones. Keys that are new already stay.
    """
    old = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.((?:[12])\.(?:weight|bias|running_mean|running_var))$")
    return {old.sub(r"\1\2", key): value for key, value in state.items()}
