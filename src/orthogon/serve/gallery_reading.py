"""Pictures on their way into a gallery, some hundreds at a time: what is new is encoded, what is not is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from orthogon.data.columns import ImageColumn
from orthogon.data.dataset import Dataset
from orthogon.data.progress import bar
from orthogon.errors import DataError
from orthogon.serve.encode import encode
from orthogon.serve.gallery_answers import Unusable
from orthogon.serve.gallery_file import Entry
from orthogon.serve.gallery_pictures import Pictures
from orthogon.serve.predictor import Predictor

AT_ONCE = 512


class Known(NamedTuple):
    """A picture whose content is there already. given, held: whose it is said to be, and whose it is there."""

    name: str
    hash: bytes
    given: str
    held: str


class Read(NamedTuple):
    new: list[Entry]
    known: list[Known]
    unusable: list[Unusable]


def read_pictures(pictures: Pictures, network: Predictor,
                  held: Callable[[Sequence[bytes]], Mapping[bytes, str]]) -> Iterator[Read]:
    """Pictures that all have an identity. held: hash -> identity of those that are there."""
    before: dict[bytes, str] = {}
    for rows in slabs(pictures):
        hashes, why = _hashes(pictures, rows)
        there = {**held(list(hashes.values())), **before}
        new: dict[int, bytes] = {}
        known: list[Known] = []
        for row, digest in hashes.items():
            owner = str(pictures.identities[row])
            if digest in there:
                known.append(Known(pictures.names[row], digest, owner, there[digest]))
            else:
                new[row], there[digest] = digest, owner
        found, failed = encoded(pictures, list(new), network)
        entries = [Entry(new[row], there[new[row]], value) for row, value in found.items()]
        before |= {each.hash: each.identity for each in entries}
        unusable = [Unusable(pictures.names[row], what) for row, what in sorted((why | failed).items())]
        yield Read(entries, known, unusable)


def slabs(pictures: Pictures) -> Iterator[list[int]]:
    """The rows, some hundreds at a time, with a bar where it takes long."""
    with bar("pictures", len(pictures)) as advance:
        for start in range(0, len(pictures), AT_ONCE):
            rows = list(range(start, min(start + AT_ONCE, len(pictures))))
            yield rows
            advance(len(rows))


def encoded(
    pictures: Pictures, rows: Sequence[int], network: Predictor
) -> tuple[dict[int, np.ndarray], dict[int, str]]:
    """Row -> encoding, float32 (d,); and row -> why there is none: it cannot be read, shows nothing, or the network
    makes nothing of it."""
    if not rows:
        return {}, {}
    found = pictures.gathered(rows, network)
    why = {rows[place]: what for place, what in found.remarks.errors.items()}
    good: dict[int, np.ndarray] = {}
    if not len(found.rows):
        return {}, why
    flats, values = _without_contrast(found.data), encode(network, found.data)
    for place, value, flat in zip(found.rows.tolist(), values, flats):
        if flat:
            why[rows[place]] = "it has no contrast: every pixel is the same"
        elif not np.isfinite(value).all() or not value.any():
            why[rows[place]] = "the network makes nothing of it: its encoding is zero or no numbers"
        else:
            good[rows[place]] = value
    return good, why


def _hashes(pictures: Pictures, rows: Sequence[int]) -> tuple[dict[int, bytes], dict[int, str]]:
    hashes: dict[int, bytes] = {}
    why: dict[int, str] = {}
    for row in rows:
        try:
            hashes[row] = pictures.hash(row)
        except DataError as error:
            why[row] = error.what
    return hashes, why


def _without_contrast(data: Dataset) -> np.ndarray:
    """bool (n,); pictures that are still files are not looked at."""
    [column] = [each for each in data.columns.values() if isinstance(each, ImageColumn)]
    if column.pixels is None:
        return np.zeros(len(data), dtype=bool)
    flat = column.pixels.reshape(len(data), -1)
    return flat.min(axis=1) == flat.max(axis=1)
