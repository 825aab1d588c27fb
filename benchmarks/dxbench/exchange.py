"""For other tools: the worlds as files, and the score of what a tool advises in them.

    python -m dxbench.exchange write FOLDER      (in benchmarks/) worlds.csv, and of each world data and predictions
    python -m dxbench.exchange score advice.csv  with columns world, remedy ("abstain" for none); see worlds.csv

Predictions are a table that `orthogon.read_predictions` reads: id, split, target, prediction, source. The truth comes
from results.json beside run.py.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from dxbench import reported
from dxbench.arms import Lab
from dxbench.rules import LEVELS, remedies
from dxbench.scores import score
from dxbench.worlds import world

Record = dict[str, Any]


def write(folder: Path, worlds: Iterable[tuple[str, int]]) -> None:
    """KIND-SEED.npz (x, y, and the rows of each part), KIND-SEED-N.csv for each n_dev, and worlds.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "worlds.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("world", "n_dev", "human_error", "remedy", "changes"))
        for kind, seed in worlds:
            lab = Lab(world(kind, seed))
            _write_world(folder, lab)
            for n_dev in LEVELS:
                table.writerows((name_of(kind, seed, n_dev), n_dev, lab.world.bayes, remedy.name,
                                 json.dumps(dict(remedy.changes))) for remedy in remedies(lab, n_dev, False, None))


def _write_world(folder: Path, lab: Lab) -> None:
    given = lab.world
    known = {part: rows for part, rows in given.parts.items() if part not in ("test", "unused")}
    name = name_of(given.kind, given.seed)
    x, y = given.data.columns["x"].values, given.data.columns["y"].codes  # type: ignore[attr-defined]
    np.savez_compressed(folder / f"{name}.npz", x=x, y=y, **known)
    shown = [part for part in ("train", "train-dev", "dev") if part in known]
    rows = lab.train(known["train"], np.concatenate([known[part] for part in shown]), {}, 0).rows
    parts = np.repeat(shown, [len(known[part]) for part in shown])
    for n_dev in LEVELS:
        kept = np.concatenate([np.flatnonzero(parts == part)[: None if part == "train" else n_dev] for part in shown])
        with (folder / f"{name_of(given.kind, given.seed, n_dev)}.csv").open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(("id", "split", "target", "prediction", "source"))
            for at in kept.tolist():
                target, prediction = (rows.classes[rows[column][at]] for column in ("target", "prediction"))
                source = "" if rows.source is None else rows.source[at]
                table.writerow((rows.ids[at], parts[at], target, prediction, source))


def name_of(*what: str | int) -> str:
    """"bias and variance", 3, 300 -> "bias-and-variance-3-300"."""
    return "-".join(str(each).replace(",", "").replace(" ", "-") for each in what)


def scored(advice: Path, records: list[Record]) -> Record:
    """n_dev -> the score of the advice in a CSV file; worlds that it does not name count as "abstain"."""
    with advice.open(newline="") as file:
        given = {line["world"]: line["remedy"] for line in csv.DictReader(file)}
    for each in records:
        named = given.get(name_of(each["kind"], each["seed"], each["n_dev"]), "abstain")
        if named != "abstain" and named not in each["gains"]:
            raise SystemExit(f"there is no remedy {named!r} in that world; there are {', '.join(each['gains'])}")
        each["advice"] = {"advice": None if named == "abstain" else named}
        each["promised"] = {}
    return {n_dev: score([each for each in records if each["n_dev"] == n_dev], "advice") for n_dev in LEVELS}


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(Path(sys.argv[2]), reported())
    else:
        results = json.loads((Path(__file__).parents[1] / "results.json").read_text())["dxbench"]["found"]["worlds"]
        print(json.dumps(scored(Path(sys.argv[2]), results), indent=1))
