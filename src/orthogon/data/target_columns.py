"""Targets that lie on a picture: a box, named points, and the object that has both and a class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from orthogon.data.columns import CategoryColumn, Column, digest_rows


class BoxColumn(Column):
    """One box in each picture: float32 (n, 4), left, top, right, bottom in pixels of the original; NaN = no object.

    Coordinates are continuous: a box over the upper left pixel alone is (0, 0, 1, 1). That there is no object is known
    of a row of NaN; nothing is missing.
    """

    kind = "box"

    def __init__(self, values: np.ndarray) -> None:
        self.values = np.asarray(values, dtype=np.float32).reshape(-1, 4)

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: np.ndarray) -> BoxColumn:
        return BoxColumn(self.values[rows])

    def missing(self) -> np.ndarray:
        return np.zeros(len(self), dtype=bool)

    @property
    def present(self) -> np.ndarray:
        """Bool (n,): where there is an object."""
        return ~np.isnan(self.values[:, 0])

    def cell(self, row: int) -> str:
        box = self.values[row]
        return "no object" if np.isnan(box[0]) else ", ".join(f"{number:.4g}" for number in box)

    def digests(self) -> np.ndarray:
        return digest_rows(self.values)


class PointsColumn(Column):
    """L named points in each picture: float32 (n, L, 2), x and y in pixels of the original; NaN = not visible.

    names: of the points, in one order for all pictures (row 20.03).
    """

    kind = "points"

    def __init__(self, values: np.ndarray, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.values = np.asarray(values, dtype=np.float32).reshape(-1, len(self.names), 2)

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: np.ndarray) -> PointsColumn:
        return PointsColumn(self.values[rows], self.names)

    def missing(self) -> np.ndarray:
        return np.asarray(np.isnan(self.values).all(axis=(1, 2)))

    def cell(self, row: int) -> str:
        places = [f"{name} {x:.4g}, {y:.4g}" for name, (x, y) in zip(self.names, self.values[row]) if not np.isnan(x)]
        return "; ".join(places) or "no point"

    def digests(self) -> np.ndarray:
        return digest_rows(self.values)


class ObjectColumn(Column):
    """At most one object in each picture: of a class, in a box, with points on it; any of the three may be left out.

    labels: its class; None: all objects are of one. boxes: None: only points are known. points: None: only boxes are.
    Where there is no object, the box and all points are NaN and the label is missing. At least boxes or points are
    there; ValueError otherwise.
    """

    kind = "object"

    def __init__(self, boxes: BoxColumn | None = None, labels: CategoryColumn | None = None,
                 points: PointsColumn | None = None) -> None:
        if boxes is None and points is None:
            raise ValueError("an object needs its box or its points; give boxes, points, or both")
        self.boxes, self.labels, self.points = boxes, labels, points

    @property
    def parts(self) -> tuple[Column, ...]:
        """The columns that are there, in the order label, box, points."""
        return tuple(column for column in (self.labels, self.boxes, self.points) if column is not None)

    def __len__(self) -> int:
        return len(self.parts[-1])

    def take(self, rows: np.ndarray) -> ObjectColumn:
        return ObjectColumn(None if self.boxes is None else self.boxes.take(rows),
                            None if self.labels is None else self.labels.take(rows),
                            None if self.points is None else self.points.take(rows))

    def missing(self) -> np.ndarray:
        return np.zeros(len(self), dtype=bool)

    @property
    def present(self) -> np.ndarray:
        """Bool (n,): where there is an object."""
        if self.boxes is not None:
            return self.boxes.present
        assert self.points is not None  # noqa: S101 - one of the two is there
        return ~self.points.missing()

    def cell(self, row: int) -> str:
        if not self.present[row]:
            return "no object"
        return "; ".join(str(column.cell(row)) for column in self.parts)

    def digests(self) -> np.ndarray:
        return digest_rows(np.stack([column.digests() for column in self.parts], axis=1))
