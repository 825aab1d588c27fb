"""Pictures at the size a network sees: decoded and resized once, kept in a cache that notices changed files."""

from __future__ import annotations

from orthogon.data.columns import ImageColumn
from orthogon.data.picture_files import Header, PictureError, decode, read_header, to_array

__all__ = ["Header", "PictureError", "decode", "network_size", "read_header", "to_array"]

SMALL = 64


def network_size(column: ImageColumn, wanted: int | None = None) -> tuple[int, int]:
    """(H, W) at which a network sees the pictures: their own if all share one of at most 64 a side, else a square.

    wanted: side of the square, default 64; said explicitly, it holds for small pictures too.
    """
    native = column.uniform_size
    if wanted is None and native is not None and max(native) <= SMALL:
        return native
    return (wanted or SMALL, wanted or SMALL)
