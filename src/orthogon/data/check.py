"""Everything that is wrong, or may be, with a data set: named, with its place, its severity and a remedy."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from orthogon.data.check_duplicates import check_groups, check_picture_duplicates, check_row_duplicates
from orthogon.data.check_pictures import FILE_KINDS, check_folder, inspect_files, look_at_files
from orthogon.data.check_tables import check_columns, check_labels
from orthogon.data.columns import ImageColumn
from orthogon.data.dataset import Dataset, Finding
from orthogon.data.leaks import check_leaks
from orthogon.data.passport import Passport
from orthogon.errors import DataError

SEVERITIES = ("error", "warning", "note")
SHOWN = 20  # of one kind, in the text; JSON and CSV hold all
_FIELDS: tuple[str, ...] = ("severity", "kind", "where", "row", "column", "value", "what", "remedy")


@dataclass(frozen=True)
class Report:
    """Findings, the gravest first, otherwise in the order of the data.

    findings: without repetitions; a file that reading and checking both refused is named once.
    """

    findings: tuple[Finding, ...] = ()

    @classmethod
    def of(cls, findings: Iterable[Finding]) -> Report:
        """Sorted by severity, each finding once."""
        ordered = sorted(_without_repetitions(findings), key=lambda finding: SEVERITIES.index(finding.severity))
        return cls(tuple(ordered))

    def __add__(self, other: Iterable[Finding]) -> Report:
        """The report with more findings."""
        return Report.of([*self.findings, *other])

    def __iter__(self) -> Any:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    @property
    def errors(self) -> tuple[Finding, ...]:
        return self.of_severity("error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return self.of_severity("warning")

    @property
    def exit_code(self) -> int:
        """1 where there is an error, else 0."""
        return 1 if self.errors else 0

    def of_severity(self, severity: str) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == severity)

    def kinds(self) -> dict[str, int]:
        """How often each kind was found."""
        return dict(Counter(finding.kind for finding in self.findings))

    def to_json(self) -> dict[str, Any]:
        """Plain values: counts by severity and all findings."""
        counts = {f"{severity}s": len(self.of_severity(severity)) for severity in SEVERITIES}
        return {**counts, "findings": [asdict(finding) for finding in self.findings]}

    def write_csv(self, path: str | Path) -> Path:
        """All findings as a table."""
        with Path(path).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, _FIELDS)
            writer.writeheader()
            writer.writerows(asdict(finding) for finding in self.findings)
        return Path(path)

    def summary(self) -> str:
        """One line, e.g. "1 error, 2 warnings, 0 notes"."""
        counts = {severity: len(self.of_severity(severity)) for severity in SEVERITIES}
        return ", ".join(f"{count} {severity}{'' if count == 1 else 's'}" for severity, count in counts.items())

    def __str__(self) -> str:
        """Columns severity, place, what, remedy; at most 20 lines of one kind; the counts last."""
        rows, hidden = _shown(self.findings)
        if not rows:
            return "nothing found"
        widths = [min(60, max(len(row[index]) for row in rows)) for index in range(3)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0])).rstrip() for row in rows]
        lines += [f"and {count:,} more of the kind {kind}" for kind, count in hidden.items()]
        return "\n".join([*lines, self.summary()])

    def _repr_html_(self) -> str:
        rows, hidden = _shown(self.findings)
        head = "<tr><th>severity<th>where<th>what<th>remedy</tr>"
        body = "".join("<tr>" + "".join(f"<td>{escape(cell)}" for cell in row) + "</tr>" for row in rows)
        more = "".join(f"<p>and {count:,} more of the kind {escape(kind)}</p>" for kind, count in hidden.items())
        return f"<table>{head}{body}</table>{more}<p>{self.summary()}</p>"


def check(data: Dataset, passport: Passport | None = None) -> Report:
    """Look at everything; change nothing.

    passport: the split, so that groups and pictures on two of its sides are found; default: the parts that came
    with the data, if any.

    Pictures that are files are decoded in full; pictures given as arrays are searched for duplicates only. Row and
    column stand in each finding where they apply. What reading already found (`data.findings`) is included.
    Never raises for what it finds.
    """
    findings = [finding for seen in data.findings for finding in _in_detail(seen)]
    side = passport.part_of() if passport is not None else data.part
    pictures = {name: column for name, column in data.inputs.items() if isinstance(column, ImageColumn)}
    for name, column in pictures.items():
        thumbs = None
        if column.pixels is None:
            thumbs, on_files = _check_files(data, name, column)
            findings += on_files
        findings += check_picture_duplicates(data, column, thumbs, side)
    findings += check_columns(data) + check_labels(data) + check_leaks(data)
    if not pictures:
        findings += check_row_duplicates(data, side)
    if side is not None:
        findings += check_groups(data, side)
    return Report.of(findings)


def _check_files(data: Dataset, name: str, column: ImageColumn) -> tuple[list[np.ndarray | None], list[Finding]]:
    seen = look_at_files(column.files, [str(id_) for id_ in data.ids])
    findings = [
        replace(finding, row=row, column=name) for row, one in enumerate(seen) for finding in one.findings
    ]
    return [one.thumbnail for one in seen], findings


def check_source(source: Any, passport: Passport | None = None, **options: Any) -> Report:
    """Read with `read(source, skip_bad=True, **options)`, and check; what cannot be read at all is named as well.

    Where reading is refused, the report holds the reason as an error and, for a folder, every bad file in it.
    """
    from orthogon.data.read import read

    try:
        data = read(source, skip_bad=True, **options)
    except DataError as error:
        is_folder = isinstance(source, (str, Path)) and Path(source).is_dir()
        refused = Finding("unreadable-data", "error", error.what, where=error.where, remedy=error.remedy)
        return Report.of([refused, *(check_folder(source) if is_folder else [])])
    return check(data, passport)


def _in_detail(seen: Finding) -> list[Finding]:
    """What reading said of a file that it left out, and what a closer look says."""
    if seen.kind not in _UNUSABLE or not seen.value or not Path(seen.value).is_file():
        return [seen]
    closer = inspect_files([seen.value], [seen.where])
    refused = [finding for finding in closer if finding.severity == "error"]
    return [replace(finding, row=seen.row, column=seen.column) for finding in closer] + ([] if refused else [seen])


_UNUSABLE = ("unreadable-image", "truncated-image", "empty-file", "huge-image", "missing-image", "wrong-extension")


def _without_repetitions(findings: Iterable[Finding]) -> list[Finding]:
    """Once each. What is said of a file is kept once, with its column where one of the two has it."""
    kept: dict[tuple[object, ...], Finding] = {}
    for finding in findings:
        key = _key(finding)
        before = kept.get(key)
        if before is None or _detail(finding) > _detail(before):
            kept[key] = finding
    return list(kept.values())


def _key(finding: Finding) -> tuple[object, ...]:
    if finding.kind in _UNUSABLE and finding.severity == "error":
        return ("unusable", finding.where)
    if finding.kind in FILE_KINDS:
        return (finding.kind, finding.where)
    return (finding.kind, finding.where, finding.row, finding.column, finding.what)


def _detail(finding: Finding) -> tuple[bool, bool, bool]:
    """How far a file goes says more than that it is truncated, and that says more than that it is unreadable."""
    return "after" in finding.what, finding.kind != "unreadable-image", finding.column is not None


def _shown(findings: Iterable[Finding]) -> tuple[list[tuple[str, str, str, str]], dict[str, int]]:
    """Cells of the lines that are shown, and how many of each kind are not."""
    count: Counter[str] = Counter()
    rows = []
    for finding in findings:
        count[finding.kind] += 1
        if count[finding.kind] <= SHOWN:
            rows.append((finding.severity, _place(finding), _what(finding), finding.remedy))
    return rows, {kind: number - SHOWN for kind, number in count.items() if number > SHOWN}


def _place(finding: Finding) -> str:
    parts = [finding.where]
    if finding.column is not None and " = " not in finding.where and " ≈ " not in finding.where:
        parts.append(finding.column)
    return ", ".join(part for part in parts if part)


def _what(finding: Finding) -> str:
    value = finding.value
    return f"{finding.what} ({value})" if value and value not in finding.what else finding.what


__all__ = ["Report", "check", "check_folder", "check_source", "inspect_files"]
