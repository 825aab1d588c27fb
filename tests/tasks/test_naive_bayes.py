"""Naive Bayes against its formula, written out."""

from __future__ import annotations

import numpy as np
import pytest
from helpers_tasks import ready, table

from orthogon.data.columns import CategoryColumn, ImageColumn, LabelsColumn, NumberColumn
from orthogon.data.dataset import Dataset
from orthogon.tasks import naive_bayes
from orthogon.tasks.classify import Classify
from orthogon.tasks.multilabel import MultiLabel
from orthogon.tasks.naive_bayes import NaiveBayes
from orthogon.tasks.regress import Regress

N = 60
LABELS = CategoryColumn(np.random.default_rng(1).integers(0, 3, N), ["low", "mid", "high"])


def names(task) -> list[str]:
    return [each.name for each in task.baselines()]


def fitted(data: Dataset, rows: np.ndarray) -> np.ndarray:
    """The probabilities of every row, after learning from some."""
    task, model = ready(Classify, data), NaiveBayes()
    model.fit(task, rows)
    return model.results(task, np.arange(len(data)))["probabilities"]


@pytest.mark.parametrize("weight", [None, np.random.default_rng(2).random(N) * (np.arange(N) % 5 > 0)])
def test_numbers_and_categories_are_multiplied_as_if_they_were_independent(weight):
    data, learnt = table(LABELS, weight=weight), np.arange(40)
    task = ready(Classify, data)
    numbers, codes = (each.numpy() for each in task.inputs.stored)
    w = np.ones(N) if weight is None else weight
    everywhere = numbers[learnt][w[learnt] > 0].var(axis=0).max()
    joint = np.zeros((N, 3))
    for label in range(3):
        of_label = learnt[LABELS.codes[learnt] == label]
        share = w[of_label] / w[of_label].sum()
        mean = share @ numbers[of_label]
        variance = share @ (numbers[of_label] - mean) ** 2 + 0.1 * everywhere
        counted = np.bincount(codes[of_label, 0], w[of_label], minlength=4) + 1
        joint[:, label] = w[of_label].sum() / w[learnt].sum() * (counted / counted.sum())[codes[:, 0]] * np.prod(
            np.exp(-0.5 * (numbers - mean) ** 2 / variance) / np.sqrt(2 * np.pi * variance), axis=1)
    np.testing.assert_allclose(fitted(data, learnt), joint / joint.sum(axis=1, keepdims=True), rtol=2e-4, atol=2e-7)


def test_pictures_are_normal_numbers_and_large_ones_are_averaged_down():
    pixels = np.random.default_rng(0).integers(0, 256, (N, 1, 40, 40)).astype(np.uint8)
    pixels[LABELS.codes == 2] //= 2
    data = Dataset("pictures", {"x": ImageColumn(pixels), "y": LABELS}, "y", np.array([f"p{i}" for i in range(N)]))
    assert names(ready(Classify, data)) == ["majority", "naive bayes", "linear"]
    assert ((fitted(data, np.arange(40)).argmax(axis=1) == 2) == (LABELS.codes == 2)).mean() > 0.95


def test_a_class_that_is_not_among_the_rows_is_never_named():
    some = np.flatnonzero(LABELS.codes != 1)
    probabilities = fitted(table(LABELS), some)
    assert (probabilities[:, 1] < 1e-6).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_large_data_is_drawn_from_always_alike(monkeypatch):
    monkeypatch.setattr(naive_bayes, "MOST_ROWS", 25)
    drawn = np.sort(np.random.default_rng(0).choice(N, 25, replace=False))
    found = fitted(table(LABELS), np.arange(N))
    np.testing.assert_array_equal(found, fitted(table(LABELS), drawn))
    monkeypatch.setattr(naive_bayes, "MOST_ROWS", N)
    assert not np.allclose(found, fitted(table(LABELS), np.arange(N)))


def test_it_is_a_baseline_of_classes_alone_and_of_those_that_take_seconds(monkeypatch):
    assert "naive bayes" in names(ready(Classify, table(LABELS)))
    assert "naive bayes" not in names(ready(Regress, table(NumberColumn(np.arange(N, dtype=float)))))
    labels = LabelsColumn(np.random.default_rng(0).integers(0, 2, (N, 2)), "ab")
    assert "naive bayes" not in names(ready(MultiLabel, table(labels)))
    monkeypatch.setattr(naive_bayes, "MOST_WORK", 12)  # four inputs, three classes
    assert "naive bayes" in names(ready(Classify, table(LABELS)))
    monkeypatch.setattr(naive_bayes, "MOST_WORK", 11)
    assert "naive bayes" not in names(ready(Classify, table(LABELS)))
