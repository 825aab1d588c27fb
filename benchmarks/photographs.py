"""A thousand photographs: MobileNet-V2 from scratch and from ImageNet weights, on five random splits of TrashNet.

TrashNet's reduced copy: 1,137 photographs of rubbish in six classes, split 60/20/20 at random, five times. From
weights: what `orthogon train trashnet --model mobilenet_v2 --weights imagenet` does by itself. From scratch: the same
network, 24 epochs at 96 pixels, which takes about as long, with the same changes of pictures and smoothing of labels.
A third line averages what this network says of each picture and of its mirror image (`orthogon ensemble --views flip`).
They are scored on the same test pictures of each split, which nothing was chosen by (the defaults of transfer were, on
dev of another split); the difference is paired, picture by picture. One object was photographed several times and
files do not say which, so both scores are higher than on new objects.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from harness import table

import orthogon as og
from orthogon.serve.bundle import load
from orthogon.stats import compare_paired_values, estimate_score
from orthogon.train.compute import Compute
from orthogon.train.evaluate import evaluate
from orthogon.train.rows import Rows
from orthogon.train.run import Run
from orthogon.verbs.prepare import prepare
from orthogon.vision.views import Views

WAYS = ("from scratch", "from ImageNet weights")
SCRATCH = {"train.augment": ["flip", "crop", "rotate", "color"], "task.label_smoothing": 0.1, "data.fit": "stretch",
           "data.image_size": 96}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--splits", type=int, default=5, help="random splits (5)")
    parser.add_argument("--threads", type=int, default=1, help="of training (1)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measured = [split(seed, options.threads, Path(folder)) for seed in range(options.splits)]
    print(render(measured))


def split(seed: int, threads: int, folder: Path) -> dict[str, dict[str, np.ndarray | float]]:
    """Way -> test scores of the pictures in the order of their ids, and seconds, of one split."""
    options = {"split.train": 0.6, "split.dev": 0.2, "split.test": 0.2, "split.seed": seed, "train.seed": seed,
               "train.threads": threads}
    ways = {
        WAYS[0]: {"epochs": 24, "options": {**options, **SCRATCH}},
        WAYS[1]: {"weights": "imagenet", "options": options},
    }
    found = {}
    for way, given in ways.items():
        began = time.process_time()
        out = folder / f"{seed} {way}"  # each looks at its test set once: within one folder the second would be refused
        run = og.train("trashnet", model="mobilenet_v2", out=out, quiet=True, **given)
        found[way] = {"score": scores(run.rows("test")), "seconds": time.process_time() - began}
        say(seed, way, found[way])
    found["the same, two views"] = {"score": scores(mirrored(run)), "seconds": time.process_time() - began}
    say(seed, "two views", found["the same, two views"])
    return found


def mirrored(run: Run) -> Rows:
    """Of the test pictures, by the network of a run over each picture and its mirror image."""
    predictor, prepared = load(run), prepare(run.recipe(), None, run.path / "passport.json")
    predictor.task.attach(prepared.data, predictor.device)
    both, rows = Views(predictor.model, "flip"), prepared.passport.rows("test")
    return evaluate(predictor.task, both, prepared.data, rows, "test", Compute(predictor.device))


def say(seed: int, way: str, found: dict[str, np.ndarray | float]) -> None:
    print(f"split {seed}, {way}: {100 * np.mean(found['score']):.1f} % right on test, {found['seconds']:.0f} CPU s",
          flush=True)


def scores(rows: Rows) -> np.ndarray:
    """1 where a test picture is named rightly, in the order of the ids."""
    return np.asarray(rows["score"], float)[np.argsort(rows.ids)]


def render(measured: list[dict[str, dict[str, np.ndarray | float]]]) -> str:
    """The table in Markdown."""
    rows = []
    for way in measured[0]:
        each = [np.asarray(found[way]["score"]) for found in measured]
        pooled = estimate_score(np.concatenate(each))
        slowest = max(float(found[way]["seconds"]) for found in measured)
        rows.append((way, " ".join(f"{100 * score.mean():.1f}" for score in each),
                     f"{100 * np.mean([score.mean() for score in each]):.1f}",
                     f"[{100 * pooled.low:.1f}, {100 * pooled.high:.1f}]", f"{slowest:.0f}"))
    scratch, weights = (np.concatenate([np.asarray(found[way]["score"]) for found in measured]) for way in WAYS)
    gained = compare_paired_values(scratch, weights, higher_is_better=True, unit="rate")
    return table(("", "right on test, %, by split", "mean", "95 % over pictures", "CPU seconds, slowest"), rows) + (
        f"\n\nPaired gain of the weights: {100 * gained.difference:+.1f} points "
        f"[{100 * gained.low:+.1f}, {100 * gained.high:+.1f}], n = {gained.n:,} (a picture may be in several splits).")


if __name__ == "__main__":
    main()
