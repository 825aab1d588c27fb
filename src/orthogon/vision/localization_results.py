"""What a network that localizes says of each picture, in pixels of the original, and how right it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from orthogon.data.geometry import Placement
from orthogon.data.target_columns import ObjectColumn
from orthogon.nn.boxes import overlap
from orthogon.vision.localization_metrics import CORRECT
from orthogon.vision.object_layout import Layout, Said

NEAR = 0.1
"""Share of the size of the object by which a point may be off to count as found."""


@dataclass(frozen=True)
class Judge:
    """The original pictures of the attached data, and what is true of them.

    scale, offset: float32 (n, 2), from pixels of the network's picture to those of the original. sizes: (n, 2), width
    and height. boxes: (n, 4) and points: (n, L, 2), in pixels of the original; None where not known. reference: which
    two points' distance point errors are divided by; None: the diagonal of the box, of points alone that of the box
    around them, of one point that of the picture.
    """

    scale: Tensor
    offset: Tensor
    sizes: Tensor
    boxes: Tensor | None = None
    points: Tensor | None = None
    reference: tuple[int, int] | None = None

    @classmethod
    def of(cls, there: Placement, sizes: np.ndarray, column: ObjectColumn | None, reference: Sequence[int] | None,
           device: torch.device) -> Judge:
        """there: from the original to the network's picture."""
        back = there.inverse
        scale, offset, sides = (torch.from_numpy(np.ascontiguousarray(each, dtype=np.float32)).to(device)
                                for each in (back.scale, back.offset, sizes[:, ::-1]))
        known = (None, None) if column is None else (column.boxes, column.points)
        boxes, points = (None if each is None else torch.from_numpy(each.values).to(device) for each in known)
        return cls(scale, offset, sides, boxes, points, None if reference is None else (reference[0], reference[1]))

    def original(self, places: Tensor, rows: Tensor) -> Tensor:
        """(n, k, 2) in pixels of the network's picture -> in those of the originals, and within them."""
        moved = places * self.scale[rows, None] + self.offset[rows, None]
        return torch.minimum(moved.clamp(min=0), self.sizes[rows, None])

    def true_places(self, rows: Tensor) -> Tensor:
        """What stands for the target where there are no classes: boxes (n, 4), else points (n, 2L)."""
        found = self.boxes if self.boxes is not None else self.points
        assert found is not None  # noqa: S101 - the target is known
        return found[rows.to(found.device)].flatten(1)

    def judged(self, found: Mapping[str, Tensor], codes: Tensor | None, rows: Tensor) -> dict[str, Tensor]:
        """"iou", "point_error" and the targets of those that there are, "score" and "right"."""
        judged: dict[str, Tensor] = {}
        right_class = torch.ones(len(rows), dtype=torch.bool, device=rows.device)
        if codes is not None:
            right_class = found["prediction"] == codes
        score = right = torch.ones(len(rows), device=rows.device)
        if self.points is not None:
            off, judged["point_error"] = self._point_errors(found["points"], rows)
            seen = ~off.isnan()
            near = ((off <= NEAR) & seen).sum(1) / seen.sum(1).clamp(min=1)
            score, right = near.where(seen.any(1), 1), (near == 1) | ~seen.any(1)
            judged["target_points"] = self.points[rows].flatten(1)
        if self.boxes is not None:
            target = self.boxes[rows]
            iou = overlap(found["box"], target).nan_to_num(0.0)
            judged["iou"] = torch.where(target[:, 0].isnan(), torch.nan, iou)
            score, right = judged["iou"].nan_to_num(1.0), judged["iou"].nan_to_num(1.0) >= CORRECT
            judged["target_box"] = target
        return {**judged, "score": score * right_class, "right": right.bool() & right_class}

    def _point_errors(self, points: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """(n, L): the distance of each point as a share of the object's size, and (n,): its mean; NaN where unknown.

        A point of an object that was not found is off by the whole size."""
        assert self.points is not None  # noqa: S101 - asked where there are points
        target, said = self.points[rows], points.unflatten(1, (-1, 2))
        off = (said - target).norm(dim=2) / self._size(rows)[:, None]
        known = ~target.isnan().any(2) & self._size(rows).gt(0)[:, None]
        off = torch.where(known, off.nan_to_num(1.0), torch.nan)
        return off, off.nanmean(1)

    def _size(self, rows: Tensor) -> Tensor:
        assert self.points is not None  # noqa: S101 - asked where there are points
        points = self.points[rows]
        if self.reference is not None:
            return (points[:, self.reference[0]] - points[:, self.reference[1]]).norm(dim=1)
        if self.boxes is not None:
            return (self.boxes[rows, 2:] - self.boxes[rows, :2]).norm(dim=1)
        if points.shape[1] == 1:
            return self.sizes[rows].norm(dim=1)
        return (points.nan_to_num(-torch.inf).amax(1) - points.nan_to_num(torch.inf).amin(1)).norm(dim=1)


def object_results(said: Said, layout: Layout, judge: Judge, rows: Tensor, classes: bool) -> dict[str, Tensor]:
    """"box", "points", "prediction", and "probabilities" where there are classes; see `Localize.results`."""
    found: dict[str, Tensor] = {}
    none = torch.zeros(len(rows), dtype=torch.bool, device=rows.device)
    if classes:
        found["probabilities"] = _probabilities(said, layout)
        found["prediction"] = found["probabilities"].argmax(1)
        none = (found["prediction"] == layout.classes) if layout.absent else none
    places: dict[str, Tensor] = {}
    if said.box is not None:
        places["box"] = judge.original(layout.corners(said.box).unflatten(1, (2, 2)), rows).flatten(1)
    if said.points is not None:
        places["points"] = judge.original(layout.places(said.points), rows).flatten(1)
    found |= {name: each.masked_fill(none[:, None], torch.nan) for name, each in places.items()}
    if not classes:
        found["prediction"] = next(iter(places.values()))
    return found


def _probabilities(said: Said, layout: Layout) -> Tensor:
    """(n, K), or (n, K + 1) with that of no object last: P_c × the share of each class, and 1 − P_c."""
    reference = next(each for each in (said.classes, said.present) if each is not None)
    shares = reference.new_ones(len(reference), 1) if said.classes is None else said.classes.softmax(1)
    if said.present is None:
        return shares
    present = said.present.sigmoid()[:, None]
    return torch.cat([present * shares, 1 - present], dim=1)


def decoded(results: Mapping[str, np.ndarray], classes: Sequence[str], points: Sequence[str]) -> list[dict[str, Any]]:
    """See `Localize.decode`."""
    told: list[dict[str, Any]] = [{} for _ in results["prediction"]]
    if classes:
        for said, code, row in zip(told, results["prediction"].tolist(), results["probabilities"]):
            said |= {"label": classes[code], "probability": float(row[code]),
                     "probabilities": dict(zip(classes, row.tolist()))}
    if "box" in results:
        for said, box in zip(told, results["box"].tolist()):
            said["box"] = None if np.isnan(box[0]) else box
    if "points" in results:
        for said, places in zip(told, results["points"].reshape(len(told), -1, 2).tolist()):
            said["points"] = None if np.isnan(places[0][0]) else dict(zip(points, places))
    return told
