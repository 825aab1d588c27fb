"""Masks in color: over their picture, and as PNG files with a palette."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from orthogon.draw.style import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION, YELLOW

Codes = NDArray[np.uint8]
Pixels = NDArray[np.uint8]

IGNORED = (160, 160, 160)
_NAMED = (ORANGE, SKY, GREEN, VERMILLION, PURPLE, BLUE, YELLOW)


def palette() -> Pixels:
    """Uint8 (256, 3): the color of each code. 0 (background) is black, 255 (ignored) grey, the first seven classes have
    the colors of Okabe & Ito, the others those of PASCAL VOC, in which the bits of the code are spread over r, g, b."""
    code = np.arange(256)
    colors = np.zeros((256, 3), dtype=np.uint8)
    for bit in range(8):
        for channel in range(3):
            colors[:, channel] |= ((code >> (3 * bit + channel) & 1) << (7 - bit)).astype(np.uint8)
    named = [[int(color[k : k + 2], 16) for k in (1, 3, 5)] for color in _NAMED]
    colors[1 : 1 + len(named)], colors[255] = named, IGNORED
    return colors


def mask_png(codes: Codes) -> bytes:
    """A PNG of H×W codes with the palette: each pixel keeps its code, and any viewer shows it in color."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(codes))
    image.putpalette(palette().tobytes())
    stream = BytesIO()
    image.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def overlay(picture: NDArray[np.uint8], codes: Codes, strength: float = 0.45) -> Pixels:
    """H×W×3: the picture (H×W×1 or 3) tinted where the code is no background, and the outlines of classes drawn."""
    shown = np.broadcast_to(picture, (*picture.shape[:2], 3)).astype(np.float32)
    colors = palette()[codes].astype(np.float32)
    tint = np.where(codes == 0, 0.0, strength)[..., None]
    tint[outlines(codes)] = 1.0
    return np.rint(shown * (1 - tint) + colors * tint).astype(np.uint8)


def outlines(codes: Codes) -> NDArray[np.bool_]:
    """Bool (H, W): pixels of a class beside which another begins; of two classes that touch both, of the background
    none."""
    edge = np.zeros(codes.shape, dtype=bool)
    edge[1:] |= codes[1:] != codes[:-1]
    edge[:-1] |= codes[1:] != codes[:-1]
    edge[:, 1:] |= codes[:, 1:] != codes[:, :-1]
    edge[:, :-1] |= codes[:, 1:] != codes[:, :-1]
    return edge & (codes != 0)
