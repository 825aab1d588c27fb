"""Figures of merit of autoencoders as functions of Rows, each with its interval over the examples."""

from __future__ import annotations

from math import inf, log

import numpy as np
from numpy.typing import NDArray

from orthogon.tasks.metrics import mean_metric
from orthogon.train.rows import Rows
from orthogon.train.task import Metric

LEAST = 1e-10
"""Mean squared error below which a picture counts as rebuilt exactly: 100 dB."""


def reconstruction_metrics(bernoulli: bool, pictures: bool, corrupted: bool, values: int) -> tuple[Metric, ...]:
    """What judges first: nats a picture of the Bernoulli loss (of variational networks −ELBO), else the squared error.

    values: of an example, which bits_per_value divides by. Every figure but rounded accuracy, PSNR and its gain is
    better when less. Sources: rounded accuracy row 12.14; PSNR −10 log₁₀ of the mean squared error of pixels in 0 … 1,
    averaged over pictures.
    """
    parts = (mean_metric("reconstruction", lambda rows: rows["reconstruction"], "nats" if bernoulli else "", False,
                         needs="kl"),
             mean_metric("kl", lambda rows: rows["kl"], "nats", False, needs="kl"))
    error = mean_metric("squared_error", lambda rows: rows["squared_error"], higher_is_better=False)
    if not pictures:
        return (error, *parts)
    of_pictures = (
        mean_metric("psnr", lambda rows: psnr(rows["squared_error"]), "dB", best=inf),
        mean_metric("rounded_accuracy", lambda rows: rows["rounded"], "rate"),
    )
    if corrupted:
        of_pictures = (mean_metric("psnr_gain", psnr_gain, "dB", best=inf), *of_pictures)
    if not bernoulli:
        return (error, *of_pictures, *parts)
    return (mean_metric("nats", nats, "nats", False), *parts,
            mean_metric("bits_per_value", lambda rows: nats(rows) / (values * log(2)), "bits", False),
            error, *of_pictures)


def nats(rows: Rows) -> NDArray[np.float64]:
    """What each example costs: its reconstruction, and of variational networks its divergence, whatever β was."""
    kl = rows.get("kl")
    found = np.asarray(rows["reconstruction"], dtype=np.float64)
    return found if kl is None else found + kl


def psnr(squared_error: NDArray) -> NDArray[np.float64]:
    """Peak signal-to-noise ratio of each picture in dB."""
    return -10 * np.log10(np.maximum(np.asarray(squared_error, dtype=np.float64), LEAST))


def psnr_gain(rows: Rows) -> NDArray[np.float64]:
    """By how much each rebuilt picture is nearer to the clean one than what the network was given."""
    return psnr(rows["squared_error"]) - psnr(rows["input_error"])
