"""What classify, regress and multilabel share: inputs, target and weight on the device, gathered by index."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from orthogon.data.augment import Augmentation
from orthogon.data.changes import Changes
from orthogon.data.dataset import Dataset, Finding
from orthogon.data.encode import unused_inputs
from orthogon.data.pictures import SMALL
from orthogon.errors import DataError, RecipeError, nearest
from orthogon.nn.auxiliary import outputs_by_weight
from orthogon.nn.spec import ModelSpec
from orthogon.tasks.inputs import Inputs
from orthogon.train.randomness import Draw
from orthogon.train.recipe import DataSettings, TaskSettings
from orthogon.train.task import Batch, Loss, Metric, Part, Task


class Supervised(Task):
    """A task that predicts a target column from the other columns.

    inputs: the encoders and what they encoded.
    weighs_errors: whether `task.costs` has a meaning.
    picture_side: up to which pictures keep their own size. whole_pictures: whether new ones are asked for in theirs.
    """

    weighs_errors: ClassVar[bool] = False
    picture_side: ClassVar[int] = SMALL
    whole_pictures: ClassVar[bool] = False

    def __init__(self, settings: TaskSettings, data: DataSettings, augment: Augmentation | None = None) -> None:
        super().__init__(settings, data, augment)
        if settings.costs and not self.weighs_errors:
            raise RecipeError(f"{self.name} has no errors of one class taken for another", where="task.costs",
                              remedy="Costs are for classify; leave them out.")
        self.inputs = Inputs(data, self.augment, self.picture_side)
        self.target_name = ""
        self._target: Any = None
        self._loss_weight: Tensor | None = None
        self._example_weight: Tensor | None = None
        self._on_cpu = True

    def _chosen_loss(self, known: tuple[str, ...]) -> str:
        """The recipe's `task.loss`, by default the first one known; RecipeError where this task has no such loss."""
        name = self.settings.loss or known[0]
        if name not in known:
            raise RecipeError(f"{self.name} has no loss {name!r}", where="task.loss", remedy=nearest(name, known))
        return name

    # What each task fills in.

    @abstractmethod
    def _fit_target(self, data: Dataset, rows: np.ndarray) -> None:
        """Learn classes or moments from the train rows; DataError where the target cannot be learnt."""

    @abstractmethod
    def _encode_target(self, data: Dataset, device: torch.device) -> Tensor:
        """The target of every row on the device, with the task's mark for what is not known."""

    @abstractmethod
    def _outputs(self) -> int: ...

    @abstractmethod
    def _metrics(self) -> tuple[Metric, ...]:
        """The figures of merit; the first one judges where the recipe names none."""

    def _loss_sum(self, outputs: Tensor, batch: Batch) -> Tensor:
        """The loss of the outputs (n, …), float32 or float64, summed over the examples with their weights. A task whose
        loss is no such sum defines `loss` instead."""
        raise TypeError(f"{self.name} defines neither loss nor _loss_sum")

    def _class_weight_of(self, target: Tensor) -> Tensor | None:
        """What each example counts in the loss by its class; None where all count alike."""
        return None

    # The contract.

    def check(self, data: Dataset) -> list[Finding]:
        return unused_inputs(data)

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
        self.inputs.fit(data, rows)

    def attach(self, data: Dataset, device: torch.device) -> None:
        device = torch.device(device)
        self._on_cpu = device.type == "cpu"
        self.inputs.attach(data, device)
        known = data.target is not None and data.target in data.columns
        self._target = self._encode_target(data, device) if known else None
        weight = None if data.weight is None else torch.as_tensor(data.weight, dtype=torch.float32, device=device)
        self._example_weight = weight
        of_class = None if self._target is None else self._class_weight_of(self._target)
        self._loss_weight = weight if of_class is None else of_class if weight is None else of_class * weight

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The recipe's `task.metric` first, where it names one; RecipeError where this task has no such metric."""
        found, name = self._metrics(), self.settings.metric
        if name is not None and name not in [metric.name for metric in found]:
            raise RecipeError(f"{self.name} has no metric {name!r} here", where="task.metric",
                              remedy=nearest(name, [metric.name for metric in found]))
        return tuple(sorted(found, key=lambda metric: metric.name != name))

    @property
    def spec(self) -> ModelSpec:
        return ModelSpec(self.inputs.specs(), self._outputs())

    def default_model(self) -> tuple[str, dict[str, Any]]:
        return ("convnet" if "image" in self.inputs.kinds else "mlp"), {}

    def default_settings(self, rows: int) -> dict[str, Any]:
        """AdamW under one cycle; epochs and batch by the amount of data, rates chosen on dev of several sets."""
        pictures = "image" in self.inputs.kinds
        large = rows > 20_000
        batch = 64 if rows < 5_000 else 128 if pictures else 256
        epochs = (15 if large else 30) if pictures else (10 if large else 40)
        return {
            "optimizer": "adamw", "schedule": "one_cycle", "epochs": epochs, "batch_size": min(batch, max(1, rows)),
            "lr": 3e-3 if pictures else 2e-3, "weight_decay": 0.05 if pictures else 0.01,
        }

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

    def batch(self, rows: Tensor, draw: Draw | None = None) -> Batch:
        if not self._on_cpu:
            rows = rows.to(self.inputs.device, non_blocking=True)
        return self.changed(rows, self.inputs.changes(len(rows), draw))

    def changed(self, rows: Tensor, changes: Sequence[Changes | None] = ()) -> Batch:
        """The batch of those rows, which lie on the device, each input changed as `Inputs.changes` drew it."""
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

    def _with_weight(self, results: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """The results with the examples' own weights (not those of their classes), where they have any."""
        if self._example_weight is not None:
            results["weight"] = self._example_weight.index_select(0, batch.rows)
        return results

    def example_weights(self, rows: np.ndarray) -> np.ndarray | None:
        """Float32 (n,): the examples' own weights; None where they have none."""
        weight = self._example_weight
        return None if weight is None else weight[torch.as_tensor(rows, device=weight.device)].cpu().numpy()

    def targets(self, rows: np.ndarray) -> np.ndarray:
        """As they stand in Rows; DataError where an example has no target, or one that training has not seen."""
        if self._target is None:
            raise DataError("there is no target to compare with", where=self.target_name,
                            remedy=f"Give data with a column {self.target_name!r}.")
        return self._target[torch.as_tensor(rows, device=self.inputs.device)].cpu().numpy()

    def state(self) -> dict[str, Any]:
        return {"task": self.name, "target": self.target_name, "inputs": self.inputs.state()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self.target_name = state["target"]
        self.inputs.load_state(state["inputs"])


def wide(output: Tensor) -> Tensor:
    """What a loss is computed from: float32, whatever autocast made of it; a float64 model stays in float64."""
    return output if output.dtype == torch.float64 else output.float()
