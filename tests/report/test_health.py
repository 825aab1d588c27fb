"""The section Health of a report: where it stands, what it says, that it is small."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from fake_runs import HOSTILE, bare_run, digits_run

from orthogon.report.numbers import numbers
from orthogon.report.report import render
from orthogon.train.recipe import Recipe
from orthogon.train.run import Run


def log(run: Run, layers: int = 3, steps: int = 5, **last: Any) -> None:
    """Healthy records but for `last`, columns of the later ones."""
    names = [f"hidden.{at}" for at in range(layers)]
    for step in range(1, steps + 1):
        columns = {"gradient": [0.123456789] * layers, "weight": [2.0] * layers, "update": [0.01] * layers,
                   "scale": [1.0] * layers, "dead": [0.25] * (layers - 1) + [None]}
        run.log("health", step, layers=names, kinds=["Linear"] * layers, **columns | (last if step > 1 else {}))


def section(html: str) -> str:
    return re.findall(r'<section id="health".*?</section>', html, re.S)[0]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return bare_run(tmp_path)


def test_it_stands_after_training_and_draws_both_maps(tmp_path: Path) -> None:
    run = digits_run(tmp_path)[0]
    log(run)
    html = render(run)
    assert re.findall(r"<h2>(.*?)</h2>", html)[2:5] == ["Training", "Health", "Classes"]
    text = section(html)
    assert text.count("<svg") == 2
    assert "recorded at 5 steps" in text
    assert "No gradient vanishes or explodes" in text
    assert "callout" not in text
    assert "share of dead units by layer and step" in text
    assert "<td class=\"r\">0.123</td>" in text


def test_findings_are_said_with_evidence_and_remedy(run: Run) -> None:
    log(run, dead=[1.0, 0.25, None])
    text = section(render(run))
    assert "Dead units" in text
    assert "100 % of the rectified units after layer hidden.0 are zero for every example (from step 2 to 5)." in text
    assert "Cures, the likeliest first" in text
    assert "No gradient vanishes" not in text


def test_without_records_there_is_no_section(run: Run) -> None:
    assert 'id="health"' not in render(run)
    assert "health" not in numbers(run)


def test_a_step_without_gradients_has_the_other_map_alone(run: Run) -> None:
    run.log("health", 1, layers=["a"], kinds=["Linear"], weight=[1.0], update=[0.1], saturated=[0.5])
    text = section(render(run))
    assert text.count("<svg") == 1
    assert "Share of saturated units" in text


def test_what_is_drawn_is_embedded(run: Run) -> None:
    log(run, dead=[1.0, 0.25, None], not_finite=["hidden.1"])
    found = json.loads(json.dumps(numbers(run)))["health"]
    assert found["layers"] == ["hidden.0", "hidden.1", "hidden.2"]
    assert found["steps"] == [1, 2, 3, 4, 5]
    assert found["gradient"] == [[0.123457] * 5, [0.123457] + [None] * 4, [0.123457] * 5]
    assert found["dead"] == [[0.25, 1, 1, 1, 1], [0.25] * 5, [None] * 5]
    assert [finding["kind"] for finding in found["findings"]] == ["exploding gradient", "dead units"]


def test_hundreds_of_layers_are_thinned_to_sixty_and_the_report_stays_small(run: Run) -> None:
    log(run, layers=400, steps=60)
    html = render(run)
    assert len(html) < 400_000
    found = numbers(run)["health"]
    assert len(found["layers"]) == len(set(found["layers"])) == 60
    assert (found["layers"][0], found["layers"][-1]) == ("hidden.0", "hidden.399")
    assert "60 of 400 layers" in section(html)


def test_hostile_names_are_escaped(run: Run) -> None:
    log(run)
    run.log("health", 6, layers=[HOSTILE], kinds=["Linear"], gradient=[1.0], weight=[1.0], dead=[1.0])
    html = render(run)
    assert HOSTILE not in html


def test_how_often_clipping_cut_is_said(tmp_path: Path) -> None:
    run = Run.create(Recipe().with_values({"train.clip_norm": 0.5}), tmp_path, "clipped")
    log(run, norm_before_clipping=2.25)
    assert "Clipping at norm 0.5 cut the gradient at 4 of 4 recorded steps; the longest was 2.25." in render(run)
