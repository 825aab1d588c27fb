"""Picture files: opened by allowed formats only, with a cap on pixels, upright, as uint8 grey or RGB."""

from __future__ import annotations

import struct
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from orthogon.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP")
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
MOST_PIXELS = 25_000_000
_ORIENTATION = 0x0112
_TURNED = (5, 6, 7, 8)  # EXIF orientations that exchange height and width


@dataclass(frozen=True)
class Header:
    """What the first bytes of a picture file tell; height and width are those of the upright picture."""

    height: int
    width: int
    mode: str
    format: str
    orientation: int = 1
    frames: int = 1

    @property
    def grey(self) -> bool:
        return self.mode in ("1", "L", "LA") or self.mode.startswith("I")


class PictureError(DataError):
    """One picture that cannot be used. kind: the stable word of its Finding, such as "unreadable-image"."""

    def __init__(self, kind: str, what: str, *, where: str, remedy: str = "") -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.kind = kind


def _open(path: Path) -> Image.Image:
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():  # of many pixels, which are refused here with the name of the file
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(path, formats=FORMATS)
    except FileNotFoundError:
        raise PictureError("missing-image", "there is no such file", where=str(path)) from None
    except UnidentifiedImageError:
        what = "empty file" if not path.stat().st_size else "not a readable JPEG, PNG or WEBP picture"
        raise PictureError("unreadable-image", what, where=str(path), remedy="Export it again.") from None
    except Image.DecompressionBombError:
        raise _too_large(path, "hundreds of millions of") from None
    except (OSError, ValueError, SyntaxError, struct.error, IndexError) as error:
        raise PictureError("unreadable-image", f"damaged header ({error})", where=str(path),
                           remedy="Export it again.") from None


def _too_large(path: Path, pixels: int | str) -> PictureError:
    count = f"{pixels:,}" if isinstance(pixels, int) else pixels
    return PictureError(
        "huge-image", f"{count} pixels, more than the {MOST_PIXELS:,} allowed", where=str(path),
        remedy="Scale it down; a network sees far fewer.",
    )


def read_header(path: Path) -> Header:
    """Size, mode and orientation, mostly without decoding.

    PictureError for a damaged header, too many pixels, or a file that ends too early (which is decoded to be sure).
    """
    with _open(path) as picture:
        width, height = picture.size
        if width * height > MOST_PIXELS:
            raise _too_large(path, width * height)
        orientation = _orientation(picture)
        if orientation in _TURNED:
            height, width = width, height
        mode = "I;16" if picture.mode.startswith("I") else picture.mode
        if mode == "P" and _grey_palette(picture):
            mode = "L"
        header = Header(height, width, mode, picture.format or "", orientation, getattr(picture, "n_frames", 1))
    if seems_cut(path):
        decode(path, 3, hint=(1, 1))  # raises where it truly is
    return header


def _orientation(picture: Image.Image) -> int:
    try:
        return int(picture.getexif().get(_ORIENTATION, 1))
    except (OSError, ValueError, SyntaxError, struct.error, TypeError, KeyError, IndexError):
        return 1  # damaged EXIF says nothing; the pixels may still be whole


def _grey_palette(picture: Image.Image) -> bool:
    palette = np.frombuffer(bytes(picture.palette.palette), np.uint8) if picture.palette else np.zeros(0, np.uint8)
    if picture.palette is None or picture.palette.mode != "RGB" or len(palette) % 3:
        return False
    colors = palette.reshape(-1, 3)
    return bool((colors == colors[:, :1]).all())


def decode(path: Path, channels: int, hint: tuple[int, int] | None = None) -> np.ndarray:
    """H×W×C uint8: upright, its first frame, alpha laid on white, 16 bit scaled to 8, C = 1 (grey) or 3 (RGB).

    hint: (H, W) that will be enough: a JPEG may then be decoded at half, a quarter or an eighth of its size, its
        shorter side never below twice the hint's longer one. PictureError (a DataError) for a damaged, truncated
        or too large picture.
    """
    with _open(path) as picture:
        width, height = picture.size
        if width * height > MOST_PIXELS:
            raise _too_large(path, width * height)
        if hint is not None and picture.format == "JPEG":
            # Along the shorter side, so that it is enough for either orientation, and for crops.
            factor = 2 * max(hint) / max(1, min(width, height))
            picture.draft(None, (int(width * factor) + 1, int(height * factor) + 1))
        try:
            return to_array(picture, channels)
        except (OSError, ValueError, SyntaxError, struct.error, IndexError) as error:
            cut = "truncated" in str(error) or "broken" in str(error)
            raise PictureError(
                "truncated-image" if cut else "unreadable-image", f"cannot be decoded to its end ({error})",
                where=str(path), remedy="Export it again, or --skip-bad.",
            ) from None


def seems_cut(path: Path) -> bool:
    """Whether the end that its format prescribes is missing: cheap, and sure only that a whole file passes."""
    with path.open("rb") as file:
        head = file.read(12)
        size = file.seek(0, 2)
        file.seek(max(0, size - 4096))
        tail = file.read()
    if head[:4] == b"RIFF":
        return size < int.from_bytes(head[4:8], "little") + 8
    end = b"IEND" if head[:4] == b"\x89PNG" else b"\xff\xd9"
    return end not in tail


def to_array(picture: Image.Image, channels: int) -> np.ndarray:
    """An opened picture as H×W×C uint8; see `decode`."""
    from PIL import Image, ImageOps

    ImageOps.exif_transpose(picture, in_place=True)
    if picture.mode.startswith("I") or picture.mode == "F":
        picture = Image.fromarray(_to_8_bit(np.asarray(picture)))
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        rgba = picture.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        picture = Image.alpha_composite(white, rgba)
    array = np.asarray(picture.convert("L" if channels == 1 else "RGB"))
    return array[:, :, None] if channels == 1 else array


def _to_8_bit(array: np.ndarray) -> np.ndarray:
    """16-bit greys scaled (65,535 becomes 255), not clipped; floats in 0..1 likewise."""
    if array.dtype.kind == "f":
        return np.rint(np.clip(array, 0, 1) * 255).astype(np.uint8)
    return np.rint(np.clip(array, 0, 65535) / 257.0).astype(np.uint8)
