"""Many small pictures as one: side by side, row by row, pixels kept sharp."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIDE = 56
"""Pixels that a picture is shown in, about."""


def mosaic(pictures: NDArray, columns: int, side: int = SIDE, gap: int = 1) -> NDArray[np.uint8]:
    """N×C×H×W in 0 … 1 (values beyond are cut off) -> one picture, H×W×C uint8, with white between them.

    side: small pictures are enlarged by a whole factor to as many pixels, or fewer. gap: white around each, in pixels.
    """
    pixels = (np.clip(pictures, 0, 1) * 255).round().astype(np.uint8).transpose(0, 2, 3, 1)
    factor = max(1, side // max(pixels.shape[1:3]))
    pixels = pixels.repeat(factor, axis=1).repeat(factor, axis=2)
    room = ((0, -len(pixels) % columns), (gap, gap), (gap, gap), (0, 0))
    pixels = np.pad(pixels, room, constant_values=255)
    rows, (_, high, wide, channels) = len(pixels) // columns, pixels.shape
    return pixels.reshape(rows, columns, high, wide, channels).swapaxes(1, 2).reshape(
        rows * high, columns * wide, channels)
