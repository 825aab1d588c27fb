"""Level 0: sets of examples drawn from known error rates; no network. How often is the named gap not the largest?"""

from __future__ import annotations

from typing import Any

import numpy as np

from orthogon.strategy.diagnosis import Diagnosis, judge
from orthogon.strategy.levels import Level
from orthogon.strategy.reference import Reference

Record = dict[str, Any]

SIZES = (200, 1000, 5000)
GAPS = ("bias", "variance", "mismatch")
LARGEST = 0.12
"""Gaps are drawn from 0 to 12 points; each is absent with probability 0.3."""


def measure(draws: int, seed: int = 0) -> list[Record]:
    """One record for each size of the sets."""
    random = np.random.default_rng(seed)
    return [{"n": n, "draws": draws, **_summary([_draw(random, n) for _ in range(draws)])} for n in SIZES]


def _draw(random: np.random.Generator, n: int) -> Record:
    """True gaps, what is seen of them in sets of n examples, and what the two rules name."""
    human = random.uniform(0.01, 0.06)
    gaps = random.uniform(0, LARGEST, 3) * (random.random(3) > 0.3)
    rates = dict(zip(("train", "train-dev", "dev"), human + np.cumsum(gaps)))
    counts = {part: int(random.binomial(n, rate)) for part, rate in rates.items()}
    levels = {part: Level.of_counts(wrong, n, seed) for seed, (part, wrong) in enumerate(counts.items())}
    reference = Reference("human", human)
    verdict = judge(levels, reference=reference, target_reference=reference, like_train=False)
    truth = dict(zip(GAPS, gaps.tolist()))
    return {"truth": truth, "naive": _naive(verdict), "rule": verdict.act, "tolerance": verdict.tolerance}


def _naive(verdict: Diagnosis) -> str:
    seen = {gap.name: gap.estimate.value for gap in verdict.gaps if gap.estimate is not None and gap.name in GAPS}
    return max(seen, key=seen.__getitem__)


def _summary(found: list[Record]) -> Record:
    """Shares: wrong = another gap is truly larger by more than the tolerance; false alarm = it truly is within it."""
    acted = [each for each in found if each["rule"]]
    return {
        "naive_wrong": _share(found, "naive", _is_wrong), "naive_false": _share(found, "naive", _is_false),
        "acts": len(acted) / len(found), "wrong": _share(acted, "rule", _is_wrong),
        "false": _share(acted, "rule", _is_false),
    }


def _share(found: list[Record], rule: str, test: Any) -> float:
    return float(np.mean([test(each, each[rule]) for each in found])) if found else 0.0


def _is_wrong(found: Record, name: str) -> bool:
    return found["truth"][name] < max(found["truth"].values()) - found["tolerance"]


def _is_false(found: Record, name: str) -> bool:
    return found["truth"][name] < found["tolerance"]
