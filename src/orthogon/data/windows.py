"""Windows of a table whose rows are steps in time: what comes before a row, what after it, and where both are whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from orthogon.data.columns import CategoryColumn, Column, NumberColumn
from orthogon.data.dataset import Dataset
from orthogon.data.moments import Moments, moments_of
from orthogon.errors import DataError, nearest


@dataclass(frozen=True)
class Windows:
    """An example is a row, the `history` steps that end with it, and `horizon` steps that begin `delay` steps after it.

    Steps follow one another within a series and are equally long; where one is longer or shorter, there is a gap, and
    no window goes over it.

    order: int64 (n,): the rows by series, then by time. place: its inverse: where a row stands in that order.
    first, last: int64 (n,), by place: the ends of the unbroken run of steps that a place lies in.
    moments: when rows are. gaps: one sentence for each gap.
    """

    history: int
    horizon: int
    delay: int
    order: np.ndarray
    place: np.ndarray
    first: np.ndarray
    last: np.ndarray
    moments: Moments
    gaps: tuple[str, ...]

    @classmethod
    def of(cls, data: Dataset, history: int, horizon: int, delay: int = 0, time: str | None = None,
           series: str | None = None) -> Windows:
        """The windows of a table.

        time:   the column of dates or numbers that orders rows; default: the only date column; without one, rows
                follow one another as they were read.
        series: the column that names the series of each row; default: they are one series.
        DataError: a row without time or series, two rows of a series at one moment, several date columns.
        """
        codes = _series(data, series)
        moments = moments_of(data, time, codes)
        order = np.lexsort((moments.values, codes))
        same = codes[order][1:] == codes[order][:-1]
        long = np.diff(moments.values[order])
        if (same & (long == 0)).any():
            row = order[1:][same & (long == 0)][0]
            raise DataError(
                f"{int((same & (long == 0)).sum()):,} rows have the moment of another row of the same series",
                where=f"{data.name}: row {row} (id {data.ids[row]}), {moments.label(row)}",
                remedy="Where rows are of several series, name their column: --set task.series=COLUMN. Else leave all "
                       "but one of each out.")
        off = same & ~np.isclose(long, moments.step, rtol=1e-6, atol=0)
        gaps = tuple(f"{moments.label(order[at + 1])} follows {moments.label(order[at])}" for at in np.flatnonzero(off))
        first, last = _runs(~same | off)
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        return cls(history, horizon, delay, order, place, first, last, moments, gaps)

    @property
    def reach(self) -> int:
        """Steps from a row to the last one that is forecast of it."""
        return self.delay + self.horizon

    def past(self, rows: np.ndarray) -> np.ndarray:
        """Int64 (n, history): the rows of the history, oldest first; before the first row of the table, that one."""
        return self._rows(rows, np.arange(1 - self.history, 1))

    def future(self, rows: np.ndarray) -> np.ndarray:
        """Int64 (n, horizon): the rows that are forecast; behind the last row of the table, that one."""
        return self._rows(rows, np.arange(self.delay + 1, self.reach + 1))

    def _rows(self, rows: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        places = self.place[np.asarray(rows)][:, None] + offsets
        return self.order[np.clip(places, 0, len(self.order) - 1)]

    def covered(self, rows: np.ndarray) -> np.ndarray:
        """Int64: the rows of all steps in the windows of those rows, in the order of time."""
        places, count = self.place[np.asarray(rows)], len(self.order)
        change = np.zeros(count + 1, dtype=np.int64)
        for start, end in ((1 - self.history, 1), (self.delay + 1, self.reach + 1)):
            np.add.at(change, np.clip(places + start, 0, count), 1)
            np.add.at(change, np.clip(places + end, 0, count), -1)
        return self.order[np.cumsum(change[:-1]) > 0]

    def has_past(self) -> np.ndarray:
        """Bool (n,): the rows with a whole history."""
        return (np.arange(len(self.order)) - self.first >= self.history - 1)[self.place]

    def latest(self) -> np.ndarray:
        """Int64: the last row of each series, the rows from which the unknown is forecast."""
        places = np.arange(len(self.order))
        ends = places[self.last == places]
        codes = self.moments.series[self.order[ends]]
        return self.order[ends[np.r_[codes[1:] != codes[:-1], True]]]

    def whole(self, parts: Mapping[str, np.ndarray], known: np.ndarray) -> tuple[dict[str, np.ndarray], list[str]]:
        """Of each part the rows that are examples: with a whole history, which may reach back into the part before, and
        with all that is forecast inside the part. The others are in "unused". Also what a person must know of it.

        known: bool (n,): the rows whose target is known; a row from which nothing known is forecast is no example.
        DataError where no example is left in a part.
        """
        names = list(parts)
        of_row = np.full(len(self.order), -1)
        for code, name in enumerate(names):
            of_row[parts[name]] = code
        in_time = of_row[self.order]
        until = np.minimum(_runs(np.diff(in_time) != 0)[1], self.last)
        places = np.arange(len(self.order))
        fits = (places + self.reach <= until) & (places - self.first >= self.history - 1)
        counted = np.concatenate([[0], np.cumsum(known[self.order])])
        ahead = counted[np.minimum(places + self.reach + 1, len(places))] - counted[
            np.minimum(places + self.delay + 1, len(places))]
        kept, left = (fits & (ahead > 0))[self.place], np.zeros(len(places), dtype=bool)
        found: dict[str, np.ndarray] = {}
        for name in names:
            rows = np.asarray(parts[name])
            if name == "unused":
                left[rows] = True
                continue
            found[name] = rows[kept[rows]]
            left[rows[~kept[rows]]] = True
            if len(rows) and not len(found[name]):
                raise self._nothing(name, bool(fits[self.place[rows]].any()))
        if left.any():
            found["unused"] = np.flatnonzero(left)
        return found, self._sentences(found, of_row >= 0, fits[self.place], kept)

    def _nothing(self, part: str, fits: bool) -> DataError:
        if fits:
            return DataError(f"no window of the {part} part has a known value ahead: its target is missing throughout",
                             remedy="Choose another target, or other parts.")
        seen = f"; there are {len(self.gaps):,} gaps, first {self.gaps[0]}" if self.gaps else ""
        return DataError(
            f"no window of {self.history} steps and the {self.reach} after them fits into the {part} part{seen}",
            remedy="Give more rows, or shorten the window: --set task.history=N --set task.horizon=N"
                   + ("; fill gaps with rows of empty cells, or leave the date column out to take rows as they follow "
                      "one another." if self.gaps else "."))

    def _sentences(self, parts: Mapping[str, np.ndarray], asked: np.ndarray, fits: np.ndarray,
                   kept: np.ndarray) -> list[str]:
        delay = f", after a delay of {self.delay}" if self.delay else ""
        said = [f"an example is {self.history} steps of history and the {self.horizon} that follow{delay}: these lie "
                "in its part, a history may begin in the part before"]
        cut, blank = int((asked & ~fits).sum()), int((asked & fits & ~kept).sum())
        if cut:
            said.append(f"{cut:,} rows end no example: too little lies before them, or the end of their part is too "
                        "near")
        if blank:
            said.append(f"{blank:,} rows end no example: no value that follows is known")
        if self.gaps:
            said.append(f"{len(self.gaps):,} gaps in time, over which no window goes: {'; '.join(self.gaps[:3])}"
                        + (", …" if len(self.gaps) > 3 else "") + f"; steps are {self.moments.step_in_words}")
        return said

    def blocks(self, length: int) -> np.ndarray:
        """Str (n,): the block of so many steps that a row lies in, named by its beginning; of all series alike.

        Neighboring windows overlap, so that their errors are alike: intervals draw whole blocks (Künsch 1989, "The
        jackknife and the bootstrap for general stationary observations", Annals of Statistics 17).
        """
        index = self.moments.ticks() // length
        in_time = np.argsort(self.moments.values, kind="stable")
        _, first, codes = np.unique(index[in_time], return_index=True, return_inverse=True)
        names = np.array([self.moments.label(row) for row in in_time[first]])
        blocks = np.empty(len(index), dtype=names.dtype)
        blocks[in_time] = names[codes]
        return blocks


def _runs(breaks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """By place: the first and the last place of its run; breaks: bool (n − 1,), whether a run ends after a place."""
    n = len(breaks) + 1
    places = np.arange(n)
    first = np.maximum.accumulate(np.where(np.r_[True, breaks], places, 0))
    last = np.minimum.accumulate(np.where(np.r_[breaks, True], places, n)[::-1])[::-1].copy()
    return first, last


def _series(data: Dataset, name: str | None) -> np.ndarray:
    """Int64 (n,): the series of each row."""
    if name is None:
        return np.zeros(len(data), dtype=np.int64)
    if name not in data.columns or name == data.target:
        raise DataError(f"there is no column {name!r} of series", where=data.name,
                        remedy=nearest(name, [each for each in data.columns if each != data.target]))
    column = data.columns[name]
    if column.missing().any():
        row = int(np.argmax(column.missing()))
        raise DataError(f"{int(column.missing().sum()):,} rows have no series",
                        where=f"{data.name}: row {row} (id {data.ids[row]}), column {name!r}",
                        remedy="Fill it in, or leave those rows out.")
    return np.unique(_values(column, name, data), return_inverse=True)[1].astype(np.int64)


def _values(column: Column, name: str, data: Dataset) -> np.ndarray:
    if isinstance(column, CategoryColumn):
        return column.codes
    if isinstance(column, NumberColumn) and column.values.ndim == 1:
        return column.values
    raise DataError(f"the series are named by a column of kind {column.kind}", where=f"{data.name}: column {name!r}",
                    remedy=f"Read it as a category: --set 'data.types={{{name}: category}}'")
