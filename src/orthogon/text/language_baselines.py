"""What a language model must beat: how often tokens occur, and what the last few tokens tell by counting."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from orthogon.nn.spec import PAD
from orthogon.tasks.batches import batches
from orthogon.text.language import Language
from orthogon.train.task import Baseline, Batch, Task


class NGram(Baseline):
    """Interpolated n-grams: p(w | h) = (c(h w) + d(h) p(w | h')) / (c(h) + d(h)), where h' is h without its first token
    and d(h) how many different tokens were seen after h; below the shortest all tokens are alike (Witten & Bell 1991,
    method C; Chen & Goodman 1998).

    order: tokens of an n-gram.
    """

    name = "n-grams"
    line = "interpolated n-grams (Witten-Bell)"

    def __init__(self, order: int) -> None:
        self.order = order
        self._levels: list[_Counts] = []

    def fit(self, task: Task, rows: np.ndarray) -> None:
        assert isinstance(task, Language)  # noqa: S101
        self.tokens = task.spec.outputs
        pieces = [_histories(batch, self.order - 1) for batch in batches(task, rows)]
        history, target = (np.concatenate(each) for each in zip(*pieces))
        self._levels = []
        code = np.zeros(len(target), dtype=np.int64)
        for length in range(self.order):
            if length:
                code = self._levels[-1].longer(code, history[:, -length])
            self._levels.append(_Counts(code, target, self.tokens + 1))

    def results(self, task: Task, rows: np.ndarray) -> Mapping[str, np.ndarray]:
        assert isinstance(task, Language)  # noqa: S101
        found = []
        for batch in batches(task, rows):
            costs = -np.log(self._probabilities(*_histories(batch, self.order - 1)))
            found.append(task.as_results(torch.as_tensor(costs, device=batch.rows.device), batch))
        return {name: torch.cat([each[name] for each in found]).cpu().numpy() for name in found[0]}

    def _probabilities(self, history: np.ndarray, target: np.ndarray) -> np.ndarray:
        p = np.full(len(target), 1 / self.tokens)
        code = np.zeros(len(target), dtype=np.int64)
        for length, level in enumerate(self._levels):
            if length:
                code = self._levels[length - 1].find_longer(code, history[:, -length])
            p = level.interpolated(code, target, p)
        return p


class Unigram(NGram):
    """How often each token occurs in train, whatever stands before it."""

    name = "unigram"
    line = "how often each token occurs"

    def __init__(self) -> None:
        super().__init__(1)


class _Counts:
    """Counts after the histories of one length, which have codes from 0; −1 is one that was not seen."""

    def __init__(self, code: np.ndarray, target: np.ndarray, width: int) -> None:
        self.width = width
        self._pairs, counts = np.unique(code * width + target, return_counts=True)
        self._counts = counts
        after = self._pairs // width
        self._total, self._different = np.bincount(after, counts), np.bincount(after)
        self._longer = np.zeros(0, dtype=np.int64)

    def longer(self, code: np.ndarray, token: np.ndarray) -> np.ndarray:
        """Codes of the histories that are one token longer."""
        self._longer, codes = np.unique(code * self.width + token, return_inverse=True)
        return codes

    def find_longer(self, code: np.ndarray, token: np.ndarray) -> np.ndarray:
        """The same for histories some of which were not seen."""
        return np.where(code < 0, -1, _place(self._longer, code * self.width + token))

    def interpolated(self, code: np.ndarray, target: np.ndarray, shorter: np.ndarray) -> np.ndarray:
        """p(target | history), given p(target | the history without its first token)."""
        place = _place(self._pairs, code * self.width + target)
        count = np.where(place < 0, 0, self._counts[place])
        total, different = self._total[code], self._different[code]
        return np.where(code < 0, shorter, (count + different * shorter) / (total + different))


def _place(table: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Where each key stands in the sorted table; −1 where it does not."""
    at = np.minimum(np.searchsorted(table, keys), len(table) - 1)
    return np.where(table[at] == keys, at, -1)


def _histories(batch: Batch, length: int) -> tuple[np.ndarray, np.ndarray]:
    """The `length` tokens before each one that counts (M×length, `PAD` before the first), and that token (M,)."""
    ids, target = (each.int().cpu().numpy() for each in (batch.inputs[0], batch.target))
    before = np.pad(ids, ((0, 0), (length, 0)), constant_values=PAD)
    windows = np.lib.stride_tricks.sliding_window_view(before, length, axis=1)[:, 1:] if length else ids[..., None]
    known = target != PAD
    return windows[known], target[known]
