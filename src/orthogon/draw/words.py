"""Text as a picture, for what is kept as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

import numpy as np

from orthogon.draw.images import Pixels

MARGIN = 8


def text_picture(lines: Sequence[str], columns: int = 80, most: int = 60, size: int = 13) -> Pixels:
    """Lines of text in letters of one width, black on white, H×W×3; longer ones are wrapped.

    columns: letters of a line; the picture is as wide as its longest. most: lines that are drawn. size: of the letters,
    in pixels.
    """
    from pathlib import Path

    import matplotlib
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSansMono.ttf"), size)
    shown = [piece for line in lines for piece in wrap(line, columns, drop_whitespace=False) or [""]][:most]
    height = round(1.3 * size)
    longest = max(map(len, shown), default=1)
    side = (round(longest * font.getlength("m")) + 2 * MARGIN, max(1, len(shown)) * height + 2 * MARGIN)
    page = Image.new("RGB", side, "white")
    pen = ImageDraw.Draw(page)
    for number, line in enumerate(shown):
        pen.text((MARGIN, MARGIN + number * height), line, fill="black", font=font)
    return np.asarray(page)
