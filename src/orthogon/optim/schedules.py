"""Learning-rate schedules: step -> factor of the rate. Pure functions of the position, so that seeking is free.

Only `Plateau` depends on what was learnt: it observes the dev score and keeps a state, which is checkpointed.
Adaptive optimizers need them less (35.07); instead of lowering the rate, batches may grow (row 6.11, `Shuffled`).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import Any, ClassVar


@dataclass(frozen=True)
class Timeline:
    """What a schedule may know of the run.

    steps:   in all.
    epoch_steps: steps in one epoch; or of each epoch in turn where they differ, the last one going on.
    warmup:  share of the steps in which the rate rises linearly from zero.
    factor:  the number in the schedule's formula; None: its usual value.
    every:   epochs between drops, or the patience.
    table:   epoch, from 1 -> factor from that epoch on.
    """

    steps: int
    epoch_steps: int | tuple[int, ...]
    warmup: float = 0.0
    factor: float | None = None
    every: int = 10
    table: Mapping[int, float] = field(default_factory=dict)

    @cached_property
    def _ends(self) -> list[int]:
        """The step after the last one of each epoch; of those that all have the last one's length, the first alone."""
        lengths = (self.epoch_steps,) if isinstance(self.epoch_steps, int) else self.epoch_steps
        return list(accumulate(lengths))

    def epoch(self, step: int) -> int:
        """The epoch that step `step` lies in; both are counted from 0."""
        if step < self._ends[-1]:
            return bisect_right(self._ends, step)
        last = self._ends[-1] - (self._ends[-2] if len(self._ends) > 1 else 0)
        return len(self._ends) + (step - self._ends[-1]) // last

    @property
    def epochs(self) -> int:
        """How many epochs the run has, the last one perhaps in part."""
        return self.epoch(max(self.steps, 1) - 1) + 1


class Schedule:
    """The constant schedule, with a linear warm-up; the others refine `after_warmup`."""

    default_warmup: ClassVar[float] = 0.0
    default_factor: ClassVar[float] = 1.0
    highest_factor: ClassVar[float] = 1.0

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.factor = self.default_factor if timeline.factor is None else timeline.factor
        if not 0 < self.factor <= self.highest_factor:
            raise ValueError(f"the factor is {self.factor}; it must lie above 0 and not above {self.highest_factor:g}")
        self.warmup_steps = round(timeline.warmup * timeline.steps)
        self._warm = timeline.epoch(self.warmup_steps)

    def __call__(self, step: int) -> float:
        """The factor of the rate at `step`, counted from 0."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        return self.after_warmup(step)

    def after_warmup(self, step: int) -> float:
        return 1.0

    def epoch(self, step: int) -> int:
        """Whole epochs since the one in which warm-up ended: 0 in the first."""
        return self.timeline.epoch(step) - self._warm

    def progress(self, step: int) -> float:
        """The share of the steps after warm-up that are done, in [0, 1)."""
        return (step - self.warmup_steps) / max(1, self.timeline.steps - self.warmup_steps)

    def never_acts(self) -> str:
        """Why the run is too short for this schedule to do anything, in a sentence; empty where it is not."""
        return ""

    def observe(self, score: float) -> None:
        """Told the dev score (higher is better) after each evaluation."""

    def state(self) -> dict[str, Any]:
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        pass


class Constant(Schedule):
    """The rate stays as it is."""


class Linear(Schedule):
    """In a straight line from the rate to zero."""

    def after_warmup(self, step: int) -> float:
        return 1 - self.progress(step)


class Cosine(Schedule):
    """Half a cosine from the rate to zero (Loshchilov & Hutter 2017, without restarts)."""

    def after_warmup(self, step: int) -> float:
        return 0.5 * (1 + math.cos(math.pi * self.progress(step)))


class OneCycle(Cosine):
    """Up to the rate over the first quarter, then down to zero by a cosine (after Smith 2018)."""

    default_warmup = 0.25


class InverseTime(Schedule):
    """α = α₀ / (1 + decay · epoch), the epoch from 0, the factor being the decay: 1 (row 8.01, E29)."""

    highest_factor = math.inf

    def after_warmup(self, step: int) -> float:
        return 1 / (1 + self.factor * self.epoch(step))


class Exponential(Schedule):
    """α = 0.95^epoch · α₀, the epoch from 0, the factor being the 0.95 (row 8.02, E15)."""

    default_factor = 0.95

    def after_warmup(self, step: int) -> float:
        return self.factor ** self.epoch(step)


class Root(Schedule):
    """α = k / √epoch · α₀, the epoch from 1, the factor being k: 1 (row 8.03, E16)."""

    highest_factor = math.inf

    def after_warmup(self, step: int) -> float:
        return self.factor / math.sqrt(self.epoch(step) + 1)


class Staircase(Schedule):
    """Times a factor, 0.1, every so many epochs (row 8.04)."""

    default_factor = 0.1

    def after_warmup(self, step: int) -> float:
        return self.factor ** (self.epoch(step) // self.timeline.every)

    def never_acts(self) -> str:
        if self._warm + self.timeline.every < self.timeline.epochs:
            return ""
        return (f"the rate would first drop after epoch {self._warm + self.timeline.every}, "
                f"and the run has {self.timeline.epochs}")


class Manual(Schedule):
    """By a table: epoch, from 1 -> factor of the rate from that epoch on; before the first entry 1 (row 8.05).

    Epochs are those of the run, warm-up included. ValueError where there is no table, an epoch is not in the run, or a
    factor is below 0.
    """

    def __init__(self, timeline: Timeline) -> None:
        super().__init__(timeline)
        if not timeline.table:
            raise ValueError("there is no table; give it, for example {5: 0.3, 8: 0.1}")
        for epoch, factor in timeline.table.items():
            if not 1 <= epoch <= timeline.epochs:
                raise ValueError(f"the table names epoch {epoch}, and the run has epochs 1 to {timeline.epochs}; "
                                 "leave that entry out, or train longer")
            if not factor >= 0:
                raise ValueError(f"the factor of epoch {epoch} is {factor}; it must be 0 or above")
        self._epochs = sorted(timeline.table)

    def after_warmup(self, step: int) -> float:
        passed = bisect_right(self._epochs, self.timeline.epoch(step) + 1)
        return float(self.timeline.table[self._epochs[passed - 1]]) if passed else 1.0


class Plateau(Schedule):
    """Times a factor, 0.1, when the dev score has not improved for so many evaluations (row 8.06)."""

    default_factor = 0.1

    def __init__(self, timeline: Timeline) -> None:
        super().__init__(timeline)
        self.best, self.waited, self.drops = -math.inf, 0, 0

    def after_warmup(self, step: int) -> float:
        return self.factor**self.drops

    def never_acts(self) -> str:
        # The first look at dev always improves, and a drop after the last one changes nothing.
        if self.timeline.every + 1 < self.timeline.epochs:
            return ""
        return (f"the rate could drop after epoch {self.timeline.every + 1} at the earliest, "
                f"and the run has {self.timeline.epochs}")

    def observe(self, score: float) -> None:
        if score > self.best:
            self.best, self.waited = score, 0
            return
        self.waited += 1
        if self.waited >= self.timeline.every:
            self.drops, self.waited = self.drops + 1, 0

    def state(self) -> dict[str, Any]:
        return {"best": self.best, "waited": self.waited, "drops": self.drops}

    def load_state(self, state: dict[str, Any]) -> None:
        self.best, self.waited, self.drops = state["best"], state["waited"], state["drops"]
