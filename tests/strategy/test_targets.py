"""Satisficing and optimizing metrics: states by the ends of intervals, and the choice among candidates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from orthogon.errors import DataError
from orthogon.stats import Estimate, wilson
from orthogon.strategy.paired import compare_rows
from orthogon.strategy.targets import Satisficing, better_of, judge_targets, ranked_targets
from orthogon.tasks.metrics import classification_metrics, weighted_error
from orthogon.train.rows import Rows
from orthogon.train.thresholds import Threshold

NAN = float("nan")


def _rate(right: int, n: int) -> Estimate:
    return Estimate(right / n, *wilson(right, n), n, "Wilson", "rate")


@pytest.mark.parametrize(("right", "state"), [(99, "feasible"), (93, "undecided"), (80, "infeasible")])
def test_the_ends_of_the_interval_decide(right, state):
    assert Satisficing.of(Threshold("recall", True, 0.9), _rate(right, 100)).state == state
    mirror = Estimate(1 - right / 100, *reversed([1 - end for end in wilson(right, 100)]), 100, "Wilson", "rate")
    assert Satisficing.of(Threshold("error", False, 0.1), mirror).state == state


def test_the_examples_that_would_decide_do_decide():
    threshold = Threshold("recall", True, 0.9)
    found = Satisficing.of(threshold, _rate(184, 200))
    assert found.state == "undecided"
    assert 900 < found.needed < 1_200
    for times, state in ((1.2, "feasible"), (0.5, "undecided")):
        n = round(times * found.needed)
        assert Satisficing.of(threshold, _rate(round(0.92 * n), n)).state == state


def test_on_the_threshold_itself_no_number_would_decide():
    assert Satisficing.of(Threshold("recall", True, 0.9), _rate(90, 100)).needed is None


def test_a_count_without_an_interval_decides_by_itself_and_nothing_by_nan():
    size = Estimate(1e6, NAN, NAN, 0)
    assert Satisficing.of(Threshold("parameters", False, 1e6), size).state == "feasible"
    assert Satisficing.of(Threshold("parameters", False, 9e5), size).state == "infeasible"
    assert Satisficing.of(Threshold("recall", True, 0.9), Estimate(NAN, NAN, NAN, 0)).state == "undecided"


def _candidate(accuracy: float, recall: int, higher_is_better: bool = True):
    thresholds = [Threshold("recall", True, 0.9)]
    return judge_targets("accuracy", higher_is_better, thresholds,
                         {"accuracy": Estimate(accuracy, accuracy, accuracy, 10), "recall": _rate(recall, 100)})


def test_candidates_are_ranked_feasible_first_then_by_the_metric():
    candidates = [_candidate(0.99, 80), _candidate(0.7, 99), _candidate(0.95, 93), _candidate(0.8, 100)]
    assert [each.state for each in candidates] == ["infeasible", "feasible", "undecided", "feasible"]
    assert ranked_targets(candidates) == [3, 1, 2, 0]
    assert better_of(candidates) == 3
    assert better_of([_candidate(0.4, 99, False), _candidate(0.2, 99, False)]) == 1


def test_where_nothing_is_feasible_a_choice_is_refused():
    with pytest.raises(DataError, match=r"none of 2 candidates .*1 undecided"):
        better_of([_candidate(0.99, 80), _candidate(0.95, 93)])
    with pytest.raises(DataError, match="nothing to choose"):
        better_of([])


def test_the_sentence_says_state_figures_and_what_would_tell():
    text = _candidate(0.95, 93).sentence
    assert text.startswith("undecided: accuracy 0.95 [0.95, 0.95]; recall 93.0 % [86.3, 96.6], >= 90 %: undecided")
    document = _candidate(0.95, 93).to_dict()
    assert document["state"] == "undecided"
    assert document["satisficing"][0]["threshold"] == 0.9
    assert document["work"] == []


# --- weighted errors, and pairs by any metric --------------------------------------------------------------------


def _rows(target, prediction, classes=("a", "b", "c"), **extra) -> Rows:
    target, prediction = np.array(target), np.array(prediction)
    return Rows("dev", np.arange(len(target)).astype(str),
                {"target": target, "prediction": prediction, "loss": np.zeros(len(target)),
                 "score": (target == prediction).astype(float), **extra}, classes)


def test_weighted_error_is_ngs_formula_where_the_true_class_alone_weighs():
    weight = np.array([1.0, 10.0, 2.0])
    metric = weighted_error((1 - np.eye(3)) * weight[:, None])
    rows = _rows([0, 0, 1, 1, 2, 2], [0, 1, 1, 0, 2, 1])
    by_hand = (1 + 10 + 2) / (1 + 1 + 10 + 10 + 2 + 2)  # Σ w·[wrong] / Σ w, row 12.05
    assert metric.value(rows) == pytest.approx(by_hand)
    assert not metric.higher_is_better
    found = metric.estimate(rows)
    assert found.value == pytest.approx(by_hand)
    assert found.low < by_hand < found.high
    assert found.unit == "rate"


def test_weighted_error_counts_pairs_and_weights_of_examples():
    costs = np.array([[0.0, 4.0], [1.0, 0.0]])
    rows = _rows([0, 0, 1, 1], [1, 0, 0, 1], ("a", "b"), weight=np.array([1.0, 2.0, 3.0, 4.0]))
    assert weighted_error(costs).value(rows) == pytest.approx((1 * 4 + 3 * 1) / (1 * 4 + 2 * 4 + 3 * 1 + 4 * 1))


def test_equal_weights_are_the_plain_error():
    rng = np.random.default_rng(0)
    rows = _rows(rng.integers(0, 3, 200), rng.integers(0, 3, 200))
    plain = next(metric for metric in classification_metrics(None) if metric.name == "error")
    assert weighted_error(1 - np.eye(3)).value(rows) == pytest.approx(plain.value(rows))


def test_two_models_are_compared_by_the_metric_that_is_asked_for():
    rng = np.random.default_rng(1)
    target = rng.integers(0, 2, 400)
    good = np.where(rng.random(400) < 0.1, 1 - target, target)
    bad = np.where(rng.random(400) < 0.3, 1 - target, target)
    metric = weighted_error(np.array([[0.0, 1.0], [5.0, 0.0]]))
    first, second = _rows(target, bad, ("a", "b")), _rows(target, good, ("a", "b"))
    gain = compare_rows(first, second, metric)
    expected = metric.value(second) - metric.value(first)
    assert gain.metric == "weighted_error"
    assert gain.direction == -1
    assert gain.difference == pytest.approx(expected)
    assert gain.paired.low < expected < gain.paired.high < 0
    assert gain.paired.verdict == "better"
    assert gain.paired.p_value < 0.05
    assert gain.paired.unit == "rate"
    assert gain.paired.put_right == ((bad != target) & (good == target)).sum()
    same = compare_rows(first, first, metric)
    assert same.difference == 0
    assert same.paired.verdict == "tied"
    assert same.paired.p_value == 1
    assert compare_rows(first, second, classification_metrics(1)[0]) == compare_rows(first, second)


def test_groups_are_resampled_as_wholes():
    rng = np.random.default_rng(2)
    group = np.repeat(np.arange(20), 20).astype(str)
    target, flip = rng.integers(0, 2, 400), np.repeat(rng.random(20) < 0.3, 20)
    first, second = _rows(target, target, ("a", "b")), _rows(target, np.where(flip, 1 - target, target), ("a", "b"))
    metric = weighted_error(1 - np.eye(2))
    alone = compare_rows(first, second, metric).paired
    in_groups = [replace(rows, group=group) for rows in (first, second)]
    grouped = compare_rows(*in_groups, metric).paired
    assert grouped.n == 20
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)
