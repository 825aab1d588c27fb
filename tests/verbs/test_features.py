"""`features` of whole runs: with labels and without, on their own data and on other data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import orthogon as og
from orthogon.data.columns import CategoryColumn, ImageColumn
from orthogon.errors import DataError, RecipeError
from orthogon.report.report import write as write_report
from orthogon.train.run import Run
from orthogon.verbs import features as verb
from orthogon.verbs.features import _divided, _setting

SMALL = {"model.options": {"width": 8}, "train.threads": 1, "train.preflight": False, "train.health": False}


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verb, "SHOWN", 400)


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Run:
    root = tmp_path_factory.mktemp("runs")
    return og.train("digits", task="barlow_twins", model="convnet", epochs=4, out=root, name="twins", quiet=True,
                    options={**SMALL, "task.projector": 32, "train.augment_strength": 0.5})


def test_what_was_learnt_without_labels_is_read_off_with_few_and_told_in_the_report(twins):
    found = og.features(twins, labels=[60, 0.1], processes=1)
    assert [(use.labels, use.way) for use in found.uses] == [
        (count, way) for count in (60, 108) for way in ("neighbors", "linear", "whole")]
    assert (found.part, found.asked, found.of) == ("dev", 359, 1079)
    near = found.uses[0]
    assert near.gain.verdict == "better"
    assert near.gain.difference == pytest.approx(near.learnt.value - near.random.value)
    assert found.uses[2].gain == found.uses[2].over_scratch
    assert near.chosen.startswith("k = ")
    assert twins.evidence()["features"]["sentence"] == found.sentence
    page = Path(write_report(twins)).read_text()
    assert "What the representation is worth" in page
    assert "over training from scratch" in page


def test_both_starts_differ_in_their_first_weights_alone_and_learn_from_the_same_examples(twins):
    setting = _setting(twins, None, None)
    learnt, random = (setting.recipes[start] for start in ("learnt", "random"))
    assert learnt.model.weights is not None
    assert random.model.weights is None
    differing = {key for key, value in learnt.flat().items() if value != random.flat()[key]}
    assert differing == {"model.weights", "model.weights_hash", "train.transfer"}
    assert random.train.augment == twins.recipe().train.augment
    few, more = setting.subset(60), setting.subset(200)
    assert set(few) < set(more)
    assert set(np.bincount(setting.task.targets(few))) <= {5, 6, 7}


def test_other_data_is_asked_with_its_own_labels_and_the_report_of_the_run_is_left_alone(twins, tmp_path):
    column = og.read("digits").columns["image"]
    assert isinstance(column, ImageColumn)
    before = twins.evidence().get("features")
    for row in range(120):
        path = tmp_path / "signs" / ("first" if row % 10 < 5 else "second") / f"{row}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(column.cell(row).reshape(8, 8)).save(path)
    found = og.features(twins, labels=[20], data=str(tmp_path / "signs"), processes=1)
    assert found.data == "signs"
    assert found.of + found.asked < 120
    assert twins.evidence().get("features") == before


@pytest.mark.parametrize(("task", "model", "part"), [
    ("reconstruct", "autoencoder", "dev"), ("boltzmann", "rbm", "dev"), ("classify", "mlp", "dev"),
    ("verify", "mlp", "half of dev"),
])
def test_whatever_has_a_head_is_asked_what_enters_it(task, model, part, tmp_path):
    data = replace(og.read("digits").take(np.arange(300)), origin="")
    run = og.train(data, task=task, model=model, epochs=1, out=tmp_path, quiet=True, options={
        "train.threads": 1, "train.preflight": False, "train.health": False, "split.dev": 0.4, "split.test": 0})
    found = og.features(run, labels=[24], data=data)
    assert found.part == part
    assert {use.way for use in found.uses} == {"neighbors", "linear", "whole"}
    assert found.asked > 50
    identities = len(np.unique(run.rows("dev")["target"]))  # they are drawn as wholes
    units = {"dev": found.asked, "half of dev": identities}[part]
    assert all(use.gain.n == use.learnt.n == units for use in found.uses)


def test_a_run_without_labels_gives_encodings_of_new_pictures_and_is_told_by_its_neighbors(twins):
    picture = og.read("digits").columns["image"].cell(0)
    [item] = og.load(twins).predict(picture[None])
    assert len(item["encoding"]) == 16
    told = og.evaluate(twins)
    assert twins.evaluations()["dev"]["metrics"]["view_agreement"]["value"] > 0.2
    assert "nearest" in str(told)


def test_dev_of_other_classes_is_halved():
    column = CategoryColumn(np.array([0, 0, 1, 1, 2, 2, 3, 3, 2, 3]), ["a", "b", "c", "d"])
    part, rows, asked = _divided(column, np.array([0, 1, 2, 3]), np.array([4, 5, 6, 7, 8, 9]))
    assert part == "half of dev"
    assert sorted([*rows, *asked]) == [4, 5, 6, 7, 8, 9]
    assert set(column.codes[rows]) == set(column.codes[asked]) == {2, 3}
    whole = _divided(column, np.array([0, 2, 4]), np.array([1, 3, 6]))
    assert (whole[0], whole[2].tolist()) == ("dev", [1, 3])


def test_what_cannot_be_asked_is_said(twins):
    with pytest.raises(RecipeError, match="no share and no number"):
        og.features(twins, labels=[-1])
    with pytest.raises(DataError, match="nothing"):
        og.features(twins, target="nothing")
