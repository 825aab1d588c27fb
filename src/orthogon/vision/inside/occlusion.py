"""What a network needs to see: a part of the picture is covered, and the probability of a class drops."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from orthogon.nn.modes import evaluating
from orthogon.vision.inside.layers import Inputs, as_tuple, probabilities

BATCH = 64


def occlusion(
    model: nn.Module, inputs: Inputs, target: int, *, side: int | None = None, step: int | None = None,
    fill: float = 0.0,
) -> Tensor:
    """How far the probability of a class drops where a picture is covered: float32 H×W, negative where it rises.

    inputs: one picture, 1×C×H×W, or a tuple of which it is the first. target: the code of the class.
    side:   of the square that covers it, in pixels; default: a quarter of the shorter side, at least 1. It also comes
            half over the border. step: from one position to the next; default: half the square.
    fill:   what the square is filled with, as the network takes it: 0 is the mean color of standardized pictures, grey.

    A pixel's value is the mean drop over all squares that cover it. Source: Zeiler & Fergus 2013, arXiv:1311.2901.
    """
    picture, *others = (each[:1] for each in as_tuple(inputs))
    height, width = picture.shape[2:]
    side = max(1, min(height, width) // 4) if side is None else side
    step = max(1, side // 2) if step is None else step
    rows, columns = (_squares(length, side, step).to(picture.device) for length in (height, width))
    positions = torch.cartesian_prod(torch.arange(len(rows)), torch.arange(len(columns))).to(picture.device)
    drops = []
    with evaluating(model):
        whole = probabilities(model, (picture, *others))[0, target]
        for some in positions.split(BATCH):
            covered = rows[some[:, 0]].unsqueeze(2) & columns[some[:, 1]].unsqueeze(1)  # n × H × W
            pictures = torch.where(covered.unsqueeze(1), fill, picture)
            beside = (other.expand(len(some), *other.shape[1:]) for other in others)
            drops.append(whole - probabilities(model, (pictures, *beside))[:, target])
    table = torch.cat(drops).view(len(rows), len(columns))
    return (rows.float().T @ table @ columns.float()) / (rows.sum(0).unsqueeze(1) * columns.sum(0))


def _squares(length: int, side: int, step: int) -> Tensor:
    """Bool positions×length: which pixels of a side each position covers; every pixel is covered."""
    starts = torch.arange(-(side // 2), length, step).unsqueeze(1)
    pixels = torch.arange(length)
    covered = (pixels >= starts) & (pixels < starts + side)
    return covered[covered.any(1)]
