"""One metric to optimize, others that only have to keep a threshold: do they? (rows 12.06, 12.07, 14.10-14.12)"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil, isfinite
from typing import Any, Literal

from orthogon.errors import DataError
from orthogon.stats.estimate import Estimate
from orthogon.train.thresholds import Threshold

State = Literal["feasible", "infeasible", "undecided"]
_ORDER: tuple[State, ...] = ("feasible", "undecided", "infeasible")


@dataclass(frozen=True)
class Satisficing:
    """A threshold and what was measured.

    state:  by the ends of the interval: "feasible" where all of it keeps the threshold, "infeasible" where none does.
    needed: examples (or whatever n counts) after which the interval, as wide as 1/√n, would decide; None where it does,
            or where the value lies on the threshold itself.
    """

    threshold: Threshold
    estimate: Estimate
    state: State
    needed: int | None

    @classmethod
    def of(cls, threshold: Threshold, estimate: Estimate) -> Satisficing:
        ends = [end if isfinite(end) else estimate.value for end in (estimate.low, estimate.high)]
        if not isfinite(estimate.value):
            return cls(threshold, estimate, "undecided", None)
        kept = [threshold.kept(end) for end in ends]
        if all(kept):
            return cls(threshold, estimate, "feasible", None)
        if not any(kept):
            return cls(threshold, estimate, "infeasible", None)
        gap = threshold.value - estimate.value
        reach = abs((ends[1] if gap > 0 else ends[0]) - estimate.value)
        needed = ceil(estimate.n * (reach / gap) ** 2) if gap else None
        return cls(threshold, estimate, "undecided", needed)

    def __str__(self) -> str:
        """"recall 91.2 % [88.0, 93.6], >= 90 %: undecided, about 1,900 examples would tell"."""
        would = f", about {self.needed:,} examples would tell" if self.needed else ""
        limit = f"{100 * self.threshold.value:g} %" if self.estimate.unit == "rate" else f"{self.threshold.value:g}"
        return f"{_shown(self.threshold.name, self.estimate)}, {self.threshold.sign} {limit}: {self.state}{would}"


@dataclass(frozen=True)
class Targets:
    """What one network gives of all that is asked of it.

    metric: the one to optimize, with its estimate; satisficing: one for each threshold.
    """

    metric: str
    optimized: Estimate
    higher_is_better: bool
    satisficing: tuple[Satisficing, ...] = ()

    @property
    def state(self) -> State:
        """The worst of all thresholds; "feasible" without any."""
        return _ORDER[max((_ORDER.index(each.state) for each in self.satisficing), default=0)]

    @property
    def sentence(self) -> str:
        kept = "; ".join(str(each) for each in self.satisficing)
        return f"{self.state}: {_shown(self.metric, self.optimized)}" + (f"; {kept}" if kept else "")

    def to_dict(self) -> dict[str, Any]:
        """{"metric", "optimized", "higher_is_better", "state", "sentence", "satisficing": [{"name", "threshold",
        "at_least", "estimate", "state", "needed"}], "work": []}"""
        return {
            "metric": self.metric, "optimized": asdict(self.optimized), "higher_is_better": self.higher_is_better,
            "state": self.state, "sentence": self.sentence, "satisficing": [
                {"name": each.threshold.name, "threshold": each.threshold.value, "at_least": each.threshold.at_least,
                 "estimate": asdict(each.estimate), "state": each.state, "needed": each.needed}
                for each in self.satisficing
            ], "work": [],
        }

    def __str__(self) -> str:
        return self.sentence


def judge_targets(
    metric: str, higher_is_better: bool, thresholds: Sequence[Threshold], estimates: Mapping[str, Estimate]
) -> Targets:
    """One network's targets. estimates: name -> Estimate of the metric and of everything with a threshold."""
    return Targets(metric, estimates[metric], higher_is_better,
                   tuple(Satisficing.of(each, estimates[each.name]) for each in thresholds))


def ranked_targets(candidates: Sequence[Targets]) -> list[int]:
    """Places of the candidates, the best first: feasible, then undecided, then infeasible; within, by the metric."""
    def key(place: int) -> tuple[int, float]:
        each = candidates[place]
        value = each.optimized.value if isfinite(each.optimized.value) else float("-inf")
        return _ORDER.index(each.state), -value if each.higher_is_better else value

    return sorted(range(len(candidates)), key=key)


def better_of(candidates: Sequence[Targets]) -> int:
    """The place of the feasible candidate that is best by the metric; DataError where none is feasible."""
    if not candidates:
        raise DataError("there is nothing to choose from", remedy="Give one candidate at least.")
    best = ranked_targets(candidates)[0]
    if candidates[best].state == "feasible":
        return best
    open_ones = sum(each.state == "undecided" for each in candidates)
    raise DataError(
        f"none of {len(candidates)} candidates is known to keep all thresholds ({open_ones} undecided); "
        f"the nearest is {candidates[best].sentence}", where="task.satisfice",
        remedy="Measure on more examples, or ease a threshold.",
    )


def _shown(name: str, estimate: Estimate) -> str:
    """"recall 91.2 % [88.0, 93.6]"; a count without an interval as it is; the unit is in the name, if not a rate."""
    if not isfinite(estimate.low):
        return f"{name} {estimate.value:,.6g}"
    shown = str(estimate).rpartition(", n =")[0]
    return f"{name} {shown if estimate.unit == 'rate' else shown.replace(f' {estimate.unit} [', ' [')}"
