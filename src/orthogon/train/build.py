"""From names in a recipe to tasks, samplers and models."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from orthogon import registry
from orthogon.data.augment import Augmentation
from orthogon.errors import RecipeError, nearest
from orthogon.nn.heads import new_head
from orthogon.nn.metric_losses import PairHead, Similarity
from orthogon.nn.norm_statistics import measure_norms, unmeasured_norms
from orthogon.nn.spec import ModelSpec
from orthogon.train.pretrained import load_weights
from orthogon.train.randomness import key
from orthogon.train.recipe import Recipe
from orthogon.train.sampler import Sampler
from orthogon.train.settings import ModelSettings, TrainSettings
from orthogon.train.task import Task
from orthogon.train.transfer import freeze_for, last_of_trunk
from orthogon.train.weights import Weights, find

TO_MEASURE = 64
"""Examples by which batch norms without statistics are given some."""


def build_task(recipe: Recipe) -> Task:
    """The task that the recipe names, not yet fitted."""
    if recipe.task.name is None:
        raise RecipeError("no task is named", where="task.name", remedy="For example: --task classify")
    settings = recipe.train
    augment = Augmentation(tuple(settings.augment), settings.augment_strength, settings.augment_border)
    return registry.tasks.load(recipe.task.name)(recipe.task, recipe.data, augment)


def build_sampler(task: Task, rows: np.ndarray, settings: TrainSettings, device: torch.device) -> Sampler:
    """The task's sampler with the batch size of the settings, growing where they say so."""
    sampler = task.sampler(rows, settings.batch_size or 128, settings.seed, device)
    return sampler if settings.batch_growth == 1 else sampler.growing(settings.batch_growth, settings.schedule_epochs)


def build_model(spec: ModelSpec, settings: ModelSettings, seed: int) -> nn.Module:
    """The model that the settings name, with its new head where they want one. Its first weights are drawn from (seed,
    "weights"), those of a new head from (seed, "head"); global state is untouched."""
    return _with_head(_as_published(spec, settings, seed), spec, settings, seed)


def _as_published(spec: ModelSpec, settings: ModelSettings, seed: int) -> nn.Module:
    if settings.name is None:
        raise RecipeError("no model is named", where="model.name", remedy="For example: --model mlp")
    builder = _builder(settings, spec)
    known = dict(inspect.signature(builder).parameters)
    takes_any = any(each.kind is each.VAR_KEYWORD for each in known.values())
    for option in settings.options:
        if option not in known and not takes_any:
            raise RecipeError(f"{settings.name} has no option {option!r}", where="model.options",
                              remedy=nearest(option, list(known)))
    for option in registry.models.entry(settings.name).options if settings.name in registry.models else ():
        if option.name in settings.options:
            option.check(settings.options[option.name])
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(key(seed, "weights"))
        try:
            return builder(**settings.options)
        except TypeError as error:
            raise RecipeError(f"{settings.name} does not take these options: {error}", where="model.options",
                              remedy=f"Its options: {_options(known)}.") from error


def _with_head(model: nn.Module, spec: ModelSpec, settings: ModelSettings, seed: int) -> nn.Module:
    if settings.head is not None:
        _put_new_head(model, spec, settings.head, seed)
    if spec.compares:
        model.add_module("pair_head", PairHead(spec.outputs, cast(Similarity, spec.compares)))
    return model


def _put_new_head(model: nn.Module, spec: ModelSpec, hidden: Sequence[int], seed: int) -> None:
    if "category" in spec.kinds:
        raise RecipeError("a new head is for models of pictures, texts and numbers", where="model.head",
                          remedy="Leave model.head out.")
    zeros = [torch.zeros(2, *item.shape, dtype=torch.int64 if item.levels else None) for item in spec.inputs]
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(key(seed, "head"))
        try:
            new_head(model, zeros, hidden, spec.outputs)
        except ValueError as error:
            raise RecipeError(str(error), where="model.head", remedy="Leave model.head out.") from None


def starting_model(task: Task, recipe: Recipe, rows: np.ndarray, module: nn.Module | None = None) -> nn.Module:
    """The model as training on the rows begins with it: built, filled with the weights that the recipe names, given a
    new head, the last layers of its trunk made anew, and what is to be frozen frozen, in this order.

    module: one of the user's own instead; of all this it is frozen alone, in place.
    Batch norms that come without statistics, and are to learn, are given those of some rows (`measure_norms`).
    """
    settings, seed = recipe.model, recipe.train.seed
    if module is not None:
        if settings.head is not None or settings.reinitialize:
            raise RecipeError("a module of your own is taken as it is", where="model.head",
                              remedy="Change it yourself: orthogon.nn.heads.new_head does it.")
        freeze_for(module, recipe)
        return module
    model = _as_published(task.spec, settings, seed)
    if settings.weights is not None:
        anew = last_of_trunk(model, settings.reinitialize)
        drawn = {name: value.clone() for name, value in model.state_dict().items() if name.rpartition(".")[0] in anew}
        _fill(model, task, recipe, rows)
        model.load_state_dict(drawn, strict=False)
    model = _with_head(model, task.spec, settings, seed)
    freeze_for(model, recipe)
    return model


