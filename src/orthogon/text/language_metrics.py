"""Figures of merit of language models as functions of Rows, each with its interval over the rows."""

from __future__ import annotations

from math import log

import numpy as np

from orthogon.tasks.metrics import mean_metric, sum_metric
from orthogon.train.rows import Rows
from orthogon.train.task import Metric


def language_metrics() -> tuple[Metric, ...]:
    """Nats a token first; rows weigh as many tokens as they have. Perplexity is e to that; bits per character are those
    of all tokens over all characters, the end of a sequence being one. Unknown: the share of tokens that are."""
    return (
        mean_metric("nats", lambda rows: rows["loss"], "nats", False),
        sum_metric("perplexity", lambda rows: _nats(rows, rows["weight"]), lambda sums: np.exp(sums[:, 0] / sums[:, 1]),
                   higher_is_better=False),
        sum_metric("bits_per_character", lambda rows: _nats(rows, rows["characters"] * rows["weight"] / rows["tokens"]),
                   lambda sums: sums[:, 0] / sums[:, 1] / log(2), "bits", higher_is_better=False),
        mean_metric("unknown", lambda rows: rows["unknown"], higher_is_better=False),
    )


def _nats(rows: Rows, over: np.ndarray) -> np.ndarray:
    """Of each row: nats of its tokens, as often as the example counts, and what they are shared out over."""
    return np.stack([np.asarray(rows["loss"], float) * rows["weight"], np.asarray(over, float)], axis=1)
