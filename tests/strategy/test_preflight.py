"""Preflight: ten planted faults are named, healthy set-ups pass, and nothing that follows is changed."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from worlds import assert_same_bits, blobs, new_run, recipe, trained, weights

from orthogon.data.columns import CategoryColumn, NumberColumn
from orthogon.data.dataset import Dataset
from orthogon.errors import RecipeError
from orthogon.strategy.outcome import passed, skipped
from orthogon.strategy.preflight import (
    AT_START,
    IN_MOTION,
    Preflight,
    preflight,
    preflight_at_start,
)
from orthogon.tasks.classify import Classify
from orthogon.train.build import build_task
from orthogon.train.fit import attach, plan
from orthogon.train.pace import preflight_seconds
from orthogon.train.task import Batch, Loss, Part, Task
from orthogon.verbs.preflight import preflight as verb

ALL = [check.name for check in (*AT_START, *IN_MOTION)]


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(1)


def net(*last: nn.Module, width: int = 6, hidden: int = 24, outputs: int = 3) -> nn.Sequential:
    """A healthy net for blobs, with more behind its last layer."""
    made = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, outputs), *last)
    nn.init.normal_(made[2].weight, std=0.05)  # type: ignore[arg-type]
    return made


def tried(model: nn.Module | None = None, task: type[Task] | None = None, data: Dataset | None = None,
          check: Any = preflight, **values: Any) -> Preflight:
    """Preflight on 500 blobs, or on what is given."""
    wanted, data = recipe(**values), data or blobs(500)
    made = task(wanted.task, wanted.data) if task else build_task(wanted)
    rows = np.arange(len(data))
    made.fit(data, rows)
    attach(made, data, wanted)
    return check(plan(wanted, made, rows, model=model), made, rows, model=model)


def test_a_healthy_net_passes_every_check():
    found = tried()
    assert found, str(found)
    assert list(found.outcomes) == ALL
    assert {name for name, each in found.outcomes.items() if each.status != "pass"} == set()
    assert "−log 1/3" in found.outcomes["initial loss"].evidence


def _codes(data: Dataset) -> np.ndarray:
    label = data.columns["label"]
    assert isinstance(label, CategoryColumn)
    return label.codes


# --- the ten planted faults ----------------------------------------------------------------------------------


def failing(found: Preflight, name: str, cause: str, *also: str) -> None:
    """The check of that name fails and its words name the cause; of the others only those in `also` may fail."""
    assert name in found.failures, str(found)
    words = f"{found.outcomes[name].evidence} {found.outcomes[name].remedy}"
    assert cause in words, words
    assert found.outcomes[name].remedy
    assert set(found.failures) <= {name, *also}, str(found)
    assert sum(each.status == "pass" for each in found.outcomes.values()) >= 5
    assert not found


def test_a_learning_rate_a_thousand_times_too_high():
    failing(tried(train__lr=0.01 * 1000, train__schedule="constant"), "learning rate", "the rate is too high")


class FromOne(Classify):
    """Labels counted from 1."""

    def batch(self, rows: Tensor, draw: Any = None) -> Batch:
        found = super().batch(rows, draw)
        return found._replace(target=found.target + 1)


def test_labels_from_1_to_k_for_k_outputs():
    data = blobs(500).take(np.argsort(_codes(blobs(500)), kind="stable"))  # the first two examples do not give it away
    found = tried(task=FromOne, data=data)
    assert list(found.failures) == ["labels"]
    assert "labels run from 1 to 3, but 3 outputs stand for labels 0 to 2" in found.outcomes["labels"].evidence
    assert "Subtract 1" in found.outcomes["labels"].remedy
    assert found.outcomes["reduction"].evidence == "there is no loss with these labels"
    assert found.outcomes["inputs"].status == found.outcomes["outputs"].status == "pass"
    assert list(found.hopeless) == ["labels"]


class Unscaled(Classify):
    """Inputs as if they were pixels from 0 to 255."""

    def batch(self, rows: Tensor, draw: Any = None) -> Batch:
        found = super().batch(rows, draw)
        return found._replace(inputs=tuple(each * 50 + 120 for each in found.inputs))


def test_inputs_that_are_not_scaled():
    failing(tried(task=Unscaled), "inputs", "not scaled", "initial loss", "one batch", "learning rate", "zero inputs")


def test_a_frozen_model():
    found = tried(net().requires_grad_(False))
    assert "all 4 parameters are frozen" in found.outcomes["trainable"].evidence
    assert "requires_grad=True" in found.outcomes["trainable"].remedy
    assert set(found.failures) <= {"trainable", "learning rate"}
    assert found.outcomes["gradients arrive"].status == "skip"
    assert "trainable" in found.hopeless


class Listed(nn.Module):
    """Its layer is hidden in a list."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = [nn.Linear(6, 3)]

    def forward(self, x: Tensor) -> Tensor:
        return self.layers[0](x)


