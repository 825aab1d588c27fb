"""Lessons: one source, docs/lessons/NAME.py, as page, notebook and script: `make lessons`.

The source is a script in the percent format: cells begin with `# %%`, cells of text with `# %% [markdown]`; a solution
of an exercise is tagged. It is run once, from start to end; the page shows what each cell prints and draws. A section
opens with an anchor and the rows of docs/coverage.yaml that it covers:

    # <a id="xor"></a><!-- rows: 1.02 1.28 -->

A lesson that needs a public data set which does not come with the software names it: `# <!-- data: mnist -->`.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import chdir, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "lessons"
HEAD = re.compile(r'^# %%(?P<text> \[markdown\])?(?: tags=\["(?P<tag>\w+)"\])?$', re.MULTILINE)
ANCHOR = re.compile(r'<a id="([\w-]+)"></a><!-- rows: ([\d. ]+) -->')
DATA = re.compile(r"^<!-- data: ([\w -]+) -->$", re.MULTILINE)
OUTPUT = re.compile(r"```text\n.*?```\n\n|!\[[^]\n]*\]\([^)\n]*\.svg\)\n\n", re.DOTALL)


@dataclass(frozen=True)
class Cell:
    """source: code, or text without its comment signs. line: where the source begins in the file, from 1."""

    source: str
    line: int
    is_text: bool = False
    tag: str = ""


@dataclass(frozen=True)
class Output:
    """What a cell of code left to see."""

    printed: str = ""
    figure: str = ""


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.py"))


def page_name(name: str) -> str:
    """equations_run -> equations-run: the name of page, notebook and pictures."""
    return name.replace("_", "-")


def read(name: str) -> list[Cell]:
    """The cells of a source; ValueError for anything before the first one."""
    text = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    heads = list(HEAD.finditer(text))
    if text[: heads[0].start()].strip():
        raise ValueError(f"{name}.py does not begin with a cell")
    cells = []
    for head, end in pairwise([*heads, None]):
        assert head is not None  # noqa: S101
        source = text[head.end() : end.start() if end else None].strip("\n").rstrip()
        line = text[: head.end()].count("\n") + 2
        if head["text"]:
            source = "\n".join(each.removeprefix("#").removeprefix(" ") for each in source.splitlines())
        cells.append(Cell(source, line, bool(head["text"]), head["tag"] or ""))
    return cells


def anchors(name: str) -> dict[str, list[str]]:
    """Anchor -> rows."""
    return {anchor: rows.split() for cell in read(name) if cell.is_text for anchor, rows in ANCHOR.findall(cell.source)}


def data_of(name: str) -> list[str]:
    """The public sets that must be fetched before the lesson can run."""
    texts = "\n".join(cell.source for cell in read(name) if cell.is_text)
    return " ".join(DATA.findall(texts)).split()


def execute(name: str, namespace: dict[str, Any] | None = None) -> list[Output]:
    """Run a lesson from start to end, in a folder of its own; what each cell printed and drew."""
    namespace = {"__name__": name} if namespace is None else namespace
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        return [Output() if cell.is_text else _run(cell, FOLDER / f"{name}.py", namespace) for cell in read(name)]


def _run(cell: Cell, path: Path, namespace: dict[str, Any]) -> Output:
    tree = ast.parse("\n" * (cell.line - 1) + cell.source, path)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    printed, value = StringIO(), None
    with redirect_stdout(printed):
        exec(compile(tree, path, "exec"), namespace)  # noqa: S102 - our own lesson
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), path, "eval"), namespace)  # noqa: S307
    figure = value if hasattr(value, "_repr_svg_") else ""
    return Output(printed.getvalue() + (f"{value!r}\n" if value is not None and not figure else ""), str(figure))


def page(name: str, cells: list[Cell], outputs: list[Output]) -> str:
    """Markdown: text and code, and after each cell of code what it printed and its picture."""
    stem = page_name(name)
    parts = [f"<!-- Written by docs/lesson.py from docs/lessons/{name}.py; change that file, then `make lessons`. -->",
             f"*This lesson runs: as a [notebook]({stem}.ipynb) or as a [script]({name}.py).*"]
    for cell, output in zip(cells, outputs, strict=True):
        if cell.is_text:
            parts.append(cell.source)
            continue
        shown = [f"```python\n{cell.source}\n```"]
        shown += [f"```text\n{output.printed.rstrip()}\n```"] if output.printed.strip() else []
        shown += [f"![{title(output.figure)}]({stem}/{slug(output.figure)}.svg)"] if output.figure else []
        if cell.tag == "solution":
            shown = ["<details><summary>A solution</summary>", *shown, "</details>"]
        parts += shown
    return "\n\n".join(parts) + "\n"


def without_outputs(text: str) -> str:
    """A page as it would be if nothing were printed or drawn."""
    return OUTPUT.sub("", text)


def title(figure: str) -> str:
    found = re.search(r"<title>(.*?)</title>", figure)
    assert found  # noqa: S101
    return found[1]


def slug(figure: str) -> str:
    return re.sub(r"\W+", "-", title(figure).lower()).strip("-")


def notebook(cells: list[Cell]) -> str:
    """The cells as a Jupyter notebook (format 4.5) without outputs; solutions are folded."""
    return json.dumps({
        "cells": [_notebook_cell(number, cell) for number, cell in enumerate(cells)],
        "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
                     "language_info": {"name": "python"}},
        "nbformat": 4, "nbformat_minor": 5,
    }, indent=1, ensure_ascii=False) + "\n"  # fmt: skip


def _notebook_cell(number: int, cell: Cell) -> dict[str, Any]:
    folded = {"tags": [cell.tag], "jupyter": {"source_hidden": True}} if cell.tag else {}
    found = {"cell_type": "markdown" if cell.is_text else "code", "id": f"cell-{number}", "metadata": folded,
             "source": cell.source.splitlines(keepends=True)}
    return found if cell.is_text else {**found, "execution_count": None, "outputs": []}


def write(name: str) -> Iterator[Path]:
    """Run the lesson and write page, pictures and notebook; the paths written."""
    cells, outputs, stem = read(name), execute(name), page_name(name)
    shutil.rmtree(FOLDER / stem, ignore_errors=True)
    figures = {FOLDER / stem / f"{slug(each.figure)}.svg": on_paper(each.figure) for each in outputs if each.figure}
    files = {FOLDER / f"{stem}.md": page(name, cells, outputs), FOLDER / f"{stem}.ipynb": notebook(cells), **figures}
    for path, text in files.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        yield path


def on_paper(figure: str) -> str:
    """With a white ground, for pages that are dark."""
    return figure.replace("</title>", '</title><rect width="100%" height="100%" fill="#fff"/>', 1)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for lesson in names():
        for written in write(lesson):
            print(written)
