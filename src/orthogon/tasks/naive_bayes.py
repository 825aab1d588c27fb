"""Naive Bayes: the plainest model of what inputs are like in each class."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from orthogon.tasks.baseline_results import classify_results
from orthogon.tasks.classify import Classify
from orthogon.tasks.design_matrix import design_matrix, width
from orthogon.train.task import Baseline, Task

MOST_ROWS = 20_000
"""That it is fitted on: means and variances need no more."""

MOST_WORK = 200_000
"""Inputs × classes: beyond that, sums over 10,000 examples take longer than 10 s."""

SMOOTHING = 0.1
"""Of the largest variance, added to all. With scikit-learn's 1e-9, pixels that hardly vary decide alone, and 57 % of
MNIST's digits are named rightly, not 80 %; on small tables it changes little."""


def is_affordable(task: Classify) -> bool:
    """Whether it takes seconds."""
    return width(task) * len(task.classes) <= MOST_WORK


class NaiveBayes(Baseline):
    """Bayes' rule with inputs that are independent given the class (rows 1.31, 23.13): scikit-learn's GaussianNB for
    pixels and numbers, CategoricalNB for categories, their likelihoods multiplied.

    Fitted on 20,000 rows at most, drawn once and for all. A generative model, like a Boltzmann machine: it says how
    likely inputs are in each class, and its probabilities are far too sure where inputs go together.
    """

    name = "naive bayes"
    line = "each input by itself given the class: normal numbers, counted categories"

    def fit(self, task: Task, rows: np.ndarray) -> None:
        from sklearn.naive_bayes import CategoricalNB, GaussianNB

        assert isinstance(task, Classify)  # noqa: S101
        rows, weight = np.asarray(rows), task.example_weights(rows)
        if weight is not None:
            rows = rows[weight > 0]
        if len(rows) > MOST_ROWS:
            rows = np.sort(np.random.default_rng(0).choice(rows, MOST_ROWS, replace=False))
        weight, target = task.example_weights(rows), task.targets(rows)
        levels = [codes for item in task.inputs.specs() for codes in item.levels]
        sorts = (GaussianNB(var_smoothing=SMOOTHING), CategoricalNB(min_categories=levels))
        self._models = [model.fit(part, target, sample_weight=weight)
                        for model, part in zip(sorts, _by_sort(task, rows)) if part.shape[1]]
        shares = np.bincount(target, weight, len(task.classes))
        self._seen = np.flatnonzero(np.bincount(target, minlength=len(task.classes)))
        self._log_prior = np.log(shares[self._seen] / shares.sum())

    def results(self, task: Task, rows: np.ndarray) -> Mapping[str, np.ndarray]:
        from scipy.special import softmax

        assert isinstance(task, Classify)  # noqa: S101
        parts = [part for part in _by_sort(task, np.asarray(rows)) if part.shape[1]]
        joint = [np.asarray(model.predict_joint_log_proba(part)) for model, part in zip(self._models, parts)]
        shares = np.zeros((len(rows), len(task.classes)))
        shares[:, self._seen] = softmax(sum(joint) - (len(joint) - 1) * self._log_prior, axis=1)
        return classify_results(task, rows, shares)


def _by_sort(task: Classify, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(pixels and numbers, codes of categories): the encoders give categories last."""
    inputs = design_matrix(task, rows, one_hot=False)
    categories = sum(len(item.levels) for item in task.inputs.specs())
    return inputs[:, : inputs.shape[1] - categories], inputs[:, inputs.shape[1] - categories :].astype(np.int64)
