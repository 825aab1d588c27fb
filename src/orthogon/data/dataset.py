"""A Dataset: examples with typed columns, a stable id each, and optionally a group, a source and a given part."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from orthogon.data.columns import Column
from orthogon.errors import DataError, nearest

PARTS = ("train", "train-dev", "dev", "test")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or may be, with the data.

    kind:     what it is, as a stable word, e.g. "truncated-image", "duplicate-columns".
    severity: "error" (cannot be learnt from, or would falsify the result), "warning" or "note".
    where:    the file, or the id of the example; row and column where they apply.
    """

    kind: str
    severity: str
    what: str
    where: str = ""
    row: int | None = None
    column: str | None = None
    value: str | None = None
    remedy: str = ""


@dataclass(frozen=True)
class Card:
    """Where data comes from and what one must know before trusting a score on it."""

    title: str = ""
    address: str = ""
    licence: str = ""
    citation: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dataset:
    """Examples as columns of equal length.

    name:    a short name, used for the run folder.
    columns: name -> Column, in reading order, the target among them.
    target:  the name of the target column; None while it is not chosen.
    ids:     str (n,), unique and stable: the same file or row has the same id on every reading.
    group:   str (n,) or None: examples that must stay on one side of a split (patient, speaker, page).
    source:  str (n,) or None: the distribution that each example comes from.
    part:    str (n,) or None: "train", "train-dev", "dev", "test" where the data comes already split, "" elsewhere.
    weight:  float (n,) or None: how much each example counts in loss and score (row 3.14).
    target_source: the source that dev and test are meant to come from, where the data set names one.
    findings: what reading already saw (files that were skipped and why).
    origin:  the source as the user named it, so that a recipe can read it again; "" for objects in memory.
    """

    name: str
    columns: dict[str, Column]
    target: str | None
    ids: np.ndarray
    group: np.ndarray | None = None
    source: np.ndarray | None = None
    part: np.ndarray | None = None
    weight: np.ndarray | None = None
    target_source: str | None = None
    card: Card = field(default_factory=Card)
    findings: tuple[Finding, ...] = ()
    origin: str = ""

    def __post_init__(self) -> None:
        lengths = {name: len(column) for name, column in self.columns.items()}
        if any(length != len(self.ids) for length in lengths.values()):
            raise DataError(f"columns of unequal length: {lengths}, {len(self.ids)} ids", where=self.name)
        if len(set(self.ids.tolist())) != len(self.ids):  # quicker than sorting; the common case is that all differ
            values, counts = np.unique(self.ids, return_counts=True)
            raise DataError(f"the id {values[counts > 1][0]!r} occurs more than once", where=self.name)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def inputs(self) -> dict[str, Column]:
        """The columns that a network may see: all but the target."""
        return {name: column for name, column in self.columns.items() if name != self.target}

    def target_column(self) -> Column:
        """The target; DataError where none is chosen."""
        if self.target is None:
            raise DataError(
                "no target column is chosen", where=self.name,
                remedy=f"Name it with --target; the columns are {', '.join(self.columns)}.",
            )
        return self.columns[self.target]

    def with_target(self, target: str) -> Dataset:
        if target not in self.columns:
            raise DataError(
                f"there is no column {target!r}", where=self.name, remedy=nearest(target, list(self.columns))
            )
        return replace(self, target=target)

    def take(self, rows: Sequence[int] | np.ndarray) -> Dataset:
        """The data set restricted to those rows."""
        rows = np.asarray(rows)
        pick = lambda array: None if array is None else array[rows]  # noqa: E731
        return replace(
            self,
            columns={name: column.take(rows) for name, column in self.columns.items()},
            ids=self.ids[rows], group=pick(self.group), source=pick(self.source), part=pick(self.part),
            weight=pick(self.weight),
        )

    def content_hash(self, rows: np.ndarray | None = None) -> str:
        """Hex of what the rows contain, whatever their order and their ids: the name of a sealed test set."""
        rows = np.arange(len(self)) if rows is None else rows
        combined = [column.take(rows).digests() for column in self.columns.values()]
        per_row = sorted(b"".join(bytes(part) for part in parts) for parts in zip(*combined))
        return hashlib.blake2b(b"".join(per_row), digest_size=16).hexdigest()

    def show(self, count: int = 24) -> Any:
        """A contact sheet or a table of examples as the network will see them."""
        from orthogon.data.display import show

        return show(self, count)

    def _repr_html_(self) -> str:
        from orthogon.data.display import html

        return html(self)
