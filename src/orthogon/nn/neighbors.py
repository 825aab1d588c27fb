"""The nearest encodings, by the cosine of the angle between them."""

from __future__ import annotations

import torch
from torch import Tensor

PAIRS = 1 << 24
"""Cosines that are held at once."""


def nearest(queries: Tensor, references: Tensor, k: int = 1) -> Tensor:
    """int64 (n, k): of each query (n×D) the places of the nearest references (m×D), the nearest first.

    ValueError where there are fewer than k references.
    """
    return _nearest(queries, references, k, others=False)


def nearest_others(encodings: Tensor, k: int = 1) -> Tensor:
    """int64 (n, k): of each of the encodings (n×D) the places of the nearest other ones, the nearest first.

    ValueError where there are fewer than k others.
    """
    return _nearest(encodings, encodings, k, others=True)


def vote(codes: Tensor, classes: int) -> Tensor:
    """int64 (n,): the commonest code of each row of the neighbors' codes (n, k), nearest first; of several that are as
    common, that of the nearest neighbor."""
    counts = torch.zeros(len(codes), classes, device=codes.device)
    counts.scatter_add_(1, codes, torch.ones(codes.shape, device=codes.device))
    of_neighbor = counts.gather(1, codes)
    first = (of_neighbor == of_neighbor.amax(1, keepdim=True)).int().argmax(1, keepdim=True)
    return codes.gather(1, first).squeeze(1)


def _nearest(queries: Tensor, references: Tensor, k: int, *, others: bool) -> Tensor:
    there = len(references) - others
    if k > there:
        raise ValueError(f"the {k} nearest of {max(0, there)}; ask for fewer, or give more to look among")
    toward = torch.nn.functional.normalize(references, dim=1).mT
    directions = torch.nn.functional.normalize(queries, dim=1)
    at_once = max(1, PAIRS // there)
    found = [torch.empty(0, k, dtype=torch.int64, device=queries.device)]
    for start in range(0, len(queries), at_once):
        cosines = directions[start : start + at_once] @ toward
        if others:
            cosines.diagonal(start).fill_(-torch.inf)
        found.append(cosines.topk(k, dim=1).indices)
    return torch.cat(found)
