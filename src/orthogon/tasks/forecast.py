"""What a series will be: the next values of a column of numbers, from a window of the rows before them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from orthogon.data.augment import Augmentation
from orthogon.data.changes import Changes
from orthogon.data.columns import NumberColumn
from orthogon.data.dataset import Dataset, Finding
from orthogon.data.encoders import CategoryEncoder
from orthogon.data.windows import Windows
from orthogon.errors import DataError
from orthogon.nn.losses import regression_errors
from orthogon.tasks.encoded import Encoded
from orthogon.tasks.season import naive_error, season_of
from orthogon.tasks.supervised import Supervised
from orthogon.tasks.window_inputs import MOST_LEVELS, WindowInputs
from orthogon.train.settings import DataSettings, TaskSettings
from orthogon.train.task import Baseline, Batch, Metric, Sheet

LOSSES = ("absolute", "squared", "huber", "robust")
LEAST_HISTORY = 24


class Forecast(Supervised):
    """The next values of a series (rows 24.10-24.15): N steps to 1, N to N, half to half.

    A row of the data is a step in time. An example is a row: the network is given the `task.history` steps that end
    with it, all columns and the target among them, and gives the target at the `task.horizon` steps that follow, after
    `task.delay` steps. What is forecast of an example lies wholly in its part; its history may reach back into the part
    before, which is the past by then. Parts follow one another in time, and preprocessing is fitted on the steps of
    train windows alone, so nothing of a later part is known to an earlier one.

    The target is learnt standardized. The loss, in training and in results, is on that scale, "absolute" where
    `task.loss` names none, and the mean over the values that are known: what is missing ahead is left out of loss and
    score, what is missing in the history is 0, the mean, and marked. "weight" in results is how many values were known.
    """

    name = "forecast"

    def __init__(self, settings: TaskSettings, data: DataSettings, augment: Augmentation | None = None) -> None:
        super().__init__(settings, data, augment)
        self.loss_name = self._chosen_loss(LOSSES)
        self.inputs = WindowInputs(data, self.augment, self.picture_side)
        self.inputs.history = history_of(settings)
        self.inputs.apart = tuple(name for name in (settings.time, settings.series) if name)
        self.season, self.naive, self.median = 1, 1.0, 0.0
        self.values = np.empty(0)

    @classmethod
    def windows(cls, data: Dataset, settings: TaskSettings) -> Windows:
        return Windows.of(data, history_of(settings), settings.horizon, settings.delay, settings.time, settings.series)

    # Before the loop.

    def check(self, data: Dataset) -> list[Finding]:
        missing = data.target_column().missing()
        found = [Finding("unused-column", "warning", f"column {name!r} is {column.kind} and is not used: forecasts are "
                         "made from numbers, dates and categories", where=data.name, column=name,
                         remedy=f"If it has few values: --set 'data.types={{{name}: category}}'")
                 for name, column in data.inputs.items() if column.kind not in ("number", "date", "category")]
        if missing.any():
            found.append(Finding("missing-target", "note", f"the target is missing at {int(missing.sum()):,} of "
                                 f"{len(data):,} steps; there it counts in no loss and no score", where=data.name,
                                 column=data.target))
        for encoder in (each for each in self.inputs.encoders if isinstance(each, CategoryEncoder)):
            found += [Finding("unused-column", "warning", f"column {name!r} has {len(levels):,} levels and is not "
                              f"used: a step holds {MOST_LEVELS} at most", where=data.name, column=name)
                      for name, levels in zip(encoder.columns, encoder.levels)
                      if len(levels) > MOST_LEVELS]
        return found

    def fit(self, data: Dataset, rows: np.ndarray) -> None:
        """rows: the examples to train on; preprocessing is fitted on the steps of their windows, each counted once."""
        self.target_name = str(data.target)
        windows = self.windows(data, self.settings)
        steps = windows.covered(rows)
        self._fit_target(data, steps)
        Encoded.fit(self, data, steps)
        if self.inputs.target_scale[1] <= 1e-12 * abs(self.inputs.target_scale[0]):
            raise DataError("the target never changes in the train part", where=f"{data.name}: column {data.target!r}",
                            remedy="Choose another target, or add rows.")
        values = np.full(len(data), np.nan)
        values[steps] = _numbers(data)[steps]
        self.season = self.settings.season or season_of(values, windows)
        self.naive, self.median = naive_error(values, windows, self.season), float(np.nanmedian(values))

    def _fit_target(self, data: Dataset, rows: np.ndarray) -> None:
        values = _numbers(data)[rows]
        if np.isinf(values).any():
            row = rows[np.argmax(np.isinf(values))]
            raise DataError("the target is infinite", where=f"{data.name}: row {row}, column {data.target!r}",
                            remedy="Replace it by a number, or leave it empty.")

    def attach(self, data: Dataset, device: torch.device) -> None:
        self.inputs.windows = self.windows(data, self.settings)
        super().attach(data, device)
        self.moments = self.inputs.windows.moments
        self._last = torch.from_numpy(self.inputs.windows.last).to(device)
        self._place = torch.from_numpy(self.inputs.windows.place).to(device)
        self._ahead = torch.arange(1, self.settings.horizon + 1, device=device) + self.settings.delay

    def _encode_target(self, data: Dataset, device: torch.device) -> Tensor:
        """Standardized, in the order of time, with one value that is missing behind the last one."""
        self.values = _numbers(data)
        mean, std = self.inputs.target_scale
        in_time = np.append((self.values[self.inputs.windows.order] - mean) / std, np.nan)
        return torch.from_numpy(in_time.astype(np.float32)).to(device)

    def _outputs(self) -> int:
        return self.settings.horizon

    def default_model(self) -> tuple[str, dict[str, Any]]:
        return "forecaster", {}

    def default_settings(self, rows: int) -> dict[str, Any]:
        """Neighboring windows are much alike, so that few passes are enough; rates chosen on dev of hourly data."""
        return {**super().default_settings(rows), "epochs": 4 if rows > 20_000 else 12 if rows > 5_000 else 40}

    # In the loop.

    def changed(self, rows: Tensor, changes: Sequence[Changes | None] = ()) -> Batch:
        inputs = self.inputs.gather(rows)
        weight = None if self._example_weight is None else self._example_weight.index_select(0, rows)
        return Batch(inputs, None if self._target is None else self._future(self._target, rows), weight, rows)

    def _future(self, in_time: Tensor, rows: Tensor) -> Tensor:
        """N×H: what follows the rows, NaN behind the end of their series and over gaps."""
        place = self._place.index_select(0, rows)[:, None]
        ahead = place + self._ahead
        ahead = torch.where(ahead > self._last[place], len(in_time) - 1, ahead)
        return in_time.index_select(0, ahead.flatten()).view(len(rows), -1)

    def counts(self, batch: Batch) -> dict[str, float]:
        """How many values are known, by the weights of their examples."""
        return {"loss": float(self._known_weight(batch).sum())}

    def _known_weight(self, batch: Batch) -> Tensor:
        """N×H: what each value ahead counts; 0 where it is missing."""
        known = (~batch.target.isnan()).float()
        return known if batch.weight is None else known * batch.weight[:, None]

    def errors(self, output: Tensor, target: Tensor) -> Tensor:
        """The loss of each value, elementwise, both on the standardized scale; 0 where the target is missing."""
        target = target.to(output.dtype)
        filled = torch.where(target.isnan(), output.detach(), target)
        return regression_errors(output, filled, self.loss_name, self.settings.robust_shape)

    def _loss_sum(self, outputs: Tensor, batch: Batch) -> Tensor:
        return (self.errors(outputs, batch.target) * self._known_weight(batch).to(outputs.dtype)).sum()

    # After it.

    def results(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """prediction (n, H) in the unit of the target; with a target also loss (n,), the mean over the values that are
        known, and weight (n,), how many are."""
        output = model(*batch.inputs).float()
        mean, std = self.inputs.target_scale
        found = {"prediction": output * std + mean}
        if batch.target is not None:
            known = (~batch.target.isnan()).sum(1)
            found["loss"] = self.errors(output, batch.target).sum(1) / known
            found["weight"] = known.float() if batch.weight is None else known * batch.weight
        return found

    def targets(self, rows: np.ndarray) -> np.ndarray:
        """Float (n, H), in the unit of the column, NaN where missing."""
        if self._target is None:
            return super().targets(rows)
        in_time = torch.from_numpy(np.append(self.values[self.inputs.windows.order], np.nan)).to(self._place.device)
        return self._future(in_time, torch.as_tensor(rows, device=self._place.device)).cpu().numpy()

    def _metrics(self) -> tuple[Metric, ...]:
        from orthogon.tasks.forecast_metrics import forecast_metrics

        return forecast_metrics(self.naive)

    @property
    def compared_by(self) -> Metric:
        return self.metrics[0]

    def baselines(self) -> list[Baseline]:
        from orthogon.tasks.forecast_baselines import Persistence, Ridge, Seasonal

        return [Persistence(), *([Seasonal()] if self.season > 1 else []), Ridge()]

    def sheets(self, model: nn.Module, rows: np.ndarray) -> list[Sheet]:
        from orthogon.tasks.forecast_sheets import sheets

        return sheets(self, model, rows)

    def asked(self, data: Dataset) -> np.ndarray:
        """The last row of each series: what comes after it is not known."""
        windows = self.windows(data, self.settings)
        rows = windows.latest()
        ready = rows[windows.has_past()[rows]]
        if not len(ready):
            gap = f"; there is a gap: {windows.gaps[-1]}" if windows.gaps else ""
            raise DataError(f"{windows.history} steps of history are needed, and fewer lead to the last row{gap}",
                            where=data.name, remedy="Give more rows.")
        return ready

    def decode(self, results: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
        """{"values": {moment: number}} per example, "+1", "+2", … where moments are not known; those of `row` in the
        attached data are, and "after", the moment of the row."""
        values = np.asarray(results["prediction"], dtype=np.float64).tolist()
        ahead = range(self.settings.delay + 1, self.settings.delay + 1 + self.settings.horizon)
        rows = results.get("row")
        if rows is None:
            return [{"values": dict(zip([f"+{step}" for step in ahead], each))} for each in values]
        return [{"after": self.moments.label(row), "values": dict(zip([self.moments.later(row, step) for step in ahead],
                                                                      each))} for row, each in zip(rows, values)]

    def state(self) -> dict[str, Any]:
        return {**super().state(), "season": self.season, "naive": self.naive, "median": self.median}

    def load_state(self, state: Mapping[str, Any]) -> None:
        super().load_state(state)
        self.season, self.naive, self.median = int(state["season"]), float(state["naive"]), float(state["median"])


def history_of(settings: TaskSettings) -> int:
    """`task.history`; left out: three times what lies ahead, at least 24."""
    return settings.history or max(LEAST_HISTORY, 3 * (settings.delay + settings.horizon))


def _numbers(data: Dataset) -> np.ndarray:
    """Float64 (n,): the target; DataError where it is no column of numbers."""
    column = data.target_column()
    if not isinstance(column, NumberColumn) or column.values.ndim != 1:
        raise DataError(f"a series is one column of numbers; the target is of kind {column.kind}"
                        + (f" and {column.width} wide" if isinstance(column, NumberColumn) else ""),
                        where=f"{data.name}: column {data.target!r}", remedy="Name one: --target COLUMN")
    return column.values.astype(np.float64)
