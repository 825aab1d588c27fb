"""The gradient step of small networks without autograd: both passes written out."""

from __future__ import annotations

import os
from typing import Any

from torch import Tensor, nn

from orthogon.errors import RecipeError
from orthogon.nn.explicit import ExplicitGradient, can_write_out
from orthogon.nn.modes import evaluating
from orthogon.train.compute import Workload
from orthogon.train.settings import TrainSettings
from orthogon.train.step import GradientStep
from orthogon.train.task import Batch, Task

# Below so many multiply-adds a step it took at most 0.8 of the time of the best loop on autograd; with 68 million 0.9,
# with 170 million 0.95, since arithmetic hides what autograd costs (2-core Xeon, 2026).
EXPLICIT_BELOW = 10_000_000


class ExplicitStep(GradientStep):
    """A `GradientStep` for `linear` and `mlp` whose gradient comes from the equations, not from a recorded graph.

    The same steps as with autograd to rounding: clipping, averages, micro-batches and the rest are those of
    `GradientStep`. Needs a task that knows its loss's gradient in the outputs (`Task.output_gradient`).
    """

    rank_aware = False
    compilable = False

    def __init__(self, task: Task, model: nn.Module, *rest: Any) -> None:
        super().__init__(task, model, *rest)
        self.equations = ExplicitGradient(self.plain)
        self.begun = False

    def clear_gradient(self) -> None:
        self.begun = False  # the next gradient is written over the last one

    def _add_gradient(
        self, batch: Batch, counts: dict[str, float] | None = None, factor: float = 1.0
    ) -> tuple[Tensor, Any]:
        found = self.task.output_gradient(self.equations.outputs(batch.inputs), batch)
        assert found is not None  # noqa: S101 - `resolve_explicit` has looked
        part, gradient = found
        self.count = counts[part.name] if counts else part.count
        scale = factor * part.weight / max(self.count, 1e-12)
        self.equations.backward(gradient.mul_(scale), add=self.begun)
        self.begun = True
        return part.sum * scale, None


def resolve_explicit(settings: TrainSettings, task: Task, model: nn.Module, few: Batch, work: Workload) -> bool:
    """Whether to train without autograd: as the recipe says, else where it was measured to be faster.

    RecipeError where the recipe asks for it and it cannot be.
    """
    obstacle = _obstacle(settings, task, model, few)
    if settings.explicit and obstacle:
        raise RecipeError(f"{obstacle}: its gradient is not written out", where="train.explicit",
                          remedy="Leave train.explicit out; autograd is then used where it must be.")
    if settings.explicit is not None:
        return settings.explicit
    return not obstacle and few.rows.device.type == "cpu" and work.per_step < EXPLICIT_BELOW


def _obstacle(settings: TrainSettings, task: Task, model: nn.Module, few: Batch) -> str:
    if not can_write_out(model):
        return "the model has other layers than linear ones, activations and dropout"
    if settings.transfer == "features":
        return "the head alone learns, on stored features"
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        return "several processes share a batch"
    if settings.precision == "bf16" or settings.compile:
        return "the model is run in bf16 or compiled"
    with evaluating(model):
        known = _belongs_to_the_loss(task) and task.output_gradient(model(*few.inputs), few) is not None
    return "" if known else f"the loss of {task.name} has no closed gradient here"


def _belongs_to_the_loss(task: Task) -> bool:
    """Whether the closed gradient is not that of a class whose loss a subclass has replaced, whole or in part."""
    def owner(*names: str) -> int:
        return next(at for at, cls in enumerate(type(task).__mro__) if any(name in vars(cls) for name in names))

    return owner("output_gradient", "_side_gradient") <= owner("loss", "_loss_sum")
