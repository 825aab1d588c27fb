"""Boxes: overlap, suppression against its definition, the grid there and back, shapes of anchors."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from orthogon.equations.boxes import (
    anchor_shapes,
    decode_grid,
    encode_grid,
    intersection_over_union,
    non_max_suppression,
    shape_distance,
)


def some_boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    corner = rng.integers(0, 8, size=(count, 2))
    return np.hstack([corner, corner + rng.integers(1, 6, size=(count, 2))]).astype(float)


def test_overlap_by_counting_pixels():
    """36.27: |A∩B| / |A∪B|."""
    rng = np.random.default_rng(0)
    a, b = some_boxes(rng, 12), some_boxes(rng, 9)

    def pixels(box):
        left, top, right, bottom = box.astype(int)
        return {(x, y) for x in range(left, right) for y in range(top, bottom)}

    expected = [[len(pixels(p) & pixels(q)) / len(pixels(p) | pixels(q)) for q in b] for p in a]
    assert_allclose(intersection_over_union(a, b), expected)


def test_boxes_without_an_area_overlap_with_nothing():
    point, box = np.array([[1.0, 1, 1, 1]]), np.array([[0.0, 0, 2, 2]])
    assert intersection_over_union(point, point) == 0
    assert intersection_over_union(point, box) == 0


@pytest.mark.parametrize("wrong", [np.array([[2.0, 0, 1, 1]]), np.array([[0.0, 2, 1, 1]]), np.ones((2, 5))])
def test_what_is_no_box_is_refused(wrong):
    box = np.array([[0.0, 0, 1, 1]])
    for pair in ((wrong, box), (box, wrong)):
        with pytest.raises(ValueError, match="expected"):
            intersection_over_union(*pair)


def suppressed(boxes, scores, classes, score_threshold, iou_threshold):
    """By its definition: a box stays if its score passes and no better box that stays rivals it."""
    order = sorted(range(len(boxes)), key=lambda k: (-scores[k], k))
    kept = []
    for k in (k for k in order if scores[k] > score_threshold):
        rivals = [j for j in kept if classes[j] == classes[k]]
        if all(intersection_over_union(boxes[[j]], boxes[[k]])[0, 0] < iou_threshold for j in rivals):
            kept.append(k)
    return kept


@pytest.mark.parametrize("seed", range(8))
def test_suppression_is_what_its_definition_says(seed):
    rng = np.random.default_rng(seed)
    boxes, scores, classes = some_boxes(rng, 40), rng.integers(0, 20, size=40) / 20, rng.integers(0, 3, size=40)
    assert_array_equal(non_max_suppression(boxes, scores, classes), suppressed(boxes, scores, classes, 0.6, 0.5))
    kept = non_max_suppression(boxes, scores, classes, score_threshold=0.2, iou_threshold=0.3)
    assert_array_equal(kept, suppressed(boxes, scores, classes, 0.2, 0.3))


def test_a_score_of_the_threshold_is_discarded_and_an_overlap_of_the_threshold_too():
    """Row 20.13: P_c ≤ 0.6 goes; IoU ≥ 0.5 goes."""
    boxes = np.array([[0.0, 0, 2, 2], [0, 0, 2, 1], [5, 5, 6, 6]])
    kept = non_max_suppression(boxes, np.array([0.9, 0.8, 0.6]), np.zeros(3, dtype=int))
    assert_array_equal(kept, [0])


def test_each_class_is_thinned_by_itself():
    """E37, row 20.14: the same place may hold a car and a pedestrian."""
    boxes, scores = np.tile([0.0, 0, 1, 1], (3, 1)), np.array([0.7, 0.9, 0.8])
    assert_array_equal(non_max_suppression(boxes, scores, np.array([0, 0, 1])), [1, 2])


def test_no_boxes_leave_none():
    kept = non_max_suppression(np.zeros((0, 4)), np.zeros(0), np.zeros(0, dtype=int))
    assert kept.shape == (0,)
    assert kept.dtype == np.int64


def test_scores_and_classes_are_one_per_box():
    for scores, classes in ((np.ones(3), np.ones(2)), (np.ones(2), np.ones(3))):
        with pytest.raises(ValueError, match="per box"):
            non_max_suppression(np.zeros((2, 4)), scores, classes)


def test_a_box_is_measured_from_the_upper_left_corner_of_its_cell():
    """E36: b_x, b_y from the cell's (0, 0) to (1, 1); b_h, b_w in cells, and they may exceed 1."""
    y = np.zeros((4, 4, 1, 7))
    y[2, 1, 0] = [1, 0.5, 0.25, 2, 3, 0, 1]
    boxes, _ = decode_grid(y)
    center, size = ((1 + 0.5) / 4, (2 + 0.25) / 4), (3 / 4, 2 / 4)
    assert_allclose(
        boxes[2 * 4 + 1],
        [center[0] - size[0] / 2, center[1] - size[1] / 2, center[0] + size[0] / 2, center[1] + size[1] / 2],
    )


