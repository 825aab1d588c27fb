"""Pictures at the size a network sees: decoded and resized once, kept in a cache that notices changed files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from orthogon.data.columns import ImageColumn
from orthogon.data.dataset import Finding
from orthogon.data.picture_cache import PictureCache, cache_root, content_digests
from orthogon.data.picture_files import Header, PictureError, decode, read_header, to_array
from orthogon.data.progress import bar
from orthogon.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

__all__ = [
    "DETAILED",
    "FITS",
    "SMALL",
    "Header",
    "PictureError",
    "cache_root",
    "decode",
    "materialize",
    "network_size",
    "read_header",
    "resize",
    "to_array",
    "whole_picture",
]

FITS = ("crop", "letterbox", "stretch")
SMALL, DETAILED = 64, 256
"""Side up to which pictures keep their own size: to say what they show, and to say it of each pixel."""

_IN_MEMORY = 1 << 30
_SHOWN = 10


def network_size(column: ImageColumn, wanted: int | None = None, most: int = SMALL) -> tuple[int, int]:
    """(H, W) at which a network sees the pictures: their own if all share one of at most `most` a side, else a square.

    wanted: side of the square, default `most`; said explicitly, it holds for small pictures too.
    """
    native = column.uniform_size
    if wanted is None and native is not None and max(native) <= most:
        return native
    return (wanted or most, wanted or most)


def materialize(
    column: ImageColumn,
    size: tuple[int, int],
    fit: str = "crop",
    *,
    channels: int | None = None,
    cache_dir: Path | None = None,
    progress: bool | None = None,
    bad: list[Finding] | None = None,
) -> np.ndarray:
    """Uint8 (n, C, H, W): the pictures at one size; in memory up to 1 GB, beyond that as a read-only memory map.

    size:      (H, W) in pixels.
    fit:       "crop" (scaled to cover, cut at the centre), "letterbox" (scaled to fit, on black) or "stretch".
    channels:  1 or 3; default: the column's.
    cache_dir: default $ORTHOGON_CACHE/pictures, else the user's cache folder. Every decoded picture is kept there by
               the hash of its file's content, so that a changed file is decoded again, alone. Pixels that are already
               an array are resized anew each time, without cache.
    progress:  None = a bar after one second where stderr is a terminal.
    bad:       a list to which a finding is added for each picture that cannot be decoded (its row is then black);
               default: one DataError that names them.
    """
    if fit not in FITS:
        raise DataError(f"there is no fit {fit!r}", remedy=f"Known: {', '.join(FITS)}.")
    channels = channels or column.channels
    if column.pixels is not None:
        return _resized_array(column.pixels, size, fit, channels, progress)
    cache = PictureCache(cache_dir or cache_root() / "pictures", size, fit, channels)
    digests, failed = content_digests(column.files, cache.folder.parent)
    first = {digest: row for row, digest in reversed(list(enumerate(digests)))}
    missing = [digest for digest in dict.fromkeys(digests) if digest not in cache and digest not in failed]
    if missing:
        failed |= _decode_into(cache, missing, [column.files[first[digest]] for digest in missing], progress)
    if failed:
        findings = [
            Finding(failed[digest].kind, "error", failed[digest].what, where=str(column.files[row]), row=row,
                    remedy="Export it again, or --skip-bad.")
            for row, digest in enumerate(digests) if digest in failed
        ]
        _report(findings, bad)
    return cache.gather(digests, _IN_MEMORY)


def _report(findings: Sequence[Finding], bad: list[Finding] | None) -> None:
    if bad is not None:
        bad += findings
        return
    lines = "\n".join(f"  {finding.where}: {finding.what}" for finding in findings[:_SHOWN])
    more = f"\n  and {len(findings) - _SHOWN:,} more" if len(findings) > _SHOWN else ""
    raise DataError(f"{len(findings):,} pictures cannot be decoded:\n{lines}{more}",
                    remedy="Export them again, remove them, or leave them out with --skip-bad (skip_bad=True).")


def _decode_into(
    cache: PictureCache, digests: Sequence[bytes], files: Sequence[Path], progress: bool | None
) -> dict[bytes, PictureError]:
    """Decodes and resizes in threads (Pillow lets go of the interpreter there) into a new pack of the cache."""
    from concurrent.futures import ThreadPoolExecutor

    size, fit, channels = cache.size, cache.fit, cache.channels
    failed: dict[bytes, PictureError] = {}
    with (
        cache.new_pack(len(digests)) as pack,
        ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool,
        bar("decoding pictures", len(digests), show=progress) as advance,
    ):
        work = pool.map(lambda path: _decoded(path, size, fit, channels), files)
        for digest, result in zip(digests, work):
            if isinstance(result, PictureError):
                failed[digest] = result
            else:
                pack.add(digest, result)
            advance(1)
    return failed


def _decoded(path: Path, size: tuple[int, int], fit: str, channels: int) -> np.ndarray | PictureError:
    try:
        return resize(decode(path, channels, hint=size), size, fit).transpose(2, 0, 1)
    except PictureError as error:
        return error


def whole_picture(column: ImageColumn, row: int, channels: int) -> np.ndarray:
    """H×W×C uint8 in its own size, grey or RGB as asked; nothing is cached. PictureError for a damaged file."""
    if column.pixels is None:
        return decode(column.files[row], channels)
    pixels = column.pixels[row : row + 1]
    return _resized_array(pixels, pixels.shape[2:], "stretch", channels, None)[0].transpose(1, 2, 0)


def resize(picture: np.ndarray, size: tuple[int, int], fit: str = "crop") -> np.ndarray:
    """H×W×C uint8 brought to the size (Lanczos; shrunk by whole steps first where it is far larger)."""
    from PIL import Image

    if picture.shape[:2] == tuple(size):
        return picture
    channels = picture.shape[2]
    image = Image.fromarray(np.ascontiguousarray(picture[:, :, 0] if channels == 1 else picture))
    return np.asarray(_fitted(image, size, fit)).reshape(*size, channels)


def _fitted(image: Image.Image, size: tuple[int, int], fit: str) -> Image.Image:
    from PIL import Image

    height, width = size
    lanczos = Image.Resampling.LANCZOS
    if fit == "stretch":
        return image.resize((width, height), lanczos, reducing_gap=3.0)
    if fit == "crop":
        scale = min(image.width / width, image.height / height)
        across, down = scale * width, scale * height
        left, top = (image.width - across) / 2, (image.height - down) / 2
        box = (left, top, min(left + across, image.width), min(top + down, image.height))
        return image.resize((width, height), lanczos, box=box, reducing_gap=3.0)
    scale = min(width / image.width, height / image.height)
    inner = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    canvas = Image.new(image.mode, (width, height))
    canvas.paste(image.resize(inner, lanczos, reducing_gap=3.0), ((width - inner[0]) // 2, (height - inner[1]) // 2))
    return canvas


def _resized_array(
    pixels: np.ndarray, size: tuple[int, int], fit: str, channels: int, progress: bool | None
) -> np.ndarray:
    if pixels.shape[1] != channels:
        pixels = np.repeat(pixels, 3, axis=1) if channels == 3 else _to_grey(pixels)
    if pixels.shape[2:] == tuple(size):
        return pixels
    out = np.empty((len(pixels), channels, *size), dtype=np.uint8)
    with bar("resizing pictures", len(pixels), show=progress) as advance:
        for row, picture in enumerate(pixels):
            out[row] = resize(picture.transpose(1, 2, 0), size, fit).transpose(2, 0, 1)
            advance(1)
    return out


def _to_grey(pixels: np.ndarray) -> np.ndarray:
    """Luminance by the weights that Pillow's "L" uses (ITU-R 601)."""
    weights = np.array([0.299, 0.587, 0.114], dtype=np.float32)
    return np.rint(np.einsum("nchw,c->nhw", pixels, weights)).astype(np.uint8)[:, None]
