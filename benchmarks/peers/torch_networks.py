"""The two networks in plain PyTorch: copies of Orthogon's layers that import nothing of Orthogon.

`benchmarks/same_network.py` checks that the copies give the same outputs with the same weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from problem import CLASSES, FEATURES, HIDDEN, Problem
from torch import Tensor, nn


def network(given: Problem) -> nn.Module:
    """The network of the suite, its weights drawn with the seed."""
    torch.manual_seed(given.seed)
    return mlp() if given.suite == "overhead" else ConvNet()


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
