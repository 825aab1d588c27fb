"""Moments: how long a step is, in words, and what comes later."""

from __future__ import annotations

import numpy as np
import pytest

from orthogon.data.columns import DateColumn, NumberColumn
from orthogon.data.dataset import Dataset
from orthogon.data.moments import Moments, moments_of


def moments(dates: list[str] | np.ndarray) -> Moments:
    column = DateColumn(np.array(dates, dtype="datetime64[us]"))
    data = Dataset("dates", {"when": column}, None, np.array([f"r{i}" for i in range(len(column))]))
    return moments_of(data, None, np.zeros(len(column), dtype=np.int64))


def every(step: str, count: int, start: str = "2020-01-01") -> np.ndarray:
    number, unit = step.split()
    return np.datetime64(start, "us") + np.arange(count) * np.timedelta64(int(number), unit)  # type: ignore[call-overload]


@pytest.mark.parametrize(("dates", "words", "seasons"), [
    (every("1 h", 50), "1 hour", (24, 168)),
    (every("15 m", 50), "15 minutes", (96, 672)),
    (every("30 s", 50), "30 seconds", (2880, 20160)),
    (every("1 D", 50), "1 day", (7, 365)),
    (every("7 D", 50), "1 week", (52,)),
    (np.arange("2000-01", "2010-01", dtype="datetime64[M]"), "1 month", (12,)),
    (np.arange("2000-01", "2010-01", 3, dtype="datetime64[M]"), "3 months", (4,)),
    (np.arange("2000-02", "2010-02", dtype="datetime64[M]").astype("datetime64[D]") - 1, "1 month", (12,)),
    (np.arange("1990", "2010", dtype="datetime64[Y]"), "12 months", ()),
])
def test_steps_are_told_in_words_and_bring_their_seasons(dates, words, seasons):
    found = moments(dates)
    assert found.step_in_words == words
    assert found.seasons() == seasons
    assert (np.diff(found.ticks()) == 1).all()


def test_later_moments():
    assert moments(every("1 h", 30)).later(29, 3) == "2020-01-02 08:00"
    assert moments(np.arange("2020-01", "2021-01", dtype="datetime64[M]")).later(11, 3) == "2021-03"
    numbers = Dataset("n", {"t": NumberColumn(np.array([0.0, 0.5, 1.0]))}, None, np.array(["a", "b", "c"]))
    found = moments_of(numbers, "t", np.zeros(3, dtype=np.int64))
    assert found.later(2, 3) == "+3"
    assert (found.step, found.label(1), found.ticks().tolist()) == (0.5, "0.5", [0, 1, 2])


def test_the_usual_step_counts_where_some_are_longer():
    assert moments(np.delete(every("1 h", 60), [7, 30, 31])).step_in_words == "1 hour"
