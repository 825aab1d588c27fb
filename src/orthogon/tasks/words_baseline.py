"""The baseline of every task on texts: TF-IDF of words and pairs of words, and a linear support vector machine."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from orthogon.data.columns import Column
from orthogon.tasks.design_matrix import design_matrix
from orthogon.tasks.encoded import Encoded
from orthogon.tasks.fitted_baseline import FittedBaseline
from orthogon.tasks.supervised import Supervised
from orthogon.train.task import Task

HELD_OUT = 5
"""Every fifth train row decides how much a decision of the machine counts as a probability."""

WORD = r"\w+"


class Words(FittedBaseline):
    """TF-IDF with log(1 + count) as scikit-learn's `sublinear_tf` takes it, beside the other inputs as numbers.

    Of one label a linear SVM (squared hinge, C = 1), one class against the rest; of several one for each; of numbers
    ridge regression. Texts that are read letter by letter are taken as groups of 1 to 4 letters within words; texts of
    which none in train holds a word (emoji, "?!") as groups of 1 to 4 characters. The prediction is the machine's own
    decision; probabilities are the softmax (of two sides, the sigmoid) of decisions times one factor, which is fitted
    on held-out train rows.
    """

    name = "tf-idf svm"
    line = "a linear SVM on TF-IDF of words and pairs of words"

    def fit(self, task: Task, rows: np.ndarray) -> None:
        assert isinstance(task, Supervised)  # noqa: S101
        letters = task.inputs.settings.tokens == "character"
        self._vectorizers = {name: _vectorizer(_texts(column, np.asarray(rows)), letters)
                             for name, column in task.inputs.texts.items()}
        super().fit(task, rows)

    def _inputs(self, task: Supervised, rows: np.ndarray) -> Any:
        return word_matrix(task, rows, self._vectorizers)

    def _classifier(self, task: Supervised, inputs: Any, outputs: int) -> Any:
        return _SupportVectors()

    def _regressor(self, task: Supervised, inputs: Any) -> Any:
        from sklearn.linear_model import Ridge

        return Ridge(solver="lsqr")


class WordsToNumbers(Words):
    """The same, where numbers are predicted."""

    name = "tf-idf ridge"
    line = "ridge regression on TF-IDF of words and pairs of words"


def word_matrix(task: Encoded, rows: np.ndarray, vectorizers: dict[str, Any]) -> Any:
    """Sparse (n, D): TF-IDF of each text, then the other inputs of the task as `design_matrix` gives them."""
    from scipy.sparse import csr_matrix, hstack

    texts = [vectorizer.transform(_texts(task.inputs.texts[name], rows)) for name, vectorizer in vectorizers.items()]
    return csr_matrix(hstack([*texts, csr_matrix(design_matrix(task, rows, one_hot=True))]))


def _vectorizer(texts: list[str], letters: bool) -> Any:
    """Fitted on the texts. Not all of them are empty: the task refuses a column without a token."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    worded = any(re.search(WORD, text) for text in texts)
    if letters or not worded:
        analyzer = "char_wb" if worded else "char"
        return TfidfVectorizer(analyzer=analyzer, ngram_range=(1, 4), sublinear_tf=True).fit(texts)
    return TfidfVectorizer(token_pattern=WORD, ngram_range=(1, 2), sublinear_tf=True).fit(texts)


def _texts(column: Column, rows: np.ndarray) -> list[str]:
    return [str(column.cell(int(row))) for row in rows]


class _SupportVectors:
    """scikit-learn's LinearSVC with probabilities.

    factor: what decisions are multiplied by before softmax or sigmoid (Platt 1999 with one number, so that the
    likeliest class stays the one decided for).
    """

    def fit(self, inputs: Any, target: np.ndarray, sample_weight: np.ndarray | None = None) -> _SupportVectors:
        held = np.arange(len(target)) % HELD_OUT == 0
        self.factor = _factor(inputs, target, sample_weight, held)
        self.machine = _machine(inputs, target, sample_weight)
        self.classes_ = self.machine.classes_
        return self

    def predict_proba(self, inputs: Any) -> np.ndarray:
        from scipy.special import softmax

        return softmax(self.factor * _decisions(self.machine, inputs), axis=1)


def _machine(inputs: Any, target: np.ndarray, weight: np.ndarray | None) -> Any:
    from sklearn.svm import LinearSVC

    return LinearSVC(random_state=0).fit(inputs, target, sample_weight=weight)


def _decisions(machine: Any, inputs: Any) -> np.ndarray:
    """(n, K); of two classes half the decision for each, so that softmax is the sigmoid of the decision."""
    found = machine.decision_function(inputs)
    return np.stack([-found / 2, found / 2], axis=1) if found.ndim == 1 else found


def _factor(inputs: Any, target: np.ndarray, weight: np.ndarray | None, held: np.ndarray) -> float:
    """With which the held-out rows are likeliest, by a machine fitted on the others; 1 where these hold one class."""
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    learnt = ~held
    known = held & np.isin(target, target[learnt])
    if len(np.unique(target[learnt])) < 2 or not known.any():
        return 1.0
    machine = _machine(inputs[learnt], target[learnt], None if weight is None else weight[learnt])
    decisions = _decisions(machine, inputs[known])
    own = decisions[np.arange(len(decisions)), np.searchsorted(machine.classes_, target[known])]
    found: Any = minimize_scalar(
        lambda power: (logsumexp(np.exp(power) * decisions, axis=1) - np.exp(power) * own).mean(), bounds=(-2, 5),
        method="bounded")
    return float(np.exp(found.x))
