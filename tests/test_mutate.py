"""The mutation runner, on a planted package."""

from __future__ import annotations

from pathlib import Path

from mutants import mutants
from mutate import mutate

PLANTED = """
import math

LIMIT = 3


def length(x: float, y: float = 0.0) -> float:
    \"\"\"Not 1 of these words is changed.\"\"\"
    if x > LIMIT:
        raise ValueError("1 + 1")
    return math.sqrt(x * x + y * y)


def shape(rows):
    return [len(rows), 2]


class Counter:
    def __init__(self):
        self.count = 0

    def nobody_calls_this(self):
        self.count += 1
"""

TESTS = """
import pytest
from planted_sums import Counter, length, shape


def test_length():
    assert length(3, 4) == pytest.approx(5)
    with pytest.raises(ValueError):
        length(4)


def test_shape():
    assert len(shape([0])) == 2


def test_counter():
    assert Counter().count == 0
"""


def test_weak_and_missing_tests_are_told_from_strong_ones(tmp_path: Path, monkeypatch):
    source, tests = tmp_path / "src", tmp_path / "tests"
    source.mkdir()
    tests.mkdir()
    (source / "planted_sums.py").write_text(PLANTED)
    (tests / "test_planted_sums.py").write_text(TESTS)
    monkeypatch.syspath_prepend(str(source))
    monkeypatch.setattr("mutate.tempfile.tempdir", str(tmp_path))
    chosen = list(mutants(source / "planted_sums.py"))
    names = [mutant.function for mutant in chosen]
    assert names == ["length", "shape", "Counter.__init__", "Counter.nobody_calls_this"]
    survivors = mutate(source, tests, [tests / "test_planted_sums.py"], chosen, workers=2)
    assert {(mutant.function, reason) for mutant, reason in survivors} == {
        ("shape", "no test notices"), ("Counter.nobody_calls_this", "no test reaches it")}
    assert (source / "planted_sums.py").read_text() == PLANTED
