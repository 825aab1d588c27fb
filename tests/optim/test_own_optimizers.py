"""AveragedMomentum, AdaMod and Backstitch beyond their paths: options, state, bad values."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from orthogon.equations.averages import bias_corrected, exponentially_weighted_average
from orthogon.equations.optimizers import backstitch
from orthogon.optim.adamod import AdaMod
from orthogon.optim.backstitch import Backstitch
from orthogon.optim.momentum import AveragedMomentum
from orthogon.optim.paths import path, quadratic, rosenbrock

GRADIENTS = np.random.default_rng(0).normal(size=(12, 3))


def driven(optimizer, weight: nn.Parameter, gradients=GRADIENTS) -> np.ndarray:
    """Where the weight stands after each of the given gradients."""
    seen = []
    for gradient in gradients:
        weight.grad = torch.tensor(gradient)
        optimizer.step()
        assert torch.equal(weight.grad, torch.tensor(gradient))
        seen.append(weight.detach().clone().numpy())
    return np.array(seen)


def weight() -> nn.Parameter:
    return nn.Parameter(torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64))


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9, 0.99])
def test_both_forms_of_momentum_take_one_path_at_rates_that_differ_by_one_minus_beta(beta):
    """Rows 7.03 and 7.04: V = βV + dW at α(1 − β) is V = βV + (1 − β)dW at α."""
    averaged = path(lambda p: AveragedMomentum(p, lr=0.02, momentum=beta), quadratic, (2, 1), 80)
    simplified = path(lambda p: torch.optim.SGD(p, lr=0.02 * (1 - beta), momentum=beta), quadratic, (2, 1), 80)
    np.testing.assert_allclose(averaged, simplified, rtol=1e-12, atol=1e-14)


def test_averaged_momentum_follows_the_exponentially_weighted_average_of_the_gradients():
    """Row 7.01, and with bias correction row 7.02 (35.20: off by default)."""
    averages = exponentially_weighted_average(GRADIENTS, 0.9)
    for corrected, expected in ((False, averages), (True, bias_corrected(averages, 0.9))):
        w = weight()
        found = driven(AveragedMomentum([w], lr=0.1, bias_correction=corrected), w)
        np.testing.assert_allclose(found, weight().detach().numpy() - 0.1 * expected.cumsum(0), rtol=1e-12)
    plain = weight()
    np.testing.assert_allclose(driven(AveragedMomentum([plain]), plain)[0], weight().detach().numpy()
                               - 0.01 * 0.1 * GRADIENTS[0], rtol=1e-13)


def test_adamod_is_algorithm_1_of_its_paper():
    """Ding et al. 2019, number by number; with the defaults of the paper's code."""
    w, expected = weight(), []
    found = driven(AdaMod([w]), w)
    for x, column in zip(weight().tolist(), GRADIENTS.T):
        m = v = s = 0.0
        line = []
        for t, g in enumerate(column, 1):
            m = 0.9 * m + 0.1 * g
            v = 0.999 * v + 0.001 * g * g
            m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.999**t)
            eta = 0.001 / (math.sqrt(v_hat) + 1e-8)
            s = 0.999 * s + 0.001 * eta
            x -= min(eta, s) * m_hat
            line.append(x)
        expected.append(line)
    np.testing.assert_allclose(found, np.array(expected).T, rtol=1e-13)


def test_the_bound_of_adamod_lifts_when_it_forgets_at_once_and_leaves_adam():
    """With β₃ = 0 the average of the rates is the rate itself, so that nothing is held back."""
    bounded = path(lambda p: AdaMod(p, lr=0.02, betas=(0.9, 0.999, 0.0)), rosenbrock, (-1.2, 1), 60)
    adam = path(lambda p: torch.optim.Adam(p, lr=0.02), rosenbrock, (-1.2, 1), 60)
    np.testing.assert_allclose(bounded, adam, rtol=1e-10)
    held = path(lambda p: AdaMod(p, lr=0.02), rosenbrock, (-1.2, 1), 1)
    assert np.abs(held[1] - held[0]).max() == pytest.approx(0.001 * np.abs(adam[1] - adam[0]).max(), rel=1e-9)


@pytest.mark.parametrize("surface", [quadratic, rosenbrock])
def test_backstitch_around_gradient_descent_is_its_equation(surface):
    def slope(theta):
        at = torch.tensor(theta, requires_grad=True)
        surface(at).backward()
        return at.grad.numpy()

    for options, scale in (({}, 0.3), ({"alpha": 0.7}, 0.7)):
        found = path(lambda p, o=options: Backstitch(torch.optim.SGD(p, lr=5e-4), **o), surface, (-1.2, 1.0), 60)
        theta = np.array([-1.2, 1.0])
        for _ in range(60):
            theta = backstitch(theta, slope, 5e-4, scale)
        np.testing.assert_allclose(found[-1], theta, rtol=1e-11)


@pytest.mark.parametrize("base", [
    lambda p: torch.optim.SGD(p, lr=1e-3, momentum=0.9, nesterov=True), lambda p: torch.optim.AdamW(p, lr=0.01),
    lambda p: AdaMod(p, lr=0.01), lambda p: torch.optim.Adagrad(p, lr=0.01)])
