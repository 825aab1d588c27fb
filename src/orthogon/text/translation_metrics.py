"""Figures of merit of translations as functions of Rows: BLEU, chrF, exact match, perplexity, texts without an end.

Weights of examples count in all of them where Rows has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from orthogon.stats import Estimate, bootstrap_moments
from orthogon.tasks.metrics import mean_metric
from orthogon.text.bleu import Bleu, ChrF, estimate
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
        Metric("perplexity", _perplexity, _perplexity_value, higher_is_better=False, needs="tokens"),
        mean_metric("unfinished", lambda rows: 1 - rows["finished"], "rate", higher_is_better=False, needs="finished"),
    )


def _of_sums(name: str, score: Bleu | ChrF, column: str) -> Metric:
    """A score of the whole corpus, with its signature."""
    def found(rows: Rows) -> Estimate:
        of = estimate(score, _counts(rows, column), rows.group)
        return replace(of, method=f"{of.method}; {score.signature()}")

    return Metric(name, found, lambda rows: float(score.value(_counts(rows, column).sum(axis=0))),
                  needs=column, best=100.0)


def _counts(rows: Rows, column: str) -> NDArray[np.float64]:
    """What each sentence adds to the sums, as often as it counts."""
    counts, weight = np.asarray(rows[column], dtype=np.float64), rows.get("weight")
    return counts if weight is None else counts * weight[:, None]


def _perplexity(rows: Rows) -> Estimate:
    """exp of the mean loss of a token, of all tokens alike, by the weights of their sentences."""
    return bootstrap_moments(_losses(rows), _of_means, weights=rows.get("weight"), groups=rows.group)


def _perplexity_value(rows: Rows) -> float:
    return float(_of_means(np.average(_losses(rows), axis=0, weights=rows.get("weight"))[None])[0])


def _losses(rows: Rows) -> NDArray[np.float64]:
    tokens = np.asarray(rows["tokens"], dtype=np.float64)
    return np.stack([rows["loss"] * tokens, tokens], axis=1)


def _of_means(means: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.exp(means[:, 0] / means[:, 1])
