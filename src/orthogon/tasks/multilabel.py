"""Any number of labels at once: independent sigmoids; labels that are not known are left out (row 3.09)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.data.columns import LabelsColumn
from orthogon.data.dataset import Dataset, Finding
from orthogon.errors import DataError, RecipeError, nearest
from orthogon.nn.loss_gradients import sigmoid_cross_entropy
from orthogon.tasks.checks import check_several
from orthogon.tasks.infer import as_labels
from orthogon.tasks.supervised import Supervised
from orthogon.train.task import Baseline, Batch, Metric

THRESHOLD = 0.5
"""The probability from which a label is predicted, where no other is asked for: at most labels are right then."""


class MultiLabel(Supervised):
    """The target is a column of labels: 1 carried, 0 not, NaN unknown.

    The loss is Σ w·binary cross-entropy / Σ w over the labels that are known, w = example weight × class weight. Class
    weights: "balanced" gives the two sides of every label the same total in train; a mapping weighs whole labels.
    A label is predicted from the probability `task.threshold` on. The one at which F1 is largest is half of that F1,
    so far below ½ for rare labels (Lipton et al. 2014, arXiv:1402.1892).
    In results the loss is the plain mean over the example's known labels, the score the share of them that is predicted
    rightly; both are NaN where no label of the example is known.
    """

    name = "multilabel"
    mixes = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._chosen_loss(("binary_cross_entropy",))
        self.threshold = THRESHOLD if self.settings.threshold is None else self.settings.threshold
        self._classes: tuple[str, ...] = ()
        self._train_share = np.empty(0)
        self._side_weights: np.ndarray | None = None
        self._weights: Tensor | None = None

    def check(self, data: Dataset) -> list[Finding]:
        column = data.target_column()
        found = check_several(data, column.values, column.names) if isinstance(column, LabelsColumn) else []
        return [*super().check(data), *found]

    def _fit_target(self, data: Dataset, rows: np.ndarray) -> None:
        column = data.target_column()
        if not isinstance(column, LabelsColumn):
            raise DataError(f"the target is of kind {column.kind}, not several labels",
                            where=f"{data.name}: column {data.target!r}",
                            remedy="Give several 0/1 columns, or one with labels such as 'red|round'.")
        self._classes, values = column.names, column.values[rows]
        known = ~np.isnan(values)
        counts = np.maximum(known.sum(axis=0), 1)
        self._train_share = np.where(known, values, 0).sum(axis=0) / counts
        self._side_weights = _side_weights(self.settings.class_weights, self._classes, self._train_share)

    def _encode_target(self, data: Dataset, device: torch.device) -> Tensor:
        column = as_labels(data, data.target_column())
        known = {name: k for k, name in enumerate(column.names)}
        values = np.full((len(column), len(self._classes)), np.nan, dtype=np.float32)
        for k, name in enumerate(self._classes):
            if name in known:
                values[:, k] = column.values[:, known[name]]
        return torch.from_numpy(values).to(device)

    def attach(self, data: Dataset, device: torch.device) -> None:
        super().attach(data, device)
        self._weights = None if self._target is None else self._label_weights(self._target)

    def _label_weights(self, target: Tensor) -> Tensor | None:
        """Float (n, L): what each label of each row counts, beside the weight of its example; None: all the same."""
        known = ~target.isnan()
        if self._side_weights is None and bool(known.all()):
            return None
        weights = known.float()
        if self._side_weights is not None:
            absent, there = torch.tensor(self._side_weights, dtype=torch.float32, device=target.device)
            weights = weights * torch.where(target == 1, there, absent)
        return weights

    def _outputs(self) -> int:
        return len(self._classes)

    @property
    def classes(self) -> tuple[str, ...]:
        return self._classes

    @property
    def train_share(self) -> np.ndarray:
        """Float (L,): how often each label is carried where it is known, in the train rows."""
        return self._train_share

    def _weights_of(self, batch: Batch) -> Tensor | None:
        """Float (n, L): what each label of each example counts; None where all count 1."""
        weights = None if self._weights is None else self._weights.index_select(0, batch.rows)
        if batch.weight is None:
            return weights
        of_examples = batch.weight.unsqueeze(1)
        return of_examples.expand(batch.target.shape) if weights is None else weights * of_examples

    def counts(self, batch: Batch) -> dict[str, float]:
        each = [(side, self._weights_of(side)) for side in self._sides(batch)]
        return {"loss": sum(float(side.target.numel()) if weights is None else float(weights.sum())
                            for side, weights in each)}

    def _loss_sum(self, outputs: Tensor, batch: Batch) -> Tensor:
        weights = self._weights_of(batch)
        weights = None if weights is None else weights.to(outputs.dtype)
        target = self._smoothed(batch.target).to(outputs.dtype)
        return F.binary_cross_entropy_with_logits(outputs, target, weights, reduction="sum")

    def _side_gradient(self, outputs: Tensor, side: Batch) -> tuple[Tensor, Tensor] | None:
        weights = self._weights_of(side)
        weights = torch.ones_like(side.target) if weights is None else weights
        return sigmoid_cross_entropy(outputs, self._smoothed(side.target), weights)

    def _smoothed(self, target: Tensor) -> Tensor:
        """The target with unknown labels at 0, where their weight is 0 too, and smoothed as the recipe says."""
        known, smoothing = target.nan_to_num(0.0), self.settings.label_smoothing
        return known * (1 - smoothing) + smoothing / 2 if smoothing else known

    def results(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """prediction 0/1 and probabilities, both (n, L); with a target also loss and score (n,)."""
        logits = model(*batch.inputs).float()
        probabilities = logits.sigmoid()
        found = {"prediction": (probabilities >= self.threshold).float(), "probabilities": probabilities}
        if batch.target is not None:
            known = ~batch.target.isnan()
            each = F.binary_cross_entropy_with_logits(logits, batch.target.nan_to_num(0.0), reduction="none")
            count = known.sum(1)
            found["loss"] = (each * known).sum(1) / count
            found["score"] = ((found["prediction"] == batch.target) & known).sum(1) / count
        return self._with_weight(found, batch)

    def _metrics(self) -> tuple[Metric, ...]:
        from orthogon.tasks.multilabel_metrics import multilabel_metrics

        return multilabel_metrics()

    def baselines(self) -> list[Baseline]:
        from orthogon.tasks.baselines import baselines_for

        return baselines_for(self)

    def decode(self, results: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
        """{"labels": those predicted, "probabilities": label -> share} per example."""
        predictions = np.asarray(results["prediction"]) == 1
        return [
            {"labels": [name for name, there in zip(self._classes, carried) if there],
             "probabilities": dict(zip(self._classes, row.tolist()))}
            for carried, row in zip(predictions.tolist(), np.asarray(results["probabilities"]))
        ]

    def state(self) -> dict[str, Any]:
        sides = None if self._side_weights is None else self._side_weights.tolist()
        return {**super().state(), "classes": list(self._classes), "share": self._train_share.tolist(),
                "side_weights": sides}

    def load_state(self, state: Mapping[str, Any]) -> None:
        super().load_state(state)
        self._classes, self._train_share = tuple(state["classes"]), np.array(state["share"])
        self._side_weights = None if state["side_weights"] is None else np.array(state["side_weights"])


def _side_weights(setting: Any, names: tuple[str, ...], share: np.ndarray) -> np.ndarray | None:
    """(2, L): the weight of absent and of carried, for each label."""
    if setting == "none":
        return None
    if setting == "balanced":
        inside = np.clip(share, 1e-6, 1 - 1e-6)
        return np.stack([0.5 / (1 - inside), 0.5 / inside])
    for name, value in setting.items():
        if name not in names:
            raise RecipeError(f"there is no label {name!r}", where="task.class_weights",
                              remedy=nearest(name, list(names)))
        if not value >= 0:
            raise RecipeError(f"the weight of {name!r} is {value}; it is at least 0", where="task.class_weights")
    weights = np.array([float(setting.get(name, 1.0)) for name in names])
    return np.stack([weights, weights])
