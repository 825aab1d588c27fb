"""Checks of what goes into the model, what comes out of it, and what the loss makes of that; nothing is trained."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from orthogon.errors import RecipeError
from orthogon.nn.spec import SEQUENCES, InputSpec
from orthogon.strategy.outcome import Outcome, failed, passed, skipped
from orthogon.strategy.trial import Fixed, Trial
from orthogon.train.fit_check import first_line, misfit_of_labels, remedy_for_labels

MOST_LABELS = 8192
"""Examples whose labels are looked at."""

LARGE_NUMBER, LARGE_PICTURE, SMALL = 10.0, 5.0, 0.01
"""Inputs are out of scale when a tenth of a column's values lie beyond 10 (never, if it has mean 0 and variance 1:
Chebyshev's inequality allows no more than √10), the mean square of a channel is above 5², or no value reaches 0.01."""

LARGE_LOSS = 2.0
"""Times the loss of outputs that are all zero at which the loss before training is too large."""


def labels(trial: Trial) -> Outcome:
    """Labels are codes of outputs; targets are finite."""
    batches = [trial.gather(rows) for rows in trial.rows[:MOST_LABELS].split(2048)]
    targets = [batch.target for batch in batches]
    if not all(isinstance(each, Tensor) for each in targets):
        return skipped("the target is not one tensor")
    target, outputs = torch.cat([each.flatten() for each in targets]), trial.task.spec.outputs
    if target.is_floating_point():
        bad = int(target.isinf().sum())
        if bad:
            return failed(f"{bad:,} targets are infinite", "Replace them, or leave those examples out.", hopeless=True)
        return passed(f"numbers from {_short(target.nan_to_num(0).min())} to {_short(target.nan_to_num(0).max())}")
    if misfit := misfit_of_labels(target, outputs):
        return failed(misfit, remedy_for_labels(target, outputs), hopeless=True)
    return passed(f"labels {int(target.min())} to {int(target.max())} for {outputs} outputs")


def inputs(trial: Trial) -> Outcome:
    """Inputs have the shape and type that the model was built for, are finite, and of a scale near 1."""
    batch, specs = trial.batch(256), trial.task.spec.inputs
    if not batch.inputs:
        return skipped("the task has no inputs")
    wrong = [said for k, (each, spec) in enumerate(zip(batch.inputs, specs)) if (said := _misfit(k, each, spec))]
    if wrong:
        return failed(wrong[0], "Let `batch` of the task give what its `spec` promises.", hopeless=True)
    off = [said for k, each in enumerate(batch.inputs) if (said := _out_of_scale(k, each))]
    if off:
        return failed(off[0], "Subtract the mean of the train rows and divide by their standard deviation (row 9.01); "
                      "the encoders of Orthogon do.")
    return passed(", ".join(f"{spec.kind} {'x'.join(map(str, spec.shape))}" for spec in specs) + "; of scale 1")


def _misfit(k: int, given: Tensor, spec: InputSpec) -> str:
    floating = not spec.levels
    fixed = 2 if spec.kind in SEQUENCES else 1  # sequences are cut to the longest of the batch
    if given.ndim != 1 + len(spec.shape) or tuple(given.shape[fixed:]) != tuple(spec.shape[fixed - 1 :]):
        return f"input {k + 1} has shape {tuple(given.shape[1:])}, the model was built for {tuple(spec.shape)}"
    if given.is_floating_point() != floating:
        wanted = "floating numbers" if floating else "integer codes"
        return f"input {k + 1} is of type {given.dtype}, wanted are {wanted}"
    if floating and not given.isfinite().all():
        return f"input {k + 1} holds {int((~given.isfinite()).sum()):,} values that are no numbers or infinite"
    return ""


def _out_of_scale(k: int, given: Tensor) -> str:
    if not given.is_floating_point():
        return ""
    wide = given.float().flatten(2) if given.ndim > 2 else given.float()
    if given.ndim > 2:
        size, bound, word = wide.square().mean((0, 2)).sqrt(), LARGE_PICTURE, "channel"
    else:
        size, bound, word = wide.abs().quantile(0.9, dim=0), LARGE_NUMBER, "column"
    largest = int(size.argmax())
    if size[largest] > bound:
        values = wide[:, largest]
        return (f"input {k + 1} is not scaled: {word} {largest + 1} has mean {_short(values.mean())} and standard "
                f"deviation {_short(values.std())}, wanted about 0 and 1")
    if 0 < given.abs().max() < SMALL:
        return f"input {k + 1} is tiny: no value is beyond {_short(given.abs().max())}, wanted a deviation of about 1"
    return ""


def trainable(trial: Trial) -> Outcome:
    """There is something to train."""
    parameters = dict(trial.copy().named_parameters())
    learning = [name for name, each in parameters.items() if each.requires_grad]
    if not parameters:
        return failed("the model has no parameters: nothing would change",
                      "Give it a layer with weights; layers in a plain list are not seen, those in nn.ModuleList are.",
                      hopeless=True)
    if not learning:
        return failed(f"all {len(parameters)} parameters are frozen: nothing would change",
                      "Set requires_grad=True for those that are to learn (model.requires_grad_(True)).", hopeless=True)
    return passed(f"{len(learning)} of {len(parameters)} parameter tensors learn")


