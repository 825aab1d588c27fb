"""`show augment`: sheets of changed pictures, of data, of a recipe and of a run; kept in the run and in its report."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from orthogon.cli.main import app
from orthogon.errors import DataError, OrthogonError
from orthogon.report.report import render
from orthogon.train.run import Run
from orthogon.verbs.show_augment import show_augment
from orthogon.verbs.train import train


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    root = tmp_path_factory.mktemp("runs")
    options = {"train.augment": ["shift", "rotate"], "train.augment_strength": 0.5, "train.preflight": False}
    return train("digits", model="linear", epochs=1, options=options, out=root, quiet=True)


def test_a_sheet_has_a_row_for_each_picture_and_a_column_for_each_way_and_for_all_together(tmp_path):
    shown = show_augment("digits", ["flip", "rotate"], count=5, save=tmp_path / "sheet.png")
    assert shown.sheet.size == (6 * (96 + 10) + 10, 5 * (96 + 10 + 16) + 10)
    pixels = np.asarray(shown.sheet)
    columns = [pixels[10:106, 10 + 106 * k : 106 + 106 * k] for k in range(6)]
    assert len({column.tobytes() for column in columns}) >= 5  # the flip may leave a picture as it is
    assert "by flip, rotate alone, by all together; strength 1" in str(shown)
    assert (tmp_path / "sheet.png").stat().st_size > 1000
    assert shown._repr_html_().startswith('<img alt="5 pictures of digits')


def test_at_little_strength_the_pictures_hardly_change_and_at_none_it_is_refused():
    def change(strength: float) -> float:
        sheet = np.asarray(show_augment("digits", ["rotate"], strength, count=3).sheet).astype(float)
        return np.abs(sheet[10:106, 10:106] - sheet[10:106, 116:212]).mean()

    assert change(0.05) < 0.5 * change(1.0)
    with pytest.raises(OrthogonError, match="nothing is changed"):
        show_augment("digits", ["rotate"], 0.0)


def test_data_without_pictures_and_unknown_files_are_refused(tmp_path):
    (tmp_path / "table.csv").write_text("a,y\n" + "".join(f"{k},{k % 2}\n" for k in range(30)))
    with pytest.raises(DataError, match="no pictures"):
        show_augment(tmp_path / "table.csv", target="y")
    with pytest.raises(DataError, match=r"cannot save as \.gif"):
        show_augment("digits", ["flip"], save=tmp_path / "sheet.gif")
    with pytest.raises(OrthogonError, match="rotat"):
        show_augment("digits", ["rotat"])


def test_of_a_run_its_own_ways_are_shown_and_the_report_holds_the_sheet(run, tmp_path):
    shown = show_augment(run.name, root=run.path.parent, count=3, save=tmp_path / "sheet.html")
    assert shown.ways == ("shift", "rotate")
    assert shown.strength == 0.5
    assert "<img" in (tmp_path / "sheet.html").read_text()
    kept = json.loads((run.path / "augment.json").read_text())
    assert (kept["ways"], kept["strength"], kept["border"]) == (["shift", "rotate"], 0.5, "black")
    page = render(run)
    assert "Augmentation</h2>" in page
    assert kept["picture"] in page
    assert "at strength 0.5" in page
    (run.path / "augment.json").unlink()
    assert "Augmentation</h2>" not in render(run)


def test_the_command_takes_the_word_augment_or_an_option(tmp_path):
    sheet = tmp_path / "sheet.png"
    done = CliRunner().invoke(app, ["show", "augment", "--count", "2", "--augment", "flip,warp", "--save", str(sheet),
                                    "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["ways"], told["strength"], told["saved"]) == (["flip", "warp"], 1.0, str(sheet))
    done = CliRunner().invoke(app, ["show", "digits", "--augment", "color", "--strength", "0.5", "--count", "2",
                                    "--save", str(sheet)])
    assert done.exit_code == 0, done.output
    assert "by color alone; strength 0.5" in done.stdout
    assert sheet.stat().st_size > 500
    assert CliRunner().invoke(app, ["show", "digits", "photos"]).exit_code != 0
