"""Figures of merit of language models as functions of Rows, each with its interval over the rows."""

from __future__ import annotations

from math import log

import numpy as np

from orthogon.stats.bootstrap import bootstrap_moments
from orthogon.stats.estimate import Estimate
from orthogon.tasks.metrics import mean_metric
from orthogon.train.rows import Rows
from orthogon.train.task import Metric


def language_metrics() -> tuple[Metric, ...]:
    """Nats a token first; rows weigh as many tokens as they have. Perplexity is e to that; bits per character are those
    of all tokens over all characters, the end of a sequence being one. Unknown: the share of tokens that are."""
    return (
        mean_metric("nats", lambda rows: rows["loss"], "nats", False),
        Metric("perplexity", _perplexity, lambda rows: float(np.exp(_mean(rows))), higher_is_better=False),
        Metric("bits_per_character", _bits, lambda rows: float(_ratio(_sums(rows).mean(axis=0)[None])[0]),
               higher_is_better=False, unit="bits"),
        mean_metric("unknown", lambda rows: rows["unknown"], higher_is_better=False),
    )


def _mean(rows: Rows) -> float:
    return float(np.average(np.asarray(rows["loss"], float), weights=rows["weight"]))


def _perplexity(rows: Rows) -> Estimate:
    return bootstrap_moments(rows["loss"], lambda means: np.exp(means[:, 0]), weights=rows["weight"],
                             groups=rows.group)


def _sums(rows: Rows) -> np.ndarray:
    """Of each row: nats of its tokens, and characters, as often as the example counts."""
    nats = np.asarray(rows["loss"], float) * rows["weight"]
    return np.stack([nats, np.asarray(rows["characters"], float) * rows["weight"] / rows["tokens"]], axis=1)


def _ratio(means: np.ndarray) -> np.ndarray:
    return means[:, 0] / means[:, 1] / log(2)


def _bits(rows: Rows) -> Estimate:
    return bootstrap_moments(_sums(rows), _ratio, groups=rows.group, unit="bits")
