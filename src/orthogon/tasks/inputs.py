"""What the tasks share: inputs encoded once, held on the device and gathered by index."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from orthogon.data.augment import Augmentation, Way
from orthogon.data.changes import Changes
from orthogon.data.columns import Column
from orthogon.data.dataset import Dataset
from orthogon.data.encode import Encoder, ImageEncoder, check_columns, encoder_from_state, fit_encoders
from orthogon.data.pictures import SMALL
from orthogon.errors import RecipeError
from orthogon.nn.padding import lengths_of
from orthogon.nn.spec import InputSpec

if TYPE_CHECKING:
    from orthogon.train.randomness import Draw
    from orthogon.train.settings import DataSettings


class Inputs:
    """The encoders of a task and their tensors.

    most: side up to which pictures keep their own size, where the settings leave it open.
    augment: how training pictures are changed. marks: whether texts stand between marks of their begin and end.
    roomy: whether texts longer than those of train are read whole.
    texts: the columns of text of the attached data as they were read, by name.
    """

    def __init__(self, settings: DataSettings, augment: Augmentation, most: int = SMALL, marks: bool = False,
                 roomy: bool = False) -> None:
        self.settings, self.augment, self.most, self.marks, self.roomy = settings, augment, most, marks, roomy
        self.encoders: list[Encoder] = []
        self.ignored: list[str] = []
        self.device = torch.device("cpu")
        self.stored: tuple[Tensor, ...] = ()
        self.texts: dict[str, Column] = {}
        self._augments: dict[str, Augmentation] = {}
        self._pipes: tuple[tuple[Tensor, Callable[[Tensor], Tensor] | None, Augmentation | None], ...] = ()

    def fit(self, data: Dataset, rows: np.ndarray) -> None:
        """Fit the encoders on the rows; columns that they do not read may be there in later data or not."""
        self.encoders = fit_encoders(data, rows, self.settings, self.most, self.marks, self.roomy)
        if self.augment.mixes and any(not isinstance(encoder, ImageEncoder) for encoder in self.encoders):
            raise RecipeError("mixup and cutmix mix pictures, and this data has inputs that are not pictures",
                              where="train.augment", remedy="Leave mixup and cutmix out; all other ways are fit.")
        self._augments = {encoder.columns[0]: self.augment.fitted(lambda at=encoder: at.encode(data), rows)
                          for encoder in self.encoders if isinstance(encoder, ImageEncoder)}
        read = {name for encoder in self.encoders for name in encoder.columns}
        self.ignored = [name for name in data.columns if name not in read]

    def attach(self, data: Dataset, device: torch.device) -> None:
        """Encode all rows and move them to the device; DataError where the columns are not those of `fit`."""
        check_columns(self.encoders, data, [*self.ignored, *self._set_apart()])
        self.device = torch.device(device)
        self.stored = tuple(encoder.encode(data).to(self.device) for encoder in self.encoders)
        self.texts = {encoder.columns[0]: data.columns[encoder.columns[0]] for encoder in self.encoders
                      if encoder.kind == "text"}
        self._pipes = tuple(
            (stored, encoder.prepare if type(encoder).prepare is not Encoder.prepare else None,
             self._augments.get(encoder.columns[0]) if self.augment else None)
            for stored, encoder in zip(self.stored, self.encoders)
        )

    def _set_apart(self) -> list[str]:
        """Columns that the recipe names for something else than input."""
        apart = (self.settings.group, self.settings.source_column, self.settings.weight)
        targets = self.settings.target or []
        return [name for name in apart if name] + ([targets] if isinstance(targets, str) else list(targets))

    def changes(self, count: int, draw: Draw | None, ways: tuple[Way, ...] | None = None) -> tuple[Changes | None, ...]:
        """How each input of a batch of so many rows is to be changed; empty without a draw (that is not training) and
        without augmentation. Columns of pictures of one size are changed alike.

        ways: only these of those that are chosen.
        """
        if draw is None or not self.augment:
            return ()
        chosen = [augment and (augment if ways is None else replace(augment, ways=ways)) for *_, augment in self._pipes]
        return tuple(
            None if augment is None
            else augment.draw(count, stored.shape[-2], stored.shape[-1], draw.generator("augment"))
            for (stored, *_), augment in zip(self._pipes, chosen)
        )

    def gather(self, rows: Tensor, changes: Sequence[Changes | None] = ()) -> tuple[Tensor, ...]:
        """The inputs of those rows as the model takes them, changed as `changes` says; rows lie on the device."""
        if len(self._pipes) == 1 and self._pipes[0][1] is None:
            return (self._pipes[0][0].index_select(0, rows),)
        if not changes:
            return tuple(_gathered(stored, prepare, rows, None) for stored, prepare, _ in self._pipes)
        return tuple(_gathered(stored, prepare, rows, change)
                     for (stored, prepare, _), change in zip(self._pipes, changes))

    def lengths(self) -> Tensor | None:
        """Int64 (n,): tokens of each row's texts, the longest of several; None where there is no text."""
        found = [lengths_of(stored) for stored, encoder in zip(self.stored, self.encoders) if encoder.kind == "text"]
        return torch.stack(found).amax(0) if found else None

    @property
    def channels_last(self) -> bool:
        """The memory layout of the pictures that `gather` gives; set before training."""
        return any(encoder.channels_last for encoder in self.encoders if isinstance(encoder, ImageEncoder))

    @channels_last.setter
    def channels_last(self, value: bool) -> None:
        for encoder in self.encoders:
            if isinstance(encoder, ImageEncoder):
                encoder.channels_last = bool(value)

    def specs(self) -> tuple[InputSpec, ...]:
        return tuple(encoder.input_spec() for encoder in self.encoders)

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(encoder.kind for encoder in self.encoders)

    def state(self) -> dict[str, Any]:
        return {"encoders": [encoder.state() for encoder in self.encoders], "ignored": self.ignored}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self.encoders = [encoder_from_state(each) for each in state["encoders"]]
        self._augments = {encoder.columns[0]: self.augment for encoder in self.encoders
                          if isinstance(encoder, ImageEncoder)}
        self.ignored = list(state["ignored"])


def _gathered(stored: Tensor, prepare: Callable[[Tensor], Tensor] | None, rows: Tensor,
              changes: Changes | None) -> Tensor:
    picked = stored.index_select(0, rows)
    if changes is not None:
        picked = changes.pictures(picked)
    return prepare(picked) if prepare is not None else picked
