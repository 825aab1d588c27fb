"""Which rows go to which set: in proportion to the classes, whole groups at a time, or by time."""

from __future__ import annotations

import numpy as np

from orthogon.data.columns import CategoryColumn, Column, LabelsColumn, NumberColumn
from orthogon.data.masks import MaskColumn
from orthogon.data.target_columns import ObjectColumn
from orthogon.errors import DataError

BINS = 10  # of a number to be predicted: few enough that each still holds ten examples of a hundred


def strata(target: Column | None) -> np.ndarray | None:
    """int (n,): the stratum of each row; None where the target has none to offer.

    A category: its class (missing values are a class of their own). A number: its decile, or fewer and larger
    bins under a hundred examples. Several labels: the rarest that the row carries, since rare ones are the
    first to be absent from a set; so of the classes of a mask. An object: its class, or that there is none.
    """
    if isinstance(target, CategoryColumn):
        return target.codes.astype(np.int64) + 1
    if isinstance(target, ObjectColumn):
        classes = 1 if target.labels is None else target.labels.codes.astype(np.int64) + 1
        return np.where(target.present, classes, 0)
    if isinstance(target, NumberColumn) and target.width == 1:
        return _quantile_bins(target.values.reshape(-1))
    if isinstance(target, LabelsColumn | MaskColumn):
        carried = target.values == 1 if isinstance(target, LabelsColumn) else target.counts > 0
        rarity = np.where(carried, carried.sum(axis=0), np.inf)
        return np.where(carried.any(axis=1), rarity.argmin(axis=1) + 1, 0)
    return None


