"""Which learning rates work: short trainings on copies, in which the rate rises from tiny to absurd."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from orthogon.errors import RecipeError
from orthogon.files import write_atomically
from orthogon.optim.schedules import Schedule, Timeline
from orthogon.train.build import starting_model
from orthogon.train.compute import compute_of
from orthogon.train.fit import Plan
from orthogon.train.randomness import Draw, PreservedRandomness
from orthogon.train.settings import TrainSettings
from orthogon.train.step import GradientStep
from orthogon.train.task import Task

LOWEST, HIGHEST = 1e-6, 10.0
PER_DECADE = 20
STEPS = round(PER_DECADE * math.log10(HIGHEST / LOWEST)) + 1

WINDOW = 9
"""Losses over which one is averaged, half a decade of rates."""

EXPLODED = 4.0
"""Times the first loss, as a mean of the last few, at which a sweep is stopped."""

BEGINS = 0.2
"""Share of the whole fall of the loss by which it has fallen at the lower end of the range."""

NOISE = 4.0
"""Standard errors, as the losses at the lowest rates show them, by which the loss must fall at all."""


@dataclass(frozen=True)
class RateRange:
    """Losses of sweeps of the learning rate, one for each seed, and what they suggest.

    rates:  float64 (R,), rising by the same factor. losses: float64 (seeds, R), NaN where a sweep was stopped.
    low, high, value: the suggested range, where all sweeps agree that the loss falls, and one rate in it; None where
            there is no clear range. reason: why there is none, or what the range rests on.
    """

    rates: np.ndarray
    losses: np.ndarray
    low: float | None
    high: float | None
    value: float | None
    reason: str

    def __bool__(self) -> bool:
        return self.value is not None

    def __str__(self) -> str:
        if self.value is None:
            return f"no clear range of learning rates: {self.reason}"
        return f"learning rate {self.value:.2g}, range {self.low:.2g} to {self.high:.2g}: {self.reason}"

    def picture(self) -> str:
        """The losses against the rate, the range marked, as SVG."""
        from orthogon.draw.rate_finder import rate_sweep

        smooth = np.stack([smoothed(each) for each in self.losses])
        return rate_sweep(self.rates, smooth, low=self.low, high=self.high, value=self.value)

    def save(self, path: str | Path) -> Path:
        """Write the picture to an .svg file."""
        path = Path(path)
        if path.suffix != ".svg":
            raise RecipeError(f"cannot save as {path.suffix or 'a file without suffix'}", where=str(path),
                              remedy="Known: .svg")
        write_atomically(path, self.picture())
        return path

    def _repr_html_(self) -> str:
        return f"<div>{self}{self.picture()}</div>"

    def to_dict(self) -> dict[str, Any]:
        return {"lr": self.value, "low": self.low, "high": self.high, "reason": self.reason,
                "rates": self.rates.tolist(), "losses": self.losses.tolist()}


def find_rate(plan: Plan, task: Task, rows: np.ndarray, *, model: nn.Module | None = None, seeds: int = 3) -> RateRange:
    """Sweep the rate of the plan's optimizer from 1e-6 to 10 on copies, once for each seed: where does the loss fall?

    Each step takes the next batch and the next rate, 20 to a decade (Smith 2017, arXiv:1506.01186); a sweep stops where
    the loss explodes. seeds: of initial weights, order and dropout, from the recipe's own on.
    task: fitted and attached. model: a module of the user's own; each sweep starts with a copy of it.

    The range reaches from where the loss has fallen by a fifth of its whole fall to where it is lowest, in all sweeps;
    the rate is where it falls fastest, the median over the sweeps. Random state and model stay as they are.
    RecipeError where the task has another step than one down the gradient.
    """
    settings = plan.recipe.train
    losses = np.stack([_sweep(plan, task, rows, model, settings.seed + k) for k in range(seeds)])
    return suggest(LOWEST * (HIGHEST / LOWEST) ** (np.arange(STEPS) / (STEPS - 1)), losses)


def suggest(rates: np.ndarray, losses: np.ndarray) -> RateRange:
    """The range of rates in which every one of the curves (seeds, R) falls; see `find_rate`."""
    found = [_falling(rates, each) for each in losses]
    flat = sum(each is None for each in found)
    if flat:
        return RateRange(rates, losses, None, None, None, f"in {flat} of {len(found)} sweeps the loss falls at no rate "
                         "by more than the losses of batches differ. Try a larger batch, or look for a mistake in data "
                         "and model (orthogon preflight)")
    ends = np.array([each for each in found if each is not None])
    low, steepest, high = float(ends[:, 0].max()), float(np.median(ends[:, 1])), float(ends[:, 2].min())
    if low >= high:
        return RateRange(rates, losses, None, None, None, "the sweeps disagree: one falls only from "
                         f"{low:.2g} on, another rises again from {high:.2g}. Try more seeds or a larger batch")
    value = float(np.clip(steepest, low, high))
    reason = f"the loss falls in {len(found)} of {len(found)} sweeps, fastest there"
    return RateRange(rates, losses, low, high, value, reason)


def smoothed(losses: np.ndarray) -> np.ndarray:
    """The mean over a window of 9 around each loss, shorter at the ends; NaN where there is no loss."""
    half = WINDOW // 2
    padded = np.pad(losses, half, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)
    known = np.isfinite(windows)
    sums, counts = np.where(known, windows, 0.0).sum(1), known.sum(1)
    return np.where(np.isfinite(losses), sums / np.maximum(counts, 1), np.nan)


def _falling(rates: np.ndarray, losses: np.ndarray) -> tuple[float, float, float] | None:
    """Where the loss of one sweep begins to fall, falls fastest, and is lowest; None where it does not fall."""
    curve, first = smoothed(losses), losses[:PER_DECADE]
    start, error = first.mean(), first.std() * math.sqrt(1 / WINDOW + 1 / PER_DECADE)
    whole_windows = np.count_nonzero(np.isfinite(losses)) - WINDOW // 2
    lowest = int(np.argmin(curve[: max(1, whole_windows)]))
    fall = start - curve[lowest]
    high = np.flatnonzero(curve[: lowest + 1] >= start - BEGINS * fall)
    if not (fall > max(NOISE * error, 1e-6 * abs(start)) and len(high)):
        return None
    begins = int(high[-1]) + 1
    steepest = begins + int(np.argmin(np.gradient(curve[begins - 1 : lowest + 1])[1:]))
    return float(rates[begins]), float(rates[steepest]), float(rates[lowest])


class _Sweep(Schedule):
    """Times the same factor at each step, up to HIGHEST / LOWEST."""

    def after_warmup(self, step: int) -> float:
        return (HIGHEST / LOWEST) ** (step / (STEPS - 1))


def _sweep(plan: Plan, task: Task, rows: np.ndarray, model: nn.Module | None, seed: int) -> np.ndarray:
    """The loss of each step, before the step; NaN after it has exploded."""
    settings = _sweeping(plan.recipe.train, seed)
    compute, timeline = compute_of(settings), Timeline(STEPS, STEPS)
    recipe = plan.recipe.with_values({"train.seed": seed})
    swept = starting_model(task, recipe, rows, None if model is None else copy.deepcopy(model))
    step = task.step(swept, settings, compute, timeline)
    if not isinstance(step, GradientStep):
        raise RecipeError(f"{task.name} takes a step of its own, {type(step).__name__}, which has no rate to sweep",
                          where="task.name", remedy="Choose the rate by short trainings.")
    step.schedule = _Sweep(timeline)
    step.model().train()
    sampler = task.sampler(rows, settings.batch_size or 128, seed, compute.device)
    losses = np.full(STEPS, np.nan)
    epoch = k = 0
    with compute.in_force(), PreservedRandomness(compute.device):
        for number in range(STEPS):
            loss = float(step(sampler.batch(epoch, k), Draw(seed, epoch, number, compute.device)))
            if not math.isfinite(loss):
                break
            losses[number] = loss
            if number >= PER_DECADE and losses[number - WINDOW // 2 : number + 1].mean() > EXPLODED * abs(losses[0]):
                break
            k += 1
            if k == sampler.batches(epoch):
                epoch, k = epoch + 1, 0
    return losses


def _sweeping(settings: TrainSettings, seed: int) -> TrainSettings:
    return settings.model_copy(update={
        "seed": seed, "lr": LOWEST, "schedule": "constant", "warmup": 0.0, "ema": 0.0, "steps": STEPS, "compile": False,
    })
