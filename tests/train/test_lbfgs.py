"""L-BFGS by name in a recipe: for any task, in checkpoints, and beside what it cannot have."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_contract import Picture, Smooth, StopAt, interrupted_and_resumed
from torch import nn
from worlds import assert_same_bits, blobs, new_run, recipe, trained, weights

from orthogon.errors import Interrupted, RecipeError
from orthogon.optim.backstitch import Backstitch
from orthogon.optim.schedules import Timeline
from orthogon.train.compute import Compute
from orthogon.train.optimizer import asks_again, build_optimizer
from orthogon.train.sampler import Nothing
from orthogon.train.settings import TrainSettings
from orthogon.train.step import GradientStep

WHOLE = {"train__optimizer": "lbfgs", "train__lr": 1.0, "train__weight_decay": 0.0, "train__schedule": "constant",
         "train__batch_size": 163, "train__epochs": None}


def test_a_linear_classifier_comes_to_where_scipy_ends():
    """The whole set as one batch: softmax regression is convex, so there is one lowest loss."""
    import scipy.optimize
    from scipy.special import logsumexp

    data = blobs()
    fitted, _ = trained(recipe(**WHOLE, train__steps=12, model__name="linear", model__options={}), data)
    x = torch.tensor(data.columns["x"].values[:163])  # type: ignore[union-attr]
    x = ((x - x.mean(0)) / x.std(0, correction=0)).numpy()
    codes = data.columns["label"].codes[:163]  # type: ignore[union-attr]

    def loss(flat):
        scores = x @ flat[:18].reshape(3, 6).T + flat[18:]
        return float(np.mean(logsumexp(scores, axis=1) - scores[np.arange(163), codes]))

    lowest = scipy.optimize.minimize(loss, np.zeros(21), method="L-BFGS-B", options={"maxiter": 500}).fun
    with torch.no_grad():
        scores = fitted.model(torch.tensor(x, dtype=torch.float32))
    found = float(nn.functional.cross_entropy(scores, torch.as_tensor(codes).long()))
    assert found == pytest.approx(lowest, abs=2e-4)


def test_a_run_by_lbfgs_that_was_cut_off_goes_on_bit_for_bit(tmp_path):
    """With dropout: within a step all evaluations have the same masks, so the line search compares one function."""
    wanted = recipe(**{**WHOLE, "train__batch_size": 40}, train__steps=9, train__checkpoint_steps=2,
                    model__options={"hidden": [8], "dropout": 0.3})
    whole, _ = trained(wanted, run=new_run(tmp_path, wanted, "whole"))
    cut = new_run(tmp_path, wanted)
    with pytest.raises(Interrupted):
        trained(wanted, run=cut, observers=(StopAt(4),))
    assert_same_bits(weights(whole), weights(trained(wanted, run=cut)[0]))
    assert all(torch.isfinite(each).all() for each in weights(whole).values())


def test_an_image_fitted_by_the_optimizer_of_a_recipe(tmp_path):
    settings = recipe(**WHOLE, train__steps=6).train

    def make():
        return GradientStep(Smooth(), Picture(), settings, Compute(torch.device("cpu")), Timeline(6, 6)), Nothing(3)

    whole, resumed = interrupted_and_resumed(tmp_path, make, steps=6, stop=3)
    assert torch.equal(whole.model().pixels, resumed.model().pixels)
    loss = sum(part.weight * part.sum for part in Smooth().loss(whole.model(), Smooth().batch(torch.empty(0))).parts)
    slope = torch.autograd.grad(loss, whole.model().pixels)[0]
    assert slope.abs().max() < 1e-3  # of a quadratic: this is its minimum
    assert asks_again(whole.optimizer)


def test_which_optimizers_ask_for_the_loss_again():
    weight = [nn.Parameter(torch.zeros(2))]
    assert asks_again(torch.optim.LBFGS(weight))
    assert asks_again(Backstitch(torch.optim.SGD(weight, lr=0.1)))
    assert not asks_again(torch.optim.SGD(weight, lr=0.1))
    assert not asks_again(build_optimizer([{"params": weight, "weight_decay": 0.0}], TrainSettings(lr=0.1)))


@pytest.mark.parametrize(("values", "where", "what"), [
    ({"train__clip_norm": 1.0}, "train.clip_norm", "lbfgs compares losses, and clip_norm is in none"),
    ({"train__l2": 0.1}, "train.l2", "l2 is in none"),
    ({"train__backstitch": 0.3}, "train.backstitch", "backstitch is in none"),
    ({"train__weight_decay": 0.1}, "train.optimizer", "in 2 groups"),
    ({"train__parameter_rules": [{"pattern": "output.*", "lr": 0.3}]}, "train.optimizer", "moves all of them as one"),
])
def test_what_lbfgs_cannot_have_beside_it_is_refused(values, where, what):
    with pytest.raises(RecipeError, match=what) as caught:
        trained(recipe(**{**WHOLE, "train__steps": 2, **values}))
    assert caught.value.where == where
    assert caught.value.remedy
