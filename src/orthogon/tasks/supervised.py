"""What tasks share that predict a target column: the target on the device, the loss with its weights."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from orthogon.data.augment import Augmentation
from orthogon.data.changes import Changes
from orthogon.data.dataset import Dataset
from orthogon.errors import DataError, RecipeError
from orthogon.nn.auxiliary import outputs_by_weight
from orthogon.tasks.encoded import Encoded, wide
from orthogon.train.settings import DataSettings, TaskSettings
from orthogon.train.task import Batch, Loss, Part


class Supervised(Encoded):
    """A task that predicts a target column from the other columns."""

    def __init__(self, settings: TaskSettings, data: DataSettings, augment: Augmentation | None = None) -> None:
        super().__init__(settings, data, augment)
        self.target_name = ""
        self._target: Any = None
        self._loss_weight: Tensor | None = None

    # What each task fills in.

    @abstractmethod
    def _fit_target(self, data: Dataset, rows: np.ndarray) -> None:
        """Learn classes or moments from the train rows; DataError where the target cannot be learnt."""

    @abstractmethod
    def _encode_target(self, data: Dataset, device: torch.device) -> Tensor:
        """The target of every row on the device, with the task's mark for what is not known."""

    def _loss_sum(self, outputs: Tensor, batch: Batch) -> Tensor:
        """The loss of the outputs (n, …), float32 or float64, summed over the examples with their weights. A task whose
        loss is no such sum defines `loss` instead."""
        raise TypeError(f"{self.name} defines neither loss nor _loss_sum")

    def _class_weight_of(self, target: Tensor) -> Tensor | None:
        """What each example counts in the loss by its class; None where all count alike."""
        return None

    # The contract.

    def fit(self, data: Dataset, rows: np.ndarray) -> None:
        rows = np.asarray(rows)
        if not len(rows):
            raise DataError("there are no examples to train on", where=data.name)
        column = data.target_column()
        missing = column.missing()[rows]
        if missing.any():
            first = rows[np.argmax(missing)]
            raise DataError(
                f"the target is missing in {int(missing.sum()):,} of {len(rows):,} examples to train on",
                where=f"{data.name}: row {first} (id {data.ids[first]}), column {data.target!r}",
                remedy="Fill it in, or leave those rows out.",
            )
        self.target_name = str(data.target)
        self._fit_target(data, rows)
        super().fit(data, rows)

    def attach(self, data: Dataset, device: torch.device) -> None:
        device = torch.device(device)
        super().attach(data, device)
        known = data.target is not None and data.target in data.columns
        self._target = self._encode_target(data, device) if known else None
        weight = self._example_weight
        of_class = None if self._target is None else self._class_weight_of(self._target)
        self._loss_weight = weight if of_class is None else of_class if weight is None else of_class * weight

    def check_output(self, output: Any) -> None:
        """One value for each output of the spec, for each example."""
        found = tuple(output.shape[1:]) if isinstance(output, Tensor) else type(output).__name__
        outputs = self._outputs()
        if found == (outputs,):
            return
        names = f" ({', '.join(self.classes[:6])}{', …' if len(self.classes) > 6 else ''})" if self.classes else ""
        raise RecipeError(
            f"the model gives {found} for each example, {self.name} needs {outputs} outputs{names}",
            where="model", remedy=f"Let its last layer have {outputs} outputs.",
        )

    def changed(self, rows: Tensor, changes: Sequence[Changes | None] = ()) -> Batch:
        inputs = self.inputs.gather(rows, changes)
        target = None if self._target is None else self._target.index_select(0, rows)
        weight = None if self._loss_weight is None else self._loss_weight.index_select(0, rows)
        batch = Batch(inputs, target, weight, rows)
        change = next((each for each in changes if each is not None), None)
        return batch if change is None else self._following(batch, change)

    def _side_gradient(self, outputs: Tensor, side: Batch) -> tuple[Tensor, Tensor] | None:
        """The sum of the loss, and its gradient in the outputs, in closed form; None: not known."""
        return None

    def output_gradient(self, outputs: Tensor, batch: Batch) -> tuple[Part, Tensor] | None:
        found = [self._side_gradient(outputs, side) for side in self._sides(batch)]
        if None in found:
            return None
        sums, gradients = zip(*found)  # type: ignore[arg-type]
        return Part("loss", 1.0, reduce(add, sums), self.counts(batch)["loss"]), reduce(add, gradients)

    def _following(self, batch: Batch, changes: Changes) -> Batch:
        """The batch with a target that fits its changed pictures; a task whose target lies on them moves it here."""
        return batch._replace(mix=changes.mix)

    def _sides(self, batch: Batch) -> tuple[Batch, ...]:
        """The batch; where pictures are mixed of two, that with their own targets and that with their partners', each
        weighed by its share. The loss of a picture is linear in what it holds of each (arXiv 1710.09412)."""
        if batch.mix is None:
            return (batch,)
        partner, share = batch.mix
        weight = torch.ones_like(share) if batch.weight is None else batch.weight
        own = batch._replace(weight=weight * share, mix=None)
        others = Batch(batch.inputs, batch.target[partner], weight[partner] * (1 - share), batch.rows[partner])
        return own, others

    def counts(self, batch: Batch) -> dict[str, float]:
        if batch.weight is None:
            return {"loss": float(len(batch.rows))}
        return {"loss": sum(float(side.weight.sum()) for side in self._sides(batch))}  # type: ignore[union-attr]

    def loss(self, model: nn.Module, batch: Batch, carried: Any = None) -> Loss:
        """The loss of what the model gives, and that of each auxiliary output, which counts as much as it says."""
        count, sides = self.counts(batch)["loss"], self._sides(batch)

        def total(output: Tensor) -> Tensor:
            return reduce(add, [self._loss_sum(wide(output), side) for side in sides])

        return Loss(tuple(Part("loss", weight, total(output), count)
                          for weight, output in outputs_by_weight(model(*batch.inputs))))

    def targets(self, rows: np.ndarray) -> np.ndarray:
        """As they stand in Rows; DataError where an example has no target, or one that training has not seen."""
        if self._target is None:
            raise DataError("there is no target to compare with", where=self.target_name,
                            remedy=f"Give data with a column {self.target_name!r}.")
        return self._target[torch.as_tensor(rows, device=self.inputs.device)].cpu().numpy()

    def state(self) -> dict[str, Any]:
        return {**super().state(), "target": self.target_name}

    def load_state(self, state: Mapping[str, Any]) -> None:
        super().load_state(state)
        self.target_name = state["target"]
