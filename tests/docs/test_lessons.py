"""The lessons run from start to end; page, notebook and script are one source; exercises tell right from wrong."""

from __future__ import annotations

import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scripts import DOCS, script

lesson = script("lesson")
NAMES = lesson.names()
pytestmark = pytest.mark.timeout(900)
NEEDS_DATA = (
    pytest.mark.real,
    pytest.mark.skipif(not os.environ.get("ORTHOGON_DATA"), reason="set ORTHOGON_DATA to the public data sets"),
    pytest.mark.timeout(1800),
)
RUN = [pytest.param(name, marks=NEEDS_DATA) if lesson.data_of(name) else name for name in NAMES]


@cache
def ran(name: str) -> tuple[dict[str, Any], list[Any]]:
    """What a lesson leaves: its names, and the output of each cell."""
    names: dict[str, Any] = {"__name__": name}
    return names, lesson.execute(name, names)


def page(name: str) -> str:
    return (DOCS / "lessons" / f"{lesson.page_name(name)}.md").read_text(encoding="utf-8")


def shown_in(name: str) -> list[str]:
    """The figures of the page."""
    return re.findall(r"!\[[^]\n]*\]\(([^)\n]*)\)", page(name))


@pytest.mark.parametrize("name", RUN)
def test_the_lesson_runs_and_says_something_in_each_section(name):
    _, outputs = ran(name)
    said: dict[str, list[Any]] = {}
    section = ""
    for cell, output in zip(lesson.read(name), outputs):
        if cell.is_text:
            section = ([section] + [anchor for anchor, _ in lesson.ANCHOR.findall(cell.source)])[-1]
        else:
            said.setdefault(section, []).extend(each for each in (output.printed.strip(), output.figure) if each)
    said.pop("", None)  # the imports, before the first section
    assert all(said.values()), [section for section, found in said.items() if not found]
    assert {anchor for anchor in lesson.anchors(name) if not anchor.startswith("reading-")} == set(said)


@pytest.mark.parametrize("name", NAMES)
def test_the_page_is_up_to_date_but_for_what_was_printed(name):
    cells = lesson.read(name)
    bare = lesson.page(name, cells, [lesson.Output()] * len(cells))
    assert lesson.without_outputs(page(name)) == bare, f"docs/lessons/{name}.py has changed: make lessons"


@pytest.mark.parametrize("name", RUN)
def test_the_page_shows_each_figure_of_the_lesson_and_no_other(name):
    _, outputs = ran(name)
    assert shown_in(name) == [f"{lesson.page_name(name)}/{lesson.slug(each.figure)}.svg" for each in outputs
                              if each.figure]


@pytest.mark.parametrize("name", NAMES)
def test_the_figures_of_the_page_lie_beside_it_and_no_others(name):
    shown, folder = shown_in(name), DOCS / "lessons" / lesson.page_name(name)
    assert len(set(shown)) == len(shown)
    assert {path.name for path in folder.glob("*")} == {Path(each).name for each in shown}
    assert sum(path.stat().st_size for path in folder.glob("*")) < 750_000


@pytest.mark.parametrize("name", NAMES)
def test_the_notebook_holds_the_cells_of_the_source(name):
    path = DOCS / "lessons" / f"{lesson.page_name(name)}.ipynb"
    assert path.read_text(encoding="utf-8") == lesson.notebook(lesson.read(name))
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    script = (DOCS / "lessons" / f"{name}.py").read_text(encoding="utf-8")
    written = [line for line in script.splitlines() if line.strip()]
    assert [line for line in code.splitlines() if line.strip() and not line.startswith("#")] == \
        [line for line in written if not line.startswith("#")]


@pytest.mark.parametrize("name", NAMES)
def test_each_section_has_an_anchor_with_rows_and_ends_in_code_or_a_list(name):
    text = page(name)
    heads = re.findall(r"^## .*$", text, re.MULTILINE)
    assert len(lesson.anchors(name)) == len(heads)
    sections = re.split(r"^<a id=.*$", text, flags=re.MULTILINE)[1:]
    assert all("```python" in section or "](https://" in section for section in sections)


@pytest.mark.parametrize("name", NAMES)
def test_links_of_the_page_lead_somewhere(name):
    targets = re.findall(r"(?<!!)\[[^]\n]*\]\(([\w./-]+\.\w+)\)", page(name))
    assert len(targets) >= 2
    for target in targets:
        assert (DOCS / "lessons" / target).exists(), target


def test_an_exercise_is_not_passed_until_it_is_solved():
    _, outputs = ran("equations_run")
    by_tag: dict[str, list[str]] = {"exercise": [], "solution": []}
    for cell, output in zip(lesson.read("equations_run"), outputs):
        if cell.tag:
            by_tag[cell.tag].append(output.printed)
    assert len(by_tag["exercise"]) == len(by_tag["solution"]) == 6
    assert all("not yet" in printed and "right" not in printed for printed in by_tag["exercise"])
    assert all("right" in printed and "not yet" not in printed for printed in by_tag["solution"])


@pytest.mark.parametrize("name", ["sigmoid", "dense", "tanh_layer", "logistic_loss", "softmax_loss", "batch_norm"])
@pytest.mark.parametrize("wrong", ["sign", "scale", "last"])
def test_a_wrong_answer_to_an_exercise_fails(name, wrong):
    names, _ = ran("equations_run")
    solution = names[f"{name}_backward"]
    spoilt = {"sign": lambda x: -x, "scale": lambda x: 1.01 * x, "last": lambda x: x * (np.arange(x.size) > 0)
              .reshape(x.shape)}[wrong]

    def answer(d_out: Any, **inputs: Any) -> tuple[Any, ...]:
        found = solution(d_out, **inputs)
        found = found if isinstance(found, tuple) else (found,)
        return (*found[:-1], spoilt(found[-1]))

    names["grade"](name, answer)
    assert not names["graded"][name]
    names["grade"](name, solution)
    assert names["graded"][name]


def test_cells_are_read_and_run_as_written(tmp_path, monkeypatch):
    monkeypatch.setattr(lesson, "FOLDER", tmp_path)
    (tmp_path / "small_talk.py").write_text(
        '# %% [markdown]\n# <a id="a"></a><!-- rows: 1.01 1.02 -->\n# # Title\n'
        '# <!-- data: mnist fashion-mnist -->\n#\n#     indented\n\n'
        '# %%\nx = 1\n\n\nprint("one")\n\n# %% tags=["solution"]\nx + 1\n\n# %% [markdown]\n# end\n')
    cells = lesson.read("small_talk")
    assert [(cell.is_text, cell.tag, cell.line) for cell in cells] == [
        (True, "", 2), (False, "", 9), (False, "solution", 15), (True, "", 18)]
    assert cells[0].source.endswith("-->\n\n    indented")
    assert lesson.anchors("small_talk") == {"a": ["1.01", "1.02"]}
    assert lesson.data_of("small_talk") == ["mnist", "fashion-mnist"]
    outputs = lesson.execute("small_talk")
    assert [output.printed for output in outputs] == ["", "one\n", "2\n", ""]
    list(lesson.write("small_talk"))
    text = (tmp_path / "small-talk.md").read_text()
    assert '```python\nx = 1\n\n\nprint("one")\n```\n\n```text\none\n```' in text
    assert "<details><summary>A solution</summary>\n\n```python\nx + 1\n```\n\n```text\n2\n```\n\n</details>" in text
    assert "```text" not in lesson.without_outputs(text)