def _quantile_bins(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    count = max(1, min(BINS, int(known.sum()) // 10))
    if count == 1:
        return known.astype(np.int64)
    edges = np.unique(np.quantile(values[known], np.arange(1, count) / count))
    bins = np.zeros(len(values), dtype=np.int64)
    bins[known] = 1 + np.searchsorted(edges, values[known], side="right")
    return bins


def by_strata(
    rows: np.ndarray,
    sizes: dict[str, int],
    stratum: np.ndarray,
    rng: np.random.Generator,
    home: str | None = None,
) -> dict[str, np.ndarray]:
    """Shuffled parts of exactly those sizes, in which every stratum has its share to within one example.

    rows:    rows to share out; as many as the sizes add up to.
    stratum: int (n,), of all rows of the data set.
    home:    the part that gets the strata of one example ("train": what is not in train cannot be learnt).
    """
    _, codes, counts = np.unique(stratum[rows], return_inverse=True, return_counts=True)
    left = dict(sizes)
    at_home = np.zeros(len(rows), dtype=bool)
    if home is not None:
        at_home = (counts == 1)[codes]
        at_home &= np.cumsum(at_home) <= left[home]
        left[home] -= int(at_home.sum())
        counts = counts - np.bincount(codes[at_home], minlength=len(counts))
    table = rounded_shares(counts, np.array(list(left.values())), rng)
    part = np.full(len(rows), -1)
    order = rng.permutation(np.flatnonzero(~at_home))
    order = order[np.argsort(codes[order], kind="stable")]
    part[order] = np.repeat(np.tile(np.arange(len(left)), len(counts)), table.reshape(-1))
    if home is not None:
        part[at_home] = list(left).index(home)
    return {name: rows[part == index] for index, name in enumerate(left)}


def rounded_shares(counts: np.ndarray, sizes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """int (C, P): how many of each stratum go to each part, each within one of `counts × sizes / total`.

    Rows add up to the counts (C,) and columns to the sizes (P,), exactly. Rounding each cell by itself would
    keep neither sum; that a rounding which keeps both always exists, and is a corner of a transportation
    problem, is due to Bacharach (1966), "Matrix rounding problems", Management Science 12.
    """
    total = int(sizes.sum())
    if total == 0:
        return np.zeros((len(counts), len(sizes)), dtype=np.int64)
    products = np.outer(counts, sizes).astype(np.int64)
    table, remainder = products // total, products % total
    rows_short, columns_short = counts - table.sum(axis=1), sizes - table.sum(axis=0)
    if rows_short.any():
        table += _round_up(remainder / total, rows_short, columns_short, rng)
    return table


def _round_up(
    fraction: np.ndarray, rows: np.ndarray, columns: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """0/1 (C, P) with those row and column sums, preferring the largest fractions; ties fall by lot."""
    from scipy.optimize import linprog
    from scipy.sparse import csr_array, eye_array, kron, vstack

    strata_, parts = fraction.shape
    of_row = kron(eye_array(strata_), np.ones((1, parts)))
    of_column = kron(np.ones((1, strata_)), eye_array(parts))
    cost = -fraction.reshape(-1) + 1e-6 * rng.random(fraction.size)
    upper = (fraction.reshape(-1) > 0).astype(float)
    solution = linprog(  # the simplex method ends in a corner, and so in whole numbers
        cost, A_eq=csr_array(vstack([of_row, of_column])), b_eq=np.concatenate([rows, columns]),
        bounds=np.column_stack([np.zeros(fraction.size), upper]), method="highs-ds",
    )
    return np.rint(solution.x).astype(np.int64).reshape(fraction.shape)


def by_groups(
    rows: np.ndarray, sizes: dict[str, int], stratum: np.ndarray, group: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Parts of about those sizes and class shares, in which no group stands on two sides.

    Groups are placed from the largest to the smallest, each where it brings the parts nearest to the wanted
    numbers of each class (least squares, relative to the numbers wanted).
    DataError with fewer groups than parts.
    """
    names = [name for name, size in sizes.items() if size > 0]
    _, codes = np.unique(stratum[rows], return_inverse=True)
    keys, of_group = np.unique(group[rows], return_inverse=True)
    if len(keys) < len(names):
        raise DataError(
            f"{len(keys)} groups cannot fill {len(names)} sets ({', '.join(names)})",
            remedy="Ask for fewer sets or folds, or group by something finer.",
        )
    contents = _contents(codes, of_group, len(keys))
    wanted = np.outer([sizes[name] for name in names], contents.sum(axis=0)) / max(1, len(rows))
    order = rng.permutation(len(keys))
    order = order[np.argsort(-contents[order, 0], kind="stable")]
    placed = _place(contents, wanted, order)
    _fill_empty(placed, contents, len(names))
    part = placed[of_group]
    return {name: rows[part == names.index(name)] if name in names else rows[:0] for name in sizes}


def _contents(codes: np.ndarray, of_group: np.ndarray, groups: int) -> np.ndarray:
    """Int (groups, 1 + C): examples of each group, in all and of each stratum."""
    strata_ = int(codes.max()) + 1 if len(codes) else 0
    of_stratum = np.bincount(of_group * strata_ + codes, minlength=groups * strata_).reshape(groups, strata_)
    return np.column_stack([of_stratum.sum(axis=1), of_stratum])


def _place(contents: np.ndarray, wanted: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Int (groups,): the part of each group. The total weighs as much as all strata together."""
    weight = 1 / np.maximum(wanted, 1e-9)
    weight[:, 0] *= max(1, wanted.shape[1] - 1)
    have = np.zeros_like(wanted)
    placed = np.empty(len(order), dtype=np.int64)
    for index in order:
        adds = contents[index]
        rise = (weight * adds * (adds + 2 * (have - wanted))).sum(axis=1)
        placed[index] = part = int(rise.argmin())
        have[part] += adds
    return placed


def _fill_empty(placed: np.ndarray, contents: np.ndarray, parts: int) -> None:
    """Give each empty part the smallest group of the part with the most groups."""
    for part in range(parts):
        if (placed == part).any():
            continue
        fullest = np.bincount(placed, minlength=parts).argmax()
        candidates = np.flatnonzero(placed == fullest)
        placed[candidates[contents[candidates, 0].argmin()]] = part


def by_time(
    rows: np.ndarray, sizes: dict[str, int], moments: np.ndarray, group: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Parts in the order of time: the first named gets the oldest rows, the last the newest.

    moments: (n,) of all rows, anything that sorts. Equal moments stay together: sizes are approximate.
    With groups, a group counts as old as its newest row: no part holds a group that a later one holds too.
    DataError where a part would be empty.
    """
    when = moments[rows]
    if group is not None:
        _, of_group = np.unique(group[rows], return_inverse=True)
        ranks = np.unique(when, return_inverse=True)[1]
        newest = np.zeros(of_group.max() + 1, dtype=np.int64)
        np.maximum.at(newest, of_group, ranks)
        when = newest[of_group]
    order = np.argsort(when, kind="stable")
    in_time = when[order]
    cuts = [_nearest_change(in_time, cut) for cut in np.cumsum(list(sizes.values()))[:-1]]
    pieces = dict(zip(sizes, np.split(rows[order], cuts)))
    empty = [name for name, size in sizes.items() if size and not len(pieces[name])]
    if empty:
        raise DataError(
            f"by time, nothing is left for {', '.join(empty)}: too many rows share a moment",
            remedy="Use a finer time column, larger sets, or a random split.",
        )
    return pieces


def _nearest_change(in_time: np.ndarray, cut: int) -> int:
    """The position nearest to the cut at which the moment changes; an end only where it never does."""
    if cut <= 0 or cut >= len(in_time):
        return int(np.clip(cut, 0, len(in_time)))
    low = int(np.searchsorted(in_time, in_time[cut], side="left"))
    high = int(np.searchsorted(in_time, in_time[cut], side="right"))
    if low == 0 or high == len(in_time):
        return high if low == 0 else low
    return low if cut - low <= high - cut else high
