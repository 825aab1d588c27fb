"""Learning-rate schedules: step -> factor of the rate. Pure functions of the position, so that seeking is free.

Only `Plateau` depends on what was learnt: it observes the dev score and keeps a state, which is checkpointed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Timeline:
    """What a schedule may know of the run.

    steps:   in all.            epoch_steps: steps in one epoch.
    warmup:  share of the steps in which the rate rises linearly from zero.
    factor:  what a drop multiplies the rate by.        every: epochs between drops, or the patience.
    """

    steps: int
    epoch_steps: int
    warmup: float = 0.0
    factor: float = 0.1
    every: int = 10


class Schedule:
    """The constant schedule, with a linear warm-up; the others refine `after_warmup`."""

    default_warmup = 0.0

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.warmup_steps = round(timeline.warmup * timeline.steps)

    def __call__(self, step: int) -> float:
        """The factor of the rate at `step`, counted from 0."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        return self.after_warmup(step)

    def after_warmup(self, step: int) -> float:
        return 1.0

    def progress(self, step: int) -> float:
        """The share of the steps after warm-up that are done, in [0, 1)."""
        return (step - self.warmup_steps) / max(1, self.timeline.steps - self.warmup_steps)

    def observe(self, score: float) -> None:
        """Told the dev score (higher is better) after each evaluation."""

    def state(self) -> dict[str, Any]:
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        pass


class Constant(Schedule):
    """The rate stays as it is."""


class Cosine(Schedule):
    """Half a cosine from the rate to zero (Loshchilov & Hutter 2017, without restarts)."""

    def after_warmup(self, step: int) -> float:
        return 0.5 * (1 + math.cos(math.pi * self.progress(step)))


class OneCycle(Cosine):
    """Up to the rate over the first quarter, then down to zero by a cosine (after Smith 2018)."""

    default_warmup = 0.25


class Staircase(Schedule):
    """Times a factor every so many epochs (row 8.04)."""

    def after_warmup(self, step: int) -> float:
        return self.timeline.factor ** (step // (self.timeline.every * self.timeline.epoch_steps))


class Plateau(Schedule):
    """Times a factor when the dev score has not improved for so many evaluations (row 8.06)."""

    def __init__(self, timeline: Timeline) -> None:
        super().__init__(timeline)
        self.best, self.waited, self.drops = -math.inf, 0, 0

    def after_warmup(self, step: int) -> float:
        return self.timeline.factor**self.drops

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
