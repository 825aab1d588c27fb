"""The class of each pixel: cross-entropy and Dice over masks (row 17.12)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.data.changes import Changes
from orthogon.data.columns import ImageColumn
from orthogon.data.dataset import Dataset, Finding
from orthogon.data.encoders import ImageEncoder
from orthogon.data.masks import IGNORE, MaskColumn
from orthogon.data.pictures import DETAILED
from orthogon.errors import DataError, RecipeError, nearest
from orthogon.tasks.classify import class_weights
from orthogon.tasks.supervised import Supervised
from orthogon.train.compute import Compute
from orthogon.train.randomness import Draw
from orthogon.train.task import Baseline, Batch, Loss, Metric, Part
from orthogon.vision.segment_losses import Truth, class_counts, dice_loss, pixel_entropy

LOSS_WEIGHTS = {"cross_entropy": 0.5, "dice": 0.5}
"""As in nnU-Net (Isensee et al. 2021, Nature Methods 18), where both count alike."""

PIXELS = 2**19
"""Pixels of which results are computed at once: the maps of a U-Net are many times larger than its picture."""

FOUND = 0.5
"""IoU from which a class counts as found in a picture, as in VOC."""


class Segment(Supervised):
    """The target is a mask; the model gives n×K×H×W logits for n pictures (n×K: the same for every pixel).

    names: of the K classes, as the column has them; code 0 is the background.
    The loss has two parts. "cross_entropy": over pixels, by class weights and weights of pictures. "dice": of each
    picture 1 − the mean over the classes in its mask of 2 Σ p t / (Σ p + Σ t) (Milletari et al. 2016, arXiv:1606.04797;
    plain sums below, as Drozdzal et al. 2016, arXiv:1608.04117), so that small objects count. `task.loss_weights` says
    how much each counts, by default one half. Ignored pixels count nowhere.

    Pictures are scored as the network sees them (`data.image_size`, `data.fit`); new pictures get masks in their own
    size, in the scale of training: see `answers`. In rows, target and prediction are the share of pixels that are no
    background, "score" is the picture's mean IoU over the classes in its mask or prediction (1 where the whole mask is
    ignored), "right" whether each of them has an IoU of at least one half, "intersection" and "union" (n, K) count
    pixels. The loss in rows is that of training without class weights, NaN where the whole mask is ignored.
    """

    name = "segment"
    legend = ("Each picture beside its true mask and the predicted one; the numbers are the shares of pixels that are "
              "no background.")
    picture_side: ClassVar[int] = DETAILED
    whole_pictures: ClassVar[bool] = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.names: tuple[str, ...] = ()
        self.native = False
        self.loss_weights = {**LOSS_WEIGHTS, **self.settings.loss_weights}
        if strange := [part for part in self.loss_weights if part not in LOSS_WEIGHTS]:
            raise RecipeError(f"segment has no loss {strange[0]!r}", where="task.loss_weights",
                              remedy=nearest(strange[0], list(LOSS_WEIGHTS)))
        self._train_share: np.ndarray = np.empty(0)
        self._class_weights: list[float] | None = None
        self._column: MaskColumn | None = None

    # --- the target ------------------------------------------------------------------------------------------

    def check(self, data: Dataset) -> list[Finding]:
        column = data.target_column()
        absent = [] if not isinstance(column, MaskColumn) else [
            name for name, pixels in zip(column.names, column.counts.sum(axis=0)) if not pixels
        ]
        return [*super().check(data), *(
            Finding("class-without-pixels", "warning", f"no pixel is of the class {name!r}", where=data.name,
                    column=data.target, value=name, remedy="It cannot be learnt: leave it out of classes.txt, or add "
                    "pictures that show it.")
            for name in absent
        )]

    def fit(self, data: Dataset, rows: np.ndarray) -> None:
        super().fit(data, rows)
        pictures = data.columns[self.encoder.columns[0]]
        assert isinstance(pictures, ImageColumn)  # noqa: S101 - an ImageEncoder read it
        self.native = bool((pictures.sizes[np.asarray(rows)] == self.encoder.size).all())

    def _fit_target(self, data: Dataset, rows: np.ndarray) -> None:
        column = _masks_of(data)
        pictures = [each for each in data.inputs.values() if isinstance(each, ImageColumn)]
        if len(pictures) != 1:
            raise DataError(f"{len(pictures)} columns of pictures where segment needs one", where=data.name)
        pixels = column.counts[rows].sum(axis=0)
        if (pixels > 0).sum() < 2:
            raise DataError(f"all pixels to train on are of one class, {column.names[int(pixels.argmax())]!r}",
                            where=f"{data.name}: column {data.target!r}", remedy="Add pictures that show another one.")
        self.names, self._train_share = column.names, pixels / pixels.sum()
        self._class_weights = class_weights(self.settings.class_weights, self.names, self._train_share)

    def _encode_target(self, data: Dataset, device: torch.device) -> Tensor:
        """Uint8 (n, H, W): the masks as the network sees their pictures, by the codes of training."""
        column = _masks_of(data)
        strange = [name for name in column.names if name not in self.names]
        if strange:
            raise DataError(f"the class {strange[0]!r} is not one that the network was trained on", where=data.name,
                            remedy=f"It knows {', '.join(self.names)}. Name the classes alike in classes.txt.")
        codes = np.full(IGNORE + 1, IGNORE, dtype=np.uint8)
        codes[: len(column.names)] = [self.names.index(name) for name in column.names]
        masks = column.at(self.encoder.size, self.encoder.fit)
        self._column = column
        masks = masks if column.names == self.names else codes[masks]
        return torch.from_numpy(np.ascontiguousarray(masks)).to(device)

    @property
    def encoder(self) -> ImageEncoder:
        """The preprocessing of the pictures."""
        found = self.inputs.encoders[0]
        assert isinstance(found, ImageEncoder)  # noqa: S101 - pictures come first
        return found

    def _outputs(self) -> int:
        return len(self.names)

    def targets(self, rows: np.ndarray) -> np.ndarray:
        """Float32 (n,): the share of pixels that are no background, in the masks' own size."""
        super().targets(rows[:0])  # refuses where there is no target
        assert self._column is not None  # noqa: S101 - known where there is a target
        column = self._column
        background = column.names.index(self.names[0]) if self.names[0] in column.names else None
        share = 0.0 if background is None else column.shares[rows, background]
        return (np.ones(len(rows)) - share).astype(np.float32)

    # --- in the loop -----------------------------------------------------------------------------------------

    def default_model(self) -> tuple[str, dict[str, Any]]:
        """A U-Net of at most four halvings, that leave four pixels a side."""
        return "unet", {"width": 16, "depth": int(np.clip(math.log2(min(self.encoder.size) / 4), 1, 4))}

    def default_settings(self, rows: int) -> dict[str, Any]:
        """AdamW under one cycle, in batches of eight pictures: each has thousands of pixels to learn from. About 500
        steps, in 10 to 100 epochs."""
        return {**super().default_settings(rows), "epochs": min(100, max(10, 4_000 // rows)),
                "batch_size": min(8, rows), "lr": 3e-3, "weight_decay": 0.01}

    @property
    def most_at_once(self) -> int:
        return max(1, PIXELS // math.prod(self.encoder.size))

    def check_output(self, output: Any) -> None:
        """A value for each class and pixel."""
        found = tuple(output.shape[1:]) if isinstance(output, Tensor) else type(output).__name__
        wanted = (len(self.names), *self.encoder.size)
        if found != wanted:
            raise RecipeError(
                f"the model gives {found} for each picture, segment needs {wanted}: a value for each class and pixel",
                where="model", remedy="Take a model that gives maps: --model unet",
            )

    def batch(self, rows: Tensor, draw: Draw | None = None) -> Batch:
        found = super().batch(rows, draw)
        if found.target is None:
            return found
        return found._replace(target=Truth(found.target.long(), found.target != IGNORE))

    def _following(self, batch: Batch, changes: Changes) -> Batch:
        return batch._replace(target=None if batch.target is None else changes.masks(batch.target))

    def counts(self, batch: Batch) -> dict[str, float]:
        """Pixels by the weights of their class and picture; pictures of which anything is known, by their weight."""
        pixels, pictures = self._counted(batch)
        return {"cross_entropy": float(pixels.sum()), "dice": float(pictures.sum())}

    def _counted(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Of each picture (n,): its weighted pixels, and its weight where anything of it is known."""
        known = batch.target.known.flatten(1)
        weights = self._weights_of_classes(batch.target.codes.device)
        if weights is None:
            pixels = known.sum(1).double()
        else:
            pixels = (class_counts(batch.target.codes, len(self.names)).double() * weights).sum(1)
        pictures = known.any(1).double()
        return (pixels, pictures) if batch.weight is None else (pixels * batch.weight, pictures * batch.weight)

    def _weights_of_classes(self, device: torch.device) -> Tensor | None:
        return None if self._class_weights is None else torch.tensor(self._class_weights, device=device)

    def loss(self, model: nn.Module, batch: Batch, carried: Any = None) -> Loss:
        logged = self._logged(model, batch)
        weights = self._weights_of_classes(logged.device)
        entropies, distances = pixel_entropy(logged, batch.target, weights), dice_loss(logged, batch.target)
        if batch.weight is not None:
            entropies, distances = entropies * batch.weight, distances * batch.weight
        parts, count = {"cross_entropy": entropies.sum(), "dice": distances.sum()}, self.counts(batch)
        return Loss(tuple(Part(name, self.loss_weights[name], total, count[name]) for name, total in parts.items()))

    @staticmethod
    def _logged(model: nn.Module, batch: Batch) -> Tensor:
        """Log probabilities (n, K, H, W), float32 or float64."""
        output = model(*batch.inputs)
        output = output if output.dtype == torch.float64 else output.float()
        logged = F.log_softmax(output, dim=1)
        if logged.ndim == 2 and batch.target is not None:
            return logged[:, :, None, None].expand(-1, -1, *batch.target.codes.shape[1:])
        return logged

    # --- after it --------------------------------------------------------------------------------------------

    def results(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """prediction (n,), shares (n, K) of the classes; with a target also loss, score, iou (the score), right (n,),
        intersection and union (n, K)."""
        logged = self._logged(model, batch)
        predicted = logged.argmax(1)
        shares = class_counts(predicted, len(self.names)) / math.prod(predicted.shape[1:])
        found = {"prediction": (1 - shares[:, 0]).float(), "shares": shares.float()}
        if batch.target is not None:
            found |= self._judged(logged, predicted, batch.target)
        return self._with_weight(found, batch)

    def _judged(self, logged: Tensor, predicted: Tensor, truth: Truth) -> dict[str, Tensor]:
        classes = len(self.names)
        hits = class_counts(truth.codes.masked_fill(predicted != truth.codes, IGNORE), classes)
        seen = class_counts(predicted.masked_fill(~truth.known, IGNORE), classes)
        either = class_counts(truth.codes, classes) + seen - hits
        present, overlap = either > 0, hits / either.clamp(min=1)
        pixels = truth.known.flatten(1).sum(1)
        score = (overlap.sum(1) / present.sum(1)).masked_fill(pixels == 0, 1.0)
        loss = (self.loss_weights["cross_entropy"] * pixel_entropy(logged, truth) / pixels
                + self.loss_weights["dice"] * dice_loss(logged, truth).masked_fill(pixels == 0, torch.nan))
        return {"loss": loss.float(), "score": score.float(), "iou": score.float(),
                "right": ((overlap >= FOUND) | ~present).all(1), "intersection": hits.float(), "union": either.float()}

    def _metrics(self) -> tuple[Metric, ...]:
        from orthogon.vision.segment_metrics import segmentation_metrics

        return segmentation_metrics(self.names)

    def baselines(self) -> list[Baseline]:
        from orthogon.vision.segment_baselines import CommonestClass, PixelLinear

        return [CommonestClass(), PixelLinear()]

    @property
    def train_share(self) -> np.ndarray:
        """Float (K,): the share of each class among the known pixels of the train rows."""
        return self._train_share

    def decode(self, results: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
        """{"shares": class -> share of the pixels} per example."""
        return [{"shares": dict(zip(self.names, row))} for row in np.asarray(results["shares"], float).tolist()]

    def drawn(self, model: nn.Module, rows: np.ndarray, pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Each picture, with its true mask over it, and with the predicted one, side by side."""
        from orthogon.vision.segment_pictures import drawn

        assert self._column is not None  # noqa: S101 - examples that are shown have a target
        return drawn(self, model, self._column.take(np.asarray(rows)), pictures)

    def marked(self, batch: Batch, pictures: list[np.ndarray]) -> list[np.ndarray]:
        """With the true mask over each."""
        from orthogon.draw.masks import overlay

        return [overlay(picture, codes) for picture, codes in zip(pictures, batch.target.cpu().numpy())]

    def answers(self, model: nn.Module, data: Dataset, compute: Compute) -> list[dict[str, Any]]:
        from orthogon.vision.segment_pictures import answers

        return answers(self, model, data, compute)

    def state(self) -> dict[str, Any]:
        return {**super().state(), "names": list(self.names), "share": self._train_share.tolist(),
                "class_weights": self._class_weights, "native": self.native}

    def load_state(self, state: Mapping[str, Any]) -> None:
        super().load_state(state)
        self.names, self._train_share = tuple(state["names"]), np.array(state["share"])
        self._class_weights, self.native = state["class_weights"], bool(state["native"])


def _masks_of(data: Dataset) -> MaskColumn:
    column = data.target_column()
    if not isinstance(column, MaskColumn):
        raise DataError(f"the target is of kind {column.kind}, not a mask",
                        where=f"{data.name}: column {data.target!r}",
                        remedy="Put images/ and masks/ side by side, or give (X, masks) with masks of n×H×W.")
    return column
