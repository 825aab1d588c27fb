"""Losses of the tasks against torch's, invariance to how batches are split, state that survives JSON."""

import json
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers_tasks import CPU, every_row, loss_of, network, ready, table
from hypothesis import given, settings
from hypothesis import strategies as st

from orthogon.data.augment import Augmentation
from orthogon.data.columns import CategoryColumn, ImageColumn, LabelsColumn, NumberColumn
from orthogon.data.dataset import Dataset
from orthogon.errors import DataError, RecipeError
from orthogon.tasks.baseline_results import multilabel_results
from orthogon.tasks.classify import Classify
from orthogon.tasks.multilabel import MultiLabel
from orthogon.tasks.regress import Regress
from orthogon.train.randomness import Draw
from orthogon.train.settings import DataSettings, TaskSettings

N = 40
DRAW = np.random.default_rng(5)
LABELS = CategoryColumn(np.arange(N) * 7 % 10 // 4, ["low", "mid", "high"])
SEVERAL = DRAW.integers(0, 2, (N, 3)).astype(np.float32)
SEVERAL[::4, 1] = np.nan
WEIGHT = DRAW.random(N) + 0.1
SHARES = DRAW.dirichlet(np.ones(3), N)
CASES = [
    pytest.param(Classify, LABELS, {}, id="classify"),
    pytest.param(Classify, LABELS, {"class_weights": "balanced", "label_smoothing": 0.1}, id="balanced"),
    pytest.param(Classify, NumberColumn(SHARES, ["a", "b", "c"]), {"class_weights": {"a": 3}}, id="soft"),
    pytest.param(Classify, LABELS, {"loss": "squared_hinge", "label_smoothing": 0.1}, id="svm"),
    pytest.param(Classify, NumberColumn(SHARES, ["a", "b", "c"]), {"loss": "squared_hinge"}, id="svm-soft"),
    pytest.param(Regress, NumberColumn(DRAW.normal(5, 3, N)), {}, id="regress"),
    pytest.param(Regress, NumberColumn(DRAW.normal(5, 3, N)), {"loss": "robust", "robust_shape": -2.0}, id="robust"),
    pytest.param(Regress, NumberColumn(DRAW.normal(5, 3, (N, 2))), {"loss": "huber"}, id="regress-two"),
    pytest.param(MultiLabel, LabelsColumn(SEVERAL, "abc"), {}, id="multilabel"),
    pytest.param(MultiLabel, LabelsColumn(SEVERAL, "abc"), {"class_weights": "balanced"}, id="multilabel-balanced"),
    pytest.param(MultiLabel, LabelsColumn(np.nan_to_num(SEVERAL), "abc"), {}, id="multilabel-known"),
]


@pytest.mark.parametrize(("sort", "target", "options"), CASES)
@pytest.mark.parametrize("weight", [None, WEIGHT])
@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(1, N - 1), max_size=5, unique=True), shuffle=st.randoms(use_true_random=False))
def test_splitting_a_batch_changes_nothing(sort, target, options, weight, cuts, shuffle):
    task = ready(sort, table(target, weight=weight), **options)
    net, order = network(task), list(range(N))
    whole = loss_of(task, net, order)
    shuffle.shuffle(order)
    edges = [0, *sorted(cuts), N]
    parts = [loss_of(task, net, order[start:end]) for start, end in pairwise(edges)]
    np.testing.assert_allclose(np.sum(parts, axis=0), whole, rtol=2e-5)


