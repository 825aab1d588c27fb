"""Whether a network gives all examples nearly the same encoding: the failure of learning by comparing encodings."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

ALIKE = 0.05
"""Spread below which encodings have collapsed to a point. Networks with random weights and ReLU: 0.2 to 0.5."""

FEW, OF = 3.0, 16
"""Effective rank below which encodings of at least so many numbers have collapsed to a line or a plane."""


class Collapse(NamedTuple):
    """How far encodings of several examples are spread.

    spread:     0 = all examples have one direction, 1 = directions in all dimensions alike (`spread`).
    rank:       how many dimensions are in use (`effective_rank`), of so many `dimensions`.
    """

    spread: float
    rank: float
    dimensions: int

    @property
    def sentence(self) -> str:
        """What is wrong, with the numbers; "" where nothing is."""
        if self.spread < ALIKE:
            return (f"all examples have nearly the same encoding: its spread is {self.spread:.3f}, where 0 is none and "
                    f"1 as much as {self.dimensions} dimensions allow")
        if self.rank < FEW and self.dimensions >= OF:
            return (f"encodings of {self.dimensions} numbers use {self.rank:.1f} dimensions: most of what they could "
                    "say is lost")
        return ""


def collapse(encodings: Tensor) -> Collapse:
    """Spread and effective rank of N×D encodings. ValueError for fewer than two examples."""
    return Collapse(float(spread(encodings)), float(effective_rank(encodings)), encodings.shape[1])


def normalized_deviations(encodings: Tensor) -> Tensor:
    """(D,): the standard deviation over the examples of each number of the encodings (N×D), each divided by its length.

    1 / √D for directions that are spread evenly, 0 where all are the same (Chen & He 2021, arXiv:2011.10566, section
    4.1). An encoding of length 0 stays 0. ValueError for fewer than two examples.
    """
    _check(encodings)
    return torch.nn.functional.normalize(encodings, dim=1).std(0, correction=0)


def spread(encodings: Tensor) -> Tensor:
    """The mean of `normalized_deviations` times √D: 0 = collapsed, near 1 = spread evenly. A scalar."""
    return normalized_deviations(encodings).mean() * encodings.shape[1] ** 0.5


def effective_rank(encodings: Tensor) -> Tensor:
    """exp of the entropy of the singular values of the encodings (N×D) minus their mean, each over their sum.

    From 1, where all lie on a line, to D, where all directions are used alike; 0 where all are the same. A scalar,
    computed in float64. Roy & Vetterli 2007, "The effective rank"; as a measure of representations Garrido et al. 2023,
    arXiv:2210.02885, without taking the mean off: what all examples have in common tells nothing of any.
    ValueError for fewer than two examples.
    """
    _check(encodings)
    wide = encodings.double()
    centered = wide - wide.mean(0)
    return rank_of(torch.linalg.svdvals(centered), float(wide.norm()))


def rank_of(singular: Tensor, size: float) -> Tensor:
    """The effective rank from singular values; 0 where they are rounding beside the `size` (norm) of what was centered.
    """
    if float(singular.norm()) <= 1e-6 * size:
        return singular.new_zeros(())
    shares = singular / singular.sum()
    return torch.exp(-torch.special.xlogy(shares, shares).sum())


def _check(encodings: Tensor) -> None:
    if encodings.ndim != 2 or len(encodings) < 2:
        raise ValueError(f"encodings {tuple(encodings.shape)}; give N×D of at least two examples")
