"""Boxes and points drawn into pictures: what is true in one color, what was predicted in another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from orthogon.draw.images import to_image

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

TRUE, PREDICTED = "#ffd21f", "#00b8ff"
"""Yellow and blue: told apart by those who do not tell red from green, and seen on most pictures."""

SIDE = 320
"""Pixels of the longer side at which pictures are drawn on at least, so that lines are thin beside what they mark."""


def draw_object(picture: np.ndarray, true_box: np.ndarray | None, box: np.ndarray | None,
                true_points: np.ndarray | None, points: np.ndarray | None) -> np.ndarray:
    """H×W×C uint8 -> H'×W'×3 uint8, at least 320 pixels on its longer side, with what is true and what was predicted.

    Boxes: (4,), left, top, right, bottom. Points: (L, 2). In pixels of the picture; None or NaN: there is none.
    """
    from PIL import Image, ImageDraw

    image = to_image(picture).convert("RGB")
    factor = max(1, -(-SIDE // max(image.size)))
    image = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    pen, width = ImageDraw.Draw(image), max(2, round(max(image.size) / 64))
    for color, corners in ((TRUE, true_box), (PREDICTED, box)):
        if corners is not None and not np.isnan(corners[0]):
            _box(pen, np.asarray(corners, float) * factor, color, width, image.size)
    for color, places in ((TRUE, true_points), (PREDICTED, points)):
        for x, y in () if places is None else np.asarray(places, float).reshape(-1, 2) * factor:
            if not np.isnan(x):
                pen.ellipse((x - 2 * width, y - 2 * width, x + 2 * width, y + 2 * width), outline="#000000",
                            fill=color, width=max(1, width // 2))
    return np.asarray(image)


def _box(pen: ImageDraw, corners: np.ndarray, color: str, width: int, size: tuple[int, int]) -> None:
    """A frame in the color, with a thin dark line around it, within the picture."""
    left, top, right, bottom = (max(0.0, min(value, most - 1))
                                for value, most in zip(corners, (*size, *size)))
    right, bottom = max(left, right), max(top, bottom)
    pen.rectangle((left, top, right, bottom), outline="#000000", width=width + 2)
    if right - left > 2 and bottom - top > 2:
        pen.rectangle((left + 1, top + 1, right - 1, bottom - 1), outline=color, width=width)


def draw_objects(pictures: Sequence[np.ndarray], found: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Each picture with the object that `found` tells of it: "box", "target_box", "points", "target_points"."""
    columns = [found.get(name) for name in ("target_box", "box", "target_points", "points")]
    return [draw_object(picture, *(None if column is None else column[row] for column in columns))
            for row, picture in enumerate(pictures)]