def outputs(trial: Trial) -> Outcome:
    """The model gives what the task needs; no softmax stands before a loss that applies one itself."""
    batch = trial.batch(64)
    given = trial.outputs(trial.copy().eval(), batch)
    try:
        trial.task.check_output(given)
    except RecipeError as error:
        return failed(error.what, error.remedy, hopeless=True)
    if not isinstance(given, Tensor) or given.ndim != 2:
        return skipped("the output is not a row of numbers for each example")
    if not given.isfinite().all():
        return failed(f"{int((~given.isfinite()).sum())} outputs are no numbers or infinite",
                      "Look at the initial weights and at the scale of the inputs.")
    sums_to_one = given.shape[1] > 1 and bool((given >= 0).all()) and bool((given.sum(1) - 1).abs().max() < 1e-3)
    if sums_to_one and _applies_softmax(trial, given):
        return failed("each row of outputs is positive and sums to 1, and the loss applies a softmax itself: there is "
                      "a softmax before the cross-entropy", "Leave it out of the model; the loss takes logits.")
    return passed(f"{given.shape[1]} for each example, from {_short(given.min())} to {_short(given.max())}")


def _applies_softmax(trial: Trial, given: Tensor) -> bool:
    """Whether the loss stays the same when a constant is added to all outputs."""
    batch = trial.batch(len(given))
    plain, moved = (trial.loss(Fixed(given + shift), batch).item() for shift in (0.0, 3.0))
    return abs(moved - plain) < 1e-3 * max(1e-3, abs(plain))


def initial_loss(trial: Trial) -> Outcome:
    """Before training the loss is near that of outputs that are all zero: −log 1/K for K classes."""
    batch = trial.batch(256)
    try:
        with torch.no_grad():
            found = trial.loss(trial.copy(), batch).item()
    except Exception as error:
        return failed(f"the loss cannot be computed: {type(error).__name__}: {first_line(error)}",
                      "Look at the types and shapes of outputs and targets.", hopeless=True)
    if not math.isfinite(found):
        return failed(f"the loss before training is {found}", "Look for a logarithm or a division by 0, and at the "
                      "scale of inputs and initial weights.", hopeless=True)
    chance = trial.loss(Fixed(torch.zeros(1, *trial.task.spec.output_shape, device=trial.compute.device)), batch).item()
    classes = len(trial.task.classes)
    known = f" (−log 1/{classes})" if classes > 1 and math.isclose(chance, math.log(classes), rel_tol=1e-4) else ""
    said = f"{found:.3g}; outputs of zero cost {chance:.3g}{known}"
    if found > LARGE_LOSS * chance > 0:
        return failed(said, "Let training start unsure: smaller initial weights in the last layer, inputs of scale 1.")
    return passed(said)


def reduction(trial: Trial) -> Outcome:
    """The loss is a mean over examples: the same examples twice cost the same, and `counts` agrees with `loss`."""
    if not trial.task.decomposes:
        return skipped(f"the loss of {trial.task.name} is not a sum over examples")
    rows, model = trial.rows[:32], trial.copy().eval()
    once, twice = trial.gather(rows), trial.gather(torch.cat([rows, rows]))
    with torch.no_grad():
        one, two = trial.loss(model, once).item(), trial.loss(model, twice).item()
        parts = trial.task.loss(model, once).parts
    if abs(two - one) > 0.01 * max(abs(one), 1e-6):
        return failed(f"the loss of {len(rows)} examples is {one:.4g}, of the same examples twice {two:.4g}: it is not "
                      "their mean", "Give the sum over the examples and their number: Part(name, weight, sum, count).")
    counted, said = trial.task.counts(once), {part.name: float(part.count) for part in parts}
    if any(not math.isclose(counted.get(name, math.nan), count, rel_tol=1e-5) for name, count in said.items()):
        return failed(f"`counts` gives {counted}, `loss` {said}", "Let both count the same: batches are split by it.")
    return passed("the same examples twice cost the same")


def batch_norm(trial: Trial) -> Outcome:
    """No batch is so small that batch norm has nothing to normalize by."""
    norms = [name for name, module in trial.copy().named_modules()
             if isinstance(module, _BatchNorm) and module.training]
    if not norms:
        return passed("the model has none that takes statistics of batches")
    size, micro = trial.batch_size, trial.settings.micro_batch_size
    smallest = size if micro is None or micro >= size else size % micro or micro
    if smallest > 1:
        return passed(f"batches of {smallest} or more examples")
    try:
        trial.outputs(trial.copy(), trial.batch(1))
        what, hopeless = "normalizes each example by itself", False
    except ValueError:
        what, hopeless = "cannot normalize", True
    return failed(f"{norms[0]} is a batch norm, and with one example in a batch it {what}",
                  "Take batches of 8 or more (train.batch_size, train.micro_batch_size), or a group or layer norm.",
                  hopeless=hopeless)


def _short(value: Tensor) -> str:
    return f"{float(value):.3g}"
