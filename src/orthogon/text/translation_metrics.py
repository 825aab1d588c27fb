"""Figures of merit of translations as functions of Rows: BLEU, chrF, exact match, perplexity, texts without an end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from orthogon.stats import Estimate
from orthogon.tasks.metrics import mean_metric, sum_metric
from orthogon.text.bleu import Bleu, ChrF
from orthogon.train.rows import Rows
from orthogon.train.task import Metric

BLEU, CHRF = "bleu_counts", "chrf_counts"
"""Columns of rows: what each sentence adds to the sums that the scores are of."""


def sentence_counts(written: Sequence[str], truth: Sequence[str]) -> dict[str, np.ndarray]:
    """The columns of `BLEU` and `CHRF` for texts and their references."""
    references = [[text] for text in truth]
    return {name: score.statistics(written, references).astype(np.float32)
            for name, score in ((BLEU, Bleu()), (CHRF, ChrF()))}


def translation_metrics(exact_first: bool) -> tuple[Metric, ...]:
    """BLEU first, or, where answers are right or wrong, exact match."""
    exact = mean_metric("exact_match", lambda rows: rows["score"], "rate")
    first = (exact, _of_sums("bleu", Bleu(), BLEU)) if exact_first else (_of_sums("bleu", Bleu(), BLEU), exact)
    return (
        *first, _of_sums("chrf", ChrF(), CHRF),
        sum_metric("perplexity", _losses, lambda sums: np.exp(sums[:, 0] / sums[:, 1]), higher_is_better=False,
                   needs="tokens"),
        mean_metric("unfinished", lambda rows: 1 - rows["finished"], "rate", higher_is_better=False, needs="finished"),
    )


def _of_sums(name: str, score: Bleu | ChrF, column: str) -> Metric:
    """A score of the whole corpus, with its signature."""
    metric = sum_metric(name, lambda rows: np.asarray(rows[column], dtype=np.float64), score.value, score.unit,
                        needs=column, best=100.0)

    def signed(rows: Rows) -> Estimate:
        of = metric.estimate(rows)
        return replace(of, method=f"{of.method}; {score.signature()}")

    return replace(metric, estimate=signed)


def _losses(rows: Rows) -> NDArray[np.float64]:
    """Of each example the loss of its tokens and their number: perplexity is of all tokens alike."""
    tokens = np.asarray(rows["tokens"], dtype=np.float64)
    return np.stack([rows["loss"] * tokens, tokens], axis=1)
