"""Transfer: what of a network that starts with weights learns, by the recipe or by the amount of data (area 18)."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from orthogon import registry
from orthogon.errors import RecipeError
from orthogon.nn.freeze import freeze, hold_still, stages
from orthogon.train.recipe import Recipe

HEAD_SETTINGS = {"optimizer": "adamw", "lr": 1e-3, "weight_decay": 0.05, "epochs": 100, "batch_size": 64}
TRUNK_SETTINGS = {"optimizer": "adamw", "lr": 1e-3, "weight_decay": 0.05, "epochs": 15, "batch_size": 32,
                  "layer_decay": 0.5}


def transfer_settings(transfer: str) -> dict[str, Any]:
    """Settings of the `train` section that suit this way of transfer; empty where nothing is transferred."""
    if transfer == "auto":
        return {}
    return HEAD_SETTINGS if transfer == "features" else TRUNK_SETTINGS


def resolve_transfer(recipe: Recipe, rows: int) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe with `train.transfer` chosen where a model starts with weights and it was left open; and the reason.

    rows: examples to train on. RecipeError for transfer without weights, and for both transfer and freeze.
    """
    settings = recipe.train
    if settings.freeze is not None:
        if settings.transfer not in ("auto", "all"):
            raise RecipeError("what is frozen is said twice", where="train.freeze",
                              remedy="Give train.freeze or train.transfer, not both.")
        return recipe.with_values({"train.transfer": "all"}, where="defaults"), ()
    if recipe.model.weights is None and recipe.model.name in registry.models:
        if settings.transfer != "auto":
            raise RecipeError("there is nothing to transfer from: the model starts with random weights",
                              where="train.transfer", remedy="Name some: --weights imagenet, or the name of a run.")
        return recipe, ()
    if settings.transfer != "auto" or recipe.model.weights is None:
        return recipe, ()
    chosen, why = _chosen(rows)
    return recipe.with_values({"train.transfer": chosen}, where="defaults"), (why,)


def freeze_for(model: nn.Module, recipe: Recipe) -> None:
    """Freeze what the recipe says, in place; the batch norms of a trunk that starts with weights stand still in any
    case: a few small batches would replace the statistics of a million pictures (E65: early layers are frozen).

    recipe: resolved. RecipeError where layers are named or counted that there are not.
    """
    settings = recipe.train
    try:
        if settings.freeze is not None:
            freeze(model, settings.freeze)
        elif settings.transfer in ("features", "head"):
            freeze(model, _trunk(model))
        elif settings.transfer == "last":
            freeze(model, [layer for stage in stages(model)[:-2] for layer in stage])
        if settings.transfer != "auto":
            anew = last_of_trunk(model, recipe.model.reinitialize)
            norms = [model.get_submodule(name) for name in _trunk(model) if name not in anew]
            hold_still(module for module in norms if isinstance(module, _BatchNorm))
    except ValueError as error:
        raise RecipeError(str(error), where="train.transfer" if settings.freeze is None else "train.freeze",
                          remedy="`orthogon summary MODEL` lists the layers.") from None


def _chosen(rows: int) -> tuple[str, str]:
    return "features", "few"


def _trunk(model: nn.Module) -> list[str]:
    return [layer for stage in stages(model)[:-1] for layer in stage]


def last_of_trunk(model: nn.Module, count: int) -> list[str]:
    """The names of the last so many layers of the trunk; RecipeError where it has fewer."""
    if count == 0:
        return []
    trunk = _trunk(model)
    if count > len(trunk):
        raise RecipeError(f"{count} layers are to start anew, and the trunk has {len(trunk)}",
                          where="model.reinitialize", remedy=f"Give at most {len(trunk)}.")
    return trunk[-count:]
