"""Optimizers, schedules and growing batches as a recipe asks for them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from worlds import assert_same_bits, blobs, new_run, recipe, trained, weights

from orthogon import registry
from orthogon.equations.schedules import batches_per_epoch, growing_batch
from orthogon.errors import Interrupted, RecipeError
from orthogon.optim.flat import FlatParameters
from orthogon.optim.schedules import Timeline
from orthogon.train.build import build_task
from orthogon.train.compute import Compute, Workload, resolve
from orthogon.train.fit import attach, with_defaults
from orthogon.train.observers import Observer
from orthogon.train.optimizer import build_optimizer, optimizer_groups, usual_settings
from orthogon.train.randomness import Draw
from orthogon.train.recipe import Recipe
from orthogon.train.sampler import Nothing, Shuffled
from orthogon.train.settings import TrainSettings
from orthogon.train.step import GradientStep
from orthogon.train.task import Batch, Loss, Part

CPU = torch.device("cpu")
NAMES = [name for name in registry.optimizers.entries if name != "lbfgs"]  # which takes neither clipping nor rules
DEEP = {"model__options": {"hidden": [8] * 4, "dropout": 0.3}, "train__flat": True}


class StopAt(Observer):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, event) -> None:
        if event.step >= self.step:
            self.step = 10**9
            raise KeyboardInterrupt


@pytest.mark.parametrize("settings", [
    *({"train__optimizer": name} for name in NAMES),
    {"train__optimizer": "averaged_momentum", "train__bias_correction": True, "train__backstitch": 0.3},
    {"train__optimizer": "adamw", "train__backstitch": 0.3},
    {"train__batch_growth": 2.0, "train__schedule_epochs": 1, "train__schedule": "exponential"},
    {"train__schedule": "manual", "train__schedule_table": {1: 0.5, 2: 0.1}},
], ids=lambda settings: "-".join(map(str, settings.values())))
def test_a_run_that_was_cut_off_goes_on_bit_for_bit(tmp_path, settings):
    """Flat parameters, dropout, micro-batches, clipping, an average of weights, a rule of rates."""
    wanted = recipe(**DEEP, train__micro_batch_size=9, train__clip_norm=1.0, train__ema=0.9, train__epochs=2,
                    train__checkpoint_steps=8, train__parameter_rules=[{"pattern": "output.*", "lr": 0.3}], **settings)
    run = new_run(tmp_path, wanted, "whole")
    whole, _ = trained(wanted, run=run)
    cut = new_run(tmp_path, wanted)
    with pytest.raises((KeyboardInterrupt, Interrupted)):
        trained(wanted, run=cut, observers=(StopAt(17),))
    assert_same_bits(weights(whole), weights(trained(wanted, run=cut)[0]))
    assert all(torch.isfinite(each).all() for each in weights(whole).values())


@pytest.mark.parametrize("name", NAMES)
def test_the_weights_are_the_same_flat_and_fused_or_not(name):
    found = [weights(trained(recipe(train__optimizer=name, train__flat=flat, train__fused=fused, train__epochs=2,
                                    train__clip_norm=1.0, train__explicit=False))[0])
             for flat, fused in ((False, False), (True, False), (True, True))]
    for other in found[1:]:
        for key in other:
            torch.testing.assert_close(found[0][key], other[key], rtol=1e-4, atol=1e-5)


# --- Backstitch --------------------------------------------------------------------------------------------------


class Noisy:
    """A task whose loss draws from the step and from torch, and carries a state."""

    name, decomposes = "noisy", True

    def __init__(self) -> None:
        self.drawn: list[tuple[float, float, float]] = []

    def batch(self, rows, draw=None) -> Batch:
        return Batch((torch.randn(4, 3, generator=draw.generator("augment")),), None, None, rows)

    def loss(self, model, batch, carried=None) -> Loss:
        dropped = nn.functional.dropout(model(batch.inputs[0]), 0.5)
        state = torch.zeros(()) if carried is None else carried["sum"]
        self.drawn.append((batch.inputs[0].sum().item(), (dropped == 0).float().sum().item(), state.item()))
        total = (dropped.square().sum() + state * dropped.sum())
        return Loss((Part("loss", 1.0, total, 4.0),), {"sum": state + batch.inputs[0].sum()})


def test_both_gradients_of_a_backstitch_are_on_the_same_batch_dropout_and_carried_state():
    torch.manual_seed(0)
    task, model = Noisy(), nn.Linear(3, 2)
    settings = TrainSettings(optimizer="sgd", lr=0.1, backstitch=0.3, weight_decay=0.0, schedule="constant")
    step = GradientStep(task, model, settings, Compute(CPU), Timeline(9, 9))  # type: ignore[arg-type]
    seen = []
    for k in range(3):
        start = [each.detach().clone() for each in model.parameters()]
        step(torch.arange(4), Draw(0, 0, k, CPU))
        seen.append(task.drawn[-2:])
        at = start
        for scale in (-0.3, 1.3):  # the same by hand
            twin = nn.Linear(3, 2)
            twin.load_state_dict(dict(zip(("weight", "bias"), at)))
            draw = Draw(0, 0, k, CPU)
            draw.seed_modules()
            carried = None if k == 0 else {"sum": torch.tensor(seen[-1][0][2])}
            (Noisy().loss(twin, Noisy().batch(torch.arange(4), draw), carried).parts[0].sum / 4).backward()
            at = [each.detach() - scale * 0.1 * each.grad for each in twin.parameters()]
        for mine, theirs in zip(model.parameters(), at):
            torch.testing.assert_close(mine.detach(), theirs)
    assert all(first == second for first, second in seen)
    assert len({first for first, _ in seen}) == 3


def test_backstitch_is_off_by_default_and_its_second_gradient_is_clipped_too():
    assert TrainSettings().backstitch == 0
    model = nn.Linear(6, 3)
    before = [each.detach().clone() for each in model.parameters()]
    trained(recipe(train__optimizer="sgd", train__lr=1.0, train__steps=1, train__epochs=None, train__weight_decay=0.0,
                   train__schedule="constant", train__clip_norm=1e-3, train__backstitch=0.3), model=model)
    moved = torch.cat([(p - b).flatten() for p, b in zip(model.parameters(), before)]).detach()
    assert 0.9e-3 < moved.norm() <= 1.6e-3


# --- growing batches ---------------------------------------------------------------------------------------------


def test_batches_grow_by_a_factor_until_they_are_the_whole_set():
    """Row 6.11, and rows 6.07, 34.07, 34.08 for each size."""
    sampler = Shuffled(np.arange(1050), 100, seed=3).growing(5, every=2)
    assert [sampler.size(epoch) for epoch in range(7)] == [100, 100, 500, 500, 1050, 1050, 1050]
    assert [sampler.batches(epoch) for epoch in (0, 1, 2, 3, 4, 10**9)] == [11, 11, 3, 3, 1, 1]
    for epoch in range(6):
        assert sampler.size(epoch) == growing_batch(epoch, 100, 5, 2, largest=1050)
        assert sampler.batches(epoch) == batches_per_epoch(1050, sampler.size(epoch))
        batches = [sampler.batch(epoch, k) for k in range(sampler.batches(epoch))]
        assert sorted(torch.cat(batches).tolist()) == list(range(1050))
        assert all(len(each) == sampler.size(epoch) for each in batches[:-1])
    again = Shuffled(np.arange(1050), 100, seed=3, growth=5, every=2)
    assert torch.equal(again.batch(3, 1), sampler.batch(3, 1))
    assert torch.equal(again.batch(0, 4), Shuffled(np.arange(1050), 100, seed=3).batch(0, 4))
    assert sampler.lengths(26) == (11, 11, 3, 3)
    assert sampler.lengths(25) == (11, 11, 3)


def test_growth_need_not_be_whole_and_may_overshoot():
    sampler = Shuffled(np.arange(50), 8, seed=0, growth=1.5, every=1)
    assert [sampler.size(epoch) for epoch in range(7)] == [8, 12, 18, 27, 40, 50, 50]
    assert Shuffled(np.arange(50), 8, seed=0, growth=1000.0).size(1) == 50
    assert Shuffled(np.arange(50), 80, seed=0, growth=2.0).size(9) == 50
    with pytest.raises(RecipeError, match="cannot grow"):
        Nothing(3).growing(2, 1)


def test_the_steps_of_growing_batches_are_added_up_over_the_epochs(tmp_path):
    wanted = recipe(train__batch_growth=2.0, train__schedule_epochs=2, train__epochs=5, train__schedule="exponential",
                    train__schedule_factor=0.5)
    run = new_run(tmp_path, wanted)
    fitted, _ = trained(wanted, run=run)
    assert fitted.plan.recipe.train.steps == 11 + 11 + 6 + 6 + 3
    lines = [line for line in run.metrics() if line["event"] == "epoch"]
    assert [line["step"] for line in lines] == [11, 22, 28, 34, 37]
    assert [line["lr"] for line in lines] == pytest.approx([0.01 * 0.5**k for k in range(5)])
    assert fitted.examples == 5 * 163


def test_epochs_in_progress_count_growing_batches():
    class Watch(Observer):
        seen = ()

        def on_step(self, event) -> None:
            self.seen = (*self.seen, event.epochs)

    watch = Watch()
    trained(recipe(train__batch_growth=4.0, train__schedule_epochs=1), observers=(watch,))
    assert set(watch.seen) == {3}


# --- what a recipe may not ask -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("settings", "where", "what"), [
    ({"train__schedule": "manual"}, "train.schedule_table", "there is no table"),
    ({"train__schedule": "manual", "train__schedule_table": {4: 0.1}}, "train.schedule_table",
     "names epoch 4, and the run has epochs 1 to 3"),
    ({"train__schedule_table": {2: 0.1}}, "train.schedule_table", "one_cycle does not read a table"),
    ({"train__schedule": "step", "train__schedule_factor": 2.0}, "train.schedule_factor", "not above 1"),
    ({"train__optimizer": "nesterov", "train__momentum": 0.0}, "train.optimizer", "Nesterov momentum requires"),
])
def test_what_does_not_fit_together_is_refused_before_training(settings, where, what):
    with pytest.raises(RecipeError, match=what) as caught:
        trained(recipe(**settings))
    assert caught.value.where == where
    assert caught.value.remedy


@pytest.mark.parametrize(("key", "value"), [
    ("momentum", 1.0), ("momentum", -0.1), ("weight_decay", -0.1), ("lr", 0.0), ("lr", -1.0), ("beta2", 1.0),
    ("epsilon", 0.0), ("batch_growth", 0.5), ("backstitch", -0.3), ("schedule_factor", 0.0), ("schedule_epochs", 0)])
def test_values_out_of_bounds_are_refused_with_the_bound(key, value):
    with pytest.raises(RecipeError, match=r"should be (greater|less) than") as caught:
        recipe(**{f"train__{key}": value})
    assert key in caught.value.where


def test_nothing_to_train_and_no_rate_are_refused():
    frozen = nn.Linear(6, 3).requires_grad_(False)
    with pytest.raises(RecipeError, match="no parameters to train"):
        optimizer_groups(frozen, TrainSettings(lr=0.1))
    with pytest.raises(RecipeError, match="no learning rate"):
        optimizer_groups(nn.Linear(6, 3), TrainSettings())


def test_a_schedule_longer_than_the_run_is_told():
    short = trained(recipe(train__schedule="step"))[0].plan.reasons
    assert any("first drop after epoch 10, and the run has 3: a smaller train.schedule_epochs" in a for a in short)
    assert not any("drop" in each for each in trained(recipe(train__schedule="step", train__schedule_epochs=1))[0]
                   .plan.reasons)


def test_a_batch_that_would_grow_after_the_run_is_told():
    told = "the batch would first grow after epoch 3, and the run has 3: a smaller train.schedule_epochs lets it act"
    assert told in trained(recipe(train__batch_growth=2.0, train__schedule_epochs=3))[0].plan.reasons
    for epochs, growth in ((2, 2.0), (3, 1.0)):
        reasons = trained(recipe(train__batch_growth=growth, train__schedule_epochs=epochs))[0].plan.reasons
        assert not any("grow" in each for each in reasons)


# --- flat by rule ------------------------------------------------------------------------------------------------


def resolved(tensors: int, numbers: int, **settings) -> bool | None:
    work = Workload(1000, 32, False, tensors, numbers)
    return resolve(TrainSettings(**{"device": "cpu"} | settings), work)[0].flat


def test_many_small_tensors_on_the_cpu_are_made_flat_unless_the_recipe_says_otherwise():
    assert resolved(50, 50 * 4000)
    assert not resolved(49, 100)
    assert not resolved(50, 50 * 4000 + 1)
    for unfused in ({"optimizer": "nadam"}, {"fused": False}):
        assert resolved(16, 16 * 4000, **unfused)
        assert not resolved(15, 100, **unfused)
    assert not resolved(100, 100, optimizer="somebody's")
    assert resolved(100, 100, flat=False) is False
    assert resolved(1, 10**9, flat=True) is True


def test_groups_keep_their_rates_and_decay_when_flat():
    settings = TrainSettings(lr=0.1, weight_decay=0.2, parameter_rules=[{"pattern": "2.*", "lr": 0.5}])
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    groups = optimizer_groups(model, settings)
    optimizer = build_optimizer(FlatParameters(groups).groups, settings)
    assert [(group["lr"], group["weight_decay"]) for group in optimizer.param_groups] == [
        (0.1, 0.2), (0.1, 0.0), (0.05, 0.2), (0.05, 0.0)]
    assert [group["params"][0].numel() for group in optimizer.param_groups] == [16, 16, 16, 16]


def test_training_twice_on_a_module_of_ones_own_goes_on_from_its_weights():
    net = nn.Sequential(*[part for _ in range(3) for part in (nn.Linear(6, 6), nn.Tanh())], nn.Linear(6, 3))
    first, _ = trained(recipe(train__flat=True), blobs(), model=net)
    after = weights(first)
    trained(recipe(train__flat=True, train__epochs=None, train__steps=1, train__lr=1e-9), blobs(), model=net)
    for name, each in net.state_dict().items():
        torch.testing.assert_close(each, after[name])


def test_an_optimizer_that_the_task_did_not_choose_begins_with_a_rate_and_decay_of_its_own():
    """35.19: the rate and the decay of AdamW suit no other; what the user sets stays."""
    data = blobs()

    def planned(**values):
        wanted = Recipe().with_values({"task.name": "classify", "model.name": "linear", "train.device": "cpu",
                                       **{key.replace("__", "."): value for key, value in values.items()}})
        task = build_task(wanted)
        task.fit(data, np.arange(160))
        attach(task, data, wanted)
        settings = with_defaults(wanted, task, 160).train
        return settings.lr, settings.weight_decay

    assert planned() == planned(train__optimizer="adamw") == (2e-3, 0.01)
    assert planned(train__optimizer="sgd") == (0.1, 5e-4)
    assert planned(train__optimizer="adam") == (1e-3, 0.0)
    assert planned(train__optimizer="momentum", train__lr=0.2) == (0.2, 5e-4)
    assert planned(train__optimizer="nadam", train__weight_decay=0.3) == (1e-3, 0.3)
    rate, averaged = planned(train__optimizer="momentum")[0], planned(train__optimizer="averaged_momentum")[0]
    assert averaged == pytest.approx(rate / (1 - 0.9))
    assert set(usual_settings("adamod")) == {"lr", "weight_decay"}
    assert usual_settings("somebody_elses") == {}
    for name in registry.optimizers.names():
        assert usual_settings(name), name
