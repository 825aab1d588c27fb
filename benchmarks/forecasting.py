"""How far a forecaster comes on Beijing's PM2.5: mean absolute error on the last year, beside persistence and season.

    python benchmarks/forecasting.py [--seeds 0 1 2] [--json FILE]

Hourly, 2010 to 2014 (X. Liang et al., Proc. R. Soc. A 471, 2015; UCI): PM2.5 of the US embassy, 5 % of it missing, and
the weather at the airport. "24 hours ahead" is each of the next 24 hours, N to N; the error at the 24th of them alone
is told beside it. Trained on 2010 to 2012; 2013 is dev, by which the defaults of `--task forecast` were chosen; 2014 is
test, looked at when that was done. The weather ahead is not known, nor is any forecast of it.
The history of a year's first examples lies in the year before; what is forecast lies in its own year.

Neighboring hours and days are alike, so intervals draw whole weeks, the same for network and baseline.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from harness import table

import orthogon as og
from orthogon.data.dataset import Dataset
from orthogon.stats import bootstrap_moments
from orthogon.train.rows import Rows

AHEAD = 24
GOAL = 0.10
BASELINES = ("persistence", "seasonal", "ridge")


def beijing() -> Dataset:
    """Hours as rows, with the parts by year."""
    raw = gzip.decompress((Path(os.environ["ORTHOGON_DATA"]) / "uci_tables" / "pollution.csv.gz").read_bytes())
    frame = pl.read_csv(raw, null_values="NA", infer_schema_length=None)
    years = {2010: "train", 2011: "train", 2012: "train", 2013: "dev", 2014: "test"}
    return og.read(frame.select(
        pl.datetime("year", "month", "day", "hour").alias("hour"), "pm2.5", "DEWP", "TEMP", "PRES", "cbwd", "Iws", "Is",
        "Ir", pl.col("year").replace_strict(years).alias("part"),
    ), target="pm2.5")


def errors(rows: Rows, step: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Per row the mean absolute error and how many values it is the mean of; of one step ahead, or of all."""
    off = np.abs(rows["prediction"] - rows["target"])
    off = off if step is None else off[:, [step]]
    known = ~np.isnan(off)
    return np.nansum(off, axis=1) / np.maximum(known.sum(1), 1), known.sum(1)


def measure(seed: int, threads: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        began, cpu = time.monotonic(), time.process_time()
        run = og.train(beijing(), task="forecast", out=folder, quiet=True, test=True, options={
            "task.horizon": AHEAD, "train.threads": threads, "train.seed": seed})
        found: dict[str, Any] = {
            "seed": seed, "cpu_minutes": (time.process_time() - cpu) / 60, "minutes": (time.monotonic() - began) / 60,
            "parameters": run.result["model"]["parameters"], "steps": run.recipe().train.steps, "rows": {}}
        for name in ("network", *BASELINES):
            for part in ("dev", "test"):
                found["rows"][name, part] = run.rows(part if name == "network" else f"{name}.{part}")
        return found


def compared(found: list[dict[str, Any]], part: str, step: int | None) -> dict[str, Any]:
    """Errors of all, the network's as the mean over seeds; and by how much it is better than each, in pairs."""
    of = {name: errors(found[0]["rows"][name, part], step)[0] for name in BASELINES}
    of["network"] = np.mean([errors(each["rows"]["network", part], step)[0] for each in found], axis=0)
    rows = found[0]["rows"]["network", part]
    more: dict[str, Any] = {"weights": errors(rows, step)[1], "groups": rows.group}
    document: dict[str, Any] = {"part": part, "ahead": "1 to 24" if step is None else str(step + 1), "rows": len(rows)}
    document["error"] = {name: bootstrap_moments(each, **more).to_dict() for name, each in of.items()}
    document["gain"] = {
        name: bootstrap_moments(np.stack([of["network"], of[name]], 1), _gain, **more).to_dict() for name in BASELINES}
    document["seeds"] = [float(np.average(errors(each["rows"]["network", part], step)[0], weights=more["weights"]))
                         for each in found]
    return document


def _gain(means: np.ndarray) -> np.ndarray:
    """By which share the first mean is less than the second."""
    return 1 - means[:, 0] / means[:, 1]


def render(documents: list[dict[str, Any]]) -> str:
    """The table in Markdown: a line for each part, hours ahead and model."""
    lines = []
    for each in documents:
        for name, error in each["error"].items():
            gain = each["gain"].get(name)
            lines.append((each["part"], each["ahead"], name, f"{error['value']:.2f} [{error['low']:.2f}, "
                          f"{error['high']:.2f}], {error['n']} weeks", "" if gain is None else
                          f"{100 * gain['value']:.1f} % [{100 * gain['low']:.1f}, {100 * gain['high']:.1f}]"))
    return table(("part", "hours ahead", "model", "mean absolute error, µg/m³", "the network is better by"), lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=1, help="of training (1)")
    parser.add_argument("--json", type=Path, help="also write the numbers there")
    asked = parser.parse_args()
    found = [measure(seed, asked.threads) for seed in asked.seeds]
    documents = [compared(found, part, step) for part in ("dev", "test") for step in (None, AHEAD - 1)]
    print(render(documents))
    test = documents[2]
    best = min(("persistence", "seasonal"), key=lambda name: test["error"][name]["value"])
    gain = test["gain"][best]
    met = "met" if gain["low"] >= GOAL else "missed" if gain["high"] < GOAL else "open: the interval holds the goal"
    print(f"\nGoal, at least {GOAL:.0%} better than the better of persistence and season ({best}): {met}. "
          f"{found[0]['parameters']:,} parameters, {found[0]['steps']:,} steps, "
          f"{np.mean([each['cpu_minutes'] for each in found]):.1f} CPU minutes a seed; errors of the seeds "
          + ", ".join(f"{each:.2f}" for each in test["seeds"]))
    if asked.json:
        told = [{key: each[key] for key in each if key != "rows"} for each in found]
        asked.json.write_text(json.dumps({"runs": told, "compared": documents}, indent=1) + "\n")


if __name__ == "__main__":
    main()
