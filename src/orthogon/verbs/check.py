"""`check`: everything that is wrong, or may be, with data; nothing is edited."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orthogon.data import check as checks
from orthogon.data.check import Report
from orthogon.data.columns import ImageColumn
from orthogon.data.dataset import Dataset, Finding
from orthogon.data.passport import Passport
from orthogon.errors import DataError
from orthogon.verbs.sources import data_settings, read_as


def check(
    data: Any = None, *, target: str | None = None, passport: Passport | None = None,
    options: Mapping[str, Any] | None = None,
) -> Report:
    """Look at files, columns, labels, duplicates, leaks and the split.

    data:     as `og.read` takes it; default: the bundled digits. What cannot be read at all is a finding, too.
    target:   the column to learn; without one, labels and leaks are not looked at.
    passport: a split to look across; default: the parts that the data comes in.
    options:  how to read, by flat key.

    DataError only where there is no such data. `report.errors` are what cannot be learnt from.
    """
    settings = data_settings(data, target, options, skip_bad=True)
    folder = _folder(data)
    try:
        read = read_as(settings, data)
    except DataError as error:
        if not _exists(data):
            raise
        inside = checks.check_folder(folder) if folder else []
        return Report.of([_unreadable(error, data), *inside])
    report = checks.check(read, passport)
    return report + _left_out(folder, read) if folder else report


def _folder(data: Any) -> Path | None:
    path = Path(data).expanduser() if isinstance(data, str | Path) else None
    return path if path is not None and path.is_dir() else None


def _exists(data: Any) -> bool:
    return not isinstance(data, str | Path) or any(Path(piece).expanduser().exists() for piece in str(data).split(","))


def _unreadable(error: DataError, data: Any) -> Finding:
    where = error.where or (str(data) if isinstance(data, str | Path) else "")
    return Finding("unreadable-data", "error", error.what, where=where, remedy=error.remedy)


def _left_out(folder: Path, data: Dataset) -> list[Finding]:
    """On the files of a folder of pictures that reading has not taken up: why each cannot be learnt from."""
    pictures = [column for column in data.columns.values() if isinstance(column, ImageColumn)]
    taken = {path.resolve() for column in pictures for path in column.files}
    if not taken:
        return []
    paths = sorted(
        path for path in folder.rglob("*")
        if path.is_file() and path.resolve() not in taken
        and not any(piece.startswith(".") for piece in path.relative_to(folder).parts)
    )
    return checks.inspect_files(paths, [path.relative_to(folder).as_posix() for path in paths])
