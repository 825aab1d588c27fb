"""The passport of a split: which example is where, with the hashes that prove it is still the same data."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from orthogon.data.dataset import Dataset
from orthogon.errors import DataError, RunError
from orthogon.files import write_atomically

FORMAT = 1
PART_ORDER = ("train", "train-dev", "dev", "test", "reserve", "unused")
EXAMPLES_OF_DUPLICATES = 100


@dataclass(frozen=True, eq=False)
class Passport:
    """Which rows are in which part, and what proves that they are the same rows later.

    parts:   part -> sorted int64 rows. "train", "train-dev", "dev", "test"; "reserve" (of the target source,
             may move into training later) and "unused" (rows that no part asked for). Disjoint; together all.
    folds:   rows of each fold, sorted; together the rows of "train", which then has no "dev" beside it: each
             fold in turn is dev (see `fold`). Empty without folds.
    seed, method: how it was made, in plain values.
    sentences: what a person must know about it, e.g. what dev can and cannot see.
    hashes:  part -> content hash, equal to `data.content_hash(rows)`.
    ids:     digest of all ids in their order. content: hash of all rows, whatever their order: the name of the data.
    groups:  part -> how many groups it holds; empty without groups.
    sources: part -> source -> examples; empty without sources.
    duplicates: pairs (row, row of an earlier part) with equal inputs, at most 100 of them;
    duplicate_count: how many rows have the same inputs as a row of an earlier part.
    """

    parts: dict[str, np.ndarray]
    seed: int
    method: dict[str, Any]
    hashes: dict[str, str]
    ids: str
    n: int
    folds: tuple[np.ndarray, ...] = ()
    sentences: tuple[str, ...] = ()
    groups: dict[str, int] | None = None
    sources: dict[str, dict[str, int]] | None = None
    duplicates: tuple[tuple[int, int], ...] = ()
    duplicate_count: int = 0
    content: str = ""

    @classmethod
    def of(
        cls,
        data: Dataset,
        parts: Mapping[str, np.ndarray],
        *,
        seed: int,
        method: dict[str, Any],
        sentences: Iterable[str] = (),
        folds: Sequence[np.ndarray] = (),
    ) -> Passport:
        """The passport of parts that were chosen; every value is hashed once."""
        ordered = {name: _rows(parts[name]) for name in PART_ORDER if name in parts and len(parts[name])}
        inputs, everything = row_digests(data)
        pairs, count = duplicates_across(ordered, inputs)
        return cls(
            parts=ordered, folds=tuple(_rows(fold) for fold in folds), seed=seed, method=method,
            sentences=tuple(sentences),
            hashes={name: _hash(everything[rows]) for name, rows in ordered.items()},
            ids=_digest_ids(data), n=len(data), groups=_count_groups(data, ordered),
            sources=_count_sources(data, ordered), duplicates=pairs, duplicate_count=count,
            content=_hash(everything),
        )

    @property
    def test_key(self) -> str | None:
        """The name of the test set in the ledger: the content hash of its examples; None without one."""
        return self.hashes.get("test")

    def rows(self, part: str) -> np.ndarray:
        """The rows of a part; empty where there is no such part."""
        return self.parts.get(part, _rows([]))

    def part_of(self) -> np.ndarray:
        """str (n,): the part of each row."""
        names = np.full(self.n, "", dtype="U9")
        for name, rows in self.parts.items():
            names[rows] = name
        return names

    def fold(self, index: int) -> dict[str, np.ndarray]:
        """The parts when fold `index` is dev: train is all other folds, test stays."""
        dev = self.folds[index]
        others = {name: rows for name, rows in self.parts.items() if name != "train"}
        return {"train": np.setdiff1d(self.parts["train"], dev), "dev": dev, **others}

    def describe(self) -> str:
        """One line, e.g. "split 1079/359/359, seed 0, stratified; no duplicates across sets"."""
        if self.duplicate_count:
            count = self.duplicate_count
            duplicates = f"{count:,} duplicate{'s' if count > 1 else ''} across sets"
        else:
            duplicates = "no duplicates across sets"
        how = str(self.method.get("how", ""))
        return f"split {self._sizes()}, seed {self.seed}{', ' + how if how else ''}; {duplicates}"

    def _sizes(self) -> str:
        sizes = {name: len(rows) for name, rows in self.parts.items()}
        if self.folds:
            test = f"test {sizes['test']}" if "test" in sizes else "no test set"
            return f"{len(self.folds)} folds over {sizes['train']}, {test}"
        if tuple(sizes) == ("train", "dev", "test"):
            return "/".join(str(size) for size in sizes.values())
        listed = ", ".join(f"{name} {size}" for name, size in sizes.items())
        return listed if "test" in sizes else f"{listed}, no test set"

    def to_json(self) -> dict[str, Any]:
        """Plain values: what a person reads first, the rows as compressed bitmaps last."""
        return {
            "format": FORMAT, "summary": self.describe(), "sentences": list(self.sentences),
            "sizes": {name: len(rows) for name, rows in self.parts.items()}, "seed": self.seed,
            "method": self.method, "test_key": self.test_key, "groups": self.groups, "sources": self.sources,
            "duplicates": {"count": self.duplicate_count, "examples": [list(p) for p in self.duplicates]},
            "n": self.n, "ids": self.ids, "content": self.content, "hashes": self.hashes,
            "rows": {name: _pack(rows, self.n) for name, rows in self.parts.items()},
            "folds": [_pack(fold, self.n) for fold in self.folds],
        }

    def write(self, path: str | Path) -> Path:
        """Write as JSON: under a temporary name, flushed, then renamed."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(self.to_json(), indent=1, ensure_ascii=False))
        return path

    @classmethod
    def read(cls, path: str | Path, data: Dataset) -> Passport:
        """Read a passport and hold it against the data.

        RunError: the file is missing, damaged or of a newer version. DataError: the data is not what it was,
        with what changed (the number of examples, their ids or order, or the content of a part).
        """
        passport = cls._parse(_load(Path(path)), Path(path))
        passport._verify(data, str(path))
        return passport

    @classmethod
    def _parse(cls, entry: dict[str, Any], path: Path) -> Passport:
        try:
            n = int(entry["n"])
            return cls(
                parts={name: _unpack(text, n) for name, text in entry["rows"].items()},
                folds=tuple(_unpack(text, n) for text in entry["folds"]), seed=entry["seed"],
                method=entry["method"], sentences=tuple(entry["sentences"]), hashes=entry["hashes"],
                ids=entry["ids"], n=n, groups=entry["groups"], sources=entry["sources"],
                duplicates=tuple((int(a), int(b)) for a, b in entry["duplicates"]["examples"]),
                duplicate_count=int(entry["duplicates"]["count"]), content=entry.get("content", ""),
            )
        except (KeyError, TypeError, ValueError, AttributeError, zlib.error) as error:
            raise RunError(
                f"the passport is damaged ({error!r})", where=str(path), remedy="Split the data again."
            ) from error

    def _verify(self, data: Dataset, where: str) -> None:
        remedy = "Restore the data, or split it again for a new run."
        if len(data) != self.n:
            raise DataError(
                f"the data has {len(data):,} examples, its passport {self.n:,}", where=where, remedy=remedy
            )
        if _digest_ids(data) != self.ids:
            raise DataError(
                "the ids of the examples, or their order, are not those of the passport",
                where=where, remedy=remedy,
            )
        _, everything = row_digests(data)
        now = {name: _hash(everything[rows]) for name, rows in self.parts.items()}
        changed = [name for name in now if now[name] != self.hashes.get(name)]
        if changed:
            raise DataError(
                f"the content of {', '.join(changed)} changed since the split", where=where, remedy=remedy
            )


