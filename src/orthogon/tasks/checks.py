"""What the tasks look for in a target before they learn it."""

from __future__ import annotations

import numpy as np

from orthogon.data.columns import CategoryColumn, Column, NumberColumn
from orthogon.data.dataset import Dataset, Finding

ID_SHARE = 0.5  # a target with more levels than this share of its examples is an id rather than a label
IMBALANCE = 50


def check_missing(data: Dataset) -> list[Finding]:
    """How many examples have no target at all."""
    missing = data.target_column().missing()
    if not missing.any():
        return []
    row = int(np.argmax(missing))
    return [Finding(
        "target-missing", "error", f"the target is missing in {int(missing.sum()):,} of {len(data):,} examples",
        where=str(data.ids[row]), row=row, column=data.target, remedy="Fill it in, or leave those rows out.",
    )]


def check_labels(data: Dataset) -> list[Finding]:
    """Findings on the labels of classify: one class only, classes of one example, ids, imbalance, nothing known."""
    column = data.target_column()
    findings = check_missing(data)
    if not isinstance(column, CategoryColumn):
        return findings
    counts = column.counts()
    present = np.flatnonzero(counts)
    if len(present) < 2:
        only = column.levels[present[0]] if len(present) else "none"
        return [*findings, Finding("one-class", "error", f"there is one class only, {only!r}",
                                   where=data.name, column=data.target, value=only,
                                   remedy="Add examples of another class, or choose another target.")]
    if len(present) > max(20, ID_SHARE * counts.sum()):
        findings.append(Finding(
            "target-id", "error", f"the target has {len(present):,} different values in {int(counts.sum()):,} "
            "examples: it looks like an id or a number, not a label", where=data.name, column=data.target,
            remedy="Choose another target, or --task regress for a number."))
        return findings
    return [*findings, *_rare_classes(data, column, counts, present)]


def _rare_classes(data: Dataset, column: CategoryColumn, counts: np.ndarray, present: np.ndarray) -> list[Finding]:
    findings = []
    for code in present[counts[present] == 1]:
        row = int(np.argmax(column.codes == code))
        findings.append(Finding(
            "single-example-class", "error", f"class {column.levels[code]!r} has one example: it cannot be both "
            "learnt and checked", where=str(data.ids[row]), row=row, column=data.target, value=column.levels[code],
            remedy="Add examples, merge it with another class, or leave it out."))
    few, many = counts[present].min(), counts[present].max()
    if few > 1 and many > IMBALANCE * few:
        rare, common = column.levels[present[counts[present].argmin()]], column.levels[counts.argmax()]
        findings.append(Finding(
            "imbalance", "warning", f"class {common!r} has {many:,} examples, {rare!r} only {few:,}", where=data.name,
            column=data.target, value=rare, remedy="Read macro F1, not accuracy; or set task.class_weights=balanced."))
    return findings


def check_numbers(data: Dataset) -> list[Finding]:
    """Findings on the target of regress: missing, infinite, constant, or few values that look like labels."""
    column: Column = data.target_column()
    findings = check_missing(data)
    if not isinstance(column, NumberColumn):
        return findings
    values = column.values[~column.missing()]
    if np.isinf(values).any():
        row = int(np.argmax(np.isinf(column.values.reshape(len(column), -1)).any(axis=1)))
        findings.append(Finding("target-infinite", "error", "the target is infinite", where=str(data.ids[row]), row=row,
                                column=data.target, remedy="Replace it by a number, or leave the row out."))
    elif len(values) and (np.ptp(values.reshape(len(values), -1), axis=0) == 0).any():
        findings.append(Finding("target-constant", "error", "the target never changes", where=data.name,
                                column=data.target, remedy="Choose another target."))
    elif values.ndim == 1 and len(values) > 20 and len(np.unique(values)) == 2:
        findings.append(Finding("target-two-values", "warning", "the target has two values only: it looks like a label",
                                where=data.name, column=data.target, remedy="Consider --task classify."))
    return findings


def check_several(data: Dataset, values: np.ndarray, names: tuple[str, ...]) -> list[Finding]:
    """Findings on the labels of multilabel. values: (n, L) of 1, 0 and NaN."""
    findings = check_missing(data)
    for name, column in zip(names, values.T):
        known = column[~np.isnan(column)]
        if len(known) == 0 or np.ptp(known) == 0:
            always = "unknown" if len(known) == 0 else "there" if known[0] == 1 else "absent"
            findings.append(Finding("constant-label", "warning", f"label {name!r} is {always} in every example",
                                    where=data.name, column=data.target, value=name,
                                    remedy="It cannot be learnt: leave it out, or add examples."))
    return findings
