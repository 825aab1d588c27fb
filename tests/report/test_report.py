"""The one-file report: what it holds for each task, that it is safe, small, offline and the same every time."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from fake_runs import HOSTILE, bare_run, digits_run, multilabel_run, regress_run

from orthogon.draw.tables import format_cell
from orthogon.errors import DataError
from orthogon.report import facts
from orthogon.report.examples import SHOWN, choose, store_examples
from orthogon.report.numbers import numbers
from orthogon.report.report import render, write
from orthogon.report.words import difference, p_value, written
from orthogon.stats import Estimate, f1
from orthogon.train.rows import Rows
from orthogon.train.run import Run

EXTERNAL = re.compile(
    r"""(?:src|href|srcset|action|data)\s*=\s*["']?\s*(?:https?:)?//|url\((?!#)|@import|<link|<script(?! type)"""
)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, str]:
    run, data = digits_run(tmp_path_factory.mktemp("digits"))
    store_examples(run, data, run.rows("dev"))
    return run, render(run)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> str:
    classes = (HOSTILE, "</script><b>", *(f"a class with a very long name, number {i}" for i in range(8)))
    run, data = digits_run(tmp_path_factory.mktemp("hostile"), classes)
    names = data.ids.copy().astype("<U80")
    rows = run.rows("dev")
    renamed = {identity: f"{HOSTILE}/{identity}" for identity in rows.ids}
    names = np.array([renamed.get(str(identity), str(identity)) for identity in names])
    rows = Rows("dev", np.array([renamed[i] for i in rows.ids]), rows.values, rows.classes)
    run.write_evaluation("dev", rows, {"metrics": run.evaluations()["dev"]["metrics"], "model": "network"})
    store_examples(run, type(data)(data.name, data.columns, data.target, names), rows)
    result = run.result
    result["data"]["title"] = result["verdict"] = result["data"]["card"]["notes"][0] = HOSTILE
    result["findings"][0]["where"] = HOSTILE + ".png"
    run.write_json("result.json", result)
    return render(run)


def sections(html: str) -> list[str]:
    return re.findall(r"<h2>(.*?)</h2>", html)


def test_sections_of_classify_in_their_order(digits: tuple[Run, str]) -> None:
    assert sections(digits[1]) == ["The ladder", "All metrics", "Training", "Classes", "Examples", "Calibration",
                                   "Data", "Speed", "Recipe and environment", "Limits"]


def test_the_same_run_gives_the_same_bits(digits: tuple[Run, str]) -> None:
    assert render(digits[0]) == digits[1]


def test_it_is_small_and_fetches_nothing(digits: tuple[Run, str], hostile: str) -> None:
    for html in (digits[1], hostile):
        without_pictures = re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]+", "", html)
        assert len(without_pictures.encode()) < 400_000
        assert not EXTERNAL.search(without_pictures)
        assert "default-src 'none'" in html


def test_hostile_names_are_escaped_everywhere(hostile: str) -> None:
    assert HOSTILE not in hostile
    assert "alert(1)" in hostile
    scripts = re.findall(r"<script[^>]*>", hostile)
    assert scripts == ['<script type="application/json" id="numbers">']
    found = json.loads(re.findall(r'id="numbers">(.*?)</script>', hostile, re.S)[0])
    assert found["confusion"]["classes"][:2] == [HOSTILE, "</script><b>"]


def test_embedded_json_is_what_numbers_gives(digits: tuple[Run, str]) -> None:
    run, html = digits
    found = json.loads(re.findall(r'id="numbers">(.*?)</script>', html, re.S)[0])
    assert found == json.loads(json.dumps(numbers(run)))
    assert found["splits"]["dev"]["metrics"]["accuracy"]["n"] == 359
    assert sum(map(sum, found["confusion"]["counts"])) == 359
    assert len(found["curves"]["loss"]["dev"]["epoch"]) == 30


def test_error_stands_in_cards_and_ladder(digits: tuple[Run, str]) -> None:
    run, html = digits
    error = 1 - run.result["splits"]["dev"]["metrics"]["accuracy"]["value"]
    assert f"<dt>error, dev</dt><dd><b>{100 * error:.1f} %</b>" in html
    assert 'aria-label="error of baselines and splits"' in html


def test_a_baseline_that_wins_is_said_first(tmp_path: Path) -> None:
    run, _ = digits_run(tmp_path, worse=True)
    html = render(run)
    assert html.index("The baseline wins: linear") < html.index("error, dev") < html.index("<h2>The ladder")


def test_pictures_stand_in_the_page_as_png(digits: tuple[Run, str]) -> None:
    run, html = digits
    rows = run.rows("dev")
    assert html.count("<img ") == len(choose(rows))
    wrong = int(np.flatnonzero(rows["target"] != rows["prediction"])[0])
    assert str(rows.ids[wrong]) in html


def test_regress_has_residuals_and_records(tmp_path: Path) -> None:
    run, data = regress_run(tmp_path)
    store_examples(run, data, run.rows("dev"))
    html = render(run)
    assert "Residuals" in sections(html)
    assert "Classes" not in sections(html)
    assert "bmi " in html
    worst = int(np.argmax(run.rows("dev")["loss"]))
    assert str(run.rows("dev").ids[worst]) in html
    assert numbers(run)["residuals"][0]["n"] == 80


def test_multilabel_has_labels_and_leaves_unknown_ones_out(tmp_path: Path) -> None:
    run, data = multilabel_run(tmp_path)
    store_examples(run, data, run.rows("dev"))
    html = render(run)
    assert "Labels" in sections(html)
    assert HOSTILE not in html
    rows = run.rows("train")
    assert facts.per_class(rows)[2].n == int(np.nansum(rows["target"][:, 2]))


