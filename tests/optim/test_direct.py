"""The directly called kernel takes the optimizer's own steps, bit for bit."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch

from orthogon.optim.direct import direct_step


def network():
    torch.manual_seed(0)
    return [torch.nn.Parameter(torch.randn(5, 3)), torch.nn.Parameter(torch.randn(4))]


def made(kind, **options):
    first, second = network()
    groups = [{"params": [first], "weight_decay": 0.1}, {"params": [second], "weight_decay": 0.0, "lr": 0.02}]
    return kind(groups, lr=0.01, fused=True, **options)


def walk(optimizer, step, steps=5):
    for k in range(steps):
        for group in optimizer.param_groups:
            group["lr"] *= 0.9
            for n, parameter in enumerate(group["params"]):
                torch.manual_seed(10 * k + n)
                parameter.grad = torch.randn_like(parameter)
        step()
    return [p.detach() for group in optimizer.param_groups for p in group["params"]]


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW])
def test_steps_and_state_are_those_of_the_optimizer(kind):
    options = {"betas": (0.8, 0.95), "eps": 1e-4}
    mine, theirs = made(kind, **options), made(kind, **options)
    step = direct_step(mine)
    assert step != mine.step
    for one, other in zip(walk(mine, step), walk(theirs, theirs.step)):
        assert torch.equal(one, other)
    for one, other in zip(mine.state.values(), theirs.state.values()):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_it_goes_on_from_a_loaded_state():
    first, other = made(torch.optim.AdamW), made(torch.optim.AdamW)
    walk(first, direct_step(first))
    step = direct_step(other)
    walk(other, step, steps=1)
    other.load_state_dict(deepcopy(first.state_dict()))
    for mine, theirs in zip(other.param_groups, first.param_groups):
        for one, two in zip(mine["params"], theirs["params"]):
            one.data.copy_(two)
    for one, two in zip(walk(other, step), walk(first, first.step)):
        assert torch.equal(one, two)


def test_parameters_without_a_gradient_stay():
    optimizer = made(torch.optim.AdamW)
    step = direct_step(optimizer)
    first, second = (group["params"][0] for group in optimizer.param_groups)
    before = second.detach().clone()
    for _ in range(3):
        first.grad = torch.ones_like(first)
        step()
    assert torch.equal(second, before)
    second.grad = torch.ones_like(second)  # it has no state yet
    step()
    assert optimizer.state[second]["step"] == 1
    assert optimizer.state[first]["step"] == 4


@pytest.mark.parametrize("make", [
    lambda: torch.optim.SGD(network(), lr=0.1),
    lambda: torch.optim.AdamW(network(), lr=0.1, fused=False),
    lambda: torch.optim.AdamW(network(), lr=0.1, fused=True, amsgrad=True),
    lambda: torch.optim.Adam(network(), lr=0.1, fused=True, maximize=True),
    lambda: torch.optim.AdamW([*network(), torch.nn.Parameter(torch.zeros(2, dtype=torch.float64))], fused=True),
])
def test_others_take_their_own_step(make):
    optimizer = make()
    assert direct_step(optimizer) == optimizer.step
