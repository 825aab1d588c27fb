"""`human`: a page on which a person answers what a network is asked, and the error rate of people."""

from __future__ import annotations

import getpass
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from orthogon.data.columns import CategoryColumn
from orthogon.data.dataset import Dataset
from orthogon.data.passport import Passport
from orthogon.draw.questionnaire import Questionnaire, read_answers
from orthogon.errors import DataError, nearest
from orthogon.files import write_atomically
from orthogon.strategy.eyeball import positions, share_seen
from orthogon.strategy.human import HumanLevel, human_level, keep_answers, score_answers
from orthogon.train.run import Run
from orthogon.verbs.compose import compose
from orthogon.verbs.items import items_of
from orthogon.verbs.prepare import Prepared, prepare


@dataclass(frozen=True)
class HumanPage:
    """A page with n examples of a source ("" where the data names none), to be answered by a person.

    target: the column, where it was named.
    """

    page: Path
    data: str
    source: str
    target: str
    n: int

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "page": str(self.page)}

    def __str__(self) -> str:
        from orthogon.verbs.console import labelled

        of = f" of {self.source}" if self.source else ""
        options = f" --source {self.source}" * bool(self.source) + f" --target {self.target}" * bool(self.target)
        return "\n".join([
            labelled("human", f"{self.n:,} examples{of}, drawn at random; none of a test set, none of dev that is "
                              "to stay unseen"),
            labelled("page", str(self.page)),
            labelled("next", f"answer there, then: orthogon human {self.data}{options} --answers answers.csv"),
        ])


def human(
    data: Any = None, *, n: int = 100, source: str | None = None, target: str | None = None,
    answers: str | Path | None = None, who: str | None = None, seed: int = 0,
    options: Mapping[str, Any] | None = None, open: bool = False, root: str | Path = "runs",
) -> HumanPage | HumanLevel:
    """One offline page of n examples whose answers are hidden; or, from the answers, the error rate of people.

    data:    as `og.read` takes it; default: the bundled digits. target: the column to answer. options: how to read, by
             flat key, as `og.train` takes them.
    source:  the distribution; default: the one that the train part comes from.
    answers: the CSV that the page saved. who: who answered; default: the name of the account.
    seed:    which examples are drawn. All who answer the same ones can be held against each other, and vote.
    open:    show the page in the browser. root: the folder of the runs, where page and answers are kept.

    The examples are drawn uniformly from all that is not in a test set, of this split or of a run on this data, and
    not in the part of dev that nobody has looked at. What train and dev of one source ask is equally hard.
    Raises DataError: no classes to answer, unknown source, no such ids or classes, answered before, nothing answered.
    """
    recipe = compose(data, target=target, options=options)[0]
    prepared = prepare(recipe, data)
    classes = _classes(prepared.data)
    chosen = _source(prepared, source)
    key = prepared.passport.content
    if answers is not None:
        said = read_answers(answers)
        scored = score_answers(said, _targets(prepared.data, key), classes)
        keep_answers(root, key, chosen, who or getpass.getuser(), scored)
        level = human_level(root, key, chosen)
        assert level is not None  # noqa: S101 - a line was just added
        return replace(level, left_open=sum(not each for each in said.values()))
    rows = _draw(prepared, Path(root), chosen, n, seed)
    items = tuple(replace(item, id=_hidden(key, item.id)) for item in items_of(prepared.data, rows))
    name = prepared.data.name
    page = Questionnaire(
        f"Human level on {name}", items, classes, "answers.csv", question=f"Which {prepared.data.target}?",
        subtitle=f"{len(items):,} examples{f' of {chosen}' if chosen else ''}, drawn at random. Guess where you are "
                 "not sure: a network must, too.",
    )
    path = Path(root) / ("-".join(filter(None, ("human", name, chosen))).replace("/", "-") + ".html")
    write_atomically(path, page.render())
    if open:
        import webbrowser

        webbrowser.open(path.resolve().as_uri())
    return HumanPage(path, name if data is None else str(recipe.data.source), chosen, target or "", len(items))


def _classes(data: Dataset) -> tuple[str, ...]:
    column = data.target_column()
    if not isinstance(column, CategoryColumn):
        raise DataError("people answer with a class, and this target is none", where=f"{data.name}: {data.target}",
                        remedy="Choose a target of labels; for numbers give --human METRIC=VALUE to diagnose.")
    return column.levels


def _source(prepared: Prepared, source: str | None) -> str:
    """The source that is meant; where none is named, the one that train comes from."""
    of_rows = prepared.data.source
    if of_rows is None:
        if source is not None:
            raise DataError("this data names no sources", where=prepared.data.name, remedy="Leave --source out.")
        return ""
    known = np.unique(of_rows).tolist()
    if source is not None and source not in known:
        raise DataError(f"there is no source {source!r}", where=prepared.data.name, remedy=nearest(source, known))
    of_train = np.unique(of_rows[prepared.passport.rows("train")]).tolist()
    if source is None and len(of_train) > 1:
        raise DataError("the train part comes from several sources", where=prepared.data.name,
                        remedy=f"Say which: --source {' or '.join(of_train)}.")
    return source or of_train[0]


def _hidden(key: str, identity: str) -> str:
    """What stands for the id on the page: the id itself may tell the class, as the folders of pictures do."""
    return hashlib.blake2b(f"{key}\0{identity}".encode(), digest_size=6).hexdigest()


def _targets(data: Dataset, key: str) -> dict[str, str]:
    column = data.target_column()
    return {_hidden(key, identity): column.cell(row) for row, identity in enumerate(data.ids.tolist())}


def _draw(prepared: Prepared, root: Path, source: str, n: int, seed: int) -> np.ndarray:
    """Rows that may be shown, at random. Where a source has too few of them, those of dev that the Eyeball takes first.

    DataError where nothing may be shown.
    """
    data = prepared.data
    shown, first = np.ones(len(data), bool), np.ones(len(data), bool)
    place = positions(data.ids if data.group is None else data.group)
    for passport, share in _splits(prepared, root):
        shown[passport.rows("test")] = first[passport.rows("test")] = False
        dev = passport.rows("dev")
        shown[dev] &= place[dev] < share
        first[dev] &= place[dev] < (share or 0.5)
    if source:
        shown, first = shown & (data.source == source), first & (data.source == source)
    rows = np.flatnonzero(shown)
    if len(rows) < n:
        more = np.flatnonzero(first & ~shown)
        rows = np.concatenate([rows, more[np.argsort(place[more], kind="stable")][: n - len(rows)]])
    if not len(rows):
        raise DataError("every example is in a test set or in the part of dev that stays unseen", where=data.name,
                        remedy="Collect more, or split with a smaller dev and test.")
    return np.random.default_rng(seed).choice(rows, min(n, len(rows)), replace=False)


def _splits(prepared: Prepared, root: Path) -> Iterator[tuple[Passport, float]]:
    """The split that training would choose, and each other one of a run on this data; with the share of dev seen."""
    found: dict[tuple[str | None, str | None], tuple[Passport, float]] = {}
    for run in Run.all(root):
        document = run.read_json("passport.json") or {}
        hashes = document.get("hashes") or {}
        kind = hashes.get("dev"), hashes.get("test")
        if document.get("content") == prepared.passport.content and kind not in found:
            found[kind] = Passport.read(run.path / "passport.json", prepared.data), share_seen(run)
    own = prepared.passport.hashes
    found.setdefault((own.get("dev"), own.get("test")), (prepared.passport, 0.0))
    yield from found.values()
