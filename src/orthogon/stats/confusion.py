"""Metrics of a confusion matrix (rows: truth, columns: prediction) or of a stack of them, with intervals.

A class that never occurs, or is never predicted, has an undefined recall or precision: it counts as 0 where
it occurs in the truth or the predictions, and is left out of an average where it occurs in neither (as in
scikit-learn).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from orthogon.errors import DataError
from orthogon.stats.estimate import Estimate
from orthogon.stats.resample import Replicates, acceleration, to_estimate

Floats = NDArray[np.float64]
CELLS = 4_000_000
DRAWS = 20_000_000


def bootstrap_confusion(
    matrix: ArrayLike,
    statistic: Callable[[Floats], Floats],
    *,
    replicates: int = 2000,
    seed: int = 0,
    confidence: float = 0.95,
    unit: str = "rate",
) -> Estimate:
    """A metric of a confusion matrix with its BCa interval, from multinomial redraws of the cells.

    matrix:    K × K counts. statistic: (m × K × K) matrices -> (m,) values, e.g. `macro_f1` or
               `lambda c: precision(c)[:, 3]`.
    Cost does not depend on n. With over 10,000 filled cells fewer replicates (at least 400) are drawn; with
    over 2,000 the interval is bias-corrected without acceleration; `method` says so.
    Source: Efron (1987), JASA 82.
    """
    counts = _checked(matrix)
    size, filled = len(counts), np.flatnonzero(counts)
    cell_counts, n = counts.ravel()[filled], int(counts.sum())
    replicates = max(min(replicates, 400), min(replicates, DRAWS // max(len(filled), 1)))
    value = float(statistic(counts[None].astype(float))[0])
    draw = np.random.default_rng(seed).multinomial
    rows = max(1, CELLS // size**2)
    drawn = [
        statistic(_matrices(draw(n, cell_counts / n, size=min(rows, replicates - start)), filled, size))
        for start in range(0, replicates, rows)
    ]
    found = Replicates(value, np.concatenate(drawn), _cell_acceleration(cell_counts, filled, size, statistic, rows))
    return to_estimate(found, n, "examples", confidence, unit)


def _matrices(drawn: NDArray, filled: NDArray, size: int) -> Floats:
    matrices = np.zeros((len(drawn), size * size))
    matrices[:, filled] = drawn
    return matrices.reshape(-1, size, size)


def _cell_acceleration(
    cells: NDArray, filled: NDArray, size: int, statistic: Callable[[Floats], Floats], rows: int
) -> float | None:
    """Leaving an example out changes one cell: a jackknife over the filled cells, weighted by counts."""
    if len(cells) > 2000:
        return None
    left = cells - np.eye(len(cells), dtype=np.int64)
    values = [statistic(_matrices(left[start : start + rows], filled, size)) for start in range(0, len(left), rows)]
    flat = np.concatenate(values)
    return acceleration(flat, cells.astype(float)) if np.isfinite(flat).all() else None


def _checked(matrix: ArrayLike) -> NDArray[np.int64]:
    counts = np.asarray(matrix)
    square = counts.ndim == 2 and counts.shape[0] == counts.shape[1]
    if not square or (counts < 0).any() or (counts != np.floor(counts)).any() or counts.sum() == 0:
        raise DataError("a confusion matrix is square, of counts, and not empty", remedy="Give K x K whole numbers.")
    return counts.astype(np.int64)


def confusion_counts(truth: ArrayLike, prediction: ArrayLike, classes: int) -> NDArray[np.int64]:
    """The classes × classes matrix of counts (rows: truth) from two arrays of class numbers."""
    rows, columns = np.asarray(truth, np.int64).ravel(), np.asarray(prediction, np.int64).ravel()
    both = np.concatenate([rows, columns])
    if len(rows) != len(columns) or (both < 0).any() or (both >= classes).any():
        raise DataError(
            f"classes must be numbered 0 to {classes - 1}, one truth per prediction",
            remedy="Leave unknown labels out, or give the right number of classes.",
        )
    return np.bincount(rows * classes + columns, minlength=classes**2).reshape(classes, classes)


def _ratio(top: Floats, bottom: Floats) -> Floats:
    return np.divide(top, bottom, out=np.zeros_like(top, dtype=float), where=bottom > 0)


def _margins(matrices: ArrayLike) -> tuple[Floats, Floats, Floats]:
    stack = np.asarray(matrices, float)
    return np.diagonal(stack, axis1=-2, axis2=-1), stack.sum(-1), stack.sum(-2)


def accuracy(matrices: ArrayLike) -> Floats:
    """The share of examples on the diagonal: (… × K × K) -> (…)."""
    right, actual, _ = _margins(matrices)
    return _ratio(right.sum(-1), actual.sum(-1))


def precision(matrices: ArrayLike) -> Floats:
    """Per class, the share of its predictions that are right: (… × K × K) -> (… × K); 0 where it has none."""
    right, _, predicted = _margins(matrices)
    return _ratio(right, predicted)


def recall(matrices: ArrayLike) -> Floats:
    """Per class, the share of its examples that are found: (… × K × K) -> (… × K); 0 where it has none."""
    right, actual, _ = _margins(matrices)
    return _ratio(right, actual)


def f1(matrices: ArrayLike) -> Floats:
    """Per class, the harmonic mean of precision and recall: (… × K × K) -> (… × K)."""
    right, actual, predicted = _margins(matrices)
    return _ratio(2 * right, actual + predicted)


def macro_f1(matrices: ArrayLike) -> Floats:
    """The plain mean of F1 over the classes that occur in truth or prediction: (… × K × K) -> (…)."""
    _, actual, predicted = _margins(matrices)
    return _ratio(f1(matrices).sum(-1), np.sum(actual + predicted > 0, axis=-1).astype(float))


def weighted_f1(matrices: ArrayLike) -> Floats:
    """The mean of F1 weighted by how often each class occurs: (… × K × K) -> (…)."""
    _, actual, _ = _margins(matrices)
    return _ratio((f1(matrices) * actual).sum(-1), actual.sum(-1))


def balanced_accuracy(matrices: ArrayLike) -> Floats:
    """The plain mean of recall over the classes that occur: (… × K × K) -> (…)."""
    _, actual, _ = _margins(matrices)
    return _ratio(recall(matrices).sum(-1), np.sum(actual > 0, axis=-1).astype(float))
