"""Checks of units and gradients: do the units respond, does every parameter hear of the loss, and the right thing?"""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from torch import nn

from orthogon.nn.gradient_check import gradient_check
from orthogon.strategy.health import DEAD, SATURATED
from orthogon.strategy.outcome import Outcome, failed, passed, skipped
from orthogon.strategy.trial import Trial
from orthogon.train.fit_check import first_line
from orthogon.train.health import activations, layers_of

SLOPES, EVALUATIONS = 2, 10
"""Coordinates of each parameter in the gradient check, and how often the loss is taken for each, about."""

STILL = 1e-6
"""Deviation over the examples below which what enters a layer does not depend on them."""


def units(trial: Trial) -> Outcome:
    """Most units do something: not zero for every example, not at the end of a tanh or sigmoid."""
    model, batch = trial.copy(), trial.batch(max(64, min(256, 4 * trial.task.spec.outputs)))
    layers = layers_of(model)
    if len(layers) < 2:
        return skipped("there are no hidden units")
    found, order = activations(model, lambda: model(*batch.inputs), layers)
    names = {at: layers[at].name for at in order}
    for column, bound, what, remedy in (
        ("dead", DEAD, "of the rectified units after {} are zero for every example", "Start biases at zero and weights "
         "at a scale that suits the activation (He et al. for relu)."),
        ("saturated", SATURATED, "of the outputs after {} lie at the ends of tanh or sigmoid", "Start with smaller "
         "weights, and give inputs of scale 1."),
    ):
        shares = {names[at]: float(value) for at, value in found[column].items() if at != order[-1]}
        worst = max(shares, key=lambda name: shares[name], default="")
        if worst and shares[worst] > bound:
            return failed(f"{100 * shares[worst]:.0f} % {what.format(worst)}", remedy)
    still = [names[at] for at in order[1:] if at in found["scale"] and float(found["scale"][at]) < STILL]
    if still:
        return failed(f"what enters {still[0]} is the same for every example", "Draw initial weights at random; behind "
                      "many layers of tanh or sigmoid take relu, a norm, or weights that suit the activation.")
    return passed("no layer is dead or saturated")


def gradients_arrive(trial: Trial) -> Outcome:
    """Every trainable parameter gets a gradient that is not zero, at the start or within three steps."""
    model, batch = trial.copy(), trial.batch(min(64, trial.batch_size))
    parameters = {name: each for name, each in model.named_parameters() if each.requires_grad}
    if not parameters:
        return skipped("nothing is trainable")
    optimizer = torch.optim.SGD(parameters.values(), lr=1e-3)
    waiting = dict(parameters)
    for _ in range(3):  # behind a layer that starts at zero, gradients arrive once it has moved
        optimizer.zero_grad()
        loss = trial.loss(model, batch)
        if not loss.requires_grad:
            break
        loss.backward()
        optimizer.step()
        waiting = {name: each for name, each in waiting.items() if each.grad is None or not bool(each.grad.any())}
        if not waiting:
            return passed(f"at all {len(parameters)} parameter tensors")
    cut = [name for name, each in waiting.items() if each.grad is None]
    how = "cut off from the loss (detached, .data, no_grad, or not used)" if cut else "without a gradient: it is zero"
    silent = cut or list(waiting)
    return failed(f"{_listed(silent)} {'is' if len(silent) == 1 else 'are'} {how}",
                  "Look for .detach(), .data, no_grad or a way through NumPy behind it, and for units that are dead.",
                  hopeless=len(waiting) == len(parameters))


def gradient(trial: Trial) -> Outcome:
    """The gradient of the loss agrees with two-sided differences, in float64."""
    model = trial.copy()
    learning = [each for each in model.parameters() if each.requires_grad]
    if not learning:
        return skipped("nothing is trainable")
    batch = trial.batch(4)
    with torch.no_grad():
        trial.loss(model.eval(), batch)
        started = time.perf_counter()
        trial.loss(model, batch)
    cost = 2 * (time.perf_counter() - started) * EVALUATIONS * (SLOPES + 1)  # float64 takes twice as long
    for each in _left_out(learning, int(trial.seconds / cost)):
        each.requires_grad_(False)
    try:
        found = gradient_check(model, trial.loss, batch, samples=SLOPES, seed=trial.settings.seed)
    except (ValueError, RuntimeError, TypeError) as error:
        return skipped(first_line(error))
    if not found:
        worst = max(found.failures, key=lambda each: each.ratio)
        return failed(f"{worst.name} is off by a ratio of {worst.ratio:.1g}; {worst.worst}", "Look for a sign, a "
                      "transpose, a sum for a mean, something detached. og.gradient_check shows each parameter.")
    return passed(f"ratio {found.ratio:.0e} over {len(found.parameters)} of {len(learning)} parameter tensors")


def _left_out(parameters: Sequence[nn.Parameter], affordable: int) -> list[nn.Parameter]:
    """All but so many, evenly spread, and at least two."""
    count = max(2, min(affordable, len(parameters)))
    kept = {round(k * (len(parameters) - 1) / (count - 1)) for k in range(count)}
    return [each for k, each in enumerate(parameters) if k not in kept]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
