"""Plain text: one example a line; a file for each class; or folders of classes with one example a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from orthogon.data.columns import CategoryColumn, Column, TextColumn
from orthogon.data.dataset import PARTS, Dataset, Finding
from orthogon.data.readers.delimited import SEPARATORS, read_text
from orthogon.data.readers.options import PART_OF_NAME, Options, listing, part_of_stem
from orthogon.data.readers.table_files import read_table
from orthogon.errors import DataError

_DESCRIPTIONS = ("readme", "license", "licence", "citation", "about", "notes")
_LOOKED_AT = 1 << 16
_ALIKE = 0.9


@dataclass
class _Texts:
    """Texts in reading order, with id, class and part."""

    values: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def add_lines(self, path: Path, start: str, label: str, part: str) -> None:
        """One example a line; ids are line numbers. Lines of blanks are left out, and counted."""
        text, seen = read_text(path)
        lines = [line.strip() for line in text.split("\n")]
        filled = [(number, line) for number, line in enumerate(lines, start=1) if line]
        wide = max(5, len(str(len(lines))))
        for number, line in filled:
            self._add(line, f"{start}{number:0{wide}d}", label, part)
        empty = len(lines) - len(filled) - (not lines[-1])  # after the last line end there is no line
        if empty:
            first = next(number for number, line in enumerate(lines, start=1) if not line)
            seen = [*seen, Finding("empty-line", "note", f"{empty:,} empty lines were left out", where=str(path),
                                   row=first, remedy="Of one long text, such as a book: --set data.running=true")]
        self.findings += seen

    def add_file(self, path: Path, folder: Path, label: str, part: str) -> None:
        """The whole file as one example; its id is the path below the folder."""
        text, seen = read_text(path)
        self.findings += seen
        if text.strip():
            self._add(text.strip(), path.relative_to(folder).as_posix(), label, part)
        else:
            self.findings.append(Finding("empty-file", "warning", "a file without text was left out", where=str(path)))

    def _add(self, value: str, identity: str, label: str, part: str) -> None:
        self.values.append(value)
        self.ids.append(identity)
        self.labels.append(label)
        self.parts.append(part)

    def dataset(self, name: str, where: str, more: Sequence[Finding] = ()) -> Dataset:
        """Columns "text" (or `name`) and, where there are classes, "label", the target."""
        if not self.values:
            raise DataError("there is no text", where=where, remedy="Give one example a line, or one a file.")
        columns: dict[str, Column] = {name: TextColumn(self.values)}
        labelled = any(self.labels)
        if labelled:
            columns["label"] = CategoryColumn.from_values(self.labels)
        return Dataset("", columns, "label" if labelled else None, np.array(self.ids),
                       part=np.array(self.parts) if any(self.parts) else None, findings=(*self.findings, *more))


def is_plain(path: Path, options: Options | None = None) -> bool:
    """Whether it is a .txt of lines that no separator cuts into equally many fields, so no table."""
    if not is_text(path) or (options is not None and len(options.columns) > 1):
        return False
    text, _ = read_text(path)
    lines = [line for line in text[:_LOOKED_AT].split("\n") if line.strip()][:200]
    if len(lines) < 2:
        return True
    for separator in SEPARATORS:
        (cuts, count), *_ = Counter(line.count(separator) for line in lines).most_common(1)
        if cuts and count >= _ALIKE * len(lines):
            return False
    return True


def is_text(path: Path) -> bool:
    """Whether it is named .txt, or .txt.gz."""
    return path.name.lower().removesuffix(".gz").endswith(".txt")


def read_lines(parts: Mapping[str, Path], options: Options) -> Dataset:
    """One example a line, of one file ("" -> path) or of one for each part."""
    found = _Texts()
    for part, path in parts.items():
        found.add_lines(path, f"{part}/" if part else "", "", part)
    return found.dataset(_column(options), where=listing([str(path) for path in parts.values()]))


def read_folder(folder: Path, options: Options) -> Dataset | None:
    """The text files of a folder; None where there are none.

    Class folders, or parts with class folders inside: one example a file. Files beside each other: named by part, or
    else a file for each class; one example a line. Descriptions, such as README.txt, are passed over.
    """
    direct = texts_below(folder, "*")
    if direct:
        return _of_files(folder, direct, options)
    found = _Texts()
    inside = _folders(folder)
    parts = [entry for entry in inside if PART_OF_NAME.get(entry.name.lower())]
    if parts and any(PART_OF_NAME[entry.name.lower()] == "train" for entry in parts):
        for entry in sorted(parts, key=lambda each: PARTS.index(PART_OF_NAME[each.name.lower()])):
            _add_classes(entry, folder, PART_OF_NAME[entry.name.lower()], found)
    else:
        _add_classes(folder, folder, "", found)
    return found.dataset(_column(options), where=str(folder)) if found.values else None


def _of_files(folder: Path, files: list[Path], options: Options) -> Dataset | None:
    tables = [path.name for path in files if not is_plain(path, options)]
    if tables and len(files) == 1:
        return read_table(files[0], options)
    if tables:
        raise DataError(f"tables lie here: {listing(tables)}", where=str(folder),
                        remedy="Name one of them, or name them by part: train.csv, dev.csv, test.csv.")
    if len(files) == 1:
        return read_lines({"": files[0]}, options)
    if parts := parts_of(files):
        return read_lines(parts, options)
    found = _Texts()
    for path in files:
        found.add_lines(path, f"{_stem(path)}/", _stem(path), "")
    note = Finding("file-classes", "note", f"each of the {len(files)} text files was taken as a class, each line as an "
                   "example", where=str(folder))
    return found.dataset(_column(options), where=str(folder), more=[note])


def _add_classes(inside: Path, folder: Path, part: str, found: _Texts) -> None:
    for entry in _folders(inside):
        for path in _below(entry, "**/*"):
            found.add_file(path, folder, entry.name, part)


def texts_below(folder: Path, pattern: str = "**/*") -> list[Path]:
    """The text files of a folder by name, without descriptions, such as README.txt."""
    return [path for path in _below(folder, pattern) if not _is_description(path)]


def parts_of(files: Sequence[Path]) -> dict[str, Path] | None:
    """Part -> file, in the order of the parts; None where the names do not tell."""
    parts = {part_of_stem(_stem(path)): path for path in files}
    if len(parts) < len(files) or "train" not in parts or None in parts:
        return None
    return {part: parts[part] for part in PARTS if part in parts}


def _column(options: Options) -> str:
    return options.columns[0] if options.columns else "text"


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz")[: -len(".txt")]


def _below(folder: Path, pattern: str) -> list[Path]:
    return sorted(path for path in folder.glob(pattern) if is_text(path) and path.is_file()
                  and not path.name.startswith("."))


def _folders(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith((".", "__")))


def _is_description(path: Path) -> bool:
    return _stem(path).lower() in _DESCRIPTIONS
