"""What a recipe, or the options of a model in it, is told when it does not fit: what is wrong, and what to do."""

from __future__ import annotations

import math
from typing import Any

import pytest
from torch import nn

from orthogon.errors import RecipeError
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.train.build import build_model
from orthogon.train.recipe import Recipe
from orthogon.train.settings import ModelSettings
from orthogon.verbs.compose import compose

SPEC = ModelSpec((InputSpec("number", (4,)),), 2)


@pytest.mark.parametrize(("key", "value", "what", "remedy"), [
    ("train.momentum", 1.0, "the value should be less than or equal to 0.9999; got 1.0",
     "`orthogon list knobs` shows what train.momentum may be."),
    ("train.l2", -1, "the value should be greater than or equal to 0; got -1",
     "`orthogon list knobs` shows what train.l2 may be."),
    ("train.lr", math.nan, "the value should be a number; got nan",
     "`orthogon list knobs` shows what train.lr may be."),
    ("train.schedule_table", {"a": 1}, "the value should be a valid integer; got 'a'",
     "`orthogon list knobs` shows what train.schedule_table may be."),
    ("data.fit", "cropp", "the value should be 'crop', 'letterbox' or 'stretch'; got 'cropp'", "Did you mean 'crop'?"),
    ("task.class_weights", "balancd", "the value should be 'none' or 'balanced'; got 'balancd'",
     "Did you mean 'balanced'?"),
])
def test_a_value_that_does_not_fit_is_told_with_its_bound_and_a_remedy(key, value, what, remedy):
    with pytest.raises(RecipeError) as caught:
        Recipe().with_values({key: value})
    assert (caught.value.what, caught.value.remedy) == (what, remedy)
    assert caught.value.where.startswith(f"--set: {key}")
    assert "[" not in caught.value.where


@pytest.mark.parametrize(("options", "what", "remedy"), [
    ({"hiden": [3]}, "mlp has no option 'hiden'", "Did you mean 'hidden'?"),
    ({"spec": 1}, "mlp has no option 'spec'", "Known: "),
    ({"hidden": 32}, "hidden is a list of sizes of at least 1; got 32", "For example: [256, 128]"),
    ({"hidden": "abc"}, "hidden is a list of sizes of at least 1; got 'abc'", "For example: [256, 128]"),
    ({"hidden": [3, 0]}, "hidden is from 1 to 65536; got 0", "The default is (256, 128)."),
    ({"dropout": "much"}, "dropout is a share from 0 to below 1; got 'much'", "0.2 to 0.5 is usual."),
    ({"initializer": 3, "activation": []}, "mlp does not take these options", "Its options: hidden=(256, 128), "),
])
def test_options_that_a_model_does_not_take_are_named_with_a_remedy(options: dict[str, Any], what: str, remedy: str):
    with pytest.raises(RecipeError) as caught:
        build_model(SPEC, ModelSettings(name="mlp", options=options), 0)
    assert caught.value.what.startswith(what)
    assert caught.value.remedy.startswith(remedy)


def test_a_class_given_for_a_module_is_told_to_be_called():
    with pytest.raises(RecipeError, match="Linear is a class, not a module") as caught:
        compose(model=nn.Linear)
    assert caught.value.remedy == "Make one of it: model=Linear(...)."


def test_one_option_of_a_model_is_set_beside_the_others():
    recipe = Recipe.from_dict({"model": {"name": "gmlp", "options": {"width": 16, "depth": 2}}})
    changed = recipe.with_values({"model.options.width": 8, "model.options.hidden": 32})
    assert changed.model.options == {"width": 8, "depth": 2, "hidden": 32}
    assert recipe.model.options == {"width": 16, "depth": 2}
    replaced = recipe.with_values({"model.options": {"patch": 2}, "model.options.depth": 1})
    assert replaced.model.options == {"patch": 2, "depth": 1}
    assert Recipe().with_values({"model.options.stem": "small"}).model.options == {"stem": "small"}
