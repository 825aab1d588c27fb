"""From what each rule advised to the table: useless and harmful advice, how often it acts, regret, coverage, cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Record = dict[str, Any]

RULES = {"naive": "largest gap, its usual knob", "intervals": "states, the usual knob", "probes": "probes, budget 4",
         "full": "probes, every remedy in full"}
USELESS, HELPFUL = 0.005, 0.01
"""Advice whose true gain is under half a point is useless; a world can be helped where some remedy gains a point."""


def score(records: Sequence[Record], rule: str) -> Record:
    """Of one rule over worlds; shares of what it advised, where it advised something."""
    acted = [each for each in records if each["advice"][rule]]
    gains = np.array([each["gains"][each["advice"][rule]] for each in acted])
    helpable = [each for each in records if max(each["gains"].values()) >= HELPFUL]
    promised = [(each["promised"][rule], gain) for each, gain in zip(acted, gains) if rule in each["promised"]]
    return {
        "worlds": len(records), "acts": len(acted), "helpable": len(helpable),
        "acts_helpable": sum(bool(each["advice"][rule]) for each in helpable),
        "useless": int((gains < USELESS).sum()), "wrong": int((gains < 0).sum()),
        "best": sum(each["advice"][rule] == each["best"] for each in acted),
        "gain": _mean([_gain(each, rule) for each in records]),
        "regret": _mean([max(0.0, *each["gains"].values()) - _gain(each, rule) for each in records]),
        "covered": sum(low <= gain <= high for (_, low, high), gain in promised),
        "kept": sum(gain >= low for (_, low, _), gain in promised),
        "cost": _mean([each["cost"] for each in records]) if rule == "probes" else None,
        "cost_most": max((each["cost"] for each in records), default=0.0) if rule == "probes" else None,
        "cpu_cost": _mean([each["cpu_cost"] for each in records]) if rule == "probes" else None,
    }


def _gain(record: Record, rule: str) -> float:
    advice = record["advice"][rule]
    return record["gains"][advice] if advice else 0.0


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else 0.0


def brier(records: Sequence[Record]) -> float:
    """Of P(largest), over every gap that was measured."""
    return _mean([(probability - happened) ** 2 for each in records for probability, happened in each["largest"]])


def rows_of(records: Sequence[Record], rules: Sequence[str], label: Callable[[Record, str], str]) -> list[list[str]]:
    """Lines of the table: one for each level and rule."""
    levels = sorted({each["n_dev"] for each in records})
    lines = []
    for n_dev in levels:
        here = [each for each in records if each["n_dev"] == n_dev]
        for rule in (rule for rule in rules if rule in here[0]["advice"]):
            found = score(here, rule)
            lines.append([label(here[0], rule), *_cells(found)])
    return lines


HEAD = ("acts", "useless", "wrong direction", "best remedy", "acts where a point can be gained", "gain", "regret",
        "promise kept", "true gain in the interval", "cost")


def _cells(found: Record) -> list[str]:
    acted = found["acts"]
    of_acted = lambda count: f"{100 * count / acted:.1f} %" if acted else "–"  # noqa: E731
    promised = found["cost"] is not None or found["kept"] > 0
    cost = "–" if found["cost"] is None else f"{found['cost']:.1f}, at most {found['cost_most']:.1f}"
    return [
        f"{100 * acted / found['worlds']:.0f} %", of_acted(found["useless"]), of_acted(found["wrong"]),
        of_acted(found["best"]), f"{100 * found['acts_helpable'] / max(1, found['helpable']):.0f} %",
        f"{100 * found['gain']:+.1f}", f"{100 * found['regret']:.1f}",
        of_acted(found["kept"]) if promised else "–", of_acted(found["covered"]) if promised else "–", cost,
    ]
