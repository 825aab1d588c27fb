"""One recipe from its spellings: defaults, then a file, then options, then `options` by flat key. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orthogon import registry
from orthogon.errors import RecipeError, nearest
from orthogon.train import recipes
from orthogon.train.recipe import Recipe
from orthogon.verbs.listing import METRICS

IN_MEMORY = "(in memory)"
"""What stands in a recipe as the source of data, or the name of a model, that was given as an object."""

NAMED = {
    "task": "task.name", "target": "data.target", "epochs": "train.epochs", "minutes": "train.minutes",
    "lr": "train.lr", "batch_size": "train.batch_size", "seed": "train.seed", "device": "train.device",
    "folds": "split.folds", "weights": "model.weights",
}
"""Argument of `train` -> the flat key that it sets."""

LENGTHS = ("train.epochs", "train.minutes", "train.steps")


def compose(
    data: Any = None, *, model: Any = None, recipe: Recipe | str | Path | Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None, refit: bool = False, **named: Any,
) -> tuple[Recipe, dict[str, str]]:
    """The recipe, and flat key -> where its value comes from ("default", the file, or "given").

    What is given beats what the file says. A length that is given (epochs, minutes or steps) replaces the others, and
    a batch size that is given makes the file's steps void, since they were counted for another one.
    """
    base, where = _base(recipe)
    origins = {key: where if key in _set_fields(base) else "default" for key in base.flat()}
    given = {NAMED[name]: value for name, value in named.items() if value is not None}
    if refit:
        given["train.refit"] = True
    if data is not None:
        given["data.source"] = _named_source(data)
    if isinstance(model, type):
        raise RecipeError(f"{model.__name__} is a class, not a module", where="model",
                          remedy=f"Make one of it: model={model.__name__}(...).")
    if model is not None:
        given["model.name"] = model if isinstance(model, str) else f"{IN_MEMORY} {type(model).__name__}"
    given |= dict(options or {})
    lengths = [key for key in LENGTHS if key in given]
    cleared = [key for key in LENGTHS if lengths and key not in lengths]
    if not lengths and "train.batch_size" in given and base.train.epochs is not None:
        cleared.append("train.steps")
    values: dict[str, Any] = {**dict.fromkeys(cleared), **given}
    if "model.weights" in given and base.model.weights_hash:  # what the weights before them had filled goes with them
        values = {"model.weights_hash": None, "data.normalize": None, "model.options": {}, **values}
    composed = base.with_values(values) if values else base
    _check_names(composed)
    origins |= dict.fromkeys((".".join(key.split(".")[:2]) for key in given), "given")
    if composed.model.weights is None or composed.model.weights_hash is not None:
        return composed, origins
    from orthogon.train.weights import left_open

    filled = left_open(composed)
    origins |= {key: "weights" for key in filled if key not in given}
    return composed.with_values(filled, where="weights"), origins


def _check_names(recipe: Recipe) -> None:
    """RecipeError for a task, metric, model, … that does not exist, before a folder is made for the run."""
    model = recipe.model.name
    if model is not None and ":" not in model and not model.endswith(".py") and not model.startswith(IN_MEMORY):
        registry.models.entry(model)
    if recipe.task.name is not None:
        registry.tasks.entry(recipe.task.name)
    known = [name for task, found in METRICS.items() if recipe.task.name in (None, task) for name, _, _ in found]
    if recipe.task.metric is not None and known and recipe.task.metric not in known:
        raise RecipeError(f"there is no metric {recipe.task.metric!r}", where="task.metric",
                          remedy=nearest(recipe.task.metric, sorted(set(known))))
    registry.optimizers.entry(recipe.train.optimizer)
    registry.schedules.entry(recipe.train.schedule)


def _base(recipe: Recipe | str | Path | Mapping[str, Any] | None) -> tuple[Recipe, str]:
    if recipe is None:
        return Recipe(), "default"
    if isinstance(recipe, Recipe):
        return recipe, "recipe"
    if isinstance(recipe, Mapping):
        return Recipe.from_dict(recipe), "recipe"
    if Path(recipe).exists() or Path(recipe).suffix in (".yaml", ".yml"):
        return Recipe.read(recipe), f"file {recipe}"
    return recipes.read(str(recipe)), f"recipe {recipe}"


def _set_fields(recipe: Recipe) -> set[str]:
    return {
        f"{section}.{name}" for section in ("data", "split", "task", "model", "train")
        for name in getattr(recipe, section).model_fields_set
    }


def _named_source(data: Any) -> str:
    if isinstance(data, str | Path):
        return str(data)
    return getattr(data, "origin", "") or IN_MEMORY
