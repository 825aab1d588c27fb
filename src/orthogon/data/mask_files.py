"""Mask files: PNGs whose pixels are class codes, greys or colors, and what those mean."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from orthogon.data.picture_cache import cache_root, content_digests
from orthogon.data.picture_files import PictureError
from orthogon.data.progress import track
from orthogon.errors import DataError
from orthogon.files import write_atomically

IGNORE = 255
"""The code of a pixel that is of no known class: it counts neither in the loss nor in any metric."""

BINARY = ("background", "foreground")
TABLES = ("classes.txt", "labels.txt", "label_colors.txt", "class_names.txt")
_IGNORED = ("ignore", "void")
_MOST_CLASSES = 255
_CODES_BELOW = 64  # a grey beyond it, beside white, is a shade rather than a code
_T = TypeVar("_T")


@dataclass(frozen=True)
class Coding:
    """What the pixel values of mask files stand for.

    values: value -> class code, or IGNORE. A value is a grey or the index in a palette; of colors r·65536 + g·256 + b.
    names:  of the classes, code 0 first: the background.
    """

    values: dict[int, int]
    names: tuple[str, ...]
    colors: bool = False

    @property
    def key(self) -> str:
        """A short name that differs where codes come out differently."""
        told = json.dumps([sorted(self.values.items()), self.colors])
        return hashlib.blake2b(told.encode(), digest_size=6).hexdigest()

    def codes(self, raw: np.ndarray, where: str) -> np.ndarray:
        """Uint8 codes of raw values; DataError naming a value that is not known."""
        known = np.array(sorted(self.values))
        place = np.minimum(np.searchsorted(known, raw), len(known) - 1)
        unknown = known[place] != raw
        if unknown.any():
            raise self.unknown(int(raw[unknown][0]), where)
        return np.array([self.values[int(value)] for value in known], dtype=np.uint8)[place]

    def unknown(self, value: int, where: str) -> DataError:
        listed = ", ".join(_written(each, self.colors) for each in sorted(self.values)[:12])
        return DataError(f"the mask holds {_written(value, self.colors)}, which stands for no class", where=where,
                         remedy=f"Known: {listed}. Add a line for it to classes.txt, or mend the mask.")


def _written(value: int, colors: bool) -> str:
    return f"color {value >> 16} {value >> 8 & 255} {value & 255}" if colors else str(value)


def read_values(path: Path, colors: bool = False) -> np.ndarray:
    """Int (H, W): palette indices or greys of a PNG mask, or with `colors` r·65536 + g·256 + b of each pixel.

    PictureError for a damaged file; DataError for a mask in color where no colors are known.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path, formats=("PNG",)) as picture:
            if colors:
                return np.asarray(picture.convert("RGB")).astype(np.int32) @ np.array([65536, 256, 1], dtype=np.int32)
            array = np.asarray(picture.convert("RGB") if picture.mode in ("RGBA", "LA") else picture)
    except UnidentifiedImageError:
        raise PictureError("unreadable-image", "not a readable PNG", where=str(path),
                           remedy="Masks are PNG: other formats change the codes, or are not read.") from None
    except (OSError, ValueError, SyntaxError) as error:
        raise PictureError("unreadable-image", f"cannot be decoded to its end ({error})", where=str(path),
                           remedy="Export it again, or --skip-bad.") from None
    if array.ndim == 2:
        return array.astype(np.int32)
    if (array != array[:, :, :1]).any():
        raise DataError("the mask is in color, and no table says what its colors stand for", where=str(path),
                        remedy="Put classes.txt beside the masks, a line for each class: 0 0 0 background")
    return array[:, :, 0].astype(np.int32)


def scan(files: Sequence[Path], colors: bool = False) -> list[dict[int, int]]:
    """Value -> how many pixels have it, of each file; each decoded once, and read from the cache later on."""
    digests, failed = content_digests(files, cache_root() / "masks")
    if failed:
        raise next(iter(failed.values()))
    name = hashlib.blake2b(b"".join(digests) + bytes([colors]), digest_size=16).hexdigest()
    store = cache_root() / "masks" / f"values-{name}.json"
    try:
        return [{int(value): count for value, count in each.items()} for each in json.loads(store.read_bytes())]
    except (OSError, ValueError):
        found = list(track(in_threads(lambda path: _counted(path, colors), files), len(files), "reading masks"))
        write_atomically(store, json.dumps(found).encode())
        return found


def _counted(path: Path, colors: bool) -> dict[int, int]:
    values, counts = np.unique(read_values(path, colors), return_counts=True)
    return dict(zip(values.tolist(), counts.tolist()))


def in_threads(work: Callable[[Path], _T], files: Sequence[Path]) -> Iterable[_T]:
    """Pillow lets go of the interpreter while it decodes."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        yield from pool.map(work, files)


def guessed_coding(values: Iterable[int], where: str) -> Coding:
    """What values mean where no table tells: 0 and 255 are background and foreground; otherwise each value is a class
    and 255 is ignored. DataError where that cannot be told."""
    found = sorted(set(values))
    if set(found) <= {0, IGNORE}:
        return Coding({0: 0, IGNORE: 1}, BINARY)
    classes = [value for value in found if value != IGNORE]
    if len(classes) > _MOST_CLASSES or (IGNORE in found and classes[-1] >= _CODES_BELOW) or classes[-1] > IGNORE:
        listed = ", ".join(map(str, found[:12])) + (", …" if len(found) > 12 else "")
        raise DataError(f"what the {len(found)} different values of the masks stand for cannot be told: {listed}",
                        where=where, remedy="Put classes.txt beside the masks, a line for each class: 128 border")
    if classes in ([0], [0, 1], [1]):
        return Coding({0: 0, 1: 1, IGNORE: IGNORE}, BINARY)
    names = [{0: BINARY[0]}.get(value, f"class {value}") for value in classes]
    return Coding({**{value: code for code, value in enumerate(classes)}, IGNORE: IGNORE}, tuple(names))


def read_table(path: Path) -> Coding:
    """The classes of a text file, one a line: "name", "value name" or "red green blue name".

    The first line is code 0, the background. A class called ignore or void is not learnt; without one, the grey 255 is
    ignored where it is no class. DataError naming the line that is none of these.
    """
    values: dict[int, int] = {}
    names: list[str] = []
    sorts: set[int] = set()
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
        words = line.partition("#")[0].replace(",", " ").split()
        if not words:
            continue
        count = next((k for k, word in enumerate(words) if not word.isdigit()), len(words))
        sorts.add(count)
        numbers, name = [int(word) for word in words[:count]], " ".join(words[count:])
        if count not in (0, 1, 3) or not name or len(sorts) > 1 or any(value > 255 for value in numbers):
            raise DataError(f"{line.strip()!r} is no class", where=f"{path}, line {number}",
                            remedy="Each line is: name, or value name, or red green blue name; all of one sort.")
        value = len(values) if count == 0 else int("".join(f"{each:02x}" for each in numbers), 16)
        if value in values:
            raise DataError(f"a second class of the same value: {line.strip()!r}", where=f"{path}, line {number}")
        values[value] = IGNORE if name.lower() in _IGNORED else len(names)
        names += [] if name.lower() in _IGNORED else [name]
    if not 0 < len(names) <= _MOST_CLASSES:
        raise DataError(f"{len(names)} classes where 1 to {_MOST_CLASSES} are expected", where=str(path))
    colors = 3 in sorts
    return Coding(values if colors else {IGNORE: IGNORE, **values}, tuple(names), colors)
