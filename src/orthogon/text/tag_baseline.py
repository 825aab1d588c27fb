"""What a tagger must beat: the commonest tag of each word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from orthogon.data.word_encoders import CharactersEncoder
from orthogon.nn.spec import FIRST_TOKEN
from orthogon.tasks.batches import batches
from orthogon.text.tag import Tag
from orthogon.train.task import Baseline, Batch, Task

ENDING = 3
"""Characters at the end of a word by which it is tagged where it is not known."""

SMOOTHING = 0.1  # of a tag that a word never had in train, as if it had been seen so often


class CommonestTag(Baseline):
    """The tag that a word, spelled just so, has most often in train; of words that are not known the one that those
    have most often which occur once there and end in the same three characters, with a capital or without; else that
    of all of those. Probabilities are shares, smoothed by a tenth of a count."""

    name: ClassVar[str] = "commonest tag"
    line: ClassVar[str] = "the commonest tag of each word, of new words that of their endings"

    def fit(self, task: Task, rows: np.ndarray) -> None:
        assert isinstance(task, Tag)  # noqa: S101
        self.tags = len(task.names)
        letters = task.inputs.encoders[1]
        assert isinstance(letters, CharactersEncoder)  # noqa: S101 - the words come first
        self.capitals = np.array([False] * FIRST_TOKEN + [each.isupper() for each in letters.vocabulary.words])
        words: list[Tensor] = []
        codes: list[Tensor] = []
        for batch in batches(task, rows):
            words.append(batch.inputs[1][batch.target.known])
            codes.append(batch.target.codes[batch.target.known])
        spelled, tags = torch.cat(words).cpu().numpy(), torch.cat(codes).cpu().numpy()
        keys = _keys(spelled)
        self.forms, self.by_form = _table(keys, tags, self.tags)
        once = (self.by_form.sum(axis=1) == 1)[np.searchsorted(self.forms, keys)]
        self.endings, self.by_ending = _table(_keys(self._ending(spelled[once])), tags[once], self.tags)
        self.of_all = np.bincount(tags[once] if once.any() else tags, minlength=self.tags).astype(float)

    def results(self, task: Task, rows: np.ndarray) -> Mapping[str, np.ndarray]:
        assert isinstance(task, Tag)  # noqa: S101
        pieces = [self._judged(task, batch) for batch in batches(task, rows)]
        joined = {name: torch.cat([piece[name] for piece in pieces]).cpu().numpy() for name in pieces[0]}
        return task.together(joined, rows)

    def _judged(self, task: Tag, batch: Batch) -> dict[str, Tensor]:
        there = batch.inputs[0] != 0
        logged = torch.zeros(*there.shape, self.tags, dtype=torch.float64, device=there.device)
        shares = self._shares(batch.inputs[1][there].cpu().numpy())
        logged[there] = torch.from_numpy(shares).to(there.device).log()
        predicted = logged.argmax(2).masked_fill(~there, -1)
        codes, known = batch.target
        losses = -logged.gather(2, codes.unsqueeze(2)).squeeze(2).masked_fill(~known, 0).sum(1)
        return task.judged(predicted, losses, batch)

    def _shares(self, spelled: np.ndarray) -> np.ndarray:
        """(m, K) of words m×C: by their form, else by their ending, else by all words that occur once."""
        counts = np.tile(self.of_all, (len(spelled), 1))
        for keys, known, table in ((_keys(self._ending(spelled)), self.endings, self.by_ending),
                                   (_keys(spelled), self.forms, self.by_form)):
            if len(known):
                place = np.minimum(np.searchsorted(known, keys), len(known) - 1)
                found = known[place] == keys
                counts[found] = table[place[found]]
        counts = counts + SMOOTHING
        return counts / counts.sum(axis=1, keepdims=True)

    def _ending(self, spelled: np.ndarray) -> np.ndarray:
        """Of words m×C the last three ids, 0 where there are none, and whether the first is a capital: m×4."""
        padded = np.pad(spelled, ((0, 0), (ENDING, 0)))
        place = (spelled > 0).sum(axis=1, keepdims=True) + np.arange(ENDING)
        return np.concatenate([np.take_along_axis(padded, place, axis=1), self.capitals[spelled[:, :1]]], axis=1)


def _keys(spelled: np.ndarray) -> np.ndarray:
    """One value for each row of ids, which rows share that are alike but for zeros at their end."""
    rows = np.ascontiguousarray(spelled.astype(np.int32))
    return rows.view(f"S{rows.dtype.itemsize * rows.shape[1]}").reshape(-1)


def _table(keys: np.ndarray, tags: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The different keys, sorted, and how often each has each tag."""
    known, place = np.unique(keys, return_inverse=True)
    table = np.bincount(place.reshape(-1) * count + tags, minlength=len(known) * count)
    return known, table.reshape(len(known), count).astype(float)
