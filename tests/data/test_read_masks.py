"""Folders of pictures beside folders of masks, and arrays of both."""

import numpy as np
import pytest
from PIL import Image

import orthogon as og
from orthogon.data.cells import cells
from orthogon.data.masks import MaskColumn
from orthogon.errors import DataError

PICTURES, MASKS = cells(6, side=24, seed=3)


def write(folder, rows, pictures="images", masks="masks", ending="", scale=255):
    for name in (pictures, masks):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for row in rows:
        Image.fromarray(PICTURES[row]).save(folder / pictures / f"c{row}.png")
        Image.fromarray(MASKS[row] * np.uint8(scale)).save(folder / masks / f"c{row}{ending}.png")


@pytest.mark.parametrize(("pictures", "masks", "ending"), [
    ("images", "masks", ""), ("imgs", "labels", "_mask"), ("JPEGImages", "SegmentationClass", "-gt"),
    ("image", "annotations", "_L"),
])
def test_pictures_are_matched_with_masks_by_name(tmp_path, pictures, masks, ending):
    write(tmp_path, range(6), pictures, masks, ending)
    data = og.read(tmp_path)
    assert data.target == "mask"
    assert list(data.columns) == ["image", "mask"]
    assert len(data) == 6
    assert data.ids[0] == f"{pictures}/c0.png"
    assert data.part is None
    assert not data.findings
    column = data.columns["mask"]
    assert isinstance(column, MaskColumn)
    assert column.names == ("background", "foreground")
    assert (column.at((24, 24)) == MASKS).all()


def test_parts_may_stand_outside_or_inside(tmp_path):
    write(tmp_path / "outside" / "train", [0, 1, 2])
    write(tmp_path / "outside" / "val", [3])
    write(tmp_path / "inside", [0, 1, 2], "images/train", "masks/train")
    write(tmp_path / "inside", [3], "images/val", "masks/val")
    for name in ("outside", "inside"):
        data = og.read(tmp_path / name)
        assert data.part is not None
        assert data.part.tolist() == ["train"] * 3 + ["dev"]
        assert (data.columns["mask"].at((24, 24)) == MASKS[:4]).all()


def test_a_table_names_the_classes_and_colors_are_read_by_it(tmp_path):
    write(tmp_path, range(3), scale=1)
    (tmp_path / "classes.txt").write_text("0 background\n1 cell\n")
    assert og.read(tmp_path).columns["mask"].names == ("background", "cell")
    for row in range(3):
        colored = np.where(MASKS[row][..., None] == 1, np.uint8([0, 0, 255]), np.uint8([9, 9, 9]))
        Image.fromarray(colored).save(tmp_path / "masks" / f"c{row}.png")
    (tmp_path / "classes.txt").unlink()
    with pytest.raises(DataError, match="no table says what its colors stand for"):
        og.read(tmp_path)
    (tmp_path / "masks" / "labels.txt").write_text("9 9 9 background\n0 0 255 cell\n")
    column = og.read(tmp_path).columns["mask"]
    assert column.names == ("background", "cell")
    assert (column.at((24, 24)) == MASKS[:3]).all()


def test_a_value_that_stands_for_no_class_is_named_with_its_file(tmp_path):
    write(tmp_path, range(3), scale=2)
    (tmp_path / "classes.txt").write_text("background\ncell\n")
    with pytest.raises(DataError, match=r"c0\.png: the mask holds 2, which stands for no class"):
        og.read(tmp_path)


def test_pictures_and_masks_without_fellow_are_named_and_left_out(tmp_path):
    write(tmp_path, range(4))
    (tmp_path / "masks" / "c1.png").unlink()
    (tmp_path / "images" / "c2.png").unlink()
    data = og.read(tmp_path)
    assert data.ids.tolist() == ["images/c0.png", "images/c3.png"]
    assert [(found.kind, found.where) for found in data.findings] == [
        ("no-mask", "images/c1.png"), ("no-picture", "masks/c2.png")]


def test_no_mask_at_all_for_any_picture_is_an_error(tmp_path):
    write(tmp_path, range(2))
    for row in range(2):
        (tmp_path / "masks" / f"c{row}.png").rename(tmp_path / "masks" / f"other{row}.png")
    with pytest.raises(DataError, match="no mask has the name of a picture"):
        og.read(tmp_path)


def test_a_mask_of_another_size_is_refused_with_both_sizes_or_left_out(tmp_path):
    write(tmp_path, range(3))
    Image.fromarray(MASKS[1][:20]).save(tmp_path / "masks" / "c1.png")
    with pytest.raises(DataError, match=r"masks/c1\.png: the mask is 20×24, its picture 24×24"):
        og.read(tmp_path)
    data = og.read(tmp_path, skip_bad=True)
    assert data.ids.tolist() == ["images/c0.png", "images/c2.png"]
    assert data.findings[0].kind == "mask-size"
    assert any(finding.kind == "mask-size" for finding in og.check(tmp_path).findings)


def test_a_damaged_mask_is_refused_or_left_out(tmp_path):
    write(tmp_path, range(3))
    path = tmp_path / "masks" / "c2.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataError, match=r"1 mask does not fit:\n  masks/c2\.png"):
        og.read(tmp_path)
    assert og.read(tmp_path, skip_bad=True).ids.tolist() == ["images/c0.png", "images/c1.png"]


def test_class_folders_named_like_others_are_still_classes(tmp_path):
    for name in ("images", "cats"):
        (tmp_path / name).mkdir()
        Image.fromarray(PICTURES[0]).save(tmp_path / name / "a.png")
    assert og.read(tmp_path).target == "label"


def test_arrays_of_pictures_and_masks_are_read():
    data = og.read((PICTURES, MASKS))
    assert data.target == "mask"
    assert (data.columns["mask"].cell(2) == MASKS[2]).all()
    assert data.columns["image"].kind == "image"
    by_name = og.read({"image": PICTURES, "masks": MASKS})
    assert by_name.target == "masks"
    assert by_name.columns["masks"].kind == "mask"


def test_arrays_of_unequal_sizes_are_refused():
    with pytest.raises(DataError, match="the masks are 20×24, the pictures 24×24"):
        og.read((PICTURES, MASKS[:, :20]))


def test_a_data_set_with_masks_shows_itself():
    data = og.read((PICTURES, MASKS))
    text = str(og.show(data))
    assert "24×24, grey" in text
    assert "background" in text
    assert og.show(data).captions()[0].startswith("background ")
    large = og.read((np.zeros((2, 100, 120), np.uint8), np.zeros((2, 100, 120), np.uint8)))
    assert "seen at" not in str(og.show(large))
