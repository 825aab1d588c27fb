"""What is recorded of the layers: the numbers themselves, when, at what cost, and that it changes nothing."""

from __future__ import annotations

import os
import signal
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from worlds import assert_same_bits, blobs, new_run, recipe, trained, weights

from orthogon.errors import Interrupted
from orthogon.train.build import build_task
from orthogon.train.fit import attach, plan, timeline
from orthogon.train.health import ROWS, Health, activations, layers_of, recorded_steps
from orthogon.train.observers import Observer
from orthogon.train.randomness import Draw
from orthogon.train.ranks import Ranks
from orthogon.train.run import Run
from orthogon.train.sampler import Nothing
from orthogon.train.settings import TrainSettings
from orthogon.train.step import Step
from orthogon.train.trainer import Trainer

CPU = torch.device("cpu")


def records(run: Run) -> list[dict[str, Any]]:
    return [line for line in run.metrics() if line["event"] == "health"]


def net(*layers: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(*layers)


def listened(model: nn.Module, *inputs: Tensor) -> tuple[Any, list[str]]:
    """The columns as floats by the layers' names, and the order of the layers."""
    layers = layers_of(model)
    found, order = activations(model, lambda: model(*inputs), layers)
    columns = {column: {layers[at].name: float(value) for at, value in of.items()} for column, of in found.items()}
    return columns, [layers[at].name for at in order]


# --- when --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("steps", "recorded"), [
    (1, {1}), (2, {1, 2}), (3, {1, 3}), (10, {1, 2, 5, 10}), (400, {1, 45, 178, 400}),
    (500, {1, 32, 126, 282, 500})])
def test_the_first_and_the_last_step_are_recorded_and_early_ones_oftener(steps, recorded):
    assert recorded_steps(steps) == recorded


@pytest.mark.parametrize("steps", [1, 7, 399, 1_000, 6_000, 1_000_000])
def test_at_most_one_step_in_a_hundred_is_recorded_and_at_most_sixty(steps):
    recorded = sorted(recorded_steps(steps))
    assert len(recorded) <= min(60, max(4, steps / 100))
    assert recorded[0] == 1
    assert recorded[-1] == steps
    gaps = np.diff(recorded)
    assert (np.diff(gaps) >= -1).all()  # but for rounding, ever longer


# --- what: gradients and weights ---------------------------------------------------------------------------------


def made_step(model: nn.Module, **settings: Any) -> tuple[Any, Any, Tensor]:
    """A gradient step on blobs, its task, and the rows of a batch."""
    wanted, data, rows = recipe(**settings), blobs(), np.arange(160)
    task = build_task(wanted)
    task.fit(data, rows)
    attach(task, data, wanted)
    chosen = plan(wanted, task, rows, model=model).recipe.train
    from orthogon.train.compute import compute_of

    step = task.step(model, chosen, compute_of(chosen), timeline(chosen, 10), Ranks())
    return step, task, torch.arange(90)


def recorded(model: nn.Module, **settings: Any) -> tuple[dict[str, Any], Any, Tensor]:
    step, task, rows = made_step(model, train__optimizer="sgd", train__schedule="constant", train__lr=0.5,
                                 train__weight_decay=0.0, train__device="cpu", **settings)
    health = Health(step, 100)
    before = health.weights()
    step.model().train()
    step(rows, Draw(0, 0, 0, CPU))
    return health.record(before, rows), task, rows


