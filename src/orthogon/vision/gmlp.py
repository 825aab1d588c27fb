"""gMLP on pictures. Liu, Dai, So & Le 2021, "Pay Attention to MLPs", arXiv:2105.08050.

Parameters are named as in timm's.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from orthogon.errors import RecipeError
from orthogon.nn.gated_mlp import GatedMLPBlock
from orthogon.nn.initializers import initialize, initialize_output
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.nn.trunk import FeatureMap, PictureNetwork
from orthogon.vision.blocks import lone_picture, require_side

ALONG_A_SIDE = 7
"""Patches along the longer side, at most, where no size is asked for."""


PUBLISHED = {"gmlp_ti16": 128, "gmlp_s16": 256, "gmlp_b16": 512}
"""Channels of the sequence; all have 30 blocks, six times the channels within them, and patches of 16 pixels."""


class GMLP(PictureNetwork):
    """See `gmlp`. Its one map, `grid`, is the sequence laid out as its patches lie."""

    head_name = output_name = "head"

    def __init__(self, picture: InputSpec, outputs: int, hidden: int, width: int, depth: int, patch: int) -> None:
        super().__init__()
        _, high, wide = picture.shape
        rows, columns = -(-high // patch), -(-wide // patch)
        self.stem = patches(picture, width, patch)
        self.blocks = nn.Sequential(*(GatedMLPBlock(width, hidden, rows * columns) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.grid = nn.Unflatten(2, (rows, columns))
        self.head = nn.Linear(width, outputs)
        self._maps = (FeatureMap("grid", width, patch),)
        initialize_output(self.head)

    @property
    def maps(self) -> tuple[FeatureMap, ...]:
        return self._maps

    def feature_maps(self, picture: Tensor) -> tuple[Tensor, ...]:
        sequence = self.stem(picture).flatten(2).transpose(1, 2)
        return (self.grid(self.norm(self.blocks(sequence)).transpose(1, 2)),)

    def classify(self, last: Tensor) -> Tensor:
        return self.head(last.mean((2, 3)))


def patches(picture: InputSpec, width: int, patch: int) -> nn.Sequential:
    """A linear map of each patch to `width` channels; zeros at the right and the bottom where patches do not fit."""
    channels, high, wide = picture.shape
    proj = nn.Conv2d(channels, width, patch, stride=patch)
    initialize(proj)
    return nn.Sequential(OrderedDict(pad=nn.ZeroPad2d((0, -wide % patch, 0, -high % patch)), proj=proj))


def gmlp(spec: ModelSpec, hidden: int = 256, width: int = 64, depth: int = 4, patch: int | None = None) -> nn.Module:
    """Patches as a sequence, gated MLP blocks, their mean, a linear layer; no attention (row 1.34).

    hidden: channels within a block, an even number. width: channels of the sequence. depth: blocks. patch: side of the
    patches in pixels; left out, the smallest that makes at most 7 along the longer side, which of square pictures from
    4 pixels makes 16 to 49 (8×8 -> patches of 2, 16 of them; 28×28 -> of 4, 49; 32×32 -> of 5, 49). Where patches do
    not fit, zeros are added at the right and at the bottom.
    """
    picture = lone_picture(spec, "gmlp")
    patch = patch_side(picture, patch)
    if hidden < 2 or hidden % 2 or min(width, depth) < 1:
        raise RecipeError("hidden is an even number, width and depth are at least 1; got "
                          f"hidden {hidden}, width {width}, depth {depth}", where="model.options")
    return GMLP(picture, spec.outputs, hidden, width, depth, patch)


def patch_side(picture: InputSpec, asked: int | None) -> int:
    """What was asked for, or the smallest side that makes at most 7 patches along the longer side of the picture."""
    _, *sides = picture.shape
    patch = -(-max(sides) // ALONG_A_SIDE) if asked is None else asked
    if not 1 <= patch <= max(sides):
        raise RecipeError(f"patches of {patch} pixels do not fit pictures of {sides[0]}×{sides[1]}",
                          where="model.options.patch", remedy="Leave it out, or choose a smaller side.")
    return patch


def published_gmlp(spec: ModelSpec, variant: str) -> nn.Module:
    """gMLP-Ti, S or B as published, with patches of 16 pixels, for pictures of 224 and others from 16."""
    picture, width = lone_picture(spec, variant), PUBLISHED[variant]
    require_side(picture, 16, variant, "choose the one for small pictures: --model gmlp")
    return GMLP(picture, spec.outputs, hidden=6 * width, width=width, depth=30, patch=16)
