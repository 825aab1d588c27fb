"""Cheap models that a network must beat: the majority or the mean, naive Bayes, a linear model, gradient-boosted trees.

They see the encoded train rows that the network sees, and are deterministic.
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from orthogon.tasks.baseline_results import classify_results, multilabel_results, regress_results
from orthogon.tasks.classify import Classify
from orthogon.tasks.design_matrix import design_matrix
from orthogon.tasks.multilabel import MultiLabel
from orthogon.tasks.naive_bayes import NaiveBayes, is_affordable
from orthogon.tasks.regress import Regress
from orthogon.tasks.supervised import Supervised
from orthogon.train.task import Baseline, Task

LINEAR_WORK = 4e10  # rows × inputs × outputs × iterations of the linear model: some seconds
ONE_THREAD = 500_000  # numbers below which more threads only wait for each other, long where the machine is shared
MOST_CATEGORIES = 254  # that scikit-learn's trees take; columns with more are ordered codes to them
MOST_TREES_LABELS = 20  # labels beyond which one forest for each costs more than the network


def baselines_for(task: Task) -> list[Baseline]:
    """Majority and linear always; naive Bayes where one of several classes is told by inputs that are not too many;
    boosted trees on tables, up to 20 labels at once."""
    assert isinstance(task, Supervised)  # noqa: S101
    if set(task.inputs.kinds) == {"text"}:
        return [Majority()]
    found: list[Baseline] = [Majority(), Linear()]
    if isinstance(task, Classify) and is_affordable(task):
        found.insert(1, NaiveBayes())
    several = isinstance(task, MultiLabel) and len(task.classes) > MOST_TREES_LABELS
    if "image" not in task.inputs.kinds and not several:
        found.append(BoostedTrees())
    return found


class _Fitted(Baseline):
    """A baseline that predicts one table per task: class probabilities, label probabilities, or numbers."""

    def fit(self, task: Task, rows: np.ndarray) -> None:
        assert isinstance(task, Supervised)  # noqa: S101
        rows = np.asarray(rows)
        weight = task.example_weights(rows)
        if isinstance(task, Classify):
            self._models = [self._fit_classes(task, rows, weight)]
        elif isinstance(task, MultiLabel):
            self._models = self._fit_labels(task, rows, weight)
        else:
            self._models = self._fit_numbers(task, rows, weight)

    def results(self, task: Task, rows: np.ndarray) -> Mapping[str, np.ndarray]:
        rows = np.asarray(rows)
        if isinstance(task, Classify):
            return classify_results(task, rows, self._class_shares(task, rows))
        if isinstance(task, MultiLabel):
            columns = [_carried_share(model, self._inputs(task, rows)) for model in self._models]
            return multilabel_results(task, rows, np.stack(columns, axis=1))
        assert isinstance(task, Regress)  # noqa: S101
        columns = [np.asarray(model.predict(self._inputs(task, rows))).reshape(len(rows), -1) for model in self._models]
        return regress_results(task, rows, np.concatenate(columns, axis=1))

    def _class_shares(self, task: Classify, rows: np.ndarray) -> np.ndarray:
        shares = np.zeros((len(rows), len(task.classes)))
        shares[:, self._models[0].classes_] = self._models[0].predict_proba(self._inputs(task, rows))
        return shares

    @abstractmethod
    def _inputs(self, task: Supervised, rows: np.ndarray) -> np.ndarray: ...

    @abstractmethod
    def _classifier(self, task: Supervised, inputs: np.ndarray, outputs: int) -> Any: ...

    @abstractmethod
    def _regressor(self, task: Supervised, inputs: np.ndarray) -> Any: ...

    def _fit_classes(self, task: Classify, rows: np.ndarray, weight: np.ndarray | None) -> Any:
        inputs = self._inputs(task, rows)
        return _quietly(self._classifier(task, inputs, len(task.classes)), inputs, task.targets(rows), weight)

    def _fit_labels(self, task: MultiLabel, rows: np.ndarray, weight: np.ndarray | None) -> list[Any]:
        inputs, models = self._inputs(task, rows), []
        for column in task.targets(rows).T:
            known = ~np.isnan(column)
            if len(np.unique(column[known])) < 2:
                models.append(_Constant(float(column[known].mean()) if known.any() else 0.5))
                continue
            chosen = None if weight is None else weight[known]
            model = self._classifier(task, inputs[known], 1)
            models.append(_quietly(model, inputs[known], column[known].astype(np.int64), chosen))
        return models

    def _fit_numbers(self, task: Supervised, rows: np.ndarray, weight: np.ndarray | None) -> list[Any]:
        inputs, values = self._inputs(task, rows), task.targets(rows).reshape(len(rows), -1)
        return [_quietly(self._regressor(task, inputs), inputs, column, weight) for column in values.T]


class Majority(_Fitted):
    """The share of each class, or the mean, whatever the input."""

    name = "majority"
    line = "always the commonest class, or the mean"

    def _inputs(self, task: Supervised, rows: np.ndarray) -> np.ndarray:
        return np.zeros((len(rows), 1), dtype=np.float32)

    def _classifier(self, task: Supervised, inputs: np.ndarray, outputs: int) -> Any:
        from sklearn.dummy import DummyClassifier

        return DummyClassifier(strategy="prior")

    def _regressor(self, task: Supervised, inputs: np.ndarray) -> Any:
        from sklearn.dummy import DummyRegressor

        return DummyRegressor(strategy="mean")


class Linear(_Fitted):
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


class BoostedTrees(_Fitted):
    """scikit-learn's histogram gradient boosting at its defaults, with categories as categories."""

    name = "boosted trees"
    line = "gradient-boosted trees on the same columns"

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


class _Constant:
    """Stands in for a model of a label that is always, or never, carried in train."""

    classes_ = np.array([0, 1])

    def __init__(self, share: float) -> None:
        self.share = share

    def predict_proba(self, inputs: np.ndarray) -> np.ndarray:
        return np.tile([1 - self.share, self.share], (len(inputs), 1))


def _carried_share(model: Any, inputs: np.ndarray) -> np.ndarray:
    return model.predict_proba(inputs)[:, list(model.classes_).index(1)]


def _quietly(model: Any, inputs: np.ndarray, target: np.ndarray, weight: np.ndarray | None) -> Any:
    """The fitted model. That the linear one stops at its bound of iterations is meant, so it is not warned of."""
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    threads = 1 if inputs.size < ONE_THREAD else None
    with warnings.catch_warnings(), threadpool_limits(threads):
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(inputs, target, sample_weight=weight)