def test_norms_are_those_computed_by_hand():
    model = net(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
    old = {name: value.detach().double().numpy().copy() for name, value in model.named_parameters()}
    found, task, rows = recorded(model)
    batch = task.batch(rows)
    x, y = batch.inputs[0].double().numpy(), batch.target.numpy()
    hidden = np.tanh(x @ old["0.weight"].T + old["0.bias"])
    scores = np.exp(hidden @ old["2.weight"].T + old["2.bias"])
    error = (scores / scores.sum(1, keepdims=True) - np.eye(3)[y]) / len(x)
    gradients = [(error @ old["2.weight"] * (1 - hidden**2)).T @ x, error.T @ hidden]
    expected = [np.linalg.norm(each) for each in gradients]
    sizes = [np.linalg.norm(old[name]) for name in ("0.weight", "2.weight")]
    assert found["layers"] == ["0", "2"]
    assert found["kinds"] == ["Linear", "Linear"]
    np.testing.assert_allclose(found["gradient"], expected, rtol=1e-4)
    np.testing.assert_allclose(found["weight"], sizes, rtol=1e-5)
    np.testing.assert_allclose(found["update"], 0.5 * np.array(expected) / sizes, rtol=1e-3)
    new = {name: value.detach().double().numpy() for name, value in model.named_parameters()}
    entered = [x[:ROWS], np.tanh(x[:ROWS] @ new["0.weight"].T + new["0.bias"])]
    np.testing.assert_allclose(found["scale"], [np.sqrt(each.var(0).mean()) for each in entered], rtol=1e-4)
    assert found["saturated"] == [pytest.approx((1 - entered[1] ** 2 < 0.05).mean(), abs=0.002), None]
    assert "dead" not in found
    assert "norm_before_clipping" not in found


def test_the_norm_before_clipping_stands_beside_the_clipped_gradients():
    free, _, _ = recorded(net(nn.Linear(6, 3, bias=False)))
    cut, _, _ = recorded(net(nn.Linear(6, 3, bias=False)), train__clip_norm=0.01)
    assert cut["norm_before_clipping"] == pytest.approx(free["gradient"][0], rel=1e-5)
    assert cut["gradient"] == [pytest.approx(0.01, rel=1e-3)]


def test_a_layer_of_several_weights_has_the_norm_of_all_of_them():
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.cells, self.output = nn.GRU(2, 4, batch_first=True), nn.Linear(4, 3)

        def forward(self, x):
            return self.output(self.cells(x.view(len(x), 3, 2))[0][:, -1])

    model = net(Recurrent())
    both = [value.detach().clone() for name, value in model.named_parameters() if "cells.weight" in name]
    found, _, _ = recorded(model)
    assert found["kinds"] == ["GRU", "Linear"]
    assert found["weight"][0] == pytest.approx(float(torch.cat([each.flatten() for each in both]).norm()), rel=1e-5)


def test_a_cell_whose_inputs_are_of_two_types_in_bf16_is_recorded():
    class Cell(nn.Module):
        def __init__(self):
            super().__init__()
            self.start, self.cell, self.output = nn.Linear(6, 4), nn.GRUCell(6, 4), nn.Linear(4, 3)

        def forward(self, x):
            return self.output(self.cell(x, self.start(x)))  # under autocast x is float32, the state bfloat16

    found, _, _ = recorded(net(Cell()), train__precision="bf16")
    plain, _, _ = recorded(net(Cell()))
    assert found["kinds"] == ["Linear", "GRUCell", "Linear"]
    np.testing.assert_allclose(found["scale"], plain["scale"], rtol=0.02)


def test_a_gradient_that_is_no_number_names_its_layer():
    model = net(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 3))
    with torch.no_grad():
        model[2].weight[0, 0] = torch.inf
    found, _, _ = recorded(model)
    assert found["not_finite"] == ["0", "2"]


def test_frozen_layers_have_no_gradient():
    model = net(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 3))
    model[0].weight.requires_grad_(False)
    found, _, _ = recorded(model)
    assert found["gradient"][0] is None
    assert found["update"][0] == 0.0
    assert found["gradient"][1] > 0


@pytest.mark.parametrize("settings", [{"train__flat": True}, {"train__flat": False}, {"train__micro_batch_size": 20}])
def test_the_layout_of_parameters_and_micro_batches_do_not_change_the_record(settings):
    plain, _, _ = recorded(net(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 3)))
    other, _, _ = recorded(net(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 3)), **settings)
    assert other.keys() == plain.keys()
    for column in ("gradient", "weight", "update", "scale"):
        np.testing.assert_allclose(other[column], plain[column], rtol=1e-4)


# --- what: activations -------------------------------------------------------------------------------------------


def test_scale_is_the_deviation_over_examples_and_shifts_do_not_count():
    x = torch.tensor([[1.0, 5.0], [3.0, 5.0]])
    found, _ = listened(net(nn.Linear(2, 2)), x)
    assert found["scale"]["0"] == pytest.approx(np.sqrt((1.0 + 0.0) / 2))


