"""The sentence at the end of a run: whether a baseline wins, and the diagnosis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from orthogon.strategy.diagnosis import Diagnosis
from orthogon.train.titles import title_of


def verdict(diagnosis: Diagnosis, comparisons: Sequence[Mapping[str, Any]]) -> str:
    """The diagnosis; said first is where a baseline wins, or is not known to be beaten.

    comparisons: as in result.json; those on the best part that is not the train set count.
    """
    part = next((name for name in ("dev", "test", "train-dev") if diagnosis.rung(name)), None)
    against = [each for each in comparisons if each["split"] == part]
    beaten = _against(against, diagnosis.noun) if against else ""
    return f"{beaten} {diagnosis.sentence}".strip()


def _against(comparisons: Sequence[Mapping[str, Any]], noun: str) -> str:
    """The hardest baseline decides: the one against which the network does worst."""
    hardest = min(comparisons, key=lambda each: each["advantage"])
    if hardest["verdict"] == "better":
        return ""
    name, scale = hardest["baseline"], 100.0 if hardest["unit"] == "rate" else 1.0
    unit = "points" if hardest["unit"] == "rate" else hardest["unit"] or f"in {title_of(hardest['metric'])}"
    on = f"on {hardest['n']:,} {noun} of {hardest['split']}"
    if hardest["verdict"] == "worse":
        size, low, high = (abs(scale * hardest[key]) for key in ("difference", "low", "high"))
        shown = (lambda x: f"{x:.1f}") if hardest["unit"] == "rate" else (lambda x: f"{x:.3g}")
        interval = f"[{shown(min(low, high))}, {shown(max(low, high))}]"
        return (f"The baseline wins: {name} is better than the network by {shown(size)} {unit} {interval} {on}. "
                "Use it, or change the network.")
    known = isfinite(hardest["low"]) and isfinite(hardest["high"])
    ends = f" [{scale * hardest['low']:+.2g}, {scale * hardest['high']:+.2g}]" if known else " (no interval)"
    gap = f"{scale * hardest['difference']:+.2g} {unit}{ends}"
    return f"Not known to be better than the baseline {name}: {gap} {on}. {name[:1].upper() + name[1:]} is cheaper."
