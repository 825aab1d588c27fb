"""The benchmark with known truth: its worlds are what they claim, its rules run, its scores count."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from dxbench import binomial, exchange, goals, render, rules, scores, worlds
from dxbench.arms import Lab


@pytest.mark.parametrize("kind", list(worlds.KINDS))
def test_a_world_is_the_same_again_and_its_parts_are_disjoint(kind, monkeypatch):
    monkeypatch.setattr(worlds, "FRESH", 500)
    one, again, other = worlds.world(kind, 3), worlds.world(kind, 3), worlds.world(kind, 4)
    assert np.array_equal(one.data.columns["x"].values, again.data.columns["x"].values)
    assert one.recipe == again.recipe
    assert one.recipe != other.recipe
    rows = np.concatenate(list(one.parts.values()))
    assert np.array_equal(np.sort(rows), np.arange(len(one.data)))
    assert one.mismatched == ("train-dev" in one.parts)


@pytest.mark.parametrize("teacher", ["tanh", "polynomial", "clusters"])
def test_the_share_of_flipped_labels_is_the_bayes_error(teacher):
    random = np.random.default_rng(0)
    label, inputs_of = worlds._TEACHERS[teacher](random, 9, 3, worlds.Kind((1, 1), (1, 1)))
    true = label(inputs_of(20_000))
    assert (np.bincount(true, minlength=3) / 20_000 > 0.05).all()
    flipped = worlds._flipped(random, true, 0.12, 3)
    assert (flipped != true).mean() == pytest.approx(0.12, abs=0.01)
    for k in range(3):  # the teacher's class stays the likeliest one
        assert np.bincount(flipped[true == k], minlength=3).argmax() == k


def test_the_sensor_of_the_target_can_be_undone_so_that_labels_stay_as_knowable():
    sensor = worlds._sensor(np.random.default_rng(1), 6, 1.0)
    inputs = np.random.default_rng(2).normal(size=(50, 6))
    offset = sensor(np.zeros((1, 6)))
    matrix = sensor(np.eye(6)) - offset
    assert np.linalg.cond(matrix) < 100
    assert np.allclose((sensor(inputs) - offset) @ np.linalg.inv(matrix), inputs)
    assert np.abs(sensor(inputs) - inputs).mean() > 0.2


@pytest.fixture
def tiny(monkeypatch):
    """Worlds that take a second: 250 examples, a dozen steps, two remedies, one seed for the truth."""
    small = worlds.Kind((250, 250), (8, 8), steps=(12, 12))
    monkeypatch.setattr(worlds, "DEV", 300)
    monkeypatch.setattr(worlds, "FRESH", 400)
    monkeypatch.setattr(rules, "LEVELS", (250, 300))
    monkeypatch.setattr(rules, "TRUTH_SEEDS", range(100, 101))
    monkeypatch.setattr(rules, "remedies_for", lambda *given, real=rules.remedies_for: real(*given)[:2])
    monkeypatch.setitem(worlds.KINDS, "variance", small)
    monkeypatch.setitem(worlds.KINDS, "mismatch", small._replace(shift=(1.0, 1.0)))


def test_two_small_worlds_are_judged_by_every_rule_and_stand_in_the_tables(tiny):
    records = rules.assess("variance", 0) + rules.assess("mismatch", 0)
    assert [each["folds"] for each in records] == [False, True, False, False]
    for each in records:
        in_full = each["n_dev"] != rules.WITH_FOLDS
        assert set(each["advice"]) == {rule for rule in scores.RULES if rule != "full" or in_full}
        assert set(each["advice"].values()) <= {*each["gains"], None}
        assert 0 < each["cost"] <= 4
    found = {"level_0": binomial.measure(3), "worlds": records}
    assert "mismatch, 300" in render(found)
    assert len(goals(found)) == 4


def test_arms_are_trained_once_and_halves_of_dev_change_places(tiny):
    lab = Lab(worlds.world("mismatch", 0))
    moved = {"split.move_dev": 0.5}
    first = lab.outcome(moved, 1.0, 1, 300, False)
    assert lab.outcome(moved, 1.0, 1, 300, False) is first
    assert np.array_equal(np.sort(first.rows.ids.astype(int)), lab.world.parts["dev"])
    for train, scored in lab._pieces(moved, 300, False):
        assert len(scored) == 150
        assert not np.intersect1d(train, scored).size


def record(advice, gains, promised=None, n_dev=300):
    return {"kind": "variance", "seed": 0, "n_dev": n_dev, "advice": {"probes": advice}, "gains": gains, "cost": 3.0,
            "cpu_cost": 3.1, "best": max(gains, key=gains.__getitem__), "promised": {"probes": promised},
            "largest": [(0.9, True), (0.2, False)]}


def test_the_scores_are_counts_over_what_was_advised_and_regret_over_all_worlds():
    found = scores.score([
        record("a", {"a": 0.04, "b": 0.01}, (0.05, 0.02, 0.08)),
        record("b", {"a": 0.03, "b": 0.004}, (0.02, 0.01, 0.03)),
        record("b", {"a": 0.03, "b": -0.01}, (0.02, 0.01, 0.03)),
        record(None, {"a": 0.002, "b": -0.01}),
    ], "probes")
    assert (found["worlds"], found["acts"], found["helpable"], found["acts_helpable"]) == (4, 3, 3, 3)
    assert (found["useless"], found["wrong"], found["best"]) == (2, 1, 1)
    assert (found["covered"], found["kept"]) == (1, 1)
    assert found["gain"] == pytest.approx((0.04 + 0.004 - 0.01) / 4)
    assert found["regret"] == pytest.approx((0 + 0.026 + 0.04 + 0.002) / 4)
    assert scores.brier([record(None, {"a": 0.0})]) == pytest.approx((0.1**2 + 0.2**2) / 2)


def test_a_world_as_files_is_read_as_predictions_and_advice_from_a_file_is_scored(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(exchange, "LEVELS", (300,))
    exchange.write(tmp_path, [("mismatch", 0)])
    lines = (tmp_path / "mismatch-0-300.csv").read_text().splitlines()
    assert lines[0] == "id,split,target,prediction,source"
    assert len(lines) == 1 + 250 + 300 + 300
    assert "mismatch-0-300,300" in (tmp_path / "worlds.csv").read_text()
    advice = tmp_path / "advice.csv"
    advice.write_text("world,remedy\nvariance-0-300,b\n")
    found = exchange.scored(advice, [record("a", {"a": 0.04, "b": -0.01}), record(None, {"a": 0.04, "b": -0.02})])
    assert (found[300]["acts"], found[300]["wrong"]) == (2, 2)


def test_at_level_0_the_rule_is_wrong_less_often_than_the_largest_gap():
    small, _, large = binomial.measure(60, seed=1)
    assert small["acts"] < large["acts"]
    assert small["wrong"] <= small["naive_wrong"]
    assert large["naive_wrong"] < small["naive_wrong"]
