"""Wrong labels: a queue ranked by how little held-out models believe each label, and what its review says.

Ranking is what works; the count of flagged examples is no estimate of the rate of wrong labels, for which there is an
audit of examples drawn at random. Rows 11.11, 11.12 and 14.19; confident learning: Northcutt, Jiang & Chuang,
arXiv 1911.00068; figures of real test sets: arXiv 2103.14749.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from orthogon.errors import DataError
from orthogon.strategy.paired import aligned
from orthogon.train.rows import Rows


def confident_errors(probabilities: ArrayLike, labels: ArrayLike) -> NDArray[np.bool_]:
    """Where held-out probabilities are confident of another class: the off-diagonal of confident learning.

    probabilities: (n, K), each row out of sample. labels: codes (n,).
    A class is confident where its probability reaches its mean over the examples that carry its label; of several the
    likeliest of all counts. A class that no example carries is never confident. An example whose likeliest class is
    its label is not flagged, whatever the thresholds say. Returns bool (n,).
    Source: arXiv 1911.00068, with the tolerances of cleanlab 2.9 (`filter_by="confident_learning"`).
    """
    p, given = np.asarray(probabilities, np.float64), np.asarray(labels)
    carried = np.bincount(given, minlength=p.shape[1])
    sums = np.bincount(given, weights=p[np.arange(len(given)), given], minlength=p.shape[1])
    thresholds = np.where(carried > 0, np.maximum(sums / np.maximum(carried, 1), 2e-6), 2.0)
    confident = p >= thresholds - 1e-6
    likeliest = p.argmax(axis=1)
    believed = np.where(confident.sum(axis=1) > 1, likeliest, confident.argmax(axis=1))
    return confident.any(axis=1) & (believed != given) & (likeliest != given)


@dataclass(frozen=True)
class LabelQueue:
    """Examples, the label that is believed least first.

    ids: str (n,). part: str (n,). given, suggested, predicted: codes (n,) into `classes`: the label, the likeliest
    other class, the likeliest class. confidence: (n,) the mean probability of the given label. flagged: bool (n,) by
    `confident_errors`. models: how many held-out predictions of each example were averaged.
    """

    ids: NDArray[np.str_]
    part: NDArray[np.str_]
    given: NDArray[np.int64]
    suggested: NDArray[np.int64]
    predicted: NDArray[np.int64]
    confidence: NDArray[np.float64]
    flagged: NDArray[np.bool_]
    classes: tuple[str, ...]
    models: int

    def __len__(self) -> int:
        return len(self.ids)

    def names(self, codes: NDArray[np.int64]) -> NDArray[np.str_]:
        return np.asarray(self.classes)[codes]

    def believed(self, count: int, seed: int = 0) -> NDArray[np.int64]:
        """Places of at most so many examples that the models got right, at random: their labels may be wrong too."""
        return _some(np.flatnonzero(self.predicted == self.given), count, seed)

    def uniform(self, count: int, seed: int = 0) -> NDArray[np.int64]:
        """Places of so many examples drawn evenly from all, in no order, for the rate.

        Which examples they are depends on the ids alone: ranks that are always the same would find alike many wrong
        labels in every queue of that length.
        """
        return np.random.default_rng(seed).permutation(np.argsort(self.ids))[:count]


def _some(places: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    return np.sort(np.random.default_rng(seed).permutation(places)[:count])


def check_held_out(rows: Rows, trained_on: Iterable[str] = ()) -> None:
    """DataError where the rows are not out of sample: in-sample probabilities are near 0 and 1 and believe every label.

    trained_on: ids that the model behind the rows has learnt from.
    """
    if rows.get("probabilities") is None or not rows.classes:
        raise DataError("wrong labels are looked for where each example has one class, with probabilities",
                        where=rows.split, remedy="Add a column p_CLASS for each class to the predictions."
                        if rows.classes and np.ndim(rows["target"]) == 1
                        else "For numbers and multiple labels look at the largest losses.")
    seen = np.isin(rows.ids, list(trained_on))
    if rows.split == "train" or seen.any():
        count = len(rows) if rows.split == "train" else int(seen.sum())
        raise DataError(f"the model has learnt from {count:,} of these examples: it believes whatever label they carry",
                        where=rows.split or str(rows.ids[np.argmax(seen)]),
                        remedy="Use held-out rows: dev, or those of folds (orthogon labels trains them).")


def label_queue(repeats: Sequence[Rows], part: ArrayLike | None = None) -> LabelQueue:
    """The queue from held-out predictions, averaged over the repeats.

    repeats: Rows with "probabilities", all of the same examples in any order (other seeds, folds or models).
    part:    the part of each row of the first repeat; default: its `split`.
    Raises DataError: rows in sample, no probabilities, repeats of other examples or labels.
    """
    first = repeats[0]
    for rows in repeats:
        check_held_out(rows)
    total = np.zeros((len(first), len(first.classes)))
    for rows in repeats:
        same = len(rows) == len(first) and rows.classes == first.classes
        rows = aligned(first, rows)[1] if same else rows
        if len(rows) != len(first) or not same:
            raise DataError("the repeats are not of the same examples and classes", where="label queue",
                            remedy="Give held-out rows of one set of examples.")
        total += np.asarray(rows["probabilities"], np.float64)
    probabilities, given = total / len(repeats), np.asarray(first["target"], np.int64)
    every = np.arange(len(first))
    others = probabilities.copy()
    others[every, given] = -1.0
    confidence = probabilities[every, given]
    order = np.argsort(confidence, kind="stable")
    parts = np.full(len(first), first.split) if part is None else np.asarray(part).astype(str)
    return LabelQueue(
        first.ids[order], parts[order], given[order], others.argmax(axis=1)[order], probabilities.argmax(axis=1)[order],
        confidence[order], confident_errors(probabilities, given)[order], first.classes, len(repeats),
    )
