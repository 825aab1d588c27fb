"""What encodings say of identities, and the figures of it, against loops, closed forms and scikit-learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from orthogon.tasks.verification import DIFFERENT, SAME, judged, sample_partners
from orthogon.tasks.verification_metrics import (
    Curve,
    Pairs,
    area,
    equal_error_rate,
    one_shot,
    one_shot_accuracy,
    threshold_at,
    true_accept_at,
    verification_metrics,
)
from orthogon.train.rows import Rows

IDENTITIES = np.repeat([4, 0, 7, 2, 9, 5], [3, 5, 2, 9, 1, 4])


def encodings(spread: float = 1.0, identities: np.ndarray = IDENTITIES, seed: int = 0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    middles = draw.normal(size=(identities.max() + 1, 3))
    return (middles[identities] + spread * draw.normal(size=(len(identities), 3))).astype(np.float32)


def rows_of(values: np.ndarray, identities: np.ndarray = IDENTITIES) -> Rows:
    ids = np.array([f"r{k}" for k in range(len(identities))])
    return Rows("dev", ids, {"target": identities, "encoding": values, **judged(values, identities)},
                tuple("abcdefghij"), group=identities)


# --- pairs ---------------------------------------------------------------------------------------------------


def test_partners_are_others_of_the_same_identity_then_of_different_ones() -> None:
    partners = sample_partners(IDENTITIES)
    for row, own in enumerate(IDENTITIES):
        there = partners[row, :SAME][partners[row, :SAME] >= 0]
        assert len(there) == min(SAME, (own == IDENTITIES).sum() - 1) == len(set(there.tolist()))
        assert row not in there
        assert (IDENTITIES[there] == own).all()
        other = IDENTITIES[partners[row, SAME:]]
        assert len(other) == DIFFERENT
        assert set(other.tolist()) == set(IDENTITIES.tolist()) - {own}
        assert len(set(other[:5].tolist())) == 5


def test_of_many_identities_all_partners_are_of_different_ones() -> None:
    identities = np.repeat(np.arange(40), 3)
    other = identities[sample_partners(identities)[:, SAME:]]
    assert all(len(set(each.tolist())) == DIFFERENT for each in other)
    times = np.bincount(sample_partners(identities)[:, SAME:].ravel(), minlength=120)
    assert times.min() > 0


def test_partners_depend_on_the_identities_alone() -> None:
    assert (sample_partners(IDENTITIES) == sample_partners(IDENTITIES.copy())).all()


def test_with_one_identity_there_are_no_others() -> None:
    assert (sample_partners(np.zeros(3, dtype=int))[:, SAME:] == -1).all()


def test_examples_are_judged_as_loops_would() -> None:
    values, partners = encodings(), sample_partners(IDENTITIES)
    found = judged(values, IDENTITIES)
    for k, own in enumerate(IDENTITIES):
        distance = np.linalg.norm(values.astype(float) - values[k], axis=1)
        others = [j for j in range(len(values)) if j != k]
        nearest = min(others, key=lambda j: distance[j])
        assert found["prediction"][k] == IDENTITIES[nearest]
        alone = (own == IDENTITIES).sum() == 1
        assert np.isnan(found["score"][k]) if alone else found["score"][k] == (IDENTITIES[nearest] == own)
        there = partners[k] >= 0
        assert found["distance"][k][there] == pytest.approx(distance[partners[k][there]], rel=1e-3, abs=1e-5)
        assert np.isnan(found["distance"][k][~there]).all()
        assert (found["partner"][k] == np.where(there, IDENTITIES[partners[k]], -1)).all()
        if not alone:
            wrong = [distance[a] > distance[b] for a in partners[k, :SAME] if a >= 0 for b in partners[k, SAME:]]
            assert found["loss"][k] == pytest.approx(np.mean(wrong))
    assert 0.3 < np.nanmean(found["score"]) < 0.95


def test_in_one_point_every_comparison_is_a_draw() -> None:
    found = judged(np.ones((len(IDENTITIES), 3), dtype=np.float32), IDENTITIES)
    assert set(found["loss"][IDENTITIES != 9].tolist()) == {0.5}


def test_another_measure_of_distance_may_be_given() -> None:
    found = judged(encodings(), IDENTITIES, lambda first, second: -(first[:, :1] * second[:, 0]))
    assert np.nanmin(found["distance"]) < 0


# --- figures -------------------------------------------------------------------------------------------------


def pairs_by_loops(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    distance, same = [], []
    for k in range(len(rows)):
        for partner, far in zip(rows["partner"][k], rows["distance"][k]):
            if not np.isnan(far):
                distance.append(far)
                same.append(partner == rows["target"][k])
    return np.array(distance, float), np.array(same)


def test_rates_at_each_distance_are_shares_of_the_pairs() -> None:
    rows = rows_of(encodings())
    distance, same = pairs_by_loops(rows)
    curve = Pairs.of(rows).curve()
    assert curve.distance.tolist() == np.unique(distance).tolist()
    for at, false, true in zip(*curve):
        assert false == pytest.approx((distance[~same] <= at).mean())
        assert true == pytest.approx((distance[same] <= at).mean())


def test_the_area_is_that_of_scikit_learn() -> None:
    rows = rows_of(np.round(encodings(), 1))  # with ties
    distance, same = pairs_by_loops(rows)
    assert area(Pairs.of(rows).curve()) == pytest.approx(roc_auc_score(same, -distance))


def test_drawn_identities_count_by_products_as_if_their_examples_were_repeated() -> None:
    rows, weights = rows_of(encodings()), np.array([[2.0, 0, 1, 3, 1, 1]])
    names = np.unique(IDENTITIES)
    curve = Pairs.of(rows).curve(weights)
    times = dict(zip(names.tolist(), weights[0].tolist()))
    at = curve.distance[40]
    total, accepted = {True: 0.0, False: 0.0}, {True: 0.0, False: 0.0}
    for k in range(len(rows)):
        for partner, far in zip(rows["partner"][k], rows["distance"][k]):
            if not np.isnan(far):
                own = int(rows["target"][k])
                same = bool(partner == own)
                count = times[own] * (1 if same else times[int(partner)])
                total[same] += count
                accepted[same] += count * (far <= at)
    assert curve.false_accept[0, 40] == pytest.approx(accepted[False] / total[False])
    assert curve.true_accept[0, 40] == pytest.approx(accepted[True] / total[True])


@pytest.mark.parametrize(("false", "true", "expected"), [
    ([0.0, 0.0, 1.0], [0.5, 1.0, 1.0], 0.0),      # all of one identity are nearer
    ([0.5, 1.0, 1.0], [0.0, 0.0, 1.0], 1.0),      # all are farther
    ([0.1, 0.3, 1.0], [0.7, 0.7, 1.0], 0.3),      # met at a distance
    ([0.0, 0.4, 1.0], [0.8, 0.8, 1.0], 0.2),      # between two: false goes on while refusals stay
    ([0.0, 0.2, 1.0], [0.6, 0.9, 1.0], 0.16),     # both move: 0.2 t = 0.4 − 0.3 t
    ([1.0], [1.0], 0.5),                          # all in one point: a coin decides
])
def test_the_equal_error_rate_lies_where_the_two_errors_meet(
        false: list[float], true: list[float], expected: float) -> None:
    curve = Curve(np.arange(len(false), dtype=float), np.array(false), np.array(true))
    assert equal_error_rate(curve) == pytest.approx(expected)
    several = Curve(curve.distance, np.array([false, false]), np.array([true, true]))
    assert equal_error_rate(several) == pytest.approx([expected, expected])


def test_true_accepts_are_told_at_the_chosen_rate_of_false_ones() -> None:
    curve = Curve(np.arange(4.0), np.array([0.0, 0.01, 0.05, 1.0]), np.array([0.3, 0.6, 0.9, 1.0]))
    assert [float(true_accept_at(curve, rate)) for rate in (0.0, 0.01, 0.04, 0.05, 0.5)] == [0.3, 0.6, 0.6, 0.9, 0.9]
    early = Curve(np.arange(2.0), np.array([0.2, 1.0]), np.array([0.5, 1.0]))
    assert float(true_accept_at(early, 0.1)) == 0


def test_the_threshold_keeps_its_promise_on_the_pairs_it_was_chosen_by() -> None:
    rows = rows_of(encodings())
    distance, same = pairs_by_loops(rows)
    for rate in (0.02, 0.1, 0.3):
        chosen = threshold_at(rows, rate)
        assert (distance[~same] <= chosen).mean() <= rate
        beyond = distance[distance > chosen].min()
        assert (distance[~same] <= beyond).mean() > rate
    nearest = rows_of(np.array([[0.0], [9.0], [0.1], [8.0]], dtype=np.float32), np.array([0, 0, 1, 1]))
    assert threshold_at(nearest, 0.05) == pytest.approx(0.1, abs=1e-6)
    assert threshold_at(nearest, 0.05) < nearest["distance"][0, SAME:].min()


def test_one_shot_asks_for_the_one_of_the_same_identity_among_one_of_each_other() -> None:
    rows = rows_of(encodings())
    for k, right in enumerate(one_shot(rows)):
        own, others = rows["distance"][k, 0], rows["distance"][k, SAME : SAME + 5]
        assert np.isnan(right) if np.isnan(own) else right == (own < others.min())
    many = np.repeat(np.arange(30), 4)
    crowd = rows_of(encodings(identities=many), many)
    limit = crowd["distance"][:, SAME : SAME + 19].min(axis=1)
    assert one_shot(crowd).tolist() == (crowd["distance"][:, 0] < limit).astype(float).tolist()


def test_every_figure_has_an_interval_over_identities_and_the_first_judges() -> None:
    many = np.repeat(np.arange(24), 5)
    rows = rows_of(encodings(0.7, many), many)
    found = {metric.name: metric for metric in verification_metrics(0.05)}
    assert list(found) == ["accuracy", "error", "one_shot", "equal_error_rate", "roc_auc", "true_accept_rate"]
    for metric in found.values():
        estimate = metric.estimate(rows)
        assert estimate.n == 24
        assert estimate.value == pytest.approx(metric.value(rows))
        assert estimate.low < estimate.value < estimate.high
        assert estimate.high - estimate.low < 0.5
    assert found["accuracy"].value(rows) == pytest.approx(rows["score"].mean())
    assert found["error"].value(rows) == pytest.approx(1 - rows["score"].mean())
    assert {name for name, metric in found.items() if not metric.higher_is_better} == {"error", "equal_error_rate"}
    assert found["one_shot"].estimate(rows).method.startswith("20-way")


def test_more_pictures_of_the_same_identities_do_not_narrow_an_interval_much() -> None:
    middles = np.random.default_rng(3).normal(size=(24, 2)).astype(np.float32)
    widths = []
    for each in (5, 20):
        many = np.repeat(np.arange(24), each)
        spread = np.where(many % 3 == 0, 1.5, 0.05)[:, None] * np.random.default_rng(4).normal(size=(len(many), 2))
        rows = rows_of((middles[many] + spread).astype(np.float32), many)
        estimate = next(each for each in verification_metrics(0.05) if each.name == "roc_auc").estimate(rows)
        widths.append(estimate.high - estimate.low)
    assert 0.6 < widths[1] / widths[0] < 1.6  # of independent pairs it would be a half


def test_examples_that_are_alone_do_not_count_and_rows_survive_their_file(tmp_path: Path) -> None:
    rows = rows_of(encodings())
    accuracy = verification_metrics(0.05)[0]
    assert accuracy.value(rows) == pytest.approx(rows["score"][IDENTITIES != 9].mean())
    rows.write(tmp_path / "dev.parquet")
    back = Rows.read(tmp_path / "dev.parquet", rows.classes)
    for metric in verification_metrics(0.05):
        assert metric.value(back) == pytest.approx(metric.value(rows), rel=1e-6)


def test_figures_of_one_identity_are_not_defined() -> None:
    one = np.zeros(4, dtype=int)
    rows = rows_of(encodings(identities=one), one)
    for name in ("equal_error_rate", "roc_auc", "true_accept_rate"):
        metric = next(each for each in verification_metrics(0.05) if each.name == name)
        assert np.isnan(metric.value(rows))
        assert "undefined" in metric.estimate(rows).method
    assert np.isnan(threshold_at(rows, 0.1))


def test_the_accuracy_of_official_runs_is_over_all_queries() -> None:
    known = np.array([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]])
    queries = np.array([[4.0, 1.0], [0.0, 1.0], [1.0, 4.0]])
    found = one_shot_accuracy([(known, queries, np.array([1, 0, 2])), (known, queries, np.array([1, 2, 0]))])
    assert (found.value, found.n, found.unit) == (pytest.approx(4 / 6), 6, "rate")
    assert found.low < 4 / 6 < found.high
