"""What Orthogon's own normalizers cost beside the nearest layer of torch.

Forward and backward with gradients for inputs and parameters, in training mode, float32, one thread. Pictures are 32
of 32×14×14, vectors 256 of 256, sequences 32 of 20 steps, from 32 inputs to 64 units. CPU time.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from harness import Record, Settings, alone, call, ratio, seconds_per_step, show_ratio, table


def measure(settings: Settings) -> Record:
    """Records of all pairs, from a process of its own."""
    return call([sys.executable, __file__, "--child", str(settings.rounds), str(int(settings.quick))], True)


def render(found: Record) -> str:
    """The table in Markdown."""
    if "error" in found:
        return f"Failed: {found['error']}"
    rows = []
    for name, (nearest, records) in found["pairs"].items():
        share = ratio(seconds_per_step(records, "own"), seconds_per_step(records, "torch"))
        rows.append((name, nearest, show_ratio(share)))
    return table(("normalizer", "torch's nearest", "time / torch's"), rows)


# --- the child process ----------------------------------------------------------------------------------------------


def child(rounds: int, quick: bool) -> None:
    import torch
    from in_turn import in_turn

    torch.set_num_threads(1)
    pairs: Record = {}
    for name, (nearest, own, theirs, shape) in _layers().items():
        steps = {"own": _step(own, shape), "torch": _step(theirs, shape)}
        pairs[name] = (nearest, in_turn(steps, rounds, 0.02 if quick else 0.4))
    print(json.dumps({"pairs": pairs}))


def _layers() -> dict[str, tuple[str, Any, Any, tuple[int, ...]]]:
    """Name -> (name of torch's, the layer, torch's, shape of the inputs)."""
    from torch import nn
    from torch.nn.utils.parametrizations import weight_norm

    from orthogon.nn.recurrent import Recurrent
    from orthogon.nn.recurrent_norms import InputBatchNormRNN
    from orthogon.nn.streaming_norm import StreamingNorm
    from orthogon.nn.weight_norms import CosineConv2d, CosineLinear

    vectors, pictures, sequences = (256, 256), (32, 32, 14, 14), (32, 20, 32)
    return {
        "StreamingNorm of vectors": ("BatchNorm1d", StreamingNorm(256), nn.BatchNorm1d(256), vectors),
        "StreamingNorm of pictures": ("BatchNorm2d", StreamingNorm(32), nn.BatchNorm2d(32), pictures),
        "CosineLinear": ("weight_norm of Linear", CosineLinear(256, 256, True, True),
                         weight_norm(nn.Linear(256, 256)), vectors),
        "CosineConv2d, 3×3": ("weight_norm of Conv2d", CosineConv2d(32, 32, 3, True, True, padding=1),
                              weight_norm(nn.Conv2d(32, 32, 3, padding=1)), pictures),
        "batch_norm_lstm": ("LSTM", Recurrent(32, 64, "batch_norm_lstm"), nn.LSTM(32, 64, batch_first=True), sequences),
        "InputBatchNormRNN": ("RNN", InputBatchNormRNN(32, 64), nn.RNN(32, 64, batch_first=True), sequences),
    }


def _step(layer: Any, shape: tuple[int, ...]) -> Callable[[], None]:
    """One forward and backward pass, as a function without arguments."""
    import torch

    x = torch.randn(shape, requires_grad=True)
    given = (x, *layer.parameters())

    def once() -> None:
        out = layer(x)
        out = out[0] if isinstance(out, tuple) else out
        torch.autograd.grad(out, given, torch.ones_like(out))

    return once


if __name__ == "__main__":
    alone(__doc__, measure, render, child)
