"""Windows in time: against windows cut in a plain loop, at gaps, between series, at the borders of parts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orthogon.data.columns import CategoryColumn, Column, DateColumn, NumberColumn, TextColumn
from orthogon.data.dataset import Dataset
from orthogon.data.split import split
from orthogon.data.windows import Windows
from orthogon.errors import DataError

HOUR = timedelta(hours=1)


def series(values: np.ndarray, **columns: Column) -> Dataset:
    return Dataset("series", {"y": NumberColumn(np.asarray(values, dtype=float)), **columns}, "y",
                   np.array([f"r{i:04d}" for i in range(len(values))]))


def hourly(hours: Sequence[int] | np.ndarray, **columns: Column) -> Dataset:
    moments = np.array([datetime(2020, 1, 1) + int(hour) * HOUR for hour in hours], dtype="datetime64[us]")
    return series(np.asarray(hours, dtype=float), when=DateColumn(moments), **columns)


def cut_in_a_loop(hours: list[int], names: list[str], parts: dict[str, list[int]], history: int, horizon: int,
                  delay: int) -> dict[str, list[int]]:
    """What `whole` should find: for each row by itself, is every hour that it needs there, and in the right part?"""
    at = {(name, hour): row for row, (name, hour) in enumerate(zip(names, hours))}
    part_of = {row: part for part, rows in parts.items() for row in rows}
    found: dict[str, list[int]] = {part: [] for part in parts}
    for row, (name, hour) in enumerate(zip(names, hours)):
        needed = [at.get((name, hour + step)) for step in range(1 - history, delay + horizon + 1)]
        if None in needed:
            continue
        ahead = needed[history:]
        if all(part_of[each] == part_of[row] for each in ahead if each is not None):
            found[part_of[row]].append(row)
    return found


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whole_windows_are_those_of_a_plain_loop(data):
    history, horizon, delay = (data.draw(st.integers(low, 4)) for low in (1, 1, 0))
    hours, names = [], []
    for name in "ab"[: data.draw(st.integers(1, 2))]:
        own = data.draw(st.lists(st.integers(0, 40), min_size=25, max_size=41, unique=True))
        hours, names = hours + own, names + [name] * len(own)
    table = hourly(hours, name=CategoryColumn.from_values(names))
    windows = Windows.of(table, history, horizon, delay, series="name")
    limit = data.draw(st.integers(10, 30))
    parts = {"train": [row for row, hour in enumerate(hours) if hour < limit],
             "dev": [row for row, hour in enumerate(hours) if hour >= limit]}
    wanted = cut_in_a_loop(hours, names, parts, history, horizon, delay)
    if windows.moments.step != 3600 or not all(wanted.values()):
        return  # so few hours that the usual step is longer, or a part without an example, which is refused
    found, sentences = windows.whole({name: np.array(rows) for name, rows in parts.items()}, np.ones(len(hours), bool))
    assert {name: sorted(found[name]) for name in parts} == {name: sorted(rows) for name, rows in wanted.items()}
    assert sorted(np.concatenate(list(found.values()))) == list(range(len(hours)))
    rows = found["train"]
    past, future = windows.past(rows), windows.future(rows)
    hour = np.array(hours)
    assert (hour[past] == hour[rows][:, None] + np.arange(1 - history, 1)).all()
    assert (hour[future] == hour[rows][:, None] + delay + np.arange(1, horizon + 1)).all()
    assert set(windows.covered(rows)) == set(np.r_[past.ravel(), future.ravel()])
    assert sentences


def test_rows_may_come_in_any_order():
    order = np.random.default_rng(0).permutation(50)
    windows = Windows.of(hourly(order), 3, 2)
    row = int(np.flatnonzero(order == 20)[0])
    assert order[windows.past(np.array([row]))[0]].tolist() == [18, 19, 20]
    assert order[windows.future(np.array([row]))[0]].tolist() == [21, 22]
    assert order[windows.latest()].tolist() == [49]


def test_no_window_goes_over_a_gap_and_the_gap_is_named():
    hours = [*range(30), *range(40, 60)]
    windows = Windows.of(hourly(hours), 3, 2)
    assert windows.gaps == ("2020-01-02 16:00 follows 2020-01-02 05:00",)
    found, sentences = windows.whole({"train": np.arange(50)}, np.ones(50, bool))
    assert found["train"].tolist() == [*range(2, 28), *range(32, 48)]
    assert any("1 gaps in time" in each and "steps are 1 hour" in each for each in sentences)


def test_rows_from_which_nothing_known_is_forecast_are_no_examples():
    known = np.ones(40, bool)
    known[10:15] = False
    found, sentences = Windows.of(hourly(range(40)), 2, 2).whole({"train": np.arange(40)}, known)
    assert np.setdiff1d(np.arange(1, 38), found["train"]).tolist() == [9, 10, 11, 12]
    assert any("4 rows end no example: no value that follows is known" in each for each in sentences)


@pytest.mark.parametrize(("table", "options", "said"), [
    (lambda: hourly([0, 1, 1, 2]), {}, "1 rows have the moment of another row"),
    (lambda: hourly(range(4), other=DateColumn(np.array(["2020"] * 4, dtype="datetime64[us]"))), {}, "several date"),
    (lambda: hourly(range(4)), {"time": "never"}, "no column 'never' of moments"),
    (lambda: hourly(range(4)), {"series": "never"}, "no column 'never' of series"),
    (lambda: hourly(range(2), name=TextColumn(["a", "b"])), {"series": "name"}, "kind text"),
    (lambda: hourly(range(2), name=TextColumn(["a", "b"])), {"time": "name"}, "kind text, not a date or a number"),
    (lambda: hourly(range(2), name=CategoryColumn(np.array([0, -1]), ["a"])), {"series": "name"}, "1 rows have no"),
    (lambda: series(np.arange(2), t=NumberColumn(np.array([1, np.nan]))), {"time": "t"}, "1 rows have no 't'"),
])
def test_what_has_no_place_in_time_is_refused(table, options, said):
    with pytest.raises(DataError, match=said):
        Windows.of(table(), 1, 1, **options)


def test_too_few_rows_and_gaps_everywhere_are_refused():
    with pytest.raises(DataError, match="no window of 30 steps and the 20 after them fits into the train part"):
        Windows.of(hourly(range(40)), 30, 20).whole({"train": np.arange(40)}, np.ones(40, bool))
    weekdays = hourly([hour for hour in range(100) if hour % 7 < 5])
    with pytest.raises(DataError, match=r"14 gaps, first 2020-01-01 07:00 follows 2020-01-01 04:00"):
        Windows.of(weekdays, 4, 2).whole({"train": np.arange(len(weekdays))}, np.ones(len(weekdays), bool))
    with pytest.raises(DataError, match="its target is missing throughout"):
        Windows.of(hourly(range(40)), 3, 2).whole({"train": np.arange(40)}, np.zeros(40, bool))


def test_a_split_by_time_keeps_what_is_forecast_in_its_part():
    table = hourly(range(200))
    windows = Windows.of(table, 10, 5)
    passport = split(table, by="time", windows=windows)
    for name in ("train", "dev", "test"):
        rows = passport.rows(name)
        assert len(rows)
        ahead = windows.future(rows)
        others = np.concatenate([windows.future(passport.rows(each)).ravel() for each in ("train", "dev", "test")
                                 if each != name])
        assert not np.isin(ahead, others).any()
    assert windows.past(passport.rows("dev")).min() < passport.rows("dev").min()  # it begins in train
    assert passport.rows("train").max() < passport.rows("dev").min() < passport.rows("test").min()
    assert "an example is 10 steps of history and the 5 that follow" in " ".join(passport.sentences)


def test_rows_without_dates_follow_one_another_within_their_series():
    names = CategoryColumn.from_values(["a", "b"] * 20)
    windows = Windows.of(series(np.arange(40), name=names), 3, 1, series="name")
    assert windows.past(np.array([20]))[0].tolist() == [16, 18, 20]
    assert sorted(windows.latest().tolist()) == [38, 39]
    assert windows.moments.ticks().max() == 19


def test_blocks_hold_neighbors_and_are_named_by_their_beginning():
    blocks = Windows.of(hourly(np.arange(49)), 2, 1).blocks(24)
    assert blocks[0] == blocks[23] == "2020-01-01"
    assert blocks[24] == "2020-01-02"
    assert len(set(blocks.tolist())) == 3
