"""Windows as inputs: every step in time as one row of numbers, gathered as the history of a row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from orthogon.data.changes import Changes
from orthogon.data.columns import Column, DateColumn
from orthogon.data.dataset import Dataset
from orthogon.data.encode import CategoryEncoder, Encoder, NumberEncoder, check_columns
from orthogon.data.number_features import Source, source_of
from orthogon.data.windows import Windows
from orthogon.nn.spec import InputSpec
from orthogon.tasks.inputs import Inputs

CYCLES = {"hour": 0.95, "weekday": 6.95, "month": 360.0}
"""Parts of a date that come again, and after how many days, nearly. Those that grow for ever (elapsed days, the year)
are no inputs: what is forecast lies beyond all that was learnt of them."""

ELAPSED = "days"

MOST_LEVELS = 100
"""Of a category, beyond which it is not read: each level is a number of each step."""


class WindowInputs(Inputs):
    """The steps of the history as one input, float N×T×D: numbers standardized, what is missing marked, dates as
    cycles, categories one-hot. The first of the D numbers is the target.

    history: T. windows: of the data, set before it is attached. apart: columns whose numbers name rows; they are no
    input.
    """

    history: int
    windows: Windows
    apart: tuple[str, ...] = ()

    def fit(self, data: Dataset, rows: np.ndarray) -> None:
        """Fit the encoders on the rows, which are the steps of all windows of the train part."""
        target = str(data.target)
        names = [target, *(name for name in data.columns if name != target)]
        numbers = [name for name in names if data.columns[name].kind in ("number", "date")]
        categories = [name for name in names if data.columns[name].kind == "category"]
        sources = [_cyclic(source_of(name, data.columns[name], rows), data.columns[name], rows) for name in numbers]
        self.encoders = [NumberEncoder.of_sources(sources, data, rows)]
        if categories:
            self.encoders.append(CategoryEncoder.fitted(categories, data, rows))
        self.ignored = [name for name in data.columns if name not in {*numbers, *categories}]

    def attach(self, data: Dataset, device: torch.device) -> None:
        check_columns(self.encoders, data, [*self.ignored, *self._set_apart()])
        self.device = torch.device(device)
        steps = torch.cat([self._numbers(encoder, encoder.encode(data)) for encoder in self.encoders], dim=1)
        self.stored = (steps[torch.from_numpy(self.windows.order)].to(self.device),)
        self._place = torch.from_numpy(self.windows.place).to(self.device)
        self._back = torch.arange(1 - self.history, 1, device=self.device)

    def _numbers(self, encoder: Encoder, encoded: Tensor) -> Tensor:
        if isinstance(encoder, NumberEncoder):
            return encoded[:, self._read(encoder)]
        assert isinstance(encoder, CategoryEncoder)  # noqa: S101
        hot = [F.one_hot(encoded[:, k], len(levels) + 1)[:, 1:].float()
               for k, levels in enumerate(encoder.levels) if len(levels) <= MOST_LEVELS]
        return torch.cat(hot, dim=1) if hot else encoded.new_zeros(len(encoded), 0).float()

    def _read(self, encoder: NumberEncoder) -> list[int]:
        """The places of the features that are inputs."""
        aside = {source.name for source in encoder.sources if source.kind == "number" and source.name in self.apart}
        aside |= {f"{name} missing" for name in aside}
        aside |= {f"{source.name}:{ELAPSED}" for source in encoder.sources if source.kind == "date"}
        return [place for place, name in enumerate(encoder.features) if name not in aside]

    def gather(self, rows: Tensor, changes: Sequence[Changes | None] = ()) -> tuple[Tensor, ...]:
        places = (self._place.index_select(0, rows)[:, None] + self._back).clamp_(min=0)
        steps = self.stored[0].index_select(0, places.flatten())
        return (steps.view(len(rows), len(self._back), -1),)

    def specs(self) -> tuple[InputSpec, ...]:
        width = 0
        for encoder in self.encoders:
            if isinstance(encoder, NumberEncoder):
                width += len(self._read(encoder))
            elif isinstance(encoder, CategoryEncoder):
                width += sum(len(levels) for levels in encoder.levels if len(levels) <= MOST_LEVELS)
        return (InputSpec("number", (self.history, width)),)

    def lengths(self) -> None:
        """All windows are of one length."""

    @property
    def kinds(self) -> tuple[str, ...]:
        return ("number",)

    @property
    def target_scale(self) -> tuple[float, float]:
        """Mean and standard deviation of the target over the steps that were learnt from."""
        encoder = self.encoders[0]
        assert isinstance(encoder, NumberEncoder)  # noqa: S101
        return float(encoder.mean[0]), float(encoder.std[0])


def _cyclic(source: Source, column: Column, rows: np.ndarray) -> Source:
    """Of a date the hour, the weekday and the month, each where the rows have gone through its cycle; where they have
    gone through none, elapsed days, which are no input."""
    if source.kind != "date" or not isinstance(column, DateColumn):
        return source
    days = np.ptp(column.values[rows].astype(np.int64)) / 86_400e6
    parts = tuple(part for part in source.parts if days >= CYCLES.get(part.partition("-")[0], np.inf))
    return Source(source.name, "date", parts or (ELAPSED,))
