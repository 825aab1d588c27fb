"""A network that reads a sequence and writes another one: encoder, decoder, and attention between them."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.errors import RecipeError, nearest
from orthogon.nn.attention import Attention, BahdanauAttention, DotAttention, Memory
from orthogon.nn.beam import PerSentence
from orthogon.nn.embedding import token_embedding
from orthogon.nn.padding import lengths_of
from orthogon.nn.recurrent import Recurrent
from orthogon.nn.spec import ModelSpec

ATTENTION = ("bahdanau", "dot", "none")
CELLS = ("gru", "lstm")


class Written(NamedTuple):
    """What a decoder did in T steps: its states N×T×H, what it attended to, N×T×D and N×T×S (None: to nothing), and
    the state after the last step."""

    states: Tensor
    contexts: Tensor | None
    attention: Tensor | None
    last: tuple[Any, ...]


class EncoderDecoder(nn.Module):
    """Source ids N×S and the target's ids before each step N×T -> scores of the token of each step, N×T×V.

    A bidirectional encoder; its last states, through a layer, are the first ones of the decoder (Cho et al. 2014,
    arXiv:1406.1078; Sutskever et al. 2014, arXiv:1409.3215; rows 24.09, 28.01). attention: "bahdanau" (1409.0473): the
    decoder's state asks before each step, and what is found feeds the step; "dot" (Luong et al. 2015, 1508.04025): the
    state asks after the step, so that all steps of a known target are one product; "none".
    In training the tokens before are the true ones (teacher forcing, row 25.10); for search `start` and `step` ask for
    one token after another, by the same weights and with the same results.
    tied: the layer of the output has the target's embeddings as weights (Press & Wolf 2017, arXiv:1608.05859).
    """

    token_tables: ClassVar[dict[str, int]] = {
        "source_embedding": 0, "target_embedding": 1, "output": 1, "output_bias": 1}

    def __init__(self, source: int, target: int, embedding: int = 256, hidden: int = 256, layers: int = 1,
                 cell: str = "gru", attention: str = "bahdanau", dropout: float = 0.2, tied: bool = True) -> None:
        super().__init__()
        for name, given, known in (("cell", cell, CELLS), ("attention", attention, ATTENTION)):
            if given not in known:
                raise RecipeError(f"{name} is {given!r}", where=f"model.options.{name}",
                                  remedy=nearest(given, list(known)))
        self.dropout = dropout
        self.source_embedding, self.target_embedding = (token_embedding(ids, embedding) for ids in (source, target))
        self.encoder = Recurrent(embedding, hidden, cell, layers, bidirectional=True, dropout=dropout)
        parts = 2 if cell == "lstm" else 1
        self.bridge = nn.ModuleList(nn.Linear(2 * hidden, parts * hidden) for _ in range(layers))
        read = self.encoder.output_size
        self.attention: Attention | None = None
        if attention == "bahdanau":
            self.attention = BahdanauAttention(hidden, read, hidden)
        elif attention == "dot":
            self.attention = DotAttention(hidden, read)
        self.asks_first = attention == "bahdanau"
        if self.asks_first:
            self.first: nn.GRUCell | nn.LSTMCell = (nn.GRUCell if cell == "gru" else nn.LSTMCell)(
                embedding + read, hidden)
        below = int(self.asks_first)
        self.decoder = None if layers == below else Recurrent(hidden if below else embedding, hidden, cell,
                                                              layers - below, dropout=dropout)
        self.readout = nn.Linear(hidden if self.attention is None else hidden + read, embedding)
        self.output = None if tied else nn.Linear(embedding, target, bias=False)
        self.output_bias = nn.Parameter(torch.zeros(target))

    def forward(self, source: Tensor, given: Tensor) -> Tensor:
        memory, first = self.read(source)
        return self.scores(self.write(given, first, memory))

    def attend(self, source: Tensor, given: Tensor) -> Tensor:
        """The weights N×T×S that each step attends with, of tokens that are given. RecipeError without attention."""
        memory, first = self.read(source)
        found = self.write(given, first, memory).attention
        if found is None:
            raise RecipeError("this network attends to nothing", where="model.options.attention",
                              remedy="Take bahdanau or dot.")
        return found

    def start(self, source: Tensor) -> tuple[tuple[Any, ...], Any]:
        """The state of a search (`orthogon.nn.beam`) before its first token."""
        memory, first = self.read(source)
        return first, None if memory is None else tuple(map(PerSentence, memory))

    def step(self, tokens: Tensor, state: tuple[tuple[Any, ...], Any]) -> tuple[Any, ...]:
        """One token for each row R: log-probabilities R×V, the state after it, and, where there is any, attention."""
        before, kept = state
        memory = None if kept is None else Memory(*(each.tensor for each in kept))
        written = self.write(tokens.unsqueeze(1), before, memory)
        logs = F.log_softmax(self.scores(written)[:, 0].float(), dim=1)
        attention = () if written.attention is None else (written.attention[:, 0],)
        return logs, (written.last, kept), *attention

    def read(self, source: Tensor) -> tuple[Memory | None, tuple[Any, ...]]:
        """What the encoder makes of the source: the memory to attend to, and the first states of the decoder."""
        lengths = lengths_of(source).clamp(min=1)
        embedded = self._drop(self.source_embedding(source))
        outputs, last = self.encoder(embedded, lengths)
        memory = None
        if self.attention is not None:
            present = torch.arange(source.shape[1], device=source.device) < lengths.unsqueeze(1)
            memory = self.attention.remember(outputs, present)
        return memory, tuple(self._bridged(bridge, last[2 * layer : 2 * layer + 2])
                             for layer, bridge in enumerate(self.bridge))

    def _bridged(self, bridge: nn.Module, both: tuple[Any, ...]) -> Any:
        """The decoder's first state of a layer, from the last ones of the encoder in both directions."""
        hidden = [each if isinstance(each, Tensor) else each[0] for each in both]
        made = torch.tanh(bridge(torch.cat(hidden, dim=1)))
        return made if isinstance(both[0], Tensor) else tuple(made.chunk(2, dim=1))

    def write(self, given: Tensor, before: tuple[Any, ...], memory: Memory | None) -> Written:
        """The decoder over given tokens R×T, from its states before; R rows are N sentences times as many beams."""
        embedded = self._drop(self.target_embedding(given))
        if memory is None or self.attention is None:
            states, last = self._above(embedded, before)
            return Written(states, None, None, last)
        if not self.asks_first:
            states, last = self._above(embedded, before)
            return Written(states, *self._asked(states, memory), last)
        state, found = before[0], []
        for token in embedded.unbind(1):
            hidden = state if isinstance(state, Tensor) else state[0]
            context, weights = self._asked(hidden.unsqueeze(1), memory)
            state = self.first(torch.cat([token, context[:, 0].to(token.dtype)], dim=1), state)
            found.append((state if isinstance(state, Tensor) else state[0], context[:, 0], weights[:, 0]))
        states, contexts, weights = (torch.stack(each, dim=1) for each in zip(*found))
        states, last = self._above(states, before[1:])
        return Written(states, contexts, weights, (state, *last))

    def _above(self, x: Tensor, before: tuple[Any, ...]) -> tuple[Tensor, tuple[Any, ...]]:
        """The layers of the decoder that need no attention, over all steps at once."""
        return (x, ()) if self.decoder is None else self.decoder(x, None, before)

    def _asked(self, queries: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Contexts R×T×D and weights R×T×S of queries R×T×H: all beams of a sentence ask the one memory."""
        assert self.attention is not None  # noqa: S101 - there is a memory
        rows, steps, width = queries.shape
        contexts, weights = self.attention(queries.reshape(len(memory.values), -1, width), memory)
        return contexts.view(rows, steps, -1), weights.view(rows, steps, -1)

    def scores(self, written: Written) -> Tensor:
        """N×T×V."""
        states = written.states
        if written.contexts is not None:
            states = torch.cat([states, written.contexts.to(states.dtype)], dim=2)
        read = self._drop(torch.tanh(self.readout(states)))
        table = self.target_embedding if self.output is None else self.output
        return F.linear(read, table.weight, self.output_bias)

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training)


def encoder_decoder(spec: ModelSpec, embedding: int = 256, hidden: int = 256, layers: int = 1,
                    cell: Literal["gru", "lstm"] = "gru",
                    attention: Literal["bahdanau", "dot", "none"] = "bahdanau", dropout: float = 0.2,
                    tied: bool = True) -> EncoderDecoder:
    """The network for a spec of two texts: the source, and the target as far as it is written."""
    if [item.kind for item in spec.inputs] != ["text", "text"]:
        raise RecipeError(f"encoder_decoder reads one text and writes another; this data has {', '.join(spec.kinds)}",
                          where="model.name", remedy="It is the model of the task translate.")
    return EncoderDecoder(spec.inputs[0].levels[0], spec.outputs, embedding, hidden, layers, cell, attention, dropout,
                          tied)
