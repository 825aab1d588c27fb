"""The loss of each example by its distances from a sample of others, in the unit of the loss that was learnt by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

Floats = NDArray[np.floating]


def losses(name: str, own: Floats, other: Floats, margin: float, mining: str, squared: bool) -> Floats:
    """(n,): the mean loss of n examples with these distances from others of their identity (n, s) and from others of
    other identities (n, d), NaN where there is none; NaN for an example without both.

    The formulas are those of `orthogon.nn.metric_losses`, over these pairs alone: of prototypes each of the own ones in
    turn is the support beside one example of each other identity, so that the number depends on how many these are.
    """
    own, other = own.astype(float), other.astype(float)
    with np.errstate(invalid="ignore"):  # NaN stays NaN
        if name == "prototypes":
            against = np.asarray(logsumexp(np.where(np.isnan(other), -np.inf, -(other**2)), axis=1, keepdims=True))
            found = _mean(np.logaddexp(-(own**2), against) + own**2)
        elif name == "triplet":
            found = _triplets(own**2 if squared else own, other**2 if squared else other, margin, mining)
        elif name == "contrastive":
            found = (_mean(own**2) + _mean(np.maximum(margin - other, 0) ** 2)) / 4
        else:  # distances are minus the logits
            found = (_mean(np.logaddexp(0, own)) + _mean(np.logaddexp(0, -other))) / 2
    lacking = np.isnan(own).all(axis=1) | np.isnan(other).all(axis=1)
    return np.where(lacking, np.nan, found).astype(np.float32)


def _mean(values: Floats) -> Floats:
    """Over the second axis, of those that are there; NaN where none is."""
    there = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(there, values, 0).sum(axis=1) / there.sum(axis=1)


def _triplets(own: Floats, other: Floats, margin: float, mining: str) -> Floats:
    """The mean over those that mining takes; 0 where it takes none."""
    near, far = own[:, :, None], other[:, None, :]
    known = ~(np.isnan(near) | np.isnan(far))
    if mining == "semi-hard":
        taken = known & (far > near) & (far < near + margin)
    elif mining == "hard":
        taken = known & (far == np.where(known, far, np.inf).min(axis=2, keepdims=True))
    else:
        taken = known
    hinge = np.where(taken, np.maximum(near - far + margin, 0), 0)
    return hinge.sum((1, 2)) / np.maximum(taken.sum((1, 2)), 1)
