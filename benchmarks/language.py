"""How far language models come on public texts: nats of a token on test with the interval, and the CPU minutes.

    python benchmarks/language.py shakespeare names [--seeds 0 1 2] [--threads 1] [--json FILE]

Each is `orthogon train --task language` with the options below, which were set beforehand, not searched
for on dev.
shakespeare: the characters of tinyshakespeare; test is its last tenth, which nanoGPT calls val. nanoGPT trains on all
before it; here the hundredth just before it is dev, and no more: it is of the same plays as the beginning of test, so
that each part of it that train lacks makes test harder. Every character of test counts once, and the network has read
what stands before it.
names: the 32,033 names of makemore, a name an example; test are 1,000 of them at random, as there; the mark of the end
counts as a character.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from harness import each_seed, table

import orthogon as og
from orthogon.data.columns import TextColumn
from orthogon.data.readers.options import row_ids

JOBS: dict[str, dict[str, Any]] = {
    "shakespeare": {
        "goal": "at most 1.55 nats in 20 minutes on two cores", "options": {
            "data.running": True, "split.dev": 0.01, "split.test": 0.1, "model.options": {
                "hidden": 384, "layers": 2, "dropout": 0.15},
            "train.epochs": 9, "train.lr": 4e-3, "task.truncation": 64}},
    "names": {
        "goal": "at most 2.03 nats", "options": {
            "split.dev": 1000, "split.test": 1000, "model.options": {"hidden": 256, "layers": 1, "dropout": 0.2},
            "train.epochs": 15}},
}


def data_of(name: str) -> Any:
    root = Path(os.environ["ORTHOGON_DATA"])
    if name == "shakespeare":
        return str(root / "tinyshakespeare" / "input.txt")
    names = (root / "names" / "names.txt").read_text().splitlines()
    return og.Dataset("names", {"text": TextColumn(list(names))}, None, row_ids(len(names)))


def measure(name: str, seed: int, threads: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        options = {**JOBS[name]["options"], "train.threads": threads, "train.seed": seed}
        began, cpu = time.monotonic(), time.process_time()
        run = og.train(data_of(name), task="language", out=folder, options=options, test=True)
        test = run.result["splits"]["test"]["metrics"]
        baselines = {each: found["test"]["metrics"]["nats"] for each, found in run.result["baseline"].items()}
        return {"name": name, "seed": seed, **test, "baselines": baselines,
                "dev": run.result["splits"]["dev"]["metrics"]["nats"], "minutes": (time.monotonic() - began) / 60,
                "cpu_minutes": (time.process_time() - cpu) / 60, "threads": threads,
                "parameters": run.result["model"]["parameters"], "steps": run.recipe().train.steps}


def render(found: list[dict[str, Any]]) -> str:
    rows = []
    for each in found:
        about = f"{each['name']}, goal {JOBS[each['name']]['goal']}"
        for what, nats in (("network", each["nats"]), *each["baselines"].items()):
            minutes = f"{each['cpu_minutes']:.1f}" if what == "network" else ""
            rows.append((about, what, str(each["seed"]), f"{nats['value']:.3f}",
                         f"[{nats['low']:.3f}, {nats['high']:.3f}], n = {nats['n']:,}", minutes))
            about = ""
    return table(("", "", "seed", "test, nats", "95 %", "CPU minutes"), rows)


if __name__ == "__main__":
    each_seed(__doc__, JOBS, measure, render)
