"""The encoded inputs as one table, which models from scikit-learn are fitted on."""

from __future__ import annotations

from math import prod

import numpy as np
import torch
import torch.nn.functional as F

from orthogon.nn.models import OneHot
from orthogon.tasks.encoded import Encoded

SIDE = 32
"""Pictures are averaged down to at most this side: 224 × 224 × 3 numbers each would not fit."""


def design_matrix(task: Encoded, rows: np.ndarray, one_hot: bool) -> np.ndarray:
    """Float32 (n, D): the encoded inputs side by side; pictures averaged down to 32 pixels and flattened. Texts are
    left out: of them `words_baseline` makes numbers."""
    index = torch.as_tensor(rows, dtype=torch.int64, device=task.inputs.device)
    blocks = []
    for encoder, stored in zip(task.inputs.encoders, task.inputs.stored):
        if encoder.kind == "text":
            continue
        if encoder.kind == "image":
            blocks.append(torch.cat([_small(encoder.prepare(stored[part])) for part in index.split(4096)]))
        elif encoder.kind == "category" and one_hot:
            blocks.append(OneHot(encoder.input_spec().levels).to(stored.device)(stored[index]))
        else:
            blocks.append(stored[index].float())
    return torch.cat(blocks, dim=1).cpu().numpy() if blocks else np.empty((len(index), 0), dtype=np.float32)


def _small(pictures: torch.Tensor) -> torch.Tensor:
    height, width = pictures.shape[2:]
    if max(height, width) > SIDE:
        pictures = F.adaptive_avg_pool2d(pictures, (min(height, SIDE), min(width, SIDE)))
    return pictures.flatten(1)


def width(task: Encoded) -> int:
    """Its columns without one-hot codes."""
    sizes = [[*item.shape[:1], *(min(side, SIDE) for side in item.shape[1:])] for item in task.inputs.specs()
             if item.kind != "text"]
    return sum(map(prod, sizes))
