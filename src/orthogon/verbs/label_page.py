"""The page on which labels are reviewed, or audited: one example after another, its label, and what it should be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from orthogon.data.dataset import Dataset
from orthogon.draw.questionnaire import Questionnaire
from orthogon.errors import DataError
from orthogon.strategy.label_review import AS_GIVEN, UNSURE
from orthogon.strategy.labels import LabelQueue
from orthogon.verbs.items import items_of, rows_of

COLUMN = "label"
EACH = 10
"""After so many doubted labels comes one that the models believe."""


def review_page(queue: LabelQueue, examples: Dataset, count: int, name: str) -> Questionnaire:
    """The labels that the models doubt, the least believed first, and among them some that they believe (row 11.12)."""
    doubted = np.flatnonzero(queue.predicted != queue.given)[:count]
    believed = queue.believed(-(-len(doubted) // EACH))
    places = np.insert(doubted, np.arange(EACH, len(doubted) + 1, EACH)[: len(believed)],
                       believed[: len(doubted) // EACH])
    given, suggested = queue.names(queue.given), queue.names(queue.suggested)
    heads = {int(i): f"given: {given[i]} · suggested: {suggested[i]}" for i in places}
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
    items = tuple(
        replace(item, heading=heads[int(place)], caption=str(queue.part[place]))
        for item, place in zip(items_of(examples, rows_of(examples, queue.ids[places])), places)
    )
    return Questionnaire(title, items, (AS_GIVEN, *queue.classes, UNSURE), file, COLUMN, subtitle=subtitle,
                         question="Is the label right? If not: which?")