def _fill(model: nn.Module, task: Task, recipe: Recipe, rows: np.ndarray) -> None:
    load_weights(model, chosen_weights(recipe.model), task.classes, task.vocabularies)
    trunk_learns = recipe.train.transfer not in ("features", "head")
    if trunk_learns and (norms := unmeasured_norms(model)):
        some = rows[np.linspace(0, len(rows) - 1, min(len(rows), TO_MEASURE)).astype(int)]
        batches = [task.batch(part).inputs for part in torch.as_tensor(some, dtype=torch.int64).split(16)]
        measure_norms(model.to(batches[0][0].device), norms, batches)


def chosen_weights(settings: ModelSettings) -> Weights:
    """The weights that the settings name; RecipeError where they are not those that the recipe was made with."""
    weights = find(str(settings.weights), settings.name, settings.options)
    if settings.weights_hash and not weights.sha256.startswith(settings.weights_hash):
        raise RecipeError("these are not the weights that the recipe was made with", where=weights.title,
                          remedy="Bring those back, or name the new ones: --weights NAME.")
    return weights


def source_hash(name: str) -> str | None:
    """SHA-256 of the file behind `file.py:Class`; None for models known by name."""
    path, _, _ = name.rpartition(":")
    return hashlib.sha256(Path(path).read_bytes()).hexdigest() if path.endswith(".py") else None


def _builder(settings: ModelSettings, spec: ModelSpec) -> Callable[..., nn.Module]:
    name = str(settings.name)
    if name.startswith("timm:"):
        return _from_timm(name.removeprefix("timm:"), spec)
    if name.rpartition(":")[0].endswith(".py"):
        return _with_spec(_from_file(name, settings.source_hash), spec)
    if name.endswith(".py"):
        raise RecipeError(f"{name!r} names a file without a class", where="model.name", remedy=f"Use {name}:ClassName.")
    entry = registry.models.entry(name)
    missing = set(spec.kinds) - set(entry.kinds) if entry.kinds else set()
    if missing:
        raise RecipeError(
            f"{name} takes {' and '.join(entry.kinds)} columns, this data has {' and '.join(spec.kinds)}",
            where="model.name", remedy="`orthogon list models` shows what each takes; mlp takes all.",
        )
    return _with_spec(entry.load(), spec)


def _with_spec(builder: Callable[..., nn.Module], spec: ModelSpec) -> Callable[..., nn.Module]:
    """The builder with the spec filled in, where it asks for one; its signature is of what is left to choose."""
    signature = inspect.signature(builder)
    if "spec" not in signature.parameters:
        return builder

    def built(**options: Any) -> nn.Module:
        return builder(spec, **options)

    decided = {"spec", *getattr(builder, "keywords", ())}
    built.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[each for name, each in signature.parameters.items() if name not in decided])
    return built


def _from_file(name: str, expected: str | None) -> Callable[..., nn.Module]:
    path, _, attribute = name.rpartition(":")
    if not Path(path).is_file():
        raise RecipeError("there is no such file", where=path, remedy="Give --model path/to/file.py:ClassName.")
    if expected and source_hash(name) != expected:
        raise RecipeError("the file has changed since the run was made", where=path,
                          remedy="Restore it, or train again with the new one.")
    specification = importlib.util.spec_from_file_location(f"orthogon_user_{Path(path).stem}", path)
    if specification is None or specification.loader is None:
        raise RecipeError("the file cannot be imported", where=path)
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    if not hasattr(module, attribute):
        raise RecipeError(f"there is no {attribute!r} in it", where=path)
    return getattr(module, attribute)


def _from_timm(name: str, spec: ModelSpec) -> Callable[..., nn.Module]:
    try:
        import timm  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise RecipeError("timm is not installed", where="model.name", remedy="pip install timm") from None
    if spec.kinds != ("image",):
        raise RecipeError("models of timm take pictures", where="model.name")
    channels = spec.inputs[0].shape[0]
    return lambda **options: timm.create_model(name, num_classes=spec.outputs, in_chans=channels, **options)


def _options(known: Mapping[str, inspect.Parameter]) -> str:
    """"hidden=(256, 128), activation='relu'"."""
    return ", ".join(str(each.replace(annotation=each.empty)) for each in known.values())
