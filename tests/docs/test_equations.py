"""docs/equations.md shows every equation as it is, and how far each lies from torch."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def generator():
    sys.path.insert(0, str(ROOT / "docs"))
    return import_module("equations_page")


@pytest.fixture(scope="module")
def text(generator):
    return generator.PAGE.read_text(encoding="utf-8")


def test_every_public_function_of_the_equations_is_on_the_page(generator, text):
    modules = {path.stem for path in (ROOT / generator.SOURCE).glob("*.py") if not path.stem.startswith("_")}
    assert set(generator.MODULES) == modules
    for name in modules:
        for own in generator.defined(import_module(f"orthogon.equations.{name}")):
            assert f"def {own}(" in text or f"class {own}(" in text, f"{name}.{own}"


def test_equations_and_code_on_the_page_are_those_of_the_source(generator, text):
    assert text == generator.page(generator.stated(text)), "run `make docs`"


def test_the_distance_from_torch_is_as_small_as_stated(generator, text):
    stated, measured = generator.stated(text), generator.measured()
    assert stated.keys() == measured.keys(), "run `make docs`"
    for name, residual in measured.items():
        assert residual <= float(stated[name]) <= 1e-10, name


def test_bounds_are_powers_of_ten_above_the_measured_distance(generator):
    assert [generator.bound(residual) for residual in (0.0, 1e-16, 2.4e-15, 3e-12)] == [
        "1e-15", "1e-15", "1e-14", "1e-10",
    ]


def test_links_to_source_and_tests_lead_somewhere(generator):
    for name in generator.MODULES:
        assert (ROOT / generator.SOURCE / f"{name}.py").exists()
        assert (ROOT / "tests" / "equations" / f"test_{name}.py").exists()
