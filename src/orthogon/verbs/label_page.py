"""The page on which labels are reviewed, or audited: one example after another, its label, and what it should be."""

from __future__ import annotations

from typing import Any

import numpy as np

from orthogon.data.columns import ImageColumn, TextColumn
from orthogon.data.dataset import Dataset
from orthogon.draw.images import thumbnails
from orthogon.draw.questionnaire import Item, Questionnaire
from orthogon.draw.tables import format_cell
from orthogon.errors import DataError
from orthogon.strategy.label_review import AS_GIVEN, UNSURE
from orthogon.strategy.labels import LabelQueue

COLUMN = "label"
FIELDS = 24
EACH = 10
"""After so many doubted labels comes one that the models believe."""


def review_page(queue: LabelQueue, examples: Dataset, count: int, name: str) -> Questionnaire:
    """The labels that the models doubt, the least believed first, and among them some that they believe (row 11.12)."""
    doubted = np.flatnonzero(queue.predicted != queue.given)[:count]
    believed = queue.believed(-(-len(doubted) // EACH))
    places = np.insert(doubted, np.arange(EACH, len(doubted) + 1, EACH)[: len(believed)],
                       believed[: len(doubted) // EACH])
    given, suggested = queue.names(queue.given), queue.names(queue.suggested)
    heads = {int(i): f"given: {given[i]}    suggested: {suggested[i]}" for i in places}
    return _page(queue, examples, places, heads, f"Labels to review: {name}", "labels.csv",
                 "The labels that held-out models believe least come first; some that they believe are among them.")


def audit_page(queue: LabelQueue, examples: Dataset, count: int, name: str) -> Questionnaire:
    """Examples drawn evenly, in no order, without what the models say: for the rate of wrong labels."""
    places, given = queue.uniform(count), queue.names(queue.given)
    heads = {int(i): f"given: {given[i]}" for i in places}
    return _page(queue, examples, places, heads, f"Audit of labels: {name}", "audit.csv",
                 f"{len(places):,} examples drawn at random: answer all of them, so that the rate is a fair one.")


def _page(
    queue: LabelQueue, examples: Dataset, places: np.ndarray, heads: dict[int, str], title: str, file: str,
    subtitle: str,
) -> Questionnaire:
    taken = {AS_GIVEN, UNSURE} & set(queue.classes)
    if taken:
        raise DataError(f"a class is called {taken.pop()!r}, which is an answer of the page", where=title,
                        remedy="Give the class another name.")
    if not len(places):
        raise DataError("no label is doubted: there is nothing to review", where=title,
                        remedy="Draw some at random: orthogon labels --audit 200")
    row_of = {each: row for row, each in enumerate(examples.ids.tolist())}
    rows = np.array([row_of[str(queue.ids[i])] for i in places])
    seen = sights(examples, rows)
    items = tuple(
        Item(id=str(queue.ids[i]), heading=heads[int(i)], caption=str(queue.part[i]), **seen[at])
        for at, i in enumerate(places)
    )
    return Questionnaire(title, items, (AS_GIVEN, *queue.classes, UNSURE), file, COLUMN, subtitle=subtitle,
                         question="Is the label right? If not: which?")


def sights(examples: Dataset, rows: np.ndarray) -> list[dict[str, Any]]:
    """What a person sees of each example: the parts of an Item that stand for its pictures, its text and its values."""
    seen: list[dict[str, Any]] = [{"pictures": (), "text": "", "values": ()} for _ in rows]
    for name, column in examples.inputs.items():
        if isinstance(column, ImageColumn):
            for each, uri in zip(seen, thumbnails(column.cell(int(row)) for row in rows)):
                each["pictures"] += (uri,)
        elif isinstance(column, TextColumn):
            for each, row in zip(seen, rows):
                each["text"] += ("\n\n" if each["text"] else "") + column.cell(int(row))
        else:
            for each, row in zip(seen, rows):
                value = column.cell(int(row))
                if len(each["values"]) < FIELDS and not isinstance(value, np.ndarray):
                    each["values"] += ((name, format_cell(value)),)
    return seen