@pytest.mark.parametrize("function", [F.relu, torch.relu, nn.ReLU(), nn.ReLU(inplace=True), F.relu6, torch.relu_])
def test_dead_units_are_zero_for_every_example_however_they_are_rectified(function):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(2, 4), nn.Linear(4, 1)

        def forward(self, x):
            return self.second(function(self.first(x)))

    model = Net()
    with torch.no_grad():
        model.first.weight.copy_(torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]))
        model.first.bias.copy_(torch.tensor([0.0, 0.0, -9.0, -1.0]))
    found, _ = listened(model, torch.tensor([[1.0, 2.0], [-3.0, 4.0]]))
    assert found["dead"] == {"first": 0.5}
    assert found["saturated"] == {}


@pytest.mark.parametrize(("layer", "shape"), [
    (nn.Conv2d(1, 4, 1), (3, 1, 2, 2)), (nn.Conv1d(1, 4, 1), (3, 1, 2)), (nn.Linear(1, 4), (3, 2, 1))])
def test_units_are_channels_of_a_convolution_and_the_last_axis_of_a_linear_layer(layer, shape):
    model = net(layer, nn.ReLU())
    with torch.no_grad():
        layer.weight.fill_(1.0)
        layer.bias.copy_(torch.tensor([0.0, 1.0, 0.5, -1e9]))
    found, _ = listened(model, torch.rand(shape) + 0.1)
    assert found["dead"] == {"0": 0.25}


@pytest.mark.parametrize(("function", "inputs"), [
    (torch.tanh, [-2.2, -2.1, 0.0, 2.2]), (torch.sigmoid, [-4.4, -4.3, 0.0, 4.4])])
def test_outputs_are_saturated_where_the_slope_is_below_a_twentieth_of_the_greatest(function, inputs):
    x = torch.tensor(inputs, requires_grad=True)
    slope = torch.autograd.grad(function(x).sum(), x)[0]
    flat = float((slope < 0.05 * torch.autograd.grad(function(z := torch.zeros(1, requires_grad=True)).sum(), z)[0])
                 .float().mean())
    assert flat == 0.5

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(1, 1)

        def forward(self, x):
            return function(self.layer(x))

    model = Net()
    with torch.no_grad():
        model.layer.weight.fill_(1.0)
        model.layer.bias.zero_()
    found, _ = listened(model, x.detach()[:, None])
    assert found["saturated"] == {"layer": flat}


def test_layers_stand_in_forward_order_and_count_the_first_time():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.unused, self.last, self.twice = nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2)

        def forward(self, x):
            x = self.twice(x).relu()
            return self.last(self.twice(100 * x).sigmoid())

    model = Net()
    x = torch.randn(9, 2)
    found, order = listened(model, x)
    assert order == ["unused", "twice", "last"]
    assert found["scale"]["twice"] == pytest.approx(float(x.var(0, correction=0).mean().sqrt()), rel=1e-5)
    assert set(found["dead"]) == {"twice"}
    assert found["saturated"] == {}  # the sigmoid follows the second call


def test_codes_have_no_scale_and_vectors_are_no_layers():
    model = net(nn.Embedding(5, 3), nn.LayerNorm(3), nn.Linear(3, 2))
    found, order = listened(model, torch.tensor([0, 1, 4]))
    assert order == ["0", "2"]
    assert set(found["scale"]) == {"2"}


# --- that it changes nothing -------------------------------------------------------------------------------------

RICH = {"model__options": {"hidden": [8, 8], "dropout": 0.3, "norm": "batch"}, "train__ema": 0.9,
        "train__micro_batch_size": 9, "train__clip_norm": 0.5}


