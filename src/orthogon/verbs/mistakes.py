"""`mistakes`: the mistakes of a run on one page to be looked at and tagged, and what the tags say."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from orthogon.data.dataset import Dataset
from orthogon.draw.questionnaire import Item, Questionnaire, read_answers
from orthogon.errors import RunError
from orthogon.files import write_atomically
from orthogon.report.gallery import said
from orthogon.strategy import slices as slicing
from orthogon.strategy.blame import Blame
from orthogon.strategy.eyeball import Eyeball, draw_eyeball, positions, retire
from orthogon.strategy.eyeball import mistakes as mistakes_of
from orthogon.strategy.facets import facets
from orthogon.strategy.mistakes import CANNOT_TELL, WRONG_LABEL, Tags, tag_mistakes
from orthogon.train.rows import Rows
from orthogon.train.run import Run
from orthogon.verbs.blame import blamed
from orthogon.verbs.items import data_of, drawing, items_of, rows_of
from orthogon.verbs.task_of import task_of

PAGE = "mistakes.html"


@dataclass(frozen=True)
class Mistakes:
    """The page of mistakes, and the slices that were found without looking.

    page: the file; None where there is no mistake to look at. shown: how many mistakes it holds, of those `in_eyeball`.
    examples, share: the Eyeball; blackbox: examples that stay unseen. slices: as kept in `evidence/slices.json`.
    retire: a sentence, where the Eyeball is worn. blame: where the task searches for its outputs, whose fault these
    are, or why that was not asked.
    """

    run: str
    page: Path | None
    shown: int
    in_eyeball: int
    examples: int
    share: float
    blackbox: int
    slices: slicing.Slices
    retire: str
    blame: Blame | str = ""

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "page": None if self.page is None else str(self.page), "slices": self.slices.to_dict(),
                "blame": self.blame if isinstance(self.blame, str) else self.blame.to_dict()}

    def __str__(self) -> str:
        from orthogon.verbs.console import labelled

        unseen = f"{self.blackbox:,} stay unseen (Blackbox)" if self.blackbox else (
            "dev is too small to keep a part of it unseen")
        lines = [labelled("eyeball", f"{self.examples:,} examples, {self.share:.0%} of dev; {unseen}")]
        lines.append(labelled("mistakes", f"{self.shown:,} of the {self.in_eyeball:,} in it" if self.page
                              else "none in it: nothing to look at"))
        lines.append(labelled("slices", str(self.slices)) if not self.slices.slices else f"\n{self.slices}\n")
        if isinstance(self.blame, Blame):
            lines += [labelled("blame", self.blame.sentence), f"\n{self.blame.tables()}\n"]
        elif self.blame:
            lines.append(labelled("blame", self.blame))
        if self.retire:
            lines.append(labelled("warning", self.retire))
        if self.page:
            lines.append(labelled("page", str(self.page)))
            lines.append(labelled("next", f"tag them there, then: orthogon mistakes {self.run} --tags tags.csv"))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from orthogon.draw.tables import html_table

        return html_table(*self.slices.cells(), caption=f"Slices of {self.run}")


def mistakes(
    run: str | Path | Run = "last", *, tags: str | Path | None = None, n: int = 100, share: float | None = None,
    data: Any = None, open: bool = False, root: str | Path = "runs",
) -> Mistakes | Tags:
    """One offline page with mistakes from the Eyeball part of dev, to be tagged by hand; or what the tags say.

    run:   a path, a name under `root`, "last" or "last~1". n: mistakes on the page at most, in random order.
    tags:  the CSV that the page saved: the result is then the table of tags, kept as evidence and in the report.
    share: of dev to look at; default: so much that about a hundred mistakes are in it, at most half, and all of dev
           where half would hold fewer than 20. Once drawn it is the same for all runs on this dev set.
    data:  the data as an object, where the run was trained on one. open: show the page in the browser.

    The rest of dev, the Blackbox, is never shown; slices that stand out are confirmed on it, once (rows 14.18, 14.19).
    Raises RunError (no such run, not finished, no dev), DataError (tags that fit nothing, other data).
    """
    found = Run.open(run, root)
    _ = found.result
    rows = dev_rows(found)
    seen = draw_eyeball(found, rows, share)
    if tags is not None:
        return _tagged(found, tag_mistakes(found, rows, seen, read_answers(tags, "tag")))
    return _page(found, rows, seen, n, data, open)


def dev_rows(run: Run) -> Rows:
    """The rows of dev; RunError where the run has none."""
    if "dev" not in run.evaluations():
        raise RunError("mistakes are read from dev, and this run has no dev rows", where=str(run.path),
                       remedy="Train with a dev part or --folds; test is for the last look only.")
    return run.rows("dev")


def _tagged(run: Run, tags: Tags) -> Tags:
    from orthogon.report.report import write

    run.write_evidence("tags", tags.to_dict())
    write(run)
    return tags


def _page(run: Run, rows: Rows, seen: Eyeball, n: int, source: Any, open: bool) -> Mistakes:
    from orthogon.report.report import write

    data = data_of(run, source)
    slices, blame = _slices(run, rows, seen, data), blamed(run, rows, seen, data)
    write(run)
    wrong = np.flatnonzero(mistakes_of(rows) & seen.inside)
    chosen = wrong[np.argsort(positions(rows.ids[wrong]))][:n]  # at random, so that the first few are a fair sample
    path = run.path / PAGE if len(chosen) else None
    if path:
        items = items_of(data, rows_of(data, rows.ids[chosen]), drawing(run, data))
        write_atomically(path, questionnaire(run, rows, chosen, items, len(wrong), task_of(run).legend).render())
        if open:
            import webbrowser

            webbrowser.open(path.resolve().as_uri())
    return Mistakes(run.name, path, len(chosen), len(wrong), int(seen.inside.sum()), seen.share,
                    int(seen.outside.sum()), slices, retire(rows, seen, run), blame)


def _slices(run: Run, rows: Rows, seen: Eyeball, data: Dataset) -> slicing.Slices:
    """As they were confirmed before, or found now: the Blackbox is asked once."""
    known = run.evidence().get("slices")
    if known is not None:
        return slicing.Slices.from_dict(known)
    found = slicing.find_slices(run.name, rows, seen, facets(data, rows_of(data, rows.ids)))
    run.write_evidence("slices", found.to_dict())
    return found


def questionnaire(run: Run, rows: Rows, chosen: np.ndarray, items: tuple[Item, ...], of: int,
                  legend: str = "") -> Questionnaire:
    """The page: what is true, what was predicted and how surely under each example, and tags to give."""
    told = [said(rows, int(row)) for row in chosen]
    items = tuple(replace(item, heading=f"true {true} → predicted {predicted}", caption=more)
                  for item, (true, predicted, more) in zip(items, told, strict=True))
    before = [tag["name"] for tag in (run.evidence().get("tags") or {}).get("tags", ())]
    return Questionnaire(
        f"Mistakes of {run.name}", items, tuple(dict.fromkeys((WRONG_LABEL, CANNOT_TELL, *before))), "tags.csv", "tag",
        tags=True, question="What made it go wrong?",
        subtitle=f"{len(items):,} of the {of:,} mistakes in the part of dev that may be looked at, in random order"
                 f"{f'. {legend}' if legend else ''}",
    )
