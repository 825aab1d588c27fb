"""After training: rows of the network and of the baselines, compared in pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import nn

from orthogon.data.ledger import Ledger
from orthogon.data.passport import Passport
from orthogon.strategy.paired import compare_rows
from orthogon.train.compute import Compute
from orthogon.train.evaluate import as_rows, evaluate, metrics_document
from orthogon.train.rows import Rows
from orthogon.train.run import Run
from orthogon.train.task import Baseline, Task
from orthogon.verbs.overfitting import enter_dev, tell_overfitting
from orthogon.verbs.prepare import Prepared

TRAIN_ROWS = 10_000
"""The train error is measured on so many train rows at most: it is described, not inferred from."""

NETWORK = "network"


def shown_parts(passport: Passport, test: bool) -> dict[str, np.ndarray]:
    """Part -> the rows it is measured on. Of a large train set a fixed part; test only where it may be looked at."""
    parts = {name: passport.rows(name) for name in ("train", "train-dev", "dev", *(("test",) if test else ()))}
    many = parts["train"]
    if len(many) > TRAIN_ROWS:
        chosen = np.random.default_rng(passport.seed).choice(len(many), TRAIN_ROWS, replace=False)
        parts["train"] = many[np.sort(chosen)]
    return {name: rows for name, rows in parts.items() if len(rows)}


def may_look(run: Run, passport: Passport, again: bool) -> tuple[bool, str]:
    """Whether the test set may be looked at now, and the sentence that says why. The look is entered first.

    A run that was stopped after its look was entered may finish that look.
    """
    return may_look_at(run, passport.test_key, again)


def may_look_at(run: Run, key: str | None, again: bool) -> tuple[bool, str]:
    """The same for the test set of that name in the ledger; None: there is none."""
    if key is None:
        return False, "no test set"
    ledger = Ledger(run.path.parent)
    if any(look.run == run.name for look in ledger.looks(key)):
        return True, "this run's own look" if len(ledger.looks(key)) > 1 else "first look; sealed from now on"
    if ledger.first_look(key, run.name):
        return True, "first look; sealed from now on"
    if again:
        number = ledger.record(key, run.name, why="--test")
        return True, f"look number {number}: no longer unbiased if anything was chosen by the others"
    return False, ledger.status(key)


def assess_network(
    run: Run, task: Task, model: nn.Module, prepared: Prepared, parts: Mapping[str, np.ndarray], compute: Compute
) -> dict[str, Rows]:
    """Part -> rows of the network, written to the run."""
    found = {part: evaluate(task, model, prepared.data, rows, part, compute) for part, rows in parts.items()}
    for part, rows in found.items():
        write(run, part, task, rows, NETWORK)
    return found


def fit_baselines(task: Task, rows: np.ndarray) -> list[Baseline]:
    """The task's baselines, fitted on the rows that the network learns from."""
    baselines = task.baselines()
    for baseline in baselines:
        baseline.fit(task, rows)
    return baselines


def assess_baseline(
    run: Run, task: Task, baseline: Baseline, prepared: Prepared, parts: Mapping[str, np.ndarray]
) -> dict[str, Rows]:
    """Part -> rows of one baseline on the held-out parts, written to the run."""
    found = {}
    for part, rows in parts.items():
        if part != "train":
            found[part] = as_rows(task, prepared.data, rows, part, baseline.results(task, rows))
            write(run, f"{baseline.name}.{part}", task, found[part], baseline.name)
    return found


def write(run: Run, name: str, task: Task, rows: Rows, model: str) -> None:
    """An evaluation. Of the network on dev: also a line in the ledger of dev, and what choosing by dev costs."""
    run.write_evaluation(name, rows, {"model": model, "metrics": metrics_document(task, rows)})
    if model == NETWORK and name == "dev":
        enter_dev(run, rows)
    if model == NETWORK and name in ("dev", "test"):
        tell_overfitting(run)


def summary(run: Run, model: str = NETWORK) -> dict[str, dict[str, Any]]:
    """Part -> {"n", "metrics"} of one model, from what was written."""
    return {
        document["split"]: {"n": document["n"], "metrics": document["metrics"]}
        for document in run.evaluations().values() if document["model"] == model
    }


def compare(task: Task, network: Mapping[str, Rows], name: str, baseline: Mapping[str, Rows]) -> list[dict[str, Any]]:
    """The network against one baseline on every part that both were measured on; positive advantage = network better.

    By what the task says: `Task.compared_by`.
    """
    found = []
    for part in baseline:
        gain = compare_rows(baseline[part], network[part], task.compared_by)
        found.append({
            "baseline": name, "split": part, "metric": gain.metric, "advantage": gain.direction * gain.difference,
            **gain.paired.to_dict(), "p": gain.paired.p_value,
        })
    return found
