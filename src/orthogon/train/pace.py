"""How long steps take on this machine, and how many of them a training has."""

from __future__ import annotations

import copy
import time

import numpy as np
from torch import nn

from orthogon.errors import RecipeError
from orthogon.optim.schedules import Timeline
from orthogon.train.build import build_sampler
from orthogon.train.compute import compute_of
from orthogon.train.evaluate import predict
from orthogon.train.randomness import Draw, PreservedRandomness
from orthogon.train.sampler import Sampler
from orthogon.train.settings import TrainSettings
from orthogon.train.task import Task

PROBE_SECONDS = 3.0
"""How long a few steps on a copy are timed, to turn minutes into steps."""


def planned_steps(settings: TrainSettings, sampler: Sampler, task: Task, model: nn.Module, rows: np.ndarray,
                  dev_rows: np.ndarray | None) -> int:
    """How many steps the epochs of the settings have, or their minutes buy on this machine, looks at dev included.

    RecipeError where neither is set.
    """
    if settings.minutes is None:
        if settings.epochs is None:
            raise RecipeError("neither epochs nor minutes nor steps are set", where="train.epochs",
                              remedy="For example: --epochs 10")
        return sum(sampler.batches(epoch) for epoch in range(settings.epochs))
    step_seconds = seconds_per_step(settings, task, model, rows)
    look_seconds = _seconds_per_look(settings, task, model, dev_rows)
    # An epoch of fewer, larger batches takes no longer than the first one.
    epoch_seconds = sampler.batches(0) * step_seconds + look_seconds / settings.evaluate_every
    seconds = 0.97 * settings.minutes * 60 - (preflight_seconds(settings) if settings.preflight else 0.0)
    whole, rest = divmod(seconds / epoch_seconds, 1)
    return max(1, sum(map(sampler.batches, range(int(whole)))) + int(rest * sampler.batches(int(whole))))


def preflight_seconds(settings: TrainSettings, step_seconds: float = 0.0) -> float:
    """What the checks before training may take: 5 % of the minutes, or of the steps of so many seconds; 5 s at most.

    Where no minutes are planned 0.2 s are always theirs: reading the data and writing the report take longer by far.
    """
    if settings.minutes is not None:
        return min(5.0, 0.05 * 60 * settings.minutes)
    return min(5.0, max(0.2, 0.05 * (settings.steps or 0) * step_seconds))


def seconds_per_step(settings: TrainSettings, task: Task, model: nn.Module, rows: np.ndarray) -> float:
    """Seconds that one step takes, measured on a copy of the model."""
    compute = compute_of(settings)
    sampler = build_sampler(task, rows, settings, compute.device)
    settings = settings.model_copy(update={"schedule": "constant"})
    step = task.step(copy.deepcopy(model), settings, compute, Timeline(10**6, 10**6))
    step.model().train()
    times: list[float] = []
    began = time.perf_counter()
    with compute.in_force(), PreservedRandomness(compute.device):
        while len(times) < 4 or (time.perf_counter() - began < PROBE_SECONDS and len(times) < 500):
            started = time.perf_counter()
            batch = sampler.batch(0, len(times) % sampler.batches(0))
            step(batch, Draw(settings.seed, 0, len(times), compute.device)).item()
            times.append(time.perf_counter() - started)
    return float(np.median(times[len(times) // 3 :]))


def _seconds_per_look(settings: TrainSettings, task: Task, model: nn.Module, dev_rows: np.ndarray | None) -> float:
    """Seconds that predicting all dev rows takes, measured on 512 of them."""
    if dev_rows is None or not len(dev_rows):
        return 0.0
    compute, some = compute_of(settings), dev_rows[:512]
    copied = compute.place(copy.deepcopy(model))
    predict(task, copied, some, compute, glance=True)
    started = time.perf_counter()
    predict(task, copied, some, compute, glance=True)
    return (time.perf_counter() - started) * len(dev_rows) / len(some)
