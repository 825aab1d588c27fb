"""What an optimizer's step costs on 100 small tensors, laid out flat or not, against torch's fused and for-each AdamW;
and what flat parameters do to a whole training step.

50 weights of 32x32 and 50 biases, float32, gradients given, decay 0.01 on all; AdaMod, averaged momentum and Backstitch
are Orthogon's own. Whole steps: autograd, batch 32, AdamW on two groups. One thread, CPU time.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from itertools import pairwise
from statistics import median
from typing import Any

from harness import Record, Settings, alone, call, ratio, seconds_per_step, show_ratio, table, verdict

OWN = ("averaged_momentum", "adamod")
FUSED, FOR_EACH = "AdamW, torch fused", "AdamW, torch for-each"
NETS = {
    "784-128-10: 4 tensors of 25,443": [784, 128, 10],
    "10 layers: 20 tensors of 1,892": [32, *[64] * 9, 10],
    "10 layers: 20 tensors of 27,900": [32, *[256] * 9, 10],
    "50 layers: 100 tensors of 135": [16, *[16] * 49, 10],
    "50 layers: 100 tensors of 2,046": [32, *[64] * 49, 10],
    "784-2048-2048-10: 6 tensors of 967,000": [784, 2048, 2048, 10],
}


def measure(settings: Settings) -> Record:
    """Records of the optimizers and of whole steps, from a process of its own."""
    return call([sys.executable, __file__, "--child", str(settings.rounds), str(int(settings.quick))], True)


def goals(found: Record) -> list[tuple[str, str, str]]:
    records = found.get("optimizers", [])
    shares = {name: ratio(seconds_per_step(records, name), seconds_per_step(records, FOR_EACH)) for name in OWN}
    return [(f"{name} on 100 small tensors: no slower than torch's for-each AdamW", show_ratio(share),
             verdict(share, 1.0, at_most=True)) for name, share in shares.items()]


def render(found: Record) -> str:
    """Both tables in Markdown."""
    if "error" in found:
        return f"Failed: {found['error']}"
    records = found["optimizers"]
    fused, for_each = (seconds_per_step(records, name) for name in (FUSED, FOR_EACH))
    names = [name for name in dict.fromkeys(each["contender"] for each in records) if not name.endswith(", flat")]
    rows = []
    for name in names:
        own, flat = (seconds_per_step(records, key) for key in (name, f"{name}, flat"))
        rows.append((name, show_ratio(ratio(own, fused)), show_ratio(ratio(own, for_each)),
                     show_ratio(ratio(flat, fused)), _microseconds(own), _microseconds(flat)))
    optimizers = table(("a step of", "/ fused AdamW", "/ for-each AdamW", "flat / fused AdamW", "µs", "µs flat"), rows)
    whole = [(net, show_ratio(ratio(seconds_per_step(each, "flat"), seconds_per_step(each, "not flat"))),
              _microseconds(seconds_per_step(each, "flat"))) for net, each in found["nets"].items()]
    return optimizers + "\n\n" + table(("a whole training step", "flat / not flat", "µs flat"), whole)


def _microseconds(seconds: dict[int, float]) -> str:
    return f"{1e6 * median(seconds.values()):.0f}" if seconds else "–"


# --- the child process ----------------------------------------------------------------------------------------------


def child(rounds: int, quick: bool) -> None:
    import torch
    from in_turn import in_turn

    torch.set_num_threads(1)
    seconds = 0.02 if quick else 0.2
    print(json.dumps({
        "optimizers": in_turn(_optimizers(), rounds, seconds),
        "nets": {net: in_turn({"not flat": _step(widths, False), "flat": _step(widths, True)}, rounds, seconds)
                 for net, widths in NETS.items()},
    }))


def _optimizers() -> dict[str, Callable[[], Any]]:
    """One step of each optimizer, as functions without arguments."""
    import torch

    from orthogon import registry
    from orthogon.optim.flat import FlatParameters
    from orthogon.train.optimizer import build_optimizer
    from orthogon.train.settings import TrainSettings

    found: dict[str, Callable[[], Any]] = {
        FUSED: torch.optim.AdamW(_parameters(), fused=True).step,
        FOR_EACH: torch.optim.AdamW(_parameters(), foreach=True).step,
    }
    for name in registry.optimizers.names():
        if name == "lbfgs":  # asks for the loss itself
            continue
        settings = TrainSettings(optimizer=name, lr=1e-4, fused=True)
        groups = [{"params": _parameters(), "weight_decay": 0.01}]
        found[name] = build_optimizer(groups, settings).step
        flat = FlatParameters([{"params": _parameters(), "weight_decay": 0.01}])
        for buffer in flat.buffers:
            buffer.grad = torch.randn_like(buffer)
        found[f"{name}, flat"] = build_optimizer(flat.groups, settings).step
    return found


def _parameters() -> list[Any]:
    import torch

    parameters = [torch.nn.Parameter(torch.randn(shape)) for _ in range(50) for shape in ((32, 32), (32,))]
    for each in parameters:
        each.grad = torch.randn_like(each)
    return parameters


def _step(widths: list[int], flat: bool) -> Callable[[], Any]:
    """A `GradientStep` by autograd on a batch that is there already."""
    import torch
    from torch import nn

    from orthogon.optim.schedules import Timeline
    from orthogon.train.compute import Compute
    from orthogon.train.randomness import Draw
    from orthogon.train.settings import TrainSettings
    from orthogon.train.step import GradientStep
    from orthogon.train.task import Batch, Loss, Part

    rows, inputs, target = torch.arange(32), torch.randn(32, widths[0]), torch.randint(0, widths[-1], (32,))

    class Given:
        decomposes = True

        def batch(self, rows: Any, draw: Any = None) -> Batch:
            return Batch((inputs,), target, None, rows)

        def loss(self, model: Any, batch: Batch, carried: Any = None) -> Loss:
            return Loss((Part("loss", 1.0, nn.functional.cross_entropy(model(inputs), target, reduction="sum"), 32.0),))

    layers = [part for a, b in pairwise(widths) for part in (nn.Linear(a, b), nn.ReLU())][:-1]
    settings = TrainSettings(lr=1e-4, fused=True, flat=flat, schedule="constant")
    device = torch.device("cpu")
    step = GradientStep(Given(), nn.Sequential(*layers), settings, Compute(device), Timeline(10**6, 1000))  # type: ignore[arg-type]
    draw = Draw(0, 0, 0, device)
    return lambda: step(rows, draw)


if __name__ == "__main__":
    alone(__doc__, measure, render, child)
