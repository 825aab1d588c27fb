"""What each ingredient of the recipe `strong` is worth: with all of them, and without one at a time, in pairs.

    python benchmarks/ingredients.py [--seeds 0 1] [--rows 10000] [--epochs 12] [--json FILE]

Fashion-MNIST, the small convnet on so many train pictures, judged on 10,000 others of the train part: its test part is
not looked at. The same pictures and the same first weights each time, so that differences are paired, picture by
picture; of several seeds they are pooled. `without` a schedule is a constant rate; without decay it is 0.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from harness import table

import orthogon as og
from orthogon.stats import compare_paired_values

WAYS = ["flip", "shift", "erase"]
WITHOUT: dict[str, dict[str, Any]] = {
    "nothing": {},
    **{way: {"train.augment": [each for each in WAYS if each != way]} for way in WAYS},
    "all three": {"train.augment": []},
    "average of weights": {"train.ema": 0.0},
    "label smoothing": {"task.label_smoothing": 0.0},
    "one cycle": {"train.schedule": "constant"},
    "weight decay": {"train.weight_decay": 0.0},
}
DEV = 10_000


def measure(without: str, seed: int, rows: int, epochs: int) -> dict[str, Any]:
    """The scores of the dev pictures, 1 = right, in the order of their ids."""
    options = {"split.train": rows, "split.dev": DEV, "split.seed": seed, "train.seed": seed, "train.threads": 1,
               "train.preflight": False, **WITHOUT[without]}
    source = str(Path(os.environ["ORTHOGON_DATA"]) / "fashion_mnist")
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        run = og.train(source, recipe="strong", model="convnet", epochs=epochs, out=folder, quiet=True, options=options)
        dev = run.rows("dev")
        score = np.asarray(dev["score"], float)[np.argsort(dev.ids)]
    return {"without": without, "seed": seed, "score": score.astype(int).tolist(),
            "cpu_minutes": (time.process_time() - began) / 60}


def render(found: list[dict[str, Any]]) -> str:
    """The table in Markdown: what leaving each out costs."""
    scores = {name: np.concatenate([each["score"] for each in found if each["without"] == name]).astype(float)
              for name in dict.fromkeys(each["without"] for each in found)}
    rows = []
    for name, score in scores.items():
        lost = compare_paired_values(score, scores["nothing"], higher_is_better=True, unit="rate")
        points = [f"{100 * each:+.2f}" for each in (lost.difference, lost.low, lost.high)]
        worth = "" if name == "nothing" else "{} [{}, {}]".format(*points)
        rows.append((name, f"{100 * (1 - score.mean()):.2f}", worth, f"{len(score):,}"))
    return table(("without", "dev error, %", "worth, points (95 %, paired)", "n"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--rows", type=int, default=10_000, help="train pictures (10,000)")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--json", type=Path, help="also write the scores there")
    asked = parser.parse_args()
    found = []
    for seed in asked.seeds:
        for without in WITHOUT:
            found.append(measure(without, seed, asked.rows, asked.epochs))
            print(f"seed {seed}, without {without}: {100 * (1 - np.mean(found[-1]['score'])):.2f} % wrong, "
                  f"{found[-1]['cpu_minutes']:.1f} CPU minutes", flush=True)
            if asked.json:
                asked.json.write_text(json.dumps(found) + "\n")
    print(render(found))


if __name__ == "__main__":
    main()
