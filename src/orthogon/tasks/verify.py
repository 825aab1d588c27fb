"""Same or different: encodings by which examples of one identity lie together, also of identities never seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.data.augment import Way
from orthogon.data.changes import Changes
from orthogon.data.columns import CategoryColumn, ImageColumn
from orthogon.data.dataset import Dataset
from orthogon.errors import DataError, RecipeError
from orthogon.nn.metric_losses import (
    PairHead,
    PairTotals,
    Similarity,
    contrastive_loss,
    pair_loss,
    prototypical_loss,
    triplet_loss,
)
from orthogon.nn.spec import ModelSpec
from orthogon.nn.total import Total
from orthogon.tasks.encoded import wide
from orthogon.tasks.identity_sampler import IdentitySampler
from orthogon.tasks.infer import as_category
from orthogon.tasks.supervised import Supervised
from orthogon.tasks.verification import SAME, Distances, euclidean, judged
from orthogon.tasks.verification_losses import losses
from orthogon.train.randomness import Draw
from orthogon.train.rows import Rows
from orthogon.train.task import Baseline, Batch, Loss, Metric, Part, Sheet, Sign

LOSSES = ("triplet", "prototypes", "contrastive", "siamese", "chi_square")
SIMILARITIES: dict[str, Similarity] = {"siamese": "absolute", "chi_square": "chi_square"}
"""What the head learns to weigh of two encodings, of the losses that have one."""

MARGINS = {"triplet": 0.2, "contrastive": 1.0}
"""In squared distances of encodings of length 1 (arXiv:1503.03832), and in their Euclidean distance."""

ENCODING = 64
"""Numbers of an encoding where the recipe names none."""


class Verify(Supervised):
    """The target is the identity. What the network gives is an encoding; two are of one identity where they are near.

    Dev and test hold identities that training has not seen. Rows have the encoding of each example, the identity of
    the nearest other one as "prediction", whether that is right as "score", and its distances from some others
    (`verification.judged`); "loss" is that of training, by these distances. Batches are P identities ×
    `task.examples_each`, P = batch size / examples each.
    distances: of encodings, by the model that gave the last results.
    threshold: the distance up to which two are taken for one identity, where no more than `task.false_accept_rate` of
    the pairs of two identities of dev are; None before `settle`. Distances are Euclidean; of the losses "siamese" and
    "chi_square" they are minus the logit of `PairHead`, which belongs to the model as `pair_head`.
    """

    name = "verify"
    decomposes = False
    new_classes = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.loss_name = self._chosen_loss(LOSSES)
        self.margin = self.settings.margin or MARGINS.get(self.loss_name, 0.0)
        self.threshold: float | None = None
        self._identities: tuple[str, ...] = ()
        self.distances: Distances = euclidean

    # Identities.

    def _fit_target(self, data: Dataset, rows: np.ndarray) -> None:
        column = data.target_column()
        if not isinstance(column, CategoryColumn):
            raise DataError(f"the target is of kind {column.kind}; verify needs the identity of each example",
                            where=f"{data.name}: column {data.target!r}",
                            remedy=f"--set 'data.types={{{data.target}: category}}'")
        usable = int((column.take(rows).counts() > 1).sum())
        if usable < 2:
            raise DataError(f"{usable} identities to train on have two examples or more: without a second identity "
                            "there is nothing to tell apart", where=f"{data.name}: column {data.target!r}",
                            remedy="Add identities, with several examples of each.")

    def _encode_target(self, data: Dataset, device: torch.device) -> Tensor:
        column = as_category(data, data.target_column())
        assert isinstance(column, CategoryColumn)  # noqa: S101 - an identity is a name
        self._identities = tuple(column.levels)
        return torch.as_tensor(column.codes, dtype=torch.int64, device=device)

    @property
    def classes(self) -> tuple[str, ...]:
        """The identities of the attached data: any, not those of training."""
        return self._identities

    def sampler(self, rows: np.ndarray, batch_size: int, seed: int, device: torch.device) -> IdentitySampler:
        each = self.settings.examples_each
        return IdentitySampler(rows, self.targets(rows), max(2, batch_size // each), each, seed, device)

    # The model.

    def _outputs(self) -> int:
        return self.settings.encoding or ENCODING

    @property
    def spec(self) -> ModelSpec:
        return ModelSpec(self.inputs.specs(), self._outputs(), compares=SIMILARITIES.get(self.loss_name, ""))

    @classmethod
    def default_augment(cls, data: Dataset) -> tuple[Way, ...]:
        """Pictures are shifted, turned, scaled, sheared and warped: few identities are learnt from."""
        pictures = any(isinstance(column, ImageColumn) for column in data.inputs.values())
        return ("shift", "rotate", "scale", "shear", "warp") if pictures else ()

    def encoding(self, output: Tensor) -> Tensor:
        """What of the model's output (n, D) is compared, float32: of length 1 for triplet and contrastive, without
        negative numbers for chi_square, otherwise as it is."""
        output = wide(output)
        if self.loss_name in MARGINS:
            return F.normalize(output, dim=1)
        return F.softplus(output) if self.loss_name == "chi_square" else output

    # In the loop.

    def batch(self, rows: Tensor, draw: Draw | None = None) -> Batch:
        """In training each identity is turned by a draw of its own: turned it is another one."""
        batch = super().batch(rows, draw)
        if draw is None or self.settings.turns == 1:
            return batch
        (codes,) = batch.target
        drawn = torch.randint(self.settings.turns, (len(self._identities),), generator=draw.generator("turns"),
                              device=codes.device)
        return batch._replace(inputs=tuple(_turned(each, drawn[codes] * (4 // self.settings.turns))
                                           for each in batch.inputs))

    def changed(self, rows: Tensor, changes: Sequence[Changes | None] = ()) -> Batch:
        """The target is a tuple of one tensor: codes of identities, which are no codes of outputs."""
        batch = super().changed(rows, changes)
        return batch._replace(target=None if batch.target is None else (batch.target,))

    def counts(self, batch: Batch) -> dict[str, float]:
        raise RecipeError("a batch of verify is compared as a whole", where="train.micro_batch_size")

    def loss(self, model: nn.Module, batch: Batch, carried: Any = None) -> Loss:
        encodings, (identities,) = self.encoding(model(*batch.inputs)), batch.target
        found = self._losses(model, encodings, identities)
        if isinstance(found, Total):
            return Loss((Part("loss", 1.0, found.sum, float(found.count)),))
        return Loss(tuple(Part(name, 0.5, each.sum, float(each.count)) for name, each in found._asdict().items()))

    def _losses(self, model: nn.Module, encodings: Tensor, identities: Tensor) -> Total | PairTotals:
        if self.loss_name == "triplet":
            return triplet_loss(encodings, identities, self.margin, self.settings.mining,
                                self.settings.distance == "squared")
        if self.loss_name == "contrastive":
            return contrastive_loss(encodings, identities, self.margin)
        if self.loss_name == "prototypes":
            return prototypical_loss(encodings, identities, self.settings.shots)
        return pair_loss(_pair_head(model)(encodings, encodings), identities)

    # After it.

    def results(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """encoding (n, D); the rest takes all examples: `together`, by the distances of this model."""
        if self.loss_name in SIMILARITIES:
            head = _pair_head(model)
            self.distances = lambda first, second: -head(first.to(head.weight), second.to(head.weight)).cpu()
        return self._with_weight({"encoding": self.encoding(model(*batch.inputs))}, batch)

    @torch.no_grad()
    def together(self, results: dict[str, np.ndarray], rows: np.ndarray) -> dict[str, np.ndarray]:
        if self._target is None:
            return results
        found = judged(results["encoding"], self.targets(rows), self.distances)
        own, other = np.split(found["distance"], [SAME], axis=1)
        loss = losses(self.loss_name, own, other, self.margin, self.settings.mining,
                      self.settings.distance == "squared")
        return {**results, **found, "loss": loss}

    def _metrics(self) -> tuple[Metric, ...]:
        from orthogon.tasks.verification_metrics import verification_metrics

        return verification_metrics(self.settings.false_accept_rate)

    def baselines(self) -> list[Baseline]:
        from orthogon.tasks.verification_baselines import PCANeighbors, RawNeighbors

        return [RawNeighbors(), PCANeighbors()]

    def sheets(self, model: nn.Module, rows: np.ndarray) -> list[Sheet]:
        from orthogon.tasks.verification_sheets import sheets

        return sheets(self, model, rows)

    def signs(self, lines: Sequence[Mapping[str, Any]], parts: Mapping[str, Rows]) -> list[Sign]:
        from orthogon.tasks.verification_signs import signs

        return signs(parts, self.loss_name, self.margin, lines)

    def settle(self, parts: Mapping[str, Rows]) -> None:
        from orthogon.tasks.verification_metrics import threshold_at

        if "dev" in parts:
            self.threshold = threshold_at(parts["dev"], self.settings.false_accept_rate)

    def decode(self, results: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
        """{"encoding": [numbers]} per example."""
        return [{"encoding": each.tolist()} for each in results["encoding"]]

    def state(self) -> dict[str, Any]:
        return {**super().state(), "threshold": self.threshold}

    def load_state(self, state: Mapping[str, Any]) -> None:
        super().load_state(state)
        self.threshold = state["threshold"]


def _pair_head(model: nn.Module) -> PairHead:
    head = getattr(model, "pair_head", None)
    if not isinstance(head, PairHead):
        raise RecipeError("the model has no pair_head", where="task.loss",
                          remedy="Give it one: model.pair_head = orthogon.nn.metric_losses.PairHead(outputs).")
    return head


def _turned(pictures: Tensor, quarters: Tensor) -> Tensor:
    """Square pictures (n, C, H, W), each turned by so many quarters (n,)."""
    if pictures.ndim != 4 or pictures.shape[2] != pictures.shape[3]:
        raise RecipeError("turned identities are for square pictures", where="task.turns",
                          remedy="Leave task.turns out, or set data.image_size.")
    turned = pictures.clone()
    for k in range(1, 4):
        turned[quarters == k] = pictures[quarters == k].rot90(k, (2, 3))
    return turned
