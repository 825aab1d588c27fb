"""What of a network with weights learns, from when on and at what rate; and what is frozen does not, to the bit."""

from __future__ import annotations

import copy
from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn
from worlds import assert_same_bits, blobs, new_run, recipe, trained, weights

from orthogon.errors import Interrupted, RecipeError
from orthogon.nn.modes import evaluating
from orthogon.optim.schedules import Timeline
from orthogon.train import features as features_module
from orthogon.train.build import build_model, build_task, starting_model
from orthogon.train.compute import Compute
from orthogon.train.evaluate import predict
from orthogon.train.features import Features, Mirrored, on_features
from orthogon.train.fit import attach, plan, with_defaults
from orthogon.train.observers import Observer
from orthogon.train.optimizer import optimizer_groups
from orthogon.train.randomness import Draw
from orthogon.train.transfer import (
    are_symbols,
    freeze_for,
    last_of_trunk,
    resolve_transfer,
    transfer_augment,
    transfer_settings,
    transfer_smoothing,
)

CPU = torch.device("cpu")
STAGES = ["first", "norm", "second", "head"]


def net(seed: int = 0) -> nn.Module:
    """Two linear layers with a norm and dropout, and a head: the stages are first, norm, second and head."""
    torch.manual_seed(seed)
    model = nn.Sequential(OrderedDict(
        first=nn.Linear(6, 16), norm=nn.BatchNorm1d(16), relu=nn.ReLU(), dropout=nn.Dropout(0.5),
        second=nn.Linear(16, 12), tanh=nn.Tanh(), head=nn.Linear(12, 3)))
    model.norm.running_mean += torch.rand(16)
    return model


def own(transfer: str, **values):
    """A recipe for a module of the user's own."""
    return recipe(model__name="(in memory) Net", model__options={}, train__transfer=transfer, train__preflight=False,
                  **values)


def changed(before, after) -> set[str]:
    return {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}


def fitted_task(wanted, data, rows):
    task = build_task(wanted)
    task.fit(data, rows)
    attach(task, data, wanted)
    return task


class StopAt(Observer):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, event) -> None:
        if event.step >= self.step:
            self.step = 10**9
            raise KeyboardInterrupt


# --- what learns ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("transfer", "learning"), [
    ("features", {"head"}), ("head", {"head"}), ("last", {"second", "head"}),
    ("gradual", {"first", "norm", "second", "head"}), ("all", {"first", "norm", "second", "head"}),
])
def test_what_does_not_learn_stays_as_it_is_to_the_bit(transfer, learning):
    """E65: the early layers are frozen; with an average of weights, decay and both penalties all the same."""
    before = copy.deepcopy(net().state_dict())
    wanted = own(transfer, train__ema=0.9, train__l1=0.01, train__l2=0.1, train__max_norm=0.5, train__epochs=2)
    fitted, _ = trained(wanted, model=net())
    after = fitted.model.state_dict()
    assert changed(before, after) == learning
    assert torch.equal(before["norm.running_mean"], after["norm.running_mean"])
    assert torch.equal(before["norm.running_var"], after["norm.running_var"])
    assert after["norm.num_batches_tracked"] == 0
    assert before.keys() == after.keys()


def test_layers_are_frozen_by_count_and_by_pattern_in_place_of_a_way_of_transfer():
    before = copy.deepcopy(net().state_dict())
    assert changed(before, trained(own("auto", train__freeze=2), model=net())[0].model.state_dict()) == {
        "second", "head"}
    assert changed(before, trained(own("auto", train__freeze=["*.bias", "head"]), model=net())[0].model.state_dict()
                   ) == {"first", "norm", "second"}
    for freeze, words in ((5, "5 layers are to be frozen, and there are 4"), (["hed"], "Did you mean 'head'")):
        with pytest.raises(RecipeError, match=words) as caught:
            trained(own("auto", train__freeze=freeze), model=net())
        assert caught.value.where == "train.freeze"
    with pytest.raises(RecipeError, match="said twice"):
        trained(own("last", train__freeze=1), model=net())


