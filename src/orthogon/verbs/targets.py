"""The targets of a recipe, measured at the end of a run: thresholds on metrics, on time and on size."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.stats import binom
from torch import nn

from orthogon.report.view import estimate
from orthogon.stats.estimate import Estimate
from orthogon.strategy.targets import Targets, judge_targets
from orthogon.train.compute import Compute
from orthogon.train.evaluate import predict
from orthogon.train.goal import Goal
from orthogon.train.run import Run
from orthogon.train.task import Task

TIMED = 60
"""Single predictions that are timed; the interval is that of their median."""


def targets_of(
    run: Run, task: Task, model: nn.Module, compute: Compute, row: int, splits: Mapping[str, Mapping[str, Any]]
) -> Targets | None:
    """What the network gives of what the recipe asks for, kept as the evidence "targets"; None where it asks nothing.

    row: an example to time. splits: part -> {"metrics"}; dev is looked at, else test, else what there is.
    """
    part = next((name for name in ("dev", "test", "train-dev", "train") if name in splits), None)
    goal, settings = Goal.of(task), task.settings
    if part is None or not (settings.satisfice or settings.metric):
        return None
    thresholds = (*(threshold for _, threshold in goal.kept), *goal.costs)
    wanted = {goal.optimized.name, *(each.name for each in thresholds)}
    measured = splits[part]["metrics"]
    found: dict[str, Estimate] = {}
    for name in wanted:
        known = estimate(measured.get(name))
        found[name] = known or _cost(name, task, model, compute, row)
    targets = judge_targets(goal.optimized.name, goal.optimized.higher_is_better, thresholds, found)
    run.write_evidence("targets", {"split": part, **targets.to_dict()})
    return targets


def _cost(name: str, task: Task, model: nn.Module, compute: Compute, row: int) -> Estimate:
    nan = float("nan")
    if name == "milliseconds":
        return milliseconds_per_example(task, model, compute, row)
    if name == "parameters":
        return Estimate(sum(each.numel() for each in model.parameters()), nan, nan, 0, "counted")
    if name == "megabytes":
        size = sum(each.numel() * each.element_size() for each in model.state_dict().values())
        return Estimate(size / 1e6, nan, nan, 0, "counted", "MB")
    return Estimate(nan, nan, nan, 0, "undefined here")


def milliseconds_per_example(task: Task, model: nn.Module, compute: Compute, row: int) -> Estimate:
    """The median time of predicting one example alone, in ms, with the interval that order statistics give it."""
    rows, times = np.array([row]), []
    for _ in range(TIMED + 5):
        started = time.perf_counter()
        predict(task, model, rows, compute)
        times.append(1000 * (time.perf_counter() - started))
    ordered = np.sort(times[5:])
    low = int(binom.ppf(0.025, TIMED, 0.5))
    return Estimate(float(np.median(ordered)), float(ordered[low - 1]), float(ordered[TIMED - low]), TIMED,
                    "median of single predictions, order statistics", "ms")
