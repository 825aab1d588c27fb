"""The sentence at the end of a run: a baseline that is not beaten is said first, then the diagnosis."""

from __future__ import annotations

import numpy as np

from orthogon.stats import compare_paired
from orthogon.strategy.diagnosis import Diagnosis, judge
from orthogon.strategy.levels import Level
from orthogon.verbs.verdict import verdict


def diagnosis(n: int, wrong: int) -> Diagnosis:
    train = Level.taken_as_exact(Level.of_counts(0, 1000, 0).estimate)
    return judge({"train": train, "dev": Level.of_counts(wrong, n, 1)}, like_train=True)


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
    said = verdict(diagnosis(500, 120), [against("linear", worse, base), against("majority", worse, worse)])
    assert said.startswith("The baseline wins: linear is better than the network by 14.0 points [")
    assert " on 500 examples of dev. Use it, or change the network. VARIANCE 24.0" in said


def test_the_hardest_baseline_decides():
    base, better, worse = worlds()
    found = diagnosis(500, 10)
    assert verdict(found, [against("majority", better, worse), against("linear", better, base)]) == found.sentence
    tied = verdict(found, [against("majority", better, worse), against("linear", base, base)])
    assert tied.startswith("Not known to be better than the baseline linear: +0 points")
    assert tied.endswith(f"Linear is cheaper. {found.sentence}")


def test_a_difference_without_an_interval_says_so():
    base, better, _ = worlds()
    found = against("linear", better, base) | {"verdict": "tied", "low": float("nan"), "high": float("nan")}
    assert " points (no interval) on 500 examples of dev." in verdict(diagnosis(500, 10), [found])


def test_comparisons_on_other_parts_do_not_count():
    base, _, worse = worlds()
    on_test = against("linear", worse, base) | {"split": "test"}
    assert "baseline" not in verdict(diagnosis(500, 120), [on_test])


def test_nothing_held_out_is_said():
    assert "nothing can be said" in verdict(judge({"train": Level.of_counts(0, 10, 0)}), [])
