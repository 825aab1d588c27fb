"""The verdict: which gap between the sets is there, which is not, which is the largest, and what nobody knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import log10
from typing import Any, Literal, NamedTuple

import numpy as np

from orthogon.errors import RecipeError
from orthogon.stats.estimate import Estimate
from orthogon.strategy.gaps import SURE, Gap, Levels, made_of, measured, past_human
from orthogon.strategy.levels import Level
from orthogon.strategy.reference import Reference
from orthogon.strategy.work_list import Work
from orthogon.train.rows import Rows
from orthogon.train.task import Metric

PARTS = ("train", "train-dev", "dev", "test")
NEAR = 0.90
"""Acted upon is a gap that is there with probability SURE and, give or take the tolerance, the largest with this."""

TENTH_IN_DECIBELS = 10 * log10(1.1)
"""What an error that is a tenth larger costs in decibels, whatever it is: they are its logarithm."""

Outcome = Literal["act", "several", "nothing big", "not enough evidence"]


class Rung(NamedTuple):
    """A step of the ladder: whose error, how large, and what there is to say about it."""

    name: str
    estimate: Estimate
    note: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """The verdict on a run.

    metric:    what the errors are of ("error", "rmse", "1 - macro F1"). unit: "rate" for shares.
    tolerance: a gap within it does not matter.
    rungs:     the ladder, from people to test. gaps: the four gaps, in the order of the ladder.
    outcome:   "act" (on `act`); "several" are present, and which is largest is open; "nothing big"; "not enough
               evidence".
    act:       the name of the gap to act on, or None.
    reference, target_reference: what it is held against, and what people reach where dev comes from.
    past_human: whether the model is better than people: bias cannot be told then (row 14.16).
    noun:      what the examples are ("pictures"). folds: where dev is out of folds, how many.
    work:      for the work list.
    """

    metric: str
    unit: str
    tolerance: float
    rungs: tuple[Rung, ...]
    gaps: tuple[Gap, ...]
    outcome: Outcome
    act: str | None
    reference: Reference | None = None
    target_reference: Reference | None = None
    past_human: bool = False
    noun: str = "examples"
    folds: int = 0
    work: tuple[Work, ...] = ()

    @property
    def sentence(self) -> str:
        """The verdict as it is read."""
        from orthogon.strategy.diagnosis_words import sentence_of

        return sentence_of(self)

    def gap(self, name: str) -> Gap:
        return next(gap for gap in self.gaps if gap.name == name)

    def rung(self, name: str) -> Rung | None:
        return next((rung for rung in self.rungs if rung.name == name), None)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as they are written to evidence/diagnosis.json."""
        from orthogon.strategy.diagnosis_words import remedies

        return {
            **vars(self), "sentence": self.sentence, "remedies": remedies(self),
            "reference": self.reference and self.reference.to_dict(),
            "target_reference": self.target_reference and self.target_reference.to_dict(),
            "rungs": [{**rung._asdict(), "estimate": rung.estimate.to_dict()} for rung in self.rungs],
            "gaps": [gap.to_dict() for gap in self.gaps], "work": [item.to_dict() for item in self.work],
        }

    def __str__(self) -> str:
        from orthogon.strategy.diagnosis_words import as_text

        return as_text(self)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        from orthogon.strategy.diagnosis_words import as_html

        return as_html(self)


def diagnose(
    parts: Mapping[str, Rows], metric: Metric, *, reference: Reference | None = None,
    target_reference: Reference | None = None, tolerance: float | None = None, whole_train: bool = True,
    like_train: bool | None = None, noun: str = "examples", folds: int = 0,
) -> Diagnosis:
    """The verdict from per-example results.

    parts:     "train", "train-dev", "dev", "test" -> rows, of those that there are; with folds, "dev" holds the
               out-of-fold rows.
    metric:    what the model is judged by.
    reference: how well people do it where train comes from, or a goal; target_reference: people where dev comes from.
    tolerance: in the unit of the metric; default: a tenth of dev's error (of decibels 0.41 dB, of what has no best a
               tenth of its size), of shares at least half a point.
    whole_train: whether "train" holds all train rows: their error then has no sampling error.
    like_train: whether dev is drawn from where train is; default: as the sources in the rows tell, None: not known.
    noun:      what the examples are ("pictures"). folds: where dev is out of folds, how many.

    RecipeError: a tolerance that is not above 0; people on dev's distribution without people on train's.
    """
    levels = {part: Level.of_rows(rows, metric, seed) for seed, part in enumerate(PARTS)
              if (rows := parts.get(part)) is not None and len(rows)}
    if whole_train and "train" in levels:
        levels["train"] = Level.taken_as_exact(levels["train"].estimate)
    found = judge(
        levels, reference=reference, target_reference=target_reference, tolerance=tolerance,
        like_train=same_sources(parts, "train", "dev") if like_train is None else like_train,
        test_like_dev=same_sources(parts, "dev", "test"), folds=folds, bounded=metric.bounded,
    )
    return replace(found, metric=metric.error_title, noun=noun)