@pytest.mark.parametrize("values", [{}, RICH, {"train__optimizer": "rmsprop"}], ids=["explicit", "rich", "rmsprop"])
def test_training_with_it_and_without_is_bit_identical(tmp_path, values):
    found = {}
    for health in (True, False):
        wanted = recipe(**values, train__health=health)
        run = new_run(tmp_path, wanted, f"health-{health}")
        torch.manual_seed(7)
        fitted, _ = trained(wanted, run=run)
        lines = [{**line, "seconds": 0} for line in run.metrics() if line["event"] != "health"]
        found[health] = weights(fitted), lines, torch.random.get_rng_state()
        assert len(records(run)) == (4 if health else 0)
    assert_same_bits(found[True][0], found[False][0])
    assert found[True][1] == found[False][1]
    assert torch.equal(found[True][2], found[False][2])


class StopAt(Observer):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, event: Any) -> None:
        if event.step >= self.step:
            os.kill(os.getpid(), signal.SIGINT)
            self.step = 10**9


@pytest.mark.parametrize("stop", [2, 17])
def test_a_resumed_run_has_the_same_records(tmp_path, stop):
    wanted = recipe(**RICH, train__checkpoint_steps=1)
    trained(wanted, run=(whole := new_run(tmp_path, wanted, "whole")))
    run = new_run(tmp_path, wanted)
    with pytest.raises(Interrupted):
        trained(wanted, run=run, observers=(StopAt(stop),))
    trained(wanted, run=run)
    assert records(run) == records(whole)
    assert [line["step"] for line in records(run)] == sorted(recorded_steps(33))


# --- what it costs, and where it is not there -----------------------------------------------------------------------


def test_the_model_is_called_once_more_at_recorded_steps_on_64_examples_at_most(tmp_path):
    class Counting(nn.Module):
        calls: list[int]

        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(6, 3)

        def forward(self, x):
            self.calls.append(len(x))
            return self.layer(x)

    found = {}
    for health in (True, False):
        wanted = recipe(train__epochs=None, train__steps=300, train__batch_size=82, train__evaluate_every=10**6,
                        train__health=health)
        model = net(Counting())
        model[0].calls = []
        trained(wanted, run=new_run(tmp_path, wanted, f"counted-{health}"), model=model)
        found[health] = model[0].calls
    assert len(found[True]) - len(found[False]) == len(recorded_steps(300)) == 4
    assert found[True].count(64) - found[False].count(64) == 4


def test_weights_are_copied_at_recorded_steps_only(tmp_path, monkeypatch):
    copied = []
    monkeypatch.setattr(Health, "weights", lambda self, plain=Health.weights: copied.append(1) or plain(self))
    wanted = recipe(train__epochs=None, train__steps=500)
    trained(wanted, run=new_run(tmp_path, wanted))
    assert len(copied) == 5


def test_nothing_is_recorded_without_a_run_or_on_other_ranks_than_the_first(tmp_path):
    step = SimpleNamespace(model=lambda: nn.Linear(2, 2))
    settings = TrainSettings(steps=10)
    run = new_run(tmp_path, recipe())

    def trainer(**options: Any) -> Trainer:
        return Trainer(step, Nothing(1), settings, **options)  # type: ignore[arg-type]

    assert trainer(run=run).health is not None
    assert trainer(run=run, ranks=Ranks(1, 2)).health is None
    assert trainer().health is None


class Kernel(Step):
    """Moves weights by a kernel of its own, without gradients and without calling a model."""

    def __init__(self) -> None:
        self.module = net(nn.Linear(2, 2, bias=False))
        with torch.no_grad():
            self.module[0].weight.fill_(1.0)

    def __call__(self, rows: Tensor, draw: Draw) -> Tensor:
        with torch.no_grad():
            self.module[0].weight.mul_(1.25)
        return torch.zeros(())

    def model(self) -> nn.Module:
        return self.module

    def state(self) -> Any:
        return dict(self.module.state_dict())

    def load_state(self, state: Any) -> None:
        self.module.load_state_dict(state)


def test_a_step_without_gradients_has_fewer_columns(tmp_path):
    run = new_run(tmp_path, recipe())
    Trainer(Kernel(), Nothing(1), TrainSettings(steps=2), run=run).fit()
    first, second = records(run)
    assert first == {"event": "health", "step": 1, "layers": ["0"], "kinds": ["Linear"], "weight": [2.0],
                     "update": [0.25]}
    assert second["weight"] == [2.5]
