"""Parameter groups: who decays, and at what rate."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from torch import nn


class Rule(NamedTuple):
    """For parameters whose name matches the shell pattern: a factor of the rate, a decay; None = as the others."""

    pattern: str
    lr: float | None
    weight_decay: float | None


def parameter_groups(
    model: nn.Module, weight_decay: float, rules: Sequence[Rule] = ()
) -> list[dict[str, Any]]:
    """Groups for an optimizer, each with `params`, `names`, `weight_decay` and `lr_factor`.

    Parameters with one axis or none (biases, the scales of norms) do not decay (row 5.03), unless a rule says so.
    The first rule that matches counts. Frozen parameters are left out. ValueError for a rule that matches nothing.
    """
    groups: dict[tuple[float, float], dict[str, Any]] = {}
    unused = {rule.pattern for rule in rules}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        rule = next((rule for rule in rules if fnmatchcase(name, rule.pattern)), Rule("", None, None))
        unused.discard(rule.pattern)
        decay = rule.weight_decay
        if decay is None:
            decay = weight_decay if parameter.ndim > 1 else 0.0
        factor = 1.0 if rule.lr is None else rule.lr
        group = groups.setdefault(
            (factor, decay), {"params": [], "names": [], "weight_decay": decay, "lr_factor": factor}
        )
        group["params"].append(parameter)
        group["names"].append(name)
    if unused:
        raise ValueError(f"no parameter is called {', '.join(sorted(unused))}")
    return list(groups.values())
