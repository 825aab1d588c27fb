"""Pictures of where a model stands, taken as training goes on, for tasks that have such pictures."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any

from orthogon.draw.images import to_image
from orthogon.files import write_atomically
from orthogon.nn.modes import evaluating
from orthogon.train.observers import Observer

if TYPE_CHECKING:
    from orthogon.train.run import Run
    from orthogon.train.task import Task
    from orthogon.train.trainer import Trainer

FOLDER = "snapshots"
"""In a run: STEP.png each."""

MOST = 12


class Snapshots(Observer):
    """Keeps `Task.snapshot` before the first step and after some epochs: early ones closer together than late ones."""

    def __init__(self, task: Task, run: Run) -> None:
        self.task, self.folder = task, run.path / FOLDER
        self._trainer: Trainer | None = None
        self._epochs: frozenset[int] = frozenset()

    def on_start(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self._epochs = chosen_epochs(trainer.epochs)
        if trainer.position.step == 0:
            self._take(0)

    def on_epoch(self, event: Mapping[str, Any]) -> None:
        if event["epoch"] in self._epochs:
            self._take(event["step"])

    def _take(self, step: int) -> None:
        assert self._trainer is not None  # noqa: S101 - told of the start first
        model = self._trainer.step.evaluation_model()
        with evaluating(model):
            picture = self.task.snapshot(model)
        if picture is None:
            return
        stream = BytesIO()
        to_image(picture).save(stream, "png")
        write_atomically(self.folder / f"{step:08d}.png", stream.getvalue())


def chosen_epochs(epochs: int, most: int = MOST) -> frozenset[int]:
    """At most so many of the epochs 1 … `epochs`, each later than the one before by the same factor, to the last."""
    count = min(most, epochs)
    return frozenset(max(k, round(epochs ** (k / count))) for k in range(1, count + 1))
