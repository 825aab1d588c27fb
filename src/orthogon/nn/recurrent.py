"""Recurrent layers over padded batches: cells by name, deep, in both directions, with every usual regularizer."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.errors import RecipeError, nearest
from orthogon.nn.dropout import SequenceDropout
from orthogon.nn.padding import without_padding, zero_padding
from orthogon.nn.recurrent_lstms import LSTM
from orthogon.nn.recurrent_normalized import BatchNormOver, LayerNormOver, NormalizedLSTM
from orthogon.nn.recurrent_norms import StepBatchNorm
from orthogon.nn.recurrent_steps import GRU, RNN, Noise, RelevanceGRU, Steps, unroll

State = Any
"""For each layer and direction (0, 0 reversed, 1, …): h N×H, or (h, c) where there is a memory."""

PLAIN: dict[str, Steps] = {
    "rnn": RNN(),
    "rnn_relu": RNN(relu=True),
    "gru": GRU(),
    "gru_relevance": RelevanceGRU(),
    "lstm": LSTM(),
    "peephole_lstm": LSTM(),
}
CELLS = (*PLAIN, "layer_norm_lstm", "batch_norm_lstm")
WIDE, FEW = 512, 64
"""Units from which, and sequences up to which, torch's LSTM learns slower in bf16 on a CPU than `unroll`: 20 sequences
of 35 steps through 512 units take 171 ms there and 106 ms here (2-core Xeon with AMX, 2026)."""
NORM_STEPS = 100
"""For how many steps a batch-normalized cell stores statistics; those of the last serve all later ones."""


class Recurrent(nn.Module):
    """A recurrent network over N×T×D, from a state, by default zeros, to outputs N×T×H (or 2H) and the last state.

    cell: a name of CELLS. "rnn", "rnn_relu", "gru" and "lstm" are torch's: the same parameters under the same names,
    so that the state_dict of nn.LSTM fits, and the other way round. "gru_relevance" has its relevance gate before the
    matrix product (Cho et al. 2014, arXiv:1406.1078; row 36.02), else it is named and ordered as "gru".
    "peephole_lstm": its gates see the memory before the step (row 24.20). "layer_norm_lstm": Ba et al. 2016,
    arXiv:1607.06450. "batch_norm_lstm": Cooijmans et al. 2016, arXiv:1603.09025.

    layers: each feeds the next one (row 24.23). bidirectional: each layer also reads every sequence from its own last
    step to its first, and gives both outputs side by side (row 24.22).

    All rates are shares from 0 to below 1 (ValueError outside), at work in training.
    dropout: of what goes from layer to layer; variational: one mask serves all steps of a sequence, as SequenceDropout
    has it, which also serves for what goes into the first layer and comes out of the last.
    recurrent_dropout: of the last step's h that the gates see, one mask a sequence (row 5.11; Gal & Ghahramani 2016,
    arXiv:1512.05287); the memory is never masked.
    zoneout: of units that stay as they were in a step, h and memory each; evaluation takes the expectation (Krueger et
    al. 2017, arXiv:1606.01305).
    weight_dropout: of the weights from h to h, anew for each call (Merity et al. 2018, arXiv:1708.02182).

    lengths (N,): behind them outputs are zero, and a sequence's state is that after its own last step; what stands
    there changes nothing. State: a tuple over layers and directions (0, 0 reversed, 1, …) of h, or of (h, c), N×H each.
    Detached, it carries truncated back-propagation on (row 24.05).
    """

    def __init__(self, input_size: int, hidden_size: int, cell: str = "lstm", layers: int = 1,
                 bidirectional: bool = False, dropout: float = 0.0, recurrent_dropout: float = 0.0,
                 zoneout: float = 0.0, weight_dropout: float = 0.0, variational: bool = False) -> None:
        super().__init__()
        if cell not in CELLS:
            raise RecipeError(f"no recurrent cell is called {cell!r}", remedy=nearest(cell, CELLS))
        if layers < 1:
            raise ValueError(f"layers is {layers}; give 1 or more")
        self.rates = {"dropout": dropout, "recurrent_dropout": recurrent_dropout, "zoneout": zoneout,
                      "weight_dropout": weight_dropout}
        for name, rate in self.rates.items():
            if not 0 <= rate < 1:
                raise ValueError(f"{name} is {rate}; give the share to leave out, from 0 to below 1")
        self.input_size, self.hidden_size, self.cell, self.layers = input_size, hidden_size, cell, layers
        self.bidirectional = bidirectional
        self.output_size = hidden_size * (2 if bidirectional else 1)
        self.between = SequenceDropout(dropout) if variational else nn.Dropout(dropout)
        for layer in range(layers):
            width = input_size if layer == 0 else self.output_size
            for suffix in self._suffixes(layer):
                for name, value in _parts(cell, width, hidden_size).items():
                    setattr(self, name + suffix, value)
        for name, parameter in self.named_parameters():
            if not name.startswith("norm_"):
                _initialize(cell, name, parameter, hidden_size)

    def forward(self, x: Tensor, lengths: Tensor | None = None, state: tuple[State, ...] | None = None,
                ) -> tuple[Tensor, tuple[State, ...]]:
        return self._over(x, lengths, state, whole=lengths is None)

    def outputs(self, x: Tensor, lengths: Tensor) -> Tensor:
        """The outputs of `forward` alone: in less time with an LSTM, whose memory after each sequence's own end nobody
        asks for."""
        return self._over(x, lengths, None, whole=True)[0]

    def _over(self, x: Tensor, lengths: Tensor | None, state: tuple[State, ...] | None, whole: bool,
              ) -> tuple[Tensor, tuple[State, ...]]:
        """whole: whether no memory is asked for but that after the last step of the batch."""
        x, present = without_padding(x, lengths)
        lengths = None if lengths is None else lengths.to(x.device)
        last: list[State] = []
        x = x.transpose(0, 1)
        for layer in range(self.layers):
            outputs: list[Tensor] = []
            x = self.between(x.transpose(0, 1)).transpose(0, 1) if layer else x
            for suffix in self._suffixes(layer):
                backward = suffix.endswith("_reverse")
                start = self._start(x, None if state is None else state[len(last)])
                given = reversed_steps(x, lengths) if backward else x
                out, end = self._read(given, suffix, start, lengths, present, whole)
                outputs.append(reversed_steps(out, lengths) if backward else out)
                last.append(end if _remembers(self.cell) else end[0])
            x = torch.cat(outputs, dim=2) if self.bidirectional else outputs[0]
        return zero_padding(x.transpose(0, 1), present), tuple(last)

    def _read(self, x: Tensor, suffix: str, start: tuple[Tensor, ...], lengths: Tensor | None, present: Tensor | None,
              whole: bool) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One layer in one direction over T×N×D: the outputs T×N×H and the states after each last step."""
        weight_hh = F.dropout(getattr(self, "weight_hh" + suffix), self.rates["weight_dropout"], self.training)
        if self._fused(x, whole):
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            weights = [weight_hh if name == "weight_hh" else getattr(self, name + suffix) for name in names]
            return _read_fused(self.cell, x, start, weights, lengths)
        if torch.is_autocast_enabled(x.device.type):
            weight_hh = weight_hh.to(torch.get_autocast_dtype(x.device.type))
        steps, projected, own = self._steps(x, suffix, present)
        states = unroll(steps, projected, weight_hh, start, own, self._noise(len(x), start))
        return states[0][1:], _ends(states, lengths)

    def _steps(self, x: Tensor, suffix: str, present: Tensor | None) -> tuple[Steps, Tensor, tuple[Tensor, ...]]:
        """How the cell steps, W_x x (+ b) for all steps, and the cell's own parameters."""
        weight_ih = getattr(self, "weight_ih" + suffix)
        if self.cell in PLAIN:
            bias_ih, bias_hh, own = getattr(self, "bias_ih" + suffix), getattr(self, "bias_hh" + suffix), ()
            if self.cell == "gru":  # the bias of n, after h, stays inside
                bias_hh, inside = bias_hh.split([2 * self.hidden_size, self.hidden_size])
                bias_hh, own = F.pad(bias_hh, (0, self.hidden_size)), (inside,)
            if self.cell == "peephole_lstm":
                own = (getattr(self, "weight_peephole" + suffix),)
            return PLAIN[self.cell], F.linear(x, weight_ih, bias_ih + bias_hh), own
        of_inputs, of_hidden, of_memory = norms = [getattr(self, name + suffix) for name in _NORMS]
        own = (of_inputs.weight, getattr(self, "bias" + suffix), of_hidden.weight, of_memory.weight, of_memory.bias)
        over = [LayerNormOver(norm) if isinstance(norm, nn.LayerNorm) else BatchNormOver(norm, x, present)
                for norm in norms]
        return NormalizedLSTM(*over), F.linear(x, weight_ih), own

    def _fused(self, x: Tensor, whole: bool) -> bool:
        """Whether torch's own layer does it, and faster: its LSTM does, on a GPU its others too, and for a single step
        that is not learnt from all do.

        It has no recurrent noise, and gives c after the last step alone, not after each sequence's own.
        """
        if self.cell not in _TORCHS or self.rates["zoneout"] or (self.training and self.rates["recurrent_dropout"]):
            return False
        if self.cell == "lstm" and self.hidden_size >= WIDE and x.shape[1] <= FEW and _learns_in_bf16(x):
            return False
        if self.cell == "lstm":
            return whole
        return x.is_cuda or (len(x) == 1 and not torch.is_grad_enabled())

    def _start(self, x: Tensor, state: State | None) -> tuple[Tensor, ...]:
        dtype = next(self.parameters()).dtype  # that of memory and sums; products may be coarser
        if state is not None:
            return tuple(each.to(dtype) for each in ((state,) if isinstance(state, Tensor) else state))
        zeros = x.new_zeros(x.shape[1], self.hidden_size, dtype=dtype)
        return (zeros, zeros) if _remembers(self.cell) else (zeros,)

    def _noise(self, length: int, start: tuple[Tensor, ...]) -> Noise:
        h, share = start[0], self.rates["zoneout"]
        drops = self.training and self.rates["recurrent_dropout"] > 0
        seen = F.dropout(torch.ones_like(h), self.rates["recurrent_dropout"]) if drops else None
        if not share:
            return Noise(seen)
        if not self.training:
            return Noise(seen, (h.new_full((), share).expand(length, *h.shape),) * len(start))
        return Noise(seen, tuple(torch.empty(length, *h.shape, dtype=h.dtype, device=h.device).bernoulli_(share)
                                 for _ in start))

    def _suffixes(self, layer: int) -> list[str]:
        return [f"_l{layer}", f"_l{layer}_reverse"] if self.bidirectional else [f"_l{layer}"]

    def extra_repr(self) -> str:
        rates = "".join(f", {name}={rate}" for name, rate in self.rates.items() if rate)
        return (f"{self.input_size}, {self.hidden_size}, {self.cell}, layers={self.layers}, "
                f"bidirectional={self.bidirectional}{rates}")


