"""A frame of any origin to typed columns: number, category, text, date, image, labels; inferred or as told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from orthogon.data.columns import CategoryColumn, Column, DateColumn, LabelsColumn, NumberColumn, TextColumn, natural
from orthogon.data.dataset import Finding
from orthogon.errors import DataError, nearest

if TYPE_CHECKING:
    import polars as pl

KINDS = ("number", "category", "text", "image", "date", "ignore")

_DATE_FORMATS = (
    "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y/%m/%d",
    "%Y/%m/%d %H:%M:%S", "%d.%m.%Y", "%d.%m.%Y %H:%M", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f",
)
_AMBIGUOUS_FORMATS = ("%d/%m/%Y", "%m/%d/%Y")
_PICTURE = r"(?i)\.(jpe?g|png|webp)$"
_FEW_LEVELS = 20
_SEVERAL = r"^\d+([,;|] ?\d+)+$"


@dataclass
class Typed:
    """Columns of a table, what was noticed, and which rows stay (pictures that cannot be read may drop some)."""

    columns: dict[str, Column] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    keep: np.ndarray = field(default_factory=lambda: np.ones(0, dtype=bool))


@dataclass(frozen=True)
class Context:
    """What typing must know besides the frame.

    where:   the file or source, for errors.
    folder:  where relative picture paths start; None = no pictures in this table.
    parse:   whether strings may be numbers (CSV) or are what they are (typed sources).
    text:    columns to keep letter for letter.
    target:  the target, which is never free text: classes may be long.
    """

    where: str
    folder: Path | None = None
    parse: bool = False
    text: frozenset[str] = frozenset()
    target: str | None = None
    skip_bad: bool = False
    channels: int | None = None


def type_columns(frame: pl.DataFrame, types: Mapping[str, str], context: Context) -> Typed:
    """Every column of the frame as a Column. DataError for unknown names and kinds, and for values that do not fit."""
    _check_types(frame, types, context)
    out = Typed(keep=np.ones(len(frame), dtype=bool))
    for name in frame.columns:
        kind = "text" if name in context.text else types.get(name)
        if kind == "ignore":
            continue
        series = frame.get_column(name)
        if kind is None and name in ("", "Unnamed: 0") and _counts_rows(series):
            out.findings.append(
                Finding(
                    "index-column", "note", f"the column {name!r} only counts the rows; it was left out",
                    where=context.where, column=name,
                )
            )
            continue
        column = _told(series, kind, context, out) if kind else _inferred(series, context, out)
        out.columns[name or f"column_{frame.columns.index(name) + 1}"] = column
    return out


def _check_types(frame: pl.DataFrame, types: Mapping[str, str], context: Context) -> None:
    for name, kind in types.items():
        if name not in frame.columns:
            raise DataError(f"types name a column {name!r} that does not exist", where=context.where,
                            remedy=nearest(name, frame.columns))
        if kind.partition(":")[0] not in KINDS:
            raise DataError(f"there is no column type {kind!r}", where=f"{context.where}, column {name}",
                            remedy=nearest(kind, KINDS))


def _counts_rows(series: pl.Series) -> bool:
    import polars as pl

    numbers = series.cast(pl.Float64, strict=False)
    if numbers.null_count() or not len(numbers):
        return False
    start = numbers[0]
    return start in (0, 1) and bool((numbers.to_numpy() == start + np.arange(len(numbers))).all())


def _told(series: pl.Series, kind: str, context: Context, out: Typed) -> Column:
    """The column as the kind that the user named; DataError naming the first value that does not fit."""
    import polars as pl

    where = f"{context.where}, column {series.name}"
    kind, _, form = kind.partition(":")
    if kind == "category":
        return category(series)
    if kind == "text":
        return TextColumn(_strings(series).to_list())
    if kind == "image":
        return _pictures(series, context, out)
    if kind == "date":
        moments = _as_date(series, (form,) if form else (*_DATE_FORMATS, *_AMBIGUOUS_FORMATS))
        if moments is None:
            raise DataError("not every value is a date of one format", where=where,
                            remedy='Name the format: types={"…": "date:%d/%m/%Y"}.')
        return DateColumn(moments.to_numpy())
    numbers = series.cast(pl.Float64, strict=False)
    bad = np.flatnonzero((numbers.is_null() & series.is_not_null()).to_numpy())
    if len(bad):
        raise DataError(f"{len(bad):,} values are not numbers, the first is {series[int(bad[0])]!r}",
                        where=f"{where}, row {bad[0]}", remedy="Mend them, or take the column as a category.")
    return NumberColumn(_floats(numbers))


def _inferred(series: pl.Series, context: Context, out: Typed) -> Column:
    import polars as pl

    kind = series.dtype
    if kind.is_numeric() or kind == pl.Null or series.null_count() == len(series):
        numbers = pl.Series(series.name, [None] * len(series), dtype=pl.Float64) if not kind.is_numeric() else series
        return NumberColumn(_floats(numbers))
    if kind in (pl.Categorical, pl.Enum, pl.Boolean):
        return category(series)
    if kind in (pl.Date, pl.Datetime):
        return DateColumn(_moments(series).to_numpy())
    if isinstance(kind, (pl.List, pl.Array)):
        return _listed(series, context)
    if kind != pl.String:
        raise DataError(f"values of type {kind} cannot be learnt from", where=f"{context.where}, column {series.name}",
                        remedy=f'Leave the column out: types={{"{series.name}": "ignore"}}.')
    return _from_strings(series, context, out)


def _from_strings(series: pl.Series, context: Context, out: Typed) -> Column:
    import polars as pl

    present = series.drop_nulls()
    if context.parse:
        numbers = series.cast(pl.Float64, strict=False)
        failed = len(present) - (len(numbers) - numbers.null_count())
        if not failed:
            return NumberColumn(_floats(numbers))
        if failed < len(present) / 2:
            strange = numbers.is_null() & series.is_not_null()
            row = int(np.flatnonzero(strange.to_numpy())[0])
            several = bool(series.filter(strange).str.contains(_SEVERAL).all())
            out.findings.append(
                Finding(
                    "mixed-types", "warning", f"{failed:,} of {len(present):,} values are not numbers; the column was "
                    "read as text or category", where=context.where, row=row, column=series.name,
                    value=str(series[row]), remedy="They hold several numbers: to learn each as a label, say --task "
                    "multilabel." if several else "Mend the values, or write missing ones as an empty field.",
                )
            )
        if (decimal := _decimal_comma(series, present)) is not None:
            return NumberColumn(_floats(decimal))
    if (moments := _as_date(series, _DATE_FORMATS)) is not None:
        return DateColumn(moments.to_numpy())
    if _ambiguous_date(present) is not None:
        moments = _as_date(series, (_ambiguous_date(present) or "",))
        if moments is not None:
            return DateColumn(moments.to_numpy())
    if context.folder is not None and present.head(50).str.contains(_PICTURE).all():
        return _pictures(series, context, out)
    if series.name != context.target and _is_text(present):
        return TextColumn(series.to_list())
    return category(series)


def _is_text(present: pl.Series) -> bool:
    """Few levels are categories; values that are mostly all different, or long, are text."""
    distinct = present.n_unique()
    if distinct <= _FEW_LEVELS:
        return False
    length = float(np.mean(present.str.len_chars().to_numpy()))
    return distinct > len(present) / 2 or (length > 40 and distinct > 100)


def _decimal_comma(series: pl.Series, present: pl.Series) -> pl.Series | None:
    import polars as pl

    if not present.str.contains(r"^[+-]?\d*(,\d+)?$").all():
        return None
    return series.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)


def _as_date(series: pl.Series, formats: tuple[str, ...]) -> pl.Series | None:
    """Datetime[us] by the first format that fits every value, else None."""
    import polars as pl

    if series.dtype in (pl.Date, pl.Datetime):
        return _moments(series)
    if series.dtype != pl.String:
        return None
    sample = series.drop_nulls().head(50)
    if not len(sample) or not sample.str.contains(r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}").all():
        return None
    for form in formats:
        if not sample.str.strptime(pl.Datetime("us"), form, strict=False).null_count():
            moments = series.str.strptime(pl.Datetime("us"), form, strict=False)
            if moments.null_count() == series.null_count():
                return moments
    return None


def _ambiguous_date(present: pl.Series) -> str | None:
    """The one of day/month and month/day that fits all values; None where both do, or neither."""
    fits = [form for form in _AMBIGUOUS_FORMATS if _as_date(present, (form,)) is not None]
    return fits[0] if len(fits) == 1 else None


def _moments(series: pl.Series) -> pl.Series:
    import polars as pl

    if isinstance(series.dtype, pl.Datetime) and series.dtype.time_zone:
        series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return series.cast(pl.Datetime("us"))


def _floats(series: pl.Series) -> np.ndarray:
    """Float64 (n,), null = NaN, in memory of its own."""
    import polars as pl

    return series.cast(pl.Float64).fill_null(float("nan")).to_numpy().copy()


def _strings(series: pl.Series) -> pl.Series:
    """Values as a person writes them: whole floats without their ".0"."""
    import polars as pl

    if series.dtype.is_float() and not (series.drop_nulls() % 1 != 0).any():
        series = series.cast(pl.Int64, strict=False)
    return series.cast(pl.String)


def category(series: pl.Series) -> CategoryColumn:
    """Levels in natural order (those of an Enum or an ordered categorical in its own); null = missing."""
    import polars as pl

    if isinstance(series.dtype, pl.Enum):
        levels = series.dtype.categories.to_list()
    else:
        if series.dtype == pl.Boolean:
            series = series.replace_strict({True: "True", False: "False"}, return_dtype=pl.String)
        series = _strings(series)
        levels = sorted(series.drop_nulls().unique().to_list(), key=natural)
    codes = series.cast(pl.Enum(levels)).to_physical().cast(pl.Int32).fill_null(-1)
    return CategoryColumn(codes.to_numpy(), levels)


def _listed(series: pl.Series, context: Context) -> Column:
    """Lists of numbers of one length as a block; lists of words as labels."""
    import polars as pl

    where = f"{context.where}, column {series.name}"
    inner = series.dtype.inner  # type: ignore[attr-defined]
    rows = series.to_list()
    if inner == pl.String:
        names = sorted({word for row in rows if row for word in row}, key=natural)
        place = {name: i for i, name in enumerate(names)}
        values = np.zeros((len(rows), len(names)), dtype=np.float32)
        for i, row in enumerate(rows):
            if row is None:
                values[i] = np.nan
            else:
                values[i, [place[word] for word in row]] = 1
        return LabelsColumn(values, names)
    lengths = {len(row) for row in rows if row is not None}
    if not inner.is_numeric() or len(lengths) != 1:
        raise DataError("lists must hold words, or numbers of one length in every row", where=where,
                        remedy=f'Leave the column out: types={{"{series.name}": "ignore"}}.')
    width = lengths.pop()
    gap = [float("nan")] * width
    return NumberColumn(np.array([gap if row is None else row for row in rows], dtype=np.float64))


def _pictures(series: pl.Series, context: Context, out: Typed) -> Column:
    """Paths to pictures, relative to the table; those that cannot be read are refused, or drop their rows."""
    from orthogon.data.readers.image_files import image_column

    folder = context.folder or Path()
    paths = [None if value is None else folder / value for value in series.cast(str).to_list()]
    column, findings, good = image_column(
        paths, ids=[str(value) for value in series.to_list()], channels=context.channels, skip_bad=context.skip_bad,
        where=f"{context.where}, column {series.name}",
    )
    out.findings += findings
    out.keep &= good
    return column
