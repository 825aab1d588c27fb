"""Pairs of sentences as data: two languages, the second one the target."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

from orthogon.data.columns import TextColumn
from orthogon.data.dataset import Dataset, Finding
from orthogon.data.readers.options import row_ids
from orthogon.errors import DataError

_MOST_UNPACKED = 1 << 28


def pairs_of(sources: Sequence[str], targets: Sequence[str], names: tuple[str, str],
             findings: Sequence[Finding] = ()) -> Dataset:
    """Sentences line by line, the target the second; pairs of which a side is empty are kept, that side missing."""
    columns = {name: TextColumn([text.strip() or None for text in texts])
               for name, texts in zip(names, (sources, targets))}
    return Dataset("", dict(columns), names[1], row_ids(len(sources)), findings=tuple(findings))


def empty_sides(sources: Sequence[str], targets: Sequence[str], where: str, begin: int = 0) -> list[Finding]:
    """A warning where lines of two files have an empty side; `begin` is the row that the first pair has in the data."""
    empty = [line for line, pair in enumerate(zip(sources, targets)) if not (pair[0].strip() and pair[1].strip())]
    return [Finding("empty-line", "warning", f"{len(empty):,} of {len(sources):,} pairs have an empty side, the first "
                    f"in line {empty[0] + 1:,}; an empty target is not learnt from", where=where,
                    row=begin + empty[0], remedy="Fill them in, or leave both lines out.")] if empty else []


def tatoeba(folder: Path) -> Dataset:
    """The package of manythings.org: `fra.txt` in a zip, English TAB French a line."""
    archive = folder / "fra-eng.zip"
    with zipfile.ZipFile(archive) as packed:
        if packed.getinfo("fra.txt").file_size > _MOST_UNPACKED:
            raise DataError("unpacked it would be too large", where=str(archive), remedy="Get it again.")
        lines = packed.read("fra.txt").decode("utf-8").rstrip("\n").split("\n")
    sources, targets = zip(*(line.split("\t") for line in lines))
    return pairs_of(sources, targets, ("english", "french"), empty_sides(sources, targets, str(archive)))
