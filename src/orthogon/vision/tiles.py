"""A large picture in overlapping tiles, of which each has enough around it to be seen as in the whole (overlap-tile).

Ronneberger, Fischer & Brox 2015, arXiv:1505.04597, figure 2. A tile is cut off at the edge of the picture, where the
network pads it as it would the whole; so the tiles give what the whole gives, as long as the margin holds what a pixel
depends on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor, nn

STRIDE = 32  # tiles begin at multiples of it, so that pooling halves them where it halves the whole
TILE, MARGIN = 768, 128
"""Side of a tile, and what of it on each side is only looked at: a U-Net of four halvings reaches 107 pixels far."""


class Span(NamedTuple):
    """Along one axis: what is looked at, and the part of it whose outcome is kept."""

    seen: slice
    kept: slice

    @property
    def inner(self) -> slice:
        """The kept part, counted from where the seen one begins."""
        return slice(self.kept.start - self.seen.start, self.kept.stop - self.seen.start)


def spans(length: int, tile: int = TILE, margin: int = MARGIN) -> list[Span]:
    """The tiles along one axis; their kept parts cover it once. One tile where it is no longer than `tile`.

    ValueError where tile or margin is no multiple of 32, or nothing of a tile would be kept.
    """
    if tile % STRIDE or margin % STRIDE or margin < 0 or tile <= 2 * margin:
        raise ValueError(f"tile {tile} and margin {margin}: expected multiples of {STRIDE}, the tile more than twice "
                         "the margin; take a larger tile")
    if length <= tile:
        return [Span(slice(0, length), slice(0, length))]
    core = tile - 2 * margin
    return [
        Span(slice(max(0, start - margin), min(length, start + core + margin)), slice(start, min(length, start + core)))
        for start in range(0, length, core)
    ]


def outputs(
    model: nn.Module, picture: Tensor, tile: int = TILE, margin: int = MARGIN
) -> Iterator[tuple[slice, slice, Tensor]]:
    """(rows, columns, K×rows×columns outputs) of each tile of a picture C×H×W, one after the other.

    model: N×C×H×W -> N×K×H×W for pictures of any size.
    """
    for down in spans(picture.shape[1], tile, margin):
        for across in spans(picture.shape[2], tile, margin):
            found = model(picture[None, :, down.seen, across.seen])[0]
            yield down.kept, across.kept, found[:, down.inner, across.inner]
