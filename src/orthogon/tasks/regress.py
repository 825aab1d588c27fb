"""A number, or several, from pictures, texts or tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from orthogon.data.columns import NumberColumn
from orthogon.data.dataset import Dataset, Finding
from orthogon.errors import DataError
from orthogon.nn.loss_gradients import squared_error
from orthogon.nn.losses import REGRESSION, regression_errors
from orthogon.tasks.checks import check_numbers
from orthogon.tasks.infer import as_numbers
from orthogon.tasks.supervised import Supervised
from orthogon.train.task import Baseline, Batch, Metric


class Regress(Supervised):
    """The target is a column of numbers, or a block of d.

    The network learns the target standardised by the mean and standard deviation of the train rows; results and targets
    are in the unit of the column. The loss, in training and in results, is on the standardised scale, the mean over the
    d outputs: 1 is what always answering the mean costs under "squared". There is no score. "robust" has the fixed
    shape `task.robust_shape`; to learn it, train with orthogon.nn.robust_loss.AdaptiveRobustLoss in a loop of your own.
    """

    name = "regress"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.loss_name = self._chosen_loss(REGRESSION)
        self.mean, self.std = np.zeros(1), np.ones(1)
        self.names: tuple[str, ...] = ()
        self._single = True
        self._scale: tuple[Tensor, Tensor] = (torch.zeros(1), torch.ones(1))

    def check(self, data: Dataset) -> list[Finding]:
        return [*super().check(data), *check_numbers(data)]

    def _fit_target(self, data: Dataset, rows: np.ndarray) -> None:
        column = data.target_column()
        if not isinstance(column, NumberColumn):
            raise DataError(f"the target is of kind {column.kind}, not a number",
                            where=f"{data.name}: column {data.target!r}", remedy="Use --task classify.")
        values = column.values[rows].astype(np.float64)
        if np.isinf(values).any():
            row = rows[np.argmax(np.isinf(values.reshape(len(rows), -1)).any(axis=1))]
            raise DataError("the target is infinite", where=f"{data.name}: row {row}, column {data.target!r}",
                            remedy="Replace it by a number, or leave the row out.")
        self._single = values.ndim == 1
        table = values.reshape(len(rows), -1)
        self.names = column.names or (self.target_name,)
        self.mean, self.std = table.mean(axis=0), table.std(axis=0)
        if (self.std <= 1e-12 * np.abs(self.mean)).any():
            raise DataError("the target never changes in the train part", where=f"{data.name}: column {data.target!r}",
                            remedy="Choose another target, or add examples.")

    def _encode_target(self, data: Dataset, device: torch.device) -> Tensor:
        values = as_numbers(data, data.target_column()).values.astype(np.float64).reshape(len(data), -1)
        if values.shape[1] != len(self.mean):
            raise DataError(f"{values.shape[1]} targets where the network was trained on {len(self.mean)}",
                            where=f"{data.name}: column {data.target!r}")
        return torch.from_numpy(((values - self.mean) / self.std).astype(np.float32)).to(device)

    def attach(self, data: Dataset, device: torch.device) -> None:
        super().attach(data, device)
        as_tensor = lambda values: torch.tensor(values, dtype=torch.float32, device=device)  # noqa: E731
        self._scale = (as_tensor(self.mean), as_tensor(self.std))
        known = data.target is not None and data.target in data.columns
        self._original = as_numbers(data, data.target_column()).values if known else None

    def _outputs(self) -> int:
        return len(self.mean)

    def errors(self, output: Tensor, target: Tensor) -> Tensor:
        """The loss of each output, elementwise, both on the standardised scale."""
        return regression_errors(output, target, self.loss_name, self.settings.robust_shape)

    def _loss_sum(self, outputs: Tensor, batch: Batch) -> Tensor:
        errors = self.errors(outputs, batch.target.to(outputs.dtype))
        if batch.weight is None:
            return errors.sum() / len(self.mean)
        return torch.dot(errors.mean(1), batch.weight.to(errors.dtype))

    def _side_gradient(self, outputs: Tensor, side: Batch) -> tuple[Tensor, Tensor] | None:
        if self.loss_name != "squared":
            return None
        share = 1 / len(self.mean)
        weight = share if side.weight is None else side.weight.unsqueeze(1) * share
        return squared_error(outputs, side.target, weight)

    def results(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """prediction (n,) or (n, d) in the unit of the target; with a target also loss (n,), NaN where missing."""
        output = model(*batch.inputs).float()
        mean, std = self._scale
        prediction = output * std + mean
        found = {"prediction": prediction.squeeze(1) if self._single else prediction}
        if batch.target is not None:
            found["loss"] = self.errors(output, batch.target).mean(1)
        return self._with_weight(found, batch)

    def targets(self, rows: np.ndarray) -> np.ndarray:
        """Float (n,) or (n, d), in the unit of the column; DataError where one is missing."""
        if self._original is None:
            return super().targets(rows)
        values = np.asarray(self._original[rows], dtype=np.float64)
        if np.isnan(values).any():
            raise DataError("some examples have no target", where=f"column {self.target_name!r}",
                            remedy="Leave those rows out.")
        return values

    def _metrics(self) -> tuple[Metric, ...]:
        from orthogon.tasks.regression_metrics import regression_metrics

        return regression_metrics()

    def baselines(self) -> list[Baseline]:
        from orthogon.tasks.baselines import baselines_for

        return baselines_for(self)

    def decode(self, results: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
        """{"value": number} per example, or {"values": name -> number} for several outputs."""
        predictions = np.asarray(results["prediction"], dtype=np.float64)
        if predictions.ndim == 1:
            return [{"value": value} for value in predictions.tolist()]
        return [{"values": dict(zip(self.names, row))} for row in predictions.tolist()]

    def state(self) -> dict[str, Any]:
        return {**super().state(), "mean": self.mean.tolist(), "std": self.std.tolist(), "names": list(self.names),
                "single": self._single}

    def load_state(self, state: Mapping[str, Any]) -> None:
        super().load_state(state)
        self.mean, self.std = np.array(state["mean"]), np.array(state["std"])
        self.names, self._single = tuple(state["names"]), bool(state["single"])
