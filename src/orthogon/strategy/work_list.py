"""The one ranked list of what could be done next: from probes, learning curve, tags, labels and the human gap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import Any, Literal

from orthogon.stats.estimate import Estimate
from orthogon.train.run import Run

Decision = Literal["adopt", "promising", "at most", "not known", "no"]

ORDER: tuple[Decision, ...] = ("adopt", "promising", "at most", "not known", "no")
"""Confirmed gains first; then what screening liked; ceilings and forecasts; what nobody knows; what did not help."""


@dataclass(frozen=True)
class Work:
    """One thing that could be done.

    action:   what, in a few words ("rotate, shift, scale in training").
    problem:  what it is against: "bias", "variance", "mismatch", "dev overfitting", "mistakes", "labels",
              "calibration", "metric".
    decision: "adopt" (a confirmed gain), "promising" (a gain in screening), "at most" (a ceiling or a forecast),
              "not known" (`needed` examples would tell), "no" (no gain, or a loss).
    gain:     of the main metric, positive = better; None where nothing was measured. Unit "rate" is shown in points.
    cost:     in words ("1.2 x training time", "200 labels").
    source:   which inquiry says so: "probes", "learning curve", "tags", "slices", "labels", "calibration", "mismatch",
              "human", "blame".
    needed:   examples that would decide, where that is not known.
    note:     what else must be known, in a sentence.
    changes:  flat recipe keys -> values that do it; empty where it is no matter of the recipe.
    """

    action: str
    problem: str
    decision: Decision
    gain: Estimate | None
    cost: str
    source: str
    needed: int | None = None
    note: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Work:
        """The inverse of `to_dict`, also after a way through JSON, where NaN is null."""
        gain = document.get("gain")
        return cls(**{**document, "gain": None if gain is None else Estimate.from_dict(gain)})

    @property
    def evidence(self) -> str:
        """The decision in words: "adopt", "not known: 4,100 examples would tell"."""
        if self.decision == "not known" and self.needed:
            return f"not known: {self.needed:,} examples would tell"
        return self.decision

    def shown_gain(self) -> str:
        """"+15.3 [11.4, 19.3]", in points for rates; "" where nothing was measured."""
        if self.gain is None or not isfinite(self.gain.value):
            return ""
        scale, form = (100.0, "{:+.1f}") if self.gain.unit == "rate" else (1.0, "{:+.3g}")
        value = form.format(scale * self.gain.value)
        if not (isfinite(self.gain.low) and isfinite(self.gain.high)):
            return value
        ends = [form.format(scale * end).removeprefix("+") for end in (self.gain.low, self.gain.high)]
        return f"{value} [{ends[0]}, {ends[1]}]"


@dataclass(frozen=True)
class WorkList:
    """Things to do, the best first."""

    items: tuple[Work, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"work": [item.to_dict() for item in self.items]}

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """Headers and rows of the table, on the screen and in the report."""
        unit = ", points" if any(item.gain and item.gain.unit == "rate" for item in self.items) else ""
        rows = [[str(place), item.action, item.shown_gain(), item.cost, item.evidence]
                for place, item in enumerate(self.items, 1)]
        return ["", "work list", f"gain{unit}", "cost", "evidence"], rows

    def __str__(self) -> str:
        from orthogon.draw.tables import text_table

        if not self.items:
            return "nothing is known yet that would help: orthogon probe"
        return text_table(*self.cells(), align="rllll")

    def _repr_html_(self) -> str:
        from orthogon.draw.tables import html_table

        return html_table(*self.cells())


def ranked(items: Sequence[Work]) -> WorkList:
    """By decision, then by what is sure of the gain, then by its size."""

    def key(item: Work) -> tuple[int, float, float]:
        if item.gain is None:
            return ORDER.index(item.decision), 0.0, 0.0
        low = item.gain.low if isfinite(item.gain.low) else item.gain.value
        return ORDER.index(item.decision), -low, -item.gain.value

    return WorkList(tuple(sorted(items, key=key)))


def work_list(run: Run) -> WorkList:
    """What every inquiry into this run proposes, ranked."""
    return ranked([
        Work.from_dict(item) for document in run.evidence().values() for item in document.get("work") or []
    ])
