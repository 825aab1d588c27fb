"""Planted pathologies are named with their layer and their cure; healthy nets, and what heals, are left in peace."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from worlds import attach, new_run, recipe, trained

from orthogon.data.read import read
from orthogon.strategy.health import HealthFinding, health_findings
from orthogon.train.build import build_task
from orthogon.train.fit import fit, plan


def stack(activation: type[nn.Module], depth: int, width: int = 16) -> nn.Sequential:
    """Fully connected layers "0", "2", …, the last of 3 outputs, with He's initial weights and zero biases."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for before in [6, *[width] * (depth - 1)]:
        layers += [nn.Linear(before, width), activation()]
    model = nn.Sequential(*layers, nn.Linear(width, 3))
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    return model


def found(tmp_path, model: nn.Module, **values: Any) -> dict[str, HealthFinding]:
    """What is found after training the model on blobs."""
    wanted = recipe(**{"train__epochs": 3, **values})
    run = new_run(tmp_path, wanted)
    trained(wanted, run=run, model=model)
    return {finding.kind: finding for finding in health_findings(run.metrics())}


# --- planted -----------------------------------------------------------------------------------------------------


def test_fifty_sigmoid_layers_vanish_from_the_first_layer_on(tmp_path):
    """Row 10.01, and row 10.05: the gradient of early layers falls to zero in plain deep nets."""
    seen = found(tmp_path, stack(nn.Sigmoid, 50))
    finding = seen["vanishing gradient"]
    names = [str(2 * at) for at in range(51)]
    assert finding.layers == tuple(names[: len(finding.layers)])
    assert len(finding.layers) > 40
    assert finding.layer in finding.layers
    assert finding.value < 1e-6
    assert (finding.first, finding.last) == (1, 33)
    assert finding.what.startswith(f"the gradient of layer {finding.layer} is")
    assert "relu in place of tanh and sigmoid" in finding.remedy
    assert set(seen) == {"vanishing gradient", "shrinking activations"}


def test_initial_weights_times_five_explode(tmp_path):
    """Row 10.02."""
    model = stack(nn.ReLU, 7)
    with torch.no_grad():
        for layer in model:
            if isinstance(layer, nn.Linear):
                layer.weight.mul_(5)
    seen = found(tmp_path, model)
    assert seen["exploding gradient"].layers == ("0", "2", "4", "6", "8", "10", "12")
    assert seen["exploding gradient"].value > 30
    assert "train.clip_norm=1" in seen["exploding gradient"].remedy
    assert seen["growing activations"].layer == "14"
    assert "initial weights" in seen["growing activations"].remedy


def test_a_bias_of_minus_a_hundred_kills_the_units_of_that_layer_first(tmp_path):
    model = stack(nn.ReLU, 3)
    with torch.no_grad():
        model[2].bias.fill_(-100)
    (finding,) = found(tmp_path, model).values()
    assert (finding.kind, finding.layer, finding.value) == ("dead units", "2", 1.0)
    assert finding.layers == ("2", "4")  # nothing reaches the layer behind it
    assert finding.what == ("100 % of the rectified units after layer 2 are zero for every example "
                            "(from step 1 to 33; 1 of the other 3 likewise)")
    assert "biases that start at zero; batch norm; leaky_relu; a lower rate" in finding.remedy


def test_huge_weights_saturate_the_tanh_behind_them(tmp_path):
    model = stack(nn.Tanh, 3)
    with torch.no_grad():
        model[2].weight.mul_(100)
    (finding,) = found(tmp_path, model).values()
    assert (finding.kind, finding.layers) == ("saturated units", ("2",))
    assert finding.value > 0.8
    assert "smaller initial weights" in finding.remedy


def test_a_rate_that_is_far_too_high_is_named_as_what_killed_the_units(tmp_path):
    finding = found(tmp_path, stack(nn.ReLU, 3), train__lr=5.0, train__optimizer="adamw")["dead units"]
    assert "a lower rate (a third of train.lr): one step moved a layer by" in finding.remedy


@pytest.mark.parametrize(("model", "options"), [
    ("mlp", {}), ("mlp", {"activation": "tanh"}), ("mlp", {"activation": "sigmoid"}), ("mlp", {"hidden": [64] * 6}),
    ("linear", {}), ("convnet", {"width": 8})])
def test_healthy_nets_on_the_digits_have_no_finding(tmp_path, model, options):
    data = read("digits")
    wanted = recipe(model__name=model, model__options=options, train__epochs=8, train__batch_size=64, train__lr=0.003)
    task, rows = build_task(wanted), np.arange(1200)
    task.fit(data, rows)
    attach(task, data, wanted)
    run = new_run(tmp_path, wanted)
    fit(plan(wanted, task, rows), task, data, rows, run=run)
    assert sum(line["event"] == "health" for line in run.metrics()) == 4
    assert health_findings(run.metrics()) == []


# --- the bounds, on records written by hand ------------------------------------------------------------------------


def record(step: int = 1, kinds: str = "Linear", layers: str = "abcd", **columns: Any) -> dict[str, Any]:
    count = len(layers)
    healthy = {"gradient": [0.1] * count, "weight": [10.0] * count, "update": [0.001] * count, "scale": [1.0] * count}
    return {"event": "health", "step": step, "layers": list(layers), "kinds": [kinds] * count, **healthy, **columns}


