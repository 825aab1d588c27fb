"""Dropout in an LSTM, on what goes in and out (row 5.10) and from step to step (row 5.11)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.nn.padding import without_padding, zero_padding


class DropoutLSTM(nn.Module):
    """An LSTM over N×T×D, from (h, c), by default zeros, to the outputs N×T×H and the last (h, c), N×H each.

    Gal & Ghahramani 2016, arXiv:1512.05287: a mask is drawn once for each sequence and serves all its steps, so that
    the same units stay silent from its beginning to its end.

    dropout: the share left out of the inputs x, and of the outputs h (not of the h that the next step is given).
    recurrent_dropout: the share of the last step's h that the gates do not see. The memory c is never masked.
    Both from 0 to below 1 (ValueError outside), inverted: what is kept is divided by the share kept, and evaluation
    masks nothing. lengths (N,): behind them outputs are zero and the state stays as it was. Parameters have the names,
    the order and the initial range of torch.nn.LSTM's: the state_dict of one fits the other.
    """

    def __init__(self, input_size: int, hidden_size: int, dropout: float = 0.0, recurrent_dropout: float = 0.0) -> None:
        super().__init__()
        for name, rate in (("dropout", dropout), ("recurrent_dropout", recurrent_dropout)):
            if not 0 <= rate < 1:
                raise ValueError(f"{name} is {rate}; give the share to leave out, from 0 to below 1")
        self.hidden_size, self.dropout, self.recurrent_dropout = hidden_size, dropout, recurrent_dropout
        self.weight_ih_l0 = nn.Parameter(torch.empty(4 * hidden_size, input_size))
        self.weight_hh_l0 = nn.Parameter(torch.empty(4 * hidden_size, hidden_size))
        self.bias_ih_l0 = nn.Parameter(torch.empty(4 * hidden_size))
        self.bias_hh_l0 = nn.Parameter(torch.empty(4 * hidden_size))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)

    def forward(self, x: Tensor, lengths: Tensor | None = None, state: tuple[Tensor, Tensor] | None = None,
                ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        x, present = without_padding(x, lengths)
        zeros = x.new_zeros(x.shape[0], self.hidden_size)
        h, c = (zeros, zeros) if state is None else state
        mask = F.dropout(torch.ones_like(h), self.recurrent_dropout, self.training)
        from_input = F.linear(self._drop(x), self.weight_ih_l0, self.bias_ih_l0)
        outputs = []
        for step in range(x.shape[1]):
            gates = from_input[:, step] + F.linear(h * mask, self.weight_hh_l0, self.bias_hh_l0)
            i, f, g, o = gates.chunk(4, dim=1)
            new_c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            new_h = torch.sigmoid(o) * torch.tanh(new_c)
            if present is None:
                h, c = new_h, new_c
            else:
                there = present[:, step, None]
                h, c = torch.where(there, new_h, h), torch.where(there, new_c, c)
            outputs.append(h)
        return zero_padding(self._drop(torch.stack(outputs, dim=1)), present), (h, c)

    def _drop(self, sequences: Tensor) -> Tensor:
        """N×T×D times one mask N×1×D."""
        return sequences * F.dropout(torch.ones_like(sequences[:, :1]), self.dropout, self.training)

    def extra_repr(self) -> str:
        return (f"{self.weight_ih_l0.shape[1]}, {self.hidden_size}, dropout={self.dropout}, "
                f"recurrent_dropout={self.recurrent_dropout}")
