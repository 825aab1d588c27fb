"""The gradient step: what it does is what torch would do by hand, however the batch is cut."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from worlds import assert_same_bits, blobs, recipe, trained, weights

from orthogon.errors import RecipeError
from orthogon.train.randomness import generator

BY_HAND = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.01),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.0),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01, alpha=0.999, eps=1e-8),
}


@pytest.mark.parametrize("optimizer", BY_HAND)
def test_training_equals_a_loop_written_by_hand(optimizer):
    data, wanted = blobs(), recipe(train__optimizer=optimizer, train__weight_decay=0.0, train__schedule="constant",
                                   train__epochs=2)
    torch.manual_seed(3)
    mine, theirs = nn.Linear(6, 3), nn.Linear(6, 3)
    theirs.load_state_dict(mine.state_dict())
    _, task = trained(wanted, data, model=mine)

    rows = np.arange(len(data) - 40)
    by_hand = BY_HAND[optimizer](theirs.parameters())
    for epoch in range(2):
        order = torch.as_tensor(rows)[torch.randperm(len(rows), generator=generator(0, "order", epoch))]
        for chunk in order.split(16):
            batch = task.batch(chunk)
            by_hand.zero_grad()
            nn.functional.cross_entropy(theirs(*batch.inputs), batch.target).backward()
            by_hand.step()
    for one, other in zip(mine.parameters(), theirs.parameters()):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("micro", [1, 5, 7])
def test_accumulation_gives_the_weights_of_the_big_batch(dtype, bound, micro):
    """100 steps, with a batch that the micro-batch does not divide and a ragged last batch."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(1)
            self.layers = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)).to(dtype)

        def forward(self, x):
            return self.layers(x.to(dtype))

    settings = {"train__batch_size": 16, "train__steps": 100, "train__epochs": None, "train__optimizer": "momentum",
                "train__clip_norm": 1.0}
    whole = weights(trained(recipe(**settings), model=Net())[0])
    cut = weights(trained(recipe(**settings, train__micro_batch_size=micro), model=Net())[0])
    for name in whole:
        assert (whole[name] - cut[name]).norm() <= bound * whole[name].norm()


def test_accumulation_equals_the_big_batch_with_example_weights():
    from dataclasses import replace

    data = replace(blobs(), weight=np.random.default_rng(0).uniform(0.1, 5, 203))
    whole = weights(trained(recipe(train__optimizer="sgd"), data)[0])
    cut = weights(trained(recipe(train__optimizer="sgd", train__micro_batch_size=3), data)[0])
    for name in whole:
        torch.testing.assert_close(whole[name], cut[name], rtol=1e-4, atol=1e-6)


def test_gradients_are_clipped_by_value_and_then_by_norm():
    torch.manual_seed(0)
    model = nn.Linear(6, 3)
    before = [p.detach().clone() for p in model.parameters()]
    trained(recipe(train__optimizer="sgd", train__lr=1.0, train__steps=1, train__epochs=None, train__weight_decay=0.0,
                   train__schedule="constant", train__clip_norm=1e-3), model=model)
    moved = torch.cat([(p - b).flatten() for p, b in zip(model.parameters(), before)])
    assert float(moved.detach().norm()) == pytest.approx(1e-3, rel=1e-3)

    model.load_state_dict(dict(zip(("weight", "bias"), before)))
    trained(recipe(train__optimizer="sgd", train__lr=1.0, train__steps=1, train__epochs=None, train__weight_decay=0.0,
                   train__schedule="constant", train__clip_value=1e-4), model=model)
    assert max((p.detach() - b).abs().max().item() for p, b in zip(model.parameters(), before)) <= 1.001e-4


def test_a_rule_that_matches_nothing_is_an_error_of_the_recipe():
    with pytest.raises(RecipeError, match="no parameter is called"):
        trained(recipe(train__parameter_rules=[{"pattern": "nowhere.*", "lr": 0.1}]))


def test_the_average_of_weights_is_what_is_evaluated():
    plain, averaged = weights(trained(recipe())[0]), weights(trained(recipe(train__ema=0.99))[0])
    assert any(not torch.equal(plain[name], averaged[name]) for name in plain)


def test_the_same_recipe_gives_the_same_bits_and_leaves_the_global_generators_alone():
    torch.manual_seed(11)
    np.random.seed(11)  # noqa: NPY002 - the global state is what is tested
    before = torch.random.get_rng_state().clone(), np.random.get_state()[1].copy()  # noqa: NPY002
    settings = {"model__options": {"hidden": [8], "dropout": 0.5}}
    one = weights(trained(recipe(**settings))[0])
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002
    torch.manual_seed(99)
    assert_same_bits(one, weights(trained(recipe(**settings))[0]))
    other = weights(trained(recipe(**settings, train__seed=1))[0])
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_a_batch_of_a_loss_that_is_no_sum_cannot_be_split(monkeypatch):
    from orthogon.tasks.classify import Classify

    monkeypatch.setattr(Classify, "decomposes", False)
    trained(recipe())
    with pytest.raises(RecipeError, match="not a sum over examples"):
        trained(recipe(train__micro_batch_size=4))
