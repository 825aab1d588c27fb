"""Whether model, task and data fit together, tried on two examples."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from orthogon.errors import RecipeError
from orthogon.nn.modes import evaluating
from orthogon.train.task import Batch, Task


def check_model(model: nn.Module, task: Task, few: Batch) -> None:
    """The model takes this data and gives as many outputs as the task needs; RecipeError where it does not."""
    given = " and ".join(f"{item.kind}s {'x'.join(map(str, item.shape))}" for item in task.spec.inputs)
    try:
        with evaluating(model):
            output = model(*few.inputs)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise RecipeError(
            f"the model cannot take this data ({given} for each example): {first_line(error)}", where="model",
            remedy="Give it inputs of that shape, or leave columns out: --type COLUMN=ignore.",
        ) from error
    task.check_output(output)


def check_loss(model: nn.Module, task: Task, few: Batch) -> None:
    """Labels fit the outputs, and each part of the loss, where there is one, is a scalar; RecipeError where not."""
    if isinstance(few.target, Tensor) and (misfit := misfit_of_labels(few.target, task.spec.outputs)):
        raise RecipeError(misfit, where="labels", remedy=remedy_for_labels(few.target, task.spec.outputs))
    if not task.has_loss:
        return
    try:
        with evaluating(model), torch.enable_grad():
            parts = task.loss(model, few).parts
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise RecipeError(f"the loss of {task.name} cannot be computed: {first_line(error)}", where="loss",
                          remedy="Look at the shapes and types of outputs and targets.") from error
    for part in parts:
        if part.sum.ndim:
            raise RecipeError(
                f"the part {part.name!r} of the loss is a tensor of shape {tuple(part.sum.shape)}, not a scalar",
                where="loss", remedy="Part.sum is the sum over the batch: add .sum().",
            )


def first_line(error: Exception) -> str:
    """What the error says, without what torch adds below; empty where it says nothing."""
    return next(iter(str(error).splitlines()), "")


def misfit_of_labels(target: Tensor, outputs: int) -> str:
    """A sentence where integer labels are not codes of the outputs; empty where they are, or are no integers."""
    if target.is_floating_point() or not target.numel():
        return ""
    low, high = int(target.min()), int(target.max())
    if low >= 0 and high < outputs:
        return ""
    return f"labels run from {low} to {high}, but {outputs} outputs stand for labels 0 to {outputs - 1}"


def remedy_for_labels(target: Tensor, outputs: int) -> str:
    from_one = int(target.min()) >= 1 and int(target.max()) == outputs
    return f"Let labels be codes from 0 to {outputs - 1}." + (" Counted from 1? Subtract 1." if from_one else "")
