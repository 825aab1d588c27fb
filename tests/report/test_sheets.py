"""Pictures of what a network makes: kept in the run, shown in its report."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

import orthogon as og
from orthogon.draw.codes import code_map
from orthogon.draw.mosaic import SIDE, mosaic
from orthogon.report.sheets import FOLDER, KEPT
from orthogon.train.snapshots import FOLDER as SNAPSHOTS

QUICK = {"train.threads": 1, "train.preflight": False, "train.health": False}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    data = og.read("digits").take(np.arange(300))
    return og.train(data, task="reconstruct", model="vae", epochs=2, options={**QUICK, "model.options": {"code": 3}},
                    out=tmp_path_factory.mktemp("runs"), quiet=True)


def test_the_report_shows_what_the_network_makes_and_how_it_came_to_it(run):
    kept = run.read_json(KEPT)
    assert [each["name"] for each in kept] == ["rebuilt", "samples", "between", "plane", "codes"]
    assert len(list((run.path / SNAPSHOTS).glob("*.png"))) == 3
    page = (run.path / "report.html").read_text()
    assert "What was learnt, in pictures" in page
    assert all(each["title"] in page for each in kept)
    assert "As training went on." in page
    assert "Residuals" not in page
    assert "Largest loss" in page


def test_no_picture_of_test_and_none_of_dev_that_is_kept_unseen_is_shown(run):
    """Of rebuilt pictures the upper row is of the Eyeball; here dev is small, so all of dev is."""
    data = og.read("digits").take(np.arange(300))
    dev = run.rows("dev").ids
    place = {identity: row for row, identity in enumerate(data.ids)}
    pixels = next(column.pixels for column in data.columns.values() if column.kind == "image")
    own = {pixels[place[identity], 0].tobytes() for identity in dev}
    sheet = np.asarray(Image.open(run.path / FOLDER / "rebuilt.png"))
    factor = SIDE // 8
    cell = 8 * factor + 2
    assert sheet.shape[:2] == (2 * cell, 12 * cell)
    for k in range(12):
        shown = sheet[1:cell - 1:factor, k * cell + 1:(k + 1) * cell - 1:factor]
        assert shown.astype(np.uint8).tobytes() in own


def test_tiles_stand_row_by_row_with_white_between():
    pictures = np.linspace(-0.5, 1.2, 3)[:, None, None, None] * np.ones((3, 1, 4, 4))
    sheet = mosaic(pictures, columns=2, side=9)
    assert sheet.shape == (2 * 10, 2 * 10, 1)
    assert (sheet[0] == 255).all()
    assert [sheet[5, 5, 0], sheet[5, 15, 0], sheet[15, 5, 0], sheet[15, 15, 0]] == [0, 89, 255, 255]
    assert (sheet[1:9, 1:9] == 0).all()
    colored = mosaic(np.stack([np.eye(3)[k][:, None, None] * np.ones((3, 5, 5)) for k in range(3)]), 3, side=1, gap=0)
    assert colored[2, [2, 7, 12]].tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]


def test_codes_are_colored_by_class_and_unknown_ones_are_grey():
    points = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    picture = code_map(points, np.array([0, 1, -1]), ("cat", "dog"), ("first", "second"))
    assert picture.dtype == np.uint8
    assert picture.shape == (540, 540, 3)
    red, _, blue = picture.astype(int).transpose(2, 0, 1)
    assert (blue > red + 60).any()  # the first class of matplotlib's
    assert (red > blue + 60).any()  # the second
    alone = code_map(points, np.full(3, -1), (), ("first", "second"))
    assert np.ptp(alone.astype(int), axis=2).max() < 60


def test_a_network_without_a_code_shows_what_it_rebuilds_alone(tmp_path):
    class Plain(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(1))

        def forward(self, x):
            return self.scale * x

    data = og.read("digits").take(np.arange(100))
    run = og.train(data, task="reconstruct", model=Plain(), epochs=1, options=QUICK, out=tmp_path, quiet=True)
    assert [each["name"] for each in run.read_json(KEPT)] == ["rebuilt"]
