"""The columns that a trained network takes, as its bundle tells them, and the check of a table's names against them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from orthogon.data.encode import CategoryEncoder, ImageEncoder, NumberEncoder, TextEncoder
from orthogon.data.word_encoders import WordsEncoder
from orthogon.errors import DataError
from orthogon.tasks.encoded import Encoded
from orthogon.train.task import Task

ALWAYS_IGNORED = ("id", "split", "part", "", "Unnamed: 0", "__index_level_0__")
"""Names that training takes for something else than an input, where they are none of the network's columns."""


@dataclass(frozen=True)
class InputColumn:
    """One column.

    kind:   "image", "text", "number", "date", "category" or "tokens".
    width:  how many numbers one value of a block holds; 1 elsewhere.
    levels: of a category, those seen in training; any other is taken as unknown.
    size:   of pictures, (H, W) in pixels, or None where they are taken in their own; channels: 1 or 3; fit: how other
            shapes are brought to that size.
    """

    name: str
    kind: str
    width: int = 1
    levels: tuple[str, ...] = ()
    size: tuple[int, int] | None = None
    channels: int | None = None
    fit: str | None = None


@dataclass(frozen=True)
class Schema:
    """The columns in the order in which arrays without names are read, and names that may be there and are not read."""

    columns: tuple[InputColumn, ...] = ()
    ignored: tuple[str, ...] = field(default=())

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def only(self, kind: str) -> InputColumn | None:
        """The one column that there is, where it is of that kind."""
        return self.columns[0] if len(self.columns) == 1 and self.columns[0].kind == kind else None

    def check_names(self, given: Sequence[str], where: str) -> None:
        """DataError naming the columns that are missing, and those that the network does not know."""
        may_be = {*self.ignored, *ALWAYS_IGNORED}
        counted = [name for name in given if name in self.names or name not in may_be]
        missing = [name for name in self.names if name not in given]
        extra = [name for name in counted if name not in self.names]
        if missing or extra:
            told = [f"missing: {listed(missing)}"] if missing else []
            told += [f"not known: {listed(extra)}"] if extra else []
            raise self.refusal(len(counted), where, "; ".join(told))

    def refusal(self, count: int, where: str, more: str = "") -> DataError:
        """The error for a table of so many columns."""
        return DataError(
            f"{count} {'column' if count == 1 else 'columns'} where the network was trained on {len(self.columns)}"
            + (f"; {more}" if more else ""), where=where,
            remedy=f"It was trained on {listed(self.names)}. Rename columns, or leave those that are not known out.",
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values; what does not apply to a column is left out."""
        empty: tuple[Any, ...] = (None, (), [])
        return {"columns": [{key: value for key, value in asdict(column).items() if value not in empty}
                            for column in self.columns], "ignored": list(self.ignored)}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Schema:
        columns = [{**each, "levels": tuple(each.get("levels", ())), "size": _pair(each.get("size"))}
                   for each in saved["columns"]]
        return cls(tuple(InputColumn(**each) for each in columns), tuple(saved["ignored"]))


def schema_of(task: Task) -> Schema:
    """The schema of a fitted task; one without columns where the task reads its data by itself."""
    if not isinstance(task, Encoded):
        return Schema()
    columns: list[InputColumn] = []
    for encoder in task.inputs.encoders:
        if isinstance(encoder, ImageEncoder):
            size = None if task.whole_pictures else encoder.size
            columns.append(InputColumn(encoder.columns[0], "image", size=size, channels=encoder.channels,
                                       fit=encoder.fit))
        elif isinstance(encoder, TextEncoder):
            columns.append(InputColumn(encoder.columns[0], "text"))
        elif isinstance(encoder, NumberEncoder):
            columns += [InputColumn(source.name, source.kind,
                                    len(source.parts) if source.kind == "number" and source.parts else 1)
                        for source in encoder.sources]
        elif isinstance(encoder, CategoryEncoder):
            columns += [InputColumn(name, "category", levels=levels)
                        for name, levels in zip(encoder.columns, encoder.levels)]
        elif isinstance(encoder, WordsEncoder):
            columns.append(InputColumn(encoder.columns[0], "tokens"))
    return Schema(tuple(columns), _ignored(task))


def _ignored(task: Encoded) -> tuple[str, ...]:
    settings = task.data_settings
    targets = settings.target or []
    named = [settings.group, settings.source_column, settings.weight]
    named += [targets] if isinstance(targets, str) else list(targets)
    named += [name for name, kind in settings.types.items() if kind == "ignore"]
    return tuple(dict.fromkeys([*task.inputs.ignored, *(name for name in named if name)]))


def _pair(size: Any) -> tuple[int, int] | None:
    return None if size is None else (int(size[0]), int(size[1]))


def listed(names: Sequence[str], most: int = 12) -> str:
    """"'a', 'b' and 3 more"."""
    shown = ", ".join(repr(name) for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
