"""Columns that give the target away: one alone predicts it nearly perfectly on rows that it was not fitted to."""

from __future__ import annotations

import numpy as np

from orthogon.data.columns import CategoryColumn, Column, DateColumn, NumberColumn
from orthogon.data.dataset import Dataset, Finding

NEARLY_PERFECT = 0.98  # share of the baseline's error, or of the variance, that one column takes away
FEWEST, MOST_ROWS, MOST_NUMBERS = 20, 20_000, 200
FOLDS = 3


def check_leaks(data: Dataset) -> list[Finding]:
    """A finding for each input that alone predicts the target, with how well.

    Numbers and dates by a small decision tree, categories by the majority (or the mean) of each level; both scored
    out of fold, on at most 20,000 rows, at most 200 numbers of a block. Fewer than 20 rows prove nothing. An exact
    copy of the target is an error, all else a warning: a column may be that good by right.
    Source: catalogue row 11.04, the inputs must be those of the future use.
    """
    if data.target is None:
        return []
    target = data.columns[data.target]
    values = _target_values(target)
    if values is None:
        return []
    rows = np.flatnonzero(~target.missing())
    if isinstance(target, CategoryColumn):  # a class that some fold has none of cannot be predicted there
        rows = rows[(target.counts() >= FOLDS)[target.codes[rows]]]
    if len(rows) < FEWEST:
        return []
    rng = np.random.default_rng(0)
    if len(rows) > MOST_ROWS:
        rows = np.sort(rng.choice(rows, MOST_ROWS, replace=False))
    fold = rng.permutation(len(rows)) % FOLDS
    found = []
    for name, column in data.inputs.items():
        if _is_copy(column, target):
            found.append(Finding("target-copy", "error", "an exact copy of the target", where=data.name, column=name,
                                 value=str(column.cell(int(rows[0]))), remedy="Leave it out."))
            continue
        for label, numbers in _candidates(name, column):
            score = _score(numbers[rows], isinstance(column, CategoryColumn), values[rows], fold)
            if score >= NEARLY_PERFECT:
                found.append(_finding(data, label, column, numbers, score))
    return found


def _finding(data: Dataset, label: str, column: Column, numbers: np.ndarray, score: float) -> Finding:
    numeric = isinstance(data.columns[data.target or ""], NumberColumn)
    measure = "of the target's variance" if numeric else "of the errors of guessing the commonest class"
    what = f"alone it takes away {100 * score:.1f} % {measure}"
    remedy = "Leave it out, unless it is truly known before the target is."
    if not isinstance(column, CategoryColumn) and _counts_up(numbers):
        what = f"it rises from row to row, and the rows are sorted by the target: {what}"
        remedy = "Leave it out: it is an index or a time, not a property."
    return Finding("target-leak", "warning", what, where=data.name, column=label, value=str(column.cell(0)),
                   remedy=remedy)


def _target_values(target: Column) -> np.ndarray | None:
    """Int codes of a category, float values of a number; None for other kinds and for what does not vary."""
    if isinstance(target, CategoryColumn):
        return target.codes if (target.counts() > 0).sum() > 1 else None
    if isinstance(target, NumberColumn) and target.width == 1:
        known = target.values[~target.missing()].reshape(-1)
        varies = np.isfinite(known).all() and len(np.unique(known)) > 1
        return target.values.reshape(-1).astype(np.float64) if varies else None
    return None


def _is_copy(column: Column, target: Column) -> bool:
    if isinstance(column, NumberColumn) and isinstance(target, NumberColumn):
        same_shape = column.values.shape == target.values.shape
        return same_shape and np.array_equal(column.values, target.values, equal_nan=True)
    if isinstance(column, CategoryColumn) and isinstance(target, CategoryColumn):
        return column.digests().tobytes() == target.digests().tobytes()
    return False


def _candidates(name: str, column: Column) -> list[tuple[str, np.ndarray]]:
    """(label, int ranks or codes (n,), −1 = missing) of each number in the column."""
    if isinstance(column, CategoryColumn):
        return [(name, column.codes)]
    if isinstance(column, DateColumn):
        return [(name, _ranks(column.values.astype(np.int64), column.missing()))]
    if not isinstance(column, NumberColumn):
        return []
    if column.width == 1:
        values = column.values.reshape(-1)
        return [(name, _ranks(values, np.isnan(values)))]
    block = column.values[:, :MOST_NUMBERS]
    labels = [f"{name}.{column.names[index] if column.names else index}" for index in range(block.shape[1])]
    return [(label, _ranks(values, np.isnan(values))) for label, values in zip(labels, block.T)]


def _ranks(values: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Ranks serve a tree as well as values, and large or infinite ones lose nothing in float32."""
    ranks = np.unique(values, return_inverse=True)[1].astype(np.int64)
    ranks[missing] = -1
    return ranks


def _counts_up(ranks: np.ndarray) -> bool:
    return bool((np.diff(ranks) > 0).all())


def _score(inputs: np.ndarray, is_category: bool, target: np.ndarray, fold: np.ndarray) -> float:
    """Share of the baseline's error (or variance) that the column takes away, out of fold; about 0 for noise."""
    if len(np.unique(inputs)) < 2:
        return 0.0
    predict = _by_level if is_category else _by_tree
    predicted = np.empty(len(target))
    for index in range(FOLDS):
        held = fold == index
        predicted[held] = predict(inputs[~held], target[~held], inputs[held])
    if target.dtype.kind == "f":
        return 1 - float(((predicted - target) ** 2).mean() / target.var())
    wrong, guessing = (predicted != target).mean(), 1 - np.unique(target, return_counts=True)[1].max() / len(target)
    return float(1 - wrong / guessing) if guessing > 0 else 0.0


def _by_level(inputs: np.ndarray, target: np.ndarray, held: np.ndarray) -> np.ndarray:
    """The majority class or the mean of each level; that of all rows for levels that were not seen."""
    levels = int(max(inputs.max(), held.max())) + 2  # code −1, missing, is a level too
    if target.dtype.kind == "f":
        counts = np.bincount(inputs + 1, minlength=levels)
        sums = np.bincount(inputs + 1, weights=target, minlength=levels)
        return np.where(counts > 0, sums / np.maximum(counts, 1), target.mean())[held + 1]
    pairs, counts = np.unique(np.column_stack([inputs + 1, target]), axis=0, return_counts=True)
    majority = np.full(levels, np.bincount(target).argmax())
    for (level, label), _ in sorted(zip(pairs.tolist(), counts.tolist()), key=lambda item: item[1]):
        majority[level] = label  # the most frequent comes last
    return majority[held + 1]


def _by_tree(inputs: np.ndarray, target: np.ndarray, held: np.ndarray) -> np.ndarray:
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    if target.dtype.kind == "f":
        tree = DecisionTreeRegressor(max_leaf_nodes=256, random_state=0)
    else:
        tree = DecisionTreeClassifier(max_leaf_nodes=max(4, 2 * len(np.unique(target))), random_state=0)
    return tree.fit(inputs[:, None], target).predict(held[:, None])
