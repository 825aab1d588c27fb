"""Pictures: as data URIs for pages, and as contact sheets to look at or save."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from orthogon.draw.svg import Svg
from orthogon.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont

Pixels = NDArray[np.uint8]
MARGIN, LINE = 10, 16
SIDES = (320, 224, 160, 96, 64)
SMALL, ENLARGED = 64, 192


def to_image(pixels: NDArray) -> Image:
    """A PIL image of H × W or H × W × (1, 3 or 4) uint8 pixels; DataError on any other shape or type."""
    from PIL import Image

    pixels = np.asarray(pixels)
    flat = pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
    fits = flat.ndim == 2 or (flat.ndim == 3 and flat.shape[2] in (3, 4))
    if flat.dtype != np.uint8 or not fits or 0 in flat.shape:
        raise DataError(
            f"cannot draw an array of shape {pixels.shape} and type {pixels.dtype} as a picture",
            remedy="Give uint8 values of shape height × width or height × width × (1, 3 or 4).",
        )
    return Image.fromarray(np.ascontiguousarray(flat))


def thumbnail(pixels: NDArray, size: int) -> Pixels:
    """The picture shrunk to fit size × size with its proportions kept; never enlarged."""
    image = to_image(pixels)
    image.thumbnail((size, size))
    return np.asarray(image)


def to_png_data_uri(pixels: NDArray, *, min_size: int = 0) -> str:
    """The picture as a `data:image/png;base64,…` address.

    min_size: small pictures are enlarged by a whole factor, pixels kept sharp, until the longer side has as
              many.
    """
    stream, image = BytesIO(), to_image(pixels)
    factor = max(1, -(-min_size // max(image.size)))
    _enlarged(image, factor).save(stream, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def figure(pixels: NDArray, title: str) -> Svg:
    """The picture as a figure in its own size, named by `title` for those who do not see it; a notebook shows it."""
    height, width = np.asarray(pixels).shape[:2]
    return Svg(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
               f'height="{height}" role="img" aria-label="{escape(title)}"><title>{escape(title)}</title>'
               f'<image width="{width}" height="{height}" href="{to_png_data_uri(pixels)}"/></svg>')


def thumbnails(pictures: Iterable[NDArray], *, budget: int = 4_000_000) -> list[str]:
    """Data URIs of the pictures, each as large as all of them together may be: from 320 pixels a side down to 64.

    Small pictures are enlarged with sharp pixels and kept as PNG; larger ones become JPEG.
    budget: characters of all URIs together; at 64 pixels a side it may be exceeded.
    """
    full = [thumbnail(pixels, SIDES[0]) for pixels in pictures]
    made: list[str] = []
    for side in SIDES:
        made = [_thumbnail_uri(pixels, side) for pixels in full]
        if sum(map(len, made)) <= budget:
            break
    return made


def _thumbnail_uri(pixels: Pixels, side: int) -> str:
    image = to_image(thumbnail(pixels, side))
    if max(image.size) <= SMALL or image.mode == "RGBA":
        return to_png_data_uri(np.asarray(image), min_size=min(side, ENLARGED))
    stream = BytesIO()
    image.save(stream, format="JPEG", quality=82, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def _enlarged(image: Image, factor: int) -> Image:
    from PIL.Image import Resampling

    return image.resize((image.width * factor, image.height * factor), Resampling.NEAREST)


def contact_sheet(
    images: Sequence[NDArray],
    captions: Sequence[str] | None = None,
    *,
    columns: int = 8,
    cell: int = 112,
    colors: Sequence[str] | None = None,
    background: str = "#ffffff",
) -> Image:
    """Pictures in a grid with a caption under each, as a PIL image (RGB).

    images:   any sizes; shrunk, or enlarged by a whole factor, into cell × cell pixels.
    captions: one per picture, at most two lines; longer ones are cut with an ellipsis.
    colors:   one per caption, "#rrggbb"; default: dark grey.
    Raises DataError where there are no pictures or the numbers differ.
    """
    from PIL import Image, ImageDraw

    count = len(images)
    _check_counts(count, captions, colors)
    columns = max(1, min(columns, count))
    lines = max((len(text.split("\n")[:2]) for text in captions), default=0) if captions else 0
    step_x, step_y = cell + MARGIN, cell + MARGIN + lines * LINE
    rows = -(-count // columns)
    sheet = Image.new("RGB", (columns * step_x + MARGIN, rows * step_y + MARGIN), background)
    pen, font = ImageDraw.Draw(sheet), _font(12)
    for number, pixels in enumerate(images):
        x, y = MARGIN + number % columns * step_x, MARGIN + number // columns * step_y
        _paste(sheet, to_image(pixels), x, y, cell)
        for line, text in enumerate((captions[number] if captions else "").split("\n")[:2]):
            place = (x + cell / 2, y + cell + 2 + line * LINE)
            color = colors[number] if colors else "#1f2933"
            pen.text(place, _cut(text, font, cell + MARGIN - 4), color, font, anchor="ma")
    return sheet


def _check_counts(count: int, captions: Sequence[str] | None, colors: Sequence[str] | None) -> None:
    if count == 0:
        raise DataError("there are no pictures to show", remedy="Check the filter.")
    for name, given in (("captions", captions), ("colors", colors)):
        if given is not None and len(given) != count:
            raise DataError(f"{len(given)} {name} for {count} pictures", remedy="Give one per picture.")


def _paste(sheet: Image, image: Image, x: int, y: int, cell: int) -> None:
    if image.width > cell or image.height > cell:
        image.thumbnail((cell, cell))
    image = _enlarged(image, max(1, cell // max(image.size)))
    corner = (x + (cell - image.width) // 2, y + (cell - image.height) // 2)
    sheet.paste(image.convert("RGB"), corner, image if image.mode == "RGBA" else None)


def _font(size: int) -> FreeTypeFont:
    """DejaVu Sans as it comes with matplotlib: most alphabets, the same on every machine."""
    from pathlib import Path

    import matplotlib
    from PIL import ImageFont

    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), size)


def _cut(text: str, font: FreeTypeFont, width: float) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"