def test_stages_learn_one_after_the_other_from_the_top():
    """Of 4 stages and 12 steps the head begins at 0, then one every 2 steps, the lowest at half of all."""
    model = net()

    wanted = own("gradual", train__steps=12, train__epochs=None, train__schedule="constant", train__checkpoint_steps=1)
    found = {name: [] for name in STAGES}
    data = blobs()
    task = fitted_task(wanted, data, np.arange(160))
    chosen = plan(wanted, task, np.arange(160), model=model)
    settings = chosen.recipe.train
    assert settings.flat is False
    groups = optimizer_groups(model, settings)
    assert sorted({group["starts"] for group in groups}) == [0, 2, 4, 6]
    freeze_for(model, chosen.recipe)
    step = task.step(model, settings, Compute(CPU), Timeline(12, 10))
    for number in range(12):
        before = copy.deepcopy(model.state_dict())
        step(torch.arange(16 * (number % 10), 16 * (number % 10) + 16), Draw(0, 0, number, CPU))
        for name in changed(before, model.state_dict()):
            found[name].append(number)
        assert step.rate() == settings.lr
    assert {name: steps[0] for name, steps in found.items()} == {"head": 0, "second": 2, "norm": 4, "first": 6}
    assert all(steps == list(range(steps[0], 12)) for steps in found.values())


@pytest.mark.parametrize("transfer", ["features", "last", "gradual"])
def test_a_transfer_that_was_cut_off_goes_on_bit_for_bit(tmp_path, transfer):
    wanted = own(transfer, train__epochs=3, train__checkpoint_steps=4, train__ema=0.9, train__layer_decay=0.5)
    whole = weights(trained(wanted, model=net(), run=new_run(tmp_path, wanted, "whole"))[0])
    cut = new_run(tmp_path, wanted)
    with pytest.raises((KeyboardInterrupt, Interrupted)):
        trained(wanted, model=net(), run=cut, observers=(StopAt(9),))
    assert_same_bits(whole, weights(trained(wanted, model=net(), run=cut)[0]))


def test_each_stage_has_the_rate_of_the_one_after_it_times_the_decay():
    wanted = own("all", train__layer_decay=0.5, train__lr=0.8)
    groups = optimizer_groups(net(), wanted.train)
    rates = {tuple(parameter.shape): group["lr"] for group in groups for parameter in group["params"]}
    assert rates == {(16, 6): 0.1, (16,): 0.2, (12, 16): 0.4, (12,): 0.4, (3, 12): 0.8, (3,): 0.8} | {(16,): rates[16,]}
    assert sorted({group["lr"] for group in groups}) == pytest.approx([0.1, 0.2, 0.4, 0.8])
    flat = optimizer_groups(net(), own("all", train__lr=0.8).train)
    assert {group["lr"] for group in flat} == {0.8}
    low = optimizer_groups(net(), own("all", train__trunk_rate=0.1, train__lr=0.8).train)
    assert {tuple(parameter.shape): group["lr"] for group in low for parameter in group["params"]}[3, 12] == 0.8
    assert sorted({group["lr"] for group in low}) == pytest.approx([0.08, 0.8])


# --- stored features -----------------------------------------------------------------------------------------


def test_the_head_alone_gives_on_stored_features_what_the_whole_network_gives():
    wanted, data, rows = own("features"), blobs(), np.arange(150)
    task, model = fitted_task(wanted, data, rows), net()
    stored, head, compute = on_features(task, model, wanted, rows, np.arange(150, 203), Compute(CPU, threads=2))
    for which in (rows, np.arange(150, 203)):
        alone, whole = predict(stored, head, which, compute), predict(task, model, which, Compute(CPU))
        assert np.array_equal(alone["probabilities"], whole["probabilities"])
        assert np.array_equal(alone["loss"], whole["loss"])
    assert compute == Compute(CPU, threads=1)
    assert [item.shape for item in stored.spec.inputs] == [(12,)]
    assert torch.equal(stored.batch(torch.tensor([3, 7])).target, task.batch(torch.tensor([3, 7])).target)


def test_training_on_stored_features_is_training_of_the_head():
    """The same batches, so the same weights as of a frozen trunk without dropout after it."""
    stored, looked = (trained(own(way, train__ema=0.9), model=net())[0].model for way in ("features", "head"))
    assert torch.allclose(stored.head.weight, looked.head.weight, atol=1e-6)
    assert not torch.equal(stored.head.weight, net().head.weight)
    assert_same_bits(stored.first.state_dict(), net().first.state_dict())


def test_features_are_computed_once_and_again_for_other_weights_or_other_examples(monkeypatch):
    seen = []
    run = features_module.features_and_outputs
    monkeypatch.setattr(features_module, "features_and_outputs",
                        lambda model, inputs: seen.append(len(inputs[0])) or run(model, inputs))
    wanted, data = own("features"), blobs()
    task = fitted_task(wanted, data, np.arange(100))

    def computed(model, rows) -> int:
        seen.clear()
        on_features(task, model, wanted, rows, None, Compute(CPU))
        return sum(seen) - 2  # two of them are to check the head

    assert computed(net(), np.arange(100)) == 100
    assert computed(net(), np.arange(100)) == 0
    assert computed(net(), np.arange(90, 120)) == 20
    other = net()
    other.head.weight.data += 1
    assert computed(other, np.arange(100)) == 0
    other.norm.running_var += 1
    assert computed(other, np.arange(100)) == 100


