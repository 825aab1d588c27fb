"""The costs of style transfer against their formulas written as loops, and against numbers worked by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from orthogon.nn.style import (
    content_cost,
    gram,
    gram_cost,
    mean_gram,
    style_cost,
    total_cost,
    total_variation,
    weighted_layers,
)


def maps(seed: int, channels: int = 3, height: int = 4, width: int = 5, pictures: int = 2) -> torch.Tensor:
    return torch.tensor(np.random.default_rng(seed).normal(0.5, 1, (pictures, channels, height, width)))


def gram_by_loops(one: torch.Tensor) -> np.ndarray:
    """Row 22.05, index by index; a_ijk has its channel last."""
    channels, height, width = one.shape
    a = one.permute(1, 2, 0).numpy()
    found = np.zeros((channels, channels))
    for k, other in itertools.product(range(channels), repeat=2):
        found[k, other] = sum(a[i, j, k] * a[i, j, other] for i in range(height) for j in range(width))
    return found


def test_the_gram_matrix_is_the_sum_over_places_without_taking_means_off():
    """E45 (row 22.05): a cross-covariance without mean removal, so that of a constant map is not zero."""
    a = maps(0)
    for found, one in zip(gram(a), a):
        np.testing.assert_allclose(found.numpy(), gram_by_loops(one), rtol=1e-12)
    torch.testing.assert_close(gram(torch.full((1, 2, 3, 4), 2.0)), torch.full((1, 2, 2), 48.0))
    torch.testing.assert_close(mean_gram(a), gram(a) / 20)


def test_the_style_cost_is_the_squared_distance_of_two_different_gram_matrices():
    """E45 (row 22.06): G of S against G of G, squared, over (2 n_H n_W n_C)²."""
    generated, style = maps(1), maps(2)
    found = style_cost(generated, style)
    for number in range(2):
        difference = gram_by_loops(style[number]) - gram_by_loops(generated[number])
        expected = (difference**2).sum() / (2 * 4 * 5 * 3) ** 2
        assert float(found[number]) == pytest.approx(expected, rel=1e-12)
        assert abs(difference.sum() / (2 * 4 * 5 * 3) ** 2) != pytest.approx(expected, rel=0.01)
    assert torch.equal(style_cost(style, style), torch.zeros(2, dtype=torch.float64))
    torch.testing.assert_close(style_cost(generated, style), style_cost(style, generated))
    torch.testing.assert_close(gram_cost(mean_gram(generated), mean_gram(style)), found)


def test_style_costs_compare_pictures_of_other_sizes_by_their_means_over_places():
    generated, style = maps(3, height=6, width=2), maps(4, height=3, width=7)
    difference = gram_by_loops(style[0]) / 21 - gram_by_loops(generated[0]) / 12
    assert float(style_cost(generated, style)[0]) == pytest.approx((difference**2).sum() / 36, rel=1e-12)


def test_style_does_not_depend_on_where_things_are():
    a = maps(5)
    shuffled = a.flatten(2)[..., torch.randperm(20)].reshape(a.shape)
    torch.testing.assert_close(style_cost(shuffled, a), torch.zeros(2, dtype=torch.float64))
    assert float(content_cost(shuffled, a)[0]) > 0.1


def test_the_content_cost_is_half_a_squared_distance_or_a_quarter_of_the_mean_square():
    """E44 (row 22.04): C against G, and the square of the L2 distance, not the distance."""
    content, generated = maps(6), maps(7)
    squares = ((content - generated) ** 2).sum((1, 2, 3))
    torch.testing.assert_close(content_cost(generated, content), squares / (4 * 4 * 5 * 3))
    flat = content_cost(generated.flatten(1), content.flatten(1))
    torch.testing.assert_close(flat, squares / 2)
    torch.testing.assert_close(flat, 0.5 * torch.linalg.vector_norm((content - generated).flatten(1), dim=1) ** 2)
    assert torch.equal(content_cost(content, content), torch.zeros(2, dtype=torch.float64))


def test_the_gradients_are_those_of_finite_differences():
    content, style = maps(8, 2, 3, 3, 1), maps(9, 2, 3, 3, 1)
    start = maps(10, 2, 3, 3, 1).requires_grad_()
    assert torch.autograd.gradcheck(lambda g: total_cost(content_cost(g, content), style_cost(g, style), 1.5, 40.0),
                                    (start,))
    assert torch.autograd.gradcheck(total_variation, (start,))


def test_layers_and_parts_are_added_with_their_weights():
    """Rows 22.02 and 22.07 (36.25)."""
    costs = [torch.tensor([1.0, 2.0]), torch.tensor([10.0, 20.0]), torch.tensor([100.0, 200.0])]
    torch.testing.assert_close(weighted_layers(costs, [0.5, 0.2, 0.01]), torch.tensor([3.5, 7.0]))
    torch.testing.assert_close(total_cost(torch.tensor([2.0]), torch.tensor([3.0]), 10.0, 40.0), torch.tensor([140.0]))
    with pytest.raises(ValueError, match="3 layers and 2 weights"):
        weighted_layers(costs, [0.5, 0.5])


def test_total_variation_by_hand():
    picture = torch.tensor([[[[0.0, 1.0, 3.0], [2.0, 2.0, 2.0]]]])
    assert float(total_variation(picture)) == pytest.approx((1 + 4 + 0 + 0) / 4 + (4 + 1 + 1) / 3)
    assert float(total_variation(torch.full((1, 3, 4, 4), 0.7))) == 0


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"\(2, 3, 4, 5\) and \(2, 3, 4, 6\)"):
        content_cost(maps(0), maps(0, width=6))
    with pytest.raises(ValueError, match=r"\(3, 4, 5\)"):
        content_cost(maps(0)[0], maps(0)[0])
    with pytest.raises(ValueError, match="give N×n_C×n_H×n_W"):
        gram(maps(0)[0])
