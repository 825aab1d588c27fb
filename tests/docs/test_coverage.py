"""What the documents name exists, and the generated ones are up to date."""

from __future__ import annotations

import ast
import re
import shlex
from functools import cache, reduce
from importlib import import_module
from pathlib import Path

import pytest
from scripts import script

ROOT = Path(__file__).parent.parent.parent


def make():
    return script("make")


@cache
def all_rows():
    return [row for area in make().data()["areas"] for row in make().rows(area)]


@cache
def sections() -> dict[str, list[str]]:
    """page#anchor -> rows, of all lessons and of the page of advice."""
    lesson = script("lesson")
    advice = lesson.ANCHOR.findall((ROOT / "docs" / "advice.md").read_text(encoding="utf-8"))
    return {f"{lesson.page_name(name)}#{anchor}": rows
            for name in lesson.names() for anchor, rows in lesson.anchors(name).items()} | {
                f"advice#{anchor}": rows.split() for anchor, rows in advice}


def section_of(name: str) -> str | None:
    """"lesson equations-run#xor" -> "equations-run#xor"; None for a name that is no section."""
    sort, _, place = name.partition(" ")
    return place if sort in ("lesson", "page") else None


@cache
def functions_of(path: Path) -> set[str]:
    return {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}


def exists(name: str) -> bool:
    from orthogon import registry
    from orthogon.cli.main import app
    from orthogon.train.recipe import flat_fields
    from orthogon.verbs.listing import list_names

    sort, _, entry = name.partition(" ")
    if entry and sort in ("task", "model", "optimizer", "schedule"):
        return entry in getattr(registry, f"{sort}s")
    if entry and sort == "verb":
        return entry in {command.name or command.callback.__name__ for command in app.registered_commands}
    if section_of(name):
        return entry in sections()
    if entry and sort == "metric":
        return re.search(rf"\b{entry}\b", str(list_names("metrics"))) is not None
    if ":" in name:
        module, attribute = name.split(":")
        try:
            reduce(getattr, attribute.split("."), import_module(module))
        except (ImportError, AttributeError):
            return False
        return True
    return name in {key for key, _ in flat_fields()}


def test_generated_pages_are_up_to_date():
    for path, text in make().pages().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is stale: make docs"


def test_rows_are_numbered_without_gaps():
    for area in make().data()["areas"]:
        number = area["title"].split()[0]
        found = [row.number for row in make().rows(area)]
        assert found == [f"{number}.{k:02d}" for k in range(1, len(found) + 1)]


def test_every_public_name_exists():
    wrong = {(row.number, name) for row in all_rows() for name in row.names if not exists(name)}
    assert not wrong
    assert not exists("model resnet")
    assert not exists("train.learning_rate")
    assert not exists("orthogon.nn.models:Nothing")


def test_every_named_test_exists():
    named = {test for row in all_rows() for test in row.tests}
    named |= {test for _, _, tests in make().errata(make().data()) for test in tests}
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named |= {f"train/test_contract.py::{name}" for name in re.findall(r"`(test_\w+)`", text)}
    for test in named:
        path, _, name = test.partition("::")
        assert name in functions_of(ROOT / "tests" / path), test


def test_what_is_built_is_software_or_a_section_of_a_lesson():
    for row in all_rows():
        lessons = [name for name in row.names if section_of(name)]
        if row.built:
            assert row.kind in ("software", "lesson"), row
            assert all(row.names), row
            assert lessons if row.kind == "lesson" else len(lessons) < len(row.names), row
    assert sum(row.built for row in all_rows()) > 100


def test_a_section_that_a_row_names_says_so_itself():
    """The marker of a section lists the row; so the text and the table cannot drift apart."""
    named = [(row.number, section) for row in all_rows() for name in row.names if (section := section_of(name))]
    assert not [(number, section) for number, section in named if number not in sections()[section]]
    known = {row.number for row in all_rows()}
    assert {number for rows in sections().values() for number in rows} <= known


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/coverage.md",
                                  "docs/syllabus.md", "docs/advice.md"])
def test_links_lead_somewhere(page):
    path = ROOT / page
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target


def test_modules_named_in_the_architecture_exist():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for path in re.findall(r"`(\w+/\w+\.py)`", text):
        assert any((folder / path).exists() for folder in (ROOT / "src" / "orthogon", ROOT)), path
    named = set(re.findall(r"`(\w+)/`", text))
    there = {path.name for path in (ROOT / "src" / "orthogon").iterdir() if (path / "__init__.py").exists()}
    assert there <= named, there - named


READ_A_RUN = {"evaluate", "report", "preflight", "find-rate", "diagnose", "probe", "compare", "learning-curve",
              "mistakes", "labels", "mismatch", "calibrate", "human", "inside", "ensemble", "features", "score"}
FETCHED = {"mnist", "names", "english-ewt"}
COMMANDS = [topic[1] for part in make().data()["syllabus"] for topic in part["topics"]]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_of_the_syllabus_are_understood(command, capsys):
    """Training is explained instead of done; what reads a run or the network is left to other tests."""
    from orthogon.cli.main import main

    program, verb, *arguments = shlex.split(command)
    if program == "python":
        assert (ROOT / verb).exists()
        return
    assert program == "orthogon"
    assert exists(f"verb {verb}")
    if verb in READ_A_RUN or FETCHED & set(arguments):
        return
    with pytest.raises(SystemExit) as ended:
        main([verb, *arguments, *(["--explain"] if verb == "train" and "--explain" not in arguments else [])])
    assert ended.value.code in (0, None), capsys.readouterr().err
