"""`labels`: which labels are probably wrong, what a review of them found, and whether mending them matters."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from orthogon.data import public
from orthogon.data.corrections import read_corrections, write_corrections
from orthogon.data.dataset import Dataset
from orthogon.data.ledger import Ledger
from orthogon.draw.questionnaire import read_answers
from orthogon.errors import DataError, RunError
from orthogon.files import write_atomically
from orthogon.report.report import write as write_report
from orthogon.strategy.label_evidence import document_of, text_of
from orthogon.strategy.label_review import Review, both_versions, review
from orthogon.strategy.labels import LabelQueue, check_held_out, label_queue
from orthogon.train.rows import Rows
from orthogon.train.run import Run
from orthogon.verbs.console import Console
from orthogon.verbs.items import rows_of
from orthogon.verbs.label_page import COLUMN, audit_page, review_page
from orthogon.verbs.out_of_fold import OutOfFold
from orthogon.verbs.prepare import prepare

SMALL, ROUNDS = 5_000, 3
"""Up to so many examples the folds are trained three times, with other seeds, and averaged."""

PARTS = ("train", "train-dev", "dev")


@dataclass(frozen=True)
class Labels:
    """What is known of the labels of a run's data: `document` is the run's evidence "labels".

    page: where to review, or to audit; None where nothing was to be looked at.
    """

    run: Run
    queue: LabelQueue
    document: dict[str, Any]
    page: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        return {"run": str(self.run.path), "page": None if self.page is None else str(self.page), **self.document}

    def __str__(self) -> str:
        place = f"\npage        {self.page}" if self.page else ""
        return text_of(self.document, self.run.name) + place


def labels(
    source: str | Path | Run = "last", *, data: Any = None, test: bool = False, rounds: int | None = None,
    count: int = 200, reviewed: str | Path | None = None, audit: int | None = None,
    audited: str | Path | None = None, corrections: str | Path | None = None, open: bool = False,
    root: str | Path = "runs", quiet: bool = False,
) -> Labels:
    """Wrong labels: a queue to review, a page to do it on, and what the answers say.

    source:   a run (a path, a name under `root`, "last", "last~1"), or data: then a run with 5 folds is trained first.
    data:     the data of a run that was trained on an object.
    test:     test examples as well, by the same process; the look is entered in the ledger.
    rounds:   how often each example is held out, by other folds and seeds; default 3 up to 5,000 examples, else 1.
    count:    how many labels the page shows, the least believed first, and a tenth as many that the models believe.
    reviewed: the CSV that this page saved. audit: make a page of so many examples drawn at random instead, for the
              rate; audited: the CSV that that page saved.
    corrections: a CSV of id, given, corrected: the run's scores on both versions of the labels.
    open:     show the page in the browser.

    Answers stay in the run (`labels/`), with `corrections.csv`, which `data.corrections` applies to a later run.
    Raises RunError (no such run), DataError (no single labels, ids that are not in the queue, unknown classes).
    """
    console = Console(quiet)
    run = _run(source, root, quiet)
    store = Run(run.path / "labels")
    (store.path / "evaluations").mkdir(parents=True, exist_ok=True)
    held_out, examples = _held_out(run, data, test, rounds, store, console)
    queue = label_queue(held_out, _parts(held_out[0], examples))
    answers = {name: _answers(queue, store, name, given)
               for name, given in (("reviewed", reviewed), ("audited", audited))}
    found = [each for answer in answers.values() if answer for each in answer.corrections]
    if found:
        write_corrections(store.path / "corrections.csv", {each.id: each for each in found}.values())
    applied = read_corrections(corrections) if corrections else found
    measured = [run.rows(part) for part in ("dev", "test") if part in run.evaluations()]
    document = document_of(queue, answers["reviewed"], answers["audited"],
                           [both_versions(rows, applied) for rows in measured] if applied else ())
    run.write_evidence("labels", document)
    write_report(run)
    page = None
    doubted = bool((queue.predicted != queue.given).any())
    if audit or (doubted and not (reviewed or audited or corrections)):
        page = store.path / ("audit.html" if audit else "review.html")
        asked = audit_page(queue, examples, audit, run.name) if audit else review_page(queue, examples, count, run.name)
        write_atomically(page, asked.render())
        if open:
            import webbrowser

            webbrowser.open(page.resolve().as_uri())
    return Labels(run, queue, document, page)


def _run(source: str | Path | Run, root: str | Path, quiet: bool) -> Run:
    """The run that is named; of data, a run that is trained on it first."""
    try:
        run = Run.open(source, root)
    except RunError:
        if not Path(str(source)).exists() and str(source) not in public.names():
            raise
        from orthogon.verbs.train import train

        run = train(source, out=root, quiet=quiet)
    _ = run.result  # says so where it has not ended
    return run


def _held_out(
    run: Run, data: Any, test: bool, rounds: int | None, store: Run, console: Console
) -> tuple[list[Rows], Dataset]:
    """Rows that their models have not seen, all of the same examples, and the examples themselves.

    A run of predictions alone has its held-out parts; one with folds its out-of-fold rows as dev; for any other the
    folds are trained. What was asked for the last time holds when nothing else is.
    """
    before = store.read_json("asked.json") or {}
    test, rounds = test or before.get("test", False), rounds or before.get("rounds")
    store.write_json("asked.json", {"test": test, "rounds": rounds})
    if run.foreign:
        from orthogon.verbs.read_predictions import examples_of

        parts = [run.rows(part) for part in (*PARTS[1:], *(["test"] if test else [])) if part in run.evaluations()]
        if not parts:
            raise DataError("there are no held-out predictions", where=run.name,
                            remedy="Wrong labels show in predictions for dev, or from folds.")
        for rows in parts:
            check_held_out(rows)
        return [replace(Rows.join(parts), split="held-out")], examples_of(run)
    if "dev" in run.evaluations():
        check_held_out(run.rows("dev"))  # before folds are trained, rather than after
    prepared = prepare(run.recipe(), data, run.path / "passport.json")
    passport = prepared.passport
    examples = replace(prepared.data, part=passport.part_of())
    if passport.folds and not test:
        own, rounds = [run.rows("dev")], rounds or 1
    else:
        own, rounds = [], rounds or (ROUNDS if passport.n <= SMALL else 1)
    if test and passport.test_key:
        Ledger(run.path.parent).record(passport.test_key, run.name, why="labels --test")
    rows = np.sort(np.concatenate([passport.rows(part) for part in (*PARTS, *(["test"] if test else []))]))
    folds = OutOfFold(replace(prepared.data.take(rows), part=None), run.recipe(), len(passport.rows("train")), store)
    return [*own, *(folds.rows(k, console) for k in range(len(own), rounds))], examples


def _parts(rows: Rows, examples: Dataset) -> np.ndarray:
    return np.asarray(examples.part)[rows_of(examples, rows.ids)]


def _answers(queue: LabelQueue, store: Run, name: str, given: str | Path | None) -> Review | None:
    """The review in a file that is given, or that was given before; it is kept in the run."""
    kept = store.path / f"{name}.csv"
    if given is None and not kept.exists():
        return None
    found = review(queue, read_answers(given or kept, COLUMN), str(given or kept))
    if given is not None and Path(given).resolve() != kept.resolve():
        shutil.copyfile(given, kept)
    return found
