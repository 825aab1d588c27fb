"""The networks in plain PyTorch, written as people write them; nothing of Orthogon is imported.

`benchmarks/same_network.py` checks that the copies give the same outputs with the same weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from problem import CLASSES, FEATURES, HIDDEN, Problem
from torch import Tensor, nn


def network(given: Problem) -> nn.Module:
    """The network of the suite, its weights drawn with the seed."""
    torch.manual_seed(given.seed)
    return {"overhead": mlp, "fashion": ConvNet, "resnet18": ResNet18, "mobilenet_v2": MobileNetV2}[given.suite]()


def parameters(model: nn.Module) -> int:
    return sum(each.numel() for each in model.parameters())


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(FEATURES, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CLASSES))


class Block(nn.Module):
    """3×3 convolution without bias, a halving by the maximum where asked for, batch norm, ReLU."""

    def __init__(self, channels_in: int, channels_out: int, halve: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)
        self.pool = nn.MaxPool2d(2) if halve else nn.Identity()
        self.norm = nn.BatchNorm2d(channels_out)
        self.activation = nn.ReLU()
        nn.init.kaiming_normal_(self.conv.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.norm(self.pool(self.conv(x))))


class ConvNet(nn.Module):
    """Orthogon's `convnet` for 28×28 grey pictures: 32 channels, then 64 at 14×14, 128 at 7×7, mean, 10 outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Block(1, 32, halve=True)
        self.entry1, self.block1 = Block(32, 64), Block(64, 64)
        self.entry2, self.block2 = Block(64, 128, halve=True), Block(128, 128)
        self.output = nn.Linear(128, CLASSES)
        nn.init.normal_(self.output.weight, std=0.1 / math.sqrt(128))
        nn.init.zeros_(self.output.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.entry1(self.stem(x))
        x = x + self.block1(x)
        x = self.entry2(x)
        x = x + self.block2(x)
        return self.output(x.mean((2, 3)))


class Residual(nn.Module):
    """Two 3×3 convolutions around which the picture passes."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.downsample = nn.Sequential()
        if stride > 1 or channels_in != channels_out:
            self.downsample = nn.Sequential(nn.Conv2d(channels_in, channels_out, 1, stride, bias=False),
                                            nn.BatchNorm2d(channels_out))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(y)) + self.downsample(x))


class ResNet18(nn.Module):
    """ResNet-18 with the stem for 32 pixels: 3×3, stride 1, no pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64)
        widths = [64, 64, 128, 256, 512]
        self.layers = nn.Sequential(*(
            nn.Sequential(Residual(before, after, 1 + (k > 0)), Residual(after, after, 1))
            for k, (before, after) in enumerate(pairwise(widths))))
        self.fc = nn.Linear(512, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.layers(torch.relu(self.bn1(self.conv1(x)))).mean((2, 3)))


def convolution(channels_in: int, channels_out: int, side: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(channels_in, channels_out, side, stride, side // 2, groups=groups, bias=False),
            nn.BatchNorm2d(channels_out), nn.ReLU6()]


class Inverted(nn.Module):
    """MobileNet-V2's block: wider by 1×1, filtered channel by channel, narrower by 1×1."""

    def __init__(self, channels_in: int, channels_out: int, stride: int, factor: int) -> None:
        super().__init__()
        wide = channels_in * factor
        self.conv = nn.Sequential(
            *(convolution(channels_in, wide, 1) if factor > 1 else []), *convolution(wide, wide, 3, stride, wide),
            nn.Conv2d(wide, channels_out, 1, bias=False), nn.BatchNorm2d(channels_out))
        self.passes = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.passes else self.conv(x)


class MobileNetV2(nn.Module):
    """As published (Sandler et al. 2018, table 2)."""

    def __init__(self) -> None:
        super().__init__()
        rows = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
                (6, 320, 1, 1)]
        layers, before = convolution(3, 32, 3, 2), 32
        for factor, channels, count, stride in rows:
            for k in range(count):
                layers.append(Inverted(before, channels, stride if k == 0 else 1, factor))
                before = channels
        self.features = nn.Sequential(*layers, *convolution(before, 1280, 1))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).mean((2, 3)))


def factor(given: Problem, rows: int) -> Callable[[int], float]:
    """Step -> factor of the learning rate."""
    steps = given.epochs * given.steps_per_epoch(rows)
    if given.schedule == "constant":
        return lambda step: 1.0
    return lambda step: 0.5 * (1 + math.cos(math.pi * step / steps))


@torch.inference_mode()
def predict(model: nn.Module, x: Tensor) -> list[int]:
    """The most likely class of each row, in float32."""
    model.eval()
    return [code for chunk in x.split(512) for code in model(chunk).argmax(1).tolist()]
