"""Ensembles of stored predictions: by value, and their gain in pairs (rows 31.01, 31.02)."""

from __future__ import annotations

import numpy as np
import pytest

from orthogon.errors import DataError
from orthogon.stats import compare_paired, compare_paired_values
from orthogon.strategy.ensemble import Member, averaged, together
from orthogon.tasks.metrics import classification_metrics
from orthogon.train.rows import Rows

ERROR = next(metric for metric in classification_metrics(None) if metric.name == "error")
CLASSES = ("cat", "dog", "owl")


def rows(seed: int, n: int = 60, group: bool = False, **values: np.ndarray) -> Rows:
    target = np.arange(n) % 3
    draw = np.random.default_rng(seed).dirichlet(np.ones(3), n) + 0.35 * np.eye(3)[target]
    probabilities = (draw / draw.sum(axis=1, keepdims=True)).astype(np.float32)
    prediction = probabilities.argmax(axis=1)
    found = {"target": target, "prediction": prediction, "probabilities": probabilities,
             "loss": -np.log(probabilities[np.arange(n), target]), "score": (prediction == target).astype(np.float32)}
    groups = np.array([f"g{k // 4}" for k in range(n)]) if group else None
    return Rows("dev", np.array([f"e{k:02d}" for k in range(n)]), {**found, **values}, CLASSES, groups)


def test_averaged_rows_hold_the_mean_probability_and_what_follows_from_it() -> None:
    members = [rows(seed) for seed in range(3)]
    found, mean = averaged(members), np.mean([each["probabilities"] for each in members], axis=0)
    target = members[0]["target"]
    assert np.allclose(found["probabilities"], mean)
    assert np.array_equal(found["prediction"], mean.argmax(axis=1))
    assert np.array_equal(found["score"], mean.argmax(axis=1) == target)
    assert np.allclose(found["loss"], -np.log(mean[np.arange(60), target]), atol=1e-6)
    assert (found.split, found.classes) == ("dev", CLASSES)


def test_a_class_that_no_member_thinks_possible_has_a_finite_loss() -> None:
    sure = rows(0, probabilities=np.tile(np.float32([1, 0, 0]), (60, 1)))
    assert np.isfinite(averaged([sure, sure])["loss"]).all()


def test_members_with_another_order_of_examples_and_classes_are_brought_in_line() -> None:
    first, second = rows(1), rows(2)
    order, names = np.random.default_rng(0).permutation(60), (2, 0, 1)
    other = second.take(order)
    values = {**other.values, "probabilities": other["probabilities"][:, names],
              **{name: np.argsort(names)[other[name]] for name in ("target", "prediction")}}
    turned = Rows("dev", other.ids, values, tuple(CLASSES[k] for k in names))
    plain = averaged([first, second])
    for name, value in averaged([first, turned]).values.items():
        assert np.array_equal(value, plain[name]), name


def test_the_gain_over_the_first_is_paired_and_so_is_that_over_the_mean() -> None:
    members = [Member(f"run-{seed}", rows(seed), 100, 1000) for seed in range(4)]
    found, whole = together(members, ERROR), averaged([member.rows for member in members])
    assert found.gain == compare_paired(members[0].rows["score"], whole["score"])
    mean = np.mean([member.rows["score"] for member in members], axis=0)
    assert found.over_mean == compare_paired_values(mean, whole["score"], unit="rate")
    assert found.single == ERROR.estimate(members[0].rows)
    assert found.together == ERROR.estimate(whole)
    assert found.together.value < np.mean([each.value for each in found.alone])
    assert (found.n, found.computation, found.parameters) == (60, 4.0, 4.0)


def test_a_gain_is_told_as_better_whichever_way_the_metric_points() -> None:
    members = [Member(f"run-{seed}", rows(seed)) for seed in range(4)]
    loss = next(metric for metric in classification_metrics(None) if not metric.higher_is_better
                and metric.name != "error")
    found = together(members, ERROR, by=loss)
    whole = averaged([member.rows for member in members])
    assert found.gain.difference == pytest.approx(loss.value(members[0].rows) - loss.value(whole))
    assert found.gain.low <= found.gain.difference <= found.gain.high


def test_groups_are_resampled_as_wholes() -> None:
    found = together([Member(f"run-{seed}", rows(seed, group=True)) for seed in range(2)], ERROR)
    assert found.gain.n == found.over_mean.n == 15


def test_views_cost_computation_and_no_parameters_and_an_unknown_cost_is_said() -> None:
    one = Member("run-0", rows(0), 100, 1000)
    found = together([one], ERROR, views="10-crop", looks=10, seen=[rows(5)])
    assert (found.what, found.cost) == ("10-crop", "10 × computation, 1 × parameters")
    assert found.gain == compare_paired(one.rows["score"], averaged([rows(5)])["score"])
    both = together([one, Member("run-1", rows(1), 50, 500)], ERROR, views="flip", looks=2, seen=[rows(5), rows(6)])
    assert (both.what, both.cost) == ("2 networks, flip", "3 × computation, 1.5 × parameters")
    assert together([one, Member("run-1", rows(1))], ERROR).cost == "not known"


def test_the_work_list_is_told_what_it_would_buy() -> None:
    good = rows(0)
    target = good["target"]
    right = rows(0, probabilities=np.eye(3, dtype=np.float32)[target], prediction=target, score=np.ones(60))
    better = together([Member("a", good), Member("b", right)], ERROR)
    assert (better.gain.verdict, better.work.decision) == ("better", "promising")
    assert better.work.gain == better.gain.estimate
    tied = together([Member("a", good), Member("b", good)], ERROR)
    assert (tied.gain.difference, tied.work.decision) == (0.0, "no")
    assert "2 networks, averaged: +0.0 points" in tied.sentence
    assert tied.to_dict()["work"][0]["action"] == "average 2 networks"
    assert "over the mean of the networks" in str(tied)


@pytest.mark.parametrize(("other", "said"), [
    (rows(1, n=59), "not measured on the same examples"),
    (Rows("dev", rows(1).ids, rows(1).values, ("cat", "dog", "bat")), "do not have the same classes"),
    (rows(1, target=(np.arange(60) + 1) % 3), "other targets"),
    (Rows("dev", rows(1).ids, {k: v for k, v in rows(1).values.items() if k != "probabilities"}, CLASSES),
     "no probabilities"),
])
def test_members_that_do_not_fit_together_are_refused(other: Rows, said: str) -> None:
    with pytest.raises(DataError, match=said):
        averaged([rows(0), other])


def test_numbers_are_refused() -> None:
    numbers = Rows("dev", np.array(["a"]), {"target": np.zeros(1), "prediction": np.zeros(1), "loss": np.zeros(1)})
    with pytest.raises(DataError, match="only classifiers"):
        averaged([numbers, numbers])
