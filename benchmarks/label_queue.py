"""How well the queue of `orthogon labels` finds planted wrong labels: 1,000 pictures, 20 % of the labels changed.

    python benchmarks/label_queue.py [--sets mnist fashion-mnist] [--seeds 1 2 3] [--json FILE]

All by default: the recipe that `orthogon train` chooses, the folds and rounds that `orthogon labels` chooses. A seed
draws the pictures, the labels that are changed, and what they become (another class, each as likely). Average precision
is that of the ranking by belief in the label; the chance level is 0.2.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score

import orthogon as og
from orthogon.data.columns import CategoryColumn

GOALS = {"mnist": 0.97, "fashion-mnist": 0.90}
PICTURES, WRONG = 1_000, 0.2


def planted(name: str, seed: int) -> tuple[og.Dataset, set[str]]:
    """So many train pictures of the set, and the ids of those whose label was changed."""
    root, folder = os.environ.get("ORTHOGON_DATA"), name.replace("-", "_")
    data = og.read(str(Path(root, folder)) if root and Path(root, folder).exists() else name)
    random = np.random.default_rng(seed)
    of_train = np.flatnonzero(data.part == "train") if data.part is not None else np.arange(len(data))
    data = replace(data.take(random.choice(of_train, PICTURES, replace=False)), part=None, origin="")
    label = data.target_column()
    assert isinstance(label, CategoryColumn)
    changed = random.choice(PICTURES, round(WRONG * PICTURES), replace=False)
    codes = label.codes.copy()
    codes[changed] = (codes[changed] + random.integers(1, len(label.levels), len(changed))) % len(label.levels)
    columns = {**data.columns, str(data.target): CategoryColumn(codes, label.levels)}
    return replace(data, columns=columns), set(data.ids[changed].tolist())


def measure(name: str, seed: int, folder: Path) -> dict[str, Any]:
    """Average precision of the queue, and the share of changed labels among its first 100 and 200."""
    data, changed = planted(name, seed)
    options = {"split.test": 0, "train.seed": seed, "train.threads": 1}
    run = og.train(data, options=options, out=folder, quiet=True)
    queue = og.labels(run, data=data, quiet=True).queue
    wrong = np.isin(queue.ids, list(changed))
    return {"set": name, "seed": seed, "n": len(queue), "models": queue.models,
            "average_precision": float(average_precision_score(wrong, -queue.confidence)),
            "precision_at_100": float(wrong[:100].mean()), "found_in_200": float(wrong[:200].sum() / wrong.sum()),
            "flagged_precision": float(wrong[queue.flagged].mean()), "flagged_recall": float(
                (wrong & queue.flagged).sum() / wrong.sum())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=list(GOALS), choices=list(GOALS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    found = []
    for name in asked.sets:
        for seed in asked.seeds:
            with tempfile.TemporaryDirectory() as folder:
                found.append(measure(name, seed, Path(folder)))
            last = found[-1]
            print(f"{name:<14} seed {seed}   average precision {last['average_precision']:.3f} (goal {GOALS[name]})   "
                  f"first 100: {last['precision_at_100']:.2f}   found in 200: {last['found_in_200']:.2f}", flush=True)
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
