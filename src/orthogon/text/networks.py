"""What networks for texts share: tokens embedded, read by a reader, joined with other inputs, then one linear layer."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from orthogon.errors import RecipeError
from orthogon.nn.embedding import token_embedding
from orthogon.nn.initializers import initialize_output
from orthogon.nn.models import Flat
from orthogon.nn.padding import lengths_of
from orthogon.nn.spec import ModelSpec


class TokenEmbedding(nn.Module):
    """Ids int64 N×T -> embeddings N×T×width, zeros for padding.

    dropout: share of the tokens whose whole embedding is left out in training (Iyyer et al. 2015, ACL; row 5.08).
    """

    def __init__(self, ids: int, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.table = token_embedding(ids, width)
        self.dropout = nn.Dropout1d(dropout)

    def forward(self, ids: Tensor) -> Tensor:
        return self.dropout(self.table(ids))


class Reader(nn.Module):
    """Embedded tokens N×T×D with their lengths (N,) -> one vector for each text, N×width, whatever the padding."""

    width: int


class TextNetwork(nn.Module):
    """Each text embedded and read, other inputs flat beside them, dropout, one linear layer.

    reader: width of the embedding -> a new `Reader`.
    """

    def __init__(self, spec: ModelSpec, reader: Callable[[int], Reader], embedding: int, embedding_dropout: float,
                 dropout: float) -> None:
        super().__init__()
        _check_rates(embedding_dropout=embedding_dropout, dropout=dropout)
        texts = [item for item in spec.inputs if item.kind == "text"]
        if not texts:
            raise RecipeError("a network for texts needs a column of text", where="model.name",
                              remedy="Take mlp, or say which column is text: --set 'data.types={NAME: text}'")
        self.kinds = spec.kinds
        readers = [reader(embedding) for _ in texts]
        self.token_tables = {f"embeddings.{place}": place for place in range(len(texts))}
        self.embeddings = nn.ModuleList(TokenEmbedding(item.levels[0], embedding, embedding_dropout) for item in texts)
        self.readers = nn.ModuleList(readers)
        self.others = Flat([item for item in spec.inputs if item.kind != "text"], None, one_hot=False)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(sum(each.width for each in readers) + self.others.width, spec.outputs)
        initialize_output(self.output)

    def forward(self, *inputs: Tensor) -> Tensor:
        texts = [each for each, kind in zip(inputs, self.kinds) if kind == "text"]
        others = [each for each, kind in zip(inputs, self.kinds) if kind != "text"]
        read = [self._read(*each) for each in zip(texts, self.embeddings, self.readers)]
        return self.output(self.dropout(torch.cat([*read, self.others(*others)] if others else read, dim=1)))

    def _read(self, ids: Tensor, embedding: nn.Module, reader: nn.Module) -> Tensor:
        return reader(embedding(ids), lengths_of(ids))


def _check_rates(**rates: float) -> None:
    for name, rate in rates.items():
        if not isinstance(rate, int | float) or not 0 <= rate < 1:
            raise RecipeError(f"{name} is a share from 0 to below 1; got {rate!r}", where=f"model.options.{name}",
                              remedy="0.2 to 0.5 is usual.")
