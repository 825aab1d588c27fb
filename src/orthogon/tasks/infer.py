"""Which task a target column asks for, and the target brought to the kind that a task needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from orthogon.data.columns import CategoryColumn, Column, DateColumn, LabelsColumn, NumberColumn, TextColumn
from orthogon.data.dataset import Dataset
from orthogon.data.target_columns import BoxColumn, ObjectColumn, PointsColumn
from orthogon.errors import DataError

_TASKS = {"category": "classify", "number": "regress", "labels": "multilabel", "text": "translate", "mask": "segment",
          "object": "localize", "box": "localize", "points": "localize", "tags": "tag"}
SEPARATORS = ("|", ";", ",")


def infer_task(data: Dataset) -> str:
    """"classify" for categories, "regress" for numbers, "multilabel" for labels, "translate" for texts, "segment" for
    masks, "localize" for boxes and points, "tag" for tags of words.

    Labels that mostly occur once, beside one column of text, are texts too. DataError for other targets.

    How few values a number column has plays no part: whether "1, 2, 3" are grades or kinds, only the user knows.
    Reading decides what is a category; `--task classify` turns whole numbers into labels.
    """
    column = data.target_column()
    if column.kind not in _TASKS:
        raise DataError(
            f"no task learns a target of kind {column.kind}", where=f"{data.name}: column {data.target!r}",
            remedy=f"Choose another target, or say what it is: --set 'data.types={{{data.target}: category}}'",
        )
    return "translate" if _pairs_of_texts(data, column) else _TASKS[column.kind]


def _pairs_of_texts(data: Dataset, column: Column) -> bool:
    """Whether labels are as good as all different, beside one column of text."""
    if not isinstance(column, CategoryColumn) or [each.kind for each in data.inputs.values()] != ["text"]:
        return False
    return len(column.levels) > max(100, 0.5 * len(column))


def as_target(data: Dataset, task: str, targets: list[str] | None = None) -> Dataset:
    """The data with its target as that task needs it.

    classify: whole numbers and text become categories; a block of probabilities stays (soft labels).
    regress: categories and text whose values are numbers become numbers; several target columns become one block.
    localize: a column of boxes, or of points, becomes one of objects.
    translate: labels and dates become texts.
    multilabel: several 0/1 columns, a category or text column such as "red|round", or one label each, become labels.
    targets: the names of the columns where there are several. Tasks that are not known here leave the data as it is.
    """
    if targets and len(targets) > 1:
        data = _joined(data, targets, task)
    elif targets:
        data = data.with_target(targets[0])
    convert = _CONVERSIONS.get(task)
    if convert is None:
        return data
    column = data.target_column()
    converted = convert(data, column)
    if converted is column:
        return data
    return replace(data, columns={**data.columns, str(data.target): converted})


def _joined(data: Dataset, targets: list[str], task: str) -> Dataset:
    """Several target columns as one block of numbers, named by the columns joined with '+'."""
    blocks = []
    for name in targets:
        numbers = as_numbers(data.with_target(name), data.with_target(name).target_column())
        blocks.append(np.asarray(numbers.values, dtype=np.float64).reshape(len(data), -1))
    name, values = "+".join(targets), np.concatenate(blocks, axis=1)
    several = task == "multilabel"
    column: Column = LabelsColumn(_zero_one(data, values), targets) if several else NumberColumn(values, targets)
    columns = {key: value for key, value in data.columns.items() if key not in targets}
    return replace(data, columns={**columns, name: column}, target=name)


def is_soft(column: Column) -> bool:
    """Whether it is a block of numbers of which each row is a distribution over classes."""
    if not isinstance(column, NumberColumn) or column.values.ndim != 2 or column.width < 2:
        return False
    values = column.values[~column.missing()]
    return bool(len(values) and (values >= 0).all() and np.allclose(values.sum(axis=1), 1, atol=1e-3))


def soft_labels(column: Column) -> tuple[tuple[str, ...], np.ndarray]:
    """The names of the classes, and the probabilities, summing to 1 exactly."""
    if not isinstance(column, NumberColumn) or not is_soft(column):
        raise DataError("soft labels are a block of probabilities that sum to 1, one for each class")
    names = column.names or tuple(str(k) for k in range(column.width))
    return names, column.values / column.values.sum(axis=1, keepdims=True)


def as_category(data: Dataset, column: Column) -> Column:
    """Labels for classify."""
    if isinstance(column, CategoryColumn) or is_soft(column):
        return column
    if isinstance(column, TextColumn):
        return CategoryColumn.from_values(column.values.tolist())
    if isinstance(column, ObjectColumn) and column.labels is not None:
        return column.labels
    if isinstance(column, NumberColumn) and column.values.ndim == 1:
        values = column.values
        known = values[~np.isnan(values)]
        if (known == np.round(known)).all():
            return CategoryColumn.from_values([None if np.isnan(value) else f"{value:.15g}" for value in values])
        raise _unfit(data, "classify", "it holds numbers that are not whole", "Use --task regress.")
    raise _unfit(data, "classify", f"it is of kind {column.kind}", "Choose a column with one label for each example.")


def as_text(data: Dataset, column: Column) -> TextColumn:
    """Texts for translate."""
    if isinstance(column, TextColumn):
        return column
    if isinstance(column, CategoryColumn):
        return TextColumn([None if missing else column.cell(row) for row, missing in enumerate(column.missing())])
    if isinstance(column, DateColumn):
        return TextColumn([None if missing else str(value) for value, missing in
                           zip(np.datetime_as_string(column.values, unit="D"), column.missing())])
    raise _unfit(data, "translate", f"it is of kind {column.kind}", "Choose a column of texts.")


def as_numbers(data: Dataset, column: Column) -> NumberColumn:
    """Numbers for regress."""
    if isinstance(column, NumberColumn):
        return column
    if isinstance(column, LabelsColumn):
        return NumberColumn(column.values, column.names)
    if isinstance(column, (CategoryColumn, TextColumn)):
        cells = [column.cell(row) or "nan" for row in range(len(column))]
        try:
            return NumberColumn(np.array([float(cell) for cell in cells]))
        except ValueError as error:
            why = f"not all of its values are numbers ({error})"
            raise _unfit(data, "regress", why, "Use --task classify.") from None
    raise _unfit(data, "regress", f"it is of kind {column.kind}", "Choose a column of numbers.")


def as_labels(data: Dataset, column: Column) -> LabelsColumn:
    """Labels for multilabel; an empty cell is unknown in all of them."""
    if isinstance(column, LabelsColumn):
        return column
    if isinstance(column, NumberColumn) and column.values.ndim == 2:
        return LabelsColumn(_zero_one(data, column.values), column.names or [str(k) for k in range(column.width)])
    if isinstance(column, (CategoryColumn, TextColumn)):
        return _parsed(column)
    raise _unfit(data, "multilabel", f"it is of kind {column.kind}",
                 "Give several 0/1 columns, or one with labels such as 'red|round'.")


def as_object(data: Dataset, column: Column) -> ObjectColumn:
    """Objects for localize."""
    if isinstance(column, ObjectColumn):
        return column
    if isinstance(column, BoxColumn):
        return ObjectColumn(boxes=column)
    if isinstance(column, PointsColumn):
        return ObjectColumn(points=column)
    raise _unfit(data, "localize", f"it is of kind {column.kind}",
                 "Give a table with a picture and the columns xmin, ymin, xmax, ymax, or NAME_x and NAME_y of points.")


def _parsed(column: CategoryColumn | TextColumn) -> LabelsColumn:
    cells, missing = [column.cell(row) for row in range(len(column))], column.missing()
    separator = next((mark for mark in SEPARATORS if any(mark in cell for cell in cells)), "|")
    carried = [{part.strip() for part in cell.split(separator)} - {""} for cell in cells]
    names = sorted(set().union(*carried))
    place = {name: k for k, name in enumerate(names)}
    values = np.zeros((len(cells), len(names)), dtype=np.float32)
    for row, labels in enumerate(carried):
        values[row, [place[label] for label in labels]] = 1
    values[missing] = np.nan
    return LabelsColumn(values, names)


def _zero_one(data: Dataset, values: np.ndarray) -> np.ndarray:
    wrong = ~(np.isnan(values) | (values == 0) | (values == 1))
    if wrong.any():
        row, place = np.argwhere(wrong)[0]
        raise _unfit(data, "multilabel", f"row {row} holds {values[row, place]:g} where a label is 1, 0 or empty",
                     "Choose columns of 0 and 1.")
    return values


def _unfit(data: Dataset, task: str, why: str, remedy: str) -> DataError:
    return DataError(f"the target does not fit --task {task}: {why}", where=f"{data.name}: column {data.target!r}",
                     remedy=remedy)


def labelled_rows(data: Dataset) -> np.ndarray:
    """Int64: the rows whose target is known, wholly or for some of several labels."""
    return np.flatnonzero(~data.target_column().missing())


_CONVERSIONS: dict[str, Callable[[Dataset, Column], Column]] = {
    "classify": as_category, "regress": as_numbers, "multilabel": as_labels, "localize": as_object,
    "translate": as_text,
}