@pytest.mark.parametrize(("sort", "target", "options"), CASES)
@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_the_loss_of_a_float64_model_is_float64(sort, target, options, weight):
    """Its gradients are those of float32 to seven digits, and exact differences see them to ten."""
    task = ready(sort, table(target, weight=weight), **options)
    net, double = network(task), network(task, double=True)
    batch = task.batch(torch.arange(N))
    wide = batch._replace(inputs=tuple(x if x.dtype == torch.int64 else x.double() for x in batch.inputs))
    for model, inputs in ((net, batch), (double, wide)):
        sum(part.sum for part in task.loss(model, inputs).parts).backward()
    for single, exact in zip(net.parameters(), double.parameters()):
        torch.testing.assert_close(single.grad.double(), exact.grad, rtol=1e-4, atol=1e-5)
    weights = next(double.parameters())
    entry, change = weights.grad.flatten()[0].item(), 1e-5
    losses = []
    for sign in (1, -1):
        with torch.no_grad():
            weights.flatten()[0] += sign * change
        losses.append(sum(part.sum for part in task.loss(double, wide).parts).item())
        with torch.no_grad():
            weights.flatten()[0] -= sign * change
    assert (losses[0] - losses[1]) / (2 * change) == pytest.approx(entry, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize(("sort", "target", "options"), CASES)
def test_state_survives_json(sort, target, options):
    data = table(target)
    task = ready(sort, data, **options)
    other = sort(TaskSettings(**options), DataSettings())
    other.load_state(json.loads(json.dumps(task.state())))
    other.attach(data, CPU)
    assert other.spec == task.spec
    assert other.classes == task.classes
    net, rows = network(task), torch.arange(N)
    for name, value in task.results(net, task.batch(rows)).items():
        torch.testing.assert_close(other.results(net, other.batch(rows))[name], value, equal_nan=True)
    assert loss_of(other, net, [1, 5]) == loss_of(task, net, [1, 5])


@pytest.mark.parametrize(("sort", "target", "options"), CASES)
def test_predicts_without_a_target(sort, target, options):
    data = table(target)
    task = ready(sort, data, **options)
    bare = Dataset("new", data.inputs, None, data.ids)
    task.attach(bare, CPU)
    results = task.results(network(task), task.batch(torch.arange(4)))
    assert "loss" not in results
    decoded = task.decode({name: value.detach().numpy() for name, value in results.items()})
    assert len(json.loads(json.dumps(decoded))) == 4
    with pytest.raises(DataError, match="no target"):
        task.targets(np.arange(4))


def outputs_and_target(task, net):
    batch = task.batch(torch.arange(N))
    return net(*batch.inputs), batch.target


def mean_loss(task, net) -> float:
    total, count = loss_of(task, net, list(range(N)))
    return total / count


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_classify_is_torch_cross_entropy(smoothing):
    task = ready(Classify, table(LABELS), label_smoothing=smoothing)
    net = network(task)
    expected = F.cross_entropy(*outputs_and_target(task, net), label_smoothing=smoothing)
    assert mean_loss(task, net) == pytest.approx(expected.item(), rel=1e-5)


def test_class_weights_are_torch_weighted_mean():
    task = ready(Classify, table(LABELS), class_weights={"low": 2.0, "high": 0.5})
    net = network(task)
    expected = F.cross_entropy(*outputs_and_target(task, net), weight=torch.tensor([2.0, 1.0, 0.5]))
    assert mean_loss(task, net) == pytest.approx(expected.item(), rel=1e-5)


def test_balanced_weights_give_each_class_the_same_total():
    task = ready(Classify, table(LABELS), class_weights="balanced")
    batch = task.batch(torch.arange(N))
    totals = [batch.weight[batch.target == code].sum().item() for code in range(3)]
    np.testing.assert_allclose(totals, N / 3, rtol=1e-5)


def test_whole_example_weights_are_repetitions():
    repeat = np.arange(N) % 3 + 1
    weighted = ready(Classify, table(LABELS, weight=repeat))
    net = network(weighted)
    plain = ready(Classify, table(LABELS))
    total, count = loss_of(plain, net, np.repeat(np.arange(N), repeat).tolist())
    assert loss_of(weighted, net, list(range(N))) == (pytest.approx(total, rel=1e-5), pytest.approx(count))


def test_unknown_labels_are_left_out():
    task = ready(MultiLabel, table(LabelsColumn(SEVERAL, "abc")))
    net = network(task)
    logits, target = outputs_and_target(task, net)
    known = ~target.isnan()
    expected = F.binary_cross_entropy_with_logits(logits[known], target[known])
    assert mean_loss(task, net) == pytest.approx(expected.item(), rel=1e-5)
    changed = logits.detach().clone()
    changed[~known] += 100
    a, b = (task.results(lambda *_, given=given: given, task.batch(torch.arange(N))) for given in (logits, changed))
    for name in ("loss", "score"):
        torch.testing.assert_close(a[name], b[name])


def test_labels_are_predicted_from_the_threshold_on_by_the_network_and_what_stands_beside_it():
    task = ready(MultiLabel, table(LabelsColumn(SEVERAL, "abc")), threshold=0.2)
    found = task.results(lambda *_: torch.tensor([[0.19, 0.21, 0.9]] * N).logit(), task.batch(torch.arange(N)))
    assert found["prediction"].tolist() == [[0, 1, 1]] * N
    assert found["score"][1] == np.mean(SEVERAL[1] == [0, 1, 1])
    beside = multilabel_results(task, np.arange(N), np.array([[0.19, 0.21, 0.9]] * N))
    for name in ("prediction", "score"):
        np.testing.assert_array_equal(beside[name], found[name])


def test_regress_results_are_in_the_unit_of_the_target():
    data = table(NumberColumn(DRAW.normal(1000, 50, N)))
    task = ready(Regress, data, rows=np.arange(30))
    batch = task.batch(torch.arange(N))
    perfect = task.results(lambda *_: batch.target, batch)
    np.testing.assert_allclose(perfect["prediction"], data.columns["y"].values, rtol=1e-6)
    mean = task.results(lambda *_: torch.zeros(N, 1), batch)
    assert mean["loss"][:30].mean().item() == pytest.approx(1, rel=1e-5)  # the variance of the standardised target


def test_classes_come_from_train_alone():
    column = CategoryColumn(np.array([0, 1, 2, 0, 1, -1]), ["a", "b", "c"])
    task = ready(Classify, table(column), rows=np.array([0, 1, 3]))
    assert task.classes == ("a", "b")
    results = task.results(network(task), task.batch(torch.arange(6)))
    assert results["score"].isnan().tolist() == [False, False, True, False, False, True]
    with pytest.raises(DataError, match="row 2"):
        task.targets(np.arange(6))
    assert task.targets(np.array([4, 3])).tolist() == [1, 0]


@pytest.mark.parametrize(("sort", "target", "wrong"), [
    (Classify, CategoryColumn(np.zeros(6, int), ["a"]), "one label"),
    (Classify, CategoryColumn(np.array([0, 1, -1, 0, 1, 1]), ["a", "b"]), "target is missing"),
    (Classify, NumberColumn(np.arange(6.0)), "not a category"),
    (Regress, NumberColumn(np.ones(6)), "never changes"),
    (Regress, NumberColumn(np.array([1, 2, np.inf, 3, 4, 5])), "infinite"),
    (MultiLabel, NumberColumn(np.arange(6.0)), "several labels"),
])
def test_unfit_targets_are_refused(sort, target, wrong):
    with pytest.raises(DataError, match=wrong):
        ready(sort, table(target))


def test_wrong_class_names_are_refused():
    for options in ({"positive": "hihg"}, {"class_weights": {"hihg": 2.0}}):
        with pytest.raises(RecipeError, match="high"):
            ready(Classify, table(LABELS), **options)


def test_positive_class():
    rare_first = CategoryColumn(np.array([0] * 3 + [1] * 7), ["a", "b"])
    assert ready(Classify, table(rare_first)).positive == 0
    assert ready(Classify, table(rare_first), positive="b").positive == 1
    assert ready(Classify, table(CategoryColumn(np.arange(10) % 2, ["a", "b"]))).positive == 1


def test_only_training_batches_are_augmented():
    pixels = DRAW.integers(0, 256, (N, 1, 8, 8), dtype=np.uint8)
    data = Dataset("p", {"p": ImageColumn(pixels), "y": LABELS}, "y", np.arange(N).astype(str))
    task = Classify(TaskSettings(), DataSettings(), Augmentation(("flip",)))
    task.fit(data, np.arange(N))
    task.attach(data, CPU)
    plain, rows = task.batch(torch.arange(N)).inputs[0], torch.arange(N)
    assert torch.equal(plain, task.batch(rows).inputs[0])
    assert not torch.equal(plain, task.batch(rows, Draw(0, 0, 0, CPU)).inputs[0])
    assert task.default_model()[0] == "convnet"


def test_soft_labels_of_certainty_are_hard_labels():
    hard = ready(Classify, table(LABELS))
    soft = ready(Classify, table(NumberColumn(np.eye(3)[LABELS.codes], LABELS.levels)))
    net = network(hard)
    assert loss_of(soft, net, list(range(N))) == pytest.approx(loss_of(hard, net, list(range(N))), rel=1e-5)
    rows, _ = every_row(soft, table(LABELS))
    assert rows["target"].tolist() == LABELS.codes.tolist()
