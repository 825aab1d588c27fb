"""What could be done next: everything that probes, tags, labels and learning curves say, in one ranked list."""

from __future__ import annotations

from typing import Any

from orthogon.draw.page import Page
from orthogon.draw.tables import html_table
from orthogon.report.view import View
from orthogon.strategy.work_list import work_list

TITLE = "What to do next"


def work(page: Page, view: View) -> None:
    """The work list; where nothing was tried yet, the command that tries."""
    found = work_list(view.run)
    if not found.items:
        if view.diagnosis and view.result and not view.result.get("foreign"):
            page.section(TITLE, note="Nothing was tried yet: orthogon probe tries what the verdict calls for, in small "
                         "paired experiments.")
        return
    page.section(TITLE, note="Gains are on the same examples, in pairs. Only what is adopted was confirmed by full "
                 "trainings from a seed that nothing was chosen on.")
    headers, rows = found.cells()
    notes = [item.note for item in found.items]
    page.html(html_table([*headers, ""], [[*row, note] for row, note in zip(rows, notes, strict=True)],
                         align="rlllll"))
    spread = (view.evidence.get("probes") or {}).get("spread")
    if spread:
        page.text(_spread(spread))
    if (view.run.path / "next.yaml").exists():
        page.text(f"The recipe that follows it: orthogon train --recipe {view.run.path / 'next.yaml'}")


def _spread(spread: dict[str, Any]) -> str:
    scale, unit = (100.0, "points") if spread.get("unit") == "rate" else (1.0, str(spread.get("unit") or ""))
    value, low, high = (scale * (spread[key] if spread[key] is not None else float("nan"))
                        for key in ("value", "low", "high"))
    return (f"Two trainings of one recipe from different seeds scatter by {value:.2g} {unit} [{low:.2g}, {high:.2g}] "
            "(standard deviation); the gains above allow for it.")
