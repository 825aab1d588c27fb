"""From a table of boxes to a run, its report, its mistakes and its predictions."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import orthogon as og
from orthogon.data.read import read
from orthogon.verbs.mistakes import mistakes

HEADER = ["image", "label", "xmin", "ymin", "xmax", "ymax"]


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    """Bright squares and dark ones on grey, some pictures empty, pictures of two sizes."""
    folder = tmp_path_factory.mktemp("squares")
    draw, rows = np.random.default_rng(0), []
    for number in range(120):
        height, width = (30, 40) if number % 2 else (36, 36)
        pixels = draw.integers(110, 130, (height, width), dtype=np.uint8)
        name = f"{number:03d}.png"
        if number % 6:
            side = int(draw.integers(8, 16))
            left, top = int(draw.integers(0, width - side)), int(draw.integers(0, height - side))
            bright = number % 3 == 0
            pixels[top : top + side, left : left + side] = 230 if bright else 20
            rows.append([name, "bright" if bright else "dark", left, top, left + side, top + side])
        else:
            rows.append([name, "", "", "", "", ""])
        Image.fromarray(pixels).save(folder / name)
    with (folder / "boxes.csv").open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])
    return folder / "boxes.csv"


@pytest.fixture(scope="module")
def run(table, tmp_path_factory):
    return og.train(table, epochs=30, out=tmp_path_factory.mktemp("runs"), quiet=True,
                    options={"model.options": {"trunk_options": {"width": 8}}, "data.image_size": 32,
                             "data.fit": "letterbox", "train.preflight": False, "train.augment": ["flip", "shift"],
                             "train.threads": 1})


def test_a_table_of_boxes_is_learnt_better_than_the_mean_box(run):
    result = run.result
    assert result["task"] == "localize"
    assert result["metric"] == "iou"
    assert result["splits"]["dev"]["metrics"]["iou"]["value"] > 0.5
    (found,) = [each for each in result["comparisons"] if each["split"] == "dev"]
    assert found["baseline"] == "mean box"
    assert found["advantage"] > 0.1


def test_the_report_shows_boxes_in_the_colors_it_names(run):
    report = (run.path / "report.html").read_text()
    assert "Yellow: what is true. Blue: what was predicted." in report
    assert re.search(r"IoU 0\.\d\d", report)


def test_mistakes_are_boxes_of_under_a_half_and_wrong_classes(run):
    found = mistakes(run)
    rows = run.rows("dev")
    wrong = (rows["target"] != rows["prediction"]) | (np.nan_to_num(rows["iou"], nan=1) < 0.5)
    assert (~rows["right"].astype(bool)).tolist() == wrong.tolist()
    assert found.in_eyeball <= wrong.sum()


def test_predictions_of_a_table_of_paths_can_be_read_as_a_table_of_boxes(run, table, tmp_path):
    predictor = og.load(run)
    found = predictor.predict(table)
    assert len(found) == 120
    assert not found.errors
    item = found[1]
    assert set(item) >= {"label", "probability", "box"}
    assert "across" in str(found)
    path = found.write_csv(tmp_path / "predicted.csv")
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert {"xmin", "ymin", "xmax", "ymax"} <= set(rows[0])
    lone = predictor.predict(table.parent / "001.png")[0]
    assert lone["box"] == pytest.approx(item["box"], abs=1e-3)


def test_a_class_may_be_learnt_from_a_table_of_boxes_too(table):
    data = read(table)
    assert data.target == "object"
    from orthogon.tasks.infer import as_target

    assert as_target(data, "classify").target_column().levels == ("bright", "dark")
