"""The small print of a report: data, speed, recipe and environment, and what the figures do not say."""

from __future__ import annotations

import json
from typing import Any

from orthogon.draw.page import Page
from orthogon.draw.tables import html_table
from orthogon.report.verdict import duration
from orthogon.report.view import View
from orthogon.report.words import folded, listed, sentence

MOST_FINDINGS, MOST_TEXT = 40, 20_000


def data(page: Page, view: View) -> None:
    """Counts, split, origin, licence, citation, traps and findings."""
    about, split = view.result.get("data") or {}, view.result.get("split") or {}
    found = view.result.get("findings") or []
    if not (about or split or found):
        return
    page.section("Data")
    page.text(" ".join(filter(None, (sentence(about), sentence(split), sentence(view.result.get("test"))))))
    if split.get("sizes"):
        page.html(html_table(list(split["sizes"]), [list(split["sizes"].values())]))
    page.html(listed([str(line) for line in split.get("sentences") or []]))
    card = about.get("card") or {}
    named = [[name, card[name]] for name in ("title", "address", "licence", "citation") if card.get(name)]
    if named:
        page.html(html_table(["card", ""], named, align="ll"))
    notes = [str(note) for note in card.get("notes") or []]
    if notes:
        page.html("<h3>What to know before trusting a score on it</h3>" + listed(notes))
    if found:
        page.html(_findings(found))


def _findings(found: list[dict[str, Any]]) -> str:
    order = {"error": 0, "warning": 1, "note": 2}
    ranked = sorted(found, key=lambda one: order.get(str(one.get("severity")), 3))
    rows = [[one.get("severity"), one.get("what"), _place(one), one.get("remedy")] for one in ranked[:MOST_FINDINGS]]
    more = f"; {len(found) - MOST_FINDINGS:,} more are not shown" if len(found) > MOST_FINDINGS else ""
    return html_table(["", "finding", "where", "what to do"], rows, caption=f"What was noticed in the data{more}",
                      align="llll")


def _place(one: dict[str, Any]) -> str:
    row = "" if one.get("row") is None else f"row {one['row']}"
    column = f"column {one['column']}" if one.get("column") else ""
    return ", ".join(part for part in (str(one.get("where") or ""), row, column) if part)


def speed(page: Page, view: View) -> None:
    """How fast it was, and what was decided for speed."""
    found, model = view.result.get("speed") or {}, view.result.get("model") or {}
    if not (found or model):
        return
    page.section("Speed")
    page.cards([card for card in (
        _card("examples a second", found.get("examples_per_second"), "in training"),
        _card("milliseconds a step", found.get("step_ms"), ""),
        _card("steps", found.get("steps"), _seconds(view)),
        _card("parameters", model.get("parameters"), str(model.get("name") or "")),
        _card("multiply-adds", model.get("multiply_adds"), "one example, forward"),
    ) if card])
    page.text(sentence(found))
    page.html(listed([str(reason) for reason in found.get("reasons") or []]))


def _seconds(view: View) -> str:
    seconds = view.result.get("seconds")
    return f"{duration(seconds)} in all" if isinstance(seconds, int | float) else ""


def _card(label: str, value: Any, detail: str) -> tuple[str, str, str] | None:
    return (label, amount(value), detail) if isinstance(value, int | float) else None


def amount(value: float) -> str:
    """A count or a rate, short: "4.22", "5,400", "1.23 M"."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if abs(value) >= size:
            return f"{value / size:.3g} {letter}"
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def recipe(page: Page, view: View) -> None:
    """What repeats the run: the recipe and the environment in full, and which example is where in short."""
    page.section("Recipe and environment")
    if view.run.foreign:
        page.text("Trained elsewhere: the recipe only names the predictions that were read.")
    else:
        path = _escaped(view.run.path / "recipe.yaml")
        verb = _escaped(view.result.get("verb") or "train")
        page.html(f"<p>Run it again: <code>orthogon {verb} --recipe {path}</code></p>")
    path = view.run.path / "recipe.yaml"
    if path.exists():
        page.html(folded("recipe.yaml", path.read_text(encoding="utf-8")))
    for name in ("environment.json", "passport.json"):
        found = view.run.read_json(name)
        if found is not None:
            text = json.dumps(_short(found), indent=1, ensure_ascii=False)
            page.html(folded(name, text[:MOST_TEXT] + ("\n…" if len(text) > MOST_TEXT else "")))


def _short(value: Any) -> Any:
    """Long lists (the ids of every part) by their length."""
    if isinstance(value, dict):
        items = list(value.items())
        kept = {key: _short(each) for key, each in items[:60]}
        return kept if len(items) <= 60 else {**kept, "…": f"{len(items) - 60:,} more"}
    if isinstance(value, list):
        return [_short(each) for each in value] if len(value) <= 20 else f"{len(value):,} entries"
    return value


def _escaped(value: Any) -> str:
    from html import escape

    return escape(str(value))


def limits(page: Page, view: View) -> None:
    """What the figures do not say, in plain words."""
    if view.splits:
        page.section("Limits", listed(limits_of(view)))


def limits_of(view: View) -> list[str]:
    """The sentences of the section: only those that apply to this run."""
    said = ["Intervals are for other examples of the same kind. They do not cover another seed: one network was "
            "trained, and training it again would give a somewhat different score."]
    rows = view.main_rows
    if rows is not None and rows.group is None:
        said.append("No groups were named. Where several examples come from one person, place or page, intervals are "
                    "too narrow and scores may flatter: name the column with --set data.group=…")
    if "train" in view.splits:
        said.append("Scores on train are of examples that the network was fitted to: they show how well it fits, "
                    "not how well it works.")
    if "dev" in view.splits:
        said.append("Dev scores flatter once many runs have been chosen by them.")
    looks = (view.result.get("test") or {}).get("looks")
    if "test" not in view.splits:
        said.append("There is no test score in this report: nothing here checks what was chosen on dev.")
    elif isinstance(looks, int) and looks > 1:
        said.append(f"Test was looked at {looks} times: its score is no longer a clean check.")
    said.append("Data of another origin (another camera, year or place) may give other scores; "
                "no figure here covers that.")
    return said
