"""What a task that searches for its outputs found: part of the contract of tasks, read by `strategy.blame`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orthogon.errors import DataError


@dataclass(frozen=True)
class WideBeam:
    """What a much wider beam finds for the same N examples: objectives, lengths, perhaps their quality."""

    width: int
    found: np.ndarray
    length: np.ndarray
    quality: np.ndarray | None = None


@dataclass(frozen=True)
class Searched:
    """What a search found on N examples. All objectives are those that were searched, the greater the better.

    reference: N, of the reference (of several, the best one's); −∞ where the search could not give it: a token that is
               unknown or banned, a length that is not allowed. found: N, of the output.
    right:     bool N, whether the output is (one of) the reference(s).
    reference_length, found_length: N, tokens.
    quality:   N×k, how good each of the n best outputs is, the first one first, 0 where fewer were found;
               rates in [0, 1], or in a `unit`.
    coverage:  N, the share of the source that the output attended to: the mean over source tokens i of
               min(Σ_t a⟨t,i⟩, 1).
    groups:    N, where examples come in groups.
    Raises DataError for arrays of another length, and for NaN.
    """

    reference: np.ndarray
    found: np.ndarray
    right: np.ndarray
    reference_length: np.ndarray
    found_length: np.ndarray
    quality: np.ndarray | None = None
    unit: str = "rate"
    wide: WideBeam | None = None
    coverage: np.ndarray | None = None
    groups: np.ndarray | None = None

    def __post_init__(self) -> None:
        wide = {} if self.wide is None else {f"wide.{name}": value for name, value in vars(self.wide).items()}
        for name, value in {**vars(self), **wide}.items():
            if not isinstance(value, np.ndarray):
                continue
            if len(value) != len(self.reference):
                raise DataError(f"{len(value):,} numbers for {len(self.reference):,} examples", where=name)
            if value.dtype.kind == "f" and np.isnan(value).any():
                raise DataError("NaN is no objective and no quality",
                                where=f"{name}[{int(np.argwhere(np.isnan(value))[0, 0])}]",
                                remedy="Leave out examples that the model cannot score.")
