"""Pictures that come as objects in memory: one array where they are of one size, else files in the cache."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from orthogon.data.columns import ImageColumn
from orthogon.data.picture_cache import cache_root
from orthogon.data.picture_files import Header, decode, read_header, to_array
from orthogon.errors import DataError
from orthogon.files import write_atomically


def spill(pictures: Sequence[Any], channels: int | None) -> ImageColumn:
    """Pillow pictures, or encoded files as bytes, as a column.

    Encoded files keep their bytes, named by their hash; where all are of one small size they become pixels at once.
    """
    encoded = [item if isinstance(item, bytes) else None for item in pictures]
    if all(item is None for item in encoded):
        return _from_pillow(pictures, channels)
    folder = cache_root() / "pictures" / "objects"
    folder.mkdir(parents=True, exist_ok=True)
    files = [_kept(item, folder) for item in encoded if item is not None]
    return _column(files, channels)


def _from_pillow(pictures: Sequence[Any], channels: int | None) -> ImageColumn:
    grey = all(picture.mode in ("1", "L", "LA") or picture.mode.startswith("I") for picture in pictures)
    wanted = channels or (1 if grey else 3)
    made = [to_array(picture.copy(), wanted) for picture in pictures]
    if len({array.shape for array in made}) == 1:
        return ImageColumn(np.stack(made).transpose(0, 3, 1, 2).copy())
    folder = cache_root() / "pictures" / "objects"
    folder.mkdir(parents=True, exist_ok=True)
    return _column([_kept(_png(array), folder) for array in made], wanted)


def _png(array: np.ndarray) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array).save(out, "PNG", compress_level=1)
    return out.getvalue()


def _kept(data: bytes, folder: Path) -> Path:
    if not data:
        raise DataError("a picture is empty")
    path = folder / f"{hashlib.blake2b(data, digest_size=16).hexdigest()}.img"
    if not path.exists():
        write_atomically(path, data)
    return path


def _column(files: list[Path], channels: int | None) -> ImageColumn:
    headers: list[Header] = [read_header(path) for path in files]
    wanted = channels or (1 if all(header.grey for header in headers) else 3)
    sizes = {(header.height, header.width) for header in headers}
    if len(sizes) == 1 and max(next(iter(sizes))) <= 64:
        return ImageColumn(np.stack([decode(path, wanted) for path in files]).transpose(0, 3, 1, 2).copy())
    return ImageColumn(None, files, np.array([(header.height, header.width) for header in headers]), wanted)
