"""A recurrent language model: what the next token is, from all before it (rows 25.01, 25.03, 25.10)."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.errors import RecipeError
from orthogon.nn.recurrent import Recurrent
from orthogon.nn.spec import PAD, ModelSpec
from orthogon.tasks.encoded import wide

TIED_FROM = 10_000
"""Ids of a vocabulary from which the output layer is the embedding again, where nothing else is asked for."""

AT_ONCE = 1 << 24
"""Logits that are held at once where no gradient is needed."""

Told = tuple[Tensor, Any]
"""What each known target costs in nats (M,), in the order of rows and steps, and the state after the last step."""


class LanguageRNN(nn.Module):
    """Embeddings, recurrent layers, and a distribution over the next token. See `language_rnn`.

    ids int64 N×T -> log-probabilities of the token after each, N×T×V. With targets int64 N×T, of which `PAD` are not
    known -> `Told`. state: of the recurrent layers, that the text before has left; None: there is none before.
    """

    tells_costs = True

    def __init__(self, ids: int, embedding: int, recurrent: Recurrent, tied: bool, cutoffs: list[int], dropout: float,
                 embedding_dropout: float, variational: bool) -> None:
        super().__init__()
        self.embedding, self.recurrent = nn.Embedding(ids, embedding), recurrent
        self.dropout, self.embedding_dropout, self.variational = dropout, embedding_dropout, variational
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        width = recurrent.output_size
        narrow = tied and embedding != width
        self.token_tables = {"embedding": 0, "output.1" if narrow else "output": 0}
        if cutoffs:
            self.output: nn.Module = nn.AdaptiveLogSoftmaxWithLoss(width, ids, cutoffs)
            return
        linear = nn.Linear(embedding if tied else width, ids)
        nn.init.uniform_(linear.weight, -0.1, 0.1)
        nn.init.zeros_(linear.bias)
        if tied:
            linear.weight = self.embedding.weight
        self.output = nn.Sequential(nn.Linear(width, embedding, bias=False), linear) if narrow else linear

    def forward(self, ids: Tensor, targets: Tensor | None = None, state: Any = None) -> Tensor | Told:
        features, state = self.read(ids, state)
        if targets is None:
            return self.log_probabilities(features)
        known = targets != PAD
        return self._costs(features[known], targets[known]), state

    def read(self, ids: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """What is known after each token, N×T×H, and the state after the last one."""
        outputs, state = self.recurrent(self._drop(self.embedding(ids), self.embedding_dropout), state=state)
        return self._drop(outputs, self.dropout), state

    def log_probabilities(self, features: Tensor) -> Tensor:
        if isinstance(self.output, nn.AdaptiveLogSoftmaxWithLoss):
            with torch.autocast(features.device.type, enabled=False):
                flat = self.output.log_prob(wide(features).flatten(0, -2))
            return flat.view(*features.shape[:-1], -1)
        return wide(self.output(features)).log_softmax(-1)

    def _costs(self, features: Tensor, targets: Tensor) -> Tensor:
        """Of M×H and M: −log p of each target."""
        if torch.is_grad_enabled():
            return self._costs_at_once(features, targets)
        size = max(1, AT_ONCE // self.embedding.num_embeddings)
        pieces = zip(features.split(size), targets.split(size))
        return torch.cat([self._costs_at_once(*piece) for piece in pieces])

    def _costs_at_once(self, features: Tensor, targets: Tensor) -> Tensor:
        if isinstance(self.output, nn.AdaptiveLogSoftmaxWithLoss):
            with torch.autocast(features.device.type, enabled=False):  # it adds up in the type that it is given
                return -self.output(wide(features), targets).output
        return F.cross_entropy(wide(self.output(features)), targets, reduction="none")

    def _drop(self, x: Tensor, rate: float) -> Tensor:
        if not self.variational:
            return F.dropout(x, rate, self.training)
        return x * F.dropout(torch.ones_like(x[:, :1]), rate, self.training)


def language_rnn(
    spec: ModelSpec, hidden: int = 512, layers: int = 2, cell: str = "lstm", embedding: int | None = None,
    tied: bool | None = None, adaptive: bool = False, dropout: float = 0.0, embedding_dropout: float = 0.0,
    variational: bool = False, recurrent_dropout: float = 0.0, zoneout: float = 0.0, weight_dropout: float = 0.0,
) -> nn.Module:
    """A recurrent language model.

    hidden: units of each layer. cell, recurrent_dropout, zoneout, weight_dropout: as of `Recurrent`.
    embedding: width of the embeddings; left out: that of the layers where it is tied, else at most 128.
    tied: whether the output layer is the embedding again (Press & Wolf 2017, arXiv:1608.05859); left out: from 10,000
    ids on, unless adaptive. adaptive: rare tokens share an output of their cluster and have narrow layers of their own
    (Grave et al. 2017, arXiv:1609.04309): for vocabularies that are sorted by how often tokens occur.
    dropout: share of the outputs of the layers, between them and at the end, left out in training. embedding_dropout:
    of the embeddings. variational: one mask for all steps of both.
    """
    (ids,) = spec.inputs[0].levels
    if adaptive and tied:
        raise RecipeError("an adaptive softmax has no one layer that could be the embedding again",
                          where="model.options.tied", remedy="Choose tied or adaptive.")
    tied = (ids >= TIED_FROM and not adaptive) if tied is None else tied
    embedding = embedding or (hidden if tied else min(128, hidden))
    recurrent = Recurrent(embedding, hidden, cell, layers, dropout=dropout, recurrent_dropout=recurrent_dropout,
                          zoneout=zoneout, weight_dropout=weight_dropout, variational=variational)
    cutoffs = [cut for cut in (2_000, 10_000, 100_000) if cut < ids - 1] if adaptive else []
    if adaptive and not cutoffs:
        raise RecipeError(f"an adaptive softmax over {ids:,} ids saves nothing", where="model.options.adaptive",
                          remedy="Leave it out.")
    return LanguageRNN(ids, embedding, recurrent, tied, cutoffs, dropout, embedding_dropout, variational)
