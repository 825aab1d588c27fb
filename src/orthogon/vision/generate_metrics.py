"""Figures of merit of pictures that were made, as functions of Rows."""

from __future__ import annotations

from math import inf

import numpy as np

from orthogon.tasks.metrics import mean_metric
from orthogon.train.task import Metric


def generation_metrics() -> tuple[Metric, ...]:
    """The energy distance first, which judges; then what it may come from. See `Generate` for what rows hold."""
    return (
        mean_metric("energy_distance", lambda rows: rows["energy"].astype(np.float64), "", False, "energy"),
        mean_metric("told_apart", lambda rows: rows["told"], "rate", False, "told"),
        mean_metric("coverage", lambda rows: rows["covered"], "rate", True, "covered"),
        mean_metric("density", lambda rows: rows["dense"].astype(np.float64), "", True, "dense", best=inf),
        mean_metric("spread", lambda rows: rows["spread"].astype(np.float64), "", True, "spread", best=inf),
        mean_metric("copied", lambda rows: rows["copied"], "rate", False, "copied"),
    )
