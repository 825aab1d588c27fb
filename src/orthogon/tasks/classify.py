"""One label of several: softmax cross-entropy over pictures or tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.data.columns import CategoryColumn
from orthogon.data.dataset import Dataset, Finding
from orthogon.errors import DataError, RecipeError, nearest
from orthogon.nn.loss_gradients import softmax_cross_entropy
from orthogon.nn.losses import squared_hinge, squared_hinge_probabilities
from orthogon.tasks.checks import check_labels
from orthogon.tasks.infer import as_category, is_soft, soft_labels
from orthogon.tasks.supervised import Supervised
from orthogon.train.task import Baseline, Batch, Metric


class Classify(Supervised):
    """The target is a category, or, for soft labels, a block of probabilities that sum to 1 (one per class).

    classes: the levels that occur in the train rows, in the order of the column.
    The loss is Σ w·cross-entropy / Σ w, w = example weight × class weight, labels smoothed as the recipe says; with
    `task.loss` "squared_hinge" it is that of a linear SVM, one class against the rest, in place of cross-entropy. In
    results, "loss" is −log of the probability of the true label, unweighted and unsmoothed: what cross-entropy means.
    Probabilities are those of softmax, or what `squared_hinge_probabilities` reads from the scores of an SVM.
    A label that training has not seen has code −1: prediction works, `targets` refuses.
    """

    name = "classify"
    weighs_errors = True
    mixes = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.loss_name = self._chosen_loss(("cross_entropy", "squared_hinge"))
        self._classes: tuple[str, ...] = ()
        self._train_share: np.ndarray = np.empty(0)
        self._class_weights: list[float] | None = None
        self._soft = False

    def check(self, data: Dataset) -> list[Finding]:
        return [*super().check(data), *check_labels(data)]

    def _fit_target(self, data: Dataset, rows: np.ndarray) -> None:
        column = data.target_column()
        if isinstance(column, CategoryColumn):
            self._soft, counts = False, column.take(rows).counts()
            present = np.flatnonzero(counts)
            self._classes = tuple(column.levels[code] for code in present)
            shares = counts[present].astype(float)
        elif is_soft(column):
            self._soft, (names, probabilities) = True, soft_labels(column)
            self._classes, shares = names, probabilities[rows].sum(axis=0)
        else:
            raise DataError(
                f"the target is of kind {column.kind}, not a category", where=f"{data.name}: column {data.target!r}",
                remedy=f"--set 'data.types={{{data.target}: category}}', or --task regress for a number.",
            )
        if len(self._classes) < 2:
            only = ", ".join(map(repr, self._classes)) or "none"
            raise DataError(f"all {len(rows):,} examples to train on carry one label, {only}",
                            where=f"{data.name}: column {data.target!r}",
                            remedy="Add examples of another class, or choose another target.")
        self._train_share = shares / shares.sum()
        self._class_weights = class_weights(self.settings.class_weights, self._classes, self._train_share)
        self._positive_code()

    def _encode_target(self, data: Dataset, device: torch.device) -> Tensor:
        column = data.target_column()
        if self._soft:
            names, probabilities = soft_labels(column)
            if names != self._classes:
                raise DataError(f"labels {names} where the network was trained on {self._classes}", where=data.name)
            return torch.as_tensor(probabilities, dtype=torch.float32, device=device)
        column = as_category(data, column)
        assert isinstance(column, CategoryColumn)  # noqa: S101 - what is not soft is a category
        known = {name: code for code, name in enumerate(self._classes)}
        table = np.array([*(known.get(level, -1) for level in column.levels), -1], dtype=np.int64)
        return torch.from_numpy(table[column.codes]).to(device)

    def _outputs(self) -> int:
        return len(self._classes)

    @property
    def classes(self) -> tuple[str, ...]:
        return self._classes

    @property
    def train_share(self) -> np.ndarray:
        """Float (K,): the share of each class in the train rows."""
        return self._train_share

    @property
    def positive(self) -> int:
        """The code of the class that precision, recall and ROC AUC of two classes speak of: the recipe's
        `task.positive`, else the rarer one in train, else the last."""
        return self._positive_code()

    def _positive_code(self) -> int:
        name = self.settings.positive
        if name is None:
            return len(self._classes) - 1 - int(np.argmin(self._train_share[::-1]))
        if name not in self._classes:
            raise RecipeError(f"there is no class {name!r}", where="task.positive",
                              remedy=nearest(name, list(self._classes)))
        return self._classes.index(name)

    def _class_weight_of(self, target: Tensor) -> Tensor | None:
        if self._class_weights is None:
            return None
        weights = torch.tensor(self._class_weights, dtype=torch.float32, device=target.device)
        if self._soft:
            return target @ weights
        return torch.where(target >= 0, weights[target.clamp(min=0)], 0.0)

    def _loss_sum(self, outputs: Tensor, batch: Batch) -> Tensor:
        smoothing = self.settings.label_smoothing
        if self.loss_name == "squared_hinge":
            return squared_hinge(outputs, self._shares(batch.target, outputs), batch.weight).sum
        if batch.weight is None:
            return F.cross_entropy(outputs, batch.target, reduction="sum", label_smoothing=smoothing)
        each = F.cross_entropy(outputs, batch.target, reduction="none", label_smoothing=smoothing)
        return torch.dot(each, batch.weight.to(each.dtype))

    def _shares(self, target: Tensor, like: Tensor) -> Tensor:
        """The target as probabilities (n, K), smoothed as the recipe says, in the type of the outputs."""
        shares = (target if self._soft else F.one_hot(target, len(self._classes))).to(like.dtype)
        smoothing = self.settings.label_smoothing
        return shares * (1 - smoothing) + smoothing / len(self._classes)

    def _side_gradient(self, outputs: Tensor, side: Batch) -> tuple[Tensor, Tensor] | None:
        if self.loss_name != "cross_entropy":
            return None
        return softmax_cross_entropy(outputs, side.target, side.weight, self.settings.label_smoothing)

    def results(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """prediction int64 (n,), probabilities (n, K); with a target also loss (n,) and score (n,), 1 = right.

        Both are NaN where the label is not known. Of soft labels the likeliest class is the right one.
        """
        outputs = model(*batch.inputs).float()
        svm = self.loss_name == "squared_hinge"
        logged = squared_hinge_probabilities(outputs).log() if svm else F.log_softmax(outputs, dim=1)
        found = {"prediction": outputs.argmax(1), "probabilities": logged.exp()}
        if batch.target is not None:
            found["loss"], found["score"] = self._judged(logged, found["prediction"], batch.target)
        return self._with_weight(found, batch)

    def _judged(self, logged: Tensor, prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        if self._soft:
            return -(target * logged).sum(1), (prediction == target.argmax(1)).float()
        unknown = target < 0
        loss = -logged.gather(1, target.clamp(min=0).unsqueeze(1)).squeeze(1)
        score = (prediction == target).float()
        return loss.masked_fill(unknown, torch.nan), score.masked_fill(unknown, torch.nan)

    def targets(self, rows: np.ndarray) -> np.ndarray:
        """Int64 (n,): class codes; of soft labels the likeliest."""
        codes = super().targets(rows)
        if self._soft:
            return codes.argmax(axis=1)
        if (codes < 0).any():
            row = int(np.asarray(rows)[np.argmin(codes)])
            raise DataError(
                f"{int((codes < 0).sum()):,} examples carry no label, or one that does not occur in the train part",
                where=f"column {self.target_name!r}, row {row}",
                remedy="Leave those rows out, or split so that each class has examples to train on.",
            )
        return codes

    def target_shares(self, rows: np.ndarray) -> np.ndarray:
        """Float64 (n, K): the true distribution over the classes, one-hot where labels are not soft."""
        if self._soft:
            return super().targets(rows).astype(np.float64)
        return np.eye(len(self._classes))[self.targets(rows)]

    def _metrics(self) -> tuple[Metric, ...]:
        from orthogon.tasks.metrics import classification_metrics, weighted_error

        found = classification_metrics(self.positive if len(self._classes) == 2 else None)
        if not self.settings.costs:
            return found
        return (*found, weighted_error(_cost_table(self.settings.costs, self._classes)))

    def baselines(self) -> list[Baseline]:
        from orthogon.tasks.baselines import baselines_for

        return baselines_for(self)

    def decode(self, results: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
        """{"label", "probability", "probabilities": class -> share} per example."""
        probabilities = np.asarray(results["probabilities"])
        return [
            {"label": self._classes[code], "probability": float(row[code]),
             "probabilities": dict(zip(self._classes, row.tolist()))}
            for code, row in zip(np.asarray(results["prediction"]).tolist(), probabilities)
        ]

    def state(self) -> dict[str, Any]:
        return {**super().state(), "classes": list(self._classes), "share": self._train_share.tolist(),
                "class_weights": self._class_weights, "soft": self._soft}

    def load_state(self, state: Mapping[str, Any]) -> None:
        super().load_state(state)
        self._classes, self._train_share = tuple(state["classes"]), np.array(state["share"])
        self._class_weights, self._soft = state["class_weights"], bool(state["soft"])


def class_weights(setting: Any, classes: tuple[str, ...], share: np.ndarray) -> list[float] | None:
    """"balanced": 1 / (K × share), so that each class has the same total; in a mapping, what is not named has 1."""
    if setting == "none":
        return None
    if setting == "balanced":
        return (1 / (len(classes) * np.maximum(share, 1e-12))).tolist()
    for name, value in setting.items():
        if name not in classes:
            raise RecipeError(f"there is no class {name!r}", where="task.class_weights",
                              remedy=nearest(name, list(classes)))
        if not value >= 0:
            raise RecipeError(f"the weight of {name!r} is {value}; it is at least 0", where="task.class_weights")
    return [float(setting.get(name, 1.0)) for name in classes]


def _cost_table(costs: Mapping[str, float], classes: tuple[str, ...]) -> np.ndarray:
    """(K, K): what predicting the column for the row costs; a named pair beats a named class."""
    table = 1.0 - np.eye(len(classes))
    for name, weight in sorted(costs.items(), key=lambda item: item[0] not in classes):
        true, _, predicted = (name, "", "") if name in classes else name.partition("->")
        for part in (true.strip(), *([predicted.strip()] if predicted else [])):
            if part not in classes:
                raise RecipeError(f"there is no class {part!r}", where="task.costs",
                                  remedy=nearest(part, list(classes)))
        row = classes.index(true.strip())
        columns = [classes.index(predicted.strip())] if predicted else [k for k in range(len(classes)) if k != row]
        if columns == [row]:
            raise RecipeError(f"{name!r} is no error", where="task.costs", remedy="Name two classes that differ.")
        table[row, columns] = weight
    if not table.any():
        raise RecipeError("every error weighs nothing", where="task.costs", remedy="Give one of them a weight above 0.")
    return table
