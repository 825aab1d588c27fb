"""Forecasts as pictures: beside what came, and how the error grows with the steps ahead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from orthogon.draw.forecasts import Shown, draw_by_step, draw_forecasts
from orthogon.tasks.forecast_baselines import Persistence, Seasonal
from orthogon.tasks.forecast_metrics import error_by_step
from orthogon.train.compute import Compute
from orthogon.train.evaluate import predict
from orthogon.train.rows import Rows
from orthogon.train.task import Sheet

if TYPE_CHECKING:
    from orthogon.tasks.forecast import Forecast

SHOWN = 6
MOST = 5000
"""Windows of which the error by step is measured."""


def sheets(task: Forecast, model: nn.Module, rows: np.ndarray) -> list[Sheet]:
    """Some forecasts, at equal distances among the rows; and the error of each step ahead, beside the baselines'."""
    if not len(rows):
        return []
    rows = np.sort(rows)
    some = rows[np.linspace(0, len(rows) - 1, min(SHOWN, len(rows))).astype(int)]
    found = [Sheet("forecasts", "Forecasts and what came", "Grey what the network was given, black what came, blue "
                   "what was forecast; at equal distances in dev, not chosen, not learnt from.",
                   draw_forecasts([_shown(task, model, row) for row in some], task.target_name))]
    if task.settings.horizon > 1:
        found.append(_by_step(task, model, rows[np.linspace(0, len(rows) - 1, min(MOST, len(rows))).astype(int)]))
    return found


def _shown(task: Forecast, model: nn.Module, row: int) -> Shown:
    rows, windows = np.array([row]), task.inputs.windows
    made = predict(task, model, rows, Compute(task.inputs.device))["prediction"][0]
    past = task.values[windows.past(rows)[0]][-3 * windows.reach :]
    return Shown(windows.moments.label(row), past, task.targets(rows)[0], made, windows.delay)


def _by_step(task: Forecast, model: nn.Module, rows: np.ndarray) -> Sheet:
    made = {"network": predict(task, model, rows, Compute(task.inputs.device))["prediction"]}
    for baseline in (Persistence(), *([Seasonal()] if task.season > 1 else [])):
        made[baseline.name] = baseline.forecast(task, rows)
    target = task.targets(rows)
    errors = {name: error_by_step(Rows("dev", rows.astype(str), {"target": target, "prediction": each}))
              for name, each in made.items()}
    return Sheet("steps", "Error by step ahead", f"Mean absolute error of {task.target_name} at each step ahead, over "
                 f"{len(rows):,} rows of dev.", draw_by_step(errors, task.settings.delay))
