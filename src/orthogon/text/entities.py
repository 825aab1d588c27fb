"""Entities in sequences of tags, read and counted as conlleval does (Tjong Kim Sang and Buchholz 2000).

conlleval takes every sequence, whether it keeps to a scheme or not: an entity begins at B or S, at any letter that
follows O, another type, E or S; it goes on until the next one begins or O stands. So I after O begins an entity, as in
IOB1. An entity is right where its type, its first and its last token are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from orthogon.data.tag_schemes import letter_and_type
from orthogon.tasks.metrics import sum_metric
from orthogon.train.rows import Rows
from orthogon.train.task import Metric

Floats = NDArray[np.float64]
COUNTS = ("correct", "guessed", "gold")
"""Columns of rows, float (n, types): entities that are right, that were predicted, and that are there."""


class Entity(NamedTuple):
    """type: as in its tags. start, end: its first token and the one behind its last, from 0."""

    type: str
    start: int
    end: int


class Spans(NamedTuple):
    """Of N×T tags: whether an entity starts there (bool), the place of its last token, and the number of its type
    (int64; −1 outside). The last two tell of an entity where it starts."""

    starts: Tensor
    last: Tensor
    types: Tensor


class EntityReader:
    """Reads entities from codes of tags. levels: of the tags; `types`: of entities, in alphabetical order."""

    def __init__(self, levels: Sequence[str]) -> None:
        pairs = [letter_and_type(level) for level in levels]
        self.types = tuple(sorted({kind for _, kind in pairs} - {""}))
        number = {kind: code for code, kind in enumerate(self.types)}
        # The last place is that of code −1: padding and tags that are not known are in no entity.
        self._type = torch.tensor([*(number.get(kind, -1) for _, kind in pairs), -1])
        self._opens = torch.tensor([*(letter in "BSU" for letter, _ in pairs), False])
        self._closes = torch.tensor([*(letter in "ELSU" for letter, _ in pairs), False])

    def spans(self, codes: Tensor) -> Spans:
        """Of int64 N×T codes, −1 where there is no tag."""
        types, opens, closes = (table.to(codes.device)[codes] for table in (self._type, self._opens, self._closes))
        inside = types >= 0
        goes_on = inside[:, 1:] & (types[:, 1:] == types[:, :-1]) & ~opens[:, 1:] & ~closes[:, :-1]
        starts, ends = inside.clone(), inside.clone()
        starts[:, 1:] &= ~goes_on
        ends[:, :-1] &= ~goes_on
        places = torch.arange(codes.shape[1], device=codes.device).expand_as(codes)
        last = places.masked_fill(~ends, codes.shape[1]).flip(1).cummin(1).values.flip(1)
        return Spans(starts, last, types)

    def entities(self, codes: Tensor) -> list[list[Entity]]:
        """Of each row, in their order."""
        starts, last, types = (part.cpu().numpy() for part in self.spans(codes))
        found: list[list[Entity]] = [[] for _ in range(len(codes))]
        for row, start in zip(*np.nonzero(starts)):
            found[row].append(Entity(self.types[types[row, start]], int(start), int(last[row, start]) + 1))
        return found

    def counts(self, predicted: Tensor, gold: Tensor) -> dict[str, Tensor]:
        """"correct", "guessed", "gold": float N×types, of each sequence. predicted, gold: int64 N×T codes."""
        said, there = self.spans(predicted), self.spans(gold)
        right = said.starts & there.starts & (said.types == there.types) & (said.last == there.last)
        return dict(zip(COUNTS, (self._by_type(right, there.types), self._by_type(said.starts, said.types),
                                 self._by_type(there.starts, there.types))))

    def _by_type(self, chosen: Tensor, types: Tensor) -> Tensor:
        found = torch.zeros(len(types), len(self.types), device=types.device)
        return found.scatter_add_(1, types.clamp(min=0), chosen.float())


def entities(tags: Sequence[str]) -> list[Entity]:
    """The entities of one sentence."""
    levels = sorted(set(tags))
    codes = torch.tensor([[levels.index(tag) for tag in tags]], dtype=torch.int64)
    return EntityReader(levels).entities(codes)[0] if len(tags) else []


# --- figures of merit -----------------------------------------------------------------------------------------


def entity_metrics(types: Sequence[str]) -> tuple[Metric, ...]:
    """F1 of all entities first, then precision and recall, then F1 of each type: ratios of sums over the sentences,
    with intervals over these."""
    everything = list(range(len(types)))
    return (
        _of_counts("entity_f1", f1, everything),
        _of_counts("entity_precision", lambda correct, guessed, gold: _ratio(correct, guessed), everything),
        _of_counts("entity_recall", lambda correct, guessed, gold: _ratio(correct, gold), everything),
        *(_of_counts(f"f1_of_{name}", f1, [code]) for code, name in enumerate(types)),
    )


def f1(correct: Floats, guessed: Floats, gold: Floats) -> Floats:
    """2 correct / (guessed + gold): the harmonic mean of precision and recall. NaN where there is no entity at all."""
    return _ratio(2 * correct, guessed + gold, np.nan)


def _ratio(top: Floats, bottom: Floats, empty: float = 0.0) -> Floats:
    """empty: where the bottom is 0; the precision of nothing is 0, as conlleval has it."""
    return np.divide(top, bottom, out=np.full(np.shape(top), empty), where=bottom > 0)


def _of_counts(name: str, figure: Callable[[Floats, Floats, Floats], Floats], types: list[int]) -> Metric:
    """A figure of the sums of the three counts over those types. Examples count by their entities, not by `weight`,
    which is in tokens."""

    def columns(rows: Rows) -> Floats:
        return np.stack([rows[each][:, types].sum(axis=1) for each in COUNTS], axis=1).astype(np.float64)

    return sum_metric(name, columns, lambda sums: figure(*sums.T), "rate", needs="gold")
