"""Every optimizer of the recipe goes where the float64 equations go."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from orthogon import registry
from orthogon.equations import optimizers as equations
from orthogon.optim.paths import path, quadratic, rosenbrock
from orthogon.train.optimizer import build_optimizer, optimizer_groups
from orthogon.train.settings import TrainSettings

# Name in the recipe -> the equation, settings of the recipe, the same for the equation.
EQUATIONS = {
    "sgd": (equations.gradient_descent, {"lr": 5e-4}, {"learning_rate": 5e-4}),
    "momentum": (equations.simplified_momentum, {"lr": 3e-4, "momentum": 0.8}, {"learning_rate": 3e-4, "beta": 0.8}),
    "averaged_momentum": (equations.momentum, {"lr": 1e-3, "momentum": 0.8}, {"learning_rate": 1e-3, "beta": 0.8}),
    "nesterov": (equations.nesterov, {"lr": 3e-4, "momentum": 0.8}, {"learning_rate": 3e-4, "beta": 0.8}),
    "rmsprop": (equations.rmsprop, {"lr": 2e-3}, {"learning_rate": 2e-3}),
    "adagrad": (equations.adagrad, {"lr": 0.1}, {"learning_rate": 0.1}),
    "adadelta": (equations.adadelta, {"lr": 1.0}, {}),
    "adam": (equations.adam, {"lr": 0.02}, {"learning_rate": 0.02}),
    "adamw": (equations.adamw, {"lr": 0.02, "weight_decay": 0.1}, {"learning_rate": 0.02, "weight_decay": 0.1}),
    "nadam": (equations.nadam, {"lr": 0.02}, {"learning_rate": 0.02}),
    "adamod": (equations.adamod, {"lr": 0.02}, {"learning_rate": 0.02}),
}
OTHER_SETTINGS = {
    "rmsprop": ({"beta2": 0.9, "epsilon": 1e-3}, {"beta": 0.9, "epsilon": 1e-3}),
    "adagrad": ({"epsilon": 1e-2}, {"epsilon": 1e-2}),
    "adadelta": ({"beta2": 0.8, "epsilon": 1e-3}, {"rho": 0.8, "epsilon": 1e-3}),
    **{name: ({"momentum": 0.7, "beta2": 0.95, "epsilon": 1e-3}, {"beta1": 0.7, "beta2": 0.95, "epsilon": 1e-3})
       for name in ("adam", "adamw", "nadam", "adamod")},
}
CASES = [(name, *each) for name, each in EQUATIONS.items()] + [
    (name, EQUATIONS[name][0], EQUATIONS[name][1] | settings, EQUATIONS[name][2] | given)
    for name, (settings, given) in OTHER_SETTINGS.items()]


# torch keeps the product of Nadam's momenta in float32, whatever the parameters are.
CLOSE = {"nadam": {"rtol": 1e-6, "atol": 1e-8}}
EXACT = {"rtol": 1e-9, "atol": 1e-11}


def settings_of(name: str, chosen: dict, fused: bool = True) -> TrainSettings:
    return TrainSettings(optimizer=name, fused=fused, **{"weight_decay": 0.0} | chosen)


def slope(surface, theta):
    at = torch.tensor(theta, dtype=torch.float64, requires_grad=True)
    surface(at).backward()
    return at.grad.numpy()


@pytest.mark.parametrize(("surface", "start"), [(quadratic, (2.0, 1.0)), (rosenbrock, (-1.2, 1.0))])
@pytest.mark.parametrize(("name", "equation", "settings", "given"), CASES)
def test_the_path_over_a_surface_is_that_of_the_equation(name, equation, settings, given, surface, start):
    chosen = settings_of(name, settings)
    found = path(lambda p: build_optimizer(
        [{"params": p, "weight_decay": chosen.weight_decay}], chosen), surface, start, 120)
    theta, state, expected = np.array(start), {}, [np.array(start)]
    for _ in range(120):
        theta, state = equation(theta, slope(surface, theta), state, **given)
        expected.append(theta)
    np.testing.assert_allclose(found, np.array(expected), **CLOSE.get(name, EXACT))
    assert np.abs(found[-1] - found[0]).max() > 0.01


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("name", EQUATIONS)
def test_a_small_net_ends_with_the_weights_of_the_equation(name, fused):
    equation, settings, given = EQUATIONS[name]
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1)).double()
    x, y = torch.randn(20, 3, dtype=torch.float64), torch.randn(20, 1, dtype=torch.float64)
    chosen = settings_of(name, settings, fused)
    optimizer = build_optimizer(optimizer_groups(net, chosen), chosen)
    expected, states = [p.detach().numpy().copy() for p in net.parameters()], [{} for _ in net.parameters()]
    for _ in range(30):
        optimizer.zero_grad()
        nn.functional.mse_loss(net(x), y).backward()
        for k, parameter in enumerate(net.parameters()):
            decay = {"weight_decay": 0.0} if name == "adamw" and parameter.ndim == 1 else {}
            expected[k], states[k] = equation(expected[k], parameter.grad.numpy(), states[k], **given | decay)
        optimizer.step()
    for parameter, theta in zip(net.parameters(), expected):
        np.testing.assert_allclose(parameter.detach().numpy(), theta, **CLOSE.get(name, EXACT))


def test_every_optimizer_that_comes_with_orthogon_is_held_against_an_equation():
    searching = {"lbfgs"}  # its path hangs on a line search; tests/optim/test_lbfgs.py holds it against SciPy's
    assert set(registry.optimizers.entries) == set(EQUATIONS) | searching


DECAYS = {"sgd": "through", "averaged_momentum": "through", "rmsprop": "through", "adagrad": "through",
          "adadelta": "through", "adam": "through", "nadam": "through", "momentum": "through", "nesterov": "through",
          "adamw": "beside", "adamod": "beside"}


@pytest.mark.parametrize("name", DECAYS)
def test_weight_decay_goes_through_the_gradient_or_beside_it(name):
    """Through: the gradient dW + λW. Beside: W shrinks by αλW first (adamw, adamod)."""
    equation, settings, given = EQUATIONS[name]
    if name == "adamw":
        equation, given = equations.adam, {"learning_rate": 0.02}
    chosen = settings_of(name, settings | {"weight_decay": 0.3})
    found = path(lambda p: build_optimizer([{"params": p, "weight_decay": 0.3}], chosen), quadratic, (2.0, 1.0), 20)
    theta, state = np.array([2.0, 1.0]), {}
    for _ in range(20):
        gradient = slope(quadratic, theta)
        if DECAYS[name] == "through":
            gradient = gradient + 0.3 * theta
        else:
            theta = theta * (1 - chosen.lr * 0.3)
        theta, state = equation(theta, gradient, state, **given)
    np.testing.assert_allclose(found[-1], theta, **CLOSE.get(name, EXACT))