def test_layers_in_a_plain_list_are_no_parameters():
    found = tried(Listed())
    assert found.outcomes["trainable"].evidence == "the model has no parameters: nothing would change"
    assert "nn.ModuleList" in found.outcomes["trainable"].remedy
    assert "trainable" in found.hopeless


def test_a_softmax_before_the_cross_entropy():
    failing(tried(net(nn.Softmax(dim=1))), "outputs", "softmax before the cross-entropy", "one batch")


@pytest.mark.parametrize("how", ["biases far below zero", "weights of zero"])
def test_a_dead_initialization(how):
    model = net()
    if how == "weights of zero":
        nn.init.zeros_(model[0].weight)  # type: ignore[arg-type]
        nn.init.zeros_(model[0].bias)  # type: ignore[arg-type]
    else:
        nn.init.constant_(model[0].bias, -100.0)  # type: ignore[arg-type]
    found = tried(model)
    failing(found, "units", "100 % of the rectified units after 0 are zero for every example",
            "gradients arrive", "one batch", "zero inputs", "learning rate")


class Detached(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 24), nn.Linear(24, 3)
        nn.init.normal_(self.second.weight, std=0.05)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(torch.relu(self.first(x)).detach())


def test_a_detached_layer():
    found = tried(Detached())
    failing(found, "gradients arrive", "first.weight, first.bias are cut off from the loss (detached", "gradient check")
    assert "first." in found.outcomes["gradient check"].evidence


class OfTheSum(Classify):
    """A sum over the batch that says it is over one example."""

    def loss(self, model: nn.Module, batch: Batch, carried: Any = None) -> Loss:
        part = super().loss(model, batch, carried).parts[0]
        return Loss((part._replace(count=1.0),))


class MeanOfMeans(Classify):
    """A mean that is divided by the number of examples once more."""

    def loss(self, model: nn.Module, batch: Batch, carried: Any = None) -> Loss:
        part = super().loss(model, batch, carried).parts[0]
        return Loss((part._replace(sum=part.sum / part.count),))


@pytest.mark.parametrize("task", [OfTheSum, MeanOfMeans])
def test_a_wrong_reduction(task):
    found = tried(task=task, train__explicit=False)
    failing(found, "reduction", "it is not their mean", "initial loss", "learning rate")


def test_labels_that_two_examples_give_away_are_refused_by_the_plan():
    with pytest.raises(RecipeError, match="labels run from") as caught:
        tried(task=FromOne, data=blobs(500).take(np.argsort(-_codes(blobs(500)), kind="stable")))
    assert "codes from 0 to" in caught.value.remedy


def test_a_loss_that_is_no_scalar_is_refused_by_the_plan():
    class Vector(Classify):
        def loss(self, model: nn.Module, batch: Batch, carried: Any = None) -> Loss:
            each = nn.functional.cross_entropy(model(*batch.inputs), batch.target, reduction="none")
            return Loss((Part("loss", 1.0, each, float(len(each))),))

    with pytest.raises(RecipeError, match=r"tensor of shape \(2,\), not a scalar") as caught:
        tried(task=Vector)
    assert ".sum()" in caught.value.remedy


def test_a_loss_that_cannot_be_computed_is_refused_by_the_plan():
    class Squares(Classify):
        def loss(self, model: nn.Module, batch: Batch, carried: Any = None) -> Loss:
            return Loss((Part("loss", 1.0, (model(*batch.inputs) - batch.target).square().sum(), 2.0),))

    with pytest.raises(RecipeError, match="the loss of classify cannot be computed"):
        tried(task=Squares)


def test_counts_that_differ_from_those_of_the_loss():
    class Miscounted(Classify):
        def loss(self, model: nn.Module, batch: Batch, carried: Any = None) -> Loss:
            (part,) = super().loss(model, batch, carried).parts
            return Loss((part._replace(count=float(len(batch.rows))),))

        def counts(self, batch: Batch) -> dict[str, float]:
            return {"loss": 1.0}

    failing(tried(task=Miscounted, train__explicit=False), "reduction", "`counts` gives {'loss': 1.0}")


def test_batch_norm_with_batches_of_one():
    model = nn.Sequential(nn.Linear(6, 24), nn.BatchNorm1d(24), nn.ReLU(), nn.Linear(24, 3))
    found = tried(model, train__batch_size=1)
    failing(found, "batch norm", "with one example in a batch it cannot normalize", "learning rate")
    assert "batch norm" in found.hopeless
    pieces = tried(model, train__batch_size=9, train__micro_batch_size=4, check=preflight_at_start)
    assert list(pieces.failures) == ["batch norm"], "the last of 4 + 4 + 1"


