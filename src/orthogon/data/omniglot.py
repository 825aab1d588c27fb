"""Omniglot, the two small background sets, and its official one-shot runs (Lake, Salakhutdinov & Tenenbaum 2015)."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from orthogon.data.columns import CategoryColumn, ImageColumn
from orthogon.data.dataset import Dataset
from orthogon.errors import DataError

BACKGROUND = ("images_background_small1.zip", "images_background_small2.zip")
RUNS = "all_runs.zip"

_CHARACTER = re.compile(r"images_background[^/]*/([^/]+)/(character\d+)/\d+_(\d+)\.png")


class OneShotRun(NamedTuple):
    """Twenty characters of an alphabet, one picture each, and one more of each by another person.

    known, queries: uint8 (20, 1, 105, 105), ink white. answers: int64 (20,), which of the known each query is.
    """

    name: str
    known: NDArray[np.uint8]
    queries: NDArray[np.uint8]
    answers: NDArray[np.int64]


def load(folder: Path) -> Dataset:
    """4,840 pictures of 242 characters of 8 alphabets, each drawn by 20 people; 105×105, ink white on black.

    Target "character" ("Greek/character01"); the alphabet is the source; the id ends with the number of the drawer.
    What both files hold (Greek and Latin) is taken once.
    """
    found: dict[str, bytes] = {}
    for name in BACKGROUND:
        for path, content in _members(folder / name):
            if match := _CHARACTER.fullmatch(path):
                found.setdefault("/".join(match.groups()), content)
    if not found:
        raise DataError("there are no characters in these files", where=str(folder), remedy="Get them again.")
    ids = np.array(sorted(found))
    characters = [each.rpartition("/")[0] for each in ids.tolist()]
    return Dataset(
        name="omniglot", target="character", ids=ids,
        columns={"image": ImageColumn(np.stack([_ink(found[each]) for each in ids.tolist()])),
                 "character": CategoryColumn.from_values(characters)},
        source=np.array([each.partition("/")[0] for each in characters]),
    )


def one_shot_runs(folder: Path) -> list[OneShotRun]:
    """The 20 official runs of 20-way one-shot recognition, of alphabets that the background sets do not hold: 400
    queries. To be scored once, with everything chosen elsewhere."""
    files = dict(_members(folder / RUNS))
    found = []
    for name in sorted({path.partition("/")[0] for path in files}):
        pairs = [line.split() for line in files[f"{name}/class_labels.txt"].decode().splitlines() if line.strip()]
        known = sorted(path for path in files if path.startswith(f"{name}/training/"))
        found.append(OneShotRun(
            name, np.stack([_ink(files[path]) for path in known]), np.stack([_ink(files[query]) for query, _ in pairs]),
            np.array([known.index(answer) for _, answer in pairs], dtype=np.int64),
        ))
    return found


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of the files in it, but for what macOS adds; DataError where it is missing or damaged."""
    try:
        with zipfile.ZipFile(archive) as packed:
            for name in packed.namelist():
                if not name.startswith("__MACOSX") and not name.endswith(("/", ".DS_Store")):
                    yield name, packed.read(name)
    except (FileNotFoundError, zipfile.BadZipFile) as error:
        raise DataError(f"the archive cannot be read ({error})", where=str(archive), remedy="Get it again.") from None


def _ink(content: bytes) -> NDArray[np.uint8]:
    """uint8 (1, H, W): ink 255, paper 0, so that what moves in from beyond the edge is paper."""
    from PIL import Image

    with Image.open(BytesIO(content)) as picture:
        return (255 - np.asarray(picture.convert("L")))[None]
