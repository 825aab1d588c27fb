"""From names in a recipe to tasks, samplers and models."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from orthogon import registry
from orthogon.data.augment import Augmentation
from orthogon.errors import RecipeError, nearest
from orthogon.nn.spec import ModelSpec
from orthogon.train.randomness import key
from orthogon.train.recipe import ModelSettings, Recipe, TrainSettings
from orthogon.train.sampler import Sampler
from orthogon.train.task import Task


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
    """The model that the settings name, its first weights drawn from (seed, "weights"); global state untouched."""
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


def starting_model(task: Task, settings: ModelSettings, seed: int) -> nn.Module:
    """The model as training begins with it: built, then filled with the weights that the settings name."""
    model = build_model(task.spec, settings, seed)
    if settings.weights is not None:
        from orthogon.train.pretrained import load_weights
        from orthogon.train.weights import find

        weights = find(settings.weights, settings.name, settings.options)
        if settings.weights_hash and not weights.sha256.startswith(settings.weights_hash):
            raise RecipeError("these are not the weights that the recipe was made with", where=weights.title,
                              remedy="Bring those back, or name the new ones: --weights NAME.")
        load_weights(model, weights, task.classes)
    return model


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
