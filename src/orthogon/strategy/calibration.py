"""Can the stated probabilities be believed: how sure the network says it is, and how often it is right.

Rows 12.09 (Brier score), 12.10 (ROC AUC, in `stats.roc`), 12.11 (calibration), 12.12 (cross-entropy as a metric). One
temperature mends what can be mended without changing a prediction; it is judged on examples it was not fitted to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from orthogon.errors import DataError
from orthogon.stats import bootstrap_mean, compare_paired_values, rate
from orthogon.stats.calibration import BrierSplit, Reliability, brier_split, reliability
from orthogon.stats.estimate import Estimate
from orthogon.stats.temperature import COLDEST, HOTTEST, apply_temperature, cross_entropies, fit_temperature, logits_of
from orthogon.train.rows import Rows

FOLDS, SEED = 5, 0
FEWEST = 30
"""Examples that a temperature needs."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """How far one part's probabilities can be believed; of each example the probability of the predicted class.

    stated, right: the mean of it, and the share that was right. over: stated minus right, positive = overconfident.
    curve:  how often what was stated came true, with its band and p-value. brier: of the same, split in its parts.
    cross_entropy: mean of minus the logarithm of the probability of the true class, in nats.
    """

    part: str
    stated: Estimate
    right: Estimate
    over: Estimate
    curve: Reliability
    brier: BrierSplit
    cross_entropy: Estimate

    @property
    def state(self) -> Literal["overconfident", "underconfident", "no bias seen"]:
        return "overconfident" if self.over.low > 0 else "underconfident" if self.over.high < 0 else "no bias seen"

    @property
    def sentence(self) -> str:
        stated, right = 100 * self.stated.value, 100 * self.right.value
        said = f"on {self.part} it states {stated:.1f} % and is right in {right:.1f} %"
        size = f"{abs(100 * self.over.value):.1f} points"
        ends = sorted(abs(100 * end) for end in (self.over.low, self.over.high))
        if self.state == "no bias seen":
            bounds = f"[{100 * self.over.low:.1f}, {100 * self.over.high:.1f}]"
            uneven = "; but what it states is not what comes true everywhere" if self.curve.p_value < 0.05 else ""
            return f"neither over- nor underconfident as far as {self.over.n:,} examples show: {said}, {bounds}{uneven}"
        return f"{self.state} by {size} [{ends[0]:.1f}, {ends[1]:.1f}]: {said}"

    def to_dict(self) -> dict[str, Any]:
        estimates = {name: getattr(self, name).to_dict() for name in ("stated", "right", "over", "cross_entropy")}
        return {"part": self.part, "state": self.state, "sentence": self.sentence, **estimates,
                "curve": self.curve.to_dict(), "brier": self.brier.to_dict()}


def calibration(rows: Rows) -> Calibration:
    """Of rows of single labels with probabilities; groups are resampled as wholes. DataError for other rows."""
    probabilities, target = _checked(rows)
    sure = probabilities.max(axis=1)
    right = (probabilities.argmax(axis=1) == target).astype(np.float64)
    losses = cross_entropies(logits_of(probabilities), target)
    return Calibration(
        rows.split, bootstrap_mean(sure, groups=rows.group, unit="rate"), rate(right, groups=rows.group),
        bootstrap_mean(sure - right, groups=rows.group, unit="rate"), reliability(sure, right),
        brier_split(sure, right), bootstrap_mean(losses, groups=rows.group, unit="nats"),
    )


def temperature_of(rows: Rows) -> float:
    """The temperature at which the rows' cross-entropy is least; above 1 where they are too sure."""
    probabilities, target = _checked(rows)
    return fit_temperature(logits_of(probabilities), target)


def at_temperature(rows: Rows, temperature: float | Floats) -> Rows:
    """The rows as if the logits had been divided by the temperature: (one number, or one for each example)."""
    probabilities, _ = _checked(rows)
    divided = logits_of(probabilities) / np.reshape(temperature, (-1, 1))
    return replace(rows, values={**rows.values, "probabilities": apply_temperature(divided, 1.0)})


