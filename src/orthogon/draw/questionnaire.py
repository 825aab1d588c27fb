"""One offline page of questions about examples: keys to answer, nothing fetched, the answers saved as a CSV.

Mistakes are tagged on it, human level is measured on it, labels are reviewed on it. A page and the reader of its CSV
stand together, so that both sides agree on one form: a header `id,COLUMN`, a line for each answer, an empty answer
where there is none, and NONE where an example was looked at and no tag fits.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path

from orthogon.draw.page import Page
from orthogon.draw.tables import html_table
from orthogon.errors import DataError

NONE = "none"
"""The answer of an example that was looked at and that no tag fits."""

STYLE = """<style>
.items{list-style:none;margin:0;padding:0;max-width:none}
.item{margin:0 0 1.5rem;padding:0 0 1.5rem;border-bottom:1px solid var(--line)}
.item[hidden],[hidden]{display:none!important}
.sight{display:flex;flex-wrap:wrap;gap:.75rem;justify-content:center;background:#fff;border:1px solid var(--line);
border-radius:12px;padding:1rem}
.sight img{display:block;max-width:100%;max-height:min(46vh,22rem);width:auto;height:auto}
.said{white-space:pre-wrap;overflow-wrap:anywhere;font-size:1.1rem;background:var(--card);max-height:50vh;
border:1px solid var(--line);border-radius:12px;padding:1rem 1.2rem;margin:0 0 .75rem;overflow-y:auto}
.heading{font-weight:620;font-size:1.1rem;margin:.8rem 0 0}
.about{color:var(--muted);margin:.1rem 0 0}
.id{color:var(--muted);font-size:.8rem;margin:.2rem 0 0}
.asking .items{min-height:min(50vh,24rem)}
.asking .item{border:0;padding:0;margin:0}
#desk{position:sticky;bottom:0;background:var(--paper);border-top:1px solid var(--line);margin-top:1rem;
padding:.9rem 0 .6rem}
#desk p{margin:.4rem 0}
.track{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;color:var(--muted);font-size:.9rem;
font-variant-numeric:tabular-nums}
#bar{width:100%;height:.35rem;display:block;appearance:none;border:0;border-radius:1rem;background:var(--line);
overflow:hidden}
#bar::-webkit-progress-bar{background:var(--line)}
#bar::-webkit-progress-value{background:var(--accent)}
#bar::-moz-progress-bar{background:var(--accent)}
#picks{display:flex;flex-wrap:wrap;gap:.45rem;margin:.5rem -3px;max-height:34vh;overflow-y:auto;padding:3px}
button,#typed{font:inherit;color:inherit;background:var(--card);border:1px solid var(--line);border-radius:9px;
padding:.45rem .85rem;min-height:2.6rem;max-width:100%;overflow-wrap:anywhere}
button{cursor:pointer;text-align:left}
button:hover{border-color:var(--accent)}
button:disabled{opacity:.45;cursor:default;border-color:var(--line)}
button[aria-pressed=true]{background:var(--accent);border-color:var(--accent);color:var(--paper)}
button[aria-pressed=true] kbd{color:inherit}
button.first{border-color:var(--accent);box-shadow:0 0 0 1px var(--accent)}
#save.ready{background:var(--good);border-color:var(--good);color:var(--paper)}
kbd{font:.8em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;color:var(--muted);margin-right:.15rem}
.tools{display:flex;flex-wrap:wrap;gap:.45rem;align-items:center}
.tools .gap{flex:1}
#typed-line{display:flex;gap:.45rem;margin:.5rem 0;max-width:24rem}
#typed{flex:1;min-width:0}
#csv{width:100%;height:8rem;font:.85rem ui-monospace,monospace;background:var(--card);color:inherit;
border:1px solid var(--line);border-radius:8px}
@media (hover:none) and (pointer:coarse){kbd,.keys{display:none}}
@media (max-width:480px){.keys{display:none}h1{font-size:1.3rem}.subtitle{font-size:.9rem;margin:.2rem 0 0}
section{margin-top:.8rem;padding-top:.8rem}.sight{padding:.5rem}.sight img,.said{max-height:30vh}
.asking .items{min-height:0}.heading{margin-top:.5rem;font-size:1rem}.about,#desk{font-size:.92rem}
#picks{max-height:26vh}#desk{margin-top:.6rem;padding-top:.6rem}button,#typed{padding:.35rem .6rem}.tools .gap{flex:0}}
@media print{#desk{display:none}}
</style>""".replace("\n", "")


@dataclass(frozen=True)
class Item:
    """One example to look at.

    id:       stands in the CSV. heading, caption: what is said of it, under it.
    pictures: data URIs (`orthogon.draw.images.thumbnails`). text: shown as it is. values: (name, value) pairs.
    """

    id: str
    pictures: tuple[str, ...] = ()
    text: str = ""
    values: tuple[tuple[str, str], ...] = ()
    heading: str = ""
    caption: str = ""


@dataclass(frozen=True)
class Questionnaire:
    """Items, and what may be answered.

    choices: the answers on offer. tags: several of them for one example, and new ones may be added; without it one
             answer each, and the next example comes by itself.
    column:  the name of the answers in the CSV; file: the name under which the page saves it.
    title, subtitle, question: the heading, the line under it, and what is asked.
    """

    title: str
    items: tuple[Item, ...]
    choices: tuple[str, ...]
    file: str
    column: str = "answer"
    tags: bool = False
    subtitle: str = ""
    question: str = ""

    def __post_init__(self) -> None:
        if not self.items:
            raise DataError("there is nothing to ask about", remedy="Give at least one example.")
        if len({item.id for item in self.items}) < len(self.items):
            raise DataError("two examples of the page have the same id", remedy="Give each example once.")

    def render(self) -> str:
        """The page as one HTML file that fetches nothing and runs one script, named by its hash in the policy."""
        script = files("orthogon.draw").joinpath("questionnaire.js").read_text(encoding="utf-8")
        page = Page(self.title, subtitle=self.subtitle).html(STYLE + self._without_script())
        page.html(f'<ol class="items">{"".join(map(_item, self.items))}</ol>{self._desk()}')
        return page.data(self._setup(), id="setup").script(script).render()

    def _setup(self) -> dict[str, object]:
        asked = "\0".join([self.title, self.column, *self.choices, "", *(item.id for item in self.items)])
        key = hashlib.blake2b(asked.encode(), digest_size=12).hexdigest()
        return {"choices": self.choices, "tags": self.tags, "column": self.column, "file": self.file, "none": NONE,
                "keys": self._keys(), "key": key}

    def _keys(self) -> str:
        """What stands for an answer: the name itself (digits), a number or letter, or its beginning, typed."""
        if not self.tags and all(re.fullmatch("[0-9a-tv-z]", name) for name in self.choices):  # u undoes
            return "names"
        return "typing" if not self.tags and len(self.choices) > 9 else "numbers"

    def _without_script(self) -> str:
        offered = ", ".join(self.choices) + (", or words of your own" if self.tags else "")
        empty = f" Write {NONE} where no tag fits." if self.tags else ""
        return (
            '<noscript><div class="callout warning"><p class="lead">Script is off: the answers go into a table by '
            f"hand</p><p>Make a file {escape(self.file)} with the first line id,{escape(self.column)} and a line for "
            f"each answer; the id stands under each example. Answers: {escape(offered)}.{empty}</p></div></noscript>"
        )

    def _desk(self) -> str:
        """What answers are given with; hidden until the script runs."""
        if self.tags:
            keys, typed = "Keys: 1-9 and letters tag, / new tag, Enter or → next, ← back, u undo", "A new tag"
            done = "All looked at. Save the tags."
        else:
            keys = "Keys: as shown on the answers, ← → to look back and ahead, u undo"
            if self._keys() == "typing":
                keys = "Type the beginning, Enter takes the first; ← → to look back and ahead, Backspace undo"
            typed = "Type to find an answer"
            done = "All answered. Save the answers."
        question = f'<p id="question"><b>{escape(self.question)}</b></p>' if self.question else ""
        return (
            f'<div id="desk" hidden><progress id="bar" max="{len(self.items)}" value="0" aria-label="Progress">'
            '</progress><p class="track" aria-live="polite"><span id="place"></span><span id="count"></span>'
            f'<span class="keys">{escape(keys)}</span></p>{question}'
            f'<div id="typed-line"><input id="typed" autocomplete="off" placeholder="{typed}" aria-label="{typed}">'
            '<button type="button" id="add">Add</button></div>'
            '<div id="picks" role="group" aria-label="Answers"></div>'
            f'<div id="done" class="callout good" hidden><p class="lead">{done}</p></div>'
            '<div class="tools"><button type="button" id="back">← Back</button>'
            '<button type="button" id="next">Next →</button><button type="button" id="undo">Undo</button>'
            f'<span class="gap"></span><button type="button" id="save">Save {escape(self.file)}</button></div>'
            '</div><details id="copy" hidden><summary>Or copy the table</summary>'
            '<textarea id="csv" readonly aria-label="The answers as CSV"></textarea></details>'
        )


def _item(item: Item) -> str:
    pictures = "".join(f'<img src="{escape(one)}" alt="{escape(item.heading or item.id)}">' for one in item.pictures)
    parts = [f'<div class="sight">{pictures}</div>' if pictures else ""]
    parts.append(f'<p class="said">{escape(item.text)}</p>' if item.text else "")
    parts.append(html_table(["column", "value"], item.values, align="ll") if item.values else "")
    parts.append(f'<p class="heading">{escape(item.heading)}</p>' if item.heading else "")
    parts.append(f'<p class="about">{escape(item.caption)}</p>' if item.caption else "")
    return f'<li class="item" data-id="{escape(item.id)}">{"".join(parts)}<p class="id">{escape(item.id)}</p></li>'


def read_answers(path: str | Path, column: str = "answer") -> dict[str, tuple[str, ...]]:
    """What such a page saved, or a person wrote by hand: id -> its answers, in order; () where none is given.

    A semicolon may separate too, as spreadsheets write it in some countries. An answer that stands twice counts once.
    Raises DataError: no file, not a table, no column `id` or `column`, no line below the header.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except UnicodeDecodeError:
        raise DataError("not a CSV file in UTF-8", where=str(path), remedy="Save it as CSV (UTF-8).") from None
    header = text.partition("\n")[0]
    separator = ";" if ";" in header and "," not in header else ","
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, restval="")
    absent = [name for name in ("id", column) if name not in (reader.fieldnames or ())]
    if absent:
        raise DataError(f"there is no column {absent[0]!r}", where=str(path),
                        remedy=f"The first line is id,{column}; a page of questions saves such a file.")
    answers: dict[str, tuple[str, ...]] = {}
    for row in reader:
        before, given = answers.get(row["id"], ()), (row[column] or "").strip()
        answers[row["id"]] = (*before, given) if given and given not in before else before
    if not answers:
        raise DataError("there is no answer in it", where=str(path), remedy="Answer on the page, then save.")
    return answers


def unknown_ids(answers: Iterable[str], known: Iterable[str]) -> str:
    """A sentence that names the ids that are not known, the first five of them; "" where all are."""
    strange = sorted(set(answers) - set(known))
    if not strange:
        return ""
    named = ", ".join(repr(one) for one in strange[:5]) + (", …" if len(strange) > 5 else "")
    return f"{len(strange)} id{'s' if len(strange) > 1 else ''} not among the examples asked about: {named}"
