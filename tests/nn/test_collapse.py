"""Measures of collapse where they are known in closed form, and against NumPy."""

import numpy as np
import pytest
import torch

from orthogon.nn.collapse import Collapse, collapse, effective_rank, normalized_deviations, spread


def random(n: int, d: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_even_directions_have_deviation_one_over_the_root_of_the_dimensions():
    axes = torch.cat([torch.eye(4), -torch.eye(4)]).double() * 5
    torch.testing.assert_close(normalized_deviations(axes), torch.full((4,), 0.5, dtype=torch.float64))
    assert float(spread(axes)) == pytest.approx(1)


def test_deviations_are_those_of_numpy_after_each_row_has_length_one():
    x = random(9, 5).numpy() + 1
    wanted = (x / np.linalg.norm(x, axis=1, keepdims=True)).std(axis=0)
    np.testing.assert_allclose(normalized_deviations(torch.from_numpy(x)).numpy(), wanted, rtol=1e-12)
    assert float(spread(torch.from_numpy(x))) == pytest.approx(wanted.mean() * np.sqrt(5), rel=1e-12)


def test_effective_rank_is_exp_of_the_entropy_of_centered_singular_values():
    x = random(11, 4).numpy() * [5, 2, 1, 0.1] + 7
    values = np.linalg.svd(x - x.mean(axis=0), compute_uv=False)
    shares = values / values.sum()
    assert float(effective_rank(torch.from_numpy(x))) == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))


def test_effective_rank_counts_directions():
    axes = torch.cat([torch.eye(6), -torch.eye(6)])
    assert float(effective_rank(axes)) == pytest.approx(6)
    assert float(effective_rank(axes[:, :1] * torch.tensor([[1.0, 2.0, 3.0]]) + 100)) == pytest.approx(1, abs=1e-4)
    assert float(effective_rank(torch.full((5, 3), 0.1))) == 0


def test_a_little_variation_beside_a_large_mean_still_counts():
    x = random(200, 8) * 1e-3 + 1
    assert float(effective_rank(x)) > 7.5
    assert float(effective_rank(x.float() * 0 + 0.3)) == 0


def test_a_collapsed_network_is_named_with_its_numbers():
    point = collapse(torch.ones(50, 32) + 1e-3 * random(50, 32))
    assert point.spread < 0.01
    assert point.dimensions == 32
    assert point.sentence.startswith(f"all examples have nearly the same encoding: its spread is {point.spread:.3f}")
    line = collapse(random(50, 1) * random(1, 32, seed=1))
    assert line.rank == pytest.approx(1, abs=1e-6)
    assert line.sentence.startswith("encodings of 32 numbers use 1.0 dimensions")
    assert collapse(random(200, 32)).sentence == ""


@pytest.mark.parametrize(("found", "said"), [
    (Collapse(0.049, 9.0, 32), "nearly the same"), (Collapse(0.05, 9.0, 32), ""),
    (Collapse(0.5, 2.9, 16), "use 2.9 dimensions"), (Collapse(0.5, 3.0, 16), ""), (Collapse(0.5, 2.0, 15), ""),
])
def test_where_collapse_begins(found, said):
    assert said in found.sentence
    assert bool(said) == bool(found.sentence)


@pytest.mark.parametrize("encodings", [torch.ones(1, 3), torch.ones(4)])
def test_one_example_has_no_spread(encodings):
    for function in (normalized_deviations, spread, effective_rank, collapse):
        with pytest.raises(ValueError, match="at least two examples"):
            function(encodings)
