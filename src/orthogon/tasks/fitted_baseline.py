"""What cheap models from scikit-learn share: one table of inputs, a model for each output, results as the network's."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from orthogon.tasks.baseline_results import classify_results, multilabel_results, regress_results
from orthogon.tasks.classify import Classify
from orthogon.tasks.multilabel import MultiLabel
from orthogon.tasks.regress import Regress
from orthogon.tasks.supervised import Supervised
from orthogon.train.task import Baseline, Task

ONE_THREAD = 500_000  # numbers below which more threads only wait for each other, long where the machine is shared


class FittedBaseline(Baseline):
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
            inputs = self._inputs(task, rows)
            columns = [_carried_share(model, inputs) for model in self._models]
            return multilabel_results(task, rows, np.stack(columns, axis=1))
        assert isinstance(task, Regress)  # noqa: S101
        inputs = self._inputs(task, rows)
        columns = [np.asarray(model.predict(inputs)).reshape(len(rows), -1) for model in self._models]
        return regress_results(task, rows, np.concatenate(columns, axis=1))

    def _class_shares(self, task: Classify, rows: np.ndarray) -> np.ndarray:
        shares = np.zeros((len(rows), len(task.classes)))
        shares[:, self._models[0].classes_] = self._models[0].predict_proba(self._inputs(task, rows))
        return shares

    @abstractmethod
    def _inputs(self, task: Supervised, rows: np.ndarray) -> Any:
        """A table of numbers (n, D), dense or sparse."""

    @abstractmethod
    def _classifier(self, task: Supervised, inputs: Any, outputs: int) -> Any: ...

    @abstractmethod
    def _regressor(self, task: Supervised, inputs: Any) -> Any: ...

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


class _Constant:
    """Stands in for a model of a label that is always, or never, carried in train."""

    classes_ = np.array([0, 1])

    def __init__(self, share: float) -> None:
        self.share = share

    def predict_proba(self, inputs: Any) -> np.ndarray:
        return np.tile([1 - self.share, self.share], (inputs.shape[0], 1))


def _carried_share(model: Any, inputs: Any) -> np.ndarray:
    return model.predict_proba(inputs)[:, list(model.classes_).index(1)]


def _quietly(model: Any, inputs: Any, target: np.ndarray, weight: np.ndarray | None) -> Any:
    """The fitted model. That the linear one stops at its bound of iterations is meant, so it is not warned of."""
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    threads = 1 if inputs.size < ONE_THREAD else None
    with warnings.catch_warnings(), threadpool_limits(threads):
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(inputs, target, sample_weight=weight)
