"""Steps without autograd take the steps that autograd takes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from worlds import DEVICE, assert_same_bits, blobs, new_run, recipe, trained, weights

from orthogon.data.columns import LabelsColumn, NumberColumn
from orthogon.errors import RecipeError
from orthogon.nn.models import mlp
from orthogon.tasks.classify import Classify
from orthogon.train.build import build_task
from orthogon.train.compute import Compute
from orthogon.train.explicit import ExplicitStep
from orthogon.train.fit import attach, plan, timeline
from orthogon.train.randomness import Draw
from orthogon.train.step import GradientStep
from orthogon.train.task import Loss

pytestmark = pytest.mark.skipif(DEVICE != "cpu", reason="chosen on the CPU, where it was measured")


def in_float64(task):
    """The task with inputs in float64."""
    batch = task.batch
    task.batch = lambda *a: (found := batch(*a))._replace(inputs=tuple(x.double() for x in found.inputs))
    return task


def test_three_hundred_steps_in_float64_end_in_the_same_weights():
    data = blobs()
    wanted = recipe(train__steps=300, train__epochs=None, train__optimizer="adam", train__weight_decay=0.0,
                    model__options={"hidden": [12, 8], "activation": "tanh"}, train__schedule="constant")
    ends = []
    for make in (GradientStep, ExplicitStep):
        task = build_task(wanted)
        task.fit(data, np.arange(160))
        attach(task, data, wanted)
        in_float64(task)
        torch.manual_seed(0)
        model = mlp(task.spec, hidden=(12, 8), activation="tanh").double()
        settings = wanted.train.model_copy(update={"batch_size": 16})
        step = make(task, model, settings, Compute(torch.device("cpu")), timeline(settings, 10))
        rows = torch.arange(160)
        for k in range(300):
            order = torch.randperm(160, generator=torch.Generator().manual_seed(k))
            step(rows[order[:16]], Draw(0, 0, k, torch.device("cpu")))
        ends.append(list(model.parameters()))
    difference = max(float((one - other).abs().max().detach()) for one, other in zip(*ends))
    largest = max(float(each.abs().max().detach()) for each in ends[0])
    assert difference <= 1e-15 * largest * 300**0.5 + 1e-14


CASES = {
    "plain": {}, "smoothing": {"task__label_smoothing": 0.2}, "class weights": {"task__class_weights": "balanced"},
    "micro-batches": {"train__micro_batch_size": 5}, "clipped": {"train__clip_norm": 0.1, "train__clip_value": 0.05},
    "average": {"train__ema": 0.9}, "dropout": {"model__options": {"hidden": [8], "dropout": 0.3}},
    "linear": {"model__name": "linear", "model__options": {}},
}


@pytest.mark.parametrize("case", CASES)
def test_training_is_that_of_autograd(case):
    ends = [weights(trained(recipe(**CASES[case], train__explicit=explicit))[0]) for explicit in (False, True)]
    for name in ends[0]:
        torch.testing.assert_close(ends[0][name], ends[1][name], rtol=1e-4, atol=1e-5)


def number_target(d):
    values = np.random.default_rng(0).normal(size=(203, d))
    return replace(blobs(), columns={"x": blobs().columns["x"], "y": NumberColumn(values, [f"y{i}" for i in range(d)])},
                   target="y")


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("width", [1, 3])
def test_regression_is_that_of_autograd(width, weighted):
    data = number_target(width)
    if weighted:
        data = replace(data, weight=np.random.default_rng(1).uniform(0.1, 3, 203))
    ends = [weights(trained(recipe(task__name="regress", train__explicit=explicit), data)[0])
            for explicit in (False, True)]
    for name in ends[0]:
        torch.testing.assert_close(ends[0][name], ends[1][name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("unknown", [False, True])
def test_multilabel_is_that_of_autograd(unknown):
    carried = (np.random.default_rng(0).random((203, 3)) < 0.4).astype(np.float32)
    if unknown:
        carried[::7, 1] = np.nan
    data = replace(blobs(), columns={"x": blobs().columns["x"], "tags": LabelsColumn(carried, ["a", "b", "c"])},
                   target="tags")
    ends = [weights(trained(recipe(task__name="multilabel", task__label_smoothing=0.1, train__explicit=explicit),
                            data)[0]) for explicit in (False, True)]
    for name in ends[0]:
        torch.testing.assert_close(ends[0][name], ends[1][name], rtol=1e-4, atol=1e-5)


def chosen(model: nn.Module | None = None, **values):
    wanted, data = recipe(**values), blobs()
    task = build_task(wanted)
    task.fit(data, np.arange(160))
    attach(task, data, wanted)
    return plan(wanted, task, np.arange(160), model=model).recipe.train.explicit


def test_it_is_chosen_for_small_networks_of_known_layers_and_written_into_the_recipe():
    assert chosen() is True
    assert chosen(train__explicit=False) is False
    assert chosen(model__options={"hidden": [8], "norm": "batch"}) is False
    assert chosen(model=nn.Linear(6, 3)) is False
    assert chosen(model__options={"hidden": [4096, 4096]}) is False


def test_asking_for_it_where_it_cannot_be_is_refused_with_the_reason():
    with pytest.raises(RecipeError, match="other layers than linear ones"):
        chosen(model__options={"hidden": [8], "norm": "batch"}, train__explicit=True)
    with pytest.raises(RecipeError, match="bf16 or compiled"):
        chosen(train__precision="bf16", train__explicit=True)


def test_a_task_with_a_loss_of_its_own_is_left_to_autograd():
    class Halved(Classify):
        def loss(self, model, batch, carried=None):
            found = super().loss(model, batch, carried)
            return Loss((found.parts[0]._replace(sum=found.parts[0].sum / 2),))

    class Both(Halved):
        def output_gradient(self, outputs, batch):
            part, gradient = super().output_gradient(outputs, batch)
            return part._replace(sum=part.sum / 2), gradient / 2

    class Quartered(Classify):
        def _loss_sum(self, outputs, batch):
            return super()._loss_sum(outputs, batch) / 4

    class BothQuartered(Quartered):
        def _side_gradient(self, outputs, side):
            total, gradient = super()._side_gradient(outputs, side)
            return total / 4, gradient / 4

    data, wanted = blobs(), recipe()
    for kind, explicit in ((Classify, True), (Halved, False), (Both, True), (Quartered, False), (BothQuartered, True)):
        task = kind(wanted.task, wanted.data)
        task.fit(data, np.arange(160))
        attach(task, data, wanted)
        assert plan(wanted, task, np.arange(160)).recipe.train.explicit is explicit


def test_a_run_without_autograd_resumes_bit_for_bit(tmp_path):
    values = {"train__epochs": 4, "train__ema": 0.9, "model__options": {"hidden": [8], "dropout": 0.3}}
    whole = weights(trained(recipe(**values))[0])
    run = new_run(tmp_path, recipe(**values, train__checkpoint_steps=7))

    class Stop(Exception):
        pass

    class AtTwenty:
        def on_step(self, event):
            if event.step >= 20:
                raise Stop

    from orthogon.train.observers import Observer

    observer = type("AtTwenty", (Observer,), {"on_step": AtTwenty.on_step})()
    with pytest.raises(Stop):
        trained(recipe(**values, train__checkpoint_steps=7), run=run, observers=(observer,))
    assert_same_bits(whole, weights(trained(recipe(**values, train__checkpoint_steps=7), run=run)[0]))
