"""What the representation of a run is worth, as `orthogon features` has measured it."""

from __future__ import annotations

from typing import Any

from orthogon.draw.curves import curves
from orthogon.draw.page import Page
from orthogon.draw.tables import html_table
from orthogon.report.view import View, estimate
from orthogon.report.words import difference, interval_cell
from orthogon.strategy.representation import WAYS

LINES = {"linear probe": ("linear", "learnt"), "linear, random": ("linear", "random"),
         "neighbors": ("neighbors", "learnt"), "neighbors, random": ("neighbors", "random"),
         "whole network": ("whole", "learnt"), "from scratch": ("whole", "random")}
"""Of the figure."""


def representation(page: Page, view: View) -> None:
    """Right answers by the number of labels, from what was learnt and from random first weights; nothing where it was
    not asked."""
    found = view.evidence.get("features")
    if not found:
        return
    page.section("What the representation is worth", note=str(found["sentence"]))
    uses = found["uses"]
    rows = [[use["labels"], WAYS[use["way"]] + (f" ({use['chosen']})" if use["chosen"] else ""),
             interval_cell(estimate(use["learnt"])), interval_cell(estimate(use["random"])), _gain(use["gain"]),
             "the same" if use["way"] == "whole" else _gain(use["over_scratch"])] for use in uses]
    table = html_table(["labels", "used by", "right", "from random first weights", "gain",
                        "over training from scratch"], rows, align="rlrrrr",
                       caption=f"{found['asked']:,} examples of {found['part']} were asked; gains are paired on them")
    if len({use["labels"] for use in uses}) < 2:
        page.html(table)
        return
    lines = {name: _line(uses, *of) for name, of in LINES.items()}
    svg = curves(lines, title=f"right on {found['part']} by labels", x_label="labels", y_label="right, %", log_x=True)
    page.figure(svg, "Share that is right by the number of labels, from what was learnt and from random first weights "
                "(the whole network: from scratch).", table)


def _line(uses: list[dict[str, Any]], way: str, start: str) -> tuple[list[float], list[float]]:
    mine = [use for use in uses if use["way"] == way]
    return [use["labels"] for use in mine], [100 * use[start]["value"] for use in mine]


def _gain(paired: dict[str, Any]) -> str:
    return difference(paired["difference"], paired["low"], paired["high"], rate=True)
