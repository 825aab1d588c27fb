"""gMLP on pictures. Liu, Dai, So & Le 2021, "Pay Attention to MLPs", arXiv:2105.08050."""

from __future__ import annotations

from torch import Tensor, nn

from orthogon.errors import RecipeError
from orthogon.nn.gated_mlp import GatedMLPBlock
from orthogon.nn.initializers import initialize, initialize_output
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.vision.blocks import lone_picture

ALONG_A_SIDE = 7
"""Patches along the longer side, at most, where no size is asked for."""


class GMLP(nn.Module):
    """See `gmlp`."""

    def __init__(self, picture: InputSpec, outputs: int, hidden: int, width: int, depth: int, patch: int) -> None:
        super().__init__()
        channels, high, wide = picture.shape
        self.pad = nn.ZeroPad2d((0, -wide % patch, 0, -high % patch))
        self.patches = nn.Conv2d(channels, width, patch, stride=patch)
        positions = -(-high // patch) * -(-wide // patch)
        self.blocks = nn.Sequential(*(GatedMLPBlock(width, hidden, positions) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.output = nn.Linear(width, outputs)
        initialize(self.patches)
        initialize_output(self.output)

    def forward(self, picture: Tensor) -> Tensor:
        sequence = self.patches(self.pad(picture)).flatten(2).transpose(1, 2)
        return self.output(self.norm(self.blocks(sequence)).mean(1))


def gmlp(spec: ModelSpec, hidden: int = 256, width: int = 64, depth: int = 4, patch: int | None = None) -> nn.Module:
    """Patches as a sequence, gated MLP blocks, their mean, a linear layer; no attention (row 1.34).

    hidden: channels within a block, an even number. width: channels of the sequence. depth: blocks. patch: side of the
    patches in pixels; left out, the smallest that makes at most 7 along the longer side, which of square pictures from
    4 pixels makes 16 to 49 (8×8 -> patches of 2, 16 of them; 28×28 -> of 4, 49; 32×32 -> of 5, 49). Where patches do
    not fit, zeros are added at the right and at the bottom.
    """
    picture = lone_picture(spec, "gmlp")
    _, *sides = picture.shape
    patch = -(-max(sides) // ALONG_A_SIDE) if patch is None else patch
    if hidden < 2 or hidden % 2 or min(width, depth) < 1:
        raise RecipeError("hidden is an even number, width and depth are at least 1; got "
                          f"hidden {hidden}, width {width}, depth {depth}", where="model.options")
    if not 1 <= patch <= max(sides):
        raise RecipeError(f"patches of {patch} pixels do not fit pictures of {sides[0]}×{sides[1]}",
                          where="model.options.patch", remedy="Leave it out, or choose a smaller side.")
    return GMLP(picture, spec.outputs, hidden, width, depth, patch)