def kinds(*records: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    return {finding.kind: finding.layers for finding in health_findings(records)}


def test_healthy_records_and_none_at_all_give_nothing():
    assert kinds() == {}
    assert kinds(record(), {"event": "epoch", "step": 5}) == {}


@pytest.mark.parametrize(("columns", "expected"), [
    ({"gradient": [0.00009, 0.1, 0.1, 0.1]}, {"vanishing gradient": ("a",)}),
    ({"gradient": [0.00011, 0.1, 0.1, 0.1]}, {}),
    ({"gradient": [0.1, 0.1, 0.00001, 0.1]}, {}),  # the last layer is no measure
    ({"gradient": [0.00009, 0.1, 0.1, 0.1], "weight": [0.001, 10, 10, 10]}, {}),  # large beside its weights
    ({"gradient": [0.0, 0.0, 0.1, 0.1]}, {"vanishing gradient": ("a", "b")}),
    ({"gradient": [None, 0.1, 0.1, 0.1]}, {}),
    ({"gradient": [0.1, 0.1, 0.00009, 0.1]}, {}),  # nothing after it to compare with but the last
    ({"gradient": [0.1, 301.0, 0.1, 0.1]}, {"exploding gradient": ("b",), "vanishing gradient": ("a",)}),
    ({"gradient": [299.0, 299.0, 299.0, 1e5]}, {}),
    ({"not_finite": ["c"]}, {"exploding gradient": ("c",)}),
    ({"dead": [0.76, 0.74, None, None]}, {"dead units": ("a",)}),
    ({"saturated": [0.79, 0.81, None, 0.99]}, {"saturated units": ("b",)}),
    ({"scale": [500.0, 1.0, 99.0, 101.0]}, {"growing activations": ("d",)}),
    ({"scale": [1e-9, 1.0, 0.011, 0.009]}, {"shrinking activations": ("d",)}),
    ({"scale": [None, 0.0, 1.0, 1.0]}, {}),
])
def test_each_bound_from_both_sides(columns, expected):
    assert kinds(record(**columns)) == expected


def test_embeddings_are_not_compared_since_a_batch_reaches_few_of_their_rows():
    one = record(gradient=[1e-6, 0.1, 0.1, 0.1])
    assert kinds({**one, "kinds": ["Embedding", "LSTM", "Linear", "Linear"]}) == {}
    assert kinds(one) == {"vanishing gradient": ("a",)}


def test_what_heals_is_not_told_and_what_comes_is():
    sick, well = {"dead": [1.0, 0.0, 0.0, None]}, {"dead": [0.1, 0.0, 0.0, None]}
    course = [sick, sick, well, well]
    assert kinds(*(record(step, **each) for step, each in enumerate(course, 1))) == {}
    assert kinds(*(record(step, **each) for step, each in enumerate(reversed(course), 1))) == {"dead units": ("a",)}


def test_one_explosion_is_told_even_if_it_heals():
    (finding,) = health_findings([record(1), record(2, gradient=[500.0, 0.1, 0.1, 0.1]), record(3), record(4)])
    assert (finding.kind, finding.layer, finding.first, finding.last, finding.value) == (
        "exploding gradient", "a", 2, 2, 50.0)
    assert finding.what == "the gradient of layer a is 50 times as long as its weights (at step 2)"


def test_a_gradient_that_is_not_finite_is_the_worst():
    (finding,) = health_findings([record(7, not_finite=["b"], gradient=[500.0, None, 500.0, 0.1])])
    assert (finding.layer, finding.value) == ("b", inf)
    assert finding.what == "the gradient of layer b is not finite (at step 7; 2 of the other 3 likewise)"


@pytest.mark.parametrize("cause", [{"dead": [0.0, 1.0, None, None]}, {"saturated": [0.0, 1.0, None, None]}])
def test_a_gradient_that_dead_or_saturated_units_stop_is_told_as_those(cause):
    assert len(kinds(record(gradient=[0.0, 0.1, 0.1, 0.1], **cause))) == 1


def test_recurrent_layers_have_a_remark_and_remedies_of_their_own():
    """Row 10.13: vanishing is the commonest trouble there, exploding is catastrophic."""
    (vanishing,) = health_findings([record(kinds="LSTM", gradient=[1e-9, 0.1, 0.1, 0.1])])
    assert vanishing.remedy == ("This is the commonest trouble of recurrent nets. "
                                "Cures, the likeliest first: gates (LSTM or GRU); shorter sequences.")
    (exploding,) = health_findings([record(kinds="GRU", gradient=[500.0, 0.1, 0.1, 0.1])])
    assert exploding.remedy.startswith("In recurrent nets one such step can undo all that was learnt. Cures, the "
                                       "likeliest first: clipping (train.clip_norm=1)")


def test_relu_is_no_cure_where_nothing_is_bounded():
    (plain,) = health_findings([record(gradient=[1e-9, 0.1, 0.1, 0.1])])
    assert plain.remedy.startswith("Cures, the likeliest first: batch or layer norm; initial weights")