def test_the_oldest_features_make_room_for_new_ones(monkeypatch, tmp_path):
    wanted, data = own("features"), blobs()
    task = fitted_task(wanted, data, np.arange(100))
    one_pack = 4 * 12 * 100 + 128
    monkeypatch.setattr(features_module, "LARGEST", 2 * one_pack + 200)
    for seed in range(3):
        on_features(task, net(seed), wanted, np.arange(100), None, Compute(CPU))
    packs = list((tmp_path / "cache" / "features").glob("*/*.npy"))
    assert len(packs) == 2 == len(list((tmp_path / "cache" / "features").glob("*/*.idx")))
    monkeypatch.setattr(features_module, "LARGEST", 4 * 12 * 100 - 1)
    with pytest.raises(RecipeError, match="are kept at most"):
        on_features(task, net(5), wanted, np.arange(100), None, Compute(CPU))


def test_in_training_half_of_the_examples_are_seen_in_the_mirror():
    stored = Features(torch.arange(8.0).unsqueeze(1), torch.tensor([[0, 1, 2, 3], [4, 5, 6, -1]]))
    rows = torch.tensor([2, 0, 1])
    assert stored.gather(rows)[0].flatten().tolist() == [2, 0, 1]
    assert stored.gather(rows, (Mirrored(torch.tensor([True, False, True])),))[0].flatten().tolist() == [6, 0, 5]
    assert stored.changes(3, None) == ()
    (mirrored,) = stored.changes(4_000, Draw(0, 0, 0, CPU))
    assert 0.46 < float(mirrored.which.float().mean()) < 0.54
    assert mirrored.mix is None
    assert Features(stored.stored, stored.place[:1]).changes(3, Draw(0, 0, 0, CPU)) == ()


