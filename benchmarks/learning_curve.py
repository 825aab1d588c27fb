"""Do learning curves keep their word? What twice the data bought, against what the curve of half of it foretold.

    python benchmarks/learning_curve.py [--worlds 8] [--json FILE]

A world is a random choice of m train examples of a real data set. The curve sees m/16 … m/2 (three draws each, scored
on at most 1,000 examples) and foretells the gain of m over m/2, which is then measured on all examples left over.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from orthogon.strategy.learning_curve import learning_curve
from orthogon.train.recipe import Recipe
from orthogon.verbs.learning_curve import Job, train_on_subset
from orthogon.verbs.prepare import Prepared, prepare

DEV = 1_000
SETS = {
    "digits": ({"data.source": "digits", "model.name": "mlp"}, 900, 300),
    "mnist": ({"data.source": "mnist", "model.name": "mlp", "model.options": {"hidden": [64]}}, 4_000, DEV),
    "adult": ({"data.source": "adult", "model.name": "mlp", "model.options": {"hidden": [32]}}, 4_000, DEV),
}
"""Name -> recipe, m, examples that the curve is scored on."""


def world(prepared: Prepared, m: int, dev_size: int, seed: int) -> dict[str, float]:
    """One forecast beside what came of it."""
    n = len(prepared.data)
    order = np.random.default_rng(seed).permutation(n)
    rows, held = np.sort(order[:m]), order[m : m + min(n - m, 12_000)]
    sizes = [m // 16, m // 8, m // 4, m // 2, m]
    found = {size: [train_on_subset(prepared, rows, held, Job(size, draw)) for draw in range(3)] for size in sizes}
    task = prepared.task(rows)
    seen = {size: [(scored.take(np.arange(dev_size)), train) for scored, train in found[size]] for size in sizes[:-1]}
    curve = learning_curve(seen, task.metrics[0])
    errors = {size: [1 - task.metrics[0].value(scored) for scored, _ in found[size]] for size in sizes[-2:]}
    gained = float(np.mean(errors[m // 2]) - np.mean(errors[m]))
    doubt = float(np.sqrt(sum(np.var(each, ddof=1) / 3 for each in errors.values())))
    gain = curve.gain
    nan = float("nan")
    return {"gained": gained, "doubt": doubt, "value": gain.value if gain else nan, "low": gain.low if gain else nan,
            "high": gain.high if gain else nan}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--worlds", type=int, default=8)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    results = {}
    for name, (values, m, dev_size) in SETS.items():
        recipe = Recipe().with_values({**values, "train.steps": 300, "train.threads": 1, "train.preflight": False})
        prepared = prepare(recipe)
        results[name] = [world(prepared, m, dev_size, seed) for seed in range(asked.worlds)]
        print(summary(name, results[name]), flush=True)
    if asked.json:
        asked.json.write_text(json.dumps(results, indent=1))


def summary(name: str, worlds: list[dict[str, float]]) -> str:
    told = [each for each in worlds if np.isfinite(each["value"])]
    held = [sum(each["low"] - z * each["doubt"] <= each["gained"] <= each["high"] + z * each["doubt"] for each in told)
            for z in (1.96, 0.0)]
    mean = {key: 100 * np.mean([each[key] for each in told]) for key in ("gained", "value", "low", "high")}
    foretold = f"{mean['value']:.2f} [{mean['low']:.2f}, {mean['high']:.2f}]"
    return (f"{name:8} forecasts {len(told)} of {len(worlds)}, held {held[0]} ({held[1]} were the outcome exact); "
            f"gained {mean['gained']:.2f} points, foretold {foretold}")


if __name__ == "__main__":
    main()
