"""Outputs beside the main one: what side branches of a network give in training (row 5.18)."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class WithAuxiliary(NamedTuple):
    """What a network with side branches gives in training; in evaluation mode it gives the output alone.

    output:    of the last layer, a tensor.
    auxiliary: for each branch what its loss counts beside that of the output, and its output, of the same shape. With
               a loss L: J = L(output) + Σ weight · L(branch) (Szegedy et al. 2015, arXiv:1409.4842, section 5).
    """

    output: Tensor
    auxiliary: tuple[tuple[float, Tensor], ...]


def outputs_by_weight(given: Tensor | WithAuxiliary) -> tuple[tuple[float, Tensor], ...]:
    """Each output with what its loss counts; the main one first, with 1."""
    return ((1.0, given),) if isinstance(given, Tensor) else ((1.0, given.output), *given.auxiliary)