def _learns_in_bf16(x: Tensor) -> bool:
    on = x.device.type == "cpu" and torch.is_grad_enabled() and torch.is_autocast_enabled("cpu")
    return on and torch.get_autocast_dtype("cpu") == torch.bfloat16


_TORCHS = {"rnn": torch.rnn_tanh, "gru": torch.gru, "lstm": torch.lstm}
_NORMS = ("norm_ih", "norm_hh", "norm_c")


def reversed_steps(x: Tensor, lengths: Tensor | None) -> Tensor:
    """T×N×D with each sequence from its own last step to its first; what stands behind it stays there."""
    if lengths is None:
        return x.flip(0)
    step = torch.arange(len(x), device=x.device).unsqueeze(1)
    source = torch.where(step < lengths, lengths - 1 - step, step)
    return x.gather(0, source.unsqueeze(2).expand_as(x))


def _remembers(cell: str) -> bool:
    """Whether it has a memory c beside h."""
    return cell.endswith("lstm")


def _parts(cell: str, width: int, units: int) -> dict[str, nn.Parameter | nn.Module]:
    """What one layer has in one direction, before it is initialized."""
    rows = units * (1 if cell.startswith("rnn") else 3 if cell.startswith("gru") else 4)
    shapes = {"weight_ih": (rows, width), "weight_hh": (rows, units)}
    shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)} if cell in PLAIN else {"bias": (rows,)}
    if cell == "peephole_lstm":
        shapes["weight_peephole"] = (3, units)
    parameters = {name: nn.Parameter(torch.empty(shape)) for name, shape in shapes.items()}
    if cell == "layer_norm_lstm":
        norms = (nn.LayerNorm(rows, bias=False), nn.LayerNorm(rows, bias=False), nn.LayerNorm(units))
    elif cell == "batch_norm_lstm":
        norms = (StepBatchNorm(rows, NORM_STEPS), StepBatchNorm(rows, NORM_STEPS),
                 StepBatchNorm(units, NORM_STEPS, shift=True))
    else:
        norms = ()
    return {**parameters, **dict(zip(_NORMS, norms))}


