"""`preflight`: what can be known to be wrong before training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orthogon.errors import RecipeError
from orthogon.train.recipe import Recipe
from orthogon.verbs.compose import compose

if TYPE_CHECKING:
    from torch import nn

    from orthogon.strategy.preflight import Preflight


def preflight(
    data: Any = None, *, task: str | None = None, target: str | list[str] | None = None,
    model: str | nn.Module | None = None, recipe: Recipe | str | Path | Mapping[str, Any] | None = None,
    weights: str | None = None, options: Mapping[str, Any] | None = None, epochs: int | None = None,
    lr: float | None = None, batch_size: int | None = None, seed: int | None = None, device: str | None = None,
) -> Preflight:
    """Look for mistakes in data, model, loss and learning rate, each pass, fail or skip with evidence and remedy.

    The arguments are those of `og.train`. Checked are labels, inputs, trainable parameters, batch norm, outputs, the
    loss before training, its reduction, dead and saturated units, that gradients arrive and are right, that one batch
    can be learnt by heart, that zeros for inputs do worse, that shuffled labels do not generalize, and the rate.

    The result prints itself and is true where nothing failed. Everything is tried on copies of the model: training
    afterwards is bit-identical to training without it. Where model, data and task do not fit together at all, that is
    the one outcome. Raises DataError and RecipeError for data and recipes that cannot be read.
    """
    composed, _ = compose(data, task=task, target=target, model=model, weights=weights, recipe=recipe, options=options,
                          epochs=epochs, lr=lr, batch_size=batch_size, seed=seed, device=device)
    from orthogon.strategy.outcome import failed
    from orthogon.strategy.preflight import Preflight
    from orthogon.strategy.preflight import preflight as check
    from orthogon.train.fit import plan
    from orthogon.verbs.prepare import prepare

    prepared = prepare(composed, data)
    rows = prepared.passport.rows("train")
    fitted = prepared.task(rows)
    module = None if isinstance(model, str) else model
    try:
        planned = plan(prepared.recipe.with_values({"train.minutes": None}), fitted, rows, model=module)
    except RecipeError as error:
        return Preflight({error.where or "recipe": failed(error.what, error.remedy, hopeless=True)}, 0.0)
    return check(planned, fitted, rows, model=module)
