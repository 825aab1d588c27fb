"""The words of a probe: a remedy, an arm that tries it, and what was measured of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orthogon.train.rows import Rows


@dataclass(frozen=True)
class Remedy:
    """A change to the recipe that may help.

    name:     short and unique ("bigger-network"). line: as a person reads it ("bigger network, L2 retuned").
    problems: the gaps it is against: "bias", "variance", "mismatch".
    changes:  flat recipe keys -> values.
    cost:     expected time of a training with it, relative to the base.
    labels:   examples with labels that it needs or uses up.
    """

    name: str
    line: str
    problems: tuple[str, ...]
    changes: Mapping[str, Any] = field(default_factory=dict)
    cost: float = 1.0
    labels: int = 0


@dataclass(frozen=True)
class Arm:
    """One training of a probe: the base (remedy None) or a remedy, at a share of the base's steps, from one seed."""

    remedy: Remedy | None
    budget: float
    seed: int

    @property
    def name(self) -> str:
        """Of the folder that keeps what was measured: "bigger-network-b25-s1"."""
        return f"{self.remedy.name if self.remedy else 'base'}-b{round(100 * self.budget)}-s{self.seed}"


@dataclass(frozen=True)
class Measured:
    """What one arm gave.

    rows:    per-example results on the examples that all arms are scored on: dev, or the out-of-fold rows.
    seconds: that its training took.
    train:   the main metric on train rows, for reading; NaN where it was not looked at.
    failure: why there is no result ("the loss became NaN"); `rows` is then empty. An arm that fails is a result.
    """

    rows: Rows
    seconds: float
    train: float = float("nan")
    failure: str = ""


Measure = Callable[[Sequence[Arm]], Sequence[Measured]]
"""Trains arms, side by side where there are cores; those that were measured before are read, not trained again."""
