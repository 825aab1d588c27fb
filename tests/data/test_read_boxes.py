"""Boxes and points in tables of pictures: every form by its names, and every fault by its line."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from orthogon.data.read import read
from orthogon.data.split import split
from orthogon.data.target_columns import ObjectColumn
from orthogon.errors import DataError

HEADER = "image,label,xmin,ymin,xmax,ymax"
WHOLE = ["a.png,cat,10,20,50,40", "b.png,dog,0,0,100,80", "c.png,,,,,"]


@pytest.fixture
def folder(tmp_path) -> Path:
    for name in "abcd":
        Image.new("RGB", (100, 80)).save(tmp_path / f"{name}.png")
    return tmp_path


def table(folder: Path, header: str, lines: list[str], name: str = "boxes.csv") -> Path:
    path = folder / name
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def object_of(folder: Path, header: str, lines: list[str], **options) -> ObjectColumn:
    data = read(table(folder, header, lines), **options)
    column = data.target_column()
    assert isinstance(column, ObjectColumn)
    assert list(data.inputs) == ["image"]
    return column


@pytest.mark.parametrize(("header", "line"), [
    ("image,xmin,ymin,xmax,ymax", "a.png,10,20,50,40"),
    ("image,x1,y1,x2,y2", "a.png,10,20,50,40"),
    ("image,left,top,right,bottom", "a.png,10,20,50,40"),
    ("image,x,y,width,height", "a.png,10,20,40,20"),
    ("image,x,y,w,h", "a.png,10,20,40,20"),
    ("image,cx,cy,w,h", "a.png,30,30,40,20"),
    ("image,cx,cy,w,h", "a.png,0.3,0.375,0.4,0.25"),
    ("image,xmin,ymin,xmax,ymax", "a.png,0.1,0.25,0.5,0.5"),
])
def test_row_20_22_every_form_of_a_box_is_the_same_box(folder, header, line):
    column = object_of(folder, header, [line])
    np.testing.assert_allclose(column.boxes.values, [[10, 20, 50, 40]], atol=1e-4)
    assert column.labels is None


def test_a_class_beside_the_box_and_no_object_where_the_cells_are_empty(folder):
    column = object_of(folder, HEADER, WHOLE)
    assert column.present.tolist() == [True, True, False]
    assert column.labels.levels == ("cat", "dog")
    assert [column.cell(row) for row in range(3)] == ["cat; 10, 20, 50, 40", "dog; 0, 0, 100, 80", "no object"]


def test_the_column_of_classes_may_be_named_and_may_hold_whole_numbers(folder):
    path = table(folder, "image,kind,xmin,ymin,xmax,ymax", ["a.png,x,1,2,3,4", "b.png,y,1,2,3,4"])
    data = read(path, target="kind")
    assert data.target == "kind"
    assert data.target_column().labels.levels == ("x", "y")
    numbers = table(folder, HEADER, ["a.png,3,1,2,3,4", "b.png,12,1,2,3,4"], "numbers.csv")
    assert read(numbers).target_column().labels.levels == ("3", "12")
    assert read(numbers, target="object").target == "object"  # as a recipe says it that was resolved


def test_shares_are_told(folder):
    data = read(table(folder, "image,cx,cy,w,h", ["a.png,0.3,0.375,0.4,0.25"]))
    assert [finding.kind for finding in data.findings] == ["shares"]


def test_points_by_pairs_of_columns(folder):
    column = object_of(folder, "image,left_eye_x,left_eye_y,nose_x,nose_y", ["a.png,10,20,30.5,40", "b.png,1,2,,"])
    assert column.points.names == ("left_eye", "nose")
    np.testing.assert_array_equal(column.points.values[:, 1], [[30.5, 40], [np.nan, np.nan]])
    assert column.boxes is None


def test_a_pixel_outside_is_clipped_and_counted(folder):
    path = table(folder, HEADER, ["a.png,cat,-1,20,50,40", "b.png,dog,0,0,100.5,80", "c.png,cat,1,1,2,2"])
    data = read(path)
    np.testing.assert_array_equal(data.target_column().boxes.values[:2], [[0, 20, 50, 40], [0, 0, 100, 80]])
    assert [finding.kind for finding in data.findings] == ["box-clipped"]
    assert "2 boxes" in data.findings[0].what
    assert "line 2" in data.findings[0].what


@pytest.mark.parametrize(("line", "said"), [
    ("d.png,cat,-2,20,50,40", "outside of its picture (-2, 20, 50, 40; the picture is 100 wide, 80 high)"),
    ("d.png,cat,10,20,101.5,40", "outside of its picture"),
    ("d.png,cat,10,20,50,82", "outside of its picture"),
    ("d.png,cat,50,20,10,40", "no area, or ends before it begins"),
    ("d.png,cat,10,20,10,40", "no area"),
    ("d.png,cat,10,20,,40", "incomplete"),
    ("d.png,,10,20,50,40", "an object has no class"),
])
def test_a_bad_box_is_refused_with_file_and_line_or_skipped(folder, line, said):
    path = table(folder, HEADER, [*WHOLE, line])
    with pytest.raises(DataError) as caught:
        read(path)
    assert said in str(caught.value)
    assert f"{path}, line 5" in str(caught.value)
    data = read(path, skip_bad=True)
    assert len(data) == 3
    assert sum(finding.severity == "error" for finding in data.findings) == 1


def test_the_line_is_that_of_the_file_of_the_part(folder):
    table(folder, HEADER, WHOLE, "train.csv")
    bad = table(folder, HEADER, ["a.png,cat,10,20,50,40", "b.png,dog,0,0,300,80"], "test.csv")
    with pytest.raises(DataError, match="line 3: a box lies outside"):
        read([folder / "train.csv", bad])


def test_a_number_beside_boxes_stays_the_target_where_it_is_named(folder):
    data = read(table(folder, "image,age,xmin,ymin,xmax,ymax", ["a.png,31,1,2,3,4", "b.png,12,1,2,3,4"]), target="age")
    assert data.target_column().kind == "number"


def test_words_in_a_box_are_refused(folder):
    with pytest.raises(DataError, match="'xmax' of a box holds no numbers"):
        read(table(folder, HEADER, ["a.png,cat,1,2,wide,4", "b.png,cat,1,2,high,4"]))


def test_json_lines_and_a_picture_that_cannot_be_read(folder):
    (folder / "bad.png").write_bytes(b"no picture")
    path = folder / "boxes.jsonl"
    path.write_text('{"image": "a.png", "x": 1, "y": 2, "w": 3, "h": 4}\n{"image": "bad.png", "x": 1, "y": 2, "w": 3, '
                    '"h": 4}\n')
    data = read(path, skip_bad=True)
    assert data.target_column().boxes.values.tolist() == [[1, 2, 4, 6]]
    assert [finding.kind for finding in data.findings] == ["unreadable-image"]


def test_a_split_has_each_class_and_the_pictures_without_object_in_proportion(folder):
    lines = ["a.png,cat,1,2,3,4"] * 60 + ["b.png,dog,1,2,3,4"] * 30 + ["c.png,,,,,"] * 30
    data = read(table(folder, HEADER, lines))
    parts = split(data, seed=0).parts
    test = data.target_column().take(parts["test"])
    share = [float(np.mean(test.present & (test.labels.codes == code))) for code in (0, 1)]
    np.testing.assert_allclose(share, [0.5, 0.25], atol=0.05)
