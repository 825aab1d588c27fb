"""Of runs without examples: how each figure of what is made went."""

from __future__ import annotations

from orthogon.draw.curves import curves
from orthogon.draw.page import Page
from orthogon.draw.tables import html_table
from orthogon.report.view import View
from orthogon.report.words import first_upper


def parts(page: Page, view: View) -> None:
    """A curve for each figure, over the steps; nothing for runs that learn from examples."""
    if not view.result.get("figures"):
        return
    lines = [line for line in view.metrics if line.get("event") == "epoch" and line.get("dev")]
    page.section("Its parts", note="Read after every look; a jump is where the picture was enlarged.")
    for name in lines[0]["dev"] if lines else ():
        points = [(line["step"], line["dev"].get(name)) for line in lines]
        x, y = [step for step, _ in points], [float("nan") if value is None else value for _, value in points]
        table = html_table(["step", name], [[step, value] for step, value in points[:: -(-len(points) // 12)]])
        if any(value == value for value in y):
            drawn = curves({name: (x, y)}, title=f"{name} by step", x_label="step", y_label=name)
            page.figure(drawn, f"{first_upper(name)}.", table)
