"""Labels changed as the data is read."""

from __future__ import annotations

import numpy as np
import pytest

import orthogon as og
from orthogon.data.corrections import Correction, corrected, read_corrections, write_corrections
from orthogon.errors import DataError


def table(path, labels=("ash", "birch", "ash", "cedar")):
    path.write_text("a,tree\n" + "".join(f"{i},{label}\n" for i, label in enumerate(labels)))
    return path


def test_corrections_are_applied_on_reading_and_the_file_stays(tmp_path):
    source, mended = table(tmp_path / "trees.csv"), tmp_path / "corrections.csv"
    text = source.read_text()
    plain = og.read(source, target="tree", types={"tree": "category"})
    first, last = str(plain.ids[0]), str(plain.ids[3])
    write_corrections(mended, [Correction(first, "ash", "cedar"), Correction(last, "cedar", "ash")])
    data = og.read(source, target="tree", types={"tree": "category"}, corrections=mended)
    assert [data.target_column().cell(i) for i in range(4)] == ["cedar", "birch", "ash", "ash"]
    assert [plain.target_column().cell(i) for i in range(4)] == ["ash", "birch", "ash", "cedar"]
    assert source.read_text() == text


def test_what_was_written_is_read_back(tmp_path):
    mended = (Correction("a,b", "x", 'a "quoted" one'), Correction("ü", "1", "2"))
    assert read_corrections(write_corrections(tmp_path / "c.csv", mended)) == mended


def test_labels_that_are_numbers_are_corrected_too():
    data = og.read({"x": np.arange(6.0), "y": np.array([0.5, 1.5, 2.5, 3.5, 4.5, 5.5])}, target="y")
    mended = corrected(data, [Correction(str(data.ids[1]), "1.5", "9")])
    assert mended.target_column().cell(1) == 9.0
    assert data.target_column().cell(1) == 1.5


@pytest.mark.parametrize(("mended", "what"), [
    (Correction("nobody", "ash", "cedar"), "no example 'nobody'"),
    (Correction("00000", "birch", "cedar"), "carries 'ash', the corrections say 'birch'"),
    (Correction("00000", "ash", "ceder"), "no class 'ceder'"),
])
def test_corrections_that_do_not_fit_the_data_are_refused(mended, what, tmp_path):
    data = og.read(table(tmp_path / "trees.csv"), target="tree", types={"tree": "category"})
    with pytest.raises(DataError, match=what):
        corrected(data, [mended])


@pytest.mark.parametrize(("text", "what"), [
    ("id,given\n1,a\n", "no column 'corrected'"), ("id,given,corrected\n1,a,b\n1,a,c\n", "stand twice"),
])
def test_damaged_corrections_are_refused(text, what, tmp_path):
    (tmp_path / "c.csv").write_text(text)
    with pytest.raises(DataError, match=what):
        read_corrections(tmp_path / "c.csv")
    with pytest.raises(DataError, match="cannot be read"):
        read_corrections(tmp_path / "absent.csv")
