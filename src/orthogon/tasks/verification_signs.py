"""How learning to tell identities apart fails: all encodings drift into one point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from orthogon.nn.collapse import collapse
from orthogon.train.rows import Rows
from orthogon.train.task import Sign

STUCK = 0.02
"""Share of the margin: a mean loss of triplets that is nearer to it is what encodings in one point cost."""

REMEDY = ("Take task.mining=semi-hard and a lower train.lr; hard triplets early in training draw all encodings into "
          "one point")


def signs(parts: Mapping[str, Rows], loss: str, margin: float, lines: Sequence[Mapping[str, Any]]) -> list[Sign]:
    """A collapse of the encodings of dev (of train where there is no dev), and a loss that is stuck at the margin.

    lines: of metrics.jsonl.
    """
    rows = parts.get("dev", parts.get("train"))
    spread = "" if rows is None or len(rows) < 2 else collapse(torch.from_numpy(rows["encoding"])).sentence
    losses = [line["train_loss"] for line in lines if line.get("event") == "epoch"]
    stuck = ""
    if loss == "triplet" and losses and abs(losses[-1] - margin) < STUCK * margin:
        stuck = f"the loss ends at {losses[-1]:.3f}, which is the margin: triplets are no nearer apart than at a point"
    said = "; ".join(filter(None, (spread, stuck)))
    return [Sign("collapse", said, REMEDY)] if said else []
