"""Pictures of where a model stands, taken as training goes on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from worlds import blobs, recipe

from orthogon.nn.modes import evaluating
from orthogon.tasks.classify import Classify
from orthogon.train.build import build_task
from orthogon.train.fit import attach, fit, plan
from orthogon.train.run import Run
from orthogon.train.snapshots import FOLDER, MOST, chosen_epochs


@pytest.mark.parametrize(("epochs", "chosen"), [
    (1, [1]), (2, [1, 2]), (5, [1, 2, 3, 4, 5]), (12, list(range(1, 13))),
    (40, [1, 2, 3, 4, 5, 6, 9, 12, 16, 22, 29, 40]),
])
def test_epochs_are_chosen_each_later_by_the_same_factor_to_the_last(epochs, chosen):
    found = sorted(chosen_epochs(epochs))
    assert found == chosen
    assert len(found) <= MOST


class Shown(Classify):
    """A task with a picture: the mode it was taken in, and the first weight."""

    def snapshot(self, model):
        assert not torch.is_grad_enabled()
        value = next(model.parameters()).flatten()[0].item()
        return np.full((2, 3, 1), int(128 + 100 * np.tanh(value)) if not model.training else 0, np.uint8)


def run_of(tmp_path, sort, epochs=20) -> Run:
    wanted = recipe(train__epochs=epochs)
    run, data, rows = Run.create(wanted, tmp_path), blobs(60), np.arange(50)
    task = build_task(wanted)
    task.__class__ = sort
    task.fit(data, rows)
    attach(task, data, wanted)
    fit(plan(wanted, task, rows, np.arange(50, 60)), task, data, rows, np.arange(50, 60), run=run)
    return run


def test_snapshots_are_kept_from_before_the_first_step_to_the_last_epoch(tmp_path):
    run = run_of(tmp_path, Shown)
    taken = sorted((run.path / FOLDER).glob("*.png"))
    steps = [int(path.stem) for path in taken]
    a_epoch = -(-50 // 16)
    assert steps[0] == 0
    assert steps[1:] == [epoch * a_epoch for epoch in sorted(chosen_epochs(20))]
    pictures = [np.asarray(Image.open(path)) for path in taken]
    assert all(picture.shape == (2, 3) for picture in pictures)
    assert min(picture.max() for picture in pictures) > 0  # taken in evaluation mode
    assert len({picture[0, 0] for picture in pictures}) > 3  # of a network that changes


def test_a_task_without_such_a_picture_leaves_no_folder(tmp_path):
    assert not (run_of(tmp_path, Classify, epochs=1).path / FOLDER).exists()


def test_training_is_the_same_with_and_without_snapshots(tmp_path):
    one, other = (run_of(tmp_path, sort, epochs=2) for sort in (Shown, Classify))
    losses = [[line["loss"] for line in run.metrics() if line["event"] == "step"] for run in (one, other)]
    assert losses[0] == losses[1]


def test_evaluating_puts_each_module_back():
    model = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.Linear(2, 2).eval())
    with evaluating(model):
        assert not any(module.training for module in model.modules())
    assert [module.training for module in model.modules()] == [True, True, False]
