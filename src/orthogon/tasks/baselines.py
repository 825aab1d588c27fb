"""Cheap models that a network must beat: the majority or the mean, a linear model, gradient-boosted trees.

They see the encoded train rows that the network sees, and are deterministic.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from orthogon.tasks.classify import Classify
from orthogon.tasks.design_matrix import design_matrix
from orthogon.tasks.fitted_baseline import FittedBaseline
from orthogon.tasks.multilabel import MultiLabel
from orthogon.tasks.naive_bayes import NaiveBayes, is_affordable
from orthogon.tasks.regress import Regress
from orthogon.tasks.supervised import Supervised
from orthogon.tasks.words_baseline import Words, WordsToNumbers
from orthogon.train.task import Baseline, Task

LINEAR_WORK = 4e10  # rows × inputs × outputs × iterations of the linear model: some seconds
MOST_CATEGORIES = 254  # that scikit-learn's trees take; columns with more are ordered codes to them
MOST_TREES_LABELS = 20  # labels beyond which one forest for each costs more than the network


def baselines_for(task: Task) -> list[Baseline]:
    """What ignores the input always. Of texts, a linear model of their words; else a linear model, and naive Bayes
    where one of several classes is told by inputs that are not too many. Boosted trees on what is no text and no
    picture, up to 20 labels at once."""
    assert isinstance(task, Supervised)  # noqa: S101
    kinds = set(task.inputs.kinds)
    constant, of_words = (Mean, WordsToNumbers) if isinstance(task, Regress) else (Majority, Words)
    found: list[Baseline] = [constant(), of_words() if "text" in kinds else Linear()]
    if isinstance(task, Classify) and "text" not in kinds and is_affordable(task):
        found.insert(1, NaiveBayes())
    several = isinstance(task, MultiLabel) and len(task.classes) > MOST_TREES_LABELS
    if "image" not in kinds and kinds != {"text"} and not several:
        found.append(BoostedTrees())
    return found


class Majority(FittedBaseline):
    """The share of each class, or the mean, whatever the input."""

    name = "majority"
    line = "always the commonest class"

    def _inputs(self, task: Supervised, rows: np.ndarray) -> np.ndarray:
        return np.zeros((len(rows), 1), dtype=np.float32)

    def _classifier(self, task: Supervised, inputs: np.ndarray, outputs: int) -> Any:
        from sklearn.dummy import DummyClassifier

        return DummyClassifier(strategy="prior")

    def _regressor(self, task: Supervised, inputs: np.ndarray) -> Any:
        from sklearn.dummy import DummyRegressor

        return DummyRegressor(strategy="mean")


class Mean(Majority):
    """The same of numbers."""

    name = "mean"
    line = "always the mean"


class Linear(FittedBaseline):
    """Logistic regression (L-BFGS, L2 penalty of strength 1) or ridge regression (strength 1) on the encoded inputs.

    Iterations are at most 200, fewer where rows × inputs × outputs is large, so that it takes seconds.
    """

    name = "linear"
    line = "logistic or ridge regression on the same inputs"

    def _inputs(self, task: Supervised, rows: np.ndarray) -> np.ndarray:
        return design_matrix(task, rows, one_hot=True)

    def _classifier(self, task: Supervised, inputs: np.ndarray, outputs: int) -> Any:
        from sklearn.linear_model import LogisticRegression

        most = LINEAR_WORK / max(1, inputs.size * outputs)
        return LogisticRegression(max_iter=int(np.clip(most, 20, 200)), tol=1e-3)

    def _regressor(self, task: Supervised, inputs: np.ndarray) -> Any:
        from sklearn.linear_model import Ridge

        return Ridge(solver="lsqr" if inputs.shape[1] > 500 else "auto", random_state=0)


class BoostedTrees(FittedBaseline):
    """scikit-learn's histogram gradient boosting at its defaults, with categories as categories."""

    name = "boosted trees"
    line = "gradient-boosted trees on the same columns; texts are left out"

    def _inputs(self, task: Supervised, rows: np.ndarray) -> np.ndarray:
        return design_matrix(task, rows, one_hot=False)

    def _categories(self, task: Supervised) -> list[bool]:
        mask: list[bool] = []
        for item in (each for each in task.inputs.specs() if each.kind != "text"):
            levels = [codes <= MOST_CATEGORIES for codes in item.levels]
            mask += levels if item.kind == "category" else [False] * item.shape[0]
        return mask

    def _classifier(self, task: Supervised, inputs: np.ndarray, outputs: int) -> Any:
        from sklearn.ensemble import HistGradientBoostingClassifier

        return HistGradientBoostingClassifier(random_state=0).set_params(
            categorical_features=self._categories(task))

    def _regressor(self, task: Supervised, inputs: np.ndarray) -> Any:
        from sklearn.ensemble import HistGradientBoostingRegressor

        return HistGradientBoostingRegressor(random_state=0).set_params(
            categorical_features=self._categories(task))
