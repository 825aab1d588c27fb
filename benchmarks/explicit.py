"""What a step costs with both passes written out (chosen for small `linear` and `mlp`), against autograd.

Four networks, their default batch, AdamW, one thread, rows in memory. "By hand" is the best loop on autograd that we
know: batches by index, torch's own loss, fused optimizer. The other two are Orthogon's steps. CPU time.
"""

from __future__ import annotations

import json
import sys
from itertools import count
from statistics import median
from typing import Any

from harness import Record, Settings, alone, call, ratio, seconds_per_step, show_ratio, table, verdict

NETS = {
    "softmax regression 784-10": ((784,), 10, "linear", (), 128),
    "784-128-10": ((784,), 10, "mlp", (128,), 32),
    "digits 64-256-128-10": ((64,), 10, "mlp", (256, 128), 64),
    "table 14-256-128-2": ((14,), 2, "mlp", (256, 128), 256),
}
GOAL = 0.85


def measure(settings: Settings) -> Record:
    """Records of all networks, from a process of its own."""
    return call([sys.executable, __file__, "--child", str(settings.rounds), str(int(settings.quick))], True)


def goals(found: Record) -> list[tuple[str, str, str]]:
    return [(f"Written-out gradient, {net}: at most {GOAL} of the best autograd loop", show_ratio(share),
             verdict(share, GOAL, at_most=True)) for net, share in _shares(found).items()]


def render(found: Record) -> str:
    if "error" in found:
        return f"Failed: {found['error']}"
    rows = []
    for net, records in found["nets"].items():
        by_hand, autograd, explicit = (seconds_per_step(records, key) for key in ("by hand", "autograd", "explicit"))
        rows.append((net, show_ratio(ratio(explicit, by_hand)), show_ratio(ratio(autograd, by_hand)),
                     show_ratio(ratio(explicit, autograd)), f"{1e6 * median(explicit.values()):.0f}"))
    return table(("network", "written out / by hand", "Orthogon's autograd step / by hand",
                  "written out / Orthogon's autograd step", "median us a step"), rows)


def _shares(found: Record) -> dict[str, Record]:
    return {net: ratio(seconds_per_step(records, "explicit"), seconds_per_step(records, "by hand"))
            for net, records in found.get("nets", {}).items()}


# --- the child process ----------------------------------------------------------------------------------------------


def child(rounds: int, quick: bool) -> None:
    import torch
    from in_turn import in_turn

    torch.set_num_threads(1)
    nets = {net: in_turn(_steps(*about), rounds, 0.02 if quick else 0.4) for net, about in NETS.items()}
    print(json.dumps({"nets": nets}))


def _steps(shape: tuple[int, ...], classes: int, model: str, hidden: tuple[int, ...], batch: int) -> dict[str, Any]:
    """One step of each kind, as functions without arguments."""
    import torch

    task, rows, options = _task(shape, classes), 4096, {"hidden": list(hidden)} if hidden else {}
    pieces = torch.randperm(rows, generator=torch.Generator().manual_seed(0)).split(batch)
    kinds = {f: _step(task, model, options, batch, f) for f in (True, False)}
    return {"by hand": _by_hand(task, model, options, pieces),
            "autograd": _called(kinds[False], pieces), "explicit": _called(kinds[True], pieces)}


def _task(shape: tuple[int, ...], classes: int) -> Any:
    import numpy as np
    import torch

    from orthogon.data.columns import CategoryColumn, NumberColumn
    from orthogon.data.dataset import Dataset
    from orthogon.tasks.classify import Classify
    from orthogon.train.settings import DataSettings, TaskSettings

    rng = np.random.default_rng(0)
    data = Dataset(name="generated", target="y", ids=np.array([str(i) for i in range(4096)]), columns={
        "x": NumberColumn(rng.normal(size=(4096, *shape)).astype(np.float32), [f"x{i}" for i in range(shape[0])]),
        "y": CategoryColumn(rng.integers(0, classes, 4096), [str(k) for k in range(classes)])})
    task = Classify(TaskSettings(), DataSettings())
    task.fit(data, np.arange(4096))
    task.attach(data, torch.device("cpu"))
    return task


def _network(task: Any, model: str, options: Any) -> Any:
    from orthogon.train.build import build_model
    from orthogon.train.settings import ModelSettings

    return build_model(task.spec, ModelSettings(name=model, options=options), 0)


def _step(task: Any, model: str, options: Any, batch: int, explicit: bool) -> Any:
    """The step that the recipe gives, with what the plan would resolve."""
    import numpy as np
    import torch

    from orthogon.train.compute import Compute
    from orthogon.train.fit import plan, timeline
    from orthogon.train.recipe import Recipe

    recipe = Recipe().with_values({
        "task.name": "classify", "model.name": model, "model.options": options, "train.batch_size": batch,
        "train.steps": 10**6, "train.schedule": "constant", "train.device": "cpu", "train.threads": 1,
        "train.precision": "fp32", "train.explicit": explicit})
    settings = plan(recipe, task, np.arange(4096)).recipe.train
    return task.step(_network(task, model, options), settings, Compute(torch.device("cpu")), timeline(settings, 1000))


def _called(step: Any, pieces: Any) -> Any:
    import torch

    from orthogon.train.randomness import Draw

    turns, device = count(), torch.device("cpu")
    step.model().train()

    def once() -> None:
        k = next(turns)
        step(pieces[k % len(pieces)], Draw(0, 0, k, device))

    return once


def _by_hand(task: Any, model: str, options: Any, pieces: Any) -> Any:
    import torch
    import torch.nn.functional as F

    network, turns = _network(task, model, options), count()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)
    inputs, target = (task.batch(torch.arange(4096))[k] for k in (0, 1))

    def once() -> None:
        rows = pieces[next(turns) % len(pieces)]
        optimizer.zero_grad()
        F.cross_entropy(network(inputs[0][rows]), target[rows]).backward()
        optimizer.step()

    return once


if __name__ == "__main__":
    alone(__doc__, measure, render, child)
