"""The examples of a report: most confused, surest mistakes, worst by loss, each with its picture or record."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from orthogon.draw.page import Page
from orthogon.draw.tables import Raw, format_number, html_table
from orthogon.report.examples import confidence, confident_mistakes, confused, worst
from orthogon.report.view import View
from orthogon.strategy.eyeball import eyeball
from orthogon.train.rows import Rows

STYLE = """<style>
.shots{display:grid;grid-template-columns:repeat(auto-fill,minmax(8.5rem,1fr));gap:.8rem;list-style:none;
margin:.6rem 0 1.2rem;padding:0;max-width:none}
.shots li{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:.6rem;font-size:.85rem;
line-height:1.35;overflow-wrap:anywhere;break-inside:avoid}
.shots .frame{background:#fff;border-radius:6px;height:6.5rem;display:flex;align-items:center;justify-content:center;
margin-bottom:.45rem;overflow:hidden}
.shots img{width:6rem;height:6rem;object-fit:contain}
.shots img.small{image-rendering:pixelated}
.shots li.strip{grid-column:span 3}
.shots .strip img{width:100%}
.shots b{font-weight:620}
.shots .id{color:var(--muted);font-size:.78rem;display:block}
td .record{color:var(--muted);font-size:.85rem;min-width:16rem;display:block}
td .line{white-space:nowrap}
</style>""".replace("\n", "")

SMALL = 48
"""Pixels a side under which a picture is shown with sharp pixels."""


def examples(page: Page, view: View) -> None:
    """Pictures (or records) of the examples that say most, true → predicted with probability."""
    rows = view.main_rows
    if rows is None or len(rows) == 0:
        return
    seen = eyeball(view.run, rows)
    rows = rows.take(seen.inside)
    groups = _groups(rows)
    if not groups:
        return
    unseen = f"{seen.outside.sum():,} more of it are never shown, so that they still tell the truth. "
    legend = str(view.result.get("legend") or "")
    page.section("Examples", note=f"From {view.main}. {unseen if seen.outside.any() else ''}What these have in common "
                                  f"is the next thing to mend. {legend}".strip())
    pictures = any("picture" in view.shown.get(str(rows.ids[row]), {}) for _, found in groups for row in found)
    if pictures:
        page.html(STYLE)
    for title, found in groups:
        body = _shots(view, rows, found) if pictures else _records(view, rows, found)
        page.html(f"<h3>{escape(title)}</h3>{body}")


def _groups(rows: Rows) -> list[tuple[str, list[int]]]:
    """Titles with rows; an example stands under the first title that fits it."""
    seen: set[int] = set()
    pairs = [found for _, found in confused(rows) if len(found) > 1]
    wanted = [("Most frequent confusions", [row for found in pairs for row in found])]
    wanted += [("Surest mistakes", confident_mistakes(rows)), ("Largest loss", worst(rows))]
    groups = []
    for title, found in wanted:
        new = [row for row in found if row not in seen]
        seen.update(new)
        if new:
            groups.append((title, new))
    return groups


def _shots(view: View, rows: Rows, found: Sequence[int]) -> str:
    return '<ul class="shots">' + "".join(_shot(view, rows, row) for row in found) + "</ul>"


def _shot(view: View, rows: Rows, row: int) -> str:
    identity = str(rows.ids[row])
    shown = view.shown.get(identity, {})
    told = said(rows, row)
    picture = str(shown.get("picture") or "")
    image, strip = "", ""
    if picture.startswith("data:image/png;base64,"):
        width, height = _size(picture)
        small = ' class="small"' if max(width, height) < SMALL else ""
        strip = ' class="strip"' if width > 2 * height > 0 else ""
        image = f'<div class="frame"><img{small} src="{escape(picture)}" alt="{escape(identity)}"></div>'
    record = _record_text(shown)
    answer = f"<b>{escape(told[0])}</b> → <b>{escape(told[1])}</b><br>" if rows.answers else ""
    return (f"<li{strip}>{image}{answer}{escape(told[2])}"
            f'{f"<br>{escape(record)}" if record else ""}<span class="id">{escape(identity)}</span></li>')


def _size(picture: str) -> tuple[int, int]:
    """Width and height of a PNG: its bytes 16 to 24; (0, 0) where it is none."""
    import base64

    try:
        header = base64.b64decode(picture.partition(",")[2][:40])
    except ValueError:  # not base64
        return 0, 0
    return int.from_bytes(header[16:20], "big"), int.from_bytes(header[20:24], "big")


def _records(view: View, rows: Rows, found: Sequence[int]) -> str:
    table = []
    for row in found:
        true, predicted, more = said(rows, row)
        record = _record_text(view.shown.get(str(rows.ids[row]), {}))
        identity = str(rows.ids[row])
        kept = Raw(f'<span class="line">{escape(identity)}</span>') if len(identity) < 24 else identity
        answer = [true, predicted] if rows.answers else []
        table.append([kept, *answer, Raw(f'<span class="line">{escape(more)}</span>'),
                      Raw(f'<span class="record">{escape(record)}</span>')])
    return STYLE + html_table(["id", *(["true", "predicted"] if rows.answers else []), "", "record"], table)


def _record_text(shown: dict[str, Any]) -> str:
    record = shown.get("record") or {}
    if len(record) == 1:
        return next(iter(record.values()))
    return "; ".join(f"{name} {value}" for name, value in record.items())


def said(rows: Rows, row: int) -> tuple[str, str, str]:
    """(what is true, what was predicted, how sure it was or how far off); the first two "" without an answer."""
    true, predicted, more = _said(rows, row)
    overlap = rows.get("iou")
    if overlap is None or np.isnan(overlap[row]):
        return true, predicted, more
    return true, predicted, f"{more}; IoU {overlap[row]:.2f}" if rows.classes else f"IoU {overlap[row]:.2f}"


def _said(rows: Rows, row: int) -> tuple[str, str, str]:
    target, prediction = rows["target"], rows["prediction"]
    loss = f"loss {format_number(float(rows['loss'][row]))}"
    if not rows.answers:
        return "", "", loss
    if rows.texts:
        return str(target[row]), str(prediction[row]), loss
    if rows.classes and target.ndim == 1:
        sure = confidence(rows)
        told = loss
        if sure is not None:
            right = target[row] == prediction[row]
            told = f"{100 * sure[row]:.1f} % sure, " + ("right" if right else f"{_of_true(rows, row)} for the truth")
        return rows.classes[int(target[row])], rows.classes[int(prediction[row])], told
    if rows.classes:
        return _labels(rows, target[row]), _labels(rows, prediction[row]), loss
    if rows.get("shares") is not None:  # of the pixels of a picture
        return f"{100 * target[row]:.0f} %", f"{100 * prediction[row]:.0f} %", ""
    off = np.atleast_1d(prediction[row] - target[row])
    told = ", ".join(f"{x:+.4g}" for x in off[:4])
    return _numbers(target[row]), _numbers(prediction[row]), f"off by {told}"


def _of_true(rows: Rows, row: int) -> str:
    p, true = np.asarray(rows["probabilities"]), int(rows["target"][row])
    value = float(p[row, true]) if p.ndim == 2 else float(p[row] if true == 1 else 1 - p[row])
    return f"{100 * value:.1f} %"


def _labels(rows: Rows, values: np.ndarray) -> str:
    return ", ".join(name for name, value in zip(rows.classes, values) if value == 1) or "none"


def _numbers(values: np.ndarray | float) -> str:
    return ", ".join(f"{x:.4g}" for x in np.atleast_1d(values)[:4])
