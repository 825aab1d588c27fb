"""Findings on examples that occur twice: under two labels, on two sides of a split, or for nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from orthogon.data.columns import ImageColumn, TextColumn
from orthogon.data.dataset import Dataset, Finding
from orthogon.data.duplicates import MOST, exact_duplicates, near_duplicates, thumbnails
from orthogon.data.passport import PART_ORDER, duplicates_across, row_digests

Sides = np.ndarray | None
_DECIDE = "Decide which label is right, or remove both."
_SAME_SIDE = "Keep them on one side (group=), or remove one: a score on it is too good."


def check_picture_duplicates(
    data: Dataset, column: ImageColumn, thumbs: Sequence[np.ndarray | None] | None, side: Sides
) -> list[Finding]:
    """Exact and near duplicates among pictures, one finding for each pair.

    thumbs: 16×16 grey pictures of files, None where a file cannot be decoded (such rows are passed over); None as a
    whole where the pictures are an array. side: the part of each row, "" for none; None without a split.
    """
    usable = np.arange(len(column))
    if thumbs is not None:
        usable = np.array([row for row, thumb in enumerate(thumbs) if thumb is not None], dtype=np.int64)
    if not len(usable):
        return []
    groups = exact_duplicates(column.take(usable).digests())
    pairs = [(int(usable[group[0]]), int(usable[other])) for group in groups for other in group[1:]]
    findings = [finding for pair in pairs for finding in _pair(data, pair, side, exact=True)]
    if len(usable) > MOST:
        return [*findings, _not_looked_for(data, len(usable))]
    repeated = [row for _, row in pairs]  # their first stands for them
    small = _stack(column, thumbs)
    near = near_duplicates(small, np.setdiff1d(usable, repeated))
    return findings + [finding for a, b in near.tolist() for finding in _pair(data, (a, b), side, exact=False)]


def _stack(column: ImageColumn, thumbs: Sequence[np.ndarray | None] | None) -> np.ndarray:
    if thumbs is None:
        assert column.pixels is not None  # noqa: S101  without files there are pixels
        return thumbnails(np.asarray(column.pixels))
    shape = next(thumb.shape for thumb in thumbs if thumb is not None)
    return np.stack([np.zeros(shape, np.float32) if thumb is None else thumb for thumb in thumbs])


def _not_looked_for(data: Dataset, count: int) -> Finding:
    return Finding("not-checked", "note", f"near duplicates were not looked for among {count:,} pictures "
                   f"(the limit is {MOST:,}); exact ones were", where=data.name)


def _pair(data: Dataset, pair: tuple[int, int], side: Sides, exact: bool) -> Iterator[Finding]:
    one, other = pair
    where = f"{data.ids[one]} {'=' if exact else '≈'} {data.ids[other]}"
    near, what = ("", "the same picture") if exact else ("near-", "nearly the same picture")
    labels = _labels(data, pair)
    sides = (str(side[one]), str(side[other])) if side is not None else ("", "")
    apart = all(sides) and sides[0] != sides[1]
    if labels is not None and labels[0] != labels[1]:
        yield Finding(f"{near}duplicate-two-labels", "warning", f"{what} under two labels", where=where, row=other,
                      column=data.target, value=" / ".join(labels), remedy=_DECIDE)
    if apart:
        yield Finding(f"{near}duplicate-across-sets", "warning", f"{what} on two sides of the split",
                      where=where, row=other, value=" / ".join(sides), remedy=_SAME_SIDE)
    if not apart and (labels is None or labels[0] == labels[1]):
        yield Finding(f"{near}duplicate", "note", f"{what} twice", where=where, row=other,
                      remedy="Remove one, unless it is meant to weigh double.")


def _labels(data: Dataset, pair: tuple[int, int]) -> tuple[str, str] | None:
    if data.target is None:
        return None
    column = data.columns[data.target]
    return str(column.cell(pair[0])), str(column.cell(pair[1]))


def check_row_duplicates(data: Dataset, side: Sides) -> list[Finding]:
    """Rows with equal inputs: one finding for each kind, with its count and the first pair.

    One, because tables with few distinct values repeat themselves rightly.
    """
    if not data.inputs:
        return []
    of_inputs, everything = row_digests(data)
    pairs = [(int(group[0]), int(row)) for group in exact_duplicates(of_inputs) for row in group[1:]]
    if not pairs:
        return []
    same = [pair for pair in pairs if everything[pair[0]] == everything[pair[1]]]
    differ = [pair for pair in pairs if everything[pair[0]] != everything[pair[1]]]
    findings = []
    if same:
        findings.append(_rows(data, "duplicate-rows", "note", "rows that repeat an earlier row, target and all",
                              same, "Remove them, unless each is an observation of its own."))
    if differ and data.target is not None and isinstance(data.columns[data.target], TextColumn):
        findings.append(_rows(data, "several-answers", "note", "rows with the inputs of another row but another "
                              "answer", differ, "Nothing, where several answers are right."))
    elif differ and data.target is not None:
        findings.append(_rows(data, "duplicate-two-labels", "warning", "rows with the inputs of another row but "
                              "another target", differ,
                              "Look for a missing column, or accept that no model can be right on both."))
    if side is not None:
        parts = {name: np.flatnonzero(side == name) for name in PART_ORDER if (side == name).any()}
        across, count = duplicates_across(parts, of_inputs)
        if count:
            swapped = [(earlier, row) for row, earlier in across]
            findings.append(_rows(data, "duplicate-across-sets", "warning", "rows with the inputs of a row in another "
                                  "set", swapped, _SAME_SIDE, count))
    return findings


def _rows(
    data: Dataset, kind: str, severity: str, what: str, pairs: list[tuple[int, int]], remedy: str,
    count: int | None = None,
) -> Finding:
    first, second = pairs[0]
    return Finding(kind, severity, f"{what}: {count or len(pairs):,}; the first is row {second}, like row {first}",
                   where=f"{data.ids[first]} = {data.ids[second]}", row=second, remedy=remedy)


def check_groups(data: Dataset, side: np.ndarray) -> list[Finding]:
    """An error for each group that stands in more than one part; "" and "unused" are no part."""
    if data.group is None:
        return []
    in_part = np.flatnonzero((side != "") & (side != "unused"))
    keys, codes = np.unique(data.group[in_part], return_inverse=True)
    names, parts = np.unique(side[in_part], return_inverse=True)
    held = np.zeros((len(keys), len(names)), dtype=bool)
    held[codes, parts] = True
    findings = []
    for index in np.flatnonzero(held.sum(axis=1) > 1):
        where = [str(name) for name in names[held[index]]]
        row = int(in_part[(codes == index).argmax()])
        findings.append(
            Finding("group-across-sets", "error", f"the group {keys[index]!s} is in {' and in '.join(where)}",
                    where=str(data.ids[row]), row=row, value=str(keys[index]),
                    remedy="Split by group: what is learnt of it in one set is known in the other.")
        )
    return findings