def test_targets_shuffled_against_their_inputs():
    data = blobs(500)
    label = data.columns["label"]
    assert isinstance(label, CategoryColumn)
    codes = np.random.default_rng(7).permutation(label.codes)
    shuffled = Dataset("shuffled", {**data.columns, "label": CategoryColumn(codes, label.levels)}, "label", data.ids)
    failing(tried(data=shuffled), "zero inputs", "targets may be shuffled against their inputs")


# --- more faults ---------------------------------------------------------------------------------------------


def test_a_loss_that_is_told_the_target():
    class Told(Classify):
        def _hint(self, batch: Batch) -> Any:
            hint = 5 * nn.functional.one_hot(batch.target, 3)
            return lambda model: (lambda *inputs: model(*inputs) + hint)

        def loss(self, model: nn.Module, batch: Batch, carried: Any = None) -> Loss:
            return super().loss(self._hint(batch)(model), batch, carried)  # type: ignore[arg-type]

        def results(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
            # the constant, which stands for zeros as inputs, is not told
            return super().results(model if hasattr(model, "outputs") else self._hint(batch)(model), batch)

    failing(tried(task=Told, train__explicit=False), "shuffled labels", "is told the target", "one batch",
            "learning rate")


class Blind(nn.Module):
    """Only its last biases learn."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(64, 10)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(0 * x.flatten(1))


def test_what_only_learns_how_frequent_labels_are_is_not_taken_to_predict_them():
    found = verb("digits", model=Blind())
    assert found.outcomes["zero inputs"].status == "fail"
    assert found.outcomes["shuffled labels"].status == "pass"


def test_saturated_units():
    model = nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 3))
    nn.init.normal_(model[0].weight, std=100.0)  # type: ignore[arg-type]
    failing(tried(model), "units", "lie at the ends of tanh or sigmoid", "gradients arrive", "initial loss")


def test_outputs_of_zero_layers_say_the_same_for_every_example():
    model = nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 3))
    nn.init.zeros_(model[0].weight)  # type: ignore[arg-type]
    assert "what enters 2 is the same for every example" in tried(model).outcomes["units"].evidence


def test_a_last_layer_that_starts_at_zero_is_no_fault():
    model = net()
    nn.init.zeros_(model[2].weight)  # type: ignore[arg-type]
    nn.init.zeros_(model[2].bias)  # type: ignore[arg-type]
    assert tried(model), "gradients arrive once it has moved"


def test_a_loss_before_training_that_is_too_large():
    model = net()
    nn.init.normal_(model[2].weight, std=10.0)  # type: ignore[arg-type]
    failing(tried(model), "initial loss", "smaller initial weights in the last layer", "one batch", "learning rate")


def test_a_rate_that_is_too_low():
    failing(tried(train__lr=1e-9), "learning rate", "it does not fall")


def test_a_backward_pass_with_a_wrong_sign():
    class Flipped(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, *above: Tensor) -> Tensor:
            return -above[0]

    class Wrong(Detached):
        def forward(self, x: Tensor) -> Tensor:
            return self.second(torch.relu(Flipped.apply(self.first(x))))  # type: ignore[arg-type]

    found = tried(Wrong())
    failing(found, "gradient check", "first.", "one batch", "zero inputs", "learning rate")


def test_inputs_that_do_not_keep_what_the_spec_promises():
    class Halves(Classify):
        def batch(self, rows: Tensor, draw: Any = None) -> Batch:
            found = super().batch(rows, draw)
            return found._replace(inputs=tuple(each.clone().fill_(torch.nan) for each in found.inputs))

    found = tried(task=Halves, train__explicit=False)
    assert "no numbers or infinite" in found.outcomes["inputs"].evidence
    assert {"inputs", "outputs", "initial loss"} <= set(found.failures)


# --- no false alarms -----------------------------------------------------------------------------------------


def a_table(target: Any, n: int = 600) -> Dataset:
    """Numbers, one of them heavy-tailed, and categories, as in the census; the target is read off them with noise."""
    draw = np.random.default_rng(3)
    numbers = np.stack([draw.normal(size=n), draw.exponential(size=n) ** 3, draw.integers(0, 50, n)], axis=1)
    kind = draw.integers(0, 5, n)
    signal = numbers[:, 0] + (kind - 2) + draw.normal(0, 0.7, n)
    return Dataset("table", {"numbers": NumberColumn(numbers, ["a", "gain", "age"]),
                             "kind": CategoryColumn(kind, list("abcde")), "y": target(signal, draw)}, "y",
                   np.array([f"r{i}" for i in range(n)]))


def rare_class(signal: np.ndarray, _draw: np.random.Generator) -> CategoryColumn:
    return CategoryColumn((signal > 1.2).astype(int), ["no", "yes"])


@pytest.mark.parametrize("model", ["linear", "mlp"])
@pytest.mark.parametrize("task", ["classify", "regress", "multilabel"])
def test_no_false_alarm_on_tables(task, model):
    from orthogon.data.columns import LabelsColumn

    if task == "classify":
        data = a_table(rare_class)
    elif task == "regress":
        data = a_table(lambda signal, _: NumberColumn(100 + 20 * signal))
    else:
        data = a_table(lambda signal, draw: LabelsColumn(
            np.stack([signal > 0, signal > 1, draw.random(len(signal)) < 0.3], axis=1).astype(float), ["x", "y", "z"]))
    found = tried(data=data, task__name=task, model__name=model, model__options={}, train__lr=0.002,
                  train__batch_size=64, train__epochs=20)
    assert found, str(found)


@pytest.mark.parametrize("model", ["convnet", "mlp", "linear"])
def test_the_digits_pass(model):
    found = verb(model=model, options={"train.threads": 1, "model.options": {"width": 8} if model == "convnet" else {}})
    assert found, str(found)
    assert [name for name, each in found.outcomes.items() if each.status == "skip"] in ([], ["units"])


# --- it changes nothing --------------------------------------------------------------------------------------


def test_model_random_state_and_gradients_are_as_before():
    model = net(nn.Dropout(0.1))
    model.insert(1, nn.BatchNorm1d(24))
    before, random = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    found = tried(model)
    assert found.outcomes["gradient check"].status == "pass"
    assert_same_bits(dict(model.state_dict()), dict(before))
    assert torch.equal(torch.get_rng_state(), random)
    assert all(each.grad is None for each in model.parameters())
    assert torch.get_default_dtype() == torch.float32


def test_training_after_it_is_bit_identical_to_training_without_it(tmp_path):
    wanted = recipe(model__options={"hidden": [8], "dropout": 0.3})
    plain, _ = trained(wanted, run=new_run(tmp_path, wanted, "plain"))
    tried(model__options={"hidden": [8], "dropout": 0.3})
    after, _ = trained(wanted, run=new_run(tmp_path, wanted, "after"))
    assert_same_bits(weights(plain), weights(after))


# --- at the start of a training ------------------------------------------------------------------------------


@pytest.mark.parametrize(("minutes", "steps", "step_seconds", "seconds"), [
    (1.0, None, 0.1, 3.0), (10.0, None, 0.1, 5.0), (0.01, None, 0.1, 0.03),
    (None, 1000, 0.05, 2.5), (None, 100_000, 0.05, 5.0), (None, 10, 0.001, 0.2),
])
def test_it_takes_5_percent_of_the_planned_time_and_5_seconds_at_most(minutes, steps, step_seconds, seconds):
    settings = recipe().train.model_copy(update={"minutes": minutes, "steps": steps})
    assert preflight_seconds(settings, step_seconds) == pytest.approx(seconds)


def test_at_the_start_the_quick_checks_run_that_there_is_time_for():
    quick = tried(check=preflight_at_start, train__epochs=1000)
    assert quick
    assert [*quick.outcomes, *quick.left_out] == [check.name for check in AT_START]
    assert quick.sentence().startswith(f"{len(quick.outcomes)} checks passed")
    hurried = tried(check=preflight_at_start, train__steps=1, train__epochs=None, train__minutes=1e-6)
    assert "gradient check" in hurried.left_out
    assert "left out for time" in hurried.sentence()


def test_it_prints_a_table_and_gives_plain_values():
    found = tried(net(nn.Softmax(dim=1)))
    text, plain = str(found), found.to_dict()
    assert "outputs           FAIL  each row of outputs is positive and sums to 1" in text
    assert "failed" in text.splitlines()[0]
    assert plain["passed"] is False
    assert plain["checks"]["outputs"]["status"] == "fail"
    assert plain["checks"]["labels"] == {"status": "pass", "evidence": "labels 0 to 2 for 3 outputs", "remedy": "",
                                         "hopeless": False}


def test_what_does_not_fit_at_all_is_the_one_outcome():
    found = verb(blobs(60), model=nn.Linear(5, 3))
    assert list(found.failures) == ["model"]
    assert "cannot take this data" in found.outcomes["model"].evidence
    assert list(found.hopeless) == ["model"]


def test_a_check_that_could_not_be_tried_is_counted():
    found = Preflight({"units": skipped("none is rectified"), "labels": passed("all are known")}, 0.25, ("outputs",))
    assert found.sentence() == "1 check passed, 1 skipped, 1 left out for time, 0.2 s"
