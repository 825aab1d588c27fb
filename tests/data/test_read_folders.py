"""Reading folders of pictures and IDX files, whole and broken."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from orthogon.data.columns import CategoryColumn, ImageColumn
from orthogon.data.read import read
from orthogon.errors import DataError


def picture(path: Path, size=(8, 6), mode="RGB", value=None, **save) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(len(str(path)))
    shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
    pixels = random.integers(0, 256, shape, dtype=np.uint8) if value is None else np.full(shape, value, np.uint8)
    Image.fromarray(pixels).save(path, **save)
    return path


def classes(root: Path, names=("b", "a"), count=2) -> Path:
    for name in names:
        for i in range(count):
            picture(root / name / f"{i}.png")
    return root


def test_class_folders(tmp_path):
    root = classes(tmp_path / "My Photos")
    picture(root / "a" / "deep" / "3.JPG", (30, 20))
    data = read(root)
    assert data.name == "my-photos"
    assert data.ids.tolist() == ["a/0.png", "a/1.png", "a/deep/3.JPG", "b/0.png", "b/1.png"]
    assert data.target == "label"
    label, image = data.columns["label"], data.columns["image"]
    assert isinstance(label, CategoryColumn)
    assert label.levels == ("a", "b")
    assert label.codes.tolist() == [0, 0, 0, 1, 1]
    assert isinstance(image, ImageColumn)
    assert image.sizes.tolist() == [[6, 8], [6, 8], [20, 30], [6, 8], [6, 8]]
    assert image.channels == 3
    assert image.uniform_size is None
    assert image.cell(2).shape == (20, 30, 3)
    assert data.part is None
    assert read(root, channels=1).columns["image"].cell(0).shape == (6, 8, 1)


def test_grey_pictures_have_one_channel(tmp_path):
    picture(tmp_path / "x" / "1.png", mode="L")
    picture(tmp_path / "y" / "1.png", mode="L")
    assert read(tmp_path).columns["image"].channels == 1


@pytest.mark.parametrize("dev", ["dev", "val", "valid", "Validation"])
def test_parts(tmp_path, dev):
    for part in ("train", dev, "test", "train-dev"):
        classes(tmp_path / part)
    data = read(tmp_path)
    assert data.part is not None
    assert data.part.tolist() == ["train"] * 4 + ["train-dev"] * 4 + ["dev"] * 4 + ["test"] * 4
    assert data.ids[0] == "train/a/0.png"


def test_train_dev_inside_train_and_unlabelled_test(tmp_path):
    classes(tmp_path / "train")
    classes(tmp_path / "train" / "train-dev")
    picture(tmp_path / "test" / "1.png")
    data = read(tmp_path)
    assert data.part is not None
    assert data.part.tolist() == ["train"] * 4 + ["train-dev"] * 4 + ["test"]
    assert data.columns["label"].missing().tolist() == [False] * 8 + [True]


def test_parts_beside_classes_are_refused(tmp_path):
    classes(tmp_path / "train")
    classes(tmp_path, ("other",))
    with pytest.raises(DataError, match="stand beside other folders"):
        read(tmp_path)


def test_a_class_may_be_called_test(tmp_path):
    data = read(classes(tmp_path, ("test", "control")))
    assert data.part is None
    assert data.columns["label"].levels == ("control", "test")


def test_flat_folder_and_single_file_are_for_prediction(tmp_path):
    picture(tmp_path / "b.png")
    one = picture(tmp_path / "a.webp")
    data = read(tmp_path)
    assert data.target is None
    assert data.ids.tolist() == ["a.webp", "b.png"]
    assert list(data.columns) == ["image"]
    assert read(one).ids.tolist() == ["a.webp"]


def test_nothing_to_read(tmp_path):
    with pytest.raises(DataError, match="empty"):
        read(tmp_path)
    (tmp_path / "readme.md").write_text("hello")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no picture.*\.md"):
        read(tmp_path)


def test_what_is_passed_over_is_said(tmp_path):
    root = classes(tmp_path)
    picture(root / "loose.png")
    picture(root / "a" / "moving.gif")
    (root / "a" / "notes.txt").write_text("x")
    (root / "nothing").mkdir()
    (root / ".hidden").mkdir()
    found = {finding.kind: finding for finding in read(root).findings}
    assert set(found) == {"loose-image", "unsupported-format", "other-files", "empty-class"}
    assert found["unsupported-format"].where == "a/moving.gif"


def test_exif_orientation_turns_sizes_and_pixels(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "a" / "1.jpg"
    picture(path, (30, 20), value=100, exif=exif)
    data = read(tmp_path)
    image = data.columns["image"]
    assert image.sizes.tolist() == [[30, 20]]
    assert image.cell(0).shape == (30, 20, 3)


def broken(root: Path) -> Path:
    classes(root)
    whole = picture(root / "a" / "cut.jpg", (200, 200)).read_bytes()
    (root / "a" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    png = picture(root / "a" / "cut.png", (200, 200)).read_bytes()
    (root / "a" / "cut.png").write_bytes(png[: len(png) // 2])
    webp = picture(root / "a" / "cut.webp", (200, 200)).read_bytes()
    (root / "a" / "cut.webp").write_bytes(webp[: len(webp) // 2])
    (root / "b" / "text.jpg").write_text("this is no picture")
    (root / "b" / "zero.png").write_bytes(b"")
    return root


def test_bad_files_are_refused_together_or_left_out(tmp_path):
    root = broken(tmp_path)
    with pytest.raises(DataError) as caught:
        read(root)
    for name in ("a/cut.jpg", "a/cut.png", "a/cut.webp", "b/text.jpg", "b/zero.png"):
        assert name in str(caught.value)
    assert "--skip-bad" in str(caught.value)
    data = read(root, skip_bad=True)
    assert data.ids.tolist() == ["a/0.png", "a/1.png", "b/0.png", "b/1.png"]
    kinds = {finding.where: finding.kind for finding in data.findings}
    assert kinds["a/cut.jpg"] == "truncated-image"
    assert kinds["a/cut.png"] == "truncated-image"
    assert kinds["b/text.jpg"] == "unreadable-image"
    assert all(finding.severity == "error" for finding in data.findings)
    assert len(kinds) == 5


def test_a_picture_damaged_inside_is_left_out_on_request(tmp_path):
    root = classes(tmp_path)
    data = bytearray(picture(root / "a" / "hurt.png", (60, 60)).read_bytes())
    data[len(data) // 2] ^= 0xFF
    (root / "a" / "hurt.png").write_bytes(bytes(data))
    assert len(read(root, skip_bad=True)) == 4


def test_huge_pictures_are_refused_by_their_header(tmp_path):
    Image.new("1", (6000, 5000)).save(tmp_path / "x.png")
    with pytest.raises(DataError, match="30,000,000 pixels"):
        read(tmp_path)


def test_group_by_pattern_in_the_path(tmp_path):
    for name in ("p1_a", "p1_b", "p2_a"):
        picture(tmp_path / "x" / f"{name}.png")
    data = read(tmp_path, group=r"/(p\d)_")
    assert data.group is not None
    assert data.group.tolist() == ["p1", "p1", "p2"]
    with pytest.raises(DataError, match="does not match"):
        read(tmp_path, group=r"/(q\d)_")
    with pytest.raises(DataError, match="regular expression"):
        read(tmp_path, group="(")


def test_table_of_picture_paths(tmp_path):
    for i in range(3):
        picture(tmp_path / "pictures" / f"{i}.png", (8 + i, 6))
    (tmp_path / "labels.csv").write_text("file,y\npictures/0.png,a\npictures/1.png,b\npictures/2.png,a\n")
    for source in (tmp_path, tmp_path / "labels.csv"):
        data = read(source, target="y")
        assert {name: column.kind for name, column in data.columns.items()} == {"file": "image", "y": "category"}
        assert data.columns["file"].sizes.tolist() == [[6, 8], [6, 9], [6, 10]]
    (tmp_path / "pictures" / "1.png").unlink()
    with pytest.raises(DataError, match=r"pictures/1\.png: there is no such file"):
        read(tmp_path / "labels.csv")
    assert read(tmp_path / "labels.csv", skip_bad=True).ids.tolist() == ["00000", "00002"]


def idx(path: Path, array: np.ndarray, code: int = 8) -> Path:
    kinds = {8: ">u1", 12: ">i4", 13: ">f4"}
    data = struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape) + array.astype(kinds[code]).tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def test_idx(tmp_path):
    random = np.random.default_rng(0)
    train, test = random.integers(0, 256, (5, 4, 3), np.uint8), random.integers(0, 256, (2, 4, 3), np.uint8)
    images = idx(tmp_path / "m" / "train-images-idx3-ubyte.gz", train)
    idx(tmp_path / "m" / "train-labels-idx1-ubyte", np.array([3, 1, 10, 3, 1]))
    idx(tmp_path / "m" / "t10k-images.idx3-ubyte", test)
    idx(tmp_path / "m" / "t10k-labels.idx1-ubyte.gz", np.array([10, 1]))
    data = read(tmp_path / "m")
    assert data.ids.tolist() == [*(f"train/{i:05d}" for i in range(5)), "test/00000", "test/00001"]
    assert data.columns["label"].levels == ("1", "3", "10")
    np.testing.assert_array_equal(data.columns["image"].pixels[:, 0], np.concatenate([train, test]))
    with_labels = read(images)
    assert with_labels.target == "label"
    assert with_labels.name == "train-images"
    alone = read(idx(tmp_path / "alone" / "x-images-idx3-ubyte", test))
    assert alone.target is None
    assert list(alone.columns) == ["image"]
    floats = read(idx(tmp_path / "f.idx2-ubyte", np.array([[1.5, 2.0]]), 13))
    assert floats.columns["features"].values.tolist() == [[1.5, 2.0]]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:-3], "truncated"),
        (lambda data: data[:6], "cut off"),
        (lambda data: b"\1" + data[1:], "not an IDX file"),
        (lambda data: data[:4] + b"\xff" * 12 + data[16:], "truncated"),
    ],
)
def test_damaged_idx(tmp_path, damage, message):
    path = idx(tmp_path / "x.idx", np.zeros((2, 3, 4), np.uint8))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=message):
        read(path)


def test_idx_labels_must_fit(tmp_path):
    idx(tmp_path / "train-images-idx3-ubyte", np.zeros((2, 3, 4), np.uint8))
    idx(tmp_path / "train-labels-idx1-ubyte", np.zeros(3, np.uint8))
    with pytest.raises(DataError, match="2 images but labels"):
        read(tmp_path)


def test_a_path_wins_over_a_public_name_and_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    classes(tmp_path / "digits")
    data = read("digits")
    assert len(data) == 4
    assert data.findings[0].kind == "path-before-name"
    with pytest.raises(DataError, match="Did you mean 'fashion-mnist'"):
        read("fashion-mnits")
    with pytest.raises(DataError, match="no file or folder"):
        read("nowhere/at/all.csv")
    (tmp_path / "a.doc").write_text("x")
    with pytest.raises(DataError, match=r"sort '\.doc'"):
        read("a.doc")
