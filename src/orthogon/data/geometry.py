"""Where the places of a picture come to lie when it is fitted to the size that a network sees, and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Placement", "box_from_center", "box_to_center", "placement"]

Floats = NDArray[np.floating]
Integers = NDArray[np.integer]


@dataclass(frozen=True)
class Placement:
    """n pictures, each moved and scaled along its axes: x' = scale · x + offset.

    scale, offset: float64 (n, 2), of x and of y. Coordinates are continuous pixels: the upper left pixel of a picture
    reaches from 0 to 1, so a box (left, top, right, bottom) has the width right − left.
    """

    scale: np.ndarray
    offset: np.ndarray

    @property
    def inverse(self) -> Placement:
        """The way back."""
        return Placement(1 / self.scale, -self.offset / self.scale)

    def take(self, rows: np.ndarray) -> Placement:
        return Placement(self.scale[rows], self.offset[rows])

    def points(self, points: Floats) -> Floats:
        """(n, L, 2) of x and y -> the same places in the other picture; NaN stays NaN."""
        return (points * self.scale[:, None] + self.offset[:, None]).astype(points.dtype)

    def boxes(self, boxes: Floats) -> Floats:
        """(n, 4) of left, top, right, bottom -> the same boxes in the other picture; NaN stays NaN."""
        return self.points(boxes.reshape(-1, 2, 2)).reshape(-1, 4)

    def nearest(self, row: int, source: tuple[int, int], size: tuple[int, int]) -> tuple[Integers, Integers]:
        """Which pixel of picture `row` lies under each pixel of the other: int64 (H,) rows and (W,) columns.

        source: (H, W) of the picture. size: (H, W) of the other. −1 where the other lies outside of it. A mask is moved
        by mask[rows[:, None], columns], without making classes that are between two.
        """
        back = self.inverse
        found = []
        for axis, (most, count) in ((1, (source[0], size[0])), (0, (source[1], size[1]))):
            place = np.floor((np.arange(count) + 0.5) * back.scale[row, axis] + back.offset[row, axis]).astype(np.int64)
            found.append(np.where((place >= 0) & (place < most), place, -1))
        return found[0], found[1]


def placement(sizes: np.ndarray, size: tuple[int, int], fit: str = "crop") -> Placement:
    """From pictures of `sizes` to the one `size` of a network, as `orthogon.data.pictures.resize` does it.

    sizes: int (n, 2), height and width of each picture. size: (H, W). fit: "crop", "letterbox" or "stretch";
    ValueError for another.
    """
    before = np.asarray(sizes, dtype=np.float64)[:, ::-1]
    after = np.array(size[::-1], dtype=np.float64)
    ratio = after / before
    if fit == "stretch":
        scale, offset = ratio, np.zeros_like(ratio)
    elif fit == "crop":
        scale = np.repeat(ratio.max(axis=1, keepdims=True), 2, axis=1)
        offset = (after - before * scale) / 2
    elif fit == "letterbox":
        inner = np.maximum(1, np.rint(before * ratio.min(axis=1, keepdims=True)))
        scale, offset = inner / before, (after - inner) // 2
    else:
        raise ValueError(f"there is no fit {fit!r}; known: crop, letterbox, stretch")
    return Placement(scale, offset)


def box_to_center(boxes: Floats) -> Floats:
    """(…, 4) left, top, right, bottom -> b_x, b_y, b_h, b_w: center, height, width (rows 20.01, 20.22)."""
    left, top, right, bottom = np.moveaxis(boxes, -1, 0)
    return np.stack([(left + right) / 2, (top + bottom) / 2, bottom - top, right - left], axis=-1)


def box_from_center(boxes: Floats) -> Floats:
    """(…, 4) b_x, b_y, b_h, b_w -> left, top, right, bottom (rows 20.01, 20.22)."""
    x, y, height, width = np.moveaxis(boxes, -1, 0)
    return np.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], axis=-1)
