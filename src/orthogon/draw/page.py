"""The one page renderer: a single file that reads well on paper, on a phone, in the dark, and offline."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, is_dataclass
from html import escape
from itertools import groupby
from math import isfinite
from typing import Any, Self

from orthogon.draw.css import CSS
from orthogon.errors import DataError

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


@dataclass
class _Section:
    title: str
    anchor: str
    parts: list[tuple[str, str]] = field(default_factory=list)  # (kind, HTML)

    def render(self) -> str:
        heading = f"<h2>{escape(self.title)}</h2>" if self.title else ""
        label = f' aria-label="{escape(self.title)}"' if self.title else ""
        return f'<section id="{escape(self.anchor)}"{label}>{heading}{self._body()}</section>'

    def _body(self) -> str:
        """Figures that follow each other stand side by side where there is room."""
        pieces = []
        for kind, run in groupby(self.parts, key=lambda part: part[0]):
            html = "".join(part for _, part in run)
            pieces.append(f'<div class="figures">{html}</div>' if kind == "figure" else html)
        return "".join(pieces)


class Page:
    """A page in the making; every method returns the page, so that calls can be chained.

    title: the heading and the name of the tab; subtitle: one line under it; language: the `lang` of the page.
    Titles, notes, captions and texts are escaped; parameters called `html`, `svg` or `table_html` are put in as
    they are and must come from Orthogon's own helpers.
    """

    def __init__(self, title: str, *, subtitle: str = "", language: str = "en") -> None:
        self.title, self.subtitle, self.language = title, subtitle, language
        self._sections: list[_Section] = [_Section("", "summary")]
        self._data: list[str] = []
        self._script = ""
        self._footer = ""

    def section(self, title: str, html: str = "", note: str = "", id: str = "") -> Self:
        """A new section with a heading; what is added next goes into it. note: a line of small print."""
        anchor = self._anchor(id or title)
        self._sections.append(_Section(title, anchor))
        if note:
            self._add("text", f'<p class="note">{escape(note)}</p>')
        return self.html(html) if html else self

    def html(self, html: str) -> Self:
        """HTML of Orthogon's own making, as it is."""
        return self._add("html", html)

    def text(self, text: str) -> Self:
        """Plain text; blank lines separate paragraphs."""
        paragraphs = [part for part in re.split(r"\n\s*\n", text.strip()) if part]
        return self._add("text", "".join(f"<p>{escape(part)}</p>" for part in paragraphs))

    def callout(self, title: str, text: str, tone: str = "info") -> Self:
        """A framed remark. tone: "info", "good", "warning" or "bad"; the title says in words what the color says."""
        if tone not in {"info", "good", "warning", "bad"}:
            raise DataError(f"there is no tone {tone!r}", remedy="Use info, good, warning or bad.")
        body = f"<p>{escape(text)}</p>" if text else ""
        return self._add("html", f'<div class="callout {tone}"><p class="lead">{escape(title)}</p>{body}</div>')

    def cards(self, cards: Sequence[tuple[str, str, str]]) -> Self:
        """Key figures side by side: (label, value, detail) each."""
        items = "".join(
            f'<div class="card"><dt>{escape(label)}</dt>'
            f"<dd><b>{escape(value)}</b><span>{escape(detail)}</span></dd></div>"
            for label, value, detail in cards
        )
        return self._add("html", f'<dl class="cards">{items}</dl>')

    def figure(self, svg: str, caption: str = "", table_html: str | None = None) -> Self:
        """A figure on a white card, its caption, and the numbers behind it folded away in a table."""
        numbers = f"<details><summary>The numbers</summary>{table_html}</details>" if table_html else ""
        return self._figure(svg, caption, numbers, "")

    def _figure(self, picture: str, caption: str, numbers: str, kind: str) -> Self:
        below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
        under = f'<div class="under">{below}{numbers}</div>' if below or numbers else ""
        return self._add("figure", f'<figure{kind}><div class="picture">{picture}</div>{under}</figure>')

    def image(self, data_uri: str, alt: str, caption: str = "") -> Self:
        """A picture from `to_png_data_uri`; alt: what it shows, for those who do not see it."""
        if not data_uri.startswith("data:image/"):
            raise DataError("a page holds its pictures itself", remedy="Make the address with to_png_data_uri.")
        return self._figure(f'<img src="{escape(data_uri)}" alt="{escape(alt)}">', caption, "", ' class="wide"')

    def data(self, obj: Any, id: str = "data") -> Self:
        """An object embedded as JSON for other programs to read; NaN and infinities become null."""
        text = json.dumps(_plain(obj), ensure_ascii=False, separators=(",", ":"))
        for sign in "<>&\u2028\u2029":
            text = text.replace(sign, f"\\u{ord(sign):04x}")
        self._data.append(f'<script type="application/json" id="{escape(id)}">{text}</script>')
        return self

    def script(self, code: str) -> Self:
        """The one script of the page, of Orthogon's own making; the policy names it by its hash and allows no other."""
        self._script = code
        return self

    def footer(self, text: str) -> Self:
        """A line of small print at the end of the page."""
        self._footer = text
        return self

    def render(self) -> str:
        """The whole page as one HTML file: nothing fetched, and no script to run but the one that was given."""
        sections = "".join(section.render() for section in self._sections if section.parts or section.title)
        subtitle = f'<p class="subtitle">{escape(self.subtitle)}</p>' if self.subtitle else ""
        footer = f"<footer><p>{escape(self._footer)}</p></footer>" if self._footer else ""
        script = f"<script>{self._script}</script>" if self._script else ""
        return (
            f'<!doctype html>\n<html lang="{escape(self.language)}"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{self._policy()}">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            '<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">'
            f"<title>{escape(self.title)}</title><style>{CSS}</style></head><body>"
            '<a class="skip" href="#content">Skip to content</a>'
            f"<header><h1>{escape(self.title)}</h1>{subtitle}</header>{self._navigation()}"
            f'<main id="content">{sections}</main>{footer}{"".join(self._data)}{script}</body></html>\n'
        )

    def _policy(self) -> str:
        if not self._script:
            return POLICY
        digest = base64.b64encode(hashlib.sha256(self._script.encode()).digest()).decode("ascii")
        return f"{POLICY}; script-src 'sha256-{digest}'"

    def _repr_html_(self) -> str:
        return html_fragment(self)

    def _navigation(self) -> str:
        named = [section for section in self._sections if section.title]
        if len(named) < 3:
            return ""
        links = "".join(f'<li><a href="#{escape(s.anchor)}">{escape(s.title)}</a></li>' for s in named)
        return f'<nav aria-label="Sections"><ul>{links}</ul></nav>'

    def _add(self, kind: str, html: str) -> Self:
        self._sections[-1].parts.append((kind, html))
        return self

    def _anchor(self, wanted: str) -> str:
        base = re.sub(r"[^\w]+", "-", wanted.lower()).strip("-") or "section"
        taken, anchor, number = {s.anchor for s in self._sections} | {"content", "data"}, base, 2
        while anchor in taken:
            anchor, number = f"{base}-{number}", number + 1
        return anchor


def _plain(obj: Any) -> Any:
    """The object in JSON's own types; anything else by its text."""
    if is_dataclass(obj) and not isinstance(obj, type):
        obj = asdict(obj)
    as_list = getattr(obj, "tolist", None)
    obj = as_list() if as_list else obj
    if isinstance(obj, dict):
        return {str(key): _plain(value) for key, value in obj.items()}
    if isinstance(obj, list | tuple | set | frozenset):
        return [_plain(value) for value in obj]
    if isinstance(obj, float) and not isfinite(obj):
        return None
    return obj if obj is None or isinstance(obj, str | int | float | bool) else str(obj)


def html_fragment(page: Page | str, *, height: int = 640) -> str:
    """A page (or its HTML) as a frame for a notebook: its styles stay inside, and no script runs."""
    html = page.render() if isinstance(page, Page) else page
    style = f"width:100%;height:{int(height)}px;border:1px solid #cbd2d9;border-radius:8px"
    return f'<iframe sandbox="" title="Orthogon page" style="{style}" srcdoc="{escape(html)}"></iframe>'
