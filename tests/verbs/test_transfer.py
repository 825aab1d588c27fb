"""A model with weights, from a recipe to a run."""

from __future__ import annotations

import re

import pytest

import orthogon as og
from orthogon.train.recipe import Recipe
from orthogon.verbs.prepare import prepare


@pytest.mark.parametrize(("values", "augment"), [
    ({"model.weights": "imagenet"}, ["crop", "rotate", "color"]),
    ({"model.weights": "imagenet", "train.transfer": "features"}, []),
    ({"model.weights": "imagenet", "train.augment": ["flip"]}, ["flip"]),
    ({"model.weights": "imagenet", "train.augment": []}, []),
    ({}, []),
])
def test_pictures_are_changed_as_suits_what_learns_unless_told(values, augment):
    """Digits are not mirrored."""
    assert prepare(Recipe().with_values({"data.source": "digits", **values})).recipe.train.augment == augment


def test_the_head_learns_on_stored_features_and_the_whole_network_is_what_is_measured_and_shipped(tmp_path):
    quick = {"model.name": "convnet", "model.options": {"width": 4}, "train.epochs": 2, "train.threads": 1,
             "train.preflight": False, "split.train": 120, "split.dev": 60, "split.test": 60}
    given = og.train("digits", options=quick, out=tmp_path, name="given", quiet=True)
    run = og.train("digits", out=tmp_path, quiet=True, weights=str(given.path),
                   options={**quick, "train.transfer": "features", "train.ema": 0.9})
    first, second = (og.load(each.path).model.state_dict() for each in (given, run))
    changed = {name for name in first if (first[name] != second[name]).any()}
    assert changed == {"output.weight", "output.bias"}
    size = run.result["model"]
    assert size["learning"] == sum(first[name].numel() for name in changed)
    assert size["parameters"] == given.result["model"]["parameters"] == given.result["model"]["learning"]
    card = re.search(r"([\d,]+) parameters, of which ([\d,]+) learn", (run.path / "report.html").read_text())
    assert card
    assert [int(each.replace(",", "")) for each in card.groups()] == [size["parameters"], size["learning"]]
    assert (tmp_path / "cache" / "features").exists()
    assert run.rows("dev")["prediction"].shape == (60,)
    looked = og.labels(run, rounds=1, quiet=True)  # whose folds would move pictures, which stored features do not know
    assert len(looked.queue.given) == 180
