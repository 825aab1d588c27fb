"""Thresholds that a network has to keep while one metric is made as good as it can be (rows 12.06, 12.07)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan

COSTS = {
    "milliseconds": "time to predict one example, alone",
    "parameters": "numbers that are trained",
    "megabytes": "size of the weights on disk",
}
"""What may have a threshold beside the metrics of the task."""

_FORM = re.compile(r"\s*(>=|<=)\s*([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*")


@dataclass(frozen=True)
class Threshold:
    """`name` has to be at least (or at most) `value`, in the unit in which it is stored: a rate is a share."""

    name: str
    at_least: bool
    value: float

    @property
    def sign(self) -> str:
        return ">=" if self.at_least else "<="

    def __str__(self) -> str:
        return f"{self.name} {self.sign} {self.value:g}"

    def kept(self, value: float) -> bool:
        """False for NaN: what is not defined keeps no promise."""
        return value >= self.value if self.at_least else value <= self.value

    def missed_by(self, value: float) -> float:
        """How far it is missed, relative to the threshold where that is not 0; 0 where it is kept, inf for NaN."""
        if isnan(value):
            return float("inf")
        return 0.0 if self.kept(value) else abs(value - self.value) / (abs(self.value) or 1.0)


def parse_threshold(name: str, text: str) -> Threshold:
    """("recall", ">=0.9") -> recall at least 0.9; ValueError that says the form for anything else."""
    match = _FORM.fullmatch(text)
    try:
        if match:
            return Threshold(name, match[1] == ">=", float(match[2]))
    except ValueError:
        pass
    raise ValueError(f"a threshold is >= or <= and a number, as in '>=0.9'; {name} has {text!r}")


def parse_thresholds(satisfice: Mapping[str, str]) -> tuple[Threshold, ...]:
    """The thresholds of the recipe's `task.satisfice`."""
    return tuple(parse_threshold(name, text) for name, text in satisfice.items())


def split_condition(condition: str) -> tuple[str, str]:
    """"recall>=0.9" -> ("recall", ">=0.9"), a key and a value of `task.satisfice`; ValueError for anything else."""
    match = re.fullmatch(r"\s*([^<>=]*[^<>=\s])\s*([<>]=.+)", condition)
    if match is None:
        raise ValueError(f"{condition!r} is not NAME>=NUMBER or NAME<=NUMBER")
    return match[1], match[2]
