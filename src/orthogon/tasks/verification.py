"""What encodings say of identities: of each example the nearest other one, and how far some examples are from it.

The distances are of a sample of pairs, always the same one for the same identities, so that networks are compared in
pairs. All figures of verification are functions of them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from orthogon.nn.metric_losses import squared_distances

Distances = Callable[[Tensor, Tensor], Tensor]
"""(n, D) and (m, D) encodings to (n, m): how unlike the examples are."""

SAME, DIFFERENT = 4, 28
"""Of each example: how many others of its identity, and how many of other identities, it is held against."""

AT_ONCE, LEAST = 1 << 24, 64
"""Numbers that are held for distances (of learnt ones, one for each number of an encoding); examples at least."""


def euclidean(first: Tensor, second: Tensor) -> Tensor:
    """The Euclidean distance of every one of the first (n, D) from every one of the second (m, D): (n, m)."""
    return squared_distances(first, second).sqrt()


def judged(encodings: NDArray, identities: NDArray, distances: Distances = euclidean) -> dict[str, NDArray]:
    """Per-example results of encodings (n, D) of examples with these codes of identities (n,).

    prediction: the identity of the nearest other example; score: whether it is the right one, NaN where the example is
    alone with its identity. partner: (n, 32) identities of the examples that it is held against, first 4 of its own, -1
    where there are no more; distance: how far they are, NaN where there is none. loss: the share of these comparisons,
    of one of its own with one of another, in which the other is nearer; half where they are as far.
    """
    partners = sample_partners(identities)
    nearest, distance = _measured(torch.from_numpy(np.asarray(encodings)), torch.from_numpy(partners), distances)
    there = partners >= 0
    prediction, alone = identities[nearest], ~there[:, 0]
    score = np.where(alone, np.nan, prediction == identities).astype(np.float32)
    distance = np.where(there, distance, np.nan).astype(np.float32)
    return {
        "prediction": prediction.astype(np.int64), "score": score, "loss": _turned_round(distance),
        "partner": np.where(there, identities[partners], -1).astype(np.int64), "distance": distance,
    }


def sample_partners(identities: NDArray) -> NDArray[np.int64]:
    """(n, 32): of each example the places of up to 4 others of its identity, then of 28 of other identities, of as many
    different ones as there are; -1 where there are no more. Always the same for the same identities."""
    draw = np.random.default_rng(0)
    _, codes, sizes = np.unique(identities, return_inverse=True, return_counts=True)
    starts = np.cumsum(sizes) - sizes
    shuffled = draw.permutation(len(codes))
    order = shuffled[np.argsort(codes[shuffled], kind="stable")]
    place = np.empty(len(codes), dtype=np.int64)
    place[order] = np.arange(len(codes)) - starts[codes[order]]

    step = np.arange(1, SAME + 1)
    own = order[starts[codes][:, None] + (place[:, None] + step) % sizes[codes][:, None]]
    own[step >= sizes[codes][:, None]] = -1

    others = len(sizes) - 1
    if not others:
        return np.concatenate([own, np.full((len(codes), DIFFERENT), -1)], axis=1)
    circle = draw.permutation(len(sizes))
    on_circle = np.argsort(circle)[codes][:, None]
    turn = (draw.integers(others, size=(len(codes), 1)) + np.arange(DIFFERENT)) % others
    identity = circle[(on_circle + 1 + turn) % len(sizes)]
    chosen = (draw.random((len(codes), DIFFERENT)) * sizes[identity]).astype(np.int64)
    return np.concatenate([own, order[starts[identity] + chosen]], axis=1)


def _measured(encodings: Tensor, partners: Tensor, distances: Distances) -> tuple[NDArray, NDArray]:
    """(n,): the place of the nearest other example, the first of several; (n, 32): the distances of the partners."""
    step = max(LEAST, AT_ONCE // encodings.numel())
    nearest, found = [], []
    for start in range(0, len(encodings), step):
        table = distances(encodings[start : start + step], encodings)
        found.append(table.gather(1, partners[start : start + step].clamp(min=0)))
        table.diagonal(start).fill_(torch.inf)
        nearest.append(table.argmin(1))
    return torch.cat(nearest).numpy(), torch.cat(found).numpy()


def _turned_round(distance: NDArray) -> NDArray[np.float32]:
    own, other = distance[:, :SAME, None], distance[:, None, SAME:]
    known = ~(np.isnan(own) | np.isnan(other))
    wrong = np.where(own > other, 1.0, np.where(own == other, 0.5, 0.0)) * known
    with np.errstate(invalid="ignore"):
        return (wrong.sum((1, 2)) / known.sum((1, 2))).astype(np.float32)