def test_a_run_that_has_just_begun_has_a_report(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    html = render(run)
    assert "training has not ended" in html
    assert sections(html) == ["Recipe and environment"]


@pytest.mark.parametrize("missing", ["data", "split", "splits", "baseline", "comparisons", "verdict", "test", "speed",
                                     "findings", "model", "metric", "task", "seconds"])
def test_any_part_of_the_result_may_be_missing(tmp_path: Path, missing: str) -> None:
    run, _ = regress_run(tmp_path)
    run.write_json("result.json", {key: value for key, value in run.result.items() if key != missing})
    assert "The ladder" in sections(render(run))


def test_rows_alone_make_a_report(tmp_path: Path) -> None:
    run, _ = regress_run(tmp_path)
    (run.path / "result.json").unlink()
    (run.path / "metrics.jsonl").unlink()
    assert "RMSE" in render(run)


def test_write_leaves_one_file(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    assert write(run).read_text() == render(run)
    assert [path.name for path in run.path.glob("*report*")] == ["report.html"]


def test_choose_is_bounded_and_takes_mistakes_first(digits: tuple[Run, str]) -> None:
    rows = digits[0].rows("dev")
    chosen = choose(rows)
    assert len(set(chosen)) == len(chosen) <= 36
    wrong = set(np.flatnonzero(rows["target"] != rows["prediction"]).tolist())
    assert len(wrong & set(chosen)) >= min(len(wrong), 12)


def test_stored_examples_are_bounded(tmp_path: Path) -> None:
    from orthogon.data.columns import CategoryColumn, ImageColumn
    from orthogon.data.dataset import Dataset

    noise = np.random.default_rng(0).integers(0, 256, (40, 3, 200, 150), dtype=np.uint8)
    ids = np.array([f"{i}" for i in range(40)])
    data = Dataset("noise", {"image": ImageColumn(noise), "label": CategoryColumn(np.zeros(40), ["a", "b"])}, "label",
                   ids)
    p = np.tile([0.2, 0.8], (40, 1)).astype(np.float32)
    values = {"target": np.zeros(40, np.int64), "prediction": np.ones(40, np.int64), "loss": np.arange(40.0),
              "probabilities": p}
    run = bare_run(tmp_path)
    store_examples(run, data, Rows("dev", ids, values, ("a", "b")))
    shown = run.read_json(SHOWN)
    assert 12 <= len(shown) <= 36
    assert sum(len(each["picture"]) for each in shown.values()) <= 400_000
    with pytest.raises(DataError, match="not in the data"):
        store_examples(run, data, Rows("dev", np.array(["x"] * 40), values, ("a", "b")))


def test_figures_per_class_agree_with_counts() -> None:
    draw = np.random.default_rng(3)
    target, said = draw.integers(0, 3, 300), draw.integers(0, 3, 300)
    values = {"target": target, "prediction": said, "loss": np.zeros(300)}
    rows = Rows("dev", np.arange(300).astype(str), values, ("a", "b", "c"))
    expected = f1(facts.confusion(rows))
    for k, found in enumerate(facts.per_class(rows)):
        assert found.n == int((target == k).sum())
        assert found.f1.value == pytest.approx(expected[k])
        assert found.f1.low < expected[k] < found.f1.high
    grouped = Rows("dev", rows.ids, values, rows.classes, group=np.repeat(np.arange(30), 10).astype(str))
    assert facts.per_class(grouped)[0].f1.value == pytest.approx(expected[0])


def test_f1_has_an_interval_where_all_is_right() -> None:
    target = np.repeat([0, 1], 20)
    rows = Rows("dev", np.arange(40).astype(str), {"target": target, "prediction": target, "loss": np.zeros(40)},
                ("a", "b"))
    found = facts.per_class(rows)[0].f1
    assert found.value == found.high == 1
    assert 0.8 < found.low < 1


def test_calibration_sees_overconfidence() -> None:
    draw = np.random.default_rng(0)
    target = draw.integers(0, 2, 2000)
    said = np.where(draw.random(2000) < 0.7, target, 1 - target)
    p = np.where(np.eye(2)[said] == 1, 0.9, 0.1)
    rows = Rows("dev", np.arange(2000).astype(str), {"target": target, "prediction": said, "probabilities": p,
                                                     "loss": np.zeros(2000)}, ("a", "b"))
    found = facts.calibration(rows)
    assert found is not None
    assert found.gap.low < 0.9 - np.mean(target == said) < found.gap.high
    assert found.gap.low > 0.1
    assert [round(stated, 1) for stated, _ in found.bins] == [0.9]


@pytest.mark.parametrize(("value", "low", "high", "expected"), [
    (0.20812, 0.18968, 0.23265, ("0.208", "[0.190, 0.233]")),
    (1234.5, 1100.0, 1400.0, ("1,234", "[1,100, 1,400]")),
    (-1e-9, -0.5, 0.5, ("0.00", "[−0.50, 0.50]")),
    (2.0, float("nan"), float("nan"), ("2", "no interval")),
])
def test_digits_follow_the_interval(value: float, low: float, high: float, expected: tuple[str, str]) -> None:
    assert written(Estimate(value, low, high, 5)) == expected


def test_words() -> None:
    assert difference(0.061, 0.032, 0.093, True) == "+6.1 points [3.2, 9.3]"
    assert difference(-24.12, None, None, False) == "−24.1"
    assert p_value(1e-9) == "< 0.0001"
    assert p_value(None) == format_cell(None)
