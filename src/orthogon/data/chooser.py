"""One way of sharing rows out: random or by time, by class, by group; the same for every part of a split."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from orthogon.data import assign
from orthogon.data.columns import DateColumn, NumberColumn
from orthogon.data.dataset import Dataset
from orthogon.data.windows import Windows
from orthogon.errors import DataError, nearest

Parts = dict[str, np.ndarray]


@dataclass(frozen=True)
class Chooser:
    """Shares rows out in the one way that was asked for.

    rows: all rows in the order of their ids, so that the order in which they were read does not matter.
    stratum, group, moments: of each row of the data, or None where they play no part.
    """

    rows: np.ndarray
    stratum: np.ndarray | None
    group: np.ndarray | None
    moments: np.ndarray | None
    time_column: str | None
    rng: np.random.Generator

    @classmethod
    def of(cls, data: Dataset, seed: int, by: str, time_column: str | None, stratify: bool,
           windows: Windows | None = None) -> Chooser:
        moments = np.arange(len(data)) if by == "order" else None
        if windows is not None:
            name, moments = windows.moments.column or "the order of rows", windows.moments.ticks()
        elif (name := _time_column(data, time_column) if by == "time" else None) is not None:
            moments = _moments(data, name)
        target = data.columns[data.target] if data.target is not None else None
        return cls(
            rows=np.argsort(data.ids, kind="stable"),
            stratum=assign.strata(target) if stratify and moments is None else None,
            group=data.group,
            moments=moments,
            time_column=name,
            rng=np.random.default_rng((seed, zlib.crc32(b"split"))),
        )

    def share_out(self, rows: np.ndarray, sizes: dict[str, int], home: str | None = None) -> Parts:
        """Parts of those sizes (approximately, by group or time), the oldest first by time."""
        sizes = {name: size for name, size in sizes.items() if size > 0}
        if len(sizes) <= 1:
            return dict.fromkeys(sizes, rows)
        if self.moments is not None:
            # What nobody asked for is the oldest, so that test stays the newest.
            in_time = {name: sizes[name] for name in sorted(sizes, key=lambda name: name != "unused")}
            return assign.by_time(rows, in_time, self.moments, self.group)
        stratum = np.zeros(len(self.rows), dtype=np.int64) if self.stratum is None else self.stratum
        if self.group is not None:
            return assign.by_groups(rows, sizes, stratum, self.group, self.rng)
        return assign.by_strata(rows, sizes, stratum, self.rng, home if self.stratum is not None else None)

    def how(self, given: bool, target_source: str | None, in_blocks: bool = False) -> str:
        words = ["parts as given"] if given else []
        if self.moments is not None:
            words.append("in their order" if self.time_column is None else f"by time ({self.time_column})")
        elif self.stratum is not None:
            words.append("stratified")
        if self.group is not None:
            words.append("in blocks" if in_blocks else "by group")
        if target_source is not None:
            words.append(f"dev and test from {target_source}")
        return ", ".join(words) or "shuffled"


def _time_column(data: Dataset, name: str | None) -> str:
    dates = [key for key, column in data.columns.items() if isinstance(column, DateColumn)]
    if name is not None:
        if name not in data.columns:
            remedy = nearest(name, list(data.columns))
            raise DataError(f"there is no column {name!r}", where=data.name, remedy=remedy)
        return name
    if len(dates) != 1:
        found = f"several date columns ({', '.join(dates)})" if dates else "no date column"
        raise DataError(
            f"a split by time needs a date column, but there is {found}", where=data.name,
            remedy="Name the column with time_column, or split at random.",
        )
    return dates[0]


def _moments(data: Dataset, name: str) -> np.ndarray:
    column = data.columns[name]
    if not isinstance(column, (DateColumn, NumberColumn)) or np.ndim(column.values) != 1:
        raise DataError(f"{name!r} is not a date or a number", where=data.name, remedy="Name a date column.")
    missing = np.flatnonzero(column.missing())
    if len(missing):
        raise DataError(
            f"{len(missing):,} rows have no {name!r}, the first is {data.ids[missing[0]]}", where=data.name,
            remedy="Fill them in or remove them: a row without a date has no place in time.",
        )
    return column.values
