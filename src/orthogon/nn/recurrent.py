"""Recurrent layers over padded batches: cells by name, deep, in both directions, with every usual regularizer."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from orthogon.errors import RecipeError, nearest
from orthogon.nn.padding import without_padding, zero_padding
from orthogon.nn.recurrent_norms import BatchNormLSTMCell
from orthogon.nn.recurrent_steps import GRU, LSTM, RNN, LayerNormLSTM, Noise, RelevanceGRU, Steps, unroll

State = Any
"""For each layer and direction (0, 0 reversed, 1, …): h N×H, or (h, c) where there is a memory."""

CELLS: dict[str, Steps | None] = {
    "rnn": RNN(),
    "rnn_relu": RNN(relu=True),
    "gru": GRU(),
    "gru_relevance": RelevanceGRU(),
    "lstm": LSTM(),
    "peephole_lstm": LSTM(),
    "layer_norm_lstm": LayerNormLSTM(),
    "batch_norm_lstm": None,  # its statistics make it a module of its own
}
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

    All rates are shares from 0 to below 1 (ValueError outside), at work in training:
    dropout: of what goes from layer to layer; variational: one mask serves all steps of a sequence (Gal & Ghahramani
    2016, arXiv:1512.05287). recurrent_dropout: of the last step's h that the gates see, one mask a sequence (row 5.11);
    the memory is never masked. zoneout: of units that stay as they were in a step, h and memory each; evaluation
    takes the expectation (Krueger et al. 2017, arXiv:1606.01305). weight_dropout: of the weights from h to h, anew for
    each call (Merity et al. 2018, arXiv:1708.02182).

    lengths (N,): behind them outputs are zero, and a sequence's state is that after its own last step; what stands
    there changes nothing. State: a tuple over layers and directions (0, 0 reversed, 1, …) of h, or of (h, c), N×H each.
    Detached, it carries truncated back-propagation on (row 24.05).
    """

    def __init__(self, input_size: int, hidden_size: int, cell: str = "lstm", layers: int = 1,
                 bidirectional: bool = False, dropout: float = 0.0, recurrent_dropout: float = 0.0,
                 zoneout: float = 0.0, weight_dropout: float = 0.0, variational: bool = False) -> None:
        super().__init__()
        if cell not in CELLS:
            raise RecipeError(f"no recurrent cell is called {cell!r}", remedy=nearest(cell, list(CELLS)))
        if layers < 1:
            raise ValueError(f"layers is {layers}; give 1 or more")
        self.rates = {"dropout": dropout, "recurrent_dropout": recurrent_dropout, "zoneout": zoneout,
                      "weight_dropout": weight_dropout}
        for name, rate in self.rates.items():
            if not 0 <= rate < 1:
                raise ValueError(f"{name} is {rate}; give the share to leave out, from 0 to below 1")
        self.input_size, self.hidden_size, self.cell, self.layers = input_size, hidden_size, cell, layers
        self.bidirectional, self.variational = bidirectional, variational
        self.output_size = hidden_size * (2 if bidirectional else 1)
        for layer in range(layers):
            width = input_size if layer == 0 else self.output_size
            for suffix in self._suffixes(layer):
                for name, value in _parts(cell, width, hidden_size).items():
                    setattr(self, name + suffix, value)
        for name, parameter in self.named_parameters():
            if name.startswith(("weight_ih_l", "weight_hh_l", "bias_ih_l", "bias_hh_l", "weight_peephole_l")):
                nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)

    def forward(self, x: Tensor, lengths: Tensor | None = None, state: tuple[State, ...] | None = None,
                ) -> tuple[Tensor, tuple[State, ...]]:
        x, present = without_padding(x, lengths)
        lengths = None if lengths is None else lengths.to(x.device)
        last: list[State] = []
        x = x.transpose(0, 1)
        for layer in range(self.layers):
            outputs: list[Tensor] = []
            x = self._drop(x) if layer else x
            for suffix in self._suffixes(layer):
                backward = suffix.endswith("_reverse")
                start = self._start(x, None if state is None else state[len(last)])
                out, end = self._read(reversed_steps(x, lengths) if backward else x, suffix, start, lengths, present)
                outputs.append(reversed_steps(out, lengths) if backward else out)
                last.append(end if _remembers(self.cell) else end[0])
            x = torch.cat(outputs, dim=2) if self.bidirectional else outputs[0]
        return zero_padding(x.transpose(0, 1), present), tuple(last)

    def _read(self, x: Tensor, suffix: str, start: tuple[Tensor, ...], lengths: Tensor | None, present: Tensor | None,
              ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One layer in one direction over T×N×D: the outputs T×N×H and the states after each last step."""
        steps, noise = CELLS[self.cell], self._noise(len(x), start)
        if steps is None:
            states = self._read_normalized(x, suffix, start, noise, present)
            return states[0][1:], _ends(states, lengths)
        weight_hh = F.dropout(getattr(self, "weight_hh" + suffix), self.rates["weight_dropout"], self.training)
        weights = [getattr(self, name + suffix) for name in ("weight_ih", "bias_ih", "bias_hh")]
        if self._fused(lengths):
            return _read_fused(self.cell, x, start, (weights[0], weight_hh, *weights[1:]), lengths)
        projected, own = self._project(x, suffix, weights)
        if torch.is_autocast_enabled(x.device.type):
            weight_hh = weight_hh.to(torch.get_autocast_dtype(x.device.type))
        states = unroll(steps, projected.to(start[0].dtype), weight_hh, start, own, noise)
        return states[0][1:], _ends(states, lengths)

    def _project(self, x: Tensor, suffix: str, weights: list[Tensor]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """W_x x + b for all steps, normalized where the cell does so, and the cell's own parameters."""
        weight_ih, bias_ih, bias_hh = weights
        if self.cell == "gru":
            to_gates = F.pad(bias_hh[: 2 * self.hidden_size], (0, self.hidden_size))
            return F.linear(x, weight_ih, bias_ih + to_gates), (bias_hh[2 * self.hidden_size :],)
        if self.cell == "layer_norm_lstm":
            scales = [getattr(self, name + suffix) for name in ("scale_ih", "scale_hh", "scale_c", "shift_c")]
            normal = F.layer_norm(F.linear(x, weight_ih), scales[0].shape, scales[0])
            return normal + (bias_ih + bias_hh), tuple(scales[1:])
        own = (getattr(self, "weight_peephole" + suffix),) if self.cell == "peephole_lstm" else ()
        return F.linear(x, weight_ih, bias_ih + bias_hh), own

    def _read_normalized(self, x: Tensor, suffix: str, start: tuple[Tensor, ...], noise: Noise,
                         present: Tensor | None) -> list[Tensor]:
        cell = getattr(self, "cell" + suffix)
        weight_hh = F.dropout(cell.weight_hh, self.rates["weight_dropout"], self.training)
        (h, c), states = start, [start]
        for step in range(len(x)):
            seen = h if noise.seen is None else h * noise.seen
            given = (x[step], (seen, c), step, None if present is None else present[:, step])
            after = functional_call(cell, {"weight_hh": weight_hh}, given)
            if noise.kept:
                after = [torch.lerp(new, old, kept[step]) for new, old, kept in zip(after, (h, c), noise.kept)]
            h, c = after
            states.append((h, c))
        return [torch.stack(each) for each in zip(*states)]

    def _fused(self, lengths: Tensor | None) -> bool:
        """Whether torch's own layer does it. (It gives c after the last step alone, not after each sequence's own.)"""
        if (self.rates["recurrent_dropout"] and self.training) or self.rates["zoneout"]:
            return False
        return self.cell in _TORCHS and (lengths is None or self.cell in ("rnn", "gru"))

    def _start(self, x: Tensor, state: State | None) -> tuple[Tensor, ...]:
        if state is not None:
            return (state,) if isinstance(state, Tensor) else tuple(state)
        zeros = x.new_zeros(x.shape[1], self.hidden_size)
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

    def _drop(self, x: Tensor) -> Tensor:
        if not self.variational:
            return F.dropout(x, self.rates["dropout"], self.training)
        return x * F.dropout(torch.ones_like(x[:1]), self.rates["dropout"], self.training)

    def _suffixes(self, layer: int) -> list[str]:
        return [f"_l{layer}", f"_l{layer}_reverse"] if self.bidirectional else [f"_l{layer}"]

    def extra_repr(self) -> str:
        rates = "".join(f", {name}={rate}" for name, rate in self.rates.items() if rate)
        return (f"{self.input_size}, {self.hidden_size}, {self.cell}, layers={self.layers}, "
                f"bidirectional={self.bidirectional}{rates}")


_TORCHS = {"rnn": torch.rnn_tanh, "rnn_relu": torch.rnn_relu, "gru": torch.gru, "lstm": torch.lstm}


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
    if cell == "batch_norm_lstm":
        return {"cell": BatchNormLSTMCell(width, units, NORM_STEPS)}
    rows = units * (CELLS[cell] or LSTM()).gates
    shapes = {"weight_ih": (rows, width), "weight_hh": (rows, units), "bias_ih": (rows,), "bias_hh": (rows,)}
    if cell == "peephole_lstm":
        shapes["weight_peephole"] = (3, units)
    parts: dict[str, nn.Parameter | nn.Module] = {
        name: nn.Parameter(torch.empty(shape)) for name, shape in shapes.items()}
    if cell == "layer_norm_lstm":
        parts |= {name: nn.Parameter(torch.ones(size)) for name, size in
                  (("scale_ih", rows), ("scale_hh", rows), ("scale_c", units))}
        parts["shift_c"] = nn.Parameter(torch.zeros(units))
    return parts


def _read_fused(cell: str, x: Tensor, start: tuple[Tensor, ...], weights: tuple[Tensor, ...], lengths: Tensor | None,
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
