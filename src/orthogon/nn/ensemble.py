"""Several networks as one classifier: the mean of their probabilities (row 31.01)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import log

import torch
from torch import Tensor, nn


def mean_of_probabilities(logits: Iterable[Tensor]) -> Tensor:
    """Several N×K logits of the same examples -> N×K: log of the mean of their softmax, itself good as logits.

    The mean of probabilities, not of logits: no member alone can rule a class out. ValueError without any.
    """
    logged = [torch.log_softmax(each.float(), dim=1) for each in logits]
    if not logged:
        raise ValueError("there is nothing to average; expected the logits of at least one network. Give some.")
    return torch.logsumexp(torch.stack(logged), dim=0) - log(len(logged))


class Ensemble(nn.Module):
    """Classifiers of the same classes, in the same order, as one: gives the log of their mean probabilities.

    members: each gives N×K logits for the same inputs. Costs their time and parameters together.
    Source: Hansen & Salamon 1990, "Neural network ensembles", IEEE TPAMI 12. ValueError without members.
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        if not members:
            raise ValueError("an ensemble has no members; expected at least one network. Give some.")
        self.members = nn.ModuleList(members)

    def forward(self, *inputs: Tensor) -> Tensor:
        return mean_of_probabilities(member(*inputs) for member in self.members)
