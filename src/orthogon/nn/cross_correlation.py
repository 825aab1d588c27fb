"""Barlow Twins: the outputs for two views of the same examples are to agree, and each of them to say something else.

Zbontar et al. 2021, arXiv:2103.03230 (rows 21.13, 21.14; E115: the name is Barlow, after the neuroscientist).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

REDUNDANCY = 0.0051
"""λ of the paper: what an entry beside the diagonal counts, where one on it counts 1."""

SCALE = 196.0
"""The whole loss is multiplied by this over the number of outputs. The authors' code has 0.024 at 8192 outputs, and
trains worse without (github.com/facebookresearch/barlowtwins, issue 7); with this rule a projector of any width has a
loss of the same size, 196 where nothing agrees. Steps of Adam do not depend on it; those of plain gradient descent and
whatever is added to the loss (l2) do."""

EPSILON = 1e-5
"""Added to variances, as a batch norm does."""


class BarlowTwins(NamedTuple):
    """The two terms, scalars; the loss is their sum.

    invariance: scale × Σ_i (1 − C_ii)², 0 where both views say the same.
    redundancy: scale × λ Σ_{i≠j} C_ij², 0 where no output tells what another does.
    """

    invariance: Tensor
    redundancy: Tensor


def standardized(outputs: Tensor) -> Tensor:
    """N×D outputs with mean 0 and variance 1 over the batch in each column: a batch norm without scale and shift.

    ValueError for fewer than two rows: their variance is not defined.
    """
    if len(outputs) < 2:
        raise ValueError(f"a batch of {len(outputs)} has no variance to divide by; give at least two examples")
    variance, mean = torch.var_mean(outputs, 0, correction=0)
    return (outputs - mean) * torch.rsqrt(variance + EPSILON)


def cross_correlation(first: Tensor, second: Tensor) -> Tensor:
    """C (D×D) of the outputs (each N×D) for two views of the same N examples: C_ij = mean over them of
    standardized(first)_i × standardized(second)_j, in −1 … 1.

    ValueError for other shapes, and for fewer than two examples.
    """
    _check(first, second)
    return standardized(first).mT @ standardized(second) / len(first)


def barlow_twins(first: Tensor, second: Tensor, redundancy: float = REDUNDANCY) -> BarlowTwins:
    """The loss of the outputs (each N×D) for two views of the same N examples, by its two terms.

    redundancy: λ. The loss is no sum over examples: a batch of it cannot be split.
    """
    correlation = cross_correlation(first, second)
    scale, diagonal = SCALE / len(correlation), correlation.diagonal()
    beside = correlation.square().sum() - diagonal.square().sum()
    return BarlowTwins(scale * (1 - diagonal).square().sum(), scale * redundancy * beside)


def shares(first: Tensor, second: Tensor, redundancy: float = REDUNDANCY) -> Tensor:
    """(N,): what each example adds to the loss of all of them; their mean is `barlow_twins`.

    The loss is quadratic in C, and C is a mean over examples: with z and z' standardized, example b has
    scale × (Σ_i (1 − C_ii)(1 − z_bi z'_bi) + λ Σ_{i≠j} C_ij z_bi z'_bj). Negative where an example is more alike than
    must be, or goes against a correlation that the others have.
    """
    _check(first, second)
    one, other = standardized(first), standardized(second)
    correlation = one.mT @ other / len(one)
    products, diagonal = one * other, correlation.diagonal()
    apart = ((1 - diagonal) * (1 - products)).sum(1)
    redundant = ((one @ correlation) * other).sum(1) - (products * diagonal).sum(1)
    return SCALE / len(correlation) * (apart + redundancy * redundant)


def _check(first: Tensor, second: Tensor) -> None:
    if first.shape != second.shape or first.ndim != 2:
        raise ValueError(f"outputs {tuple(first.shape)} and {tuple(second.shape)}; give two views of the same examples "
                         "(N×D each)")
