"""Barlow Twins from pictures to rows, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from orthogon.data.augment import Augmentation
from orthogon.data.columns import CategoryColumn, ImageColumn, NumberColumn
from orthogon.data.dataset import Dataset
from orthogon.errors import DataError, RecipeError
from orthogon.nn.collapse import effective_rank
from orthogon.nn.cross_correlation import barlow_twins, standardized
from orthogon.train.build import build_model
from orthogon.train.compute import Compute
from orthogon.train.evaluate import as_rows, metrics_document, predict
from orthogon.train.fit import fit, plan, with_defaults
from orthogon.train.randomness import Draw
from orthogon.train.recipe import Recipe
from orthogon.train.settings import DataSettings, TaskSettings
from orthogon.vision.barlow_twins import BarlowTwins
from orthogon.vision.barlow_twins_results import PixelNeighbors, by_nearest, jackknife

CPU = torch.device("cpu")
WAYS = Augmentation(("crop", "noise"))


def pictures(count: int = 120, seed: int = 0) -> Dataset:
    """Stripes across or down, at any place, in noise."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 2, count)
    shown = draw.integers(0, 60, (count, 1, 8, 8))
    for each, across, at in zip(shown, labels, draw.integers(1, 6, count)):
        each[0, at : at + 2, :] += 150 * across
        each[0, :, at : at + 2] += 150 * (1 - across)
    columns = {"picture": ImageColumn(shown.astype(np.uint8)), "way": CategoryColumn(labels, ["down", "across"])}
    return Dataset("stripes", columns, "way", np.array([f"r{row}" for row in range(count)]))


def ready(data: Dataset, augment: Augmentation | None = WAYS, **settings: Any) -> BarlowTwins:
    task = BarlowTwins(TaskSettings(**{"projector": 6, **settings}), DataSettings(), augment)
    task.fit(data, np.arange(len(data)))
    task.attach(data, CPU)
    return task


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.trunk = nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.ReLU())
        self.head = nn.Linear(20, 6)

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        return self.head(self.trunk(picture))


def test_a_batch_holds_two_views_of_each_picture_that_differ_by_their_draws_alone():
    task = ready(pictures())
    batch = task.batch(torch.arange(5), Draw(0, 1, 2, CPU))
    assert len(batch.target) == 2
    assert not torch.equal(*batch.target)
    assert batch.inputs[0] is batch.target[0]
    again, later = (task.batch(torch.arange(5), Draw(0, 1, step, CPU)) for step in (2, 3))
    assert all(torch.equal(one, other) for one, other in zip(batch.target, again.target))
    assert not torch.equal(batch.target[0], later.target[0])


def test_in_evaluation_the_input_is_the_picture_itself_and_the_views_repeat():
    task = ready(pictures())
    first, second = task.batch(torch.arange(5)), task.batch(torch.arange(5))
    assert torch.equal(first.inputs[0], task.inputs.gather(torch.arange(5))[0])
    assert all(torch.equal(one, other) for one, other in zip(first.target, second.target))
    assert not torch.equal(*first.target)


def test_views_are_drawn_by_a_task_from_a_bundle_as_by_the_one_that_was_fitted():
    data, task = pictures(), ready(pictures())
    shipped = BarlowTwins(TaskSettings(projector=6), DataSettings(), WAYS)
    shipped.load_state(task.state())
    shipped.attach(data, CPU)
    assert shipped.labels == ("down", "across")
    assert all(torch.equal(*pair) for pair in zip(task.batch(torch.arange(7)).target,
                                                  shipped.batch(torch.arange(7)).target))


def test_the_loss_is_that_of_the_two_views_and_its_redundancy_is_a_knob():
    task, model = ready(pictures(), redundancy=0.5), Small()
    batch = task.batch(torch.arange(40), Draw(0, 0, 0, CPU))
    wanted = barlow_twins(model(batch.target[0]), model(batch.target[1]), 0.5)
    parts = task.loss(model, batch).parts
    assert [part.name for part in parts] == ["invariance", "redundancy"]
    torch.testing.assert_close(torch.stack([part.weight * part.sum / part.count for part in parts]),
                               torch.stack(tuple(wanted)), rtol=1e-5, atol=1e-5)
    assert task.counts(batch) == {part.name: part.count for part in parts}
    assert ready(pictures()).redundancy == 0.0051
    assert not task.decomposes