class Afterwards(nn.Module):
    """Does more after its head."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.head = nn.Linear(6, 4), nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.first(x)) * 2


def test_a_model_that_does_more_after_its_head_cannot_be_trained_on_features():
    with pytest.raises(RecipeError, match="does more after its head 'head'"):
        trained(own("features"), model=Afterwards())


# --- from weights to a start ---------------------------------------------------------------------------------


def a_file(tmp_path, data, rows):
    from safetensors.torch import save_file

    wanted = recipe(model__options={"hidden": [8, 7], "norm": "batch"})
    task = fitted_task(wanted, data, rows)
    model = build_model(task.spec, wanted.model, seed=5)
    for number, buffer in enumerate(model.buffers()):
        if buffer.is_floating_point():
            buffer += 0.1 * (number + 1)
    save_file(model.state_dict(), tmp_path / "given.safetensors")
    return model, {"model__options": {"hidden": [8, 7], "norm": "batch"},
                   "model__weights": str(tmp_path / "given.safetensors")}


def test_weights_then_a_new_head_then_layers_that_start_anew_then_freezing(tmp_path):
    data, rows = blobs(), np.arange(150)
    given, values = a_file(tmp_path, data, rows)
    wanted = recipe(**values, train__transfer="last", model__head=[9], model__reinitialize=2)
    task = fitted_task(wanted, data, rows)
    model = starting_model(task, wanted, rows)
    fresh = build_model(task.spec, wanted.model, wanted.train.seed)
    assert [type(each).__name__ for each in model.output] == ["Linear", "ReLU", "Linear"]
    anew = last_of_trunk(fresh, 2)
    for name, value in model.state_dict().items():
        if name.startswith("output") or name.rpartition(".")[0] in anew:
            assert torch.equal(value, fresh.state_dict()[name])
        else:
            assert torch.equal(value, given.state_dict()[name]), name
    assert anew == ["hidden.3", "hidden.4"]
    learning = {name.rpartition(".")[0] for name, each in model.named_parameters() if each.requires_grad}
    assert learning == {"hidden.4", "output.0", "output.2"}
    with pytest.raises(RecipeError, match="50 layers are to start anew, and the trunk has"):
        starting_model(task, wanted.with_values({"model.reinitialize": 50}), rows)


def test_norms_that_start_anew_take_statistics_and_those_with_weights_do_not(tmp_path):
    wanted = own("all")
    model = net()
    freeze_for(model, wanted)
    assert not model.train().norm.training
    model = net()
    freeze_for(model, wanted.with_values({"model.reinitialize": 2}))
    assert model.train().norm.training


def test_a_module_of_ones_own_is_taken_as_it_is():
    for values in ({"model__head": [4]}, {"model__reinitialize": 1}):
        with pytest.raises(RecipeError, match="taken as it is"):
            trained(own("all", **values), model=net())


# --- the choice ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rows", "classes", "transfer", "told"), [
    (199, 10, "features", "about 20 examples of a class: only the head learns, on stored features"),
    (200, 10, "last", "about 20 examples of a class: the head and the last stage learn"),
    (799, 10, "last", "about 80 examples of a class: the head and the last stage learn"),
    (800, 10, "all", "about 80 examples of a class: all layers learn, early ones at lower rates"),
    (190, 0, "features", "about 19 examples of a class: only the head learns, on stored features"),
])
def test_the_more_examples_of_a_class_the_more_learns(rows, classes, transfer, told):
    """Rows 18.02 to 18.05."""
    chosen, why = resolve_transfer(recipe(model__weights="imagenet"), rows, classes)
    assert (chosen.train.transfer, why) == (transfer, (told,))


def test_pictures_that_are_changed_otherwise_than_mirrored_have_no_stored_features():
    few = recipe(model__weights="imagenet", train__augment=["flip", "crop"])
    assert resolve_transfer(few, 50, 5)[0].train.transfer == "head"
    assert resolve_transfer(few.with_values({"train.augment": ["flip"]}), 50, 5)[0].train.transfer == "features"
    with pytest.raises(RecipeError, match="not crop") as caught:
        resolve_transfer(few.with_values({"train.transfer": "features"}), 50, 5)
    assert caught.value.where == "train.transfer"


def test_what_is_told_stays_and_without_weights_there_is_nothing_to_transfer():
    told = recipe(model__weights="imagenet", train__transfer="gradual")
    assert resolve_transfer(told, 50, 5) == (told, ())
    assert resolve_transfer(recipe(), 50, 5) == (recipe(), ())
    with pytest.raises(RecipeError, match="random weights"):
        resolve_transfer(recipe(train__transfer="last"), 50, 5)
    frozen = resolve_transfer(recipe(model__weights="imagenet", train__freeze=3), 50, 5)[0]
    assert frozen.train.transfer == "all"


def test_settings_suit_what_learns():
    assert transfer_settings("auto", 100) == {}
    assert transfer_settings("features", 700) == {
        "optimizer": "adamw", "lr": 1e-3, "weight_decay": 0.05, "epochs": 100, "batch_size": 64}
    assert transfer_settings("features", 9)["batch_size"] == 9
    for way in ("head", "last", "gradual", "all"):
        assert transfer_settings(way, 682) == {"optimizer": "adamw", "lr": 8e-3, "weight_decay": 0.05,
                                               "layer_decay": 0.5, "trunk_rate": 0.05, "epochs": 10, "batch_size": 32}
    assert [transfer_settings("all", rows)["epochs"] for rows in (10, 400, 10**5)] == [40, 18, 5]
    assert transfer_settings("all", 10)["batch_size"] == 10
    data = blobs()
    wanted = own("all").with_values({"train.epochs": None, "train.lr": None})
    task = fitted_task(wanted, data, np.arange(150))
    settled = with_defaults(wanted, task, 150).train
    assert (settled.layer_decay, settled.trunk_rate, settled.lr, settled.epochs) == (0.5, 0.05, 8e-3, 40)


def test_symbols_are_not_mirrored():
    assert [transfer_smoothing(way) for way in ("features", "head", "last", "all")] == [0.0, 0.1, 0.1, 0.1]
    assert transfer_augment("features", symbols=False) == ["flip"]
    assert transfer_augment("features", symbols=True) == []
    assert transfer_augment("all", symbols=False) == ["flip", "crop", "rotate", "color"]
    assert transfer_augment("last", symbols=True) == ["crop", "rotate", "color"]
    assert [are_symbols(names) for names in (["0", "12"], ["a", "b"], ["cat", "7"], [])] == [True, True, False, False]


def test_minutes_of_a_head_on_features_count_the_features(tmp_path):
    """The head is timed on features of its own; the trunk is not run over all examples to plan."""
    wanted, data = own("features", train__minutes=0.02, train__epochs=None), blobs()
    task = fitted_task(wanted, data, np.arange(160))
    model = net()
    chosen = plan(wanted, task, np.arange(160), np.arange(160, 203), model=model)
    assert chosen.recipe.train.steps >= 1
    assert not (tmp_path / "cache" / "features").exists()
    with evaluating(model):
        assert model.head.weight.requires_grad
