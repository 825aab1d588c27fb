"""scikit-learn estimators: the same tasks, models and training, with arrays in and arrays out and no run folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,  # pyright: ignore[reportPrivateUsage] - the documented helper for developers
    check_is_fitted,
    validate_data,
)

from orthogon.errors import DataError, OrthogonError
from orthogon.verbs.network import train_network

INPUTS, TARGET = "x", "y"


class _Estimator(BaseEstimator):
    """What both share.

    model:         a name (`og.list("models")`) that takes numbers, or `file.py:Class`.
    model_options: of that model, e.g. {"hidden": [64, 64]}; None: its own.
    epochs:        None: what the task chooses for that many rows, but at least 120 steps.
    lr, batch_size: None: what the task chooses; up to 256 rows make one batch.
    recipe:        further knobs by flat key, e.g. {"train.optimizer": "momentum"}.
    device:        "cpu", "cuda", "mps", or "auto".
    random_state:  seed of the first weights and of the order; None: another one each time.

    Missing values (NaN) are allowed in X: each column that has any gets an indicator. Rows of weight 0 are left out;
    whole weights count as repetitions of a row. The order of the rows does not matter: they are sorted first.
    Raises ValueError for data and settings that do not fit.
    """

    _task = ""

    def __init__(
        self, model: str = "mlp", *, model_options: Mapping[str, Any] | None = None, epochs: int | None = None,
        lr: float | None = None, batch_size: int | None = None, recipe: Mapping[str, Any] | None = None,
        device: str = "cpu", random_state: Any = None,
    ) -> None:
        self.model = model
        self.model_options = model_options
        self.epochs = epochs
        self.lr = lr
        self.batch_size = batch_size
        self.recipe = recipe
        self.device = device
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.non_deterministic = False
        return tags

    def _train(self, x: Any, target: Any, order: tuple[np.ndarray, ...], sample_weight: Any) -> None:
        """Fit the network. target: rows -> the target column; order: further keys to sort the rows by."""
        weight = None if sample_weight is None else _check_sample_weight(sample_weight, x, ensure_non_negative=True)
        rows, weight = _used_rows(np.lexsort((*order, *x.T[::-1])), weight)
        with _value_errors():
            self._network = train_network(
                self._task, {INPUTS: _numbers(x[rows])}, (TARGET, target(rows)), weight, self._settings(len(rows)),
            )
        self.n_iter_ = self._network.steps

    def _settings(self, rows: int) -> dict[str, Any]:
        seed = self.random_state
        if seed is None or not isinstance(seed, int | np.integer):
            seed = check_random_state(seed).randint(2**31 - 1)
        chosen = {
            "model.name": self.model, "model.options": dict(self.model_options or {}), "train.epochs": self.epochs,
            "train.lr": self.lr, "train.batch_size": self.batch_size or (rows if rows <= SMALL else None),
            "train.device": self.device, "train.seed": int(seed),
        }
        return {**chosen, **(self.recipe or {})}

    def _results(self, X: Any) -> dict[str, np.ndarray]:
        check_is_fitted(self, "_network")
        x = validate_data(self, X, reset=False, dtype=np.float64, ensure_all_finite="allow-nan")
        with _value_errors():
            return self._network.results({INPUTS: _numbers(x)})


class Classifier(ClassifierMixin, _Estimator):
    """A neural network that tells classes apart, as a scikit-learn classifier.

    After `fit`: classes_, n_features_in_, feature_names_in_ (from data frames), n_iter_ (steps done).
    """

    _task = "classify"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        x, y = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan", ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"Classifier needs at least 2 classes; the data has one class: {self.classes_[0]!r}")
        levels = [str(code) for code in range(len(self.classes_))]

        def target(rows: np.ndarray) -> Any:
            from orthogon.data.columns import CategoryColumn

            return CategoryColumn(codes[rows], levels)

        self._train(x, target, (codes,), sample_weight)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Float64 (n, classes): each row sums to 1. A class of which all rows had weight 0 has probability 0."""
        found = self._results(X)["probabilities"].astype(np.float64)
        known = [int(name) for name in self._network.classes]
        shares = np.zeros((len(found), len(self.classes_)))
        shares[:, known] = found
        return shares / shares.sum(axis=1, keepdims=True)

    def predict(self, X: Any) -> np.ndarray:
        codes = self.predict_proba(X).argmax(axis=1)
        return self.classes_[codes]


class Regressor(RegressorMixin, _Estimator):
    """A neural network that predicts a number, as a scikit-learn regressor.

    After `fit`: n_features_in_, feature_names_in_ (from data frames), n_iter_ (steps done).
    """

    _task = "regress"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        x, y = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan", ensure_min_samples=2,
                             y_numeric=True)
        values = np.asarray(y, dtype=np.float64)

        def target(rows: np.ndarray) -> Any:
            return _numbers(values[rows])

        self._train(x, target, (values,), sample_weight)
        return self

    def predict(self, X: Any) -> np.ndarray:
        return self._results(X)["prediction"].astype(np.float64)


SMALL = 256
"""Up to so many rows make one batch, when the size of a batch is left open."""
MOST_REPEATS = 8
"""Whole weights are taken as repetitions while the rows grow at most so many times."""


def _used_rows(order: np.ndarray, weight: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    """The rows to train on, in that order, and their weights where these cannot be said by repeating rows."""
    if weight is None:
        return order, None
    order = order[weight[order] > 0]
    if not len(order):
        raise ValueError("every sample_weight is 0: there is nothing to train on")
    ordered = weight[order]
    if (ordered == np.floor(ordered)).all() and ordered.sum() <= MOST_REPEATS * len(ordered):
        return np.repeat(order, ordered.astype(np.int64)), None
    return order, ordered


def _numbers(values: Any) -> Any:
    from orthogon.data.columns import NumberColumn

    return NumberColumn(values)


@contextmanager
def _value_errors() -> Iterator[None]:
    """Our errors as scikit-learn expects them."""
    try:
        yield
    except DataError as error:
        raise ValueError(f"{error} (class {type(error).__name__})") from error
    except OrthogonError as error:
        raise ValueError(str(error)) from error
