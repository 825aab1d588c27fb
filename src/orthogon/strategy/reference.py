"""What a model is held against: how well people do it, or a goal. Always in the language of errors: less is better."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from math import inf, isfinite
from typing import Any, Literal

from orthogon.errors import RecipeError, nearest
from orthogon.stats.estimate import Estimate
from orthogon.stats.intervals import wilson
from orthogon.strategy.levels import Level
from orthogon.train.task import Metric

SHARES = ("accuracy", "error")
"""Two names of one measurement: what is right and what is wrong of single labels."""

FORMS = "Give METRIC=VALUE (accuracy=0.98), or K/N: 6/300 for 6 wrong of 300."


@dataclass(frozen=True)
class Reference:
    """A level of error to compare with (rows 14.06, 14.13, 14.15).

    kind:  "human": the best that people can do, which bounds the Bayes error from above; or "goal".
    error: the level; a share of wrong answers, or the metric itself where less of it is better, else what it is below
           its best.
    wrong, n: where it was measured: so many wrong of so many. Without them the level is taken as exact.
    """

    kind: Literal["human", "goal"]
    error: float
    wrong: int | None = None
    n: int | None = None

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "says": str(self)}

    def estimate(self, unit: str) -> Estimate:
        """The level with its Wilson interval; without one where it is taken as exact."""
        if self.wrong is None or not self.n:
            return Estimate(self.error, self.error, self.error, 0, "taken as exact", unit)
        low, high = wilson(self.wrong, self.n)
        return Estimate(self.error, float(low), float(high), self.n, "Wilson", "rate")

    def level(self, unit: str, seed: int) -> Level:
        """The level with draws of what it may truly be."""
        if self.wrong is None or not self.n:
            return Level.taken_as_exact(self.estimate(unit))
        return Level.of_counts(self.wrong, self.n, seed)

    def __str__(self) -> str:
        """"6 wrong of 300", "taken as exact"."""
        return "taken as exact" if self.n is None else f"{self.wrong:,} wrong of {self.n:,}"


def parse_reference(kind: Literal["human", "goal"], text: str, metric: Metric) -> Reference:
    """A level from METRIC=VALUE (taken as exact) or, for people and right or wrong answers, K/N: K wrong of N.

    RecipeError: a bare number (of how many was it measured?), no examples, more wrong than there are, a rate beyond
    0 … 1, another metric than the one that the run is judged by.
    """
    text = str(text).strip()
    if counted := re.fullmatch(r"(\d+)\s*/\s*(\d+)", text):
        return _counted(kind, int(counted[1]), int(counted[2]), metric)
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals:
        raise RecipeError(f"{text!r} does not say of what it is the rate, nor on how many examples it was measured",
                          where=kind, remedy=FORMS if kind == "human" else "Give METRIC=VALUE: accuracy=0.95.")
    known = SHARES if metric.name in SHARES else (metric.name,)
    if name not in known:
        raise RecipeError(f"{name!r} is not what this run is judged by, which is {metric.name}", where=kind,
                          remedy=nearest(name, known))
    spoken_of = metric if name == metric.name else replace(
        metric, higher_is_better=not metric.higher_is_better, best=1 - metric.best)
    return Reference(kind, spoken_of.error(_value(kind, name, value, spoken_of)))


def name_in(text: str | None) -> str | None:
    """The metric that a METRIC=VALUE speaks of; None for anything else."""
    name, equals, _ = str(text or "").partition("=")
    return name.strip() if equals else None


def measured(wrong: int, n: int) -> Reference:
    """People who were wrong in `wrong` of `n`. RecipeError: n = 0, more wrong than there are."""
    if n < 1:
        raise RecipeError("a human level measured on no examples is none", where="human", remedy=FORMS)
    if not 0 <= wrong <= n:
        raise RecipeError(f"{wrong:,} wrong of {n:,}: more than there are", where="human",
                          remedy="K/N counts wrong answers: 6/300 for 6 wrong of 300.")
    return Reference("human", wrong / n, wrong, n)


def _counted(kind: str, wrong: int, n: int, metric: Metric) -> Reference:
    if kind == "goal":
        raise RecipeError(f"a goal is a value, not a measurement on {n:,} examples", where=kind,
                          remedy=f"Give METRIC=VALUE: {metric.name}=0.95.")
    if metric.name not in SHARES:
        raise RecipeError(f"K/N counts wrong answers, and this run is judged by {metric.name}", where=kind,
                          remedy=f"Give what people reach in it: {metric.name}=VALUE.")
    if 2 * wrong > n >= wrong:
        raise RecipeError(f"{wrong:,} wrong of {n:,} would be more than half", where=kind,
                          remedy=f"K/N counts wrong answers: {n - wrong}/{n}, if {wrong:,} were right; else "
                                 f"error={wrong / n:.3g}.")
    return measured(wrong, n)


def _value(kind: str, name: str, text: str, metric: Metric) -> float:
    """The number, checked. metric: what the name says, with its direction."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        raise RecipeError(f"{text!r} is not a number", where=kind, remedy=f"For example: {name}=0.98")
    low, high = _range(metric)
    if not low <= value <= high:
        lies = (f"lies between {low:g} and {high:g}, not at" if isfinite(high - low) else
                f"is not below {low:g}, as is" if isfinite(low) else f"is not above {high:g}, as is")
        raise RecipeError(f"{name} {lies} {value:g}", where=kind,
                          remedy=f"Give a share: {name}=0.98 for 98 %." if high == 1 else "Give it in its own unit.")
    return value


def _range(metric: Metric) -> tuple[float, float]:
    """Between which values it lies: from 0 to 1 for a share, else on one side of its best, if it has one."""
    if metric.unit == "rate":
        return 0.0, 1.0
    if metric.higher_is_better:
        return (0.0 if 0 < metric.best < inf else -inf), metric.best
    return metric.best, inf

