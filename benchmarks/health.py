"""What recording the health of layers costs: the CPU time of the recording within a run, beside that of all the rest.

Each run is of 1,000 steps (convnet: 400) from the first to the last, with its run folder, on one thread. One of 1,000
steps records 10, one of 400 records 4. (Whole runs with it and without differ by more than it costs.)
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from harness import Record, Settings, alone, call, ratio, seconds_per_step, show_ratio, table, verdict

NETS = {
    "digits 64-256-128-10": ((1, 8, 8), "mlp", {}, 64, 1000),
    "784-128-10": ((1, 28, 28), "mlp", {"hidden": [128]}, 32, 1000),
    "digits convnet": ((1, 8, 8), "convnet", {}, 64, 400),
}
ROWS = 4096
GOAL = 1.03


def measure(settings: Settings) -> Record:
    """Records of all networks, from a process of its own."""
    return call([sys.executable, __file__, "--child", str(settings.rounds), str(int(settings.quick))], True)


def goals(found: Record) -> list[tuple[str, str, str]]:
    """(goal, measured, verdict)."""
    return [(f"Recording health, {net}: at most {GOAL} of the time without", show_ratio(share, 3),
             verdict(share, GOAL, at_most=True)) for net, share in _shares(found).items()]


def render(found: Record) -> str:
    """The table in Markdown."""
    if "error" in found:
        return f"Failed: {found['error']}"
    shares = _shares(found)
    rows = [(net, show_ratio(shares[net], 3), *(f"{1e6 * median(seconds_per_step(records, key).values()):.0f}"
                                                for key in ("with", "without")))
            for net, records in found["nets"].items()]
    return table(("network", "with / without", "median us a step with", "without"), rows)


def _shares(found: Record) -> dict[str, Record]:
    return {net: ratio(seconds_per_step(records, "with"), seconds_per_step(records, "without"))
            for net, records in found.get("nets", {}).items()}


# --- the child process ----------------------------------------------------------------------------------------------


def child(rounds: int, quick: bool) -> None:
    nets = {net: _records(_fit_of(*about[:-1], 20 if quick else about[-1]), 20 if quick else about[-1], rounds)
            for net, about in NETS.items()}
    print(json.dumps({"nets": nets}))


def _records(fit: Callable[[Path], None], steps: int, rounds: int) -> list[Record]:
    """For each run its time, and its time without what the recording took; the first run only warms up."""
    from orthogon.train.health import Health

    records, spent = [], [0.0]
    for name in ("weights", "record"):
        setattr(Health, name, _timed(getattr(Health, name), spent))
    for turn in range(-1, rounds):
        with tempfile.TemporaryDirectory() as folder:
            spent[0], began = 0.0, time.process_time()
            fit(Path(folder))
            seconds = time.process_time() - began
        if turn >= 0:
            for key, value in (("with", seconds), ("without", seconds - spent[0])):
                records.append({"round": turn, "contender": key, "steps": steps, "seconds": value})
    return records


def _timed(function: Callable[..., Any], spent: list[float]) -> Callable[..., Any]:
    """The function, whose CPU seconds are added to spent[0]."""

    def timed(*arguments: Any) -> Any:
        began = time.process_time()
        found = function(*arguments)
        spent[0] += time.process_time() - began
        return found

    return timed


def _fit_of(shape: tuple[int, ...], model: str, options: Any, batch: int, steps: int) -> Callable[[Path], None]:
    """folder -> a whole run on generated pictures."""
    import numpy as np

    from orthogon.data.columns import CategoryColumn, ImageColumn
    from orthogon.data.dataset import Dataset
    from orthogon.train.build import build_task
    from orthogon.train.fit import attach, fit, plan
    from orthogon.train.recipe import Recipe
    from orthogon.train.run import Run

    rng, rows = np.random.default_rng(0), np.arange(ROWS)
    data = Dataset(name="generated", target="y", ids=rows.astype(str), columns={
        "x": ImageColumn(rng.integers(0, 256, (ROWS, *shape)).astype(np.uint8)),
        "y": CategoryColumn(rng.integers(0, 10, ROWS), [str(k) for k in range(10)])})
    recipe = Recipe().with_values({
        "task.name": "classify", "model.name": model, "model.options": options, "train.batch_size": batch,
        "train.steps": steps, "train.device": "cpu", "train.threads": 1, "train.lr": 1e-3})
    task = build_task(recipe)
    task.fit(data, rows)
    attach(task, data, recipe)
    chosen = plan(recipe, task, rows)

    def once(folder: Path) -> None:
        fit(chosen, task, data, rows, run=Run.create(chosen.recipe, folder))

    return once


if __name__ == "__main__":
    alone(__doc__, measure, render, child)
