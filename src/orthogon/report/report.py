"""The report of a run: one file that can be read offline, without script, on paper and on a phone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from orthogon.draw.page import Page
from orthogon.files import write_atomically
from orthogon.report import (
    augmentation,
    cards,
    details,
    ensemble,
    gallery,
    health,
    inquiries,
    inside,
    pairs,
    parts,
    representation,
    scores,
    sheets,
    tags,
    verdict,
    work,
)
from orthogon.report.numbers import of_view
from orthogon.report.view import View
from orthogon.report.words import sentence
from orthogon.train.run import Run

Section = Callable[[Page, View], None]

SECTIONS: tuple[Section, ...] = (
    verdict.verdict, verdict.ladder, inquiries.overfitting, work.work, inquiries.targets, scores.metrics,
    ensemble.ensemble, sheets.sheets, parts.parts, scores.training, representation.representation,
    inquiries.learning_curve, health.health, augmentation.augmentation, details.classes, tags.tags, pairs.pairs,
    gallery.examples, inside.inside, inquiries.mistakes, inquiries.blame, inquiries.labels, details.trust,
    inquiries.calibration, inquiries.mismatch,
    cards.data, cards.speed, cards.recipe, cards.limits,
)
"""In the order of the page. Each adds itself, or nothing where the run does not hold what it tells."""


def page_of(run: Run) -> Page:
    """The report as a page, to be rendered or added to."""
    view = View(run)
    page = Page(_title(view), subtitle=_subtitle(view))
    for section in SECTIONS:
        section(page, view)
    return page.data(of_view(view), id="numbers").footer(
        "Made by Orthogon. Intervals are 95 %. Every number of this page is embedded in it as JSON (id “numbers”)."
    )


def render(run: Run) -> str:
    """The report as HTML: the same bits for the same run. Nothing is fetched, and there is no script to run."""
    return page_of(run).render()


def write(run: Run) -> Path:
    """`report.html` in the run, atomically."""
    path = run.path / "report.html"
    write_atomically(path, render(run))
    return path


def _title(view: View) -> str:
    about = view.result.get("data") or {}
    card = about.get("card") or {}
    return str(about.get("title") or card.get("title") or view.run.name)


def _subtitle(view: View) -> str:
    model = (view.result.get("model") or {}).get("name")
    about = sentence(view.result.get("data"))
    parts = [f"Run {view.run.name}", view.task, str(model or ""), about]
    return " · ".join(part for part in parts if part)
