"""Rows of two models on the same examples: told where the same ids are something else."""

from __future__ import annotations

import numpy as np
import pytest

from orthogon.errors import DataError
from orthogon.strategy.paired import aligned, compare_rows
from orthogon.text.bleu import Bleu, difference
from orthogon.text.entities import entity_metrics
from orthogon.text.translation_metrics import sentence_counts, translation_metrics
from orthogon.train.rows import Rows


def texts(ids: str, characters: list[int]) -> Rows:
    nats = np.arange(len(characters), dtype=float)
    return Rows("dev", np.array(list(ids)), {"target": np.zeros(len(characters), dtype=np.int64), "prediction": nats,
                                             "loss": nats, "characters": np.array(characters)})


def test_texts_are_taken_in_one_order_and_other_texts_of_the_same_ids_refused():
    first, second = aligned(texts("abc", [5, 6, 7]), texts("cb", [7, 6]))
    assert first.ids.tolist() == second.ids.tolist() == ["b", "c"]
    with pytest.raises(DataError, match="the same ids are other texts"):
        aligned(texts("abc", [5, 6, 7]), texts("cb", [7, 9]))


def translated(truth: list[str], changed: float, seed: int) -> Rows:
    """Sentences in which so many words are others; none is right as a whole."""
    draw = np.random.default_rng(seed)
    written = [" ".join(["wrong", *(word if draw.random() > changed else "other" for word in line.split()[1:])])
               for line in truth]
    n = len(truth)
    return Rows("dev", np.arange(n).astype(str), {
        "target": np.array(truth), "prediction": np.array(written), "score": np.zeros(n), "loss": np.full(n, changed),
        "tokens": np.full(n, 12.0), **sentence_counts(written, truth)})


def test_what_is_a_figure_of_sums_is_compared_by_these_and_no_example_is_counted(monkeypatch):
    """As `text.bleu.difference` has it, and without ever drawing the texts."""
    draw = np.random.default_rng(0)
    truth = [" ".join(draw.choice(list("abcdefghijklmn"), 12)) for _ in range(300)]
    first, second = translated(truth, 0.30, 1), translated(truth, 0.26, 2)
    monkeypatch.setattr(Rows, "take", lambda *_: pytest.fail("rows are drawn"))
    bleu = translation_metrics(exact_first=False)[0]
    found = compare_rows(first, second, bleu)
    expected = difference(Bleu(), first["bleu_counts"], second["bleu_counts"])
    paired = found.paired
    assert (paired.difference, paired.low, paired.high, paired.unit) == pytest.approx(
        (expected.value, expected.low, expected.high, "BLEU"))
    assert paired.difference == pytest.approx(bleu.value(second) - bleu.value(first))
    assert (paired.put_right, paired.broken) == (None, None)
    assert paired.verdict == "better"
    assert paired.p_value < 0.05
    perplexity = next(metric for metric in translation_metrics(False) if metric.name == "perplexity")
    assert compare_rows(first, second, perplexity).difference == pytest.approx(np.exp(0.26) - np.exp(0.30))


def test_f1_of_entities_is_compared_over_whole_groups():
    draw = np.random.default_rng(0)
    gold, right = draw.integers(0, 4, (200, 1)), draw.random(200)

    def of(level: float) -> Rows:
        return Rows("dev", np.arange(200).astype(str), {
            "target": np.zeros(200), "prediction": np.zeros(200), "loss": np.zeros(200), "gold": gold, "guessed": gold,
            "correct": gold * (right < level)[:, None]}, group=np.arange(200) // 4)

    f1 = entity_metrics(["PER"])[0]
    paired = compare_rows(of(0.5), of(0.7), f1).paired
    assert paired.difference == pytest.approx(f1.value(of(0.7)) - f1.value(of(0.5)))
    assert (paired.n, paired.verdict, paired.unit) == (50, "better", "rate")
    assert paired.low < paired.difference < paired.high
    assert compare_rows(of(0.5), of(0.5), f1).paired.verdict == "tied"
