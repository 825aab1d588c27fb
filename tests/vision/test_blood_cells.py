"""Real boxes: the blemishes of BCCD are told by line, and cells are cut out so that each picture holds one."""

from __future__ import annotations

import csv
import importlib.util
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest

from orthogon.data.read import read
from orthogon.errors import DataError

ARCHIVE = Path(os.environ.get("ORTHOGON_DATA", ""), "bccd_detection", "BCCD.tar")
pytestmark = pytest.mark.skipif(not ARCHIVE.is_file(), reason="BCCD is not in $ORTHOGON_DATA")

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "localize.py"


def benchmark():
    spec = importlib.util.spec_from_file_location("benchmark_localize", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def annotations(name: str) -> list:
    with tarfile.open(ARCHIVE) as tar:
        return benchmark()._cells(benchmark()._text(tar, f"BCCD/Annotations/{name}.xml"))


def test_the_two_boxes_without_area_are_refused_by_file_and_line(tmp_path):
    lines, wrong = [], []
    with tarfile.open(ARCHIVE) as tar:
        for name in ("BloodImage_00338", "BloodImage_00343"):
            (tmp_path / f"{name}.jpg").write_bytes(tar.extractfile(f"BCCD/JPEGImages/{name}.jpg").read())
            for cell in annotations(name):
                lines.append([f"{name}.jpg", cell.label, *cell.box.tolist()])
                if (cell.box[2:] <= cell.box[:2]).any():
                    wrong.append(len(lines) + 1)
    table = tmp_path / "cells.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([["picture", "label", "xmin", "ymin", "xmax", "ymax"], *lines])
    assert len(wrong) == 2
    with pytest.raises(DataError) as caught:
        read(table)
    for line in wrong:
        assert f"{table}, line {line}: a box has no area" in str(caught.value)
    data = read(table, skip_bad=True)
    assert len(data) == len(lines) - 2
    assert set(data.target_column().labels.levels) <= {"Platelets", "RBC", "WBC"}


def test_a_cell_that_is_cut_out_is_whole_and_alone():
    cut = benchmark()
    cells = annotations("BloodImage_00001")
    windows = cut._windows(cells, (640, 480), np.random.default_rng(0))
    assert len(windows) >= 2
    centers = np.array([(cell.box[:2] + cell.box[2:]) / 2 for cell in cells])
    for window, cell in windows:
        assert (window[:2] <= cell.box[:2]).all()
        assert (cell.box[2:] <= window[2:]).all()
        assert cut._within(centers, window).sum() == 1
        assert window[2] - window[0] == window[3] - window[1] >= 96
        assert window.min() >= 0
        assert (window[2:] <= (640, 480)).all()
