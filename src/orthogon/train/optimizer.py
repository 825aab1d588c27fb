"""From the recipe to an optimizer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from orthogon import registry
from orthogon.errors import RecipeError
from orthogon.nn.freeze import stages
from orthogon.optim.backstitch import Backstitch
from orthogon.optim.groups import Pace, Rule, parameter_groups, stage_paces, unfreezing
from orthogon.train.settings import TrainSettings

RMS_DECAY = 0.999
"""Of RMSprop and the Adam family where the recipe leaves it open (35.12); of Adadelta it is torch's 0.9."""

# Name -> its options; those that are None are left to the optimizer. All of these treat every number alike.
_OPTIONS: dict[str, Callable[[TrainSettings], dict[str, Any]]] = {
    "sgd": lambda s: {},
    "momentum": lambda s: {"momentum": s.momentum},
    "averaged_momentum": lambda s: {"momentum": s.momentum, "bias_correction": s.bias_correction},
    "nesterov": lambda s: {"momentum": s.momentum, "nesterov": True},
    "rmsprop": lambda s: {"alpha": s.beta2 or RMS_DECAY, "eps": s.epsilon},
    "adagrad": lambda s: {"eps": s.epsilon},
    "adadelta": lambda s: {"rho": s.beta2, "eps": s.epsilon},
    "adam": lambda s: {"betas": (s.momentum, s.beta2 or RMS_DECAY), "eps": s.epsilon},
    "adamw": lambda s: {"betas": (s.momentum, s.beta2 or RMS_DECAY), "eps": s.epsilon},
    "nadam": lambda s: {"betas": (s.momentum, s.beta2 or RMS_DECAY), "eps": s.epsilon},
    "adamod": lambda s: {"betas": (s.momentum, s.beta2 or RMS_DECAY, 0.999), "eps": s.epsilon},
}
# Name -> rate and weight decay where the recipe leaves them open and the task's are for another optimizer. Rates in
# common use (those of the momenta end in the same steps); a decay that goes through the gradient is kept small.
_USUAL: dict[str, tuple[float, float]] = {
    "sgd": (0.1, 5e-4), "momentum": (0.05, 5e-4), "nesterov": (0.05, 5e-4), "averaged_momentum": (0.5, 5e-4),
    "rmsprop": (1e-3, 0.0), "adagrad": (1e-2, 0.0), "adadelta": (1.0, 0.0), "adam": (1e-3, 0.0), "adamw": (1e-3, 0.01),
    "nadam": (1e-3, 0.0), "adamod": (1e-3, 0.0), "lbfgs": (1.0, 0.0),
}
_FUSED = {"sgd", "momentum", "nesterov", "adagrad", "adam", "adamw"}
_FOR_EACH = _FUSED | {"rmsprop", "adadelta", "nadam"}
# Those that compare losses along a line, and what would mislead them: it acts on weights or gradient, not on the loss.
_LINE_SEARCH = {"lbfgs"}
_NOT_IN_THE_LOSS = ("l1", "l2", "max_norm", "clip_norm", "clip_value", "backstitch")


def usual_settings(name: str) -> dict[str, float]:
    """`lr` and `weight_decay` that people usually begin with; empty for an optimizer from another package (35.19)."""
    return dict(zip(("lr", "weight_decay"), _USUAL[name])) if name in _USUAL else {}


def can_be_fused(name: str, device: str) -> bool:
    """Whether torch has one kernel for the whole update of this optimizer there."""
    return name in _FUSED and device in ({"cpu"} if name == "adagrad" else {"cpu", "cuda"})


def is_elementwise(name: str) -> bool:
    """Whether the optimizer is known to treat every number alike, so that it may work on flat parameters."""
    return name in _OPTIONS


def asks_again(optimizer: torch.optim.Optimizer) -> bool:
    """Whether its step must be given a function that computes loss and gradient anew (L-BFGS, Backstitch)."""
    return inspect.signature(optimizer.step).parameters["closure"].default is inspect.Parameter.empty


def optimizer_groups(model: nn.Module, settings: TrainSettings) -> list[dict[str, Any]]:
    """The trainable parameters of the model in groups with `lr`, `weight_decay` and `starts` (the step before which
    their rate is 0) of their own; weights alone decay.

    RecipeError where there is nothing to train, no rate, or a rule that matches no parameter.
    """
    rules = [Rule(rule.pattern, rule.lr, rule.weight_decay) for rule in settings.parameter_rules]
    try:
        groups = parameter_groups(model, settings.weight_decay, rules, paces(model, settings))
    except ValueError as error:
        raise RecipeError(str(error), where="train.parameter_rules",
                          remedy="`orthogon summary MODEL` lists the names.") from None
    if not groups:
        raise RecipeError("the model has no parameters to train", where="model",
                          remedy="Leave requires_grad on for some of them.")
    if settings.lr is None:
        raise RecipeError("no learning rate is set", where="train.lr", remedy="For example: --lr 0.001")
    return [{"params": group["params"], "weight_decay": group["weight_decay"], "lr": settings.lr * group["lr_factor"],
             "starts": group["starts"]} for group in groups]


def paces(model: nn.Module, settings: TrainSettings) -> dict[str, Pace]:
    """Layer -> its pace, by `train.layer_decay` and `train.trunk_rate` and, in gradual transfer, by when its stage
    begins to learn."""
    alike = settings.layer_decay == settings.trunk_rate == 1 and settings.transfer != "gradual"
    if settings.transfer == "features" or alike:
        return {}
    found = stages(model)
    starts = unfreezing(len(found), settings.steps or 1) if settings.transfer == "gradual" else ()
    return stage_paces(found, settings.layer_decay, starts, settings.trunk_rate)


def build_optimizer(groups: Sequence[dict[str, Any]], settings: TrainSettings) -> torch.optim.Optimizer:
    """The optimizer of the recipe on these groups: fused or for-each where torch has that; within Backstitch if asked.

    RecipeError for a value that the optimizer does not take.
    """
    name = settings.optimizer
    misleading = [key for key in _NOT_IN_THE_LOSS if getattr(settings, key)] if name in _LINE_SEARCH else []
    if misleading:
        raise RecipeError(f"{name} compares losses, and {misleading[0]} is in none", where=f"train.{misleading[0]}",
                          remedy="Leave it out, or take another optimizer.")
    options = _OPTIONS[name](settings) if name in _OPTIONS else {}
    kernel: dict[str, Any] = {}
    if settings.fused and name in _FUSED:
        kernel = {"fused": True}
    elif name in _FOR_EACH:
        kernel = {"foreach": True}
    given = {key: value for key, value in options.items() if value is not None}
    try:
        optimizer = registry.optimizers.load(name)(list(groups), lr=settings.lr, **given, **kernel)
    except ValueError as error:
        raise RecipeError(f"{name} does not take these settings: {error}", where="train.optimizer",
                          remedy="Change the value that it names, or take another optimizer.") from None
    return Backstitch(optimizer, settings.backstitch) if settings.backstitch else optimizer