def test_backstitch_around_any_base_is_two_of_its_steps(base):
    found = path(lambda p: Backstitch(base(p), 0.3), rosenbrock, (-1.2, 1.0), 20)
    point = nn.Parameter(torch.tensor([-1.2, 1.0], dtype=torch.float64))
    optimizer = base([point])
    rate = optimizer.param_groups[0]["lr"]
    for step in range(40):
        optimizer.param_groups[0]["lr"] = rate * (1.3 if step % 2 else -0.3)
        optimizer.zero_grad()
        rosenbrock(point).backward()
        optimizer.step()
    np.testing.assert_allclose(found[-1], point.detach().numpy(), rtol=1e-12)


def test_a_step_back_of_adamod_goes_up_by_a_bounded_rate():
    w = weight()
    optimizer = AdaMod([w], lr=0.1)
    optimizer.param_groups[0]["lr"] = -0.1
    moved = driven(optimizer, w, GRADIENTS[:1])[0] - weight().detach().numpy()
    np.testing.assert_allclose(moved, 0.1 * 0.001 * np.sign(GRADIENTS[0]), rtol=1e-6)


def test_backstitch_gives_the_loss_before_and_puts_the_rates_back_even_after_an_error():
    w = nn.Parameter(torch.tensor([2.0]))
    optimizer = Backstitch(torch.optim.SGD([w], lr=0.5), 0.3)
    calls = []

    def closure():
        calls.append(w.item())
        if len(calls) > 2:
            raise RuntimeError("broken")
        optimizer.zero_grad()
        loss = w.square().sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 4.0
    assert calls == pytest.approx([2.0, 2.6])
    assert w.item() == pytest.approx(2.6 - 1.3 * 0.5 * 5.2)
    with pytest.raises(RuntimeError, match="broken"):
        optimizer.step(closure)
    assert [group["lr"] for group in optimizer.param_groups] == [0.5]


@pytest.mark.parametrize("make", [
    lambda p: AveragedMomentum(p, lr=1e-4, bias_correction=True), lambda p: AdaMod(p, lr=0.02),
    lambda p: Backstitch(AdaMod(p, lr=0.02), 0.3), lambda p: Backstitch(torch.optim.SGD(p, lr=1e-4, momentum=0.9))])
def test_a_loaded_state_goes_on_bit_for_bit(make):
    def run(optimizer, point, steps):
        def closure():
            optimizer.zero_grad()
            height = rosenbrock(point)
            height.backward()
            return height

        for _ in range(steps):
            optimizer.step(closure)

    whole, point = (nn.Parameter(torch.tensor([-1.2, 1.0])) for _ in range(2))
    run(make([whole]), whole, 20)
    first = make([point])
    run(first, point, 8)
    later = make([point])
    later.load_state_dict(first.state_dict())
    run(later, point, 12)
    assert torch.equal(whole, point)
    assert torch.isfinite(whole).all()


def test_groups_added_to_backstitch_are_those_of_its_base():
    one, other = weight(), weight()
    base = torch.optim.SGD([one], lr=0.1)
    optimizer = Backstitch(base)
    optimizer.add_param_group({"params": [other], "lr": 0.2})
    assert optimizer.param_groups is base.param_groups
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.2]
    assert optimizer.state is base.state


def test_a_parameter_that_comes_late_is_corrected_by_its_own_age():
    early, late = weight(), weight()
    optimizer = AveragedMomentum([early, late], lr=0.1, bias_correction=True)
    early.grad = torch.ones(3, dtype=torch.float64)
    optimizer.step()
    assert torch.equal(late, weight())
    late.grad = torch.ones(3, dtype=torch.float64)
    optimizer.step()
    torch.testing.assert_close(late.detach(), weight().detach() - 0.1)
    torch.testing.assert_close(early.detach(), weight().detach() - 0.2)


def test_a_step_gives_what_its_closure_gives_with_gradients_on():
    w = weight()
    assert AdaMod([w]).step(lambda: torch.is_grad_enabled()) is True
    assert AdaMod([w]).step() is None


@pytest.mark.parametrize(("options", "what"), [
    ({"lr": 0.0}, "learning rate is 0.0; it must be above 0"), ({"lr": -1.0}, "above 0"),
    ({"weight_decay": -0.1}, "weight decay is -0.1; it must be 0"), ({"lr": math.nan}, "above 0")])
@pytest.mark.parametrize("cls", [AveragedMomentum, AdaMod])
def test_values_that_make_no_sense_are_refused(cls, options, what):
    with pytest.raises(ValueError, match=what):
        cls([weight()], **options)


@pytest.mark.parametrize("beta", [1.0, -0.1, 1.5])
def test_betas_lie_below_one(beta):
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\)"):
        AveragedMomentum([weight()], momentum=beta)
    for place in range(3):
        betas = [0.9, 0.999, 0.999]
        betas[place] = beta
        with pytest.raises(ValueError, match=r"must lie in \[0, 1\)"):
            AdaMod([weight()], betas=tuple(betas))
    AveragedMomentum([weight()], momentum=0.0)


def test_a_group_may_be_held_still_but_not_driven_back_and_nothing_to_move_is_refused():
    w = weight()
    driven(AdaMod([{"params": [w], "lr": 0.0}], weight_decay=0.1), w)
    assert torch.equal(w, weight())
    with pytest.raises(ValueError, match="rate of a group is -1"):
        AdaMod([{"params": [w], "lr": -1}])
    with pytest.raises(ValueError, match="empty parameter list"):
        AveragedMomentum([])


@pytest.mark.parametrize("alpha", [0.0, -0.3, math.nan])
def test_backstitch_without_a_step_back_is_refused(alpha):
    with pytest.raises(ValueError, match="must be above 0"):
        Backstitch(torch.optim.SGD([weight()], lr=0.1), alpha)
