"""Parallel text: two files of one name, line by line a sentence and its translation (NAME.en, NAME.fr)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from orthogon.data.dataset import PARTS, Dataset, Finding
from orthogon.data.parallel import empty_sides, pairs_of
from orthogon.data.readers.content import text_of
from orthogon.data.readers.options import ids_by_part, part_of_stem
from orthogon.errors import DataError

_LANGUAGE = re.compile(r"\.[a-z]{2,3}(?:[-_][A-Za-z]{2,4})?")
_NO_LANGUAGES = (".csv", ".tsv", ".txt", ".tab", ".pq", ".png", ".jpg", ".gif", ".npy", ".npz", ".zip", ".tar", ".md",
                 ".py", ".pth", ".xz", ".gz")


def pair_of(paths: Sequence[Path]) -> tuple[Path, Path] | None:
    """The two, where they are files of one name in two languages."""
    if len(paths) != 2 or not all(language_of(path) for path in paths):
        return None
    first, second = paths
    alike = _stem(first) == _stem(second) and language_of(first) != language_of(second)
    return (first, second) if alike else None


def pairs_in(folder: Path) -> dict[str, tuple[Path, Path]] | None:
    """Part -> its two files ("" where there is one pair alone), of a folder of such; None of any other folder."""
    by_stem: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and language_of(path):
            by_stem.setdefault(_stem(path), []).append(path)
    pairs = {stem: pair for stem, paths in by_stem.items() if (pair := pair_of(paths))}
    if len(pairs) == 1:
        return {"": next(iter(pairs.values()))}
    parts = {part_of_stem(Path(stem).name): pair for stem, pair in pairs.items()}
    if len(parts) < len(pairs) or None in parts or "train" not in parts:
        return None
    return {part: parts[part] for part in PARTS if part in parts}


def read_pairs(parts: dict[str, tuple[Path, Path]]) -> Dataset:
    """Columns named by the languages, the target the second; parts as the names tell.

    DataError for files that have not as many lines, and for bytes that are no UTF-8, with line and byte.
    """
    names = next(iter(parts.values()))
    languages = (language_of(names[0]), language_of(names[1]))
    sides: tuple[list[str], list[str]] = ([], [])
    counts, empty = [], []
    for first, second in parts.values():
        one, other = _lines(first), _lines(second)
        if len(one) != len(other):
            raise DataError(f"{first.name} has {len(one):,} lines, {second.name} {len(other):,}: they are not aligned",
                            where=f"{first}, {second}",
                            remedy="Line k of both is to be one pair; an empty line counts.")
        empty += empty_sides(one, other, f"{first}, {second}", begin=len(sides[0]))
        sides[0].extend(one)
        sides[1].extend(other)
        counts.append(len(one))
    note = Finding("parallel-text", "note", f"{names[0].name} and {names[1].name} were read as pairs; "
                   f"{languages[1]!r} is the target", where=f"{names[0]}, {names[1]}",
                   remedy=f"For the other direction: --target {languages[0]}")
    data = pairs_of(*sides, languages, [note, *empty])
    part = None if list(parts) == [""] else np.repeat(np.array(list(parts)), counts)
    return replace(data, part=part, ids=ids_by_part(part, len(data)))


def language_of(path: Path) -> str:
    """"en" of corpus.en and corpus.en.gz; "" of what is no such name."""
    suffix = Path(path.name.removesuffix(".gz")).suffix
    return suffix[1:] if _LANGUAGE.fullmatch(suffix) and suffix not in _NO_LANGUAGES else ""


def _stem(path: Path) -> str:
    return str(path.with_name(Path(path.name.removesuffix(".gz")).stem))


def _lines(path: Path) -> list[str]:
    # At line feeds alone: other marks that Python takes for ends of lines occur within sentences.
    lines = text_of(path).split("\n")
    return [line.rstrip("\r") for line in (lines[:-1] if lines[-1] == "" else lines)]
