"""What a probe found: for each remedy whether it helps, by how much, how sure that is, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from orthogon.stats.estimate import Estimate
from orthogon.strategy.arms import Remedy
from orthogon.strategy.work_list import Decision, Work, WorkList, ranked


@dataclass(frozen=True)
class Result:
    """What is known of one remedy.

    decision: "adopt" (a confirmed gain), "promising" (a gain in screening), "not known", "no".
    gain:     positive = better. At `budget` 1 the promise: interval for the examples, the seeds and the choice; below
              it what screening saw at that share of the training; None where nothing was measured.
    p_value:  of no gain, adjusted by Holm over what was confirmed; NaN in screening.
    budget:   the share of the base's training at which `gain` was seen; 0 where it was not.
    cost:     time of a training with it, relative to the base: measured where it was trained.
    needed:   examples that would show whether it helps, where that is not known. note: what else must be said.
    """

    remedy: Remedy
    decision: Decision
    gain: Estimate | None
    p_value: float
    budget: float
    cost: float
    needed: int | None = None
    note: str = ""

    @property
    def name(self) -> str:
        return self.remedy.name

    @property
    def line(self) -> str:
        return self.remedy.line

    def work(self) -> Work:
        cost = f"{self.cost:.1f} x training time"
        if self.remedy.labels:
            cost += f", {self.remedy.labels:,} labels"
        return Work(self.line, self.remedy.problems[0] if self.remedy.problems else "", self.decision, self.gain, cost,
                    "probes", self.needed, self.note, self.remedy.changes)

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name, "line": self.line, "problems": list(self.remedy.problems),
            "changes": dict(self.remedy.changes), "labels": self.remedy.labels, "decision": self.decision,
            "gain": self.gain.to_dict() if self.gain else None, "p_value": self.p_value, "budget": self.budget,
            "cost": self.cost, "needed": self.needed, "note": self.note,
        }


@dataclass(frozen=True)
class Probes:
    """What remedies do, measured.

    results: one for each remedy, the best first. spread: standard deviation between seeds of the base's score; None
    where it was trained once. spent: in trainings of the base. n: examples that all were scored on. seeds: how many
    served. complete: False where it was interrupted.
    """

    results: tuple[Result, ...]
    spread: Estimate | None
    spent: float
    n: int
    seeds: int
    complete: bool = True

    @property
    def adopted(self) -> Result | None:
        """The remedy to follow: the confirmed one with the most to gain for sure; one that uses up labels, such as part
        of dev, only where no other is confirmed."""
        confirmed = [each for each in self.results if each.decision == "adopt" and each.gain]
        return max(confirmed, key=lambda each: (not each.remedy.labels, each.gain.low), default=None)  # type: ignore[union-attr]

    @property
    def work(self) -> WorkList:
        return ranked([each.work() for each in self.results])

    def to_dict(self) -> dict[str, Any]:
        return {
            "results": [each.to_dict() for each in self.results], "spread": self.spread and self.spread.to_dict(),
            "spent": self.spent, "n": self.n, "seeds": self.seeds, "complete": self.complete,
            "adopted": self.adopted and self.adopted.name, **self.work.to_dict(),
        }

    @property
    def sentence(self) -> str:
        """On what it rests: examples, seeds, time."""
        parts = [f"the same {self.n:,} examples", f"{self.seeds} seeds", f"{self.spent:.1f} x the training of the base"]
        if self.spread is not None and isfinite(self.spread.value):
            scale, unit = (100, " points") if self.spread.unit == "rate" else (1, "")
            parts.append(f"seeds differ by {scale * self.spread.value:.2g}{unit} (standard deviation)")
        return ", ".join(parts) + ("" if self.complete else "; interrupted")

    def __str__(self) -> str:
        return f"{self.work}\n{self.sentence}"

    def _repr_html_(self) -> str:
        from html import escape

        return f"{self.work._repr_html_()}<p>{escape(self.sentence)}</p>"


def in_order(results: Sequence[Result]) -> tuple[Result, ...]:
    """As the work list has them."""
    place = {id(item.changes): at for at, item in enumerate(ranked([each.work() for each in results]).items)}
    return tuple(sorted(results, key=lambda each: place[id(each.remedy.changes)]))
