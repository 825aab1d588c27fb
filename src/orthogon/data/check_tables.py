"""Columns and labels: what is missing, constant, infinite, mixed, too fine, doubled or lopsided."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from orthogon.data.columns import CategoryColumn, Column, LabelsColumn, NumberColumn, TextColumn
from orthogon.data.dataset import Dataset, Finding

HALF = 0.5  # of the values missing, or of the values distinct
MIXED = 0.8  # of the values parse as numbers: the others are probably not meant
LEVELS = 1_000
FEW_LEVELS = 20  # below, a category is never called too fine
IMBALANCE = 10


def check_columns(data: Dataset) -> list[Finding]:
    """Findings on each column by itself, and on columns that are copies of each other."""
    findings = [finding for name, column in data.columns.items() for finding in _check_column(data, name, column)]
    return findings + _duplicate_columns(data)


def check_labels(data: Dataset) -> list[Finding]:
    """Findings on the target: missing, one class only, classes that occur once, imbalance."""
    if data.target is None:
        return []
    name, column = data.target, data.columns[data.target]
    findings = list(_missing_labels(data, name, column))
    if isinstance(column, CategoryColumn):
        findings += _class_counts(data, name, column)
    elif isinstance(column, NumberColumn) and _is_constant(column.values):
        findings.append(_of(data, "one-class", "error", "the target is the same everywhere: there is nothing to learn",
                            column=name, remedy="Choose another target."))
    return findings


def _of(data: Dataset, kind: str, severity: str, what: str, row: int | None = None, **more: str) -> Finding:
    where = data.name if row is None else str(data.ids[row])
    return Finding(kind, severity, what, where=where, row=row, **more)


def _check_column(data: Dataset, name: str, column: Column) -> Iterator[Finding]:
    if name != data.target:
        yield from _missing(data, name, column)
    if isinstance(column, NumberColumn):
        yield from _infinite(data, name, column)
    if isinstance(column, (CategoryColumn, TextColumn)):
        yield from _mixed(data, name, column)
    if isinstance(column, CategoryColumn):
        yield from _look_alikes(data, name, column)
    if name == data.target:
        return
    yield from _constant(data, name, column)
    if isinstance(column, CategoryColumn):
        yield from _too_fine(data, name, column)


def _missing(data: Dataset, name: str, column: Column) -> Iterator[Finding]:
    gone = column.missing()
    count, n = int(gone.sum()), len(column)
    if not count:
        return
    word = "missing or NaN" if isinstance(column, NumberColumn) else "missing"
    row = int(gone.argmax())
    what = f"{count:,} of {n:,} values are {word} ({100 * count / n:.2g} %), the first in row {row}"
    if count == n:
        yield _of(data, "missing-values", "error", f"all values are {word}", column=name, remedy="Leave it out.")
    elif count > HALF * n:
        yield _of(data, "missing-values", "warning", what, row, column=name, value="",
                  remedy="Leave it out, or find out why: that a value is missing may itself tell the target.")
    else:
        yield _of(data, "missing-values", "note", what, row, column=name, value="",
                  remedy="Nothing: they are read as empty texts." if isinstance(column, TextColumn) else
                  "Nothing: gaps are filled, and marked as such, from the train rows.")


def _infinite(data: Dataset, name: str, column: NumberColumn) -> Iterator[Finding]:
    rows = np.flatnonzero(np.isinf(column.values.reshape(len(column), -1)).any(axis=1))
    if len(rows):
        first = column.values[rows[0]]
        value = float(first[np.isinf(first)][0]) if np.ndim(first) else float(first)
        yield _of(data, "infinite-values", "error", f"{len(rows):,} rows hold an infinite value", int(rows[0]),
                  column=name, value=str(value), remedy="Mend it, or write it as missing.")


def _mixed(data: Dataset, name: str, column: CategoryColumn | TextColumn) -> Iterator[Finding]:
    """Numbers with some strings among them, which is why the whole column was taken for a category or text."""
    if any(finding.kind == "mixed-types" and finding.column == name for finding in data.findings):
        return  # reading saw the raw values
    if isinstance(column, CategoryColumn):
        number = np.array([*(_is_number(level) for level in column.levels), False])[column.codes]
    else:
        number = np.array([value is not None and _is_number(value) for value in column.values], dtype=bool)
    known = ~column.missing()
    odd = np.flatnonzero(known & ~number)
    if len(odd) and number.sum() > MIXED * known.sum():
        row = int(odd[0])
        yield _of(data, "mixed-types", "warning", f"{len(odd):,} values among numbers are no numbers", row,
                  column=name, value=str(column.cell(row)), remedy="Mend them, or write them as missing.")


def _is_number(text: str) -> bool:
    try:
        return not math.isnan(float(text))
    except ValueError:
        return False


def _constant(data: Dataset, name: str, column: Column) -> Iterator[Finding]:
    if len(column) < 2 or column.missing().all():
        return
    remedy = "Leave it out: it tells nothing."
    if isinstance(column, NumberColumn) and column.width > 1:
        same = [index for index in range(column.width) if _is_constant(column.values[:, index])]
        if same:
            names = [column.names[index] if column.names else str(index) for index in same]
            yield _of(data, "constant-column", "note", f"{len(same)} of {column.width} numbers never change: "
                      + _listed(names), column=name, remedy="Nothing: they are scaled to 0.")
        return
    if isinstance(column, NumberColumn):
        constant = _is_constant(column.values) and not np.isnan(column.values).any()
    elif isinstance(column, CategoryColumn):
        constant = len(np.unique(column.codes)) == 1
    elif isinstance(column, TextColumn):
        constant = len(set(column.values.tolist())) == 1
    else:
        return
    if constant:
        yield _of(data, "constant-column", "warning", "the same value in every row", column=name,
                  value=str(column.cell(0)), remedy=remedy)


def _is_constant(values: np.ndarray) -> bool:
    known = values[~np.isnan(values)]
    return len(known) > 1 and bool((known == known.flat[0]).all())


def _too_fine(data: Dataset, name: str, column: CategoryColumn) -> Iterator[Finding]:
    levels, known = int((column.counts() > 0).sum()), int((column.codes >= 0).sum())
    if levels > FEW_LEVELS and (levels > LEVELS or levels > HALF * known):
        yield _of(data, "high-cardinality", "warning", f"{levels:,} levels in {known:,} values", column=name,
                  value=column.cell(int((column.codes >= 0).argmax())),
                  remedy="Leave it out if it names the example (an id, a name); else join rare levels.")


def _look_alikes(data: Dataset, name: str, column: CategoryColumn) -> Iterator[Finding]:
    alike: dict[str, list[str]] = defaultdict(list)
    for level, count in zip(column.levels, column.counts()):
        if count:
            alike[" ".join(level.split()).casefold()].append(level)
    severity = "warning" if name == data.target else "note"
    for levels in alike.values():
        if len(levels) > 1:
            yield _of(data, "similar-levels", severity, "names that differ by case or blanks only: "
                      + _listed([repr(level) for level in levels]), column=name, value=levels[0],
                      remedy="Write them alike if they mean the same.")


def _listed(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")


def _duplicate_columns(data: Dataset) -> list[Finding]:
    same: dict[bytes, list[str]] = defaultdict(list)
    for name, column in data.inputs.items():
        if isinstance(column, (NumberColumn, CategoryColumn)) and len(column) > 1:
            same[_content(column)].append(name)
    return [
        _of(data, "duplicate-columns", "warning", f"the same values as {first!r}", column=name,
            remedy="Leave one of the two out.")
        for first, *others in same.values() for name in others
    ]


def _content(column: Column) -> bytes:
    if isinstance(column, NumberColumn):  # the digest of each value would cost a second for every million
        values = np.ascontiguousarray(column.values, dtype=np.float64)
        return hashlib.blake2b(repr(values.shape).encode() + values.tobytes()).digest()
    return hashlib.blake2b(column.digests().tobytes()).digest()


def _missing_labels(data: Dataset, name: str, column: Column) -> Iterator[Finding]:
    gone = column.missing()
    if gone.all():
        yield _of(data, "missing-target", "error", "the target is missing everywhere", column=name,
                  remedy="Choose another target.")
    elif gone.any():
        row = int(gone.argmax())
        severity = "note" if isinstance(column, LabelsColumn) else "error"
        yield _of(data, "missing-target", severity, f"{int(gone.sum()):,} examples have no label, the first is "
                  f"{data.ids[row]}", row, column=name, value="", remedy="Label them, or leave them out.")


def _class_counts(data: Dataset, name: str, column: CategoryColumn) -> Iterator[Finding]:
    counts = {level: int(count) for level, count in zip(column.levels, column.counts()) if count}
    if len(counts) == 1:
        yield _of(data, "one-class", "error", "one class only: there is nothing to tell apart", column=name,
                  value=next(iter(counts)), remedy="Add examples of another class, or choose another target.")
    if len(counts) < 2:
        return
    for level, count in counts.items():
        if count == 1:
            row = int((column.codes == column.levels.index(level)).argmax())
            yield _of(data, "lone-label", "warning", f"the label {level!r} occurs once: it can be learnt or tested, "
                      "not both", row, column=name, value=level, remedy="Add examples, or join it to another class.")
    most, least = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
    ratio = counts[most] / counts[least]
    if ratio >= IMBALANCE:
        yield _of(data, "imbalance", "warning", f"{most!r} occurs {ratio:,.0f} times as often as {least!r} "
                  f"({counts[most]:,} against {counts[least]:,})", column=name, value=least,
                  remedy="Judge by per-class recall or macro F1, not by accuracy; try class weights.")
