"""A recurrent network over the tokens of a text, in both directions, pooled to one vector."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from orthogon.errors import RecipeError, nearest
from orthogon.nn.models import TOKEN_WIDTH
from orthogon.nn.recurrent import Recurrent
from orthogon.nn.spec import ModelSpec
from orthogon.text.networks import Reader, TextNetwork

Pooling = Literal["max", "mean", "last"]


class RecurrentReader(Reader):
    """Outputs at all tokens -> their largest, their mean, or what each direction says at its own last token."""

    def __init__(self, recurrent: Recurrent, pooling: Pooling) -> None:
        super().__init__()
        self.recurrent, self.pooling, self.width = recurrent, pooling, recurrent.output_size

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """N×T×D and (N,) -> N×width."""
        outputs = self.recurrent.outputs(x, lengths)
        if self.pooling == "mean":
            return outputs.sum(1) / lengths.clamp(min=1).unsqueeze(1)
        if self.pooling == "max":
            present = torch.arange(x.shape[1], device=x.device) < lengths.clamp(min=1).unsqueeze(1)
            return outputs.masked_fill(~present.unsqueeze(2), -torch.inf).amax(1)
        return last_outputs(outputs, lengths.clamp(min=1), self.recurrent.hidden_size)


def last_outputs(outputs: Tensor, lengths: Tensor, units: int) -> Tensor:
    """Of N×T×units, or 2·units of both directions, what each says at its own last token: N×units or 2·units."""
    last = outputs[torch.arange(len(outputs), device=outputs.device), lengths - 1]
    return torch.cat([last[:, :units], outputs[:, 0, units:]], dim=1)


def text_rnn(spec: ModelSpec, embedding: int = TOKEN_WIDTH, hidden: int = 128, cell: str = "lstm", layers: int = 1,
             bidirectional: bool = True, pooling: Pooling = "max", embedding_dropout: float = 0.0,
             recurrent_dropout: float = 0.0, dropout: float = 0.5) -> nn.Module:
    """A bidirectional LSTM over the tokens, the largest of each output over the text, one layer.

    embedding: width of the embeddings. hidden: units of each direction. cell: lstm, gru, rnn, … as `nn.Recurrent` has
    them. pooling: max, mean or last, over real tokens alone. embedding_dropout: share of the tokens left out in
    training. recurrent_dropout: share of the state that gates do not see. dropout: share of the units between layers
    and before the last one.
    """
    if pooling not in get_args(Pooling):
        raise RecipeError(f"there is no pooling {pooling!r}", where="model.options.pooling",
                          remedy=nearest(pooling, list(get_args(Pooling))))

    def reader(width: int) -> Reader:
        return RecurrentReader(Recurrent(width, hidden, cell, layers, bidirectional, dropout if layers > 1 else 0.0,
                                         recurrent_dropout), pooling)

    return TextNetwork(spec, reader, embedding, embedding_dropout, dropout)
