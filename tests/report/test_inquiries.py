"""What was asked of a run stands in its report: the gaps with their states, the work list, and a section each."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from fake_runs import HOSTILE, digits_run

from orthogon.report.report import render
from orthogon.stats import Estimate, rate
from orthogon.strategy.calibration import calibration, mended
from orthogon.strategy.diagnosis import diagnose
from orthogon.strategy.eyeball import draw_eyeball, mistakes
from orthogon.strategy.label_evidence import document_of
from orthogon.strategy.labels import label_queue
from orthogon.strategy.mistakes import tag_mistakes
from orthogon.strategy.reference import measured
from orthogon.strategy.work_list import Work
from orthogon.train.run import Run
from orthogon.train.task import Metric

ACCURACY = Metric("accuracy", lambda rows: rate(rows["score"]), lambda rows: float(rows["score"].mean()),
                  unit="rate")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return digits_run(tmp_path)[0]


def section(html: str, title: str) -> str:
    found = re.search(rf"<h2>{title}</h2>(.*?)</section>", html, re.DOTALL)
    assert found, f"no section {title!r}"
    return found[1]


def test_the_ladder_has_the_human_rung_and_each_gap_with_its_state(run: Run) -> None:
    parts = {name: run.rows(name) for name in ("train", "train-dev", "dev", "test")}
    found = diagnose(parts, ACCURACY, reference=measured(6, 300))
    run.write_evidence("diagnosis", found.to_dict())
    ladder = section(render(run), "The ladder")
    assert "human" in ladder
    for gap in found.gaps:
        assert re.search(rf"<td[^>]*>{gap.name}</td>.*?{gap.state}", ladder, re.DOTALL)


def test_the_work_list_is_ranked_and_names_the_recipe_to_follow(run: Run) -> None:
    def work(action: str, decision: str, value: float) -> dict:
        gain = Estimate(value, value - 0.01, value + 0.01, 359, "Tango", "rate")
        return Work(action, "variance", decision, gain, "1.2 x training time", "probes").to_dict()  # type: ignore[arg-type]

    spread = Estimate(0.004, 0.002, 0.011, 2, "pairs of seeds", "rate").to_dict()
    run.write_evidence("probes", {"spread": spread, "work": [work("dropout", "no", 0.0), work(HOSTILE, "adopt", 0.03)]})
    run.write_evidence("tags", {"work": [work("mend dogs", "at most", 0.02)]})
    (run.path / "next.yaml").write_text("version: 1\n")
    found = section(render(run), "What to do next")
    order = [found.index(text) for text in ("&lt;script&gt;", "mend dogs", "dropout")]
    assert order == sorted(order)
    assert "+3.0 [2.0, 4.0]" in found
    assert "scatter by 0.4 points [0.2, 1.1]" in found
    assert "next.yaml" in found
    assert "<script>alert" not in found


def test_without_anything_tried_the_command_that_tries_is_named(run: Run) -> None:
    assert "What to do next" not in render(run)
    run.write_evidence("diagnosis", {"rungs": [], "gaps": []})
    assert "orthogon probe" in section(render(run), "What to do next")


def test_kinds_of_mistakes_have_their_ceilings(run: Run) -> None:
    rows = run.rows("dev")
    seen = draw_eyeball(run, rows, 1.0)
    wrong = rows.ids[mistakes(rows)]
    answers = {str(identity): ("blurred",) if i % 2 else ("wrong label",) for i, identity in enumerate(wrong)}
    tags = tag_mistakes(run, rows, seen, answers)
    run.write_evidence("tags", tags.to_dict())
    found = section(render(run), "Kinds of mistakes")
    ceiling = next(tag.ceiling for tag in tags.tags if tag.name == "blurred")
    assert ceiling is not None
    assert f"{100 * ceiling.value:.1f}" in found
    assert f"{len(wrong)} of {len(wrong)} mistakes were looked at" in found


def test_labels_calibration_and_mismatch_have_their_sections(run: Run) -> None:
    rows = run.rows("dev")
    run.write_evidence("labels", document_of(label_queue([rows], np.full(len(rows), "dev"))))
    found = calibration(rows)
    run.write_evidence("calibration", {**found.to_dict(), "mended": mended(rows).to_dict()})
    auc = Estimate(0.9, 0.87, 0.93, 500, "DeLong", "").to_dict()
    feature = {"name": "tilt", "question": "spread", "auc": auc, "p": 0.0, "adjusted": 0.0, "differs": True,
               "how": "median distance from the usual 6.7 -> 17"}
    run.write_evidence("mismatch", {"first": "train-dev", "second": "dev", "n": [250, 250], "sheet": None,
                                    "sentence": "dev looks different from train-dev", "features": [feature]})
    html = render(run)
    assert "labels are not what held-out models would say" in section(html, "Labels")
    assert "tilt" in section(html, "What differs")
    assert found.sentence[1:] in section(html, "Calibration")
    assert f"miscalibration {found.brier.miscalibration:.4f}" in section(html, "Calibration")


def test_targets_and_the_learning_curve_stand_with_their_sentences(run: Run) -> None:
    recall = Estimate(0.88, 0.84, 0.91, 359, "Wilson", "rate").to_dict()
    kept = {"name": "recall", "threshold": 0.9, "at_least": True, "estimate": recall, "state": "undecided",
            "needed": 900}
    run.write_evidence("targets", {"sentence": "undecided: recall", "satisficing": [kept]})
    points = [{"size": size, "dev": Estimate(error, error - 0.01, error + 0.01, 359, "", "rate").to_dict(),
               "train": 0.0, "draws": [error] * 3} for size, error in ((100, 0.2), (200, 0.15), (400, 0.12))]
    run.write_evidence("learning-curve", {"metric": "error", "points": points, "band": None,
                                          "sentence": "Twice the data would buy about 2 points [1, 3]."})
    html = render(run)
    assert "at least 0.9" in section(html, "Targets")
    assert "undecided" in section(html, "Targets")
    assert "Twice the data would buy" in section(html, "More data")
    assert "<svg" in section(html, "More data")


def test_an_alarm_about_dev_is_a_callout_and_the_curves_are_read(run: Run) -> None:
    run.write_evidence("overfitting", {"alarm": True, "models": 50, "sentence": "Best of K = 50."})
    run.write_evidence("curves", {"readings": [{"curve": "dev loss", "finding": "overfitting",
                                                "sentence": "Dev loss turned at epoch 7.", "evidence": {}}]})
    html = render(run)
    assert "Dev has been chosen by too often" in section(html, "The ladder")
    assert "turned at epoch 7" in section(html, "Training")
