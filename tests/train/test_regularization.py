"""L1, L2 and max-norm within a step: what a loop written by hand does, once, however the batch is cut."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from worlds import blobs, recipe, trained, weights

from orthogon.errors import RecipeError
from orthogon.nn.models import mlp
from orthogon.nn.penalties import penalized_weights, penalty, soft_threshold
from orthogon.train.observers import Observer
from orthogon.train.randomness import generator

PLAIN = {"train__optimizer": "sgd", "train__weight_decay": 0.0, "train__schedule": "constant", "train__lr": 0.1,
         "train__epochs": 2}


def by_hand(net: nn.Module, task, l1: float = 0.0, l2: float = 0.0) -> list[torch.Tensor]:
    rows = torch.arange(len(blobs()) - 40)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    kept = penalized_weights(net)
    for epoch in range(2):
        for chunk in rows[torch.randperm(len(rows), generator=generator(0, "order", epoch))].split(16):
            batch = task.batch(chunk)
            optimizer.zero_grad()
            cost = nn.functional.cross_entropy(net(*batch.inputs), batch.target)
            (cost + penalty(kept, l2=l2)).backward()
            optimizer.step()
            soft_threshold(kept, 0.1 * l1)
    return list(net.parameters())


def two_nets() -> list[nn.Module]:
    torch.manual_seed(3)
    nets = [nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)) for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    return nets


@pytest.mark.parametrize("how", [{}, {"train__micro_batch_size": 5}, {"train__flat": True}],
                         ids=["plain", "micro-batches", "flat"])
@pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.3), (0.1, 0.0), (0.1, 0.05)])
def test_penalties_act_once_a_step_as_in_a_loop_written_by_hand(how, l1, l2):
    mine, theirs = two_nets()
    _, task = trained(recipe(**PLAIN, train__l1=l1, train__l2=l2, **how), model=mine)
    for one, other in zip(mine.parameters(), by_hand(theirs, task, l1, l2)):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
    zeros = sum(int((each == 0).sum()) for each in penalized_weights(mine))
    assert (zeros > 0) == (l1 > 0)
    assert all((each != 0).all() for each in mine.parameters() if each.ndim == 1)


def test_the_explicit_step_has_the_same_penalties():
    one, other = (weights(trained(recipe(**PLAIN, train__l1=0.01, train__l2=0.1, train__max_norm=1.0,
                                         train__explicit=explicit))[0]) for explicit in (False, True))
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=1e-4, atol=1e-6)


def test_the_threshold_of_l1_follows_the_rate_of_the_schedule_and_of_the_rules():
    """A weight that the loss does not move falls by l1 × the sum of its rates."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.used = nn.Linear(6, 3)
            self.idle = nn.ParameterDict({"a": nn.Parameter(torch.ones(1, 1)), "b": nn.Parameter(torch.ones(1, 1))})

        def forward(self, x):
            return self.used(x) + 0 * (self.idle["a"] + self.idle["b"])

    net, steps = Net(), 11
    rule = {"pattern": "idle.b", "lr": 0.5}
    trained(recipe(**PLAIN | {"train__schedule": "cosine", "train__epochs": 1}, train__l1=0.1,
                   train__parameter_rules=[rule]), model=net)
    rates = sum(0.05 * (1 + np.cos(np.pi * step / steps)) for step in range(steps))
    fallen = {name: 1 - value.item() for name, value in net.idle.items()}
    assert fallen["a"] == pytest.approx(0.1 * rates, abs=0.012)
    assert fallen["b"] == pytest.approx(fallen["a"] / 2, rel=1e-4)


def test_l2_is_clipped_with_the_gradient():
    net = two_nets()[0]
    before = [each.detach().clone() for each in net.parameters()]
    one_step = PLAIN | {"train__epochs": None, "train__steps": 1}
    trained(recipe(**one_step, train__l2=1.0, train__clip_norm=1e-3), model=net)
    moved = torch.cat([(one - other).flatten() for one, other in zip(net.parameters(), before)])
    assert float(moved.detach().norm()) == pytest.approx(0.1 * 1e-3, rel=1e-3)


def test_the_loss_that_is_reported_is_that_of_the_data_alone():
    class Listener(Observer):
        def on_step(self, event):
            self.loss = event.loss

    mine, theirs = two_nets()
    heard = Listener()
    one_step = PLAIN | {"train__epochs": None, "train__steps": 1}
    _, task = trained(recipe(**one_step, train__l1=1.0, train__l2=5.0), model=mine, observers=(heard,))
    rows = torch.randperm(len(blobs()) - 40, generator=generator(0, "order", 0))[:16]
    batch = task.batch(rows)
    expected = nn.functional.cross_entropy(theirs(*batch.inputs), batch.target)
    assert heard.loss == pytest.approx(expected.item(), rel=1e-5)


def test_max_norm_holds_after_every_step():
    fitted, _ = trained(recipe(**PLAIN | {"train__lr": 1.0}, train__max_norm=0.5))
    norms = torch.cat([layer.weight.detach().norm(dim=1) for layer in fitted.model.modules()
                       if isinstance(layer, nn.Linear)])
    assert norms.max() <= 0.5 * (1 + 1e-5)
    assert (norms > 0.499).any()
    free, _ = trained(recipe(**PLAIN | {"train__lr": 1.0}))
    assert max(float(value.norm(dim=1).max()) for value in weights(free).values() if value.ndim == 2) > 0.5


def test_without_penalties_nothing_of_them_is_done():
    one, other = (weights(trained(recipe(**PLAIN, **more))[0]) for more in ({}, {"train__l1": 0.0, "train__l2": 0.0}))
    for name in one:
        assert torch.equal(one[name], other[name])


@pytest.mark.parametrize(("key", "value"), [("l1", -0.1), ("l2", -1.0), ("max_norm", 0.0)])
def test_negative_penalties_are_refused_by_name(key, value):
    with pytest.raises(RecipeError, match=f"train.{key}"):
        recipe(**{f"train__{key}": value})


def test_e86_the_plan_says_when_selu_lacks_its_weights():
    fitted, task = trained(recipe(**PLAIN, model__options={"hidden": [64, 64], "activation": "selu"}))
    assert not any("SELU" in reason for reason in fitted.plan.reasons)
    net = mlp(task.spec, hidden=[64, 64], activation="selu", initializer="he_normal")
    fitted, _ = trained(recipe(**PLAIN), model=net)
    assert sum("before SELU" in reason for reason in fitted.plan.reasons) == 2
