"""How well people do: answers of annotators, scored and kept beside the runs, by the content of the data.

Human error stands for the Bayes error, so the best that people can do counts (rows 14.06, 14.15): the best annotator,
or the vote of several, where that is better.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from orthogon.errors import DataError, nearest
from orthogon.files import appending
from orthogon.stats import Estimate, rate, wilson

FILE = "human.jsonl"
"""Beside the runs: one line for each page that a person answered."""

TEAM = 3
"""Answers to one example that make a vote."""

Answered = Mapping[str, tuple[str, bool]]
"""Id of an example -> (answer, whether it is right)."""


@dataclass(frozen=True)
class Annotator:
    """One who answered, or the vote of several: the error rate, and so many wrong of so many."""

    who: str
    wrong: int
    n: int

    @property
    def error(self) -> Estimate:
        low, high = wilson(self.wrong, self.n)
        return Estimate(self.wrong / self.n, float(low), float(high), self.n, "Wilson", "rate")


@dataclass(frozen=True)
class HumanLevel:
    """How well people do on one source of one data set.

    source:     "" where the data names none. annotators: each of them. vote: of the examples that at least three
                answered, what most of them said; None without such.
    disagreement: share of examples answered by several on which they differ: a floor of noise in the labels, which no
                model can be blamed for. None without such.
    left_open:  examples of the page just read that were not answered.
    """

    source: str
    annotators: tuple[Annotator, ...]
    vote: Annotator | None
    disagreement: Estimate | None
    left_open: int = 0

    @property
    def best(self) -> Annotator:
        """The lowest upper end of an interval: three right answers do not beat a hundred."""
        return min((*self.annotators, *((self.vote,) if self.vote else ())), key=lambda one: one.error.high)

    def to_dict(self) -> dict[str, Any]:
        lines = [{**asdict(one), "error": one.error.to_dict()} for one in self.annotators]
        vote = None if self.vote is None else {**asdict(self.vote), "error": self.vote.error.to_dict()}
        return {
            "source": self.source, "annotators": lines, "vote": vote, "left_open": self.left_open, "work": [],
            "disagreement": None if self.disagreement is None else self.disagreement.to_dict(),
            "best": {**asdict(self.best), "error": self.best.error.to_dict()},
        }

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """Headers and rows of the table, on the screen and in the report."""
        lines = [[one.who, f"{one.wrong:,} of {one.n:,}", str(one.error)]
                 for one in (*self.annotators, *((self.vote,) if self.vote else ()))]
        return ["who", "wrong", "human error"], lines

    def __str__(self) -> str:
        from orthogon.draw.tables import text_table

        about = [f"best achievable: {self.best.who}, {self.best.error}"]
        if self.disagreement:
            about.append(f"they differ on {self.disagreement} that several answered: a floor of noise in the labels")
        if self.left_open:
            about.append(f"{self.left_open:,} left open: if those are the hard ones, the true rate is higher")
        about.append("orthogon diagnose holds the runs on this data against it")
        return "\n".join([text_table(*self.cells(), align="lrl"), "", *about])

    def _repr_html_(self) -> str:
        from orthogon.draw.tables import html_table

        return html_table(*self.cells(), caption=f"Human level {self.source}".strip())


def score_answers(
    answers: Mapping[str, Sequence[str]], targets: Mapping[str, str], classes: Sequence[str]
) -> dict[str, tuple[str, bool]]:
    """Id -> (answer, whether it is right) of what was answered.

    answers: id -> its answers as read from a page. targets: id -> the right class, of all examples of the data.
    Raises DataError: an id that is not in the data, a class that does not exist, two answers to one, none at all.
    """
    given = {identity: tuple(said) for identity, said in answers.items() if said}
    strange = [identity for identity in given if identity not in targets]
    if strange:
        raise DataError(f"{len(strange)} of {len(given)} ids are not of this data, the first is {strange[0]!r}",
                        where="answers", remedy="Give the data, target and folder of runs that the page was made with.")
    twice = [identity for identity, said in given.items() if len(said) > 1]
    if twice:
        raise DataError(f"{len(twice)} examples have more than one answer, the first is {twice[0]!r}: "
                        + ", ".join(given[twice[0]]), where="answers", remedy="Keep one line for each example.")
    unknown = sorted({said[0] for said in given.values()} - set(classes))
    if unknown:
        raise DataError(f"there is no class {unknown[0]!r}", where="answers", remedy=nearest(unknown[0], list(classes)))
    if not given:
        raise DataError("no example was answered, so there is no rate", where="answers",
                        remedy="Answer on the page, then save.")
    return {identity: (said[0], said[0] == targets[identity]) for identity, said in given.items()}


def keep_answers(root: str | Path, data_key: str, source: str, who: str, answered: Answered) -> None:
    """One more line of `human.jsonl`; DataError where that person answered one of these examples before."""
    line = {"data": data_key, "source": source, "who": who, "when": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "wrong": sum(not right for _, right in answered.values()), "n": len(answered), "answers": answered}
    with appending(Path(root) / FILE) as add:
        before = {identity for kept in _lines(root, data_key) if kept["who"] == who for identity in kept["answers"]}
        again = len(before & set(answered))
        if again:
            raise DataError(f"{who} answered {again:,} of these {len(answered):,} examples before", where="answers",
                            remedy="Another person: --who NAME. Other examples: another --seed for the page.")
        add(json.dumps(line, ensure_ascii=False))


def human_level(root: str | Path, data_key: str, source: str = "") -> HumanLevel | None:
    """What is known of people on that source of that data; None where nobody answered.

    data_key: the content hash of the data set, `passport.json`'s "content". source: "" where it names none.
    """
    of_person: dict[str, dict[str, tuple[str, bool]]] = {}
    for line in _lines(root, data_key):
        if line["source"] == source:
            said = {identity: (answer, bool(right)) for identity, (answer, right) in line["answers"].items()}
            of_person.setdefault(line["who"], {}).update(said)
    if not of_person:
        return None
    people = [_annotator(who, answered) for who, answered in of_person.items()]
    together: dict[str, list[tuple[str, bool]]] = {}
    for identity, said in chain.from_iterable(answered.items() for answered in of_person.values()):
        together.setdefault(identity, []).append(said)
    votes = {identity: _vote(said) for identity, said in together.items() if len(said) >= TEAM}
    differ = [len({answer for answer, _ in said}) > 1 for said in together.values() if len(said) > 1]
    return HumanLevel(source, tuple(people), _annotator(f"vote of {len(people)}", votes) if votes else None,
                      rate(differ) if differ else None)


def human_reference(root: str | Path, data_key: str, source: str = "") -> tuple[int, int] | None:
    """(wrong, n) of the best that people did on that source of that data; None where nobody answered."""
    level = human_level(root, data_key, source)
    return None if level is None else (level.best.wrong, level.best.n)


def _annotator(who: str, answered: Answered) -> Annotator:
    return Annotator(who, sum(not right for _, right in answered.values()), len(answered))


def _vote(said: Sequence[tuple[str, bool]]) -> tuple[str, bool]:
    """The answer of most; without one that more gave than any other, none, which is wrong."""
    ranking = Counter(said).most_common(2)
    tied = len(ranking) > 1 and ranking[0][1] == ranking[1][1]
    return ("", False) if tied else ranking[0][0]


def _lines(root: str | Path, data_key: str) -> list[dict[str, Any]]:
    """Half a line of a killed process is passed over."""
    path, found = Path(root) / FILE, []
    for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            continue
        if line["data"] == data_key:
            found.append(line)
    return found
