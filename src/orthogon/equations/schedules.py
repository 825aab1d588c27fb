"""The learning rate α, and the batch size, as functions of the epoch or the step; α₀ is the rate to start from.

Epochs and steps count from 0, except where a function says otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable


def batches_per_epoch(examples: int, batch_size: int) -> int:
    """Updates in one pass over all examples; the last batch is what is left.

        ⌈m / B⌉

    1050 examples in batches of 100: 11 updates, the last on 50. Rows 1.24, 6.05, 6.07, 34.07, 34.08.
    """
    return -(-examples // batch_size)


def inverse_time(epoch: int, initial: float, decay_rate: float = 1.0) -> float:
    """Divided by a number that grows with the epochs.

        α = α₀ / (1 + decay_rate · epoch)

    Row 8.01, E29.
    """
    return initial / (1.0 + decay_rate * epoch)


def exponential(epoch: int, initial: float, base: float = 0.95) -> float:
    """Times the same factor at each epoch.

        α = 0.95^epoch · α₀

    Row 8.02, E15.
    """
    return base**epoch * initial


def inverse_square_root(epoch: int, initial: float, k: float = 1.0) -> float:
    """Divided by the root of the epoch, which counts from 1 here.

        α = k / √epoch · α₀

    ValueError for epoch 0. Row 8.03, E16.
    """
    if epoch < 1:
        raise ValueError(f"epoch is {epoch}, expected 1 or more: this schedule counts epochs from 1")
    return k / math.sqrt(epoch) * initial


def staircase(epoch: int, initial: float, factor: float = 0.1, every: int = 10) -> float:
    """Drops by a factor every so many epochs.

        α = factor^⌊epoch / every⌋ · α₀

    Row 8.04.
    """
    return factor ** (epoch // every) * initial


def plateau(scores: Iterable[float], initial: float, factor: float = 0.1, patience: int = 10) -> float:
    """Drops by a factor when the score has not improved for so many looks.

        α := factor · α, after `patience` scores in a row that do not beat the best one

    scores: all dev scores so far, higher is better; the waiting starts anew after each drop. Row 8.06.
    """
    best, waited, rate = -math.inf, 0, initial
    for score in scores:
        best, waited = (score, 0) if score > best else (best, waited + 1)
        if waited >= patience:
            rate, waited = factor * rate, 0
    return rate


def linear_to_zero(step: int, initial: float, steps: int) -> float:
    """A straight line to 0.

        α = (1 − step / steps) · α₀
    """
    return (1.0 - step / steps) * initial


def cosine(step: int, initial: float, steps: int) -> float:
    """Half a cosine wave to 0.

        α = ½ (1 + cos(π step / steps)) · α₀

    Loshchilov & Hutter 2017, arXiv:1608.03983, without restarts.
    """
    return 0.5 * (1.0 + math.cos(math.pi * step / steps)) * initial


def warm_up(step: int, initial: float, steps: int) -> float:
    """A straight line up from 0, then constant.

        α = min(1, (step + 1) / steps) · α₀
    """
    return min(1.0, (step + 1) / steps) * initial


def one_cycle(step: int, initial: float, steps: int, rise: float = 0.25) -> float:
    """Up along a line for the first share of the steps, then down to 0 along half a cosine.

        α = warm_up(step) for step < rise · steps, then cosine over the rest

    initial: the largest rate, at the end of the rise. After Smith 2018, arXiv:1803.09820.
    """
    peak = round(rise * steps)
    return warm_up(step, initial, peak) if step < peak else cosine(step - peak, initial, steps - peak)


def growing_batch(epoch: int, initial: int, factor: int = 10, every: int = 10, largest: int = 65536) -> int:
    """The batch grows where `staircase` would let the rate fall: the noise of the gradient, ~ α/B, falls alike.

        B = min(largest, factor^⌊epoch / every⌋ · B₀)

    factor: one over the factor of the rate. Row 6.11; Smith et al. 2018, arXiv:1711.00489.
    """
    return min(largest, factor ** (epoch // every) * initial)
