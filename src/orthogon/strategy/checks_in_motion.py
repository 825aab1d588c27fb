"""Checks that train copies for a few steps: can the model learn, does it use its inputs, is the rate sane?

All but the last use Adam at a rate of their own, so that what they find does not hang on the recipe's.
"""

from __future__ import annotations

import math
import time

import torch
from torch import Tensor, nn

from orthogon.strategy.outcome import Outcome, failed, passed, skipped
from orthogon.strategy.trial import Fixed, Trial
from orthogon.train.build import build_sampler
from orthogon.train.fit import timeline
from orthogon.train.randomness import Draw, generator
from orthogon.train.step import GradientStep
from orthogon.train.task import Batch

RATE, STEPS, BATCH = 2e-3, 100, 64
OVERFIT_RATES, OVERFIT_STEPS, OVERFITTED = (1e-2, 1e-3), 150, 0.2
"""Rates and steps by which the loss of one small batch must fall to a fifth."""

HALF, FEWEST = 1024, 100
"""Examples that are learnt, and as many that are looked at; with fewer than 100 nothing can be said."""

SURE = 3.0
"""Standard errors from which a difference counts."""

RATE_STEPS, FALLS, EXPLODES = 60, 1e-3, 2.0
"""Steps with the recipe's rate, the share by which they must lower the loss, and how often they may multiply it."""


