"""When the rows of a table are, and how long a step between them is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orthogon.data.columns import DateColumn, NumberColumn
from orthogon.data.dataset import Dataset
from orthogon.errors import DataError, nearest

HOUR, DAY, WEEK, YEAR = 3600.0, 86_400.0, 7 * 86_400.0, 365.25 * 86_400.0
UNITS = ((WEEK, "week"), (DAY, "day"), (HOUR, "hour"), (60.0, "minute"), (1.0, "second"))


@dataclass(frozen=True)
class Moments:
    """Moments of rows, in units of their own.

    values: float64 (n,): seconds, or months where all dates are of one day of the month, or plain numbers.
    step:   how long a step is, in those units: the median of the distances in time between rows of a series.
    seconds: the same in seconds, of months on average; None where moments are numbers.
    series: int64 (n,): the series of each row. column: that they were read from, or "" for the order of rows.
    """

    values: np.ndarray
    step: float
    seconds: float | None
    series: np.ndarray
    column: str
    labels: np.ndarray

    def label(self, row: int) -> str:
        """The moment of a row as a person reads it."""
        value = self.labels[row]
        if isinstance(value, np.datetime64):
            return str(value.astype("datetime64[s]")).replace("T", " ").removesuffix(" 00:00:00").removesuffix(":00")
        return f"{value:.15g}" if isinstance(value, float) else str(value)

    def later(self, row: int, steps: int) -> str:
        """The moment so many steps after that of a row; "+3" where moments are no dates."""
        value = self.labels[row]
        if not isinstance(value, np.datetime64) or self.seconds is None:
            return f"+{steps}"
        if self.months:
            month = value.astype("datetime64[M]") + round(steps * self.step)
            return str(month)
        moved = value + np.timedelta64(round(steps * self.step * 1e6), "us")
        return str(moved.astype("datetime64[s]")).replace("T", " ").removesuffix(":00")

    @property
    def months(self) -> bool:
        return self.seconds is not None and self.seconds != self.step

    def ticks(self) -> np.ndarray:
        """Int64 (n,): how many steps after the first moment of all a row is."""
        return np.floor((self.values - self.values.min()) / self.step + 1e-6).astype(np.int64)

    @property
    def step_in_words(self) -> str:
        """"1 hour", "3 months"; "1" where moments are numbers."""
        if self.seconds is None:
            return f"{self.step:g}"
        if self.months:
            return _many(self.step, "month")
        size, unit = next(((size, unit) for size, unit in UNITS if self.seconds >= size
                           and abs(self.seconds / size - round(self.seconds / size)) < 1e-9), (1.0, "second"))
        return _many(self.seconds / size, unit)

    def seasons(self) -> tuple[int, ...]:
        """Steps in the cycles that days, weeks and years bring with them; empty where moments are numbers."""
        if self.seconds is None:
            return ()
        step = self.seconds
        cycles = [*((DAY,) if step < DAY else ()), *((WEEK,) if step <= DAY else ()), *((YEAR,) if step >= DAY else ())]
        return tuple(sorted({round(cycle / step) for cycle in cycles if cycle / step >= 1.5}))


def moments_of(data: Dataset, name: str | None, series: np.ndarray) -> Moments:
    """The moments of the rows: of the column of that name, by default of the only date column, else as rows follow one
    another within their series. DataError where rows have none, and where it is not clear which column it is."""
    dates = [key for key, column in data.columns.items() if isinstance(column, DateColumn)]
    if name is None and len(dates) > 1:
        raise DataError(f"several date columns ({', '.join(dates)}): which one orders the rows?", where=data.name,
                        remedy=f"Name it: --set task.time={dates[0]}")
    name = name or (dates[0] if dates else None)
    if name is None:
        values = _counted(series)
        return Moments(values, 1.0, None, series, "", values.astype(np.int64))
    if name not in data.columns:
        raise DataError(f"there is no column {name!r} of moments", where=data.name,
                        remedy=nearest(name, list(data.columns)))
    column = data.columns[name]
    if not isinstance(column, DateColumn | NumberColumn) or column.values.ndim != 1:
        raise DataError(f"{name!r} is of kind {column.kind}, not a date or a number", where=data.name,
                        remedy="Name a column of dates or numbers, or none to take rows as they follow one another.")
    missing = np.flatnonzero(column.missing())
    if len(missing):
        raise DataError(f"{len(missing):,} rows have no {name!r}, the first is {data.ids[missing[0]]}", where=data.name,
                        remedy="Fill them in or leave them out: a row without a moment has no place in time.")
    if isinstance(column, NumberColumn):
        return Moments(column.values, _step(column.values, series), None, series, name, column.values)
    months = _months(column.values)
    values = column.values.astype(np.int64) / 1e6 if months is None else months
    step = _step(values, series)
    return Moments(values, step, step if months is None else step * YEAR / 12, series, name, column.values)


def _counted(series: np.ndarray) -> np.ndarray:
    """How many rows of its series come before each row."""
    order = np.argsort(series, kind="stable")
    starts = np.searchsorted(series[order], series[order], side="left")
    values = np.empty(len(series))
    values[order] = np.arange(len(series)) - starts
    return values


def _months(dates: np.ndarray) -> np.ndarray | None:
    """Months since 1970 where all dates are the same moment of a month, or all are its last day; else None."""
    for moved in (dates, dates + np.timedelta64(1, "D")):
        within = moved - moved.astype("datetime64[M]").astype(dates.dtype)
        if (within == within[:1]).all() and len(np.unique(moved.astype("datetime64[M]"))) > 1:
            return moved.astype("datetime64[M]").astype(np.int64).astype(np.float64)
    return None


def _step(values: np.ndarray, series: np.ndarray) -> float:
    """The median distance between neighbors in time of one series; 1 where there are none."""
    order = np.lexsort((values, series))
    long = np.diff(values[order])[np.diff(series[order]) == 0]
    long = long[long > 0]
    return float(np.quantile(long, 0.5, method="lower")) if len(long) else 1.0


def _many(count: float, unit: str) -> str:
    return f"{count:g} {unit}{'' if count == 1 else 's'}"
