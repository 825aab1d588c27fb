"""Taggers on public data: parts of speech of UD English EWT, entities of WNUT-17 with and without a CRF.

    python benchmarks/tagging.py ewt wnut [--seeds 0 1 2] [--out FOLDER] [--json FILE]

Each is `orthogon train` with the options below, which were chosen on dev, never on test; no vectors of words trained
elsewhere are used. The taggers of entities start with the weights of the first tagger of parts of speech, whose words
and characters are carried over by name, and are compared in pairs: a CRF against a softmax at each word, on the same
test sentences. A training that has ended in the folder is not made again.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from harness import table

import orthogon as og
from orthogon.strategy.paired import compare_rows
from orthogon.text.entities import entity_metrics
from orthogon.train.run import Run

POS = {"train.epochs": 10}
ENTITIES = {"train.epochs": 20, "train.layer_decay": 1.0, "train.trunk_rate": 1.0, "train.lr": 3e-3,
            "train.batch_size": 16, "train.clip_norm": 5.0, "model.options": {"word_dropout": 0.2}}
LOSSES = ("cross_entropy", "crf")
GOALS = {"ewt": "test accuracy of words at least 94.5 %", "wnut": "F1 at least 25 %, CRF above softmax"}


def trained(source: str, name: str, out: Path, options: dict[str, Any], **more: Any) -> tuple[Run, float]:
    """The run of that name, and the CPU minutes that it took."""
    clock = out / f"{name}.minutes"
    if clock.exists():
        return Run.open(out / name), float(clock.read_text())
    data = og.read(str(Path(os.environ["ORTHOGON_DATA"]) / source))
    began = time.process_time()
    run = og.train(data, out=out, name=name, quiet=True, test=True, options={"train.threads": 1, **options}, **more)
    minutes = (time.process_time() - began) / 60
    clock.write_text(f"{minutes}\n")
    return run, minutes


def pos(seed: int, out: Path) -> tuple[Run, float]:
    return trained("ud_english_ewt", f"ewt-{seed}", out, {**POS, "train.seed": seed})


def entities(loss: str, seed: int, out: Path) -> tuple[Run, float]:
    start, _ = pos(0, out)
    return trained("wnut17_ner", f"wnut-{loss}-{seed}", out, {**ENTITIES, "train.seed": seed, "task.loss": loss},
                   weights=str(start.path), model="tagger")


def told(name: str, seed: int, run: Run, minutes: float) -> dict[str, Any]:
    metric = run.result["metric"]
    scores = {part: of["metrics"][metric] for part, of in run.result["splits"].items() if part != "train"}
    beside = {part: of["metrics"][metric] for baseline in run.result["baseline"].values()
              for part, of in baseline.items() if part in scores}
    return {"name": name, "seed": seed, "metric": metric, "scores": scores, "baseline": beside,
            "cpu_minutes": minutes, "parameters": run.result["model"]["parameters"]}


def pair(seed: int, out: Path) -> dict[str, Any]:
    """The CRF against the softmax on the test sentences, by F1."""
    softmax, crf = (entities(loss, seed, out)[0].rows("test") for loss in LOSSES)
    types = [name.removeprefix("f1_of_") for name in entities("crf", seed, out)[0].result["splits"]["test"]["metrics"]
             if name.startswith("f1_of_")]
    return compare_rows(softmax, crf, entity_metrics(types)[0]).paired.to_dict()


def render(found: list[dict[str, Any]], pairs: dict[int, dict[str, Any]]) -> str:
    """The table in Markdown: a line for each run, the means over seeds, then the pairs."""
    rows = []
    for name in dict.fromkeys(each["name"] for each in found):
        of_name = [each for each in found if each["name"] == name]
        for each in of_name:
            rows.append((name, str(each["seed"]), *(_told(each["scores"].get(part)) for part in ("dev", "test")),
                         _told(each["baseline"].get("test")), f"{each['cpu_minutes']:.1f}"))
        values = [100 * each["scores"]["test"]["value"] for each in of_name if "test" in each["scores"]]
        if values:
            rows.append((f"{name}: {GOALS[name.split('-')[0]]}", f"mean of {len(values)}", "",
                         f"**{np.mean(values):.2f}**", "", ""))
    for seed, gain in pairs.items():
        rows.append(("wnut: CRF minus softmax", str(seed), "", f"{100 * gain['difference']:+.2f} "
                     f"[{100 * gain['low']:+.2f}, {100 * gain['high']:+.2f}], n = {gain['n']:,}", "", ""))
    return table(("", "seed", "dev, %", "test, %", "baseline on test, %", "CPU minutes"), rows)


def _told(score: dict[str, Any] | None) -> str:
    if score is None:
        return ""
    return f"{100 * score['value']:.2f} [{100 * score['low']:.2f}, {100 * score['high']:.2f}], n = {score['n']:,}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", choices=list(GOALS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--out", type=Path, default=Path("runs/tagging"), help="folder of the runs")
    parser.add_argument("--json", type=Path, help="also write the numbers there")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    found, pairs = [], {}
    for seed in asked.seeds:
        if "ewt" in asked.names:
            found.append(told("ewt", seed, *pos(seed, asked.out)))
        if "wnut" in asked.names:
            found += [told(f"wnut-{loss}", seed, *entities(loss, seed, asked.out)) for loss in LOSSES]
            pairs[seed] = pair(seed, asked.out)
    if asked.json:
        asked.json.write_text(json.dumps({"runs": found, "pairs": pairs}, indent=1) + "\n")
    print(render(found, pairs))


if __name__ == "__main__":
    main()
