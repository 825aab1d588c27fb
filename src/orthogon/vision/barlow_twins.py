"""Learning from pictures without labels: two changed views of one come out alike (rows 21.13, 21.14; E115).

Zbontar et al. 2021, arXiv:2103.03230.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from orthogon.data.augment import Way
from orthogon.data.columns import ImageColumn
from orthogon.data.dataset import Dataset
from orthogon.errors import DataError, RecipeError
from orthogon.nn.collapse import collapse
from orthogon.nn.cross_correlation import REDUNDANCY, barlow_twins, shares, standardized
from orthogon.nn.heads import encoding
from orthogon.tasks.encoded import wide
from orthogon.tasks.unlabelled import Unlabelled
from orthogon.train.randomness import Draw
from orthogon.train.rows import Rows
from orthogon.train.sampler import Sampler
from orthogon.train.task import Baseline, Batch, Loss, Metric, Part, Sheet, Sign
from orthogon.vision.barlow_twins_results import PixelNeighbors, barlow_twins_metrics, by_nearest
from orthogon.vision.neighbor_sheet import neighbor_sheet

LEAST_BATCH = 16
"""Correlations over fewer examples are chance."""

COLLAPSED = ("Larger batches (train.batch_size), a lower rate (train.lr), or more weight on differing outputs "
             "(task.redundancy); and see whether the views still show what the picture shows: orthogon show augment.")
"""What helps."""

SHOWN_OF = 500
"""Pictures whose neighbors are shown are looked for among these."""

COMPARED = 100
"""Train pictures that are looked at for whether they differ at all."""


class BarlowTwins(Unlabelled):
    """The input is one column of pictures. A batch holds two views of each, changed as `train.augment` says; in
    evaluation the views are drawn anew in the same way each time.

    The network's head is the projector: `model.head` its hidden layers, `task.projector` its outputs, by which the loss
    is computed. The encoding, what all this is for, is what enters the head. The loss is no sum over examples. Where
    there are labels, rows hold that of the nearest other example as "prediction", and whether it is the right one as
    "score"; "view_agreement" is the mean over the outputs of the product of the two standardized views.
    """

    name = "barlow_twins"
    decomposes: ClassVar[bool] = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        given = self.settings.redundancy
        self.redundancy = REDUNDANCY if given is None else given

    # --- before the loop -------------------------------------------------------------------------------------

    @classmethod
    def default_augment(cls, data: Dataset) -> tuple[Way, ...]:
        """The two that do most (Chen et al. 2020, arXiv:2002.05709, section 3). Not flip, which makes other letters of
        letters."""
        pictures = [column for column in data.inputs.values() if isinstance(column, ImageColumn)]
        return ("crop", "color") if pictures else ()

    def fit(self, data: Dataset, rows: np.ndarray) -> None:
        super().fit(data, rows)
        self.only_input(("image",))
        if not self.augment:
            raise RecipeError("two views of a picture are alike: nothing changes them", where="train.augment",
                              remedy="Name ways, as [crop, rotate, color], or leave it out: then there are some.")
        few = self.inputs.encoders[0].encode(data.take(np.asarray(rows)[:COMPARED]))
        if bool((few == few[:1]).all()):
            raise DataError(f"{len(few)} pictures to train on are all the same: there is nothing to tell apart",
                            where=data.name, remedy="Look at them: orthogon show.")

    def _outputs(self) -> int:
        return self.settings.projector or 256

    def default_head(self) -> list[int] | None:
        return [self._outputs(), self._outputs()]

    def default_settings(self, rows: int) -> dict[str, Any]:
        settings = super().default_settings(rows)
        return {**settings, "batch_size": min(256 if rows > 5_000 else 128, max(1, rows)),
                "epochs": 20 if rows > 20_000 else 60}

    def sampler(self, rows: np.ndarray, batch_size: int, seed: int, device: torch.device) -> Sampler:
        if min(batch_size, len(rows)) < LEAST_BATCH:
            raise RecipeError(f"batches of {min(batch_size, len(rows))}: correlations over so few are chance",
                              where="train.batch_size", remedy=f"Take at least {LEAST_BATCH}; 128 or more is usual.")
        return super().sampler(rows, batch_size, seed, device)

    def check_output(self, output: Any) -> None:
        found = tuple(output.shape[1:]) if isinstance(output, Tensor) else type(output).__name__
        if found != (self._outputs(),):
            raise RecipeError(f"the model gives {found} for each example, the projector has {self._outputs()} outputs",
                              where="model", remedy="Set task.projector to what it gives.")

    def baselines(self) -> list[Baseline]:
        return [PixelNeighbors()] if self.labels else []

    # --- in the loop -----------------------------------------------------------------------------------------

    def batch(self, rows: Tensor, draw: Draw | None = None) -> Batch:
        """With a draw the input is the first view; without one it is the picture as it is. The target: both views."""
        rows = rows.to(self.inputs.device, non_blocking=True)
        same = Draw(0, 0, int(rows[0]) if len(rows) else 0, self.inputs.device)
        views = tuple(self.inputs.gather(rows, self.inputs.changes(len(rows), each))[0]
                      for each in ((draw or same).of_part("/first view"), (draw or same).of_part("/second view")))
        return Batch(views[:1] if draw else self.inputs.gather(rows), views, None, rows)

    def loss(self, model: nn.Module, batch: Batch, carried: Any = None) -> Loss:
        invariance, redundancy = barlow_twins(*self._views(model, batch), redundancy=self.redundancy)
        return Loss((Part("invariance", 1.0, invariance, 1.0), Part("redundancy", 1.0, redundancy, 1.0)))

    def counts(self, batch: Batch) -> dict[str, float]:
        return {"invariance": 1.0, "redundancy": 1.0}

    def _views(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """What the model gives for the first views and for the second, each n × outputs."""
        first, second = wide(model(torch.cat(batch.target))).chunk(2)
        return first, second

    # --- after it --------------------------------------------------------------------------------------------

    def results(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        first, second = self._views(model, batch)
        return {"encoding": encoding(model, batch.inputs), "first": first, "second": second}

    def together(self, results: dict[str, np.ndarray], rows: np.ndarray) -> dict[str, np.ndarray]:
        """The loss of each example is what it adds to that of all of them."""
        first, second = (torch.from_numpy(results[name]) for name in ("first", "second"))
        loss = agreement = torch.full((len(rows),), torch.nan)
        if len(rows) > 1:
            loss = shares(first, second, self.redundancy)
            agreement = (standardized(first) * standardized(second)).mean(1)
        found = by_nearest(torch.from_numpy(results["encoding"]), self.targets(rows))
        return {**found, "loss": loss.numpy(), "view_agreement": agreement.numpy(), "encoding": results["encoding"]}

    def _metrics(self) -> tuple[Metric, ...]:
        return barlow_twins_metrics(bool(self.labels))

    def sheets(self, model: nn.Module, rows: np.ndarray) -> list[Sheet]:
        index = torch.as_tensor(rows[:SHOWN_OF], dtype=torch.int64, device=self.inputs.device)
        if not len(index):
            return []
        codes = torch.cat([encoding(model, self.inputs.gather(part)) for part in index.split(128)]).float().cpu()
        labels = ["" if code < 0 else self.labels[code] for code in self.targets(rows[:SHOWN_OF])]
        found = neighbor_sheet(codes, self.inputs.stored[0][index], labels)
        return [] if found is None else [found]

    def signs(self, lines: Sequence[Mapping[str, Any]], parts: Mapping[str, Rows]) -> list[Sign]:
        """A collapse of the encodings of dev, or of what there is."""
        rows = next((parts[part] for part in ("dev", "train", "test") if part in parts), None)
        said = "" if rows is None or len(rows) < 2 else collapse(torch.from_numpy(rows["encoding"])).sentence
        return [Sign("collapse", f"{said} (n = {len(rows):,})", COLLAPSED)] if rows is not None and said else []

    def decode(self, results: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
        """The encoding of each picture."""
        return [{"encoding": each.tolist()} for each in results["encoding"]]