def judge(
    levels: Levels, *, reference: Reference | None = None, target_reference: Reference | None = None,
    tolerance: float | None = None, like_train: bool | None = None, test_like_dev: bool | None = None, folds: int = 0,
    bounded: bool = True,
) -> Diagnosis:
    """The verdict from the levels of the parts: `diagnose` without rows. bounded: whether no error is below 0."""
    if target_reference is not None and reference is None:
        raise RecipeError("how well people do it where dev comes from says nothing without how well they do it where "
                          "train comes from", where="human_target", remedy="Give --human as well.")
    held = next((levels[part] for part in ("dev", "train-dev", "test") if part in levels), None)
    unit = held.estimate.unit if held is not None else ""
    levels = dict(levels)
    if reference is not None:
        levels[reference.kind] = reference.level(unit, seed=len(PARTS))
    if target_reference is not None:
        levels["human on dev"] = target_reference.level(unit, seed=len(PARTS) + 1)
    tolerance = _tolerance(tolerance, held)
    gaps = measured(levels, made_of(levels, like_train, test_like_dev), tolerance, bounded)
    notes = {"human": str(reference), "goal": str(reference), "human on dev": str(target_reference),
             "dev": f"out of {folds} folds" if folds else ""}
    rungs = [Rung(name, levels[name].estimate, notes.get(name, ""))
             for name in ("human", "goal", "human on dev", *PARTS) if name in levels]
    return Diagnosis(
        "error", unit, tolerance, tuple(rungs), tuple(gaps), *_outcome(gaps, levels), reference,
        target_reference, past_human(levels), folds=folds, work=_near_people(levels, tolerance),
    )


def same_sources(parts: Mapping[str, Rows], one: str, other: str) -> bool | None:
    """Whether two parts come from the same sources; None where that is not known."""
    sources = [parts[part].source for part in (one, other) if part in parts]
    if len(sources) < 2 or any(source is None for source in sources):
        return None
    first, second = (set(np.unique(source).tolist()) for source in sources if source is not None)
    return first == second


def _tolerance(given: float | None, held: Level | None) -> float:
    rate = held is None or held.estimate.unit == "rate"
    if given is None and held is not None and held.estimate.unit == "dB":
        return TENTH_IN_DECIBELS
    if given is None:  # an error without a bound is below 0 where the metric is above it
        return max(0.005 if rate else 0.0, 0.1 * abs(held.estimate.value) if held is not None else 0.0)
    if not 0 < given < (1 if rate else np.inf):
        raise RecipeError("what is tolerated lies between 0 and 100 points" if rate else
                          "what is tolerated is more than 0", where="tolerance",
                          remedy="For example: --tolerance 1" if rate else "Give it in the unit of the metric.")
    return given


def _outcome(gaps: Sequence[Gap], levels: Levels) -> tuple[Outcome, str | None]:
    """Act on a gap that is there and is the largest; nothing big where each is surely under twice the tolerance."""
    real = [gap for gap in gaps if (gap.probability_present or 0) >= SURE]
    if real:
        first = max(real, key=lambda gap: (gap.probability_largest or 0, gap.estimate.value if gap.estimate else 0))
        return ("act", first.name) if (first.probability_largest or 0) >= NEAR else ("several", None)
    return ("nothing big" if all(_small(gap, past_human(levels)) for gap in gaps) else "not enough evidence"), None


def _small(gap: Gap, past: bool) -> bool:
    """Whether a gap is surely under twice the tolerance, or nothing that could be looked for now."""
    if gap.probability_small is not None and gap.probability_small >= SURE:
        return True
    return gap.state == "negligible" or (gap.state == "unknown" and
                                         (gap.name in ("mismatch", "dev overfitting") or (gap.name == "bias" and past)))


def _near_people(levels: Levels, tolerance: float) -> tuple[Work, ...]:
    """Near human level, or past it, people have little left to show."""
    people, dev = levels.get("human on dev", levels.get("human")), levels.get("dev")
    if people is None or dev is None or people.unclear or dev.unclear:
        return ()
    low, high = (float(end) for end in np.quantile(dev.draws - people.draws, [0.025, 0.975]))
    if high >= tolerance:
        return ()
    left = Estimate(dev.estimate.value - people.estimate.value, low, high, dev.estimate.n, "joint Monte Carlo",
                    dev.estimate.unit)
    return (Work("stop, or set a new goal", "metric", "at most", left, "", "human",
                 note=f"{'past' if high < 0 else 'near'} human level, so people have little left to show: "
                      "--goal METRIC=VALUE"),)
