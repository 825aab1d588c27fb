"""What tasks share that learn from inputs alone: labels, where there are any, are carried along to be looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from orthogon.data.augment import Augmentation
from orthogon.data.changes import Changes
from orthogon.data.columns import CategoryColumn
from orthogon.data.dataset import Dataset
from orthogon.data.encode import ImageEncoder
from orthogon.errors import DataError
from orthogon.tasks.encoded import Encoded
from orthogon.train.settings import DataSettings, TaskSettings
from orthogon.train.task import Baseline, Batch

UNKNOWN = -1
"""The label of an example that has none."""


class Unlabelled(Encoded):
    """A task that learns from the inputs. Loss and gradient never see a label (`Batch.target` is None).

    labels: names of the classes of the data's target, where it is a category; () otherwise. Rows carry the codes as
    "target", so that codes and encodings can be drawn and judged by class.
    """

    needs_target: ClassVar[bool] = False
    falls_to_zero: ClassVar[bool] = False

    def __init__(self, settings: TaskSettings, data: DataSettings, augment: Augmentation | None = None) -> None:
        super().__init__(settings, data, augment)
        self.labels: tuple[str, ...] = ()
        self._label_codes: np.ndarray | None = None

    def fit(self, data: Dataset, rows: np.ndarray) -> None:
        super().fit(data, rows)
        column = None if data.target is None else data.target_column()
        self.labels = column.levels if isinstance(column, CategoryColumn) else ()

    def attach(self, data: Dataset, device: torch.device) -> None:
        super().attach(data, device)
        column = data.columns.get(str(data.target)) if self.labels else None
        self._label_codes = None if not isinstance(column, CategoryColumn) else _codes_by(self.labels, column)

    def changed(self, rows: Tensor, changes: Sequence[Changes | None] = ()) -> Batch:
        weight = None if self._example_weight is None else self._example_weight.index_select(0, rows)
        return Batch(self.inputs.gather(rows, changes), None, weight, rows)

    def counts(self, batch: Batch) -> dict[str, float]:
        return {"loss": float(len(batch.rows) if batch.weight is None else batch.weight.sum())}

    def baselines(self) -> list[Baseline]:
        return []

    def targets(self, rows: np.ndarray) -> np.ndarray:
        """The codes of the labels, int64; -1 where an example has none."""
        if self._label_codes is None:
            return np.full(len(rows), UNKNOWN, dtype=np.int64)
        return self._label_codes[rows]

    def only_input(self, kinds: Sequence[str]) -> None:
        """DataError unless there is one input, of one of these kinds."""
        if len(self.inputs.kinds) != 1 or self.inputs.kinds[0] not in kinds:
            raise DataError(f"{self.name} takes one input of kind {' or '.join(kinds)}; there are "
                            f"{', '.join(self.inputs.kinds)}", where="data",
                            remedy="Leave columns out: --set 'data.types={NAME: ignore}'")

    @property
    def in_unit(self) -> bool:
        """Whether the first input is a picture whose pixels are given in 0 … 1."""
        encoder = self.inputs.encoders[0]
        return isinstance(encoder, ImageEncoder) and encoder.in_unit

    def state(self) -> dict[str, Any]:
        return {**super().state(), "labels": list(self.labels)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        super().load_state(state)
        self.labels = tuple(state["labels"])


def _codes_by(labels: Sequence[str], column: CategoryColumn) -> np.ndarray:
    """The column's codes in the order of `labels`; levels that are not among them are unknown."""
    place = {name: code for code, name in enumerate(labels)}
    of_level = np.array([place.get(name, UNKNOWN) for name in column.levels] + [UNKNOWN], dtype=np.int64)
    return of_level[column.codes]
