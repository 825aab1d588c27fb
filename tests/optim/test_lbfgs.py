"""L-BFGS against SciPy's, closed forms, and its own counts."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
import torch
from torch import nn

from orthogon.optim.lbfgs import LBFGS
from orthogon.optim.paths import rosenbrock


def stepped(loss_of, start, steps, **options):
    """(where it ends, how often the loss was asked for)."""
    at = nn.Parameter(torch.tensor(start, dtype=torch.float64))
    optimizer, calls = LBFGS([at], **options), []

    def closure():
        optimizer.zero_grad()
        loss = loss_of(at)
        loss.backward()
        calls.append(float(loss.detach()))
        return loss

    for _ in range(steps):
        optimizer.step(closure)
    return at.detach().numpy(), calls


def test_it_comes_to_the_minimum_of_rosenbrock_as_scipy_does():
    found, calls = stepped(rosenbrock, [-1.2, 1.0], 8)
    theirs = scipy.optimize.minimize(scipy.optimize.rosen, [-1.2, 1.0], jac=scipy.optimize.rosen_der, method="L-BFGS-B")
    np.testing.assert_allclose(found, theirs.x, atol=1e-4)
    np.testing.assert_allclose(found, [1.0, 1.0], atol=1e-9)
    assert len(calls) < 2 * theirs.nfev


def test_a_quadratic_is_solved_in_as_many_iterations_as_it_has_directions():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(6, 6))
    matrix, wanted = torch.tensor(root @ root.T + np.eye(6)), torch.tensor(rng.normal(size=6))
    found, _ = stepped(lambda x: 0.5 * (x - wanted) @ matrix @ (x - wanted), [0.0] * 6, 3)
    np.testing.assert_allclose(found, wanted.numpy(), atol=1e-8)


def test_a_step_has_ten_iterations_and_remembers_twenty():
    at = nn.Parameter(torch.tensor([-1.2, 1.0], dtype=torch.float64))
    optimizer = LBFGS([at])
    optimizer.step(lambda: backward(optimizer, rosenbrock(at)))
    assert optimizer.state[at]["n_iter"] == 10
    assert 11 <= optimizer.state[at]["func_evals"] <= 14
    group = optimizer.param_groups[0]
    assert (group["lr"], group["history_size"], group["line_search_fn"]) == (1.0, 20, "strong_wolfe")
    shorter = LBFGS([at], lr=0.5, iterations=3, history=7).param_groups[0]
    assert (shorter["lr"], shorter["max_iter"], shorter["history_size"]) == (0.5, 3, 7)


def backward(optimizer, loss):
    optimizer.zero_grad()
    loss.backward()
    return loss


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_scale_of_the_loss_does_not_end_it_early(scale):
    found, _ = stepped(lambda x: scale * rosenbrock(x), [-1.2, 1.0], 10)
    assert rosenbrock(torch.tensor(found)) < 1e-2


def test_several_groups_and_a_decay_are_refused_with_the_reason():
    one, other = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2))
    with pytest.raises(ValueError, match="in 2 groups; L-BFGS moves all of them as one"):
        LBFGS([{"params": [one]}, {"params": [other]}])
    with pytest.raises(ValueError, match="set weight_decay to 0"):
        LBFGS([{"params": [one], "weight_decay": 0.1}])
    LBFGS([{"params": [one, other], "weight_decay": 0.0}])


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_pictures_in_any_layout_are_moved_and_what_has_no_gradient_is_not(layout):
    start, idle = torch.arange(24.0, dtype=torch.float64).reshape(1, 2, 3, 4), nn.Parameter(torch.ones(3).double())
    at = nn.Parameter(start.clone(memory_format=layout))
    optimizer = LBFGS([idle, at], iterations=4)
    optimizer.step(lambda: backward(optimizer, ((1 + start) * (at - 2).square()).sum()))
    assert torch.equal(idle, torch.ones(3).double())
    once = LBFGS([other := nn.Parameter(start.flatten().clone())], iterations=4)
    once.step(lambda: backward(once, ((1 + start.flatten()) * (other - 2).square()).sum()))
    torch.testing.assert_close(at.detach().flatten(), other.detach())
    assert not torch.allclose(other, start.flatten())
