"""What a person can look at: examples of a run or of a data set as items of a page of questions."""

from __future__ import annotations

from typing import Any

import numpy as np

from orthogon.data.columns import ImageColumn, TextColumn
from orthogon.data.dataset import Dataset
from orthogon.data.display import cell_text
from orthogon.data.text_columns import TokensColumn
from orthogon.draw.images import thumbnails
from orthogon.draw.questionnaire import Item
from orthogon.errors import DataError
from orthogon.report.examples import Draw
from orthogon.serve.bundle import load
from orthogon.train.run import Run
from orthogon.verbs.task_of import task_of

COLUMNS, LETTERS = 24, 4_000
"""Columns of a table that are shown of each example, and letters of a text."""


def data_of(run: Run, source: Any = None) -> Dataset:
    """The data of a run, as it was split; of a model trained elsewhere what its table told of the examples.

    source: the data as an object, where the run was trained on one. DataError where the data is not what it was.
    """
    if (run.read_json("passport.json") or {}).get("foreign"):
        from orthogon.verbs.read_predictions import examples_of

        return examples_of(run)
    from orthogon.verbs.prepare import prepare

    return prepare(run.recipe(), source, run.path / "passport.json").data


def drawing(run: Run, data: Dataset) -> Draw | None:
    """How the run's task draws targets and predictions into pictures of that data; None where it draws nothing."""
    if not task_of(run).legend or run.recipe().model.name is None:
        return None
    network = load(run)

    def draw(rows: np.ndarray, pictures: list[np.ndarray]) -> list[np.ndarray]:
        network.task.attach(data.take(rows), network.device)
        return network.task.drawn(network.model, np.arange(len(rows)), pictures)

    return draw


def rows_of(data: Dataset, ids: np.ndarray) -> np.ndarray:
    """Int (n,): where in the data those ids are; DataError for one that is not there."""
    order = np.argsort(data.ids)
    places = np.searchsorted(data.ids, ids, sorter=order)
    found = order[np.minimum(places, len(order) - 1)]
    strange = np.flatnonzero(data.ids[found] != ids)
    if len(strange):
        raise DataError(f"the example {str(ids[strange[0]])!r} is not in the data", where=data.name,
                        remedy="Give the data that the run was made from.")
    return found


def items_of(data: Dataset, rows: np.ndarray, draw: Draw | None = None) -> tuple[Item, ...]:
    """The examples with their pictures, texts and values, and nothing of their targets but what `draw` draws in."""
    pictures = [thumbnails(draw(rows, cells) if draw else cells)
                for column in data.inputs.values() if isinstance(column, ImageColumn)
                for cells in ([column.cell(int(row)) for row in rows],)]
    texts = [column for column in data.inputs.values() if isinstance(column, TextColumn | TokensColumn)]
    plain = [(str(name), column) for name, column in data.inputs.items()
             if not isinstance(column, ImageColumn | TextColumn | TokensColumn)][:COLUMNS]
    return tuple(
        Item(str(data.ids[row]), tuple(column[number] for column in pictures),
             "\n\n".join(column.cell(int(row))[:LETTERS] for column in texts),
             tuple((name, cell_text(column, int(row))) for name, column in plain))
        for number, row in enumerate(rows)
    )
