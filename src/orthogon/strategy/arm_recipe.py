"""From the recipe of a run to that of an arm, or of the next run: a remedy's changes, and what they make void."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orthogon.errors import RecipeError
from orthogon.train.fit import Plan
from orthogon.train.optimizer import usual_settings
from orthogon.train.recipe import Recipe

RESOLVED = ("train.steps", "train.explicit", "train.threads", "train.fused", "train.flat", "train.channels_last")
"""What planning filled in for the model and the batch of the base; for another recipe it is open again."""

LENGTHS = ("train.epochs", "train.minutes", "train.steps")
CHANGING = ("data.image_size", "data.fit", "split.move_dev", "split.move_reserve")
"""Of the data and the split, all that an arm may change: its results are to be paired with those of the base."""


def _check(changes: Mapping[str, Any], where: str) -> None:
    """RecipeError for what an arm cannot change."""
    for key in changes:
        section = key.partition(".")[0]
        if (section in ("data", "split") and key not in CHANGING) or key in ("task.name", "train.seed"):
            raise RecipeError(f"a probe keeps the {'task' if section == 'task' else section} of its run: {key} cannot "
                              "change", where=where, remedy="Train another run with it, and compare the two.")


def changed(recipe: Recipe, changes: Mapping[str, Any], where: str = "probe") -> Recipe:
    """The recipe of a run as it was before planning, with the changes; what they make void is open again.

    A length replaces the others; another model begins with its own options; another optimizer with its usual rate and
    decay, unless the changes say otherwise.
    """
    _check(changes, where)
    has_length = recipe.train.epochs is not None or recipe.train.minutes is not None
    opened: dict[str, Any] = {key: None for key in RESOLVED if key != "train.steps" or has_length}
    if any(key in changes for key in LENGTHS):
        opened |= dict.fromkeys(LENGTHS)
    if "model.name" in changes:
        opened |= {"model.options": {}, "model.source_hash": None}
    if "train.optimizer" in changes:
        usual = usual_settings(changes["train.optimizer"])
        opened |= {f"train.{name}": value for name, value in usual.items()}
    return recipe.with_values({**opened, **changes}, where=where)


def shortened(full: Plan, budget: float) -> Plan:
    """The plan at a share of its steps; drops of the rate and growths of the batch come as much earlier."""
    settings = full.recipe.train
    table = {max(1, round(budget * epoch)): factor for epoch, factor in settings.schedule_table.items()}
    recipe = full.recipe.with_values({
        "train.steps": max(1, round(budget * (settings.steps or 1))), "train.schedule_table": table,
        "train.schedule_epochs": max(1, round(budget * settings.schedule_epochs)),
    })
    return replace(full, recipe=recipe)
