"""What several networks, or several views of each picture, are worth together."""

from __future__ import annotations

from orthogon.draw.page import Page
from orthogon.draw.tables import html_table
from orthogon.report.view import View, estimate
from orthogon.report.words import difference, first_upper, interval_cell


def ensemble(page: Page, view: View) -> None:
    """Nothing where none was asked for."""
    found = view.evidence.get("ensemble")
    if not found:
        return
    page.section("Together", note=first_upper(str(found["sentence"])) + ".")
    what, gain = found["work"][0]["action"], found["gain"]
    rows = [[name, interval_cell(estimate(alone)), "", ""]
            for name, alone in zip(found["members"], found["alone"], strict=True)]
    told = difference(gain["difference"], gain["low"], gain["high"], gain["unit"] == "rate")
    rows.append([what, interval_cell(estimate(found["together"])), told, found["work"][0]["cost"]])
    page.html(html_table(["", f"{found['metric']} on dev", f"gain over {found['members'][0]}", "cost"], rows,
                         align="lrll"))
