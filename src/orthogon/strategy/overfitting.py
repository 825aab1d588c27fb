"""How much too good the best dev score is for having been chosen: a forecast that spends no test data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from orthogon.stats.bbc import bias_corrected_choice
from orthogon.stats.estimate import Estimate
from orthogon.stats.intervals import newcombe
from orthogon.strategy.dev_ledger import Trial
from orthogon.strategy.work_list import Work
from orthogon.train.rows import Rows


@dataclass(frozen=True)
class Overfitting:
    """What choosing by dev cost the dev score, in errors.

    run:       whose evidence this is; chosen: the best of the models on its dev set.
    models, n: how many were measured on it, and its examples.
    naive, corrected: the error of the best as it stands, and what to expect on new examples; optimism: the difference.
    epochs:    looks at dev at epochs, among which weights were chosen: not in `models`, their answers are not kept.
    gap:       test minus dev of this run, where test was looked at; looks: at the test set, by all runs.
    tolerance: what does not matter. alarm: whether the optimism or the gap is above it with its whole interval.
    """

    run: str
    chosen: str
    models: int
    n: int
    naive: Estimate
    corrected: Estimate | None
    optimism: Estimate | None
    epochs: int
    gap: Estimate | None
    looks: int
    tolerance: float
    alarm: bool

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "sentence": self.sentence, "work": [each.to_dict() for each in self.work]}

    @property
    def sentence(self) -> str:
        """What a person must know, in one to three sentences."""
        if self.optimism is None or self.corrected is None:
            said = f"One model was measured on these {self.n:,} dev examples: nothing was chosen by them."
        else:
            size = _number(max(0.0, self.optimism.value))
            said = (f"Best of K = {self.models:,} on {self.n:,} dev examples: {self.chosen}, "
                    f"{_number(self.naive.value)} %. Its score is too good by about {size} points; corrected "
                    f"{_interval(self.corrected)} %.")
        if self.epochs:
            said += f" {self.epochs:,} looks at dev at epochs, by which weights were chosen, are not counted as models."
        if self.gap is not None:
            said += f" Test error minus dev error: {_interval(self.gap)} points."
        if self.alarm:
            said += " More than is tolerated: the dev set is worn out."
        return said

    @property
    def work(self) -> tuple[Work, ...]:
        if not self.alarm:
            return ()
        return (Work("a fresh or a larger dev set; choose no more by this one", "dev overfitting", "not known", None,
                     f"{self.n:,} labels or more", "overfitting", note=self.sentence),)

    def __str__(self) -> str:
        looks = f"{self.looks} look{'s' if self.looks != 1 else ''} at the test set"
        return f"{self.sentence} {looks}." if self.looks else self.sentence


def overfitting(
    run: str, dev: Rows, trials: Sequence[Trial], *, test: Rows | None = None, looks: int = 0
) -> Overfitting | None:
    """None where answers are not right or wrong.

    trials: of all models on that dev set, that of `run` among them. test: its rows, where they were looked at.
    The tolerance is a tenth of the dev error, and at least half a point.
    """
    own = Trial.of(run, dev)
    if own is None:
        return None
    trials = list(trials) or [own]
    epochs = sum(each.epochs for each in trials)
    best, naive, corrected, optimism = own, None, None, None
    if len(trials) > 1:
        groups = None if dev.group is None else dev.group[np.argsort(dev.ids)]
        found = bias_corrected_choice(np.stack([each.bits for each in trials]), n=own.n, groups=groups)
        best = trials[found.chosen]
        naive, corrected, optimism = _as_error(found.naive), _as_error(found.corrected), found.optimism
    error = 1 - own.right() / own.n
    tolerance = max(0.005, 0.1 * error)
    gap = None if test is None or dev.group is not None else _gap(dev, test)
    alarm = any(each is not None and each.low > tolerance for each in (optimism, gap))
    return Overfitting(run, best.run, len(trials), own.n, naive or _plain(error, own.n), corrected, optimism, epochs,
                       gap, looks, tolerance, alarm)


def _as_error(rate: Estimate) -> Estimate:
    return Estimate(1 - rate.value, 1 - rate.high, 1 - rate.low, rate.n, rate.method, rate.unit)


def _plain(error: float, n: int) -> Estimate:
    return Estimate(error, float("nan"), float("nan"), n, "counted", "rate")


def _gap(dev: Rows, test: Rows) -> Estimate:
    """With Newcombe's interval, which is for examples that do not come in groups."""
    wrong = [int((rows["score"] == 0).sum()) for rows in (dev, test)]
    value, low, high = (float(end) for end in newcombe(wrong[0], len(dev), wrong[1], len(test)))
    return Estimate(value, low, high, len(dev) + len(test), "Newcombe", "rate")


def _number(share: float) -> str:
    return f"{100 * share:.1f}".replace("-0.0", "0.0")


def _interval(share: Estimate) -> str:
    return f"{_number(share.value)} [{_number(share.low)}, {_number(share.high)}]"