@torch.no_grad()
def _initialize(cell: str, name: str, parameter: Tensor, units: int) -> None:
    """As torch's layers start; a batch-normalized LSTM as in its paper."""
    if cell != "batch_norm_lstm":
        parameter.uniform_(-(units**-0.5), units**-0.5)
    elif name.startswith("weight_ih"):
        nn.init.xavier_uniform_(parameter)
    elif name.startswith("weight_hh"):
        for gate in parameter.chunk(4):
            nn.init.orthogonal_(gate)
    else:
        parameter.zero_()


def _read_fused(cell: str, x: Tensor, start: tuple[Tensor, ...], weights: list[Tensor], lengths: Tensor | None,
                ) -> tuple[Tensor, tuple[Tensor, ...]]:
    given = [each.unsqueeze(0) for each in start]
    outputs, *last = _TORCHS[cell](x, given if len(given) > 1 else given[0], weights, True, 1, 0.0, False, False, False)
    if lengths is None:
        return outputs, tuple(each.squeeze(0) for each in last)
    return outputs, _ends([torch.cat([given[0], outputs])], lengths)


def _ends(states: tuple[Tensor, ...] | list[Tensor], lengths: Tensor | None) -> tuple[Tensor, ...]:
    """The state after each sequence's own last step, of (T+1)×N×H with the start at 0."""
    if lengths is None:
        return tuple(each[-1] for each in states)
    return tuple(each.gather(0, lengths.view(1, -1, 1).expand_as(each[:1]))[0] for each in states)
