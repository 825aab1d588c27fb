"""What moves into training after a split: how much, of which classes and groups, and what stays as it was."""

from __future__ import annotations

import numpy as np
import pytest

from orthogon.data.columns import CategoryColumn, DateColumn, NumberColumn
from orthogon.data.dataset import Dataset
from orthogon.data.split import split
from orthogon.errors import RecipeError

N = 400
LABELS = np.arange(N) % 4 * (np.arange(N) % 3 > 0)


def table(n: int = N, **more) -> Dataset:
    columns = {"x": NumberColumn(np.arange(n, dtype=float)), "y": CategoryColumn.from_values(LABELS[:n].astype(str))}
    return Dataset("t", columns, "y", np.array([f"row {i:05}" for i in range(n)]), **more)


def from_two_sources() -> Dataset:
    return table(source=np.where(np.arange(N) % 2 == 0, "phone", "scanner"))


@pytest.mark.parametrize(("size", "moved"), [(0.5, 40), (25, 25), (1, 1), (0.001, 1)])
def test_a_share_or_a_number_of_dev_moves_and_all_else_stays(size, moved):
    before, after = split(table()), split(table(), move_dev=size)
    assert len(before.rows("dev")) == 80
    assert len(after.rows("dev")) == 80 - moved
    assert set(after.rows("dev")) < set(before.rows("dev"))
    assert set(after.rows("train")) == set(before.rows("train")) | (set(before.rows("dev")) - set(after.rows("dev")))
    assert after.test_key == before.test_key
    assert np.array_equal(after.rows("test"), before.rows("test"))
    assert after.method["moved"] == {"dev": size}
    assert f"{moved} of 80 of dev moved into train" in after.sentences


def test_classes_move_in_proportion():
    before, after = split(table()).rows("dev"), split(table(), move_dev=0.25).rows("dev")
    kept, all_ = np.bincount(LABELS[after]), np.bincount(LABELS[before])
    assert np.all(np.abs(kept - 0.75 * all_) < 1)


def test_groups_move_whole():
    data = table(group=(np.arange(N) // 5).astype(str))
    passport = split(data, move_dev=0.5)
    groups = {part: set(data.group[rows]) for part, rows in passport.parts.items()}
    assert not groups["train"] & groups["dev"]
    assert 30 <= len(passport.rows("dev")) <= 50


def test_by_time_the_oldest_of_dev_move():
    data = table()
    data.columns["when"] = DateColumn(np.datetime64("2026-01-01", "us") + np.arange(N).astype("timedelta64[D]"))
    assert split(data, by="time").rows("dev").tolist() == list(range(240, 320))
    assert split(data, by="time", move_dev=20).rows("dev").tolist() == list(range(260, 320))


def test_what_moves_depends_on_the_seed_and_not_on_the_order_of_reading():
    data, turned = table(), table().take(np.arange(N)[::-1])
    kept = set(data.ids[split(data, move_dev=0.5).rows("dev")])
    assert kept == set(turned.ids[split(turned, move_dev=0.5).rows("dev")])
    assert kept != set(data.ids[split(data, move_dev=0.5, seed=1).rows("dev")])


def test_the_reserve_of_the_target_moves_into_training():
    before = split(from_two_sources(), target_source="phone", target_train=0.3)
    after = split(from_two_sources(), target_source="phone", target_train=0.3, move_reserve=1.0)
    assert set(after.rows("train")) == set(before.rows("train")) | set(before.rows("reserve"))
    assert "reserve" not in after.parts
    assert after.sources["train"]["phone"] == len(before.rows("reserve")) == 60
    for part in ("train-dev", "dev", "test"):
        assert np.array_equal(after.rows(part), before.rows(part))


@pytest.mark.parametrize(("options", "words"), [
    ({"folds": 4, "move_dev": 0.5}, "no dev set of its own.*with folds"),
    ({"dev": 0, "move_dev": 0.5}, "no dev set of its own"),
    ({"move_dev": 1.0}, "nothing would be left of dev"),
    ({"move_dev": 500}, "nothing would be left of dev"),
    ({"move_dev": 1.5}, "neither a share nor a number"),
    ({"move_reserve": 0.5}, "no reserve to move.*split.target_train"),
])
def test_what_cannot_move_is_refused(options, words):
    with pytest.raises(RecipeError, match=f"(?s){words}"):
        split(table(), **options)
