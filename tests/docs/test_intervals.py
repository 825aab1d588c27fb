"""docs/intervals.md says how often the intervals hold the truth, and it is so."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def generator():
    sys.path.insert(0, str(ROOT / "docs"))
    return import_module("intervals_page")


@pytest.fixture(scope="module")
def text(generator):
    return generator.PAGE.read_text(encoding="utf-8")


def test_exact_tables_on_the_page_are_what_is_summed_now(generator, text):
    assert generator.rates_table() in text, "run `make docs`"
    assert generator.differences_table() in text, "run `make docs`"
    for put_right, broken in generator.CHANGES[:3]:
        found = [generator.share(generator.paired_coverage(interval, 50, put_right, broken))
                 for interval in (generator.tango, generator.wald_paired)]
        row = [generator.percent(put_right), generator.percent(broken), "50", *found]
        assert f"| {' | '.join(row)} |" in text, "run `make docs`"


def test_every_table_of_the_generator_is_on_the_page(generator, text):
    assert text.startswith("\n".join([generator.NOTICE, "# Intervals that hold the truth\n", generator.INTRODUCTION]))
    for title, line, _ in generator.TABLES:
        assert f"## {title}\n\n{line}\n\n| " in text
    for name, method, _ in generator.SIMULATED:
        assert f"| {name} | {method} | " in text


def test_each_interval_of_orthogon_holds_the_truth_in_94_percent_over_its_grid(text):
    means = re.findall(r"(\w+) (\d+\.\d) \(lowest", text)
    assert {name for name, _ in means} == {"Wilson", "posterior", "Wald", "Newcombe", "Tango"}
    assert all(float(share) >= 94 for name, share in means if name != "Wald")
    assert all(float(share) < 93 for name, share in means if name == "Wald")


def test_each_simulated_interval_holds_the_truth_nearly_as_often_as_promised(generator, text):
    held = [float(row.split(" | ")[2]) for row in text.split("## Simulated")[1].splitlines() if row.endswith(" |")
            and row.split(" | ")[2].replace(".", "").isdigit()]
    assert len(held) == len(generator.SIMULATED)
    assert min(held) > 91
    assert sum(held) / len(held) >= 94
