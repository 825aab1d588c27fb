"""The small batch-normalised convnet: the default for pictures from 8 to 96 pixels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from orthogon.errors import RecipeError
from orthogon.nn.initializers import activation as make_activation
from orthogon.nn.initializers import initialize, initialize_output
from orthogon.nn.models import Flat
from orthogon.nn.spec import InputSpec, ModelSpec

SMALLEST = 4  # side in pixels below which a stage does not halve any more
LARGEST = 512  # channels


def picture_input(spec: ModelSpec, model: str) -> InputSpec:
    """The one picture that the model is given; RecipeError where there is none or something else comes first."""
    if not spec.inputs or spec.inputs[0].kind != "image" or "image" in spec.kinds[1:]:
        raise RecipeError(
            f"{model} takes one picture; the inputs are {', '.join(spec.kinds) or 'none'}", where="model.name",
            remedy="Choose mlp for tables: --model mlp",
        )
    return spec.inputs[0]


class ConvBlock(nn.Module):
    """3×3 convolution without bias, batch norm, activation."""

    def __init__(self, channels_in: int, channels_out: int, stride: int, activation: str) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels_out)
        self.activation = make_activation(activation)
        initialize(self.conv, followed_by=activation)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.norm(self.conv(x)))


class Stage(nn.Module):
    """A block that may halve the picture, then `depth` blocks around which the signal may pass (He et al. 2015)."""

    def __init__(self, channels_in: int, channels_out: int, stride: int, depth: int, activation: str) -> None:
        super().__init__()
        self.entry = ConvBlock(channels_in, channels_out, stride, activation)
        self.blocks = nn.ModuleList(ConvBlock(channels_out, channels_out, 1, activation) for _ in range(depth))

    def forward(self, x: Tensor) -> Tensor:
        x = self.entry(x)
        for block in self.blocks:
            x = x + block(x)
        return x


class ConvNet(nn.Module):
    """See `convnet`."""

    def __init__(self, spec: ModelSpec, width: int, depth: int, stages: int | None, dropout: float,
                 activation: str) -> None:
        super().__init__()
        channels, *sides = picture_input(spec, "convnet").shape
        side, wide = min(sides), width
        stem_stride = 2 if side >= 64 else 1
        self.stem = ConvBlock(channels, width, stem_stride, activation)
        side = -(-side // stem_stride)
        built = []
        for _ in range(stages or _stages(side)):
            stride = 2 if side > SMALLEST else 1
            out = min(2 * wide, LARGEST)
            built.append(Stage(wide, out, stride, depth, activation))
            wide, side = out, -(-side // stride)
        self.stages = nn.Sequential(*built)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.beside = Flat(spec.inputs[1:], None, one_hot=False) if len(spec.inputs) > 1 else None
        self.output = nn.Linear(wide + (self.beside.width if self.beside else 0), spec.outputs)
        initialize_output(self.output)

    def forward(self, picture: Tensor, *others: Tensor) -> Tensor:
        features = self.stages(self.stem(picture)).mean((2, 3))
        if self.beside is not None:
            features = torch.cat([features, self.beside(*others).to(features.dtype)], dim=1)
        return self.output(self.dropout(features))


def _stages(side: int) -> int:
    """As many halvings as leave at least SMALLEST pixels, from 1 to 4."""
    count = 1
    while count < 4 and side / 2**count > 2 * SMALLEST - 1:
        count += 1
    return count


def convnet(spec: ModelSpec, width: int = 32, depth: int = 1, stages: int | None = None, dropout: float = 0.0,
            activation: str = "relu") -> nn.Module:
    """A small residual convnet with batch norm; numbers and categories beside the picture join before the last layer.

    width: channels of the first layer; each stage halves the picture and doubles them (at most 512).
    depth: blocks in each stage around which the signal may pass. stages: left out, by the size of the picture
    (1 at 8 pixels, 2 at 28, 4 at 96). dropout: before the last layer.
    """
    if width < 1 or depth < 0 or (stages is not None and stages < 1):
        raise RecipeError(f"width and stages are at least 1, depth at least 0; got width {width}, depth {depth}, "
                          f"stages {stages}", where="model.options")
    return ConvNet(spec, int(width), int(depth), stages, float(dropout), activation)
