"""A recurrent network that reads a window of a series and gives what comes after it, with a linear part beside it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from orthogon.errors import RecipeError, nearest
from orthogon.nn.initializers import initialize_output
from orthogon.nn.recurrent import Recurrent
from orthogon.nn.spec import ModelSpec

MODES = ("direct", "recursive")


class Forecaster(nn.Module):
    """Steps N×T×D -> N×H values that follow. See `forecaster`."""

    head_name = "head"

    def __init__(self, history: int, numbers: int, outputs: int, width: int, cell: str, layers: int, dropout: float,
                 autoregressive: bool) -> None:
        super().__init__()
        self.recurrent = Recurrent(numbers, width, cell=cell, layers=layers, dropout=dropout)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(self.recurrent.output_size, outputs)
        self.linear = _linear(history, outputs) if autoregressive else None
        initialize_output(self.head)

    def forward(self, steps: Tensor) -> Tensor:
        read, _ = self.recurrent(steps)
        values = self.head(self.drop(read[:, -1]))
        return values if self.linear is None else values + self.linear(steps[:, :, 0])


class RecursiveForecaster(nn.Module):
    """Steps N×T×D -> N×H values, one after the other, each made with the one before as input. See `forecaster`."""

    head_name = "head"

    def __init__(self, history: int, numbers: int, outputs: int, width: int, cell: str, layers: int, dropout: float,
                 autoregressive: bool) -> None:
        super().__init__()
        self.reader = Recurrent(numbers, width, cell=cell, layers=layers, dropout=dropout)
        self.writer = Recurrent(1, width, cell=cell, layers=layers, dropout=dropout)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(self.writer.output_size, 1)
        self.linear = _linear(history, 1) if autoregressive else None
        self.history, self.outputs = history, outputs
        initialize_output(self.head)

    def forward(self, steps: Tensor) -> Tensor:
        _, state = self.reader(steps)
        values = [steps[:, step, :1] for step in range(self.history)]
        for _ in range(self.outputs):
            written, state = self.writer(values[-1][:, None], state=state)
            value = self.head(self.drop(written[:, -1]))
            if self.linear is not None:
                value = value + self.linear(torch.cat(values[-self.history :], dim=1))
            values.append(value)
        return torch.cat(values[self.history :], dim=1)


def _linear(history: int, outputs: int) -> nn.Linear:
    linear = nn.Linear(history, outputs, bias=False)
    initialize_output(linear)
    return linear


def forecaster(spec: ModelSpec, width: int = 64, cell: str = "gru", layers: int = 1, dropout: float = 0.0,
               mode: str = "direct", autoregressive: bool = True) -> nn.Module:
    """A recurrent network over the steps of a window, of which the first number is the target.

    width: units of each layer. cell: as of `Recurrent` (lstm, gru, …). layers: one above the other.
    dropout: share of the units left out in training, between layers and before the output.
    mode: "direct": all values ahead at once, from what was read of the last step (rows 24.10, 24.13);
        "recursive": a second network makes one value after the other, with the one before as its input (row 24.15).
    autoregressive: a linear layer on the history of the target is added to what the network gives, so that it need not
        learn the level and the season (Lai et al. 2018, arXiv:1703.07015); where recursive, on the last values with
        those already made.
    RecipeError where the input is no window.
    """
    if len(spec.inputs) != 1 or spec.inputs[0].kind != "number" or len(spec.inputs[0].shape) != 2:
        raise RecipeError("forecaster reads windows of a series", where="model.name",
                          remedy="It is for --task forecast; of other tables take mlp.")
    if mode not in MODES:
        raise RecipeError(f"there is no mode {mode!r}", where="model.options.mode", remedy=nearest(mode, MODES))
    sort = Forecaster if mode == "direct" else RecursiveForecaster
    history, numbers = spec.inputs[0].shape
    return sort(history, numbers, spec.outputs, width, cell, layers, dropout, autoregressive)
