"""The sentence at the end of a run: who wins, and what the number of examples allows one to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

from orthogon.stats import detectable_difference

FEWEST = 6
"""Mistakes that must be put right, none broken, for exact McNemar to give p < 0.05: 2 / 2**6 = 0.031."""


COUNTED = ("accuracy", "error", "label_accuracy")
"""Metrics that count mistakes."""


def verdict(
    metric: str, splits: Mapping[str, Mapping[str, Any]], comparisons: Sequence[Mapping[str, Any]], noun: str
) -> str:
    """One to three sentences. Where a baseline wins, that is said first.

    metric: what the result is judged by. splits: part -> {"n", "metrics"}.
    comparisons: as in result.json; those on the best part that is not the train set count.
    """
    part = next((name for name in ("dev", "test", "train-dev") if name in splits), None)
    if part is None:
        return "No examples were held out, so nothing can be said about new ones."
    relevant = [each for each in comparisons if each["split"] == part]
    sentences = [_against(relevant, splits[part]["n"], noun, part)] if relevant else []
    estimate = splits[part]["metrics"].get(metric)
    if estimate and estimate.get("unit") == "rate" and metric in COUNTED:
        sentences.append(_resolution(metric, estimate, noun, part))
    return " ".join(sentences) or f"Measured on {splits[part]['n']:,} {noun} of {part}."


def _against(comparisons: Sequence[Mapping[str, Any]], n: int, noun: str, part: str) -> str:
    """The hardest baseline decides: the one against which the network does worst."""
    hardest = min(comparisons, key=lambda each: each["advantage"])
    name, scale = hardest["baseline"], 100.0 if hardest["unit"] == "rate" else 1.0
    unit = "points" if hardest["unit"] == "rate" else hardest["unit"] or f"in {hardest['metric']}"
    size, low, high = (abs(scale * hardest[key]) for key in ("difference", "low", "high"))
    shown = (lambda x: f"{x:.1f}") if hardest["unit"] == "rate" else (lambda x: f"{x:.3g}")
    interval = f"{shown(size)} {unit} [{shown(min(low, high))}, {shown(max(low, high))}] on {n:,} {noun} of {part}"
    if hardest["verdict"] == "worse":
        return f"The baseline wins: {name} is better than the network by {interval}. Use it, or change the network."
    if hardest["verdict"] == "better":
        return f"Better than the best baseline ({name}) by {interval}."
    ends = f"[{scale * hardest['low']:+.2g}, {scale * hardest['high']:+.2g}]"
    gap = f"{scale * hardest['difference']:+.2g} {unit} {ends}"
    return (f"Not known to be better than the baseline {name}: {gap} on {n:,} {noun} of {part}. "
            f"{name[:1].upper() + name[1:]} is cheaper.")


def _resolution(metric: str, estimate: Mapping[str, Any], noun: str, part: str) -> str:
    """How many mistakes are left, and what improvement so many examples could show."""
    n, value = estimate["n"], estimate["value"]
    error = value if metric == "error" else 1 - value
    wrong = round(error * n)
    mistakes = f"{wrong:,} mistake{'s' if wrong != 1 else ''} on {part}"
    smallest = smallest_gain(error, n)
    if wrong < FEWEST:
        seen = f"even mending them all could not be told from chance with {n:,} {noun}"
    elif smallest >= error:
        seen = f"only a remedy that mends nearly all of them could be told from chance with {n:,} {noun}"
    else:
        seen = f"remedies worth under {100 * smallest:.1f} points cannot be seen with {n:,} {noun}"
    return f"{mistakes}: {seen}; more data or --folds 5 can show more."


def smallest_gain(error: float, n: int) -> float:
    """The smallest paired gain that n examples show with 80 % power.

    As for the sizes of a split, two networks are taken to disagree on half as many examples as one of them gets wrong;
    where that is too few for any gain to be seen, every disagreement is taken to be a gain.
    """
    disagreement = max(error / 2, 1 / n)
    seen = detectable_difference(error, n, disagreement=disagreement)
    if not isnan(seen):
        return seen
    low, high = disagreement, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        hidden = isnan(detectable_difference(error, n, disagreement=middle))
        low, high = (middle, high) if hidden else (low, middle)
    return high
