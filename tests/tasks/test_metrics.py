"""Metrics against scikit-learn, their invariances, and what is undefined."""

import numpy as np
import pytest
from helpers_tasks import every_row, ready, table
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from orthogon.data.columns import CategoryColumn, LabelsColumn, NumberColumn
from orthogon.stats import roc_auc as stats_auc
from orthogon.tasks.auc import macro_auc
from orthogon.tasks.classify import Classify
from orthogon.tasks.metrics import classification_metrics, mean_metric, per_class
from orthogon.tasks.multilabel import MultiLabel
from orthogon.tasks.multilabel_metrics import multilabel_metrics, per_label
from orthogon.tasks.regress import Regress
from orthogon.tasks.regression_metrics import regression_metrics
from orthogon.train.rows import Rows

N = 120


def classified(classes: int, seed: int = 0, weight: bool = False, group: bool = False, n: int = N) -> Rows:
    draw = np.random.default_rng(seed)
    probabilities = draw.dirichlet(np.ones(classes), n).astype(np.float32)
    target = np.where(draw.random(n) < 0.6, probabilities.argmax(1), draw.integers(0, classes, n))
    values = {"target": target, "prediction": probabilities.argmax(1), "probabilities": probabilities,
              "loss": -np.log(probabilities[np.arange(n), target]),
              "score": (target == probabilities.argmax(1)).astype(np.float32)}
    if weight:
        values["weight"] = draw.random(n) + 0.2
    names = tuple(f"class {k}" for k in range(classes))
    return Rows("dev", np.arange(n).astype(str), values, names, group=draw.integers(0, 30, n) if group else None)


def by_name(metrics) -> dict:
    return {metric.name: metric for metric in metrics}


@pytest.mark.parametrize("weight", [False, True])
@pytest.mark.parametrize("group", [False, True])
@pytest.mark.parametrize("classes", [2, 4])
def test_classification_against_scikit_learn(classes, weight, group):
    rows = classified(classes, weight=weight, group=group)
    y, guess, p, w = rows["target"], rows["prediction"], rows["probabilities"].astype(float), rows.get("weight")
    p /= p.sum(axis=1, keepdims=True)
    one = {"roc_auc": sk.roc_auc_score(y, p[:, 1], sample_weight=w)} if classes == 2 else {
        "roc_auc": np.mean([sk.roc_auc_score(y == k, p[:, k], sample_weight=w) for k in range(classes)])}
    expected = one | {
        "accuracy": sk.accuracy_score(y, guess, sample_weight=w),
        "error": sk.zero_one_loss(y, guess, sample_weight=w),
        "macro_f1": sk.f1_score(y, guess, average="macro", sample_weight=w),
        "weighted_f1": sk.f1_score(y, guess, average="weighted", sample_weight=w),
        "cross_entropy": sk.log_loss(y, p, sample_weight=w),
    }
    if classes == 2:
        expected |= {"precision": sk.precision_score(y, guess, sample_weight=w),
                     "recall": sk.recall_score(y, guess, sample_weight=w), "f1": sk.f1_score(y, guess, sample_weight=w),
                     "brier": sk.brier_score_loss(y, p[:, 1], sample_weight=w)}
    else:
        expected["brier"] = np.average(((p - np.eye(classes)[y]) ** 2).sum(1), weights=w)
    found = by_name(classification_metrics(1 if classes == 2 else None))
    assert next(iter(found)) == "accuracy"
    assert set(found) == set(expected)
    for name, value in expected.items():
        estimate = found[name].estimate(rows)
        assert estimate.value == pytest.approx(value, rel=1e-5), name
        assert found[name].value(rows) == pytest.approx(value, rel=1e-5), name
        assert estimate.low < value < estimate.high, name
        if group and name in ("accuracy", "macro_f1", "roc_auc", "brier"):
            assert estimate.n == len(np.unique(rows.group))


def test_regression_against_scikit_learn():
    draw = np.random.default_rng(0)
    for shape in ((N,), (N, 3)):
        y = draw.normal(1e6, 3, shape)
        guess, w = y + draw.normal(0, 1, shape), draw.random(N)
        rows = Rows("dev", np.arange(N).astype(str), {"target": y, "prediction": guess, "weight": w})
        expected = {"rmse": sk.root_mean_squared_error(y, guess, sample_weight=w),
                    "mae": sk.mean_absolute_error(y, guess, sample_weight=w),
                    "r2": sk.r2_score(y, guess, sample_weight=w)}
        for name, metric in by_name(regression_metrics()).items():
            estimate = metric.estimate(rows)
            assert estimate.value == pytest.approx(expected[name], rel=1e-6), name
            assert metric.value(rows) == pytest.approx(expected[name], rel=1e-6), name
            assert estimate.low < estimate.value < estimate.high


