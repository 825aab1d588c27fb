"""A recurrent network that reads a window of a series and gives what comes after it."""

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

    def __init__(self, steps: int, outputs: int, width: int, cell: str, layers: int, dropout: float,
                 difference: bool) -> None:
        super().__init__()
        self.recurrent = Recurrent(steps, width, cell=cell, layers=layers, dropout=dropout)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(self.recurrent.output_size, outputs)
        self.difference = difference
        initialize_output(self.head)

    def forward(self, steps: Tensor) -> Tensor:
        read, _ = self.recurrent(steps)
        values = self.head(self.drop(read[:, -1]))
        return values + steps[:, -1, :1] if self.difference else values


class RecursiveForecaster(nn.Module):
    """Steps N×T×D -> N×H values, one after the other, each made with the one before as input. See `forecaster`."""

    head_name = "head"

    def __init__(self, steps: int, outputs: int, width: int, cell: str, layers: int, dropout: float,
                 difference: bool) -> None:
        super().__init__()
        self.reader = Recurrent(steps, width, cell=cell, layers=layers, dropout=dropout)
        self.writer = Recurrent(1, width, cell=cell, layers=layers, dropout=dropout)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(self.writer.output_size, 1)
        self.outputs, self.difference = outputs, difference
        initialize_output(self.head)

    def forward(self, steps: Tensor) -> Tensor:
        _, state = self.reader(steps)
        value, made = steps[:, -1, :1], []
        for _ in range(self.outputs):
            written, state = self.writer(value[:, None], state=state)
            said = self.head(self.drop(written[:, -1]))
            value = value + said if self.difference else said
            made.append(value)
        return torch.cat(made, dim=1)


def forecaster(spec: ModelSpec, width: int = 64, cell: str = "gru", layers: int = 1, dropout: float = 0.0,
               mode: str = "direct", difference: bool = True) -> nn.Module:
    """A recurrent network over the steps of a window, of which the first number is the target.

    width: units of each layer. cell: as of `Recurrent` (lstm, gru, …). layers: one above the other.
    dropout: share of the units left out in training, between layers and before the output.
    mode: "direct": all values ahead at once, from what was read of the last step (rows 24.10, 24.13);
        "recursive": a second network makes one value after the other, with the one before as its input (row 24.15).
    difference: whether what is learnt is how far the values are from the last one (of the one before, where recursive).
    RecipeError where the input is no window.
    """
    if len(spec.inputs) != 1 or spec.inputs[0].kind != "number" or len(spec.inputs[0].shape) != 2:
        raise RecipeError("forecaster reads windows of a series", where="model.name",
                          remedy="It is for --task forecast; of other tables take mlp.")
    if mode not in MODES:
        raise RecipeError(f"there is no mode {mode!r}", where="model.options.mode", remedy=nearest(mode, MODES))
    sort = Forecaster if mode == "direct" else RecursiveForecaster
    return sort(spec.inputs[0].shape[1], spec.outputs, width, cell, layers, dropout, difference)
