"""Highway networks: gates learn how much of a map passes around a layer (row 17.10).

Srivastava, Greff & Schmidhuber 2015, arXiv:1505.00387. Gates work as those of an LSTM do, along depth instead of time.
With both gates open a layer is ResNet's: what is left when gates go, which does better without them (He et al. 2016,
arXiv:1603.05027).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.errors import RecipeError
from orthogon.nn.initializers import initialize
from orthogon.nn.spec import ModelSpec
from orthogon.vision.blocks import FullyConnectedHead, Widen, choose_form, lone_picture, require_side

COARSEST = 12  # side in pixels from which a map is halved once more
LARGEST = 8  # times the channels of the first stage


class HighwayLayer(nn.Module):
    """y = T(x) ∗ H(x) + C(x) ∗ x, elementwise: N×C×H×W -> the same.

    H is a 3×3 convolution and ReLU; T and C are 3×3 convolutions and sigmoid. `coupled`, as published, C = 1 − T: y = x
    where T is 0, a plain layer where it is 1. Without, C has weights of its own, and T = C = 1 makes a residual layer,
    y = H(x) + x. carry: how far gates lean at first to letting x pass: the biases of T start at −carry, those of C at
    carry.
    """

    def __init__(self, channels: int, carry: float = 2.0, coupled: bool = True) -> None:
        super().__init__()
        self.transform = nn.Conv2d(channels, channels, 3, padding=1)
        self.gate = nn.Conv2d(channels, channels, 3, padding=1)
        self.carry_gate = None if coupled else nn.Conv2d(channels, channels, 3, padding=1)
        initialize(self.transform, followed_by="relu")
        self.lean(carry)

    def lean(self, carry: float) -> None:
        """Gates as they are before training."""
        for gate, bias in ((self.gate, -carry), (self.carry_gate, carry)):
            if gate is not None:
                initialize(gate, followed_by="sigmoid")
                nn.init.constant_(gate.bias, bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        changed, gate = F.relu(self.transform(x)), torch.sigmoid(self.gate(x))
        if self.carry_gate is None:
            return x + gate * (changed - x)
        return gate * changed + torch.sigmoid(self.carry_gate(x)) * x


class Stage(nn.Sequential):
    """Highway layers one after the other."""

    def __init__(self, channels: int, depth: int, carry: float, coupled: bool) -> None:
        super().__init__(*(HighwayLayer(channels, carry, coupled) for _ in range(depth)))
        self.out_channels = channels


def highway(spec: ModelSpec, width: int = 16, depth: int = 4, stem: str | None = None, carry: float = 2.0,
            coupled: bool = True, dropout: float = 0.0) -> nn.Module:
    """A convolutional highway network without norms: stages of gated layers, halved between them while 12 pixels are
    left, then the mean and a linear layer.

    width: channels of the first stage; each later one doubles them, to 8 times. depth: layers of a stage. stem:
    "small", 3×3 with stride 1, for pictures from 4 pixels; "imagenet", 7×7 with stride 2 and a pooling, from 32; left
    out, "small" to 64 pixels. carry, coupled: see `HighwayLayer`. dropout: before the last layer.
    """
    picture = lone_picture(spec, "highway")
    large = choose_form(picture, stem) == "imagenet"
    require_side(picture, 32 if large else 4, "highway",
                 "choose its stem for small pictures: --set model.options.stem=small" if large else "")
    if width < 1 or depth < 1:
        raise RecipeError(f"width and depth are at least 1; got width {width}, depth {depth}", where="model.options")
    channels, *sides = picture.shape
    side, after = min(sides), width
    parts: list[nn.Module] = [Widen(channels, width, 7, 2, pool=True) if large else Widen(channels, width),
                              Stage(width, depth, carry, coupled)]
    side = side // 4 if large else side
    while side >= COARSEST:
        before, after, side = after, min(2 * after, LARGEST * width), side // 2
        parts += [Widen(before, after, pool=True), Stage(after, depth, carry, coupled)]
    network = FullyConnectedHead(nn.Sequential(*parts), 1, nn.Sequential(nn.Dropout(dropout),
                                                                         nn.Linear(after, spec.outputs)))
    for layer in network.modules():
        if isinstance(layer, HighwayLayer):
            layer.lean(carry)
    return network