def test_multilabel_against_scikit_learn():
    draw = np.random.default_rng(0)
    y, p = draw.integers(0, 2, (N, 3)).astype(np.float32), draw.random((N, 3))
    guess = (p >= 0.5).astype(np.float32)
    score = (guess == y).mean(axis=1)
    values = {"target": y, "prediction": guess, "probabilities": p, "score": score, "loss": np.ones(N)}
    rows = Rows("dev", np.arange(N).astype(str), values, ("a", "b", "c"))
    found = by_name(multilabel_metrics())
    expected = {"label_accuracy": 1 - sk.hamming_loss(y, guess), "subset_accuracy": sk.accuracy_score(y, guess),
                "macro_f1": sk.f1_score(y, guess, average="macro"), "macro_auc": sk.roc_auc_score(y, p)}
    for name, value in expected.items():
        assert found[name].estimate(rows).value == pytest.approx(value), name
        assert found[name].value(rows) == pytest.approx(value), name
    figures = per_label(rows)["b"]
    assert figures["f1"].value == pytest.approx(sk.f1_score(y[:, 1], guess[:, 1]))
    assert figures["recall"].value == pytest.approx(sk.recall_score(y[:, 1], guess[:, 1]))
    assert figures["roc_auc"].value == pytest.approx(sk.roc_auc_score(y[:, 1], p[:, 1]))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([2, 3]), st.booleans())
def test_the_order_of_rows_changes_nothing(seed, classes, weight):
    rows = classified(classes, weight=weight, n=60)
    order = np.random.default_rng(seed).permutation(60)
    shuffled = Rows("dev", rows.ids[order], {name: value[order] for name, value in rows.values.items()}, rows.classes)
    for metric in classification_metrics(1 if classes == 2 else None):
        assert metric.value(shuffled) == pytest.approx(metric.value(rows), rel=1e-9)


def test_per_class_table():
    rows = classified(3)
    y, guess = rows["target"], rows["prediction"]
    precision, recall, f1, support = sk.precision_recall_fscore_support(y, guess)
    found = per_class(rows)
    for k in range(3):
        figures = found[f"class {k}"]
        assert figures["precision"].value == pytest.approx(precision[k])
        assert figures["recall"].value == pytest.approx(recall[k])
        assert figures["f1"].value == pytest.approx(f1[k])
        assert figures["recall"].n == support[k]


def test_undefined_is_nan_with_the_reason():
    target, prediction = np.array([0, 0, 1, 1]), np.zeros(4, dtype=int)
    rows = Rows("dev", np.arange(4).astype(str), {"target": target, "prediction": prediction}, ("a", "b", "c"))
    found = per_class(rows)
    assert np.isnan(found["b"]["precision"].value)
    assert "never predicted" in found["b"]["precision"].method
    assert found["b"]["recall"].value == 0  # defined: none of two was found
    assert np.isnan(found["c"]["f1"].value)
    single = Rows("dev", np.arange(2).astype(str), {
        "target": np.array([1, 1]), "probabilities": np.array([[0.4, 0.6], [0.2, 0.8]])}, ("a", "b"))
    auc = by_name(classification_metrics(1))["roc_auc"]
    assert np.isnan(auc.value(single))
    assert "only one class" in auc.estimate(single).method
    constant = Rows("dev", np.arange(2).astype(str), {"target": np.ones(2), "prediction": np.array([0.0, 1.0])})
    r2 = by_name(regression_metrics())["r2"]
    assert np.isnan(r2.value(constant))
    assert "does not vary" in r2.estimate(constant).method


def test_linearised_auc_interval_is_delong():
    draw = np.random.default_rng(1)
    label = draw.random(200) < 0.3
    score = draw.normal(size=200) + label
    expected = stats_auc(score, label)
    found = macro_auc(score[:, None], label[:, None], weight=np.ones(200))
    np.testing.assert_allclose([found.low, found.high], [expected.low, expected.high], rtol=1e-9)


@pytest.mark.parametrize(("sort", "target"), [
    (Classify, CategoryColumn(np.arange(60) % 3, "abc")),
    (Classify, CategoryColumn(np.arange(60) % 2, "ab")),
    (Regress, NumberColumn(np.random.default_rng(0).normal(size=60))),
    (MultiLabel, LabelsColumn(np.random.default_rng(0).integers(0, 2, (60, 2)), "ab")),
])
def test_every_metric_works_on_results_and_baselines_match_their_shape(sort, target):
    data = table(target)
    task = ready(sort, data)
    rows, _ = every_row(task, data)
    for metric in task.metrics:
        assert np.isfinite(metric.estimate(rows).value)
        assert metric.estimate(rows).value == pytest.approx(metric.value(rows), rel=1e-6)
        assert metric.estimate(rows).unit == metric.unit
    names = []
    for baseline in task.baselines():
        baseline.fit(task, np.arange(40))
        results = baseline.results(task, np.arange(40, 60))
        names.append(baseline.name)
        assert set(results) == set(rows.values) - {"target"}
        for name, value in results.items():
            assert value.shape == rows[name][40:].shape, name
    constant = ["mean"] if sort is Regress else ["majority", "naive bayes"] if sort is Classify else ["majority"]
    assert names == [*constant, "linear", "boosted trees"]


def test_who_says_that_more_is_better_says_what_is_best():
    with pytest.raises(ValueError, match="more of rank is better, so `best` must say"):
        mean_metric("rank", lambda rows: rows["score"])
    assert mean_metric("share", lambda rows: rows["score"], "rate").best == 1
    assert mean_metric("loss", lambda rows: rows["loss"], higher_is_better=False).best == 0
    rank = mean_metric("rank", lambda rows: rows["score"], best=float("inf"))
    assert (rank.error(40.0), rank.bounded, rank.error_title) == (-40.0, False, "minus rank")
