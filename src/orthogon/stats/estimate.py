"""A number with its interval and the number of examples that it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from math import nan
from typing import Any


@dataclass(frozen=True)
class Estimate:
    """A value, its 95 % interval and n: what every figure that a person sees is.

    value:  the estimate; a rate lies in [0, 1].
    low, high: the ends of the interval; NaN where none can be given (the reason stands in `method`).
    n:      examples (or groups, where examples come in groups) that it rests on.
    method: how the interval was made, e.g. "Wilson", "bootstrap over examples", "bootstrap over groups".
    unit:   "rate" is shown in percent; anything else is shown as it is, followed by the unit.
    """

    value: float
    low: float
    high: float
    n: int
    method: str = ""
    unit: str = ""

    def __str__(self) -> str:
        if self.unit == "rate":
            return f"{100 * self.value:.1f} % [{100 * self.low:.1f}, {100 * self.high:.1f}], n = {self.n:,}"
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.value:.4g}{unit} [{self.low:.4g}, {self.high:.4g}], n = {self.n:,}"

    def complement(self) -> Estimate:
        """1 minus it: of the share of right answers that of wrong ones."""
        return replace(self, value=1 - self.value, low=1 - self.high, high=1 - self.low)

    def _repr_html_(self) -> str:
        return f"<span>{self}</span>"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Estimate:
        """The inverse of `to_dict`, also after a way through JSON, where NaN is null."""
        ends = {key: nan if document[key] is None else document[key] for key in ("value", "low", "high")}
        return cls(**{**document, **ends})
