"""What can be known before training: mistakes in data, model, loss and rate, each with evidence and a remedy."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from torch import nn

from orthogon.errors import OrthogonError
from orthogon.strategy import checks_at_rest as rest
from orthogon.strategy import checks_in_motion as motion
from orthogon.strategy import checks_of_gradients as gradients
from orthogon.strategy.outcome import Outcome, failed, skipped
from orthogon.strategy.trial import Trial
from orthogon.train.build import starting_model
from orthogon.train.fit import Plan
from orthogon.train.fit_check import first_line
from orthogon.train.pace import preflight_seconds
from orthogon.train.task import Task


class Check(NamedTuple):
    """A check by name. steps: how many steps of training it takes as long as, about."""

    name: str
    run: Callable[[Trial], Outcome]
    steps: float
    needs_loss: bool = True


AT_START = (
    Check("labels", rest.labels, 0.5, needs_loss=False),
    Check("inputs", rest.inputs, 0.5, needs_loss=False),
    Check("trainable", rest.trainable, 0.1, needs_loss=False),
    Check("batch norm", rest.batch_norm, 0.1, needs_loss=False),
    Check("outputs", rest.outputs, 0.5, needs_loss=False),
    Check("initial loss", rest.initial_loss, 2),
    Check("reduction", rest.reduction, 1),
    Check("units", gradients.units, 2, needs_loss=False),
    Check("gradients arrive", gradients.gradients_arrive, 3),
    Check("gradient check", gradients.gradient, 5),
)
"""The checks that take less than a second, the cheapest first: these also run at the start of every training."""

IN_MOTION = (
    Check("one batch", motion.one_batch, 300),
    Check("zero inputs", motion.zero_inputs, 100),
    Check("shuffled labels", motion.shuffled_labels, 100),
    Check("learning rate", motion.learning_rate, 60),
)


@dataclass(frozen=True)
class Preflight:
    """The outcomes by name, in the order in which they were tried. True where none failed.

    seconds: it took. left_out: checks for which there was no time.
    """

    outcomes: dict[str, Outcome]
    seconds: float
    left_out: tuple[str, ...] = ()

    @property
    def failures(self) -> dict[str, Outcome]:
        return {name: each for name, each in self.outcomes.items() if each.status == "fail"}

    @property
    def passed(self) -> bool:
        return not self.failures

    @property
    def hopeless(self) -> dict[str, Outcome]:
        """The failures with which training cannot succeed."""
        return {name: each for name, each in self.failures.items() if each.hopeless}

    def __bool__(self) -> bool:
        return self.passed

    def sentence(self) -> str:
        """"9 checks passed, 0.3 s"."""
        count = Counter(each.status for each in self.outcomes.values())
        parts = [f"{count['pass']} check{'s' if count['pass'] != 1 else ''} passed"]
        parts += [f"{count['fail']} failed"] if count["fail"] else []
        parts += [f"{count['skip']} skipped"] if count["skip"] else []
        parts += [f"{len(self.left_out)} left out for time"] if self.left_out else []
        return ", ".join([*parts, f"{self.seconds:.1f} s"])

    def __str__(self) -> str:
        wide = max(map(len, self.outcomes), default=0)
        lines = [f"preflight: {self.sentence()}", ""]
        for name, each in self.outcomes.items():
            word = "FAIL" if each.status == "fail" else each.status
            lines.append(f"{name:<{wide}}  {word:<4}  {each.evidence}")
            lines += [f"{'':<{wide}}        {each.remedy}"] if each.remedy else []
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        return {"passed": self.passed, "seconds": round(self.seconds, 3), "left_out": list(self.left_out),
                "checks": {name: each._asdict() for name, each in self.outcomes.items()}}


def preflight(plan: Plan, task: Task, rows: np.ndarray, *, model: nn.Module | None = None) -> Preflight:
    """All checks, on copies: under half a minute on small data.

    task: fitted and attached. rows: to train on. model: a module of the user's own instead of the plan's.
    Weights, random state and data are as before afterwards.
    """
    started = time.perf_counter()
    trial = _trial(plan, task, rows, model)
    outcomes: dict[str, Outcome] = {}
    with trial.in_force():
        for check in (*AT_START, *IN_MOTION):
            outcomes[check.name] = _tried(check, trial, outcomes)
    return Preflight(outcomes, time.perf_counter() - started)


def preflight_at_start(plan: Plan, task: Task, rows: np.ndarray, *, model: nn.Module | None = None) -> Preflight:
    """The quick checks, as many as fit into `preflight_seconds`."""
    started = time.perf_counter()
    trial = _trial(plan, task, rows, model)
    outcomes: dict[str, Outcome] = {}
    left_out: list[str] = []
    with trial.in_force():
        try:
            step_seconds = trial.step_seconds()
        except Exception:  # the checks will say what is wrong
            step_seconds = 0.0
        seconds = preflight_seconds(plan.recipe.train, step_seconds)
        for check in AT_START:
            trial.seconds = seconds - (time.perf_counter() - started)
            if check.steps * step_seconds > trial.seconds:
                left_out.append(check.name)
            else:
                outcomes[check.name] = _tried(check, trial, outcomes)
    return Preflight(outcomes, time.perf_counter() - started, tuple(left_out))


def _trial(plan: Plan, task: Task, rows: np.ndarray, model: nn.Module | None) -> Trial:
    settings = plan.recipe.train
    return Trial(task, starting_model(task, plan.recipe, rows, model), settings, rows)


def _tried(check: Check, trial: Trial, before: dict[str, Outcome]) -> Outcome:
    """The outcome; what cannot be tried is skipped with the reason, so that a check never ends a training."""
    if check.needs_loss and (found := before.get("labels")) and found.status == "fail":
        return skipped("there is no loss with these labels")
    if check.needs_loss and not trial.task.has_loss:
        return skipped(f"{trial.task.name} descends on no loss")
    try:
        return check.run(trial)
    except OrthogonError as error:
        return failed(error.what, error.remedy)
    except Exception as error:
        return skipped(f"could not be tried: {type(error).__name__}: {first_line(error)}")
