"""What a loss over some examples comes to: its sum and its count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor


class Total(NamedTuple):
    """The sum of the losses of some examples, each times its weight, and their number, or the sum of their weights.

    Both are scalars. The minus of a log-likelihood is in the losses, so that the cost J is the plain `mean` (rows 3.02,
    3.14, E26).
    """

    sum: Tensor
    count: Tensor

    @property
    def mean(self) -> Tensor:
        """sum / count."""
        return self.sum / self.count


def combined(pieces: Iterable[Total]) -> Total:
    """The total of a batch from the totals of its pieces."""
    sums, counts = zip(*pieces)
    return Total(torch.stack(sums).sum(), torch.stack(counts).sum())


def weighted_outputs(outputs: Mapping[str, Total], weights: Mapping[str, float]) -> Tensor:
    """J = Σ w·J over the outputs of one network, by what one cares most about: {"class": 0.1, "box": 0.9} (row 3.08).

    ValueError where an output has no weight or a weight no output.
    """
    if set(outputs) != set(weights):
        raise ValueError(f"outputs {sorted(outputs)} and weights {sorted(weights)}; give each output one weight")
    return torch.stack([weights[name] * total.mean for name, total in outputs.items()]).sum()


def total(losses: Tensor, weight: Tensor | None) -> Total:
    """losses: (N,), one per example. weight: (N,); ValueError for another shape.

    Added up in at least float32: bfloat16 cannot count beyond 256.
    """
    wide = torch.promote_types(losses.dtype, torch.float32)
    if weight is None:
        return Total(losses.sum(dtype=wide), losses.new_full((), len(losses), dtype=wide))
    if weight.shape != losses.shape:
        raise ValueError(f"weights {tuple(weight.shape)} for {len(losses)} examples; give one number for each example")
    weight = weight.to(wide)
    return Total((losses * weight).sum(), weight.sum())
