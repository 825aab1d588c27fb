"""The sentence at the end of a run says who wins, and what cannot be seen."""

from __future__ import annotations

import numpy as np
import pytest

from orthogon.stats import compare_paired
from orthogon.verbs.verdict import smallest_gain, verdict


def splits(n: int, wrong: int) -> dict:
    return {"dev": {"n": n, "metrics": {"accuracy": {"value": 1 - wrong / n, "n": n, "unit": "rate"}}}}


def against(name: str, right: np.ndarray, base: np.ndarray) -> dict:
    compared = compare_paired(base, right)
    return {"baseline": name, "split": "dev", "metric": "accuracy", "advantage": compared.difference,
            **compared.to_dict()}


def worlds(n: int = 500) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    base, better, worse = (np.ones(n, dtype=bool) for _ in range(3))
    base[:50], better[:10], worse[:120] = False, False, False
    return base, better, worse


def test_a_baseline_that_wins_is_said_first():
    base, _, worse = worlds()
    said = verdict("accuracy", splits(500, 120), [against("linear", worse, base), against("majority", worse, worse)],
                   "pictures")
    assert said.startswith("The baseline wins: linear is better than the network by 14.0 points")


def test_the_hardest_baseline_decides():
    base, better, worse = worlds()
    said = verdict("accuracy", splits(500, 10), [against("majority", better, worse), against("linear", better, base)],
                   "pictures")
    assert said.startswith("Better than the best baseline (linear) by 8.0 points")
    tied = verdict("accuracy", splits(500, 50), [against("linear", base, base)], "pictures")
    assert tied.startswith("Not known to be better than the baseline linear: +0 points")


def test_what_cannot_be_seen():
    assert "2 mistakes on dev: even mending them all could not be told from chance" in verdict(
        "accuracy", splits(359, 2), [], "pictures")
    assert "7 mistakes on dev: only a remedy that mends nearly all" in verdict("accuracy", splits(359, 7), [], "rows")
    assert "36 mistakes on dev: remedies worth under" in verdict("accuracy", splits(359, 36), [], "rows")
    assert 100 * smallest_gain(2 / 359, 359) == pytest.approx(2.2, abs=0.05)
    # 10 % error and 5 % disagreement: one point needs 3,923 (Connor 1987)
    assert smallest_gain(0.10, 3923) == pytest.approx(0.01, abs=1e-4)


def test_nothing_held_out_is_said():
    assert "nothing can be said" in verdict("accuracy", {"train": splits(10, 0)["dev"]}, [], "rows")
