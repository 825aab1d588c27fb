"""Transfer: what of a network that starts with weights learns, by the recipe or by the amount of data (area 18)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from orthogon import registry
from orthogon.errors import RecipeError
from orthogon.nn.freeze import freeze, hold_still, stages
from orthogon.train.recipe import Recipe

FEW, SOME = 20, 80
"""Examples of a class: below the first the head alone learns, below the second the last stage with it, else all. The
order is that of rows 18.02 to 18.05; the numbers are a rule of thumb. With 114 photographs of waste in each class and
MobileNet-V2 the head alone was right in 83 %, with the last stage in 88 %, all layers in 90 % (one split, dev and
test together, n = 454)."""

ALIKE = 10
"""Where there are no classes, examples are counted as if there were so many."""

SEEN = 7_000
"""Examples that a pretrained trunk is shown, however few there are, so that short trainings have enough steps."""


def transfer_settings(transfer: str, rows: int) -> dict[str, Any]:
    """Settings of the `train` section that suit this way of transfer on so many examples; empty where there is none.

    A head on stored features learns like a table's model: hundreds of steps cost nothing. A trunk is shown each example
    a few times only, and early stages learn at lower rates than late ones (Howard & Ruder 2018, arXiv:1801.06146), all
    of them at far lower ones than the new head: with 2e-3 in its last stage MobileNet-V2 was wrong in 17 % of
    photographs of waste, with 1e-3 and 5e-4 in 11 %, with 2e-4, as here, in 9 % (dev of one split, n = 455).
    """
    if transfer == "auto":
        return {}
    if transfer == "features":
        return {"optimizer": "adamw", "lr": 1e-3, "weight_decay": 0.05, "epochs": 100, "batch_size": min(64, rows)}
    return {"optimizer": "adamw", "lr": 8e-3, "weight_decay": 0.05, "layer_decay": 0.5, "trunk_rate": 0.05,
            "epochs": max(5, min(40, round(SEEN / rows))), "batch_size": min(32, rows)}


def transfer_augment(transfer: str, symbols: bool) -> list[str]:
    """Ways of `train.augment` that suit it. symbols: classes are digits or letters, which mirrored are others."""
    ways = ["flip"] if transfer == "features" else ["flip", "crop", "rotate", "color"]
    return [way for way in ways if way != "flip" or not symbols]


def transfer_smoothing(transfer: str) -> float:
    """The `task.label_smoothing` that suits it: a trunk that learns could grow sure of the few examples it is shown."""
    return 0.0 if transfer == "features" else 0.1


def are_symbols(classes: Sequence[str]) -> bool:
    """Whether classes are named by numbers or single letters, as digits and letters are."""
    return bool(classes) and all(re.fullmatch(r"\d+|\w", name) for name in classes)


def resolve_transfer(
    recipe: Recipe, rows: int, classes: int, preferred: str | None = None
) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe with `train.transfer` chosen where a model starts with weights and it was left open; and the reason.

    rows: examples to train on. classes: 0 where the target has none. preferred: `Task.transfer`. RecipeError for
    transfer without weights, for both transfer and freeze, and for changes of pictures that stored features cannot
    follow.
    """
    settings = recipe.train
    if settings.freeze is not None:
        if settings.transfer not in ("auto", "all"):
            raise RecipeError("what is frozen is said twice", where="train.freeze",
                              remedy="Give train.freeze or train.transfer, not both.")
        return recipe.with_values({"train.transfer": "all"}, where="defaults"), ()
    if recipe.model.weights is None and recipe.model.name in registry.models and settings.transfer != "auto":
        raise RecipeError("there is nothing to transfer from: the model starts with random weights",
                          where="train.transfer", remedy="Name some: --weights imagenet, or the name of a run.")
    beyond = [way for way in settings.augment if way != "flip"]
    if settings.transfer == "features" and beyond:
        raise RecipeError(f"stored features know pictures and their mirror images alone, not {', '.join(beyond)}",
                          where="train.transfer", remedy="Take train.transfer=head, or train.augment=[flip].")
    if settings.transfer != "auto" or recipe.model.weights is None:
        return recipe, ()
    chosen, why = _chosen(rows / (classes or ALIKE), bool(beyond))
    if preferred is not None:
        chosen, why = preferred, "as suits the task"
    return recipe.with_values({"train.transfer": chosen}, where="defaults"), (why,)


def _chosen(each: float, augmented: bool) -> tuple[str, str]:
    """What learns, where there are so many examples of a class, and the reason. augmented: in other ways than flip."""
    told = f"about {each:,.0f} examples of a class"
    if each < FEW and not augmented:
        return "features", f"{told}: only the head learns, on stored features"
    if each < FEW:
        return "head", f"{told}: only the head learns"
    if each < SOME:
        return "last", f"{told}: the head and the last stage learn"
    return "all", f"{told}: all layers learn, early ones at lower rates"


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
