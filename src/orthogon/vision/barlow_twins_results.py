"""What is measured of encodings learnt without labels: neighbors, measures of collapse, and pixels as the baseline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf

import numpy as np
import torch
from scipy.stats import t as student
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from orthogon.nn.collapse import effective_rank, spread
from orthogon.nn.neighbors import nearest_others
from orthogon.stats import Estimate
from orthogon.tasks.metrics import mean_estimate, mean_metric, undefined, weighted_mean
from orthogon.tasks.unlabelled import UNKNOWN, Unlabelled
from orthogon.train.rows import Rows
from orthogon.train.task import Baseline, Metric, Task

AMONG = 500
"""The nearest other example is looked for among about so many, so that parts of other sizes can be compared."""

MEASURED, BLOCKS = 2_000, 20
"""Encodings that collapse is measured on at most, and parts that are left out in turn for its interval."""

SIDE = 32
"""Pictures are averaged down to this side before their pixels are compared."""


def by_nearest(encodings: Tensor, codes: np.ndarray) -> dict[str, np.ndarray]:
    """"prediction": the label of the nearest other example that has one; and, where any is known, "score": whether it
    is the example's own, NaN where that has none.

    codes: int64 (n,), UNKNOWN where there is no label. The examples are dealt into equal parts of about `AMONG`, and
    each looks for its neighbor in its own.
    """
    prediction = np.full(len(codes), UNKNOWN, dtype=np.int64)
    known = np.flatnonzero(codes != UNKNOWN)
    parts = max(1, round(len(known) / AMONG))
    for part in (known[start::parts] for start in range(parts)):
        if len(part) > 1:
            prediction[part] = codes[part[nearest_others(encodings[part]).squeeze(1).numpy()]]
    if not len(known):
        return {"prediction": prediction}
    return {"prediction": prediction,
            "score": np.where(codes == UNKNOWN, np.nan, prediction == codes).astype(np.float32)}


def barlow_twins_metrics(labelled: bool) -> tuple[Metric, ...]:
    """That of the labels first, where there are any; the loss first otherwise."""
    nearest = Metric("nearest_accuracy", lambda rows: mean_estimate(*_known(rows), unit="rate"),
                     lambda rows: weighted_mean(*_known(rows)), needs="score", unit="rate")
    return (
        *([nearest] if labelled else []),
        mean_metric("loss", lambda rows: rows["loss"], higher_is_better=False, needs="view_agreement"),
        mean_metric("view_agreement", lambda rows: rows["view_agreement"], needs="view_agreement",
                    best=1.0),
        _of_encodings("effective_rank", effective_rank, best=inf),
        _of_encodings("spread", spread, best=1.0),
    )


def _known(rows: Rows) -> tuple[np.ndarray, Rows]:
    """The scores of the examples that have a label, and their rows."""
    labelled = rows.take(np.flatnonzero(~np.isnan(rows["score"])))
    return labelled["score"], labelled


def _of_encodings(name: str, measure: Callable[[Tensor], Tensor], best: float) -> Metric:
    def value(rows: Rows) -> float:
        return float(measure(torch.from_numpy(_some(rows)))) if len(rows) > 1 else float("nan")

    def estimate(rows: Rows) -> Estimate:
        return jackknife(measure, _some(rows))

    return Metric(name, estimate, value, needs="encoding", best=best)


def _some(rows: Rows) -> np.ndarray:
    """At most `MEASURED` encodings, from all over the rows."""
    return rows["encoding"][:: -(-len(rows) // MEASURED)]


def jackknife(measure: Callable[[Tensor], Tensor], encodings: np.ndarray) -> Estimate:
    """The measure of n×d encodings, with the interval of a jackknife that leaves a twentieth out at a time.

    Undefined for fewer than twice as many examples as parts.
    """
    n = len(encodings)
    if n < 2 * BLOCKS:
        return undefined(f"{n} examples are too few", n, unit="")
    whole, part = torch.from_numpy(encodings), torch.arange(n) % BLOCKS
    value = float(measure(whole))
    without = np.array([float(measure(whole[part != block])) for block in range(BLOCKS)])
    error = np.sqrt((BLOCKS - 1) * without.var())
    reach = float(student.ppf(0.975, BLOCKS - 1)) * error
    return Estimate(value, value - reach, value + reach, n, f"jackknife by {BLOCKS} parts")


class PixelNeighbors(Baseline):
    """The same neighbors by the cosine of the pictures themselves, averaged down to 32 pixels."""

    name = "pixels"
    line = "the nearest other picture by its pixels"

    def fit(self, task: Task, rows: np.ndarray) -> None:
        """There is nothing to fit."""

    def results(self, task: Task, rows: np.ndarray) -> Mapping[str, np.ndarray]:
        assert isinstance(task, Unlabelled)  # noqa: S101
        index = torch.as_tensor(rows, dtype=torch.int64, device=task.inputs.device)
        pixels = torch.cat([_small(task.inputs.gather(part)[0]) for part in index.split(4096)])
        return {**by_nearest(pixels.cpu(), task.targets(rows)), "loss": np.full(len(rows), np.nan, dtype=np.float32)}


def _small(pictures: Tensor) -> Tensor:
    height, width = pictures.shape[2:]
    return adaptive_avg_pool2d(pictures, (min(height, SIDE), min(width, SIDE))).flatten(1)
