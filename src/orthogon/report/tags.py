"""Which tags are taken for which, word by word, and how well each is found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from orthogon import stats
from orthogon.draw import figures
from orthogon.draw.page import Page
from orthogon.draw.tables import html_table
from orthogon.errors import DataError
from orthogon.report.words import interval_cell
from orthogon.stats.estimate import Estimate
from orthogon.tasks.metrics import undefined
from orthogon.train.rows import Rows

if TYPE_CHECKING:
    from orthogon.report.view import View

MOST_IN_MATRIX, MOST_PAIRS = 40, 12
UNKNOWN = "_"


@dataclass(frozen=True)
class TagFacts:
    """names: of the K tags that occur or were predicted. counts: K × K words, rows: truth, columns: prediction.
    precision, recall, f1: of each, with its interval over sentences."""

    names: tuple[str, ...]
    counts: np.ndarray
    precision: tuple[Estimate, ...]
    recall: tuple[Estimate, ...]
    f1: tuple[Estimate, ...]

    def to_dict(self) -> dict[str, Any]:
        """What a report embeds."""
        return {"names": list(self.names), "counts": self.counts.tolist(), **{
            name: [each.to_dict() for each in getattr(self, name)] for name in ("precision", "recall", "f1")}}

    def confused(self) -> list[tuple[str, str, int]]:
        """(true, predicted, words), the most frequent first, at most twelve."""
        off = self.counts - np.diag(np.diag(self.counts))
        order = np.argsort(-off, axis=None, kind="stable")[:MOST_PAIRS]
        places = [divmod(int(place), len(self.names)) for place in order]
        return [(self.names[true], self.names[said], int(off[true, said])) for true, said in places if off[true, said]]


def tag_facts(rows: Rows) -> TagFacts | None:
    """Of rows that count "words": targets and predictions are tags with blanks between. None where there are none.
    Words whose tags are not known are left out. DataError where a prediction has another number of tags."""
    if rows.get("words") is None:
        return None
    truth, said = ([line.split(" ") for line in rows[name]] for name in ("target", "prediction"))
    lengths = np.array([len(line) for line in truth])
    for row in np.flatnonzero(lengths != [len(line) for line in said])[:1]:
        raise DataError(f"{len(said[row]):,} tags were predicted for {lengths[row]:,} words",
                        where=f"{rows.split}: id {rows.ids[row]}", remedy="Give one tag for each word.")
    names, codes = np.unique(_flat(truth) + _flat(said), return_inverse=True)
    if not len(rows) or not len(names):
        return None
    true, guessed = np.split(codes.reshape(-1), 2)
    sentence, known = np.repeat(np.arange(len(rows)), lengths), names[true] != UNKNOWN
    kept = names != UNKNOWN
    true, guessed, sentence, size = true[known], guessed[known], sentence[known], len(names)
    counts = np.bincount(true * size + guessed, minlength=size**2).reshape(size, size)[np.ix_(kept, kept)]
    right, there, predicted = (
        np.bincount(sentence * size + each, weights, minlength=len(rows) * size).reshape(-1, size)[:, kept]
        for each, weights in ((true, 1.0 * (true == guessed)), (true, None), (guessed, None)))
    precision, recall, f1 = (
        tuple(_ratio(*of_tag, rows.group, reason) for of_tag in zip(top.T, bottom.T))
        for top, bottom, reason in (
            (right, predicted, "the tag is never predicted"), (right, there, "the tag does not occur"),
            (2 * right, there + predicted, "the tag neither occurs nor is predicted")))
    return TagFacts(tuple(names[kept].tolist()), counts, precision, recall, f1)


def _flat(lines: Sequence[Sequence[str]]) -> list[str]:
    return [tag for line in lines for tag in line]


def _ratio(top: np.ndarray, bottom: np.ndarray, group: np.ndarray | None, reason: str) -> Estimate:
    """Of sums over the sentences that have any. reason: why it is not defined where none has."""
    there = bottom > 0
    if not there.any():
        return undefined(reason)
    return stats.bootstrap_moments(np.stack([top, bottom], axis=1)[there], lambda means: means[:, 0] / means[:, 1],
                                   groups=None if group is None else group[there], unit="rate")


def tags(page: Page, view: View) -> None:
    """The confusion matrix of tags, the most frequent confusions, and the figures of each tag."""
    found = view.tags
    if found is None:
        return
    words, right = int(found.counts.sum()), int(np.trace(found.counts))
    page.section("Tags", note=f"On {view.main}, {words:,} words.")
    pairs = [list(pair) for pair in found.confused()]
    table = html_table(["true", "predicted", "times"], pairs, caption="The most frequent confusions") if pairs else ""
    off = found.counts - np.diag(np.diag(found.counts))
    busiest = np.sort(np.argsort(-(off.sum(axis=0) + off.sum(axis=1)), kind="stable")[:MOST_IN_MATRIX])
    svg = figures.confusion(found.counts[np.ix_(busiest, busiest)], [found.names[k] for k in busiest],
                            title=f"confusion of tags on {view.main}")
    page.figure(svg, f"Rows are the truth, columns what was predicted. {words - right:,} of {words:,} words are tagged "
                     "wrong.", table)
    rows = []
    for k, name in enumerate(found.names):
        shares = (interval_cell(each[k]) for each in (found.precision, found.recall, found.f1))
        rows.append([name, int(found.counts[k].sum()), int(found.counts[:, k].sum()), *shares])
    page.html(html_table(["tag", "words", "predicted", "precision", "recall", "F1"], rows,
                         caption="Each tag; intervals are over sentences", align="lrrrrr"))
