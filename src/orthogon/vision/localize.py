"""One object in a picture: which, where, and whether there is one (rows 20.01 to 20.04)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from orthogon.data.changes import Changes
from orthogon.data.dataset import Dataset
from orthogon.data.encode import ImageEncoder
from orthogon.data.geometry import Placement, box_to_center, placement
from orthogon.data.target_columns import ObjectColumn
from orthogon.draw.objects import draw_objects
from orthogon.errors import DataError, RecipeError, nearest
from orthogon.nn.auxiliary import outputs_by_weight
from orthogon.tasks.encoded import wide
from orthogon.tasks.infer import as_object
from orthogon.tasks.supervised import Supervised
from orthogon.train.compute import Compute
from orthogon.train.evaluate import predict
from orthogon.train.task import Baseline, Batch, Loss, Metric, Part
from orthogon.vision.localization_loss import LOSSES, counted, localization_losses
from orthogon.vision.localization_metrics import localization_metrics
from orthogon.vision.localization_results import Judge, decoded, object_results
from orthogon.vision.object_layout import LEAST_SPREAD, Layout, Truth

NO_OBJECT = "no object"
LEAST_VISIBLE = 0.25
"""Share of an object that is left in a changed picture for it to count as there."""

UNNAMED = ("object",)
"""The classes where the data names none."""

PARTS = ("object", "class", "box", "points")


class Localize(Supervised):
    """The target is at most one object in each picture: its class, its box, points on it, whichever are known.

    The network says P_c where pictures without an object occur in training, a logit for each class where there are
    several, b_x, b_y, b_h, b_w (row 20.01) and x and y of each point, the places in standard deviations from the mean
    of the train pictures. Where there is no object only P_c is asked for (row 20.02). Results are in pixels of the
    original picture. The score is the IoU of the box (of points alone: the share that is off by less than a tenth of
    the object), 0 where the class is wrong, 1 where it is told that there is none.
    """

    name = "localize"
    legend = "Yellow: what is true. Blue: what was predicted."

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.loss_name = self._chosen_loss(LOSSES)
        weights = self.settings.loss_weights
        strange = [name for name in weights if name not in PARTS]
        if strange:
            raise RecipeError(f"the loss has no part {strange[0]!r}", where="task.loss_weights",
                              remedy=nearest(strange[0], PARTS))
        self.part_weights = {name: float(weights.get(name, 1.0)) for name in PARTS}
        self._refuse("task.class_weights", "has no weights of classes", "Weigh examples instead: data.weight.")
        self.points: tuple[str, ...] = ()
        self.layout: Layout
        self._names: tuple[str, ...] = ()
        self._judge: Judge

    # --- before the loop -------------------------------------------------------------------------------------

    def fit(self, data: Dataset, rows: np.ndarray) -> None:
        super().fit(data, rows)
        column, rows = self._column(data), np.asarray(rows)
        encoder = self._picture()
        there = self._placement(data).take(rows)
        shares: list[np.ndarray] = []
        if column.boxes is not None:
            shares.append(box_to_center(there.boxes(column.boxes.values[rows].astype(np.float64)) / self._pixels(2)))
        if column.points is not None:
            places = there.points(column.points.values[rows].astype(np.float64))
            shares.append((places / self._pixels(1)).reshape(len(rows), -1))
        table = np.concatenate(shares, axis=1)
        if np.isnan(table).all(axis=0).any():
            raise DataError("no example to train on has a box or a point of each kind", where=data.name)
        self.layout = Layout(
            bool((~column.present[rows]).any()), len(self._names), column.boxes is not None, len(self.points),
            encoder.size, tuple(np.nanmean(table, axis=0).tolist()),
            tuple(np.maximum(np.nanstd(table, axis=0), LEAST_SPREAD).tolist()),
        )

    def _fit_target(self, data: Dataset, rows: np.ndarray) -> None:
        column = self._column(data)
        self.points = column.points.names if column.points is not None else ()
        self._names = UNNAMED
        if column.labels is not None:
            counts = column.labels.take(rows).counts()
            self._names = tuple(name for name, count in zip(column.labels.levels, counts) if count)
        scale = self.settings.point_scale
        if scale is not None and (len(set(scale)) != 2 or not set(scale) <= set(self.points)):
            raise RecipeError(f"{list(scale)} are not two points of the target", where="task.point_scale",
                              remedy=f"Name two of: {', '.join(self.points) or 'there are none'}.")

    def _column(self, data: Dataset) -> ObjectColumn:
        return as_object(data, data.target_column())

    def _picture(self) -> ImageEncoder:
        pictures = [encoder for encoder in self.inputs.encoders if isinstance(encoder, ImageEncoder)]
        if len(pictures) != 1:
            raise DataError(f"localize needs one picture, the inputs hold {len(pictures)}",
                            remedy="Give a table with a column of paths to pictures beside the boxes.")
        return pictures[0]

    def _pixels(self, times: int) -> np.ndarray:
        return np.array(self._picture().size[::-1] * times, dtype=np.float64)

    def _placement(self, data: Dataset) -> Placement:
        encoder = self._picture()
        return placement(data.columns[encoder.columns[0]].sizes, encoder.size, encoder.fit)  # type: ignore[attr-defined]

    def attach(self, data: Dataset, device: torch.device) -> None:
        super().attach(data, device)
        sizes = data.columns[self._picture().columns[0]].sizes  # type: ignore[attr-defined]
        column = self._column(data) if self._target is not None else None
        scale = None if self.settings.point_scale is None else [self.points.index(n) for n in self.settings.point_scale]
        self._judge = Judge.of(self._placement(data), sizes, column, scale, torch.device(device))

    def _encode_target(self, data: Dataset, device: torch.device) -> Tensor:
        column, there = self._column(data), self._placement(data)
        if (column.points.names if column.points is not None else ()) != self.points:
            raise DataError("the points are not those of training", where=data.name,
                            remedy=f"It was trained on {', '.join(self.points) or 'none'}.")
        code = np.where(column.present, 0, -1)
        if column.labels is not None and self._names != UNNAMED:
            known = {name: code for code, name in enumerate(self._names)}
            table = np.array([*(known.get(level, -2) for level in column.labels.levels), -2])
            code = np.where(column.present, table[column.labels.codes], -1)
        as_tensor = lambda values: None if values is None else torch.from_numpy(values.astype(np.float32))  # noqa: E731
        box = None if column.boxes is None else there.boxes(column.boxes.values)
        points = None if column.points is None else there.points(column.points.values)
        return self.layout.pack(Truth(torch.from_numpy(code), as_tensor(box), as_tensor(points))).to(device)

    def _outputs(self) -> int:
        return self.layout.outputs

    def default_model(self) -> tuple[str, dict[str, Any]]:
        return "localizer", {}

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, "no object" last where that occurs; empty where all pictures hold one kind."""
        if len(self._names) == 1 and not self.layout.absent:
            return ()
        return (*self._names, NO_OBJECT) if self.layout.absent else self._names

    # --- in the loop -----------------------------------------------------------------------------------------

    def counts(self, batch: Batch) -> dict[str, float]:
        asked = counted(self.layout.unpack(batch.target), self.layout)
        weight = torch.ones_like(batch.target[:, 0]) if batch.weight is None else batch.weight
        return {name: float((weight * rows).sum()) for name, rows in asked.items()}

    def loss(self, model: nn.Module, batch: Batch, carried: Any = None) -> Loss:
        counts = self.counts(batch)
        return Loss(tuple(
            Part(name, share * self.part_weights[name],
                 each.sum() if batch.weight is None else torch.dot(each, batch.weight.to(each.dtype)), counts[name])
            for share, outputs in outputs_by_weight(model(*batch.inputs))
            for name, each in self._losses(wide(outputs), batch).items()
        ))

    def output_gradient(self, outputs: Tensor, batch: Batch) -> tuple[Part, Tensor] | None:
        return None

    def _following(self, batch: Batch, changes: Changes) -> Batch:
        """Box and points move with their picture; where it is mirrored, points called left and right change names. An
        object that is all but gone is no object, where the network can say so."""
        code, box, points = self.layout.unpack(batch.target)
        if box is not None:
            box, visible = changes.boxes(box, tight=True, points=points)
            if self.layout.absent:
                code = torch.where(visible < LEAST_VISIBLE, -1, code)
                box = torch.where((code == -1)[:, None], torch.nan, box)
        if points is not None:
            points = changes.points(points, self._mirror_order())
            points = torch.where((code == -1)[:, None, None], torch.nan, points)
        return batch._replace(target=self.layout.pack(Truth(code, box, points)))

    def _mirror_order(self) -> list[int]:
        """Which point each one becomes in a mirrored picture: "left_eye" becomes "right_eye" (row 20.03)."""
        place = {name: number for number, name in enumerate(self.points)}
        return [place.get(mirrored_name(name), number) for number, name in enumerate(self.points)]

    def _losses(self, outputs: Tensor, batch: Batch) -> dict[str, Tensor]:
        said, truth = self.layout.split(outputs), self.layout.unpack(batch.target)
        return localization_losses(said, truth, self.layout, self.loss_name, self.settings.label_smoothing)

    # --- after it --------------------------------------------------------------------------------------------

    def results(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """"box" (n, 4) and "points" (n, 2L) in pixels of the original picture, NaN where no object is found;
        "prediction": the class, or these where there are no classes; "probabilities" (n, K) of classes. With a target
        also loss, score, "right" (IoU ≥ 0.5 and the right class), "iou", "point_error", "target_box", "target_points".
        """
        outputs = model(*batch.inputs).float()
        found = object_results(self.layout.split(outputs), self.layout, self._judge, batch.rows, bool(self.classes))
        if batch.target is not None:
            losses = self._losses(outputs, batch)
            found["loss"] = sum((self.part_weights[name] * each for name, each in losses.items()),
                                torch.zeros_like(outputs[:, 0]))
            found |= self._judge.judged(found, self._codes(batch.target), batch.rows)
        return self._with_weight(found, batch)

    def _codes(self, packed: Tensor) -> Tensor | None:
        """Int64 (n,): the class, the last of which is that there is no object; None where there are no classes."""
        code = self.layout.unpack(packed).code
        return torch.where(code == -1, len(self._names), code) if self.classes else None

    def packed_targets(self, rows: np.ndarray) -> np.ndarray:
        """As `Layout.unpack` reads them."""
        return super().targets(rows)

    def targets(self, rows: np.ndarray) -> np.ndarray:
        """Int64 (n,) class codes; where there are no classes the boxes (n, 4), or the points (n, 2L)."""
        packed = torch.from_numpy(self.packed_targets(rows))
        codes = self._codes(packed)
        if codes is None:
            return self._judge.true_places(torch.as_tensor(rows)).double().cpu().numpy()
        strange = (codes < 0) | (codes >= len(self.classes))
        if strange.any():
            what = "of a class" if (codes < 0).any() else "empty, which is something"
            raise DataError(f"{int(strange.sum()):,} pictures are {what} that training has not seen",
                            where=f"column {self.target_name!r}, row {int(rows[int(strange.int().argmax())])}",
                            remedy="Leave those rows out, or split so that each class has examples to train on.")
        return codes.numpy()

    def _metrics(self) -> tuple[Metric, ...]:
        return localization_metrics(self.layout.box, bool(self.points), bool(self.classes))

    def baselines(self) -> list[Baseline]:
        from orthogon.vision.localization_baseline import MeanBox

        return [MeanBox()]

    def decode(self, results: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
        """{"label", "probability", "probabilities"} where there are classes; "box": [left, top, right, bottom] in
        pixels of the picture, None where no object was found; "points": name -> [x, y]."""
        return decoded(results, self.classes, self.points)

    def drawn(self, model: nn.Module, rows: np.ndarray, pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
        """With the true object in yellow and the predicted one in blue."""
        return draw_objects(pictures, predict(self, model, rows, Compute(self.inputs.device)))

    def marked(self, batch: Batch, pictures: list[np.ndarray]) -> list[np.ndarray]:
        """With the true object in yellow."""
        truth = self.layout.unpack(batch.target.cpu())
        places = {"target_box": truth.box, "target_points": truth.points}
        return draw_objects(pictures, {name: each.numpy() for name, each in places.items() if each is not None})

    # --- to ship it ------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        return {**super().state(), "names": list(self._names), "points": list(self.points),
                "layout": vars(self.layout)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        super().load_state(state)
        self._names, self.points = tuple(state["names"]), tuple(state["points"])
        saved: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value
                                 for key, value in state["layout"].items()}
        self.layout = Layout(**saved)


def mirrored_name(name: str) -> str:
    """What a point is called in the mirror: "left_eye" and "right_eye" exchange names, "nose" keeps its own."""
    return re.sub("left|right", lambda found: {"left": "right", "right": "left"}[found.group()], name.lower())
