"""Writes coverage.md and syllabus.md from coverage.yaml, and equations.md and intervals.md: `make docs`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
KINDS = {"S": "software", "L": "lesson", "C": "claim"}
LATER = {"software": "To come, software", "lesson": "To come, lesson", "claim": "Claims"}
NOTICE = "<!-- Written by docs/make.py from docs/coverage.yaml; change that file, then `make docs`. -->\n"


@dataclass(frozen=True)
class Row:
    """One line of the table. names and tests are empty while it is to come."""

    number: str
    kind: str
    title: str
    names: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    remark: str = ""

    @property
    def built(self) -> bool:
        return bool(self.tests)


def data() -> dict[str, Any]:
    return yaml.safe_load((HERE / "coverage.yaml").read_text(encoding="utf-8"))


def rows(area: dict[str, Any]) -> Iterator[Row]:
    """The rows of one area; ValueError for a line that is not understood."""
    number = area["title"].split()[0]
    for line in area["rows"].splitlines():
        head, *fields = [field.strip() for field in line.split(" :: ")]
        kind, index, title = head.split(" ", 2)
        if kind not in KINDS or not index.isdigit() or len(fields) not in (0, 2, 3):
            raise ValueError(f"area {number}: {line!r}")
        names, tests = (tuple(part.strip() for part in field.split(", ")) for field in [*fields, "", ""][:2])
        remark = fields[2] if len(fields) == 3 else ""
        found = Row(f"{number}.{index}", KINDS[kind], title)
        yield Row(found.number, found.kind, title, names, tests, remark) if fields else found


def errata(document: dict[str, Any]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """(number, what is right, tests that guard it)."""
    for line in document["errata"].splitlines():
        head, tests = line.split(" :: ")
        number, text = head.split(" ", 1)
        yield number, text, tuple(test.strip() for test in tests.split(", "))


def shown_test(test: str) -> str:
    path, _, name = test.partition("::")
    return f"[{name}](../tests/{path})"


def shown_name(name: str) -> str:
    sort, _, place = name.partition(" ")
    if sort not in ("lesson", "page"):
        return f"`{name}`"
    folder = "lessons/" if sort == "lesson" else ""
    return f"[{place}]({folder}{place.replace('#', '.md#')})"


def coverage(document: dict[str, Any]) -> str:
    areas = [(area["title"], list(rows(area))) for area in document["areas"]]
    everything = [row for _, found in areas for row in found]
    built, claims = sum(row.built for row in everything), sum(row.kind == "claim" for row in everything)
    lines = [
        NOTICE, "# Coverage\n",
        "Every row that Orthogon sets out to cover, the kind of evidence meant to stand behind it, and what stands "
        "there now.\n",
        "- **software**: a public name, and a test that fails if the row is wrong;\n"
        "- **lesson**: a section of a tutorial that is run, or of a page whose commands are;\n"
        "- **claim**: an empirical saying, to be measured rather than asserted.\n",
        f"{built} of {len(everything)} rows are built: those with a name and a test. {claims} are claims, listed here "
        "for measuring; nothing in Orthogon asserts them. All others are to come.\n",
        "Names: `module:attribute`, a knob of the recipe (`train.lr`), an entry (`model linear`), a metric, a verb "
        "of the command line, or a section of a lesson or page.\n",
    ]
    for title, found in areas:
        done = [row for row in found if row.built]
        lines.append(f"## {title}\n")
        if done:
            lines.append("| row | what | public name | test | remark |\n|---|---|---|---|---|")
            lines += [
                f"| {row.number} | {row.title} | {', '.join(map(shown_name, row.names))} | "
                f"{', '.join(map(shown_test, row.tests))} | {row.remark} |" for row in done
            ]
            lines.append("")
        for kind in KINDS.values():
            later = [f"{row.number} {row.title}" for row in found if row.kind == kind and not row.built]
            if later:
                lines.append(f"{LATER[kind]}: {' · '.join(later)}.\n")
    lines.append("## Errata that a test guards\n\n| erratum | what is right | test |\n|---|---|---|")
    guarded = [(number, text, ", ".join(map(shown_test, tests))) for number, text, tests in errata(document)]
    lines += [f"| {number} | {text} | {tests} |" for number, text, tests in guarded]
    return "\n".join(lines) + "\n"


def syllabus(document: dict[str, Any]) -> str:
    lines = [
        NOTICE, "# Syllabus\n",
        "A course in the order of a course: topic, one command, one picture, the rows of [coverage](coverage.md) that "
        "it touches. Each command runs on the bundled digits unless it names other data; `evaluate` and `report` are "
        "of the last run.\n",
    ]
    for part in document["syllabus"]:
        lines.append(f"## {part['part']}\n\n| topic | command | picture | rows |\n|---|---|---|---|")
        for topic, command, picture, numbers in part["topics"]:
            image = f"[{Path(picture).stem}]({picture if '/' in picture else f'images/{picture}'})" if picture else ""
            lines.append(f"| {topic} | `{command}` | {image} | {numbers.replace('-', '–')} |")
        lines.append("")
    return "\n".join([*lines, f"{document['later']}\n"])


def pages() -> dict[Path, str]:
    """File -> what it must hold."""
    document = data()
    return {HERE / "coverage.md": coverage(document), HERE / "syllabus.md": syllabus(document)}


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
        print(path)

    import equations_page  # these two apart from `pages`, since what they write is measured
    import intervals_page

    print(equations_page.write())
    print(intervals_page.write())
