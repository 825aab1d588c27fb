"""CSV and TSV to a frame of strings, every field blank-stripped; a broken row is named by file and line."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from orthogon.data.dataset import Finding
from orthogon.data.readers.content import bytes_of, place_of
from orthogon.data.readers.options import Options, listing
from orthogon.errors import DataError

if TYPE_CHECKING:
    import polars as pl

SEPARATORS = (",", ";", "\t", "|")
MISSING = ("", "?", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "none", "#N/A")
"""Fields that mean "no value", after blanks are stripped; letter case as listed."""

_NEWLINE, _QUOTE, _RETURN = 10, 34, 13


@dataclass(frozen=True)
class _Layout:
    """Where the rows of a text are: field counts and first line numbers (from 1), blank lines left out."""

    fields: np.ndarray
    lines: np.ndarray
    blank: bool


def read_text(path: Path) -> tuple[str, list[Finding]]:
    """The file's text, unpacked and decoded: UTF-8 (or UTF-16 with its mark), else Windows-1252 with a warning."""
    data = bytes_of(path)
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16"), []
    if b"\0" in data[:4096]:
        raise DataError("this is not a text file: it holds zero bytes", where=str(path))
    try:
        return data.decode().removeprefix("\ufeff"), []
    except UnicodeDecodeError as error:
        line, byte = place_of(error)
        note = Finding(
            "encoding", "warning", f"the file is not UTF-8 (byte {byte:,} of line {line:,} is "
            f"{data[error.start]:#04x}); it was read as Windows-1252", where=str(path), row=line,
            value=repr(data[error.start : error.start + 8]), remedy="Save it as UTF-8 if letters look wrong.",
        )
        return data.decode("cp1252", errors="replace"), [note]


def guess_separator(text: str, path: Path) -> str:
    """The separator that cuts most of the first lines into the same number of fields, and into most fields."""
    if ".tsv" in path.suffixes:
        return "\t"
    lines = [line for line in text[: 1 << 16].splitlines()[:200] if line.strip()]
    bare = [re.sub(r'"[^"]*"', "", line) for line in lines]
    best, best_rank = ",", (0.0, 0)
    for separator in SEPARATORS:
        counts = Counter(line.count(separator) for line in bare)
        fields, share = next(((n, c / len(bare)) for n, c in counts.most_common(1)), (0, 0.0))
        rank = (round(share, 1), fields)
        if fields and rank > best_rank:
            best, best_rank = separator, rank
    return best


def read_delimited(path: Path, options: Options) -> tuple[pl.DataFrame, list[Finding]]:
    """Frame of strings (null = missing) with the column "" for a nameless one; DataError as `read` lists them."""
    text, findings = read_text(path)
    frame, more = parse_text(text, options, path)
    return frame, [*findings, *more]


def parse_text(text: str, options: Options, path: Path) -> tuple[pl.DataFrame, list[Finding]]:
    """`read_delimited` of a text that is already there; `path` is for errors."""
    findings: list[Finding] = []
    if not text.strip():
        raise DataError("the file is empty", where=str(path), remedy="It needs a line of names and lines of values.")
    separator = guess_separator(text, path)
    frame, lines = _frame(text, separator, path, findings)
    frame = _named(frame, options, path, lines)
    return frame, findings


def _frame(text: str, separator: str, path: Path, findings: list[Finding]) -> tuple[pl.DataFrame, np.ndarray]:
    """All rows, the first included, as columns of stripped strings; and the line on which each begins."""
    data = text.encode()
    quoted = '"' in text
    layout = _scan(data, separator, quoted)
    if layout is None:
        literal = _scan(data, separator, quoted=False)
        if literal is None or len(np.unique(literal.fields)) > 1:
            return _by_hand(text, separator, path)
        findings.append(
            Finding(
                "literal-quotes", "note", "quotation marks do not enclose fields here; they were read as letters",
                where=str(path),
            )
        )
        layout, quoted = literal, False
    _refuse_ragged(layout, path)
    return _parse(data, separator, quoted, int(layout.fields[0]), layout.blank), layout.lines


def _scan(data: bytes, separator: str, quoted: bool) -> _Layout | None:
    """Field counts by array arithmetic; None where quotation marks do not open and close at the ends of fields."""
    array = np.frombuffer(data if data.endswith(b"\n") else data + b"\n", np.uint8)
    ends, cuts = array == _NEWLINE, array == ord(separator)
    newlines = np.flatnonzero(ends)
    if quoted:
        marks = np.flatnonzero(array == _QUOTE)
        if len(marks) % 2 or not _enclosing(array, marks, ord(separator)):
            return None
        # Between an opening and a closing mark nothing cuts: parity of the marks seen so far.
        change = np.zeros(len(array), dtype=np.int8)
        change[marks[::2]], change[marks[1::2]] = 1, -1
        outside = np.cumsum(change, dtype=np.int8) == 0
        ends, cuts = ends & outside, cuts & outside
    stops = np.flatnonzero(ends)
    starts = np.concatenate(([0], stops[:-1] + 1))
    per_row = np.diff(np.searchsorted(np.flatnonzero(cuts), stops), prepend=0)
    lengths = stops - starts
    empty = (lengths == 0) | ((lengths == 1) & (array[starts] == _RETURN))
    lines = np.searchsorted(newlines, starts) + 1
    return _Layout(per_row[~empty] + 1, lines[~empty], bool(empty.any()))


