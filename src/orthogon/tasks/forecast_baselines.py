"""Cheap forecasts that any network must beat: the last value, the value of a season before, ridge regression."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from orthogon.tasks.forecast import Forecast
from orthogon.train.task import Baseline, Task

CHUNK = 4096
"""Windows that are gathered at once."""

STRENGTH = 1.0
"""Of the ridge penalty."""

SEASONS_BACK = 8
"""How many seasons are gone back for a value that is known."""


class _Forecaster(Baseline):
    """A baseline that gives n × H numbers in the unit of the target."""

    def results(self, task: Task, rows: np.ndarray) -> Mapping[str, np.ndarray]:
        """As those of the network: prediction, loss on the standardized scale, weight."""
        assert isinstance(task, Forecast)  # noqa: S101
        mean, std = task.inputs.target_scale
        output = torch.from_numpy((self.forecast(task, np.asarray(rows)) - mean) / std).float()
        found = [task.results(lambda *_, part=part: part.to(task.inputs.device),  # type: ignore[arg-type]
                              task.batch(torch.as_tensor(chosen)))
                 for part, chosen in zip(output.split(CHUNK), torch.as_tensor(rows).split(CHUNK))]
        return {name: torch.cat([each[name] for each in found]).cpu().numpy() for name in found[0]}

    @abstractmethod
    def forecast(self, task: Forecast, rows: np.ndarray) -> np.ndarray:
        """Float (n, H)."""


class Persistence(_Forecaster):
    """The last value that is known, at all steps ahead; the train median where none is."""

    name = "persistence"
    line = "the last value that is known, at all steps ahead"

    def fit(self, task: Task, rows: np.ndarray) -> None:
        """There is nothing to fit: the task knows the season and the median."""

    def forecast(self, task: Forecast, rows: np.ndarray) -> np.ndarray:
        windows = task.inputs.windows
        in_time, places = task.values[windows.order], np.arange(len(task.values))
        known = np.maximum.accumulate(np.where(np.isnan(in_time), -1, places))
        last = np.where(known >= windows.first, in_time[known], task.median)
        return np.repeat(last[windows.place[rows]][:, None], windows.horizon, axis=1)


class Seasonal(Persistence):
    """The value one season before what is forecast, or more seasons where that is missing; else the last value."""

    name = "seasonal"
    line = "the value one season before"

    def forecast(self, task: Forecast, rows: np.ndarray) -> np.ndarray:
        windows, season = task.inputs.windows, task.season
        in_time, places = task.values[windows.order], windows.place[rows][:, None]
        ahead = np.arange(windows.delay + 1, windows.reach + 1)
        back = places + ahead - season * -(-ahead // season)
        found = np.full(back.shape, np.nan)
        for _ in range(SEASONS_BACK):
            there = np.isnan(found) & (back >= windows.first[places])
            found[there] = in_time[back[there]]
            back = back - season
        return np.where(np.isnan(found), super().forecast(task, rows), found)


class Ridge(_Forecaster):
    """Ridge regression of strength 1 on the history of the target and all inputs of the last step, one for each step
    ahead; from the windows in which all values ahead are known, or, where there are none, with the mean for those that
    are not."""

    name = "ridge"
    line = "ridge regression on the history of the target and the inputs of the last step"

    def fit(self, task: Task, rows: np.ndarray) -> None:
        assert isinstance(task, Forecast)  # noqa: S101
        batches = [task.batch(part).target for part in torch.as_tensor(rows).split(CHUNK)]
        whole = torch.cat([~target.isnan().any(1) for target in batches]).cpu().numpy()
        chosen = np.asarray(rows)[whole] if whole.any() else np.asarray(rows)
        inside, across = torch.zeros(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
        for part in torch.as_tensor(chosen).split(CHUNK):
            x = _features(task, part)
            inside, across = inside + x.T @ x, across + x.T @ task.batch(part).target.double().nan_to_num(0).cpu()
        penalty = torch.full((len(inside),), STRENGTH, dtype=torch.float64)
        penalty[-1] = 0  # the constant
        self._weights = torch.linalg.lstsq(inside + penalty.diag(), across).solution

    def forecast(self, task: Forecast, rows: np.ndarray) -> np.ndarray:
        mean, std = task.inputs.target_scale
        said = [_features(task, part) @ self._weights for part in torch.as_tensor(rows).split(CHUNK)]
        return torch.cat(said).numpy() * std + mean


def _features(task: Forecast, rows: Tensor) -> Tensor:
    """Float64 n × (T + D): the target at all steps, the other inputs at the last one, and 1."""
    window = task.inputs.gather(rows.to(task.inputs.device))[0].double().cpu()
    return torch.cat([window[:, :, 0], window[:, -1, 1:], torch.ones(len(rows), 1, dtype=torch.float64)], dim=1)
