"""Heat over pictures: the picture in grey, warm where the heat is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from orthogon.draw.images import Pixels, to_image

RAMP = np.array([[60, 30, 130], [200, 40, 90], [245, 130, 30], [255, 235, 120]], dtype=float)
"""From cold to hot: violet, red, orange, yellow; told apart by lightness as well."""

STRENGTH = 0.8
"""How much of the picture the hottest place hides."""

SLATE = (98, 125, 152)
"""Between patches: a color that pictures seldom have."""


def enlarged(pixels: NDArray, side: int) -> Pixels:
    """The picture as H×W×3 with its longer side near `side`: small ones with sharp pixels, by a whole factor."""
    from PIL.Image import Resampling

    image = to_image(pixels).convert("RGB")
    longest = max(image.size)
    if longest > side:
        image.thumbnail((side, side))
    elif side // longest > 1:
        factor = side // longest
        image = image.resize((image.width * factor, image.height * factor), Resampling.NEAREST)
    return np.asarray(image)


def overlay(pixels: NDArray, heat: NDArray, side: int = 160) -> Pixels:
    """The picture in grey under its heat, H×W×3 uint8, with the longer side near `side`.

    pixels: H×W or H×W×(1 or 3) uint8. heat: h×w, 0 (cold, nothing drawn) to 1; of any size, stretched over the picture.
    """
    from PIL import Image
    from PIL.Image import Resampling

    picture = enlarged(pixels, side)
    height, width = picture.shape[:2]
    small = Image.fromarray(np.asarray(heat, dtype=np.float32))
    warm = np.clip(np.asarray(small.resize((width, height), Resampling.BILINEAR)), 0, 1)
    grey = np.asarray(Image.fromarray(picture).convert("L"), dtype=float)[..., None]
    color = np.stack([np.interp(warm, np.linspace(0, 1, len(RAMP)), channel) for channel in RAMP.T], axis=-1)
    cover = STRENGTH * np.sqrt(warm)[..., None]
    return np.round(grey * (1 - cover) + color * cover).astype(np.uint8)


def patch_sheet(patches: list[Pixels], size: tuple[int, int], columns: int = 3, cell: int = 64) -> Pixels:
    """Patches in a block of rows of `columns`, all to one scale on slate, H×W×3 uint8.

    size: height and width of a whole patch; one that was cut off at the border of its picture leaves slate around it.
    """
    gap, rows = 4, -(-len(patches) // columns)
    high, wide = (max(1, round(cell * side / max(size))) for side in size)
    sheet = np.empty((rows * (high + gap) - gap, columns * (wide + gap) - gap, 3), dtype=np.uint8)
    sheet[:] = SLATE
    for number, patch in enumerate(patches):
        height, width = (max(1, round(of * side / whole)) for of, side, whole in
                         zip(patch.shape[:2], (high, wide), size, strict=True))
        top = number // columns * (high + gap) + (high - height) // 2
        left = number % columns * (wide + gap) + (wide - width) // 2
        sheet[top : top + height, left : left + width] = _scaled(patch, height, width)
    return sheet


def _scaled(patch: Pixels, height: int, width: int) -> Pixels:
    from PIL.Image import Resampling

    image = to_image(patch).convert("RGB")
    how = Resampling.NEAREST if image.width < width else Resampling.LANCZOS
    return np.asarray(image.resize((width, height), how))

