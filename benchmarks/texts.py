"""Texts: the default network against TF-IDF with a linear SVM, on test; and search among 100,000 texts.

    python benchmarks/texts.py sentiment sms banking emotions search [--seeds 0] [--json FILE]

Each of the first four is `orthogon train` on a column of text with nothing chosen but the options below. The baseline
is fitted on the same train rows; the difference is paired on the test rows, positive where the network is better.
Banking77 and GoEmotions have their own test parts; of the others every fifth line is test. Defaults were chosen on a
fifth of the train rows of sentiment and Banking77, never on test. Each run looks at dev, and at test once.

search: TF-IDF beside scikit-learn's, and the ten nearest of 1,000 texts among 100,000 made up with Zipf's law, with the
memory that it took beside the texts.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from harness import each_seed, table
from problem import forget_peak_rss, peak_rss

import orthogon as og
from orthogon.data.dataset import Dataset

BASELINE = "tf-idf svm"
TEXTS, QUERIES, WORDS = 100_000, 1_000, 50_000


def sentiment(root: Path) -> Dataset:
    """Three files of 1,000 sentences each, told apart by no column."""
    import polars as pl

    frames = [pl.read_csv(path, separator="\t", has_header=False, new_columns=["text", "label"], quote_char=None)
              for path in sorted((root / "sentiment_sentences").glob("*_labelled.txt"))]
    return with_every_fifth_as_test(og.read(pl.concat(frames), target="label",
                                            types={"text": "text", "label": "category"}, name="sentiment"))


def sms(root: Path) -> Dataset:
    return with_every_fifth_as_test(og.read(root / "sms_spam" / "SMSSpamCollection.txt", header=False,
                                            columns=["label", "text"], target="label"))


def banking(root: Path) -> Dataset:
    return og.read(root / "banking77", target="category")


def emotions(root: Path) -> Dataset:
    return og.read(root / "goemotions", header=False, columns=["text", "labels", "id"], target="labels")


def with_every_fifth_as_test(data: Dataset) -> Dataset:
    part = np.where(np.arange(len(data)) % 5 == 0, "test", "")
    return replace(data, part=part, origin="")


SETS: dict[str, tuple[Callable[[Path], Dataset], dict[str, Any]]] = {
    "sentiment": (sentiment, {}), "sms": (sms, {}), "banking": (banking, {}),
    "emotions": (emotions, {"task.name": "multilabel", "task.metric": "macro_f1"}),
}


def measure(name: str, seed: int, threads: int) -> dict[str, Any]:
    load, chosen = SETS[name]
    with tempfile.TemporaryDirectory() as folder:
        data = load(Path(os.environ["ORTHOGON_DATA"]))
        options = {**chosen, "train.threads": threads, "train.seed": seed, "split.seed": seed}
        cpu = time.process_time()
        run = og.train(data, out=folder, quiet=True, options=options, test=True)
        spent = time.process_time() - cpu
        judged = chosen.get("task.metric", "error")
        figures = {model: run.evaluations()[file]["metrics"] for model, file in
                   (("network", "test"), (BASELINE, f"{BASELINE}.test"))}
        paired = next(each for each in run.result["comparisons"]
                      if each["baseline"] == BASELINE and each["split"] == "test")
        return {"name": name, "seed": seed, "metric": judged, "model": run.recipe().model.name,
                "network": figures["network"][judged], "baseline": figures[BASELINE][judged], "paired": paired,
                "f1": [figures[model].get("f1", {}).get("value") for model in ("network", BASELINE)],
                "verdict": run.result["verdict"], "cpu_minutes": spent / 60, "epochs": run.recipe().train.epochs}


def measure_search() -> dict[str, Any]:
    """CPU seconds of an index and of a search, and the megabytes that a search took at most beside the index."""
    import torch
    from sklearn.feature_extraction.text import TfidfVectorizer

    from orthogon.data.tokens import tokenizer
    from orthogon.text.search import TextSearch, cosine_top_k

    torch.set_num_threads(1)
    texts = made_up_texts()
    indexed, index = timed(lambda: TextSearch(texts, tokenizer("whitespace")))
    theirs, _ = timed(lambda: TfidfVectorizer(token_pattern=r"\S+").fit_transform(texts))  # noqa: S106 - no secret
    forget_peak_rss()
    before = peak_rss()
    searched, found = timed(lambda: cosine_top_k(index.rows[:QUERIES], index.rows, 10))
    more = (peak_rss() - before) / 1e6
    assert (found.rows[:, 0] == np.arange(QUERIES)).mean() > 0.9  # but for texts that occur twice
    return {"name": "search", "texts": TEXTS, "queries": QUERIES, "index_seconds": indexed,
            "scikit_learn_seconds": theirs, "search_seconds": searched, "search_megabytes": more}


def made_up_texts() -> list[str]:
    rng = np.random.default_rng(0)
    share = 1 / np.arange(1, WORDS + 1)
    words = np.array([f"w{k}" for k in range(WORDS)])
    lengths = rng.integers(4, 25, TEXTS)
    drawn = words[rng.choice(WORDS, lengths.sum(), p=share / share.sum())]
    return [" ".join(each) for each in np.split(drawn, lengths.cumsum()[:-1])]


def told(share: dict[str, Any]) -> str:
    return f"{100 * share['value']:.1f} [{100 * share['low']:.1f}, {100 * share['high']:.1f}]"


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.process_time()
    done = work()
    return time.process_time() - began, done


def render(found: list[dict[str, Any]]) -> str:
    rows = []
    for each in found:
        if each["name"] == "search":
            continue
        gain, scale = each["paired"], 100
        sign = np.sign(gain["advantage"] * gain["difference"]) or 1
        low, high = sorted(sign * scale * gain[key] for key in ("low", "high"))
        rows.append((each["name"], each["metric"].replace("_", " "), told(each["network"]), told(each["baseline"]),
                     f"{scale * gain['advantage']:+.1f} [{low:+.1f}, {high:+.1f}], n = {gain['n']:,}",
                     f"{each['cpu_minutes']:.1f}"))
    heads = ("", "measure, %", "network", BASELINE, "network better by, 95 %", "CPU minutes")
    text = table(heads, rows) if rows else ""
    for each in (each for each in found if each["name"] == "search"):
        text += (f"\n\nTF-IDF of {each['texts']:,} texts: {each['index_seconds']:.1f} CPU seconds (scikit-learn "
                 f"{each['scikit_learn_seconds']:.1f}). The ten nearest of {each['queries']:,}: "
                 f"{each['search_seconds']:.1f} CPU seconds, {each['search_megabytes']:.0f} MB more at most.")
    return text


if __name__ == "__main__":
    each_seed(__doc__, [*SETS, "search"], lambda name, seed, threads: (
        measure_search() if name == "search" else measure(name, seed, threads)), render)