def test_the_score_of_a_class_is_that_of_an_object_times_its_own():
    """E37: P_c is the probability of an object, not of a class."""
    y = np.zeros((1, 1, 2, 8))
    y[0, 0, 0], y[0, 0, 1] = [0.5, 0.5, 0.5, 1, 1, 0.2, 0.8, 0.0], [0.9, 0.5, 0.5, 1, 1, 1, 0, 0]
    assert_allclose(decode_grid(y)[1], [[0.1, 0.4, 0], [0.9, 0, 0]])


def test_volumes_of_the_grid():
    """34.13: 19×19×8 with three classes and one anchor; 3×3×(5+3)×2 = 3×3×16 with two."""
    one = encode_grid(np.array([[0.1, 0.1, 0.3, 0.2]]), np.array([2]), S=19, K=3, anchors=np.ones((1, 2)))
    assert one.reshape(19, 19, -1).shape == (19, 19, 8)
    anchors = np.array([[0.1, 0.4], [0.4, 0.1]])
    two = encode_grid(np.array([[0.1, 0.1, 0.3, 0.2]]), np.array([2]), S=3, K=3, anchors=anchors)
    assert two.reshape(3, 3, -1).shape == (3, 3, 16)


def test_an_object_goes_to_the_cell_of_its_center_and_the_anchor_of_its_shape():
    """Rows 20.07, 20.09: two objects with one center, one tall and one wide; and one at the far corner."""
    boxes = np.array([[0.4, 0.1, 0.6, 0.5], [0.3, 0.2, 0.7, 0.4], [0.9, 0.9, 1.1, 1.1]])
    classes, anchors = np.array([0, 2, 1]), np.array([[0.4, 0.2], [0.2, 0.4]])
    y = encode_grid(boxes, classes, S=3, K=3, anchors=anchors)
    assert_array_equal(np.argwhere(y[..., 0] == 1), [[0, 1, 0], [0, 1, 1], [2, 2, 0]])
    assert_allclose(y[0, 1, 1], [1, 0.5, 0.9, 1.2, 0.6, 1, 0, 0])
    back, scores = decode_grid(y)
    there = scores.max(axis=1) == 1
    assert_allclose(back[there], boxes[[1, 0, 2]])
    assert_array_equal(scores[there].argmax(axis=1), classes[[1, 0, 2]])


def test_two_objects_in_one_place_are_refused():
    """Row 20.10."""
    with pytest.raises(ValueError, match="same cell and anchor"):
        encode_grid(np.tile([0.1, 0.1, 0.2, 0.2], (2, 1)), np.array([0, 1]), S=3, K=2, anchors=np.ones((2, 2)))


def test_grids_and_classes_of_a_wrong_shape_are_refused():
    with pytest.raises(ValueError, match="y is"):
        decode_grid(np.zeros((3, 4, 1, 8)))
    with pytest.raises(ValueError, match="class per box"):
        encode_grid(np.zeros((2, 4)), np.array([0]), S=3, K=2, anchors=np.ones((1, 2)))


def test_shapes_are_compared_wherever_they_stand():
    assert_allclose(
        shape_distance(np.array([[2.0, 1], [1, 1]]), np.array([[1.0, 2], [2, 1]])), [[2 / 3, 0], [0.5, 0.5]]
    )


def test_anchors_are_the_means_of_the_shapes_of_true_boxes():
    """E38, row 20.11: clustered by 1 − IoU are the labeled shapes; where to begin has no part in the result."""
    shapes = np.array([[1.0, 1], [1.2, 1], [10, 10], [12, 10], [11, 13]])
    found = anchor_shapes(shapes, np.array([[2.0, 2], [9, 9], [500, 0.1]]))
    assert_allclose(found, [[1.1, 1], [11, 11], [500, 0.1]])
    assert_allclose(anchor_shapes(shapes, found[:2]), found[:2])


def test_a_single_step_of_clustering():
    shapes = np.array([[1.0, 1], [3, 3], [4, 4]])
    once = anchor_shapes(shapes, np.array([[1.5, 1.5], [4, 4]]), steps=1)
    assert_allclose(once, [[1, 1], [3.5, 3.5]])
    nearest_by_difference = np.array([[1.0, 2.0], [16.0, 2]])
    moved = anchor_shapes(np.array([[6.0, 2.0]]), nearest_by_difference, steps=1)
    assert_allclose(moved, [[1, 2], [6, 2]])
