"""Gaussians over codes: draws and divergence against torch.distributions, SciPy and an integral."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch.distributions import Normal, kl_divergence

from orthogon.nn.gaussian import Gaussian


def some(seed: int = 0) -> Gaussian:
    generator = torch.Generator().manual_seed(seed)
    mean, log_variance = torch.randn(2, 5, 3, generator=generator, dtype=torch.float64)
    return Gaussian(mean, log_variance)


@pytest.mark.parametrize(("mean", "log_variance"), [(0.0, 0.0), (1.5, -1.0), (-0.3, 0.8)])
def test_the_divergence_is_the_integral_of_the_logarithm_of_the_ratio(mean, log_variance):
    q = stats.norm(mean, np.exp(log_variance / 2))
    integral, _ = integrate.quad(lambda z: q.pdf(z) * (q.logpdf(z) - stats.norm.logpdf(z)), -30, 30)
    found = Gaussian(torch.tensor([[mean]], dtype=torch.float64), torch.tensor([[log_variance]], dtype=torch.float64))
    assert found.divergence().item() == pytest.approx(integral, abs=1e-9)


def test_the_divergence_is_a_sum_over_directions_and_one_number_for_each_example():
    """Complaint 24 (pytorch/examples 290): a mean over directions would let it vanish beside the pixels."""
    each = some()
    wanted = kl_divergence(Normal(each.mean, (0.5 * each.log_variance).exp()), Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(each.divergence(), wanted, rtol=1e-12, atol=1e-12)


def test_a_point_lies_noise_times_sigma_from_the_mean():
    each, noise = some(), torch.full((5, 3), -2.0, dtype=torch.float64)
    torch.testing.assert_close(each.at(noise), each.mean - 2 * each.log_variance.exp().sqrt())


def test_points_of_normal_noise_are_distributed_as_it_says():
    noise = torch.randn(20_000, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    wide = Gaussian(torch.full_like(noise, 0.7), torch.full_like(noise, -1.2))
    drawn = wide.at(noise)[:, 0].numpy()
    assert stats.kstest(drawn, stats.norm(0.7, np.exp(-0.6)).cdf).pvalue > 0.01


def test_gradients_reach_mean_and_variance_through_a_point():
    each = Gaussian(*(value.requires_grad_() for value in some()))
    noise = torch.randn(5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    each.at(noise).sum().backward()
    torch.testing.assert_close(each.mean.grad, torch.ones(5, 3, dtype=torch.float64))
    torch.testing.assert_close(each.log_variance.grad, 0.5 * noise * (0.5 * each.log_variance).exp().detach())
