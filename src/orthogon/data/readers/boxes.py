"""Boxes and points of a table of pictures: found by the names of their columns, checked against the pictures' sizes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from orthogon.data.columns import CategoryColumn, Column, ImageColumn, NumberColumn, TextColumn
from orthogon.data.dataset import Finding
from orthogon.data.geometry import box_from_center
from orthogon.data.target_columns import BoxColumn, ObjectColumn, PointsColumn
from orthogon.errors import DataError

OBJECT = "object"
"""The column that the object of each picture becomes, where the user names none."""

CORNERS = (("xmin", "ymin", "xmax", "ymax"), ("x1", "y1", "x2", "y2"), ("left", "top", "right", "bottom"),
           ("x_min", "y_min", "x_max", "y_max"))
SIDES = (("x", "y", "width", "height"), ("x", "y", "w", "h"), ("left", "top", "width", "height"))
CENTERS = (("cx", "cy", "w", "h"), ("cx", "cy", "width", "height"), ("x_center", "y_center", "width", "height"),
           ("b_x", "b_y", "b_w", "b_h"))
LABELS = ("label", "class", "category")

SLACK = 1.0
"""Pixels that a box or a point may lie outside of its picture: it is clipped and counted; more is refused."""

_SHOWN = 10


def with_object(
    columns: Mapping[str, Column], target: str | None, lines: np.ndarray, where: str, skip_bad: bool
) -> tuple[dict[str, Column], str | None, list[Finding], np.ndarray]:
    """The columns with boxes, points and class of one object in each picture joined to one `ObjectColumn`.

    target: the column of classes, whose name the object takes; None: "label", "class" or "category", if there is one,
            and the object is called "object".
    lines:  int (n,): where each row stands in its file, for errors.
    Also the target, findings, and bool (n,): rows to keep (all, unless skip_bad). Without a picture, or without boxes
    and points, nothing changes. DataError for boxes that are incomplete, without area, or outside of their picture by
    more than a pixel.
    """
    everything = np.ones(len(lines), dtype=bool)
    pictures = [column for column in columns.values() if isinstance(column, ImageColumn)]
    box, points = box_names(columns), point_names(columns)
    if len(pictures) != 1 or not (box or points):
        return dict(columns), target, [], everything
    if target is not None and target not in LABELS and columns[target].kind not in ("category", "text"):
        return dict(columns), target, [], everything  # a number to predict: what lies beside it is input
    label = target or next((name for name in LABELS if name in columns), None)
    used = {*box, *(f"{name}_{axis}" for name in points for axis in "xy"), *([label] if label else [])}
    check = _Check(pictures[0].sizes, lines, where)
    boxes = BoxColumn(check.boxes(_corners(columns, box, check), box)) if box else None
    places = PointsColumn(check.points(_points(columns, points, check), points), points) if points else None
    labels = _labels(columns[label], label) if label else None
    found = ObjectColumn(boxes, labels, places)
    if labels is not None:
        check.refuse(found.present & labels.missing(), "object-without-class", "an object has no class",
                     np.zeros((len(found), 0)), str(label))
    keep = check.settle(skip_bad)
    kept = {name: column for name, column in columns.items() if name not in used}
    name = target or OBJECT
    return {**kept, name: found}, name, check.findings, keep


def may_hold_objects(names: Sequence[str]) -> bool:
    """Whether columns of those names may be boxes or points."""
    return bool(object_names(names))


def object_names(names: Sequence[str]) -> list[str]:
    """Columns of those names that tell of an object where there is a picture: boxes, points, and its class."""
    points = [name for name in names if name[-2:] in ("_x", "_y") and {f"{name[:-2]}_x", f"{name[:-2]}_y"} <= {*names}]
    found = [*box_names(names), *points]
    return [*found, *(name for name in LABELS if name in names)] if found else []


def box_names(names: Sequence[str] | Mapping[str, Column]) -> tuple[str, ...]:
    """The four columns that are a box, in their order; empty where there are none."""
    return next((four for four in (*CORNERS, *SIDES, *CENTERS) if all(name in names for name in four)), ())


def point_names(columns: Mapping[str, Column]) -> tuple[str, ...]:
    """The names of points that have a column NAME_x and a column NAME_y of numbers, in the order of the columns."""
    found = [match.group(1) for name in columns if (match := re.fullmatch(r"(.+)_x", name))]
    in_box = box_names(columns)
    return tuple(name for name in found
                 if f"{name}_x" not in in_box and isinstance(columns.get(f"{name}_y"), NumberColumn)
                 and isinstance(columns[f"{name}_x"], NumberColumn))


def _corners(columns: Mapping[str, Column], names: tuple[str, ...], check: _Check) -> np.ndarray:
    """Float64 (n, 4), left, top, right, bottom in pixels, of whichever form the columns have."""
    values = check.scaled(_numbers(columns, names), names)
    if names in SIDES:
        return np.concatenate([values[:, :2], values[:, :2] + values[:, 2:]], axis=1)
    return box_from_center(values[:, [0, 1, 3, 2]]) if names in CENTERS else values


def _points(columns: Mapping[str, Column], names: tuple[str, ...], check: _Check) -> np.ndarray:
    values = _numbers(columns, [f"{name}_{axis}" for name in names for axis in "xy"])
    return check.scaled(values, names).reshape(-1, len(names), 2)


def _numbers(columns: Mapping[str, Column], names: Sequence[str]) -> np.ndarray:
    found = []
    for name in names:
        column = columns[name]
        if not isinstance(column, NumberColumn) or column.width != 1:
            raise DataError(f"the column {name!r} of a box holds no numbers but is of kind {column.kind}",
                            remedy="Mend its values; leave all four empty where there is no object.")
        found.append(column.values)
    return np.stack(found, axis=1).astype(np.float64)


def _labels(column: Column, name: str) -> CategoryColumn:
    if isinstance(column, CategoryColumn):
        return column
    if isinstance(column, TextColumn):
        return CategoryColumn.from_values(column.values.tolist())
    if isinstance(column, NumberColumn) and column.width == 1 and (column.values % 1 == 0)[~column.missing()].all():
        return CategoryColumn.from_values([None if np.isnan(value) else int(value) for value in column.values])
    raise DataError(f"the column {name!r} holds no classes but is of kind {column.kind}",
                    remedy="Name the column of classes with --target.")


class _Check:
    """What is wrong with boxes and points, collected over all rows and told at once.

    sizes: (n, 2), height and width of the pictures. lines: (n,), where each row stands in its file.
    """

    def __init__(self, sizes: np.ndarray, lines: np.ndarray, where: str) -> None:
        self.sizes, self.lines, self.where = sizes, lines, where
        self.findings: list[Finding] = []
        self.bad: list[Finding] = []

    def scaled(self, values: np.ndarray, names: Sequence[str]) -> np.ndarray:
        """(n, 2k), x and y in turn, in pixels: where no value is above 1 they are shares of width and height."""
        known = values[~np.isnan(values)]
        if not known.size or known.max() > 1:
            return values
        self.findings.append(Finding("shares", "note", f"no value of {', '.join(names)} is above 1: they were taken as "
                                     "shares of the picture's width and height", where=self.where))
        return values * np.tile(self.sizes[:, ::-1], values.shape[1] // 2)

    def boxes(self, boxes: np.ndarray, names: Sequence[str]) -> np.ndarray:
        """The boxes, clipped to their pictures; what is wrong is noted."""
        column = ", ".join(names)
        unknown = np.asarray(np.isnan(boxes))
        known = np.asarray(~unknown.any(axis=1))
        self.refuse(np.asarray(unknown.any(axis=1) & ~unknown.all(axis=1)), "incomplete-box",
                    "a box is incomplete: give all four values, or none where there is no object", boxes, column)
        clipped = self._clip(boxes.reshape(-1, 2, 2), known, "box", column).reshape(-1, 4)
        with np.errstate(invalid="ignore"):
            flat = known & np.asarray(clipped[:, 2:] <= clipped[:, :2]).any(axis=1)
        self.refuse(flat, "degenerate-box", "a box has no area, or ends before it begins", boxes, column)
        return np.where(known[:, None], clipped, np.nan)

    def points(self, points: np.ndarray, names: Sequence[str]) -> np.ndarray:
        """The points, clipped to their pictures; one with half a place is not known."""
        known = np.asarray(~np.isnan(points).any(axis=2))
        clipped = np.where(known[..., None], points, np.nan)
        return self._clip(clipped, np.asarray(known.any(axis=1)), "point", ", ".join(names))

    def _clip(self, places: np.ndarray, known: np.ndarray, what: str, column: str) -> np.ndarray:
        """(n, k, 2) of x and y within the pictures; those outside by more than the slack are refused."""
        most = self.sizes[:, None, ::-1].astype(np.float64)
        outside = np.nan_to_num(np.maximum(-places, places - most), nan=0.0).max(axis=(1, 2), initial=0.0)
        self.refuse(known & (outside > SLACK + 1e-6), f"{what}-outside", f"a {what} lies outside of its picture",
                    places.reshape(len(places), -1), column)
        little = known & (outside > 1e-3) & (outside <= SLACK + 1e-6)
        if little.any():
            row, told = int(np.argmax(little)), f"{int(little.sum()):,} {'boxes' if what == 'box' else 'points'}"
            self.findings.append(Finding(
                f"{what}-clipped", "warning", f"{told} lay outside of the picture by at most {SLACK:g} pixel and were "
                f"clipped, the first in line {self.lines[row]}", where=self.where, row=row, column=column))
        return np.clip(places, 0.0, most)

    def refuse(self, rows: np.ndarray, kind: str, what: str, values: np.ndarray, column: str) -> None:
        """Note each of those rows as bad, once."""
        told = {finding.row for finding in self.bad}
        for row in np.flatnonzero(rows):
            if row in told or not self.sizes[row].all():  # a picture that cannot be read is told of already
                continue
            value = ", ".join(f"{number:g}" for number in values[row])
            height, width = self.sizes[row]
            self.bad.append(Finding(
                kind, "error", f"{what}{f' ({value}; the picture is {width} wide, {height} high)' if value else ''}",
                where=f"{self.where}, line {self.lines[row]}", row=int(row), column=column, value=value,
                remedy="Mend it, or --skip-bad."))

    def settle(self, skip_bad: bool) -> np.ndarray:
        """Bool (n,): the good rows; DataError that names the first bad ones, unless they are to be left out."""
        keep = np.ones(len(self.lines), dtype=bool)
        if not self.bad:
            return keep
        self.bad.sort(key=lambda finding: finding.row or 0)
        if not skip_bad:
            lines = "\n".join(f"  {finding.where}: {finding.what}" for finding in self.bad[:_SHOWN])
            more = f"\n  and {len(self.bad) - _SHOWN:,} more" if len(self.bad) > _SHOWN else ""
            raise DataError(f"{len(self.bad):,} {'row is' if len(self.bad) == 1 else 'rows are'} wrong:\n{lines}{more}",
                            where=self.where,
                            remedy="Mend them, or leave them out with --skip-bad (skip_bad=True).")
        keep[np.array([finding.row for finding in self.bad])] = False
        self.findings += self.bad
        return keep
