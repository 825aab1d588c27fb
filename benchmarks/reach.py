"""How far a named recipe comes on public data: test error with its interval, and the CPU minutes that it took.

    python benchmarks/reach.py mnist fashion sign-digits [--seeds 0 1 2] [--json FILE]

Each is `orthogon train` with the options below, which were chosen on parts of the train set, never on test. MNIST and
Fashion-MNIST have their own test parts. Of the sign-language digits (2,059 photographs, 10 classes) every fifth of each
class, by name, is test; the same hands may be on both sides, since files do not say whose they are.
"""

from __future__ import annotations

import os
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from harness import each_seed, table

import orthogon as og
from orthogon.data.dataset import Dataset

JOBS: dict[str, dict[str, Any]] = {
    "mnist": {
        "line": "LeNet-5 with distortions", "goal": "at most 0.70 % (mean of 3 seeds)",
        "train": {"model": "lenet5", "epochs": 20, "options": {
            "train.augment": ["shift", "rotate", "scale", "shear", "warp"], "train.augment_strength": 0.5,
            "train.ema": 0.999}},
    },
    "fashion": {
        "line": "the small convnet, recipe strong", "goal": "at most 6.0 % within 25 minutes on two cores",
        "train": {"recipe": "strong", "model": "convnet", "epochs": 28, "options": {
            "model.options": {"width": 48}, "train.batch_size": 128}},
    },
    "sign-digits": {
        "line": "the small convnet, recipe strong", "goal": "at most 3.0 %",
        "train": {"recipe": "strong", "model": "convnet"},
    },
}


def data_of(name: str, folder: Path) -> Dataset:
    root = Path(os.environ["ORTHOGON_DATA"])
    if name == "sign-digits":
        with tarfile.open(root / "sign_language_digits" / "sign_digits.tar") as archive:
            archive.extractall(folder / "signs", filter="data")
        found = og.read(folder / "signs")
        return with_every_fifth_as_test(found)
    return og.read(str(root / {"mnist": "mnist", "fashion": "fashion_mnist"}[name]))


def with_every_fifth_as_test(data: Dataset) -> Dataset:
    """Of each class, the files sorted by name, every fifth: test, as the data's own notes suggest."""
    from dataclasses import replace

    place = {}
    for identity in sorted(data.ids.tolist()):
        place.setdefault(identity.split("/")[0], []).append(identity)
    test = {identity for files in place.values() for identity in files[::5]}
    return replace(data, part=np.array(["test" if each in test else "" for each in data.ids.tolist()]), origin="")


def measure(name: str, seed: int, threads: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        data = data_of(name, Path(folder))
        given = dict(JOBS[name]["train"])
        options = {**given.pop("options", {}), "train.threads": threads, "train.seed": seed, "split.seed": seed}
        began, cpu = time.monotonic(), time.process_time()
        run = og.train(data, out=folder, quiet=True, options=options, test=True, **given)
        error = run.result["splits"]["test"]["metrics"]["error"]
        return {"name": name, "seed": seed, "error": error, "minutes": (time.monotonic() - began) / 60,
                "cpu_minutes": (time.process_time() - cpu) / 60, "threads": threads,
                "parameters": run.result["model"]["parameters"], "steps": run.recipe().train.steps}


def render(found: list[dict[str, Any]]) -> str:
    """The table in Markdown: a line for each run, then the means over seeds."""
    rows = []
    for name in dict.fromkeys(each["name"] for each in found):
        of_name = [each for each in found if each["name"] == name]
        for each in of_name:
            error = each["error"]
            rows.append((f"{name}: {JOBS[name]['line']}", str(each["seed"]), f"{100 * error['value']:.2f}",
                         f"[{100 * error['low']:.2f}, {100 * error['high']:.2f}], n = {error['n']:,}",
                         f"{each['cpu_minutes']:.1f}"))
        mean = 100 * np.mean([each["error"]["value"] for each in of_name])
        rows.append((f"{name}, goal {JOBS[name]['goal']}", f"mean of {len(of_name)}", f"**{mean:.2f}**", "", ""))
    return table(("", "seed", "test error, %", "95 %", "CPU minutes"), rows)


if __name__ == "__main__":
    each_seed(__doc__, JOBS, measure, render)
