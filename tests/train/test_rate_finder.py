"""The learning-rate finder: what it makes of curves, that it finds what works, and that it changes nothing."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn
from worlds import assert_same_bits, blobs, new_run, recipe, trained, weights

from orthogon.errors import RecipeError
from orthogon.train.build import build_task
from orthogon.train.fit import attach, plan
from orthogon.train.rate_finder import HIGHEST, LOWEST, STEPS, RateRange, find_rate, smoothed, suggest
from orthogon.train.task import Task
from orthogon.verbs.find_rate import find_rate as verb

RATES = LOWEST * (HIGHEST / LOWEST) ** (np.arange(STEPS) / (STEPS - 1))


def curve(falls: float = 1e-4, lowest: float = 1e-2, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """2 until the rate `falls`, in a straight line over the logarithm down to 1 at `lowest`, then steeply up."""
    log = np.log10(RATES)
    fall = np.interp(log, [np.log10(falls), np.log10(lowest), 1.0], [2.0, 1.0, 30.0])
    fall = np.where(fall > 9, np.nan, fall)
    return fall + np.random.default_rng(seed).normal(0, noise, STEPS)


def found(wanted=None, model: nn.Module | None = None, seeds: int = 2) -> tuple[RateRange, Task]:
    wanted, data = wanted or recipe(), blobs()
    rows, task = np.arange(150), build_task(wanted)
    task.fit(data, rows)
    attach(task, data, wanted)
    return find_rate(plan(wanted, task, rows, model=model), task, rows, model=model, seeds=seeds), task


def test_the_range_reaches_from_a_fifth_of_the_fall_to_the_lowest_loss():
    suggested = suggest(RATES, np.stack([curve()]))
    assert suggested
    assert suggested.low == pytest.approx(10 ** (-4 + 0.2 * 2), rel=0.15)
    assert suggested.high == pytest.approx(1e-2, rel=0.6)
    assert suggested.value is not None
    assert suggested.low <= suggested.value <= suggested.high


def test_the_rate_is_where_the_loss_falls_fastest():
    log = np.log10(RATES)
    losses = 2 - 1 / (1 + np.exp(-6 * (log + 3))) + np.where(log > -1, (log + 1) * 5, 0)
    assert suggest(RATES, losses[None]).value == pytest.approx(1e-3, rel=0.3)


def test_the_range_is_where_all_sweeps_agree():
    one, other = curve(1e-4, 1e-2), curve(1e-3, 3e-2)
    both = suggest(RATES, np.stack([one, other]))
    assert both.low == suggest(RATES, other[None]).low
    assert both.high == suggest(RATES, one[None]).high
    assert "2 sweeps" in str(both)


def test_sweeps_that_disagree_give_no_clear_range():
    apart = suggest(RATES, np.stack([curve(1e-5, 1e-4), curve(1e-3, 1e-2)]))
    assert not apart
    assert (apart.low, apart.high, apart.value) == (None, None, None)
    assert "disagree" in apart.reason
    assert str(apart).startswith("no clear range of learning rates: ")


def test_a_loss_that_never_falls_by_more_than_its_noise_gives_no_clear_range():
    flat = np.stack([np.random.default_rng(seed).normal(2, 0.1, STEPS) for seed in range(8)])
    assert not suggest(RATES, flat)
    assert "of 8 sweeps the loss falls at no rate" in suggest(RATES, flat).reason
    noisy = suggest(RATES, np.stack([curve(noise=0.1), flat[0]]))
    assert "1 of 2 sweeps" in noisy.reason
    assert suggest(RATES, np.stack([curve(noise=0.1), curve(noise=0.1, seed=1)]))
    assert not suggest(RATES, np.full((1, STEPS), 2.0)), "a constant loss"
    at_once = np.full((1, STEPS), np.nan)
    at_once[:, :3] = 2, 9, 40
    assert not suggest(RATES, at_once), "a loss that explodes at the lowest rate"


def test_a_loss_that_is_lowest_at_once_gives_no_clear_range():
    assert not suggest(RATES, np.where(np.arange(STEPS) < 5, 0.0, 1.0)[None])


def test_smoothing_is_the_mean_of_what_there_is_in_a_window_of_nine():
    values = np.arange(20.0)
    values[15:] = np.nan
    smooth = smoothed(values)
    assert smooth[6] == 6.0
    assert smooth[0] == np.mean(values[:5])
    assert smooth[13] == np.mean(values[9:15])
    assert np.isnan(smooth[15:]).all()


def test_it_finds_rates_that_train_and_stops_where_the_loss_explodes():
    suggested, _ = found(recipe(train__optimizer="sgd", train__lr=1.0))
    assert suggested
    assert 1e-3 < suggested.low < suggested.value < suggested.high <= 10  # type: ignore[operator]
    assert suggested.losses.shape == (2, STEPS)
    adam, _ = found(recipe(train__optimizer="adam", model__options={"hidden": [64, 64]}))
    assert adam.value is not None
    assert adam.value < suggested.value, "Adam wants smaller rates than plain descent"  # type: ignore[operator]
    assert np.isnan(adam.losses[:, -1]).all(), "stopped before the highest rate"
    assert np.isfinite(adam.losses[:, : STEPS // 2]).all()
    assert not np.array_equal(adam.losses[0], adam.losses[1]), "each sweep has a seed of its own"


def test_the_rate_of_the_recipe_and_its_schedule_do_not_matter():
    one, _ = found(recipe(train__lr=0.5, train__schedule="one_cycle"))
    other, _ = found(recipe(train__lr=1e-4, train__schedule="constant"))
    assert np.array_equal(one.losses, other.losses, equal_nan=True)


def test_a_model_of_ones_own_is_swept_on_copies():
    net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 3))
    before, random = copy.deepcopy(net.state_dict()), torch.get_rng_state()
    suggested, _ = found(model=net)
    assert_same_bits(dict(net.state_dict()), dict(before))
    assert all(each.grad is None for each in net.parameters())
    assert torch.equal(torch.get_rng_state(), random)
    assert suggested.losses[0, 0] != suggested.losses[1, 0], "another order and other masks"


def test_training_after_it_is_bit_identical_to_training_without_it(tmp_path):
    wanted = recipe(model__options={"hidden": [8], "dropout": 0.3})
    plain, _ = trained(wanted, run=new_run(tmp_path, wanted, "plain"))
    verb(blobs(), options={"model.name": "mlp", "train.batch_size": 16}, seeds=1)
    found(wanted)
    after, _ = trained(wanted, run=new_run(tmp_path, wanted, "after"))
    assert_same_bits(weights(plain), weights(after))


def test_a_task_with_another_step_has_no_rate_to_sweep():
    from orthogon.tasks.classify import Classify
    from orthogon.train.step import Step

    class Still(Step):
        def __init__(self, model: nn.Module) -> None:
            self.its = model

        def __call__(self, rows, draw):
            return torch.zeros(())

        def model(self):
            return self.its

        def state(self):
            return {}

        def load_state(self, state):
            pass

    class Quiet(Classify):
        def step(self, model, *rest):
            return Still(model)

    wanted, data = recipe(), blobs()
    task = Quiet(wanted.task, wanted.data)
    task.fit(data, np.arange(150))
    attach(task, data, wanted)
    with pytest.raises(RecipeError, match="Still, which has no rate"):
        find_rate(plan(wanted, task, np.arange(150)), task, np.arange(150), seeds=1)


def test_the_picture_marks_the_range_and_the_rate(tmp_path):
    suggested = suggest(RATES, np.stack([curve(), curve(noise=0.02)]))
    picture = suggested.save(tmp_path / "rate.svg").read_text()
    assert picture.startswith("<svg")
    assert f"{suggested.value:.2g}" in picture
    assert "learning rate" in picture
    nothing = suggest(RATES, np.full((1, STEPS), 2.0))
    assert len(nothing.picture()) < len(picture), "no range, no mark"
    assert "no clear range" in nothing._repr_html_()
    with pytest.raises(RecipeError, match=r"\.svg"):
        suggested.save(tmp_path / "rate.png")


def test_the_verb_gives_plain_values_and_needs_a_sweep():
    suggested = verb(blobs(), model="mlp", options={"model.options": {"hidden": [8]}}, batch_size=16, seeds=1)
    plain = suggested.to_dict()
    assert plain["lr"] == suggested.value
    assert len(plain["rates"]) == len(plain["losses"][0]) == STEPS
    with pytest.raises(RecipeError, match="at least one sweep"):
        verb(blobs(), seeds=0)
