"""The fitted task of a finished run, without its data and network: metrics, classes, and how results are read."""

from __future__ import annotations

from orthogon.errors import RunError
from orthogon.train.build import build_task
from orthogon.train.run import Run
from orthogon.train.task import Metric, Task

STATE = "task.json"
"""Where a run without a bundle (`read_predictions`) keeps what its task knows."""


def task_of(run: Run) -> Task:
    """RunError where the run has not ended."""
    bundle = run.read_json("bundle/bundle.json")
    state = bundle["task"]["state"] if bundle else run.read_json(STATE)
    if state is None:
        raise RunError("this run has not ended", where=str(run.path),
                       remedy=f"Finish it: orthogon train --resume {run.path}")
    task = build_task(run.recipe())
    task.load_state(state)
    return task


def metric_of(run: Run) -> Metric:
    """What the run is judged by."""
    return task_of(run).metrics[0]
