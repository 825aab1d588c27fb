"""Overlap of boxes against the NumPy equations, values by hand, and finite gradients."""

import numpy as np
import pytest
import torch

from orthogon.equations.boxes import intersection_over_union
from orthogon.nn.boxes import generalized_overlap, overlap


def some_boxes(seed: int, count: int = 200) -> np.ndarray:
    corners = np.random.default_rng(seed).uniform(0, 10, (count, 2, 2))
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)


def test_row_20_12_overlap_is_that_of_the_equations():
    a, b = some_boxes(0), some_boxes(1)
    expected = np.diag(intersection_over_union(a, b))
    assert (expected > 0).mean() > 0.2
    np.testing.assert_allclose(overlap(torch.tensor(a), torch.tensor(b)), expected, atol=1e-12)


@pytest.mark.parametrize(("b", "iou", "giou"), [
    ([0, 0, 2, 2], 1.0, 1.0),
    ([1, 0, 3, 2], 1 / 3, 1 / 3),          # the hull is full
    ([1, 1, 3, 3], 1 / 7, 1 / 7 - 2 / 9),  # union 7 in a hull of 9
    ([4, 0, 6, 2], 0.0, -4 / 12),          # apart: union 8 in a hull of 12
    ([1, 1, 1, 1], 0.0, 0.0),              # a point inside: the hull is the box
])
def test_overlap_and_generalized_overlap_by_hand(b, iou, giou):
    a, b = torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([b], dtype=torch.float32)
    assert overlap(a, b).item() == pytest.approx(iou)
    assert overlap(b, a).item() == pytest.approx(iou)
    assert generalized_overlap(a, b).item() == pytest.approx(giou)
    assert generalized_overlap(b, a).item() == pytest.approx(giou)


def test_two_boxes_without_area_overlap_by_nothing():
    point = torch.zeros(1, 4)
    assert overlap(point, point).item() == 0
    assert generalized_overlap(point, point).item() == 0
    backwards = torch.tensor([[3.0, 3, 1, 1]])
    assert overlap(backwards, torch.tensor([[0.0, 0, 4, 4]])).item() == 0


def test_boxes_apart_are_drawn_together_by_the_generalized_overlap_alone():
    a = torch.tensor([[0.0, 0, 2, 2]], requires_grad=True)
    b = torch.tensor([[4.0, 0, 6, 2]])
    (pulled,) = torch.autograd.grad(generalized_overlap(a, b).sum(), a)
    assert pulled[0, 2] > 0
    (still,) = torch.autograd.grad(overlap(a, b).sum(), a)
    assert not still.any()


def test_the_gradient_is_that_of_finite_differences():
    a, b = (torch.tensor(some_boxes(seed, 20), requires_grad=True) for seed in (2, 3))
    assert torch.autograd.gradcheck(generalized_overlap, (a, b))
    assert torch.autograd.gradcheck(overlap, (a, b))
