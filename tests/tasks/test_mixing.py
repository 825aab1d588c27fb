"""Mixed pictures in the loss: the plain loss of both targets by their shares; refused where there is no such loss."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from orthogon.data.augment import Augmentation
from orthogon.data.changes import Mix
from orthogon.data.columns import CategoryColumn, ImageColumn, LabelsColumn, NumberColumn
from orthogon.data.dataset import Dataset
from orthogon.errors import RecipeError
from orthogon.tasks.classify import Classify
from orthogon.tasks.multilabel import MultiLabel
from orthogon.tasks.regress import Regress
from orthogon.train.randomness import Draw
from orthogon.train.settings import DataSettings, TaskSettings

ROWS = torch.arange(8)
DRAW = Draw(0, 1, 1, torch.device("cpu"))
PIXELS = np.random.default_rng(0).integers(0, 256, (8, 3, 6, 6)).astype(np.uint8)
LABELS = np.array([[0, 1, np.nan], [1, 1, 0], [0, 0, 1], [1, 0, 0], [1, 1, 1], [0, 1, 0], [0, 0, 0], [1, 0, 1.0]])


def data(target, weight=None) -> Dataset:
    return Dataset(name="mixed", target="y", ids=np.arange(8).astype(str), weight=weight,
                   columns={"x": ImageColumn(PIXELS), "y": target})


def attached(task, of: Dataset):
    task.fit(of, np.arange(8))
    task.attach(of, torch.device("cpu"))
    return task


def classify(ways=("mixup",), weight=None, **settings):
    target = CategoryColumn(np.array([0, 1, 2, 0, 1, 2, 2, 1]), ["a", "b", "c"])
    return attached(Classify(TaskSettings(**settings), DataSettings(), Augmentation(ways)), data(target, weight))


def multilabel(ways=("mixup",), weight=None, **settings):
    task = MultiLabel(TaskSettings(**settings), DataSettings(), Augmentation(ways))
    return attached(task, data(LabelsColumn(LABELS, ["p", "q", "r"]), weight))


def network(outputs=3) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(108, outputs))


def value(loss) -> float:
    part, = loss.parts
    return part.sum.item() / part.count


@pytest.mark.parametrize("ways", [("mixup",), ("cutmix",), ("flip", "mixup", "cutmix")])
def test_a_mixed_picture_has_the_loss_of_its_share_of_both_labels(ways):
    task, model = classify(ways), network()
    batch = task.batch(ROWS, DRAW)
    mix = task.inputs.augment.draw(8, 6, 6, DRAW.generator("augment")).mix
    assert torch.equal(batch.mix.partner, mix.partner)
    logits = model(*batch.inputs)
    own, other = (F.cross_entropy(logits, target, reduction="none")
                  for target in (batch.target, batch.target[mix.partner]))
    expected = (mix.share * own + (1 - mix.share) * other).mean()
    assert value(task.loss(model, batch)) == pytest.approx(expected.item(), rel=1e-6)
    assert task.loss(model, batch).parts[0].count == task.counts(batch)["loss"] == 8


def test_class_weights_and_example_weights_go_with_the_label_that_they_belong_to():
    weight = np.arange(1.0, 9.0)
    task, model = classify(weight=weight, class_weights={"a": 2.0, "b": 0.5}, label_smoothing=0.1), network()
    batch = task.batch(ROWS, DRAW)
    partner, share = batch.mix
    logits = model(*batch.inputs)
    of_each = torch.tensor([2.0, 0.5, 1.0])[batch.target] * torch.from_numpy(weight).float()
    losses = [F.cross_entropy(logits, target, reduction="none", label_smoothing=0.1)
              for target in (batch.target, batch.target[partner])]
    weights = share * of_each, (1 - share) * of_each[partner]
    total = sum((w * each).sum() for w, each in zip(weights, losses))
    assert value(task.loss(model, batch)) == pytest.approx((total / (weights[0] + weights[1]).sum()).item(), rel=1e-5)


@pytest.mark.parametrize("weight", [None, np.arange(1.0, 9.0)])
@pytest.mark.parametrize("class_weights", ["none", "balanced"])
def test_of_several_labels_unknown_ones_of_either_picture_are_left_out(weight, class_weights):
    task, model = multilabel(weight=weight, class_weights=class_weights), network()
    batch = task.batch(ROWS, DRAW)
    partner, share = batch.mix
    known = ~np.isnan(LABELS)
    carried = np.nansum(LABELS, axis=0) / known.sum(axis=0)
    of_label = np.where(LABELS == 1, 0.5 / carried, 0.5 / (1 - carried)) if class_weights == "balanced" else 1.0
    of_each = torch.from_numpy(known * of_label * (1.0 if weight is None else weight[:, None])).float()
    target, logits = torch.from_numpy(np.nan_to_num(LABELS)).float(), model(*batch.inputs)
    sides = [(share.unsqueeze(1) * of_each, target), ((1 - share).unsqueeze(1) * of_each[partner], target[partner])]
    total = sum(F.binary_cross_entropy_with_logits(logits, y, w, reduction="sum") for w, y in sides)
    expected = total / sum(w.sum() for w, _ in sides)
    assert value(task.loss(model, batch)) == pytest.approx(expected.item(), rel=1e-5)
    assert task.counts(batch)["loss"] == pytest.approx(task.loss(model, batch).parts[0].count)


@pytest.mark.parametrize("task", [classify, multilabel])
def test_the_written_out_gradient_of_mixed_pictures_is_that_of_autograd(task):
    task = task()
    batch = task.batch(ROWS, DRAW)
    logits = torch.randn(8, 3, requires_grad=True)
    loss = task.loss(lambda _: logits, batch).parts[0]
    loss.sum.backward()
    part, gradient = task.output_gradient(logits.detach(), batch)
    torch.testing.assert_close(gradient, logits.grad)
    torch.testing.assert_close(part.sum, loss.sum.detach())
    assert part.count == loss.count


def test_a_share_of_one_is_the_plain_loss():
    task, model = classify(()), network()
    plain = task.batch(ROWS, DRAW)
    assert plain.mix is None
    mixed = plain._replace(mix=Mix(ROWS.flip(0), torch.ones(8)))
    assert value(task.loss(model, mixed)) == pytest.approx(value(task.loss(model, plain)), rel=1e-6)


def test_only_training_batches_are_mixed():
    task = classify(("mixup", "color"))
    quiet = task.batch(ROWS)
    assert quiet.mix is None
    assert torch.equal(quiet.inputs[0], classify(()).batch(ROWS).inputs[0])
    assert not torch.equal(task.batch(ROWS, DRAW).inputs[0], quiet.inputs[0])


def test_the_principal_colors_are_those_of_the_rows_to_train_on():
    of, task = data(CategoryColumn(np.array([0, 1] * 4), ["a", "b"])), Classify(
        TaskSettings(), DataSettings(), Augmentation(("pca_color",)))
    task.fit(of, np.array([0, 1, 5]))
    task.attach(of, torch.device("cpu"))
    changes, = task.inputs.changes(8, DRAW)
    expected = Augmentation(("pca_color",)).fitted(lambda: torch.from_numpy(PIXELS), np.array([0, 1, 5]))
    assert torch.equal(changes.color.shift, expected.draw(8, 6, 6, DRAW.generator("augment")).color.shift)


def test_a_task_without_a_loss_for_mixed_pictures_refuses_and_says_what_to_leave_out():
    of = data(CategoryColumn(np.array([0, 1] * 4), ["a", "b"]))
    of.columns["size"] = NumberColumn(np.arange(8.0))
    with pytest.raises(RecipeError, match="are not pictures"):
        attached(Classify(TaskSettings(), DataSettings(), Augmentation(("cutmix",))), of)
    with pytest.raises(RecipeError, match=r"regress has no loss for pictures that are mixed of two \(mixup\)") as told:
        Regress(TaskSettings(), DataSettings(), Augmentation(("flip", "mixup")))
    assert "Leave mixup out" in told.value.remedy
    Regress(TaskSettings(), DataSettings(), Augmentation(("mixup",), strength=0.0))
    of = data(NumberColumn(np.arange(8.0)))
    task = attached(Regress(TaskSettings(), DataSettings(), Augmentation(("flip", "color"))), of)
    assert task.batch(ROWS, DRAW).mix is None