def _enclosing(array: np.ndarray, marks: np.ndarray, separator: int) -> bool:
    opening, closing = marks[::2], marks[1::2]
    before = array[np.maximum(opening - 1, 0)]
    after = array[np.minimum(closing + 1, len(array) - 1)]
    edge = (separator, _NEWLINE, _QUOTE)
    return bool((np.isin(before, edge) | (opening == 0)).all() and np.isin(after, (*edge, _RETURN)).all())


def _refuse_ragged(layout: _Layout, path: Path) -> None:
    expected = int(layout.fields[0])
    broken = np.flatnonzero(layout.fields != expected)
    if len(broken):
        row = broken[0]
        more = f"; {len(broken) - 1} more lines are broken" if len(broken) > 1 else ""
        raise DataError(
            f"line {layout.lines[row]} has {layout.fields[row]} fields, expected {expected} as on line "
            f"{layout.lines[0]}{more}",
            where=f"{path}:{layout.lines[row]}",
            remedy="Mend the line (a field that holds the separator needs two quotation marks), or delete it.",
        )


def _parse(data: bytes, separator: str, quoted: bool, fields: int, blank: bool) -> pl.DataFrame:
    import polars as pl

    if blank and not quoted:
        data = re.sub(rb"\n(?:\r?\n)+", b"\n", data).lstrip(b"\r\n")
    frame = pl.read_csv(
        data, separator=separator, quote_char='"' if quoted else None, has_header=False, infer_schema=False,
        new_columns=[f"column_{i + 1}" for i in range(fields)],
    )
    if blank and quoted:
        frame = frame.filter(~pl.all_horizontal(pl.all().fill_null("") == ""))
    return _stripped(frame)


def _by_hand(text: str, separator: str, path: Path) -> tuple[pl.DataFrame, np.ndarray]:
    """Row by row, for files with irregular quotation marks: blanks before an opening one, marks inside fields."""
    import polars as pl

    rows, lines, line = [], [], 1
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=False)
    for row in reader:
        if row:
            rows.append(row)
            lines.append(line)
        line = reader.line_num + 1
    layout = _Layout(np.array([len(row) for row in rows]), np.array(lines), False)
    _refuse_ragged(layout, path)
    names = [f"column_{i + 1}" for i in range(len(rows[0]))]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    return _stripped(frame), layout.lines


def _stripped(frame: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    return frame.with_columns(pl.all().str.strip_chars())


def _named(frame: pl.DataFrame, options: Options, path: Path, lines: np.ndarray) -> pl.DataFrame:
    """The first row taken as names (or none), names checked, and missing markers turned into nulls."""
    import polars as pl

    first = [value or "" for value in frame.row(0)]
    body = frame
    if options.header:
        body = frame.slice(1)
        _refuse_data_as_names(first, body, path, int(lines[0]))
    names = list(options.columns) or (first if options.header else frame.columns)
    if len(names) != frame.width:
        raise DataError(
            f"{len(names)} column names were given, the file has {frame.width} columns", where=str(path),
            remedy="Give one name for each column, or leave the names out.",
        )
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise DataError(
            f"duplicate column names: {listing([repr(name) for name in repeated])}", where=f"{path}:{lines[0]}",
            remedy="Rename them, or give names of your own with --columns.",
        )
    if not len(body):
        raise DataError("there are names but no rows", where=str(path))
    body = body.rename(dict(zip(frame.columns, names)))
    return body.with_columns(pl.when(pl.all().is_in(MISSING)).then(None).otherwise(pl.all()).name.keep())


def _refuse_data_as_names(first: list[str], body: pl.DataFrame, path: Path, line: int) -> None:
    """DataError where the first row is data: numbers, missing marks, or values that its columns have again."""
    numbers = [_number(field) for field in first]
    run = [number for number in numbers if number is not None]
    if len(run) > 1 and run == list(np.arange(run[0], run[0] + len(run))) and run[0] in (0, 1):
        return  # 0, 1, 2, …: the names that frames give to nameless columns
    filled = [i for i, field in enumerate(first) if field]
    # A name may occur once among many texts; a value of a category occurs again and again.
    often = max(1, len(body) // 200)
    like_data = [
        i for i in filled
        if numbers[i] is not None or first[i] in MISSING or (body.to_series(i) == first[i]).sum() >= often
    ]
    if filled and 2 * len(like_data) >= len(filled):
        raise DataError(
            f"the first row looks like data, not like column names: {listing(first, 6)}", where=f"{path}:{line}",
            remedy="If it is data, say --no-header (header=False), with --columns to name the columns; "
            "if these are names, rename them so that they are not numbers or values.",
        )


def _number(field: str) -> float | None:
    try:
        return float(field)
    except ValueError:
        return None
