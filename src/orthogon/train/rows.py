"""One row per example and evaluation: what all that comes after training reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from orthogon.files import replaced


@dataclass(frozen=True)
class Rows:
    """Per-example results of one evaluation on one part of the data.

    split:   "train", "train-dev", "dev", "test".
    ids:     str (n,).
    values:  arrays whose first axis is n. Always there: "target", "prediction", "loss". Where the task has them:
             "score" (in [0, 1], 1 = right), "probabilities" (n, K), "weight".
             Classes are codes (int) into `classes`; numbers are floats in the unit of the target; texts are str.
    classes: the names behind the codes; empty for numbers.
    group:   str (n,) or None: intervals then resample groups.
    """

    split: str
    ids: np.ndarray
    values: Mapping[str, np.ndarray]
    classes: tuple[str, ...] = ()
    group: np.ndarray | None = None
    source: np.ndarray | None = field(default=None)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, name: str) -> np.ndarray:
        return self.values[name]

    def get(self, name: str) -> np.ndarray | None:
        return self.values.get(name)

    @property
    def answers(self) -> bool:
        """Whether predictions answer what targets ask. Tasks that learn without labels carry them (int codes without
        names) to be looked at alone."""
        return bool(self.classes) or self.texts or np.asarray(self["target"]).dtype.kind == "f"

    @property
    def texts(self) -> bool:
        """Whether targets and predictions are texts."""
        return np.asarray(self["target"]).dtype.kind in "UO"

    def take(self, index: np.ndarray) -> Rows:
        """The examples at those places (int64, or a mask), in that order."""
        return Rows(
            self.split, self.ids[index], {name: value[index] for name, value in self.values.items()}, self.classes,
            None if self.group is None else self.group[index], None if self.source is None else self.source[index],
        )

    @classmethod
    def join(cls, pieces: Sequence[Rows]) -> Rows:
        """The rows of several evaluations on different examples, one after the other: of folds, for instance."""
        first = pieces[0]

        def joined(values: list[np.ndarray | None]) -> np.ndarray | None:
            return None if any(each is None for each in values) else np.concatenate(values)  # type: ignore[arg-type]

        return cls(
            first.split, np.concatenate([piece.ids for piece in pieces]),
            {name: np.concatenate([piece[name] for piece in pieces]) for name in first.values}, first.classes,
            joined([piece.group for piece in pieces]), joined([piece.source for piece in pieces]),
        )

    def write(self, path: Path) -> None:
        """Parquet, atomically. Codes are written as the names of their classes."""
        import polars as pl

        columns: dict[str, Any] = {"id": self.ids.astype(str), "split": np.full(len(self), self.split)}
        for name, value in self.values.items():
            if self.classes and name in ("target", "prediction") and value.ndim == 1:
                codes = pl.Series(value.astype(np.int64))
                columns[name] = pl.Series(list(self.classes)).gather(codes).cast(pl.Enum(list(self.classes)))
            elif value.ndim == 2:
                columns[name] = pl.Series(name, value).cast(pl.List(pl.Float32))
            else:
                columns[name] = value
        if self.group is not None:
            columns["group"] = self.group.astype(str)
        if self.source is not None:
            columns["source"] = self.source.astype(str)
        with replaced(path) as temporary:
            pl.DataFrame(columns).write_parquet(temporary)

    @classmethod
    def read(cls, path: Path, classes: Sequence[str] = ()) -> Rows:
        """The rows of a parquet file that `write` made; classes as they were given to it."""
        import polars as pl

        frame = pl.read_parquet(path)
        values: dict[str, np.ndarray] = {}
        for name in frame.columns:
            column = frame[name]
            if name in ("id", "split", "group", "source"):
                continue
            if column.dtype == pl.Enum:
                values[name] = column.to_physical().to_numpy().astype(np.int64)
            elif column.dtype == pl.List:
                values[name] = np.array(column.to_list(), dtype=np.float32)
            else:
                values[name] = column.to_numpy()
        return cls(
            split=str(frame["split"][0]) if len(frame) else "",
            ids=frame["id"].to_numpy().astype(str),
            values=values,
            classes=tuple(classes),
            group=frame["group"].to_numpy() if "group" in frame.columns else None,
            source=frame["source"].to_numpy() if "source" in frame.columns else None,
        )
