"""Targets that lie on pictures, drawn into them: masks, boxes, points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from orthogon.data.columns import Column
from orthogon.data.geometry import placement
from orthogon.data.masks import MaskColumn
from orthogon.data.target_columns import BoxColumn, ObjectColumn, PointsColumn
from orthogon.draw.masks import overlay
from orthogon.draw.objects import draw_object


def with_targets(pictures: Sequence[np.ndarray], target: Column, sizes: np.ndarray, fit: str) -> list[np.ndarray]:
    """The pictures, H×W×C uint8 and all of one size, with the target of each drawn in; unchanged for other targets.

    sizes: int (n, 2), height and width of the originals. fit: how they were brought to this size.
    """
    size = (int(pictures[0].shape[0]), int(pictures[0].shape[1]))
    if isinstance(target, MaskColumn):
        return [overlay(picture, codes) for picture, codes in zip(pictures, target.at(size, fit))]
    if isinstance(target, BoxColumn):
        target = ObjectColumn(target)
    elif isinstance(target, PointsColumn):
        target = ObjectColumn(points=target)
    if not isinstance(target, ObjectColumn):
        return list(pictures)
    lies, nothing = placement(sizes, size, fit), [None] * len(pictures)
    boxes = nothing if target.boxes is None else lies.boxes(target.boxes.values)
    points = nothing if target.points is None else lies.points(target.points.values)
    return [draw_object(picture, box, None, places, None) for picture, box, places in zip(pictures, boxes, points)]
