"""Picture files, one by one: what cannot be read, and what a network will see otherwise than a person does."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from orthogon.data.dataset import Finding
from orthogon.data.duplicates import SIDE

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP")
SUFFIXES = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
FILE_KINDS = (
    "16-bit-image", "animated-image", "cmyk-image", "empty-file", "huge-image", "loose-image", "rotated-image",
    "tiny-image", "truncated-image", "unreadable-image", "unsupported-format", "wrong-extension",
)
TINY = 8  # pixels a side
HUGE = 25_000_000  # pixels; reading refuses more
_OTHER_FORMATS = {
    b"GIF8": "GIF", b"BM": "BMP", b"II*\0": "TIFF", b"MM\0*": "TIFF", b"\0\0\0\x0cJXL ": "JPEG XL", b"%PDF": "PDF",
}
_ERRORS = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)
_EXPORT = "Export it again, or leave it out with --skip-bad."


@dataclass(frozen=True)
class Seen:
    """What one file gave: its findings, and a 16×16 grey thumbnail (None where it cannot be decoded)."""

    findings: tuple[Finding, ...]
    thumbnail: np.ndarray | None = None


def check_folder(folder: str | Path) -> list[Finding]:
    """Inspect every file below a folder, before or without reading it; `where` is relative to the folder.

    Hidden files are passed over. Files that are neither pictures nor named like one give a note each, where there
    are pictures beside them.
    """
    folder = Path(folder)
    paths = sorted(
        path for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    findings = inspect_files(paths, [path.relative_to(folder).as_posix() for path in paths])
    others = [finding for finding in findings if finding.kind == "other-files"]
    return [] if len(others) == len(paths) else findings


def inspect_files(paths: Sequence[str | Path], names: Sequence[str] = ()) -> list[Finding]:
    """Decode every file fully and name what is wrong with it, in the order of the files.

    names: what `where` says of each file; default its path. Never raises for a file, however damaged.
    """
    return [finding for seen in look_at_files(paths, names) for finding in seen.findings]


def look_at_files(paths: Sequence[str | Path], names: Sequence[str] = ()) -> list[Seen]:
    """As `inspect_files`, with the thumbnails; files are decoded in as many threads as there are cores."""
    pairs = [(Path(path), names[row] if names else str(path)) for row, path in enumerate(paths)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        seen = list(pool.map(lambda pair: _look(*pair), pairs))
    # How far a damaged file goes is found with a switch of Pillow that is global: after the threads, one by one.
    return [_say_how_far(one, path) if _is_truncated(one) else one for one, (path, _) in zip(seen, pairs)]


def _look(path: Path, where: str) -> Seen:
    from PIL import Image, UnidentifiedImageError

    try:
        size = path.stat().st_size
        start = _first_bytes(path) if size else b""
    except OSError as error:
        return _error("unreadable-image", f"cannot be opened ({error.strerror})", where, "Check its permissions.")
    if not size:
        return _error("empty-file", "the file has no bytes", where, _EXPORT)
    other = _other_format(path, start)
    if other is not None:
        return Seen((other_finding(path, other, where),))
    if path.suffix.lower() not in SUFFIXES and not _is_known(start):
        return Seen((Finding("other-files", "note", "not a picture: it is passed over", where=where),))
    try:
        with Image.open(path, formats=FORMATS) as picture:
            return _look_inside(picture, path, start, where)
    except Image.DecompressionBombError:
        return _error("huge-image", "hundreds of millions of pixels", where, "Scale it down.")
    except _ERRORS as error:
        if start[:4] == b"RIFF" and _webp_share(start, size) < 1:  # Pillow refuses it at once
            return _error("truncated-image", "ends before its end", where, _EXPORT)
        # An unidentified picture's message holds nothing but the path.
        why = "" if isinstance(error, UnidentifiedImageError) else f" ({error})"
        return _error("unreadable-image", f"not a readable JPEG, PNG or WEBP picture{why}", where, _EXPORT)


def _look_inside(picture: Image.Image, path: Path, start: bytes, where: str) -> Seen:
    findings = _from_header(picture, path, start, where)
    width, height = picture.size
    if width * height > HUGE:
        what = f"{width} × {height}, {width * height / 1e6:,.0f} million pixels, more than the 25 million allowed"
        findings.append(Finding("huge-image", "error", what, where=where, value=f"{width}x{height}",
                                remedy="Scale it down; a network sees far fewer pixels."))
        return Seen(tuple(findings))
    try:
        return Seen(tuple(findings), _thumbnail(picture))
    except _ERRORS as error:
        findings.append(Finding("truncated-image", "error", f"cannot be decoded to its end ({error})", where=where,
                                remedy=_EXPORT))
        return Seen(tuple(findings))


def _from_header(picture: Image.Image, path: Path, start: bytes, where: str) -> list[Finding]:
    width, height = picture.size
    found: list[Finding] = []

    def note(kind: str, severity: str, what: str, value: str, remedy: str) -> None:
        found.append(Finding(kind, severity, what, where=where, value=value, remedy=remedy))

    orientation = _orientation(picture)
    if orientation not in (0, 1):
        note("rotated-image", "note", "EXIF says that it is turned; it is read upright", f"orientation {orientation}",
             "Nothing, unless another tool reads it without EXIF: then save it upright.")
    if picture.mode == "CMYK":
        note("cmyk-image", "warning", "CMYK colors for print; read as RGB, colors may shift", picture.mode,
             "Convert it to sRGB.")
    if picture.mode.startswith("I") or (start[:4] == b"\x89PNG" and start[24:25] == b"\x10"):
        note("16-bit-image", "warning", "16 bits a channel; read with 8", picture.mode,
             "Scale it to 8 bits yourself if its range is narrow.")
    frames = getattr(picture, "n_frames", 1)
    if frames > 1:
        note("animated-image", "warning", "animated; only its first frame is read", f"{frames} frames",
             "Save the frame that is meant.")
    if min(width, height) < TINY:
        note("tiny-image", "warning", f"{width} × {height}: less than {TINY} pixels a side", f"{width}x{height}",
             "Remove it if it is a thumbnail or an icon that strayed in.")
    expected = SUFFIXES.get(path.suffix.lower())
    if expected != picture.format:
        note("wrong-extension", "warning" if expected is None else "note",
             f"{_an(picture.format or '')} named {path.suffix or 'without a suffix'}", picture.format or "",
             "Rename it." if expected else "Rename it: files are found by their suffix, and this one is not read.")
    return found


def _an(format_: str) -> str:
    return f"a {format_} picture"


def _orientation(picture: Image.Image) -> int:
    try:
        return int(picture.getexif().get(0x0112, 1))
    except (*_ERRORS, TypeError, KeyError):
        return 1  # damaged EXIF says nothing; the pixels may still be whole


def _thumbnail(picture: Image.Image) -> np.ndarray:
    """Float32 (16, 16) in grey levels, of the whole picture, upright. Decodes all of it."""
    from PIL import Image, ImageOps

    upright = ImageOps.exif_transpose(picture)
    if upright.mode.startswith("I"):
        grey = Image.fromarray((np.asarray(upright, dtype=np.float32) / 257).clip(0, 255).astype(np.uint8))
    elif "A" in upright.mode or "transparency" in upright.info:
        layers = upright.convert("RGBA")
        grey = Image.alpha_composite(Image.new("RGBA", layers.size, (255,) * 4), layers).convert("L")
    else:
        grey = upright.convert("L")
    return np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.float32)


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(32)


def _error(kind: str, what: str, where: str, remedy: str) -> Seen:
    return Seen((Finding(kind, "error", what, where=where, remedy=remedy),))


def _is_known(start: bytes) -> bool:
    return start[:3] == b"\xff\xd8\xff" or start[:4] == b"\x89PNG" or (start[:4], start[8:12]) == (b"RIFF", b"WEBP")


def _other_format(path: Path, start: bytes) -> str | None:
    """The format, by its first bytes, of a picture that is not read; None otherwise."""
    if start[4:8] == b"ftyp" and start[8:12] in (b"heic", b"heix", b"mif1", b"avif"):
        return "AVIF" if start[8:12] == b"avif" else "HEIC"
    if path.suffix.lower() == ".svg":
        return "SVG"
    return next((name for magic, name in _OTHER_FORMATS.items() if start.startswith(magic)), None)


def other_finding(path: Path, format_: str, where: str) -> Finding:
    """A picture of another format: an error where its suffix promises one that is read, else it is passed over."""
    remedy = "Convert it to JPEG, PNG or WEBP."
    if path.suffix.lower() in SUFFIXES:
        return Finding("wrong-extension", "error", f"{_an(format_)} named {path.suffix}: it cannot be read",
                       where=where, value=format_, remedy=remedy)
    return Finding("unsupported-format", "warning", f"{format_} files are not read", where=where, value=format_,
                   remedy=remedy)


def _is_truncated(seen: Seen) -> bool:
    return any(finding.kind == "truncated-image" for finding in seen.findings)


def _say_how_far(seen: Seen, path: Path) -> Seen:
    share = _decoded_share(path)
    if share is None:
        return seen
    *others, last = seen.findings
    what = f"truncated after {100 * share:.0f} %"
    return Seen((*others, Finding(last.kind, last.severity, what, where=last.where, value=f"{100 * share:.0f} %",
                                  remedy=last.remedy)))


def _webp_share(start: bytes, size: int) -> float:
    """The bytes that are there of those that the header of the container announces."""
    announced = int.from_bytes(start[4:8], "little") + 8
    return min(1.0, size / announced)


def _decoded_share(path: Path) -> float | None:
    """How much of a damaged file is there: rows that decode, or bytes where nothing does; None if unknown.

    Rows that were not decoded have one color: black in PNG, that of the last block in JPEG. A picture whose own
    lower edge has that color counts as shorter than it is.
    """
    from PIL import Image, ImageFile

    start = _first_bytes(path)
    if start[:4] == b"RIFF":
        return _webp_share(start, path.stat().st_size)
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        with Image.open(path, formats=FORMATS) as picture:
            if picture.info.get("progressive") or picture.info.get("interlace"):
                return None  # all rows are there at once, only coarser
            pixels = np.asarray(picture.convert("RGB"))
    except _ERRORS:
        return None
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before
    decoded = np.flatnonzero((pixels != pixels[-1, -1]).any(axis=(1, 2)))
    return (int(decoded.max()) + 1) / len(pixels) if len(decoded) else 0.0
