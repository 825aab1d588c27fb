"""Observers look and log. They never change training: what changes training is a knob."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from orthogon.train.trainer import Trainer


class StepEvent(NamedTuple):
    """Where training stands. Sent when losses are read, every 16 steps or so; what draws should limit itself.

    step: steps done; steps: steps in all; epoch: from 1; epochs: in all.
    loss: mean over the steps since the last event; lr: the rate; examples: seen since the start of this process.
    """

    step: int
    steps: int
    epoch: int
    epochs: int
    loss: float
    lr: float
    examples: int


class Observer:
    """Refine what is wanted."""

    def on_start(self, trainer: Trainer) -> None: ...

    def on_step(self, event: StepEvent) -> None: ...

    def on_epoch(self, event: dict[str, Any]) -> None:
        """An epoch has ended: the line that goes to metrics.jsonl."""

    def on_evaluation(self, event: dict[str, Any]) -> None:
        """The dev set was looked at: {"step", "epoch", "dev": {metric: value}}."""

    def on_message(self, text: str) -> None:
        """Something worth a line: a damaged checkpoint, a resumed run."""

    def on_end(self, trainer: Trainer) -> None:
        """Training has ended, however it did."""
