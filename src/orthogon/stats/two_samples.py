"""Whether two sets of vectors come from one distribution: how far apart they are, and what tells them apart.

Both sets have n vectors, the first "real", the second "made". Each function gives a value for each place 0 … n − 1,
so that what is told of them has an interval, and two makers can be compared in pairs on the same real ones.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

NEIGHBORS = 5
"""How many neighbors span the ball about a vector; two sets of one distribution then cover each other to 97 %."""


class Distances(NamedTuple):
    """Euclidean distances n×n: among the real ones, among those that were made, and from real (rows) to made."""

    real: Floats
    made: Floats
    across: Floats


def distances(first: ArrayLike, second: ArrayLike) -> Floats:
    """Euclidean distances (n, m) of vectors (n, d) to vectors (m, d), by one product of matrices."""
    a, b = (np.asarray(each, dtype=np.float64) for each in (first, second))
    squared = np.square(a).sum(1)[:, None] + np.square(b).sum(1) - 2 * (a @ b.T)
    return np.sqrt(np.maximum(squared, 0.0))


def all_distances(real: ArrayLike, made: ArrayLike) -> Distances:
    """The three tables of two sets of equally many vectors (n, d). ValueError for other shapes."""
    a, b = np.asarray(real, np.float64), np.asarray(made, np.float64)
    if a.ndim != 2 or a.shape != b.shape:
        raise ValueError(f"two tables of one shape (n, d) are compared; got {a.shape} and {b.shape}: take as many of "
                         "one as of the other")
    center = a.mean(axis=0)  # products of numbers near 0 lose less
    a, b = a - center, b - center
    found = Distances(distances(a, a), distances(b, b), distances(a, b))
    for table in (found.real, found.made):
        np.fill_diagonal(table, 0.0)  # which rounding has made a little more
    return found


def energy_values(found: Distances) -> Floats:
    """(n,): jackknife pseudo-values of the energy distance 2 E|X − Y| − E|X − X'| − E|Y − Y'|, 0 for one distribution.

    Their mean is the unbiased estimate, which may fall below 0 by chance; their scatter is that of the estimate, so
    that the interval of their mean is the estimate's. The distance is a maximum mean discrepancy with the kernel
    −|x − y|, which has no width to choose. ValueError for fewer than 3 pairs.
    Sources: Székely & Rizzo (2013), Journal of Statistical Planning and Inference 143; Sejdinovic et al. (2013),
    arXiv:1207.6076; pseudo-values of a U-statistic: Arvesen (1969), Annals of Mathematical Statistics 40.
    """
    n = len(found.real)
    if n < 3:
        raise ValueError(f"an energy distance takes 3 pairs at least; got {n}")
    between = found.across + found.across.T - found.real - found.made
    np.fill_diagonal(between, 0.0)
    each = between.sum(axis=1) / (n - 1)
    return (2 * (n - 1) * each - n * each.mean()) / (n - 2)


def told_apart(found: Distances) -> Floats:
    """(n,): 0, ½ or 1: how many of the two of a pair lie nearest to one of their own kind (leave-one-out 1-NN test).

    A mean of ½: nothing tells the sets apart. 1: everything does. Below ½: what was made lies closer to the real ones
    than these do to each other, as copies of them would.
    Source: Lopez-Paz & Oquab (2017), arXiv:1610.06545; Xu et al. (2018), arXiv:1806.07755.
    """
    of_real = _nearest_other(found.real, 1) < found.across.min(axis=1)
    of_made = _nearest_other(found.made, 1) < found.across.min(axis=0)
    return (of_real.astype(np.float64) + of_made) / 2


def covered(found: Distances, neighbors: int = NEIGHBORS) -> Flags:
    """(n,): whether any made one lies in the ball about the real one that its nearest `neighbors` real ones span.

    The mean is the coverage; of two sets of one distribution it is about 1 − 2^−neighbors. Small where modes are
    missing. Source: Naeem et al. (2020), arXiv:2002.09797.
    """
    return np.any(found.across <= _nearest_other(found.real, neighbors)[:, None], axis=1)


def density(found: Distances, neighbors: int = NEIGHBORS) -> Floats:
    """(n,): in how many balls about real ones each made one lies, over `neighbors`; on average 1 for one distribution.

    Small where what is made looks like nothing real. Source: Naeem et al. (2020), arXiv:2002.09797.
    """
    return (found.across <= _nearest_other(found.real, neighbors)[:, None]).sum(axis=0) / neighbors


def spread(found: Distances) -> Floats:
    """(n,): the mean distance of each made one to the others, over the mean distance among real ones; 0: all alike."""
    n = len(found.real)
    return found.made.sum(axis=1) / (n - 1) / max(found.real.sum() / (n * (n - 1)), 1e-300)


def _nearest_other(table: Floats, neighbors: int) -> Floats:
    """The distance of each vector to the k-th nearest other one of its set (to the farthest where there are fewer)."""
    apart = table.copy()
    np.fill_diagonal(apart, np.inf)
    k = min(neighbors, len(table) - 1)
    return np.partition(apart, k - 1, axis=1)[:, k - 1]
