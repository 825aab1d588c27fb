"""Does dev look different from train, and in what: each feature by itself, and all of them in a classifier.

That two sets differ is not that it costs anything: the gap from train-dev to dev says that (`diagnose`). What differs
says what to collect, to synthesize, or to put into augmentation (row 11.10; Machine Learning Yearning, chapters 36-43).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from orthogon.errors import DataError
from orthogon.stats import benjamini_hochberg, bonferroni, roc_auc
from orthogon.stats.estimate import Estimate
from orthogon.strategy.features import Features

FEWEST = 20
"""Examples that either side needs."""

LEVEL = 0.05
"""Share of false ones among the features that are said to differ."""

TELLS_APART = 0.6
"""Area from which two sets look different: told apart in six of ten pairs, where chance is five."""

LABEL = "the label"
FOLDS, SEED = 5, 0
Bools = NDArray[np.bool_]
Question = Literal["value", "spread", "share"]


@dataclass(frozen=True)
class FeatureDifference:
    """One feature on both sides.

    question: "value" (higher or lower in the second set), "spread" (farther from the middle of its own set), "share"
              (of levels or of missing values).
    auc:      the chance that an example of the second set is above one of the first (of levels: carries the level that
              differs most); 0.5 = alike.
    p, adjusted: of no difference, and after Benjamini-Hochberg over all features. how: in words.
    """

    name: str
    question: Question
    auc: Estimate
    p: float
    adjusted: float
    how: str

    @property
    def differs(self) -> bool:
        return self.adjusted < LEVEL

    @property
    def strength(self) -> float:
        """How far the area is from chance, 0 to 0.5."""
        return abs(self.auc.value - 0.5)

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "question": self.question, "auc": self.auc.to_dict(), "p": self.p,
                "adjusted": self.adjusted, "differs": self.differs, "how": self.how}


def feature_differences(found: Features, second: Bools) -> tuple[FeatureDifference, ...]:
    """Every feature by itself, the most different first.

    second: bool (n,): which examples are of the second set. Intervals by DeLong, p-values by Mann-Whitney's test (of
    levels by chi-square), none of them fitted to the examples that it is judged on.
    """
    differences: list[FeatureDifference] = []
    for name, values in found.items():
        if values.dtype.kind == "f":
            differences += _of_numbers(name, values, second)
        else:
            differences += _of_levels(name, values.astype(str), second)
    if not differences:
        return ()
    adjusted = benjamini_hochberg([each.p for each in differences])
    named = [replace(each, adjusted=float(p)) for each, p in zip(differences, adjusted)]
    return tuple(sorted(named, key=lambda each: (not each.differs, -each.strength)))


def _of_numbers(name: str, values: NDArray, second: Bools) -> list[FeatureDifference]:
    from scipy.stats import mannwhitneyu

    known, found = ~np.isnan(values), []
    if not known.all():
        found += _of_levels(f"{name} is missing", np.where(known, "no", "yes"), second)
    x, y = values[known & ~second], values[known & second]
    if not len(x) or not len(y) or np.ptp(np.concatenate([x, y])) == 0:
        return found
    away, further = (np.abs(side - np.median(side)) for side in (x, y))
    questions: list[tuple[Question, NDArray, NDArray, str]] = [
        ("value", x, y, "median"), ("spread", away, further, "median distance from the middle")]
    for question, first, other, what in questions:
        label = np.repeat([0, 1], [len(first), len(other)])
        p = float(mannwhitneyu(other, first).pvalue)
        how = f"{what} {np.median(first):.3g} -> {np.median(other):.3g}"
        found.append(FeatureDifference(name, question, roc_auc(np.concatenate([first, other]), label), p, p, how))
    return found


def _of_levels(name: str, values: NDArray, second: Bools) -> list[FeatureDifference]:
    """The level whose share differs most; its interval is wide enough to hold for all levels at once."""
    from scipy.stats import chi2_contingency

    levels, codes = np.unique(values, return_inverse=True)
    if len(levels) < 2:
        return []
    counts = np.stack([np.bincount(codes[side], minlength=len(levels)) for side in (~second, second)])
    few = counts.sum(axis=0) * counts.sum(axis=1).min() / counts.sum() < 5
    pooled = np.column_stack([counts[:, ~few], counts[:, few].sum(axis=1)]) if few.any() else counts
    pooled = pooled[:, pooled.sum(axis=0) > 0]
    p = float(chi2_contingency(pooled, correction=False)[1]) if pooled.shape[1] > 1 else 1.0  # type: ignore[arg-type]
    shares = counts / counts.sum(axis=1, keepdims=True)
    most = int(np.abs(shares[1] - shares[0]).argmax())
    area = roc_auc(codes == most, second, confidence=bonferroni(len(levels)))
    how = f"{str(levels[most])!r} {100 * shares[0, most]:.1f} % -> {100 * shares[1, most]:.1f} %"
    return [FeatureDifference(name, "share", area, p, p, how)]


def _folds(second: Bools) -> NDArray[np.int64]:
    """The fold of each example, both sides spread evenly over them."""
    fold, random = np.empty(len(second), dtype=np.int64), np.random.default_rng(SEED)
    for side in (second, ~second):
        fold[side] = random.permutation(int(side.sum())) % FOLDS
    return fold


@dataclass(frozen=True)
class Mismatch:
    """How two sets differ.

    first, second: their names. n: examples of each that were looked at. features: see `feature_differences`.
    together: which classifier on what -> area under its ROC curve on held-out examples. The first one decides `state`.
    score:    (n,) held-out: how much each example looks like the second set.
    state:    "different" (area surely above 0.6), "alike" (surely below), "undecided".
    """

    first: str
    second: str
    n: tuple[int, int]
    features: tuple[FeatureDifference, ...]
    together: Mapping[str, Estimate]
    score: NDArray[np.float64]

    @property
    def state(self) -> Literal["different", "alike", "undecided"]:
        area = next(iter(self.together.values()))
        return "different" if area.low > TELLS_APART else "alike" if area.high < TELLS_APART else "undecided"

    @property
    def sentence(self) -> str:
        area = next(iter(self.together.values()))
        said = {"different": f"{self.second} looks different from {self.first}",
                "alike": f"{self.second} looks like {self.first}",
                "undecided": f"whether {self.second} looks different from {self.first} is not known"}[self.state]
        differing = list(dict.fromkeys(each.name for each in self.features if each.differs))
        named = f"; most in {', '.join(differing[:3])}" if differing else "; no single feature differs"
        return f"{said}: told apart with AUC {area.value:.2f} [{area.low:.2f}, {area.high:.2f}] (0.5 = chance){named}"

    def to_dict(self) -> dict[str, Any]:
        return {"first": self.first, "second": self.second, "n": list(self.n), "state": self.state,
                "sentence": self.sentence, "together": {name: area.to_dict() for name, area in self.together.items()},
                "features": [each.to_dict() for each in self.features]}

    def __str__(self) -> str:
        from orthogon.draw.tables import text_table

        rows = [[each.name, each.question, f"{each.auc.value:.2f} [{each.auc.low:.2f}, {each.auc.high:.2f}]",
                 each.how, "differs" if each.differs else ""] for each in self.features[:15]]
        table = text_table(["feature", "", "AUC", f"{self.first} -> {self.second}", ""], rows, align="lllll")
        return f"mismatch    {self.sentence}\n\n{table}"


def mismatch(
    found: Features, second: Bools, *, names: tuple[str, str] = ("train", "dev"),
    label: NDArray | None = None, embedding: NDArray | None = None,
) -> Mismatch:
    """Two sets of examples against each other.

    found: features of all examples. second: bool (n,): which are of the second set.
    label: (n,) the target, which is compared beside the features, but is none of the classifier's.
    embedding: (n, d) of a network that has learnt from none of them; a linear classifier then tries on that as well.
    DataError where a side has fewer than 20 examples.
    """
    sizes = (int((~second).sum()), int(second.sum()))
    if min(sizes) < FEWEST:
        raise DataError(f"{sizes[0]} examples of {names[0]} and {sizes[1]} of {names[1]}, {FEWEST} each are needed",
                        where="mismatch", remedy="Give dev a larger share.")
    if not found:
        raise DataError("the inputs have no feature that can be compared", where="mismatch",
                        remedy="Numbers, categories, texts and pictures can be; predictions that were read need a "
                               "column picture or text.")
    score = held_out_scores(_boosted_trees(found), _matrix(found), second)
    together = {"all features, boosted trees": roc_auc(score, second)}
    if embedding is not None:
        scores = held_out_scores(linear(), np.asarray(embedding, np.float64), second)
        together["the network's last features, linear"] = roc_auc(scores, second)
    compared = found if label is None else {**found, LABEL: label}
    return Mismatch(*names, sizes, feature_differences(compared, second), together, score)


def _matrix(found: Features) -> NDArray[np.float64]:
    """Numbers as they are, levels as codes, the 254 most frequent apart."""
    return np.column_stack([values if values.dtype.kind == "f" else _codes(values) for values in found.values()])


def _codes(values: NDArray) -> NDArray[np.float64]:
    _, codes, counts = np.unique(values.astype(str), return_inverse=True, return_counts=True)
    rank = np.empty(len(counts), dtype=np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return np.minimum(rank[codes], 254).astype(np.float64)


def _boosted_trees(found: Features) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    levels: Any = [values.dtype.kind != "f" for values in found.values()]
    never: Any = False
    return HistGradientBoostingClassifier(max_iter=60, early_stopping=never, categorical_features=levels,
                                          random_state=SEED)


def linear() -> Any:
    """Logistic regression on standardized features, with ten times the usual penalty: they may be many."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))


def held_out_scores(classifier: Any, matrix: NDArray, second: Bools) -> NDArray[np.float64]:
    """How much each example looks like the second set, as its rank among those held out with it, 0 to 1.

    Ranks, since the scores of different classifiers are not comparable: pooled as they are, the area lies below chance
    where there is nothing to find.
    """
    from scipy.stats import rankdata

    fold, scores = _folds(second), np.zeros(len(second))
    for k in range(FOLDS):
        held = fold == k
        classifier.fit(matrix[~held], second[~held])
        scores[held] = rankdata(classifier.predict_proba(matrix[held])[:, 1]) / (int(held.sum()) + 1)
    return scores