def test_the_losses_of_rows_have_the_loss_of_all_as_their_mean():
    task, model = ready(pictures()), Small()
    found = predict(task, model, np.arange(40), Compute(CPU))
    batch = task.batch(torch.arange(40))
    with torch.no_grad():
        first, second = (model(view) for view in batch.target)
    assert found["loss"].mean() == pytest.approx(float(sum(barlow_twins(first, second))), rel=1e-4)
    np.testing.assert_allclose(found["view_agreement"], (standardized(first) * standardized(second)).mean(1).numpy(),
                               rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        np.testing.assert_allclose(found["encoding"], model.trunk(batch.inputs[0]).numpy(), rtol=1e-5)


def test_prediction_is_the_label_of_the_nearest_other_picture():
    codes = np.array([0, 0, 1, 1, -1, 1])
    encodings = torch.tensor([[1.0, 0], [1, 0.1], [0, 1], [1, 0.3], [0.5, 1], [0.1, 1]])
    found = by_nearest(encodings, codes)
    assert found["prediction"].tolist() == [0, 0, 1, 0, -1, 1]
    np.testing.assert_array_equal(found["score"], np.array([1, 1, 1, 0, np.nan, 1], dtype=np.float32))
    alone = by_nearest(encodings, np.full(6, -1))
    assert alone["prediction"].tolist() == [-1] * 6
    assert "score" not in alone


def test_neighbors_are_looked_for_among_as_many_whatever_the_number_of_examples(monkeypatch):
    monkeypatch.setattr("orthogon.vision.barlow_twins_results.AMONG", 3)
    encodings = torch.tensor([[1.0, 0], [1, 0.01], [1, 0.02], [0, 1], [0, 1.01], [0.01, 1]])
    found = by_nearest(encodings, np.array([0, 1, 2, 3, 4, 5]))
    assert found["prediction"].tolist() == [2, 5, 0, 5, 2, 3]  # the parts are 0, 2, 4 and 1, 3, 5


def test_training_brings_two_views_together_and_all_that_is_measured_has_an_interval():
    data = pictures(400)
    recipe = Recipe.from_dict({"task": {"name": "barlow_twins", "projector": 16},
                               "model": {"name": "convnet", "options": {"width": 8}},
                               "train": {"epochs": 3, "batch_size": 64, "threads": 1}})
    task = BarlowTwins(recipe.task, recipe.data, Augmentation(("crop", "noise"), 0.7))
    rows, dev = np.arange(300), np.arange(300, 400)
    task.fit(data, rows)
    task.attach(data, CPU)
    chosen = plan(recipe, task, rows, dev)
    assert chosen.recipe.model.head == [16, 16]
    fitted = fit(chosen, task, data, rows)
    rows_of = as_rows(task, data, dev, "dev", predict(task, fitted.model, dev, Compute(CPU)))
    document = metrics_document(task, rows_of)
    assert list(document) == ["nearest_accuracy", "loss", "view_agreement", "effective_rank", "spread"]
    first = build_model(task.spec, chosen.recipe.model, 0)
    before = metrics_document(task, as_rows(task, data, dev, "dev", predict(task, first, dev, Compute(CPU))))
    assert document["view_agreement"]["low"] > before["view_agreement"]["high"]
    assert document["loss"]["high"] < before["loss"]["low"]
    assert document["nearest_accuracy"]["value"] > 0.9
    for each in document.values():
        assert each["low"] < each["value"] <= each["high"]
        assert each["n"] == 100
    assert task.signs([], {"dev": rows_of}) == []
    values = {metric.name: metric.value(rows_of) for metric in task.metrics}
    assert values == pytest.approx({name: each["value"] for name, each in document.items()})
    assert {metric.name: metric.unit for metric in task.metrics} == {
        name: each["unit"] for name, each in document.items()}
    assert {metric.name: metric.best for metric in task.metrics} == {
        "nearest_accuracy": 1, "loss": 0, "view_agreement": 1, "effective_rank": np.inf, "spread": 1}


def test_a_collapsed_network_is_named():
    class Constant(Small):
        def forward(self, picture: torch.Tensor) -> torch.Tensor:
            return self.head(torch.ones(len(picture), 20) + 1e-3 * self.trunk(picture))

    data, task = pictures(), ready(pictures())
    rows = as_rows(task, data, np.arange(60), "dev", predict(task, Constant(), np.arange(60), Compute(CPU)))
    [sign] = task.signs([], {"dev": rows})
    assert sign.kind == "collapse"
    assert "nearly the same encoding" in sign.what
    assert "n = 60" in sign.what
    assert "task.redundancy" in sign.remedy


def test_the_baseline_is_the_nearest_other_picture_by_pixels():
    data, task = pictures(), ready(pictures())
    [baseline] = task.baselines()
    assert isinstance(baseline, PixelNeighbors)
    baseline.fit(task, np.arange(120))
    pixels = task.inputs.gather(torch.arange(120))[0].flatten(1)
    found, wanted = baseline.results(task, np.arange(120)), by_nearest(pixels, task.targets(np.arange(120)))
    np.testing.assert_array_equal(found["prediction"], wanted["prediction"])
    rows = as_rows(task, data, np.arange(120), "dev", found)
    assert list(metrics_document(task, rows)) == ["nearest_accuracy"]


def test_the_sheet_shows_pictures_beside_their_nearest_others():
    data, task = pictures(), ready(pictures())
    [sheet] = task.sheets(Small(), np.arange(60))
    assert (sheet.name, sheet.picture.dtype, sheet.picture.shape[2]) == ("neighbors", np.uint8, 3)
    assert "60" in sheet.line
    assert task.sheets(Small(), np.arange(1)) == task.sheets(Small(), np.arange(0)) == []
    bare = ready(Dataset("bare", {"picture": data.columns["picture"]}, None, data.ids))
    assert bare.sheets(Small(), np.arange(3))[0].picture.shape[1] < sheet.picture.shape[1]


def test_without_labels_the_loss_judges():
    data = pictures()
    bare = Dataset("bare", {"picture": data.columns["picture"]}, None, data.ids)
    task = ready(bare)
    assert task.baselines() == []
    assert task.metrics[0].name == "loss"
    found = predict(task, Small(), np.arange(50), Compute(CPU))
    assert "score" not in found
    assert set(found["prediction"]) == {-1}


def test_one_picture_alone_has_an_encoding_and_no_loss():
    found = predict(ready(pictures()), Small(), np.arange(1), Compute(CPU))
    assert np.isnan(found["loss"]).all()
    assert found["encoding"].shape == (1, 20)


def test_the_jackknife_gives_the_interval_of_a_mean():
    values = np.random.default_rng(0).normal(3, 2, (2000, 1))
    found = jackknife(lambda x: x.mean(), values)
    assert found.value == pytest.approx(values.mean())
    assert (found.high - found.low) / 2 == pytest.approx(2.093 * values.std() / 2000**0.5, rel=0.35)
    assert np.isnan(jackknife(effective_rank, values[:39]).low)


def test_pictures_with_labels_that_say_what_they_show_are_not_mirrored_unasked():
    assert "flip" not in BarlowTwins.default_augment(pictures())
    numbers = Dataset("table", {"x": NumberColumn(np.arange(3.0))}, None, np.array(["a", "b", "c"]))
    assert BarlowTwins.default_augment(numbers) == ()


def test_the_projector_is_a_default_of_named_models_and_never_of_a_module_of_the_user():
    task = ready(pictures())
    named = with_defaults(Recipe.from_dict({"model": {"name": "convnet"}}), task, 120)
    assert named.model.head == [6, 6]
    own = with_defaults(Recipe.from_dict({"model": {"name": "convnet", "head": []}}), task, 120)
    assert own.model.head == []
    module = with_defaults(Recipe.from_dict({"model": {"name": "(in memory) Small"}}), task, 120)
    assert module.model.head is None


def test_what_cannot_be_learnt_from_is_said():
    data = pictures()
    with pytest.raises(RecipeError, match="nothing changes them"):
        ready(data, augment=None)
    same = Dataset("grey", {"picture": ImageColumn(np.full((50, 1, 8, 8), 7, np.uint8))}, None, data.ids[:50])
    with pytest.raises(DataError, match="all the same"):
        ready(same)
    numbers = Dataset("table", {"x": NumberColumn(np.arange(50.0))}, None, data.ids[:50])
    with pytest.raises(DataError, match="one input of kind image; there are number"):
        ready(numbers)
    task = ready(data)
    with pytest.raises(RecipeError, match="batches of 2"):
        task.sampler(np.arange(100), 2, 0, CPU)
    with pytest.raises(RecipeError, match="batches of 9"):
        task.sampler(np.arange(9), 64, 0, CPU)
    with pytest.raises(RecipeError, match="projector has 6 outputs"):
        task.check_output(torch.zeros(4, 5))
