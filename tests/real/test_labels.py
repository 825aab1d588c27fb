"""The label queue on real pictures with planted wrong labels. Slow: several minutes a set on two cores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "label_queue.py"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not os.environ.get("ORTHOGON_DATA"), reason="set ORTHOGON_DATA to the public data sets"),
]


@pytest.mark.timeout(2400)
@pytest.mark.parametrize(("name", "goal"), [("mnist", 0.97), ("fashion-mnist", 0.90)])
def test_the_queue_finds_planted_wrong_labels_among_a_thousand_pictures(name, goal, tmp_path):
    subprocess.run([sys.executable, SCRIPT, "--sets", name, "--seeds", "1", "--json", tmp_path / "found.json"],
                   check=True, cwd=tmp_path)
    (found,) = json.loads((tmp_path / "found.json").read_text())
    assert (found["n"], found["models"]) == (1000, 3)
    assert found["average_precision"] >= goal
