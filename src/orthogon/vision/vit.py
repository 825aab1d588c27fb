"""A small vision transformer, to measure gMLP against (rows 1.34, 1.38).

Dosovitskiy et al. 2020, arXiv:2010.11929, on torch's attention; the mean of all patches is read, in place of a token of
its own (Beyer et al. 2022, arXiv:2205.01580). Parameters are named as in timm's.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.errors import RecipeError
from orthogon.nn.initializers import initialize, initialize_output
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.nn.trunk import FeatureMap, PictureNetwork
from orthogon.vision.blocks import lone_picture
from orthogon.vision.gmlp import patch_side, patches


class Attention(nn.Module):
    """softmax(Q·Kᵀ / √d)·V in `heads` shares of the channels, each of d = width / heads: N×T×width -> the same."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        for layer in (self.qkv, self.proj):
            initialize(layer)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))


class Feedforward(nn.Module):
    """Two linear layers with GELU between them, for each position alone."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)
        initialize(self.fc1, followed_by="gelu")
        initialize(self.fc2)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class TransformerBlock(nn.Module):
    """x + attention(norm(x)), then the same with the feedforward layers: N×T×width -> the same."""

    def __init__(self, width: int, hidden: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Feedforward(width, hidden)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class VisionTransformer(PictureNetwork):
    """See `vit`. Its one map, `grid`, is the sequence laid out as its patches lie."""

    head_name = output_name = "head"

    def __init__(self, picture: InputSpec, outputs: int, hidden: int, width: int, depth: int, heads: int, patch: int
                 ) -> None:
        super().__init__()
        _, high, wide = picture.shape
        rows, columns = -(-high // patch), -(-wide // patch)
        self.pos_embed = nn.Parameter(torch.empty(1, rows * columns, width))
        self.patch_embed = patches(picture, width, patch)
        self.blocks = nn.Sequential(*(TransformerBlock(width, hidden, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.grid = nn.Unflatten(2, (rows, columns))
        self.head = nn.Linear(width, outputs)
        self._maps = (FeatureMap("grid", width, patch),)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        initialize_output(self.head)

    @property
    def maps(self) -> tuple[FeatureMap, ...]:
        return self._maps

    def feature_maps(self, picture: Tensor) -> tuple[Tensor, ...]:
        sequence = self.patch_embed(picture).flatten(2).transpose(1, 2) + self.pos_embed
        return (self.grid(self.norm(self.blocks(sequence)).transpose(1, 2)),)

    def classify(self, last: Tensor) -> Tensor:
        return self.head(last.mean((2, 3)))


def vit(spec: ModelSpec, hidden: int = 128, width: int = 64, depth: int = 4, heads: int = 4, patch: int | None = None
        ) -> nn.Module:
    """Patches as a sequence with learnt positions, transformer blocks, their mean, a linear layer.

    About as large as `gmlp` at its defaults. hidden: channels of the feedforward layers. width: channels of the
    sequence, a multiple of heads. depth: blocks. heads: of each attention. patch: side of the patches in pixels; left
    out, as for `gmlp`: at most 7 along the longer side. Zeros are added where patches do not fit.
    """
    picture = lone_picture(spec, "vit")
    patch = patch_side(picture, patch)
    if min(hidden, width, depth, heads) < 1 or width % heads:
        raise RecipeError(f"hidden, width, depth and heads are at least 1, and width a multiple of heads; got hidden "
                          f"{hidden}, width {width}, depth {depth}, heads {heads}", where="model.options")
    return VisionTransformer(picture, spec.outputs, hidden, width, depth, heads, patch)
