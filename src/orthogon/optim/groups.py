"""Parameter groups: who decays, who learns at what rate, and from which step on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from torch import nn


class Rule(NamedTuple):
    """For parameters whose name matches the shell pattern: a factor of the rate, a decay; None = as the others."""

    pattern: str
    lr: float | None
    weight_decay: float | None


class Pace(NamedTuple):
    """How a part of a network learns: the factor of its rate, and the step, from 0, before which it is frozen."""

    factor: float = 1.0
    starts: int = 0


def stage_paces(stages: Sequence[Sequence[str]], decay: float = 1.0, starts: Sequence[int] = (),
                trunk: float = 1.0) -> dict[str, Pace]:
    """Layer -> its pace: the last stage (the head) learns at the full rate, each one before it at `decay` times that of
    the one after it (Howard & Ruder 2018, arXiv:1801.06146, "discriminative fine-tuning", who take 1/2.6), and all but
    the head at `trunk` times that.

    stages: names of layers, from the input to the head. starts: of each stage, its first step; left out: 0 for all.
    """
    last = len(stages) - 1
    return {layer: Pace(decay ** (last - at) * (trunk if at < last else 1.0), starts[at] if starts else 0)
            for at, stage in enumerate(stages) for layer in stage}


def unfreezing(stages: int, steps: int) -> list[int]:
    """The steps at which so many stages begin to learn, from the one at the input to the head, which begins at 0.

    The others follow from the top, equally spaced; the first half of the steps is over when the lowest one begins
    (gradual unfreezing, Howard & Ruder 2018: a stage an epoch).
    """
    return [round(steps / 2 * (stages - 1 - at) / max(1, stages - 1)) for at in range(stages)]


def parameter_groups(
    model: nn.Module, weight_decay: float, rules: Sequence[Rule] = (), paces: Mapping[str, Pace] | None = None
) -> list[dict[str, Any]]:
    """Groups for an optimizer, each with `params`, `names`, `weight_decay`, `lr_factor` and `starts`.

    Parameters with one axis or none (biases, the scales of norms) do not decay (row 5.03), unless a rule says so.
    The first rule that matches counts; its factor stands in place of that of the pace. Frozen parameters are left out.
    paces: name of the module that a parameter belongs to -> its pace. ValueError for a rule that matches nothing.
    """
    paces = paces or {}
    groups: dict[tuple[float, float, int], dict[str, Any]] = {}
    unused = {rule.pattern for rule in rules}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        rule = next((rule for rule in rules if fnmatchcase(name, rule.pattern)), Rule("", None, None))
        unused.discard(rule.pattern)
        decay = rule.weight_decay
        if decay is None:
            decay = weight_decay if parameter.ndim > 1 else 0.0
        pace = paces.get(name.rpartition(".")[0], Pace())
        factor = pace.factor if rule.lr is None else rule.lr
        group = groups.setdefault((factor, decay, pace.starts), {
            "params": [], "names": [], "weight_decay": decay, "lr_factor": factor, "starts": pace.starts,
        })
        group["params"].append(parameter)
        group["names"].append(name)
    if unused:
        raise ValueError(f"no parameter is called {', '.join(sorted(unused))}")
    return list(groups.values())
