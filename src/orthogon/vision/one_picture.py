"""What tasks of one picture share: there are no examples, and what is learnt is the picture or a network that makes it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from orthogon.data.dataset import Dataset, Finding
from orthogon.data.picture_files import decode
from orthogon.draw.images import thumbnail
from orthogon.errors import DataError, RecipeError, nearest
from orthogon.nn.modes import evaluating
from orthogon.nn.spec import ModelSpec
from orthogon.train.allocator import freed_memory_kept
from orthogon.train.compute import compute_of
from orthogon.train.fit import timeline
from orthogon.train.observers import Observer
from orthogon.train.randomness import Draw
from orthogon.train.recipe import Recipe
from orthogon.train.run import Run
from orthogon.train.sampler import Nothing, Sampler
from orthogon.train.snapshots import Snapshots
from orthogon.train.task import Baseline, Batch, Metric, Sheet, Task
from orthogon.train.trainer import Trainer

Options = TypeVar("Options")

CONTRAST = 1 / 255
"""Standard deviation of a channel from which on a picture is said to show something."""

SHOWN = 256
"""Longer side of the pictures that are taken along the way."""


class OnePicture(Task):
    """A task without examples: its batches hold no rows, and `loss` is of the model alone.

    steps_an_epoch: steps between two looks at the figures.
    """

    decomposes: ClassVar[bool] = False
    needs_target: ClassVar[bool] = False
    steps_an_epoch: int = 1

    @property
    @abstractmethod
    def title(self) -> str:
        """What is made, for the head of the report."""

    @abstractmethod
    def picture(self, model: nn.Module) -> Tensor:
        """What has come out so far: 3×H×W, in 0 … 1."""

    @abstractmethod
    def figures(self, model: nn.Module) -> dict[str, float]:
        """What is told of it after each epoch, the first one first."""

    @property
    @abstractmethod
    def about(self) -> str:
        """Which pictures it is made from."""

    @abstractmethod
    def verdict(self, before: Mapping[str, float], after: Mapping[str, float]) -> str:
        """What has come of it, from the figures before the first step and after the last."""

    def score(self, figures: Mapping[str, float]) -> float:
        """By which epochs are ranked, more is better; counts where the recipe keeps the best or stops early."""
        return -next(iter(figures.values()))

    def snapshot(self, model: nn.Module) -> np.ndarray:
        return thumbnail(to_pixels(self.picture(model)), SHOWN)

    @abstractmethod
    def sheets(self, model: nn.Module, rows: np.ndarray) -> list[Sheet]: ...

    # What the contract asks of data, which there is none of.

    @property
    def spec(self) -> ModelSpec:
        return ModelSpec((), 0)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return ()

    def check(self, data: Dataset) -> list[Finding]:
        return []

    def fit(self, data: Dataset, rows: np.ndarray) -> None: ...

    def attach(self, data: Dataset, device: torch.device) -> None: ...

    def default_model(self) -> tuple[str, dict[str, Any]]:
        return "", {}

    def baselines(self) -> list[Baseline]:
        return []

    def sampler(self, rows: np.ndarray, batch_size: int, seed: int, device: torch.device) -> Sampler:
        return Nothing(self.steps_an_epoch)

    def batch(self, rows: Tensor, draw: Draw | None = None) -> Batch:
        return Batch((), None, None, rows)

    def counts(self, batch: Batch) -> dict[str, float]:
        return {}

    def results(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        return {}

    def targets(self, rows: np.ndarray) -> np.ndarray:
        return rows

    def decode(self, results: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
        return []

    def state(self) -> dict[str, Any]:
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None: ...


def optimize(task: OnePicture, model: nn.Module, recipe: Recipe, run: Run | None = None,
             observers: Sequence[Observer] = ()) -> nn.Module:
    """The model after all steps of the recipe, from the last checkpoint of the run on where there is one.

    recipe: resolved. Raises Interrupted and Diverged, as the Trainer does.
    """
    settings, compute = recipe.train, compute_of(recipe.train)
    sampler = task.sampler(np.empty(0, dtype=np.int64), 1, settings.seed, compute.device)
    step = task.step(model, settings, compute, timeline(settings, sampler.lengths(settings.steps or 1)))

    def look() -> dict[str, float]:
        with evaluating(step.model()):
            return task.figures(step.model())

    watching = observers if run is None else [*observers, Snapshots(task, run)]
    trainer = Trainer(step, sampler, settings, device=compute.device, evaluate=look, score=task.score, run=run,
                      observers=watching)
    with compute.in_force(), freed_memory_kept():
        trainer.fit()
    return step.model()


def options_of(kind: type[Options], given: Mapping[str, Any]) -> Options:
    """`task.options` as the dataclass that a task reads them by; RecipeError for a key that it does not have."""
    known = [each.name for each in fields(kind)]  # type: ignore[arg-type]
    for name in given:
        if name not in known:
            raise RecipeError(f"there is no option {name!r}", where="task.options", remedy=nearest(name, known))
    return kind(**given)


# --- pictures ------------------------------------------------------------------------------------------------


def read_picture(path: str | Path, what: str) -> Tensor:
    """A picture file as 1×3×H×W in 0 … 1. PictureError where it cannot be read.

    what: it is called in the DataError that refuses a picture without contrast.
    """
    pixels = torch.from_numpy(decode(Path(path), 3).copy()).permute(2, 0, 1)[None].float() / 255
    if float(pixels.std((2, 3)).max()) < CONTRAST:
        raise DataError(f"{what} has no contrast: all its pixels are alike", where=str(path),
                        remedy="Take one that shows something.")
    return pixels


def within(picture: Tensor, side: int) -> tuple[int, int]:
    """(H, W) of the picture when its longer side has so many pixels."""
    height, width = picture.shape[2:]
    scale = side / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def resized(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """The picture at that size (H, W), smoothed before it is made smaller."""
    if tuple(picture.shape[2:]) == size:
        return picture
    return F.interpolate(picture, size, mode="bicubic", antialias=True).clamp(0, 1)


def to_pixels(picture: Tensor) -> np.ndarray:
    """C×H×W in 0 … 1 (what lies outside is cut off) -> H×W×C uint8."""
    return (picture.detach().clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
