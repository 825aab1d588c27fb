"""Figures of merit of translations as functions of Rows: BLEU, chrF, exact match, perplexity, texts without an end.

Weights of examples count in all of them where Rows has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

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


def translation_metrics(exact_first: bool, lowercase: bool = False) -> tuple[Metric, ...]:
    """BLEU first, or, where answers are right or wrong, exact match. lowercase: whether all texts are in lower case,
    which the signatures then say."""
    exact = mean_metric("exact_match", lambda rows: rows["score"], "rate")
    bleu = _of_sums("bleu", Bleu(lowercase=lowercase), BLEU)
    return (
        *((exact, bleu) if exact_first else (bleu, exact)), _of_sums("chrf", ChrF(lowercase), CHRF),
        sum_metric("perplexity", _losses, lambda sums: np.exp(sums[:, 0] / sums[:, 1]), higher_is_better=False,
                   needs="tokens"),
        mean_metric("unfinished", lambda rows: 1 - rows["finished"], "rate", higher_is_better=False, needs="finished"),
    )


def _of_sums(name: str, score: Bleu | ChrF, column: str) -> Metric:
    """A score of the whole corpus, with its signature."""
    metric = sum_metric(name, lambda rows: _weighted(rows, rows[column]), score.value, score.unit, needs=column,
                        best=100.0)

    def signed(rows: Rows) -> Estimate:
        of = metric.estimate(rows)
        return replace(of, method=f"{of.method}; {score.signature()}")

    return replace(metric, estimate=signed)


def _weighted(rows: Rows, columns: ArrayLike) -> NDArray[np.float64]:
    """What each sentence adds to the sums, n×K, as often as it counts."""
    added, weight = np.asarray(columns, dtype=np.float64), rows.get("weight")
    return added if weight is None else added * weight[:, None]


def _losses(rows: Rows) -> NDArray[np.float64]:
    """The loss of a sentence in nats, and its tokens."""
    tokens = np.asarray(rows["tokens"], dtype=np.float64)
    return _weighted(rows, np.stack([rows["loss"] * tokens, tokens], axis=1))
