"""Named public data sets."""

from __future__ import annotations

from orthogon.data import digits
from orthogon.data.dataset import Dataset


def names() -> list[str]:
    return ["digits", "digits-tilted"]


def load(name: str) -> Dataset:
    return digits.load() if name == "digits" else digits.load_tilted()