def row_digests(data: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Void (n,): a content digest of each row's inputs, and one of all its columns; values hashed once."""
    of_column = {name: column.digests() for name, column in data.columns.items()}
    of_inputs = [of_column[name] for name in data.inputs]
    return _join(of_inputs, len(data)), _join(list(of_column.values()), len(data))


def _join(digests: list[np.ndarray], n: int) -> np.ndarray:
    if not digests:
        return np.zeros(n, dtype="V16")
    width = 16 * len(digests)
    side_by_side = np.stack([digest.view(np.uint8).reshape(n, 16) for digest in digests], axis=1)
    return side_by_side.reshape(n, width).view(f"V{width}").reshape(n)


def _hash(digests: np.ndarray) -> str:
    # Sorted, so that the order of rows does not matter: the rule of Dataset.content_hash.
    return hashlib.blake2b(b"".join(sorted(digests.tolist())), digest_size=16).hexdigest()


def _digest_ids(data: Dataset) -> str:
    return hashlib.blake2b("\0".join(map(str, data.ids)).encode(), digest_size=16).hexdigest()


def _rows(rows: Sequence[int] | np.ndarray) -> np.ndarray:
    return np.sort(np.asarray(rows, dtype=np.int64))


def duplicates_across(
    parts: Mapping[str, np.ndarray], inputs: np.ndarray
) -> tuple[tuple[tuple[int, int], ...], int]:
    """Pairs (row, row of an earlier part) with equal digests, the first hundred, and how many there are."""
    first: dict[bytes, int] = {}
    pairs: list[tuple[int, int]] = []
    for name, rows in parts.items():
        if name == "unused":
            continue
        digests = inputs[rows].tolist()
        pairs += [(int(row), first[digest]) for row, digest in zip(rows, digests) if digest in first]
        for row, digest in zip(rows, digests):
            first.setdefault(digest, int(row))
    return tuple(pairs[:EXAMPLES_OF_DUPLICATES]), len(pairs)


def _count_groups(data: Dataset, parts: dict[str, np.ndarray]) -> dict[str, int] | None:
    group = data.group
    return None if group is None else {name: len(np.unique(group[rows])) for name, rows in parts.items()}


def _count_sources(data: Dataset, parts: dict[str, np.ndarray]) -> dict[str, dict[str, int]] | None:
    if data.source is None:
        return None
    counted = {name: np.unique(data.source[rows], return_counts=True) for name, rows in parts.items()}
    return {name: {str(s): int(c) for s, c in zip(*pair)} for name, pair in counted.items()}


def _pack(rows: np.ndarray, n: int) -> str:
    """Rows as base64 of a compressed bitmap: a bit per example, at most 167 kB of text per million."""
    held = np.zeros(n, dtype=bool)
    held[rows] = True
    return base64.b64encode(zlib.compress(np.packbits(held).tobytes(), 6)).decode()


def _unpack(text: str, n: int) -> np.ndarray:
    limit = (n + 7) // 8
    raw = zlib.decompressobj().decompress(base64.b64decode(text, validate=True), limit + 1)
    if len(raw) != limit:
        raise ValueError(f"a bitmap of {len(raw)} bytes where {limit} were expected")
    return _rows(np.flatnonzero(np.unpackbits(np.frombuffer(raw, np.uint8), count=n)))


def _load(path: Path) -> dict[str, Any]:
    try:
        entry = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise RunError("there is no passport", where=str(path), remedy="Split the data again.") from error
    except ValueError as error:
        raise RunError(
            f"the passport is damaged ({error})", where=str(path), remedy="Split the data again."
        ) from error
    version = entry.get("format") if isinstance(entry, dict) else None
    if not isinstance(version, int):
        raise RunError("this is not a passport", where=str(path), remedy="Split the data again.")
    if version > FORMAT:
        raise RunError(
            f"the passport has format {version}, this version reads up to {FORMAT}", where=str(path),
            remedy="Use the newer Orthogon that wrote it.",
        )
    return entry
