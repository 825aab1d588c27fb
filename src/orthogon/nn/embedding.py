"""Tables of tokens."""

from __future__ import annotations

import torch
from torch import nn

from orthogon.nn.spec import PAD


def token_embedding(ids: int, width: int) -> nn.Embedding:
    """A table ids×width whose rows have length 1 on average, so that scores of tied ones are moderate.

    That of `PAD` is zero, and stays so where the table is read as an embedding alone, since padding has no gradient
    there; where it is the layer of the output too, it is zero at the start.
    """
    table = nn.Embedding(ids, width, padding_idx=PAD)
    nn.init.normal_(table.weight, std=width**-0.5)
    with torch.no_grad():
        table.weight[PAD].zero_()
    return table
