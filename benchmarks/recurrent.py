"""What recurrent layers cost beside torch's fused LSTM of the same size.

Forward and backward with gradients for inputs and parameters, float32, 35 steps, as many inputs as units. CPU time
with one thread, time on the wall with two. The goal for a cell of one's own is 1.3 times torch's LSTM at 512 units and
64 sequences, 2 times at 200 units and 20 sequences.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from harness import Record, Settings, alone, call, ratio, seconds_per_step, show_ratio, table

STEPS = 35
SIZES = {"512 × 64": (512, 64), "200 × 20": (200, 20)}
"""Name -> units, sequences."""
QUICK = {"16 × 4": (16, 4)}


def measure(settings: Settings) -> Record:
    """Records of all layers, from a process of its own."""
    return call([sys.executable, __file__, "--child", str(settings.rounds), str(int(settings.quick))], True)


def render(found: Record) -> str:
    """The table in Markdown: a row for each layer, a column for each size and number of threads."""
    if "error" in found:
        return f"Failed: {found['error']}"
    columns = found["columns"]
    layers = dict.fromkeys(each["contender"] for records in columns.values() for each in records)
    rows = []
    for layer in layers:
        shares = [ratio(seconds_per_step(records, layer), seconds_per_step(records, "torch's LSTM"))
                  for records in columns.values()]
        rows.append((layer, *(show_ratio(share) for share in shares)))
    return table(("time / torch's LSTM", *columns), rows)


# --- the child process ----------------------------------------------------------------------------------------------


def child(rounds: int, quick: bool) -> None:
    import torch
    from in_turn import in_turn

    columns: Record = {}
    for threads, clock in ((1, time.process_time), (2, time.perf_counter)):
        torch.set_num_threads(threads)
        for name, (units, sequences) in (QUICK if quick else SIZES).items():
            steps = {layer: _step(net, units, sequences) for layer, net in _layers(units).items()}
            column = f"{name}, {threads} thread{'s' if threads > 1 else ''}"
            columns[column] = in_turn(steps, rounds, 0.02 if quick else 0.2, clock)
    print(json.dumps({"columns": columns}))


def _layers(units: int) -> dict[str, Any]:
    from torch import nn

    from orthogon.nn.recurrent import CELLS, Recurrent

    return {
        "torch's LSTM": nn.LSTM(units, units, batch_first=True),
        "torch's GRU": nn.GRU(units, units, batch_first=True),
        **{cell: Recurrent(units, units, cell) for cell in CELLS},
        "lstm, recurrent dropout": Recurrent(units, units, recurrent_dropout=0.2),
        "lstm, zoneout": Recurrent(units, units, zoneout=0.1),
        "lstm, weight dropout": Recurrent(units, units, weight_dropout=0.5),
    }


def _step(layer: Any, units: int, sequences: int) -> Callable[[], None]:
    """One forward and backward pass, as a function without arguments."""
    import torch

    x = torch.randn(sequences, STEPS, units, requires_grad=True)
    given = (x, *layer.parameters())

    def once() -> None:
        out = layer(x)[0]
        torch.autograd.grad(out, given, torch.ones_like(out))

    return once


if __name__ == "__main__":
    alone(__doc__, measure, render, child)
