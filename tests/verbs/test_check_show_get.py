"""`check`, `show` and `get` from Python."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import orthogon as og
from orthogon.errors import DataError


@pytest.fixture
def photos(tmp_path):
    generator = np.random.default_rng(0)
    for name in ("glass/1.png", "glass/2.png", "metal/1.png", "metal/2.png"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 255, (24, 24), dtype=np.uint8)).save(path)
    return tmp_path / "photos"


def test_check_composes_files_columns_and_duplicates(photos):
    (photos / "glass/broken.png").write_bytes((photos / "glass/1.png").read_bytes()[:60])
    (photos / "metal/3.png").write_bytes((photos / "glass/2.png").read_bytes())
    (photos / "notes.docx").write_text("not a picture")
    before = {path: path.read_bytes() for path in photos.rglob("*") if path.is_file()}
    report = og.check(photos)
    places = " ".join(finding.where for finding in report)
    assert "glass/broken.png" in places
    assert "metal/3.png" in places
    assert "notes.docx" in places
    assert report.errors
    assert len([finding for finding in report.errors if finding.where == "glass/broken.png"]) == 1
    assert before == {path: path.read_bytes() for path in photos.rglob("*") if path.is_file()}, "nothing is edited"


def test_check_of_what_cannot_be_read_at_all_is_a_finding(tmp_path):
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    report = og.check(empty)
    assert [finding.kind for finding in report.errors] == ["unreadable-data"]
    assert "empty.csv" in report.errors[0].where
    folder = tmp_path / "nothing"
    folder.mkdir()
    assert og.check(folder).errors


def test_tables_that_lie_together_are_no_pictures_passed_over(tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.csv").write_text("a,b\n1,2\n3,4\n")
    assert [finding.kind for finding in og.check(tmp_path)] == ["unreadable-data"]


def test_check_of_files_that_are_not_aligned_is_a_finding(tmp_path):
    (tmp_path / "a.en").write_text("one\ntwo\n")
    (tmp_path / "a.fr").write_text("un\n")
    (found,) = og.check(f"{tmp_path}/a.en,{tmp_path}/a.fr").errors
    assert "a.en has 2 lines, a.fr 1" in found.what
    assert found.where == f"{tmp_path}/a.en, {tmp_path}/a.fr"


def test_check_of_nothing_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no file or folder"):
        og.check(tmp_path / "nowhere")


def test_check_takes_objects_and_options(tmp_path):
    assert not og.check((np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2)).errors
    path = tmp_path / "t.csv"
    path.write_text("".join(f"{i},{i % 7},{'yes' if i % 2 else 'no'}\n" for i in range(40)))
    report = og.check(path, target="c", options={"data.header": False, "data.columns": ["a", "b", "c"]})
    assert report.kinds().get("unreadable-data") is None


def test_show_takes_the_recipes_size(photos, tmp_path):
    shown = og.show(photos, 3, options={"data.image_size": 12}, save=tmp_path / "sheet.png")
    assert shown.size == (12, 12)
    assert len(shown.rows) == 3
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 36
    assert "<img" in shown._repr_html_()


def test_get_of_the_bundled_set():
    got = og.get("digits")
    assert got.folder is None
    assert "CC BY 4.0" in str(got)
    assert "orthogon train digits" in str(got)
    with pytest.raises(DataError, match="mnist"):
        og.get("minst")
