"""English to French on Tatoeba: BLEU with and without attention, by the length of the source (rows 28.14, 28.17).

    python benchmarks/translation.py train dot --out DIR [--epochs 6] [--threads 1] [--most-words 10]
    python benchmarks/translation.py train none --out DIR
    python benchmarks/translation.py compare dot none --out DIR

Both networks have the same sizes but for the attention, and learn from the same pairs in the same order for as many
epochs. Nothing is chosen by the test part: sentences of which no pair is learnt from, translated once. Sources of at
most 10 words are taken (94 % of all pairs). `compare` writes a table with the paired interval, over source sentences,
and the picture of BLEU by length: translation.svg.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from harness import table
from safetensors.torch import save_model

import orthogon as og
from orthogon.data.dataset import Dataset
from orthogon.data.split import split
from orthogon.draw.curves import curves
from orthogon.stats import Estimate
from orthogon.text.bleu import Bleu, difference, estimate
from orthogon.text.translate import Translate
from orthogon.train.build import build_task
from orthogon.train.evaluate import evaluate, metrics_document
from orthogon.train.fit import attach, fit, plan
from orthogon.train.observers import Observer, StepEvent
from orthogon.train.recipe import Recipe
from orthogon.train.rows import Rows

SETTINGS = {
    "task.name": "translate", "task.beam": 5, "data.target": "french", "data.vocabulary": 4000,
    "model.name": "encoder_decoder", "train.batch_size": 128, "train.lr": 3e-3, "train.precision": "bf16",
}
NAMES = {"bahdanau": "attention of Bahdanau", "dot": "attention by products", "none": "without attention"}
FEWEST = 200
"""Test sentences of a bucket of lengths; shorter buckets join the next one."""


def data_of(most_words: int) -> Dataset:
    data = og.read("tatoeba-en-fr")
    english = data.columns["english"]
    short = [row for row in range(len(data)) if len(english.cell(row).split()) <= most_words]
    return Translate.grouped(data.take(np.array(short)))


class Lines(Observer):
    """What was learnt, as lines."""

    def on_step(self, event: StepEvent) -> None:
        if event.step % 400 == 0:
            print(json.dumps({"step": event.step, "loss": round(event.loss, 3)}), flush=True)

    def on_epoch(self, event: dict[str, Any]) -> None:
        print(json.dumps(event), flush=True)


def train(attention: str, asked: argparse.Namespace) -> None:
    """Train one network, translate the test part, and leave weights, rows and figures in the folder."""
    options = {"attention": attention, "dropout": asked.dropout}
    recipe = Recipe().with_values({**SETTINGS, "train.epochs": asked.epochs, "train.threads": asked.threads,
                                   "model.options": options}, where="benchmark")
    data = data_of(asked.most_words)
    passport = split(data, dev=1000, test=asked.test)
    rows, dev, test = (passport.rows(name) for name in ("train", "dev", "test"))
    task = build_task(recipe)
    task.fit(data, rows)
    attach(task, data, recipe)
    chosen = plan(recipe, task, rows)
    about = {"attention": attention, "parameters": chosen.parameters, "pairs": len(rows), "test": len(test),
             "most_words": asked.most_words, "epochs": asked.epochs, "steps": chosen.recipe.train.steps}
    print(json.dumps(about), flush=True)
    began, cpu = time.monotonic(), time.process_time()
    fitted = fit(chosen, task, data, rows, dev, observers=[Lines()])
    about |= {"minutes": (time.monotonic() - began) / 60, "cpu_minutes": (time.process_time() - cpu) / 60}
    save_model(fitted.model, str(asked.out / f"{attention}.safetensors"))
    (asked.out / f"{attention}.task.json").write_text(json.dumps(task.state()))
    cpu = time.process_time()
    found = evaluate(task, fitted.model, data, test, "test", fitted.compute)
    found.write(asked.out / f"{attention}.parquet")
    about |= {"translating_cpu_seconds": time.process_time() - cpu, "metrics": metrics_document(task, found)}
    (asked.out / f"{attention}.json").write_text(json.dumps(about, indent=1) + "\n")
    print(json.dumps(about), flush=True)


def compare(asked: argparse.Namespace) -> None:
    """The table of two trained networks, the first against the second, and BLEU of both by length."""
    if len(asked.attention) != 2:
        raise SystemExit("compare takes two networks: compare dot none")
    first, second = (NAMES[name] for name in asked.attention)
    abouts = [json.loads((asked.out / f"{name}.json").read_text()) for name in asked.attention]
    both = [Rows.read(asked.out / f"{name}.parquet") for name in asked.attention]
    score, counts = Bleu(), [counts_of(rows) for rows in both]
    groups, words = both[0].group, np.asarray(both[0]["source_words"])
    lines = [(NAMES[name], f"{about['parameters']:,}", f"{about['cpu_minutes']:.1f}", told(estimate(score, of, groups)),
              told(share(rows), 100))
             for name, about, of, rows in zip(asked.attention, abouts, counts, both)]
    print(table(("", "parameters", "CPU minutes", "BLEU", "exactly right, %"), lines))
    print(f"\n{first} over {second}: {told(difference(score, counts[1], counts[0], groups))} BLEU, paired over "
          f"{len(np.unique(np.asarray(groups))):,} source sentences; {score.signature()}; "
          f"{abouts[0]['pairs']:,} pairs, {abouts[0]['epochs']} epochs, beam {SETTINGS['task.beam']}\n")
    series, gaps = {NAMES[name]: ([], [], [], []) for name in asked.attention}, []
    for low, high in buckets(words):
        inside = (words >= low) & (words <= high)
        of = None if groups is None else groups[inside]
        found = [estimate(score, each[inside], of) for each in counts]
        gap = difference(score, counts[1][inside], counts[0][inside], of)
        name = f"{low}" if low == high else f"{low} to {high}"
        gaps.append((name, f"{inside.sum():,}", *(told(each) for each in found), told(gap)))
        for (x, y, lower, upper), each in zip(series.values(), found):
            x.append(float(words[inside].mean()))
            y.append(each.value)
            lower.append(each.low)
            upper.append(each.high)
    print(table(("words", "pairs", *(NAMES[name] for name in asked.attention), "difference"), gaps))
    svg = curves({name: tuple(each) for name, each in series.items()}, title="BLEU by length of the source",
                 x_label="words of the source", y_label="BLEU")
    (asked.out / "translation.svg").write_text(svg)


def counts_of(rows: Rows) -> np.ndarray:
    return Bleu().statistics(rows["prediction"].tolist(), [[text] for text in rows["target"].tolist()])


def share(rows: Rows) -> Estimate:
    from orthogon.stats import rate

    return rate(rows["score"], groups=rows.group)


def buckets(words: np.ndarray) -> list[tuple[int, int]]:
    """Lengths from the shortest, so many together that each bucket holds enough sentences."""
    found, low = [], int(words.min())
    for high in range(low, int(words.max()) + 1):
        rest = (words > high).sum()
        if ((words >= low) & (words <= high)).sum() >= FEWEST and (rest >= FEWEST or rest == 0):
            found.append((low, high))
            low = high + 1
    return found or [(low, int(words.max()))]


def told(found: Estimate, factor: float = 1.0) -> str:
    return f"{factor * found.value:.1f} [{factor * found.low:.1f}, {factor * found.high:.1f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("train", "compare"))
    parser.add_argument("attention", nargs="+", choices=tuple(NAMES))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--most-words", type=int, default=10)
    parser.add_argument("--test", type=int, default=4000, help="pairs of the test part, about (4,000)")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    if asked.what == "compare":
        compare(asked)
        return
    for attention in asked.attention:
        train(attention, asked)


if __name__ == "__main__":
    main()
