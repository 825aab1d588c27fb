"""The adaptive robust loss against the equations, named special cases, numerical integration, and data."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, special

from orthogon.equations.regression_losses import robust, robust_backward
from orthogon.nn.robust_loss import AdaptiveRobustLoss, log_partition, robust_errors

X = torch.tensor([-30.0, -1.0, -1e-4, 0.0, 1e-3, 0.5, 2.0, 1e3], dtype=torch.float64)


@pytest.mark.parametrize("shape", [-2.0, -1e-8, 0.0, 1e-6, 0.01, 0.5, 1.0, 1.9, 3.0])
def test_errors_and_their_gradients_are_the_equation(shape):
    x, alpha = X.clone().requires_grad_(), torch.tensor(shape, dtype=torch.float64, requires_grad=True)
    scale = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    given = robust_errors(x, alpha, scale)
    upstream = torch.linspace(1, 2, 8, dtype=torch.float64)
    gradients = torch.autograd.grad(given, (x, alpha, scale), upstream)
    expected, cache = robust(X.numpy(), shape, 0.7)
    np.testing.assert_allclose(given.detach().numpy(), expected, rtol=1e-12)
    for found, wanted in zip(gradients, robust_backward(upstream.numpy(), cache)):
        np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(robust_errors(X, shape, 0.7), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("shape", "known"),
    [
        (2, lambda s: s / 2),
        (1, lambda s: torch.sqrt(s + 1) - 1),
        (0, lambda s: torch.log(s / 2 + 1)),
        (-2, lambda s: 2 * s / (s + 4)),
        (-math.inf, lambda s: 1 - torch.exp(-s / 2)),
    ],
)
def test_named_shapes_are_the_losses_that_they_are_named_after(shape, known):
    torch.testing.assert_close(robust_errors(X, float(shape), 2.0), known((X / 2) ** 2), rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(robust_errors(X, float(shape)), known(X**2), rtol=1e-8, atol=1e-12)


def integral(shape: float) -> float:
    def density(x: float) -> float:
        return math.exp(-float(robust(np.array([x]), shape, 1.0)[0][0]))

    near = integrate.quad(density, 0, 1, epsabs=1e-13)[0]
    far = integrate.quad(lambda u: density(math.exp(u)) * math.exp(u), 0, 40, epsabs=1e-13, limit=400)[0]
    return 2 * (near + far)


@pytest.mark.parametrize("shape", [0.001, 0.1, 0.7, 1.0, 1.6, 1.9, 1.999])
def test_the_partition_function_is_the_integral_and_its_slope_that_of_the_integral(shape):
    alpha = torch.tensor([shape], dtype=torch.float64, requires_grad=True)
    given = log_partition(alpha)
    assert float(given.detach()) == pytest.approx(math.log(integral(shape)), abs=2e-8)
    step = 1e-4 * min(1.0, 10 * shape, 10 * (2 - shape))
    slope = (math.log(integral(shape + step)) - math.log(integral(shape - step))) / (2 * step)
    assert float(torch.autograd.grad(given, alpha)[0]) == pytest.approx(slope, rel=1e-4)


def test_the_partition_function_has_its_closed_forms():
    shapes = torch.tensor([0.0, 1.0], dtype=torch.float64)
    expected = torch.tensor([math.pi * math.sqrt(2), 2 * math.e * special.k1(1.0)], dtype=torch.float64).log()
    torch.testing.assert_close(log_partition(shapes), expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(log_partition(shapes.float()).double(), expected, rtol=1e-6, atol=0)
    normal = log_partition(torch.tensor([2 - 1e-9], dtype=torch.float64))
    assert float(normal) == pytest.approx(math.log(2 * math.pi) / 2, abs=1e-6)


def test_the_loss_is_minus_the_log_of_a_density():
    loss = AdaptiveRobustLoss(1).double()
    with torch.no_grad():
        loss.raw_shape.fill_(0.8)
        loss.raw_scale.fill_(-0.5)
    x = torch.sinh(torch.linspace(-20, 20, 8001, dtype=torch.float64))
    density = torch.stack([-loss(each.view(1, 1)).sum for each in x[::100]]).exp()
    whole = torch.exp(-(robust_errors(x, loss.shape, loss.scale) + loss.scale.log() + log_partition(loss.shape)))
    torch.testing.assert_close(density, whole[::100])
    assert float(torch.trapezoid(whole, x).detach()) == pytest.approx(1.0, abs=1e-4)


def test_shape_and_scale_start_at_one_and_stay_in_their_ranges():
    loss = AdaptiveRobustLoss(3)
    torch.testing.assert_close(loss.shape, torch.ones(3))
    torch.testing.assert_close(loss.scale, torch.ones(3))
    with torch.no_grad():
        loss.raw_shape.copy_(torch.tensor([-1e4, 0.0, 1e4]))
        loss.raw_scale.copy_(torch.tensor([-1e4, 0.0, 1e4]))
    torch.testing.assert_close(loss.shape, torch.tensor([0.001, 1.0, 1.999]))
    torch.testing.assert_close(loss.scale, torch.tensor([1e-5, 1e-5 + math.log(2), 1e4]))
    errors = torch.tensor([[0.0, 1.0, -1.0], [1e3, 1e5, 1e7]])
    found = loss(errors)
    for each in (found.sum, *torch.autograd.grad(found.sum, list(loss.parameters()))):
        assert torch.isfinite(each).all()
    assert len(AdaptiveRobustLoss().raw_shape) == 1


def test_the_shape_that_is_learnt_tells_normal_errors_from_heavy_tails():
    torch.manual_seed(0)
    normal, cauchy = 3 * torch.randn(2000), torch.distributions.Cauchy(0.0, 2.0).sample((2000,))
    errors = torch.stack([normal, cauchy], dim=1)
    loss = AdaptiveRobustLoss(2)
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.3)
    for _ in range(250):
        optimizer.zero_grad()
        loss(errors).mean.backward()
        optimizer.step()
    shape, scale = loss.shape.detach(), loss.scale.detach()
    assert shape[0] > 1.8
    assert shape[1] < 0.2
    assert float(scale[0]) == pytest.approx(3, rel=0.15)
    assert float(scale[1]) == pytest.approx(2 / math.sqrt(2), rel=0.2)  # α = 0 is a Cauchy density of width c·√2


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: robust_errors(X, 1.0, 0.0), "the scale is 0.0; give the size of error, above 0"),
        (lambda: robust_errors(X, math.inf), "the shape is inf"),
        (lambda: robust_errors(X, math.nan), "the shape is nan"),
        (lambda: AdaptiveRobustLoss(2)(torch.zeros(5, 3)), r"errors \(5, 3\); give N×2"),
        (lambda: AdaptiveRobustLoss(1)(torch.zeros(5)), r"errors \(5,\); give N×1"),
    ],
)
def test_what_does_not_fit_is_said(call, said):
    with pytest.raises(ValueError, match=said):
        call()
