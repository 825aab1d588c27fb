"""What the user may say about a source, and small helpers that all readers share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

PART_OF_NAME = {
    "train": "train", "training": "train", "train-dev": "train-dev", "train_dev": "train-dev",
    "dev": "dev", "val": "dev", "valid": "dev", "validation": "dev",
    "test": "test", "testing": "test", "t10k": "test",
}


@dataclass(frozen=True)
class Options:
    """The arguments of `read`, as the readers take them; each is explained there."""

    target: str | None = None
    types: dict[str, str] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    header: bool = True
    group: Any = None
    source_column: Any = None
    weight: Any = None
    channels: int | None = None
    skip_bad: bool = False
    name: str | None = None
    running: bool = False

    def as_text(self) -> set[str]:
        """Columns that name groups or sources: kept letter for letter, so that "012" and "12" stay two."""
        return {value for value in (self.group, self.source_column) if isinstance(value, str)}


def row_ids(count: int, prefix: str = "") -> np.ndarray:
    """Str (count,): zero-padded row numbers from 0, "train/00000" with the prefix "train"."""
    width = max(5, len(str(count - 1)))
    start = f"{prefix}/" if prefix else ""
    return np.array([f"{start}{row:0{width}d}" for row in range(count)], dtype=np.str_)


def ids_by_part(part: np.ndarray | None, count: int) -> np.ndarray:
    """Row ids, counted within each part where the data comes in parts (which lie one after the other)."""
    if part is None:
        return row_ids(count)
    names = list(dict.fromkeys(part.tolist()))
    pieces = {name: iter(row_ids(int((part == name).sum()), name)) for name in names}
    return np.array([next(pieces[name]) for name in part.tolist()], dtype=np.str_)


def part_of_stem(stem: str) -> str | None:
    """The part that a file name tells, "adult-train" -> "train", "val" -> "dev"; None where it tells none."""
    low = stem.lower()
    if low in PART_OF_NAME:
        return PART_OF_NAME[low]
    if re.search(r"(^|[-_. ])train[-_]dev([-_. ]|$)", low):
        return "train-dev"
    words = re.split(r"[-_. ]", low)
    return PART_OF_NAME.get(words[-1]) or PART_OF_NAME.get(words[0])


def slug(text: str) -> str:
    """A short name fit for a folder: "My Photos (1)" -> "my-photos-1"; "data" where nothing is left."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60] or "data"


def listing(names: Sequence[Any], most: int = 5) -> str:
    """ "a, b, c and 4 more" """
    shown = ", ".join(str(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
