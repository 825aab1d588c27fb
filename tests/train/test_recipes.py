"""Recipes that come with the software."""

from __future__ import annotations

import pytest

from orthogon import registry
from orthogon.errors import RecipeError
from orthogon.train import recipes
from orthogon.verbs.compose import compose


@pytest.mark.parametrize("name", recipes.names())
def test_each_can_be_read_says_what_it_is_and_names_what_there_is(name):
    recipe, origins = compose(recipe=name)
    assert origins["train.epochs"] in (f"recipe {name}", "default")
    assert len(recipes.names()[name]) > 20
    if recipe.model.name is not None:
        known = {option.name for option in registry.models.entry(recipe.model.name).options}
        assert set(recipe.model.options) <= known


def test_an_unknown_name_is_told_the_nearest():
    with pytest.raises(RecipeError, match="no recipe called 'classic/mnist-convnot'") as caught:
        compose(recipe="classic/mnist-convnot")
    assert "classic/mnist-convnet" in caught.value.remedy


def test_a_file_that_is_not_there_is_still_a_file():
    with pytest.raises(RecipeError, match="there is no such recipe"):
        compose(recipe="nowhere.yaml")


def test_what_is_given_beats_the_recipe():
    recipe, origins = compose("digits", recipe="classic/mnist-convnet", epochs=2)
    assert (recipe.data.source, recipe.train.epochs, recipe.train.batch_size) == ("digits", 2, 128)
    assert origins["train.batch_size"] == "recipe classic/mnist-convnet"
