"""The loss of Barlow Twins against a loop in float64, its closed forms, and autograd."""

import numpy as np
import pytest
import torch

from orthogon.nn.cross_correlation import REDUNDANCY, SCALE, barlow_twins, cross_correlation, shares, standardized


def outputs(n: int = 7, d: int = 4, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    first = torch.randn(n, d, generator=generator, dtype=torch.float64) * 3 + 1
    return first, first + torch.randn(n, d, generator=generator, dtype=torch.float64)


def by_loop(first: np.ndarray, second: np.ndarray, redundancy: float) -> tuple[np.ndarray, float, float]:
    """C, invariance and redundancy term, example by example and entry by entry."""
    n, d = first.shape
    z = [[(x[b, i] - x[:, i].mean()) / np.sqrt(x[:, i].var() + 1e-5) for b in range(n) for i in range(d)]
         for x in (first, second)]
    one, other = (np.array(each).reshape(n, d) for each in z)
    correlation = np.zeros((d, d))
    on, off = 0.0, 0.0
    for i in range(d):
        for j in range(d):
            correlation[i, j] = sum(one[b, i] * other[b, j] for b in range(n)) / n
            if i == j:
                on += (1 - correlation[i, j]) ** 2
            else:
                off += correlation[i, j] ** 2
    return correlation, 196 / d * on, 196 / d * redundancy * off


def test_the_loss_is_that_of_a_loop_over_examples_and_entries():
    first, second = outputs()
    correlation, on, off = by_loop(first.numpy(), second.numpy(), 0.3)
    np.testing.assert_allclose(cross_correlation(first, second).numpy(), correlation, rtol=1e-12, atol=1e-15)
    found = barlow_twins(first, second, 0.3)
    assert float(found.invariance) == pytest.approx(on, rel=1e-12)
    assert float(found.redundancy) == pytest.approx(off, rel=1e-12)


def test_the_paper_weighs_what_is_beside_the_diagonal_by_0_0051():
    first, second = outputs()
    assert (REDUNDANCY, SCALE) == (0.0051, 196.0)
    assert float(barlow_twins(first, second).redundancy) == pytest.approx(by_loop(first.numpy(), second.numpy(),
                                                                                  0.0051)[2], rel=1e-12)
    assert float(shares(first, second).mean()) == pytest.approx(float(sum(barlow_twins(first, second))), rel=1e-12)


def test_at_8192_outputs_the_scale_is_the_0_024_of_the_authors():
    assert abs(SCALE / 8192 - 0.024) < 1e-4


def test_alike_and_decorrelated_outputs_have_no_loss():
    hadamard = torch.tensor([[1, 1, 1], [-1, 1, -1], [1, -1, -1], [-1, -1, 1]], dtype=torch.float64)
    found = barlow_twins(1000 * hadamard, 1000 * hadamard)
    assert float(found.invariance) == pytest.approx(0, abs=1e-12)
    assert float(found.redundancy) == pytest.approx(0, abs=1e-12)
    opposite = barlow_twins(1000 * hadamard, -1000 * hadamard)
    assert float(opposite.invariance) == pytest.approx(196 * 4)  # (1 − (−1))² for each output


def test_a_constant_network_has_the_whole_loss_not_none():
    found = barlow_twins(torch.ones(6, 5), torch.ones(6, 5))
    assert (float(found.invariance), float(found.redundancy)) == (pytest.approx(196.0), 0.0)


def test_the_shares_of_examples_have_the_loss_as_their_mean():
    first, second = outputs(n=9, d=5, seed=3)
    one, other = standardized(first), standardized(second)
    correlation = cross_correlation(first, second)
    wanted = [196 / 5 * (sum((1 - correlation[i, i]) * (1 - one[b, i] * other[b, i]) for i in range(5))
                         + 0.3 * sum(correlation[i, j] * one[b, i] * other[b, j]
                                     for i in range(5) for j in range(5) if i != j)) for b in range(9)]
    found = shares(first, second, 0.3)
    torch.testing.assert_close(found, torch.stack(wanted), rtol=1e-12, atol=1e-12)
    assert float(found.mean()) == pytest.approx(float(sum(barlow_twins(first, second, 0.3))), rel=1e-12)


def test_standardized_columns_are_those_of_a_batch_norm():
    first, _ = outputs()
    norm = torch.nn.BatchNorm1d(4, affine=False, dtype=torch.float64)
    torch.testing.assert_close(standardized(first), norm(first), rtol=1e-12, atol=1e-12)


def test_the_gradient_is_right():
    first, second = (each.requires_grad_() for each in outputs(n=5, d=3))
    assert torch.autograd.gradcheck(lambda a, b: torch.stack(barlow_twins(a, b, 0.2)), (first, second))


@pytest.mark.parametrize(("first", "second", "said"), [
    (torch.ones(1, 3), torch.ones(1, 3), "a batch of 1 has no variance"),
    (torch.ones(4, 3), torch.ones(4, 2), r"\(4, 3\) and \(4, 2\)"),
    (torch.ones(4), torch.ones(4), r"\(4,\)"),
])
def test_what_has_no_cross_correlation_is_refused(first, second, said):
    for function in (cross_correlation, barlow_twins, shares):
        with pytest.raises(ValueError, match=said):
            function(first, second)