def cross_fitted(rows: Rows) -> Rows:
    """The rows at temperatures fitted without them: on the other folds of five, groups on one side."""
    group = np.arange(len(rows)) if rows.group is None else np.unique(rows.group, return_inverse=True)[1]
    fold = np.random.default_rng(SEED).permutation(int(group.max()) + 1)[group] % FOLDS
    fitted = np.array([temperature_of(rows.take(fold != k)) if (fold == k).any() else 1.0 for k in range(FOLDS)])
    return at_temperature(rows, fitted[fold])


@dataclass(frozen=True)
class Mended:
    """What a temperature does on examples that it was not fitted to.

    temperature: fitted on all of dev. on: "test", or "dev, cross-fitted". before, after: without it and with it.
    gain: how much less the cross-entropy is, in nats, in pairs; positive = better.
    """

    temperature: float
    on: str
    before: Calibration
    after: Calibration
    gain: Estimate

    @property
    def bounded(self) -> bool:
        """Whether dev bounds the temperature from both sides: not so where every example is right."""
        return COLDEST < self.temperature < HOTTEST

    @property
    def sentence(self) -> str:
        if not self.bounded:
            return "no temperature: dev holds no mistake (or nothing else) that would say how sure it may be"
        over = (100 * self.before.over.value, 100 * self.after.over.value)
        unseen = "makes no difference that could be seen"
        worth = "helps" if self.gain.low > 0 else "harms" if self.gain.high < 0 else unseen
        loss = (self.before.cross_entropy.value, self.after.cross_entropy.value)
        return (f"temperature {self.temperature:.2f} {worth}: on {self.on}, stated minus right from {over[0]:+.1f} "
                f"to {over[1]:+.1f} points, cross-entropy from {loss[0]:.4f} to {loss[1]:.4f}")

    def to_dict(self) -> dict[str, Any]:
        return {"temperature": self.temperature, "on": self.on, "before": self.before.to_dict(),
                "after": self.after.to_dict(), "gain": self.gain.to_dict(), "sentence": self.sentence}


def mended(dev: Rows, test: Rows | None = None) -> Mended:
    """The temperature of dev, judged on test where that was measured already, else on dev by cross-fitting.

    DataError for fewer than 30 examples of dev.
    """
    if len(dev) < FEWEST:
        raise DataError(f"{len(dev)} examples are too few for a temperature, {FEWEST} are needed", where=dev.split,
                        remedy="Give dev more examples.")
    temperature = temperature_of(dev)
    before, after, on = (dev, cross_fitted(dev), "dev, cross-fitted") if test is None else (
        test, at_temperature(test, temperature), "test")
    losses = [cross_entropies(logits_of(rows["probabilities"]), rows["target"]) for rows in (before, after)]
    paired = compare_paired_values(*losses, groups=before.group, higher_is_better=False, unit="nats")
    gain = Estimate(-paired.difference, -paired.high, -paired.low, paired.n, paired.method, "nats")
    return Mended(temperature, on, calibration(before), calibration(after), gain)


def _checked(rows: Rows) -> tuple[Floats, NDArray[np.int64]]:
    """Probabilities float64 (n, K) whose rows sum to 1, and class numbers (n,)."""
    found, target = rows.get("probabilities"), np.asarray(rows["target"])
    if found is None or not rows.classes or target.ndim != 1:
        numbers = not rows.classes or target.ndim != 1
        raise DataError("calibration is of probabilities of one class each, and these rows have none",
                        where=rows.split, remedy="For numbers look at the distance from what was predicted." if numbers
                        else "Add a column p_CLASS for each class to the predictions.")
    probabilities = np.asarray(found, np.float64)
    if probabilities.ndim == 1:
        probabilities = np.column_stack([1 - probabilities, probabilities])
    return probabilities / probabilities.sum(axis=1, keepdims=True), target.astype(np.int64)
