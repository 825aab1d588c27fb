"""Boxes around objects: overlap, suppression of doubles, and the grid of a detector that looks once.

A box is (left, top, right, bottom). The grid, its cells and y are those of YOLO (Redmon et al. 2016, arXiv:1506.02640)
as the course simplifies it.
"""

from __future__ import annotations

import numpy as np

from orthogon.equations._shapes import Floats, Integers, expect_shape
from orthogon.equations.losses import one_hot


def intersection_over_union(a: Floats, b: Floats) -> Floats:
    """The overlap of each box of a with each of b, between 0 and 1.

        |A ∩ B| / |A ∪ B|

    a: N×4. b: M×4. Output: N×M; 0 for two boxes without an area. Rows 20.12, 36.27.
    """
    for name, boxes in (("a", a), ("b", b)):
        expect_shape(name, boxes, ("N", 4), "a row per box: left, top, right, bottom")
        if np.any(boxes[:, 2:] < boxes[:, :2]):
            raise ValueError(f"{name} has a box that ends before it begins, expected left <= right and top <= bottom")
    top_left = np.maximum(a[:, None, :2], b[:, :2])
    bottom_right = np.minimum(a[:, None, 2:], b[:, 2:])
    shared = np.maximum(bottom_right - top_left, 0.0).prod(axis=2)
    union = _area(a)[:, None] + _area(b) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def non_max_suppression(
    boxes: Floats, scores: Floats, classes: Integers, score_threshold: float = 0.6, iou_threshold: float = 0.5
) -> Integers:
    """Of boxes of one class that overlap, the one with the highest score.

        1. discard boxes with a score ≤ 0.6        2. take the best one left
        3. discard what is of its class and overlaps it with IoU ≥ 0.5; go to 2 while boxes are left

    boxes: N×4. scores: N, P_c · c of the class. classes: N. Output: numbers of the boxes kept, the best one first; of
    equal scores the earlier one. Each class is thinned by itself (rows 20.13, 20.14, E37).
    """
    expect_shape("scores", scores, (len(boxes),), "a score per box")
    expect_shape("classes", classes, (len(boxes),), "a class per box")
    left = np.argsort(-scores, kind="stable")
    left = left[scores[left] > score_threshold]
    rivals = (intersection_over_union(boxes, boxes) >= iou_threshold) & (classes[:, None] == classes)
    kept = []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(best)
        left = left[~rivals[best, left]]
    return np.array(kept, dtype=np.int64)


def decode_grid(y: Floats) -> tuple[Floats, Floats]:
    """The boxes that a grid of cells speaks of, as fractions of the picture, and the score of each class.

        y = (P_c, b_x, b_y, b_h, b_w, c_1 … c_K)        x = (column + b_x)/S        w = b_w/S        score_k = P_c · c_k

    y: S×S×A×(5+K), rows of cells first, then columns, then anchors. Boxes: S·S·A×4. Scores: S·S·A×K.
    b_x, b_y are measured from the upper left corner of the cell, (0, 0), to its lower right, (1, 1) (E36). b_h, b_w are
    in cells and may exceed 1. P_c is the probability that there is an object; a class has the score P_c · c (E37).
    Rows 20.07 to 20.09, 34.13.
    """
    S = len(y)
    expect_shape("y", y, (S, S, "A", "5+K"), "rows × columns × anchors × (P_c, b_x, b_y, b_h, b_w, c)")
    row, column = np.indices((S, S))[..., None]
    center = np.stack([column + y[..., 1], row + y[..., 2]], axis=-1)
    half = y[..., 4:2:-1] / 2
    boxes = np.concatenate([center - half, center + half], axis=-1) / S
    return boxes.reshape(-1, 4), (y[..., :1] * y[..., 5:]).reshape(-1, y.shape[-1] - 5)


def encode_grid(boxes: Floats, classes: Integers, S: int, K: int, anchors: Floats) -> Floats:
    """What a detector should say of these objects: the inverse of `decode_grid`.

    boxes: N×4, fractions of the picture. classes: N, 0 to K−1. anchors: A×2, width and height as fractions. y:
    S×S×A×(5+K). An object belongs to the cell that holds its center, and there to the anchor whose shape overlaps its
    own most (rows 20.07, 20.09, 34.13). ValueError where two objects want the same place (row 20.10).
    """
    expect_shape("classes", classes, (len(boxes),), "a class per box")
    center, shape = (boxes[:, :2] + boxes[:, 2:]) / 2 * S, boxes[:, 2:] - boxes[:, :2]
    cell = np.floor(center).astype(int).clip(0, S - 1)
    column, row = cell.T
    anchor = shape_distance(shape, anchors).argmin(axis=1)
    if len(np.unique(np.column_stack([cell, anchor]), axis=0)) < len(boxes):
        raise ValueError("two objects want the same cell and anchor, expected a finer grid or more anchors")
    y = np.zeros((S, S, len(anchors), 5 + K))
    y[row, column, anchor] = np.column_stack(
        [np.ones(len(boxes)), center - cell, shape[:, ::-1] * S, one_hot(classes, K)]
    )
    return y


def shape_distance(a: Floats, b: Floats) -> Floats:
    """How unlike the shapes of boxes are, wherever they stand.

        1 − IoU of boxes laid with one corner on each other

    a: N×2, widths and heights. b: M×2. Output: N×M. Rows 20.09, 20.11, E38.
    """
    return 1 - intersection_over_union(*(np.concatenate([np.zeros_like(shape), shape], axis=1) for shape in (a, b)))


def anchor_shapes(shapes: Floats, anchors: Floats, steps: int = 100) -> Floats:
    """K-means over the shapes of true boxes: the anchors that fit a training set (Redmon & Farhadi 2017).

        each shape to the anchor nearest by 1 − IoU; each anchor to the mean of its shapes; again until nothing moves

    shapes: N×2, widths and heights of the objects as labeled, not of anchors (E38). anchors: A×2, where to begin; one
    that no shape is nearest to stays. Output: A×2. arXiv:1612.08242, row 20.11.
    """
    for _ in range(steps):
        mine = shape_distance(shapes, anchors).argmin(axis=1)
        moved = anchors.copy()
        for k in np.unique(mine):
            moved[k] = shapes[mine == k].mean(axis=0)
        if np.array_equal(moved, anchors):
            break
        anchors = moved
    return anchors


def _area(boxes: Floats) -> Floats:
    return (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
