"""The small batch-normalised convnet: the default for pictures from 8 to 96 pixels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.errors import RecipeError
from orthogon.nn.activations import activation as make_activation
from orthogon.nn.initializers import initialize, initialize_output
from orthogon.nn.models import Flat
from orthogon.nn.spec import ModelSpec
from orthogon.nn.trunk import FeatureMap, PictureNetwork
from orthogon.vision.blocks import picture_input

ROOM = 8  # side in pixels from which a picture is halved: it then keeps at least 4
STEM_ROOM = 24  # side from which the first layer halves already
LARGEST = 512  # channels


class ConvBlock(nn.Module):
    """3×3 convolution without bias, 2×2 max pooling if it halves, batch norm, activation.

    Pooling comes before the norm: it gives (for a positive scale of the norm) the same values as after the activation,
    and leaves a quarter of the numbers to both. On a CPU that is a third of a training step.
    """

    def __init__(self, channels_in: int, channels_out: int, activation: str, halve: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)
        self.pool = nn.MaxPool2d(2) if halve else nn.Identity()
        self.norm = nn.BatchNorm2d(channels_out)
        self.activation = make_activation(activation)
        initialize(self.conv, followed_by=activation)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.norm(self.pool(self.conv(x))))


class Stage(nn.Module):
    """A block that widens and may halve, then `depth` blocks around which the signal may pass (He et al. 2015)."""

    def __init__(self, channels_in: int, channels_out: int, halve: bool, depth: int, activation: str) -> None:
        super().__init__()
        self.entry = ConvBlock(channels_in, channels_out, activation, halve)
        self.blocks = nn.ModuleList(ConvBlock(channels_out, channels_out, activation) for _ in range(depth))

    def forward(self, x: Tensor) -> Tensor:
        x = self.entry(x)
        for block in self.blocks:
            x = x + block(x)
        return x


class ConvNet(PictureNetwork):
    """See `convnet`."""

    head_name = output_name = "output"

    def __init__(self, spec: ModelSpec, width: int, depth: int, stages: int | None, dropout: float,
                 activation: str, grid: int) -> None:
        super().__init__()
        self.grid = grid
        channels, *sides = picture_input(spec, "convnet").shape
        halvings = plan(min(sides), stages)
        self.stem = ConvBlock(channels, width, activation, halve=halvings[0])
        widths = [min(width * 2**k, LARGEST) for k in range(len(halvings))]
        self.stages = nn.Sequential(*(
            Stage(before, after, halve, depth, activation)
            for before, after, halve in zip(widths, widths[1:], halvings[1:])
        ))
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.beside = Flat(spec.inputs[1:], None, one_hot=False) if len(spec.inputs) > 1 else None
        self.output = nn.Linear(widths[-1] * grid**2 + (self.beside.width if self.beside else 0), spec.outputs)
        initialize_output(self.output)
        names = ["stem", *(f"stages.{number}" for number in range(len(self.stages)))]
        strides = [2 ** sum(halvings[: number + 1]) for number in range(len(halvings))]
        # Of maps of one stride the last.
        self._shown = [stride not in strides[number + 1 :] for number, stride in enumerate(strides)]
        self._maps = tuple(FeatureMap(*each) for each, last in zip(zip(names, widths, strides), self._shown) if last)

    @property
    def maps(self) -> tuple[FeatureMap, ...]:
        return self._maps

    def feature_maps(self, picture: Tensor) -> tuple[Tensor, ...]:
        found = [self.stem(picture)]
        for stage in self.stages:
            found.append(stage(found[-1]))
        return tuple(each for each, last in zip(found, self._shown) if last)

    def classify(self, last: Tensor, *others: Tensor) -> Tensor:
        features = F.adaptive_avg_pool2d(last, self.grid).flatten(1)
        if self.beside is not None:
            features = torch.cat([features, self.beside(*others).to(features.dtype)], dim=1)
        return self.output(self.dropout(features))

    def forward(self, picture: Tensor, *others: Tensor) -> Tensor:
        return self.classify(self.stages(self.stem(picture)), *others)


def plan(side: int, stages: int | None = None) -> list[bool]:
    """Whether the first layer, and each stage after it, halves a picture of that side.

    8 -> 4; 16 -> 8 -> 4; 28 -> 14, 14, 7; 32 -> 16, 16, 8, 4; 64 -> 32, 16, 8, 4; 96 -> 48, 24, 12, 6. The work is done
    at 16 pixels and below, where it pays.
    """
    halvings = [side >= STEM_ROOM]
    side = side // 2 if halvings[0] else side
    while stages is None or len(halvings) <= stages:
        rest = len(halvings) == 1 and halvings[0] and side <= 2 * ROOM
        halve = not rest and side >= ROOM
        if stages is None and len(halvings) > 1 and (side < ROOM or len(halvings) > 4):
            break
        halvings.append(halve)
        side = side // 2 if halve else side
    return halvings


def convnet(spec: ModelSpec, width: int = 32, depth: int = 1, stages: int | None = None, dropout: float = 0.0,
            activation: str = "relu", grid: int = 1) -> nn.Module:
    """A small residual convnet with batch norm; numbers and categories beside the picture join before the last layer.

    width: channels of the first layer; each stage doubles them (at most 512), most halve the picture: see `plan`.
    depth: blocks in each stage around which the signal may pass. stages: left out, by the size of the picture
    (1 at 8 pixels, 2 at 28, 3 at 96). dropout: before the last layer. grid: parts along each side that the
    last map is averaged over; 1 = over all of it, so that the output does not know where things are.
    """
    if width < 1 or depth < 0 or (stages is not None and stages < 1) or grid < 1:
        raise RecipeError(f"width, stages and grid are at least 1, depth at least 0; got width {width}, depth "
                          f"{depth}, stages {stages}, grid {grid}", where="model.options")
    return ConvNet(spec, int(width), int(depth), stages, float(dropout), activation, int(grid))
