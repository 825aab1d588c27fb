"""Sequences N×T×D of unequal length in one batch: `lengths` (N,) are theirs without padding."""

from __future__ import annotations

import torch
from torch import Tensor

from orthogon.nn.spec import PAD


def lengths_of(ids: Tensor) -> Tensor:
    """Int64 (N,): how many tokens each row of ids N×T holds, which is filled up on the right with `PAD`."""
    return (ids != PAD).sum(1)


def without_padding(x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """x with zeros behind its lengths, and the mask N×T of what is there; without lengths x itself and None."""
    if lengths is None:
        return x, None
    if lengths.shape != x.shape[:1]:
        raise ValueError(f"lengths is one number per sequence, shape ({x.shape[0]},); got {tuple(lengths.shape)}")
    present = torch.arange(x.shape[1], device=x.device) < lengths.to(x.device).unsqueeze(1)
    return x.masked_fill(~present.unsqueeze(2), 0), present


def zero_padding(outputs: Tensor, present: Tensor | None) -> Tensor:
    """Outputs N×T×H with zeros where nothing was present; as they are where the mask is None."""
    return outputs if present is None else outputs.masked_fill(~present.unsqueeze(2), 0)