def one_batch(trial: Trial) -> Outcome:
    """A few examples can be learnt by heart."""
    if not trial.task.falls_to_zero:
        return skipped(f"the loss of {trial.task.name} does not come to zero where all is learnt")
    model = trial.copy()
    learning = sum(each.numel() for each in model.parameters() if each.requires_grad)
    if not learning:
        return skipped("nothing is trainable")
    count = min(8, max(2, learning // max(1, trial.task.spec.outputs)))
    batch = trial.gather(_different(trial, count))
    first = last = math.nan
    started, steps = time.perf_counter(), 0
    for rate in OVERFIT_RATES:
        model = _without_dropout(trial.copy())
        optimizer = torch.optim.Adam([each for each in model.parameters() if each.requires_grad], lr=rate)
        for steps in range(1, OVERFIT_STEPS + 1):
            loss = trial.loss(model, batch)
            if not loss.requires_grad:
                return failed("the loss does not depend on any trainable parameter", "Look for .detach() and no_grad.")
            first = loss.item() if steps == 1 else first
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            last = loss.item()
            if last < OVERFITTED * first:
                return passed(f"{len(batch.rows)} examples: from {first:.3g} to {last:.3g} in {steps} steps")
            if time.perf_counter() - started > trial.seconds:
                return skipped(f"from {first:.3g} to {last:.3g} in {steps} steps; there was no time for more")
    return failed(f"the loss of {len(batch.rows)} examples fell from {first:.3g} to {last:.3g} only, in {steps} steps",
                  "A model that cannot learn a few examples by heart has a mistake in it, or far too few units.")


def _different(trial: Trial, count: int) -> Tensor:
    """Rows of examples of which no two have the same inputs."""
    batch = trial.batch(256)
    if not batch.inputs:
        return trial.rows[:count]
    flat = torch.cat([each.flatten(1).double() for each in batch.inputs], dim=1)
    which = torch.unique(flat, dim=0, return_inverse=True)[1].tolist()
    firsts = sorted({code: k for k, code in reversed(list(enumerate(which)))}.values())
    return trial.rows[firsts[:count]]


def _without_dropout(model: nn.Module) -> nn.Module:
    for module in model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.eval()
    return model


# --- what is learnt from inputs, from none, and from shuffled labels -----------------------------------------


def zero_inputs(trial: Trial) -> Outcome:
    """On examples not learnt from, the model does better than any that is given zeros for inputs.

    Such a model answers the same to all examples, so the best one is the best constant output.
    """
    if obstacle := _cannot_hold_out(trial):
        return skipped(obstacle)
    learnt, constant, steps = _losses(trial, shuffled=False)
    gain, error = _difference(constant, learnt)
    said = (f"{_mean(learnt):.3g} with the inputs, {_mean(constant):.3g} for zeros, on {len(learnt)} other examples "
            f"after {steps} steps")
    if gain > SURE * error:
        return passed(said)
    if steps < STEPS:
        return skipped(f"{said}: too few to tell")
    return failed(said, "The inputs tell nothing about the targets within these steps: targets may be shuffled against "
                  "their inputs, or the inputs may not reach the output.")


def shuffled_labels(trial: Trial) -> Outcome:
    """Labels that were shuffled among the examples cannot be predicted on other examples."""
    if obstacle := _cannot_hold_out(trial):
        return skipped(obstacle)
    learnt, constant, _ = _losses(trial, shuffled=True)
    gain, error = _difference(constant, learnt)
    said = f"{_mean(learnt):.3g} after learning shuffled labels, {_mean(constant):.3g} for zeros as inputs"
    if gain > SURE * error:
        return failed(said, "Labels without meaning are predicted: the model or the loss is told the target.")
    return passed(said)


def _cannot_hold_out(trial: Trial) -> str:
    if len(trial.rows) < 2 * FEWEST:
        return f"{len(trial.rows)} examples are too few to tell"
    if not any(each.requires_grad for each in trial.copy().parameters()):
        return "nothing is trainable"
    few = trial.batch(2)
    if few.target is None:
        return "the loss has no target"
    if trial.task.feeds_target:
        return "the network is given the target's beginnings, so that without inputs it still knows much"
    return "" if few.inputs else "the task has no inputs"


def _losses(trial: Trial, *, shuffled: bool) -> tuple[Tensor, Tensor, int]:
    """Each example's loss in the second half after learning the first, that of the best constant, and the steps.

    The constant is the best one for the second half itself: so what beats it has made use of its inputs.
    """
    half = min(HALF, len(trial.rows) // 2)
    learnt, held_out = trial.rows[:half], trial.rows[half : 2 * half]
    model, steps = _learnt(trial, learnt, shuffled)
    constant = _best_constant(trial, held_out)
    with torch.no_grad():
        batches = [_paired(trial, *pair) for pair in _pieces(trial, held_out, 512, shuffled)]
        of_model, of_constant = (
            torch.cat([trial.task.results(each.eval(), batch)["loss"].cpu() for batch in batches])
            for each in (model, constant)
        )
    return of_model, of_constant, steps


def _learnt(trial: Trial, rows: Tensor, shuffled: bool) -> tuple[nn.Module, int]:
    """A copy that was trained for STEPS steps, or as many as there was time for; how many."""
    model, pieces = trial.copy(), _pieces(trial, rows, BATCH, shuffled)
    optimizer = torch.optim.Adam([each for each in model.parameters() if each.requires_grad], lr=RATE)
    started = time.perf_counter()
    for step in range(STEPS):
        loss = trial.loss(model, _paired(trial, *pieces[step % len(pieces)]))
        if not loss.requires_grad or time.perf_counter() - started > trial.seconds:
            return model, step
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model, STEPS


def _best_constant(trial: Trial, rows: Tensor) -> Fixed:
    """The output that does best on the rows when it is the same for all of them."""
    batch = trial.gather(rows)
    constant = Fixed(torch.zeros(1, *trial.task.spec.output_shape, device=trial.compute.device))
    optimizer = torch.optim.LBFGS(constant.parameters(), max_iter=50, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimizer.zero_grad()
        loss = trial.loss(constant, batch)
        loss.backward()
        return loss.item()

    optimizer.step(closure)
    return constant


def _pieces(trial: Trial, rows: Tensor, size: int, shuffled: bool) -> list[tuple[Tensor, Tensor]]:
    """Pieces of the rows whose inputs are taken, each with the rows whose targets are; none of a single row."""
    order = torch.randperm(len(rows), generator=generator(trial.settings.seed, "preflight labels"))
    others = rows[order] if shuffled else rows
    pieces = list(zip(rows.split(size), others.split(size)))
    return pieces[:-1] if len(pieces) > 1 and len(pieces[-1][0]) == 1 else pieces


def _paired(trial: Trial, rows: Tensor, others: Tensor) -> Batch:
    """The inputs of some rows with the targets of others."""
    return trial.gather(others)._replace(inputs=trial.gather(rows).inputs)


def _difference(one: Tensor, other: Tensor) -> tuple[float, float]:
    """Mean and standard error of one − other, example by example; those without a loss are left out."""
    apart = (one - other)[~(one - other).isnan()].double()
    if len(apart) < 2:
        return math.nan, math.nan
    return apart.mean().item(), (apart.std() / math.sqrt(len(apart))).item()


def _mean(losses: Tensor) -> float:
    return losses.nanmean().item()


# --- the recipe's own step -----------------------------------------------------------------------------------


def learning_rate(trial: Trial) -> Outcome:
    """With the recipe's optimizer, rate and schedule, sixty steps lower the loss and do not blow it up."""
    steps = max(8, min(RATE_STEPS, trial.settings.steps or RATE_STEPS))
    settings = trial.settings.model_copy(update={"steps": steps, "compile": False, "ema": 0.0})
    rate = f"{settings.lr:.3g}" if settings.lr else "?"
    sampler = build_sampler(trial.task, trial.rows.numpy(), settings, trial.compute.device)
    model, some = trial.copy(), trial.batch(256)
    step = trial.task.step(model, settings, trial.compute, timeline(settings, sampler.lengths(steps)))
    if not isinstance(step, GradientStep):
        return skipped(f"{type(step).__name__} has a way of its own to go on")
    with torch.no_grad():
        before = trial.loss(model, some).item()
    losses, started = [], time.perf_counter()
    for number in range(steps):
        rows = sampler.batch(0, number % sampler.batches(0))
        losses.append(float(step(rows, Draw(settings.seed, 0, number, trial.compute.device))))
        if not math.isfinite(losses[-1]) or time.perf_counter() - started > trial.seconds:
            break
    with torch.no_grad():
        after = trial.loss(model.train(), some).item()
    worst = max(sum(losses[k : k + 5]) / 5 for k in range(max(1, len(losses) - 4)))  # over five batches each
    said = f"at {rate} the loss went from {before:.3g} to {after:.3g} in {len(losses)} steps"
    lower = "Take a third of it, or what `orthogon find-rate` suggests."
    if not math.isfinite(after) or not math.isfinite(worst) or max(after, worst) > EXPLODES * before + 1e-6:
        return failed(f"{said}, through {worst:.3g}: the rate is too high", lower)
    if after < (1 - FALLS) * before:
        return passed(said)
    if len(losses) < steps:
        return skipped(f"{said}: too few to tell")
    return failed(f"{said}: it does not fall", "The rate is too low or too high: `orthogon find-rate` tells which.")
