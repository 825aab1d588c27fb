"""What the pixels of mask files stand for: tables, guesses, and what is refused."""

import numpy as np
import pytest
from PIL import Image

from orthogon.data.mask_files import IGNORE, guessed_coding, read_table, read_values, scan
from orthogon.data.picture_files import PictureError
from orthogon.errors import DataError


def table(tmp_path, text):
    path = tmp_path / "classes.txt"
    path.write_text(text)
    return read_table(path)


def test_a_line_is_a_name(tmp_path):
    coding = table(tmp_path, "background\ncell wall  # thin\n\nnucleus\n")
    assert coding.names == ("background", "cell wall", "nucleus")
    assert coding.values == {0: 0, 1: 1, 2: 2, 255: IGNORE}
    assert not coding.colors


def test_a_line_is_a_value_and_a_name_in_the_order_of_the_codes(tmp_path):
    coding = table(tmp_path, "0 background\n255 cell\n128 border\n7 void\n")
    assert coding.names == ("background", "cell", "border")
    assert coding.values == {0: 0, 255: 1, 128: 2, 7: IGNORE}


def test_a_line_is_a_color_and_a_name(tmp_path):
    coding = table(tmp_path, "0 0 0 background\n0, 0, 255 sky\n64 128 64\tanimal\n")
    assert coding.colors
    assert coding.names == ("background", "sky", "animal")
    assert coding.values == {0: 0, 255: 1, 64 * 65536 + 128 * 256 + 64: 2}


@pytest.mark.parametrize(("text", "where"), [
    ("0 background\ncell\n", "line 2"), ("0 1 background\n", "line 1"), ("0 background\n1\n", "line 2"),
    ("0 background\n0 cell\n", "line 2"), ("300 sky\n", "line 1"),
])
def test_a_line_that_is_no_class_is_named(tmp_path, text, where):
    with pytest.raises(DataError) as caught:
        table(tmp_path, text)
    assert caught.value.where.endswith(where)


def test_a_table_without_a_class_is_refused(tmp_path):
    with pytest.raises(DataError, match="0 classes"):
        table(tmp_path, "# nothing\n")


@pytest.mark.parametrize(("values", "expected", "names"), [
    ([0, 255], {0: 0, 255: 1}, ("background", "foreground")),
    ([0], {0: 0, 255: 1}, ("background", "foreground")),
    ([0, 1], {0: 0, 1: 1, 255: IGNORE}, ("background", "foreground")),
    ([0, 1, 255], {0: 0, 1: 1, 255: IGNORE}, ("background", "foreground")),
    ([1, 2, 3], {1: 0, 2: 1, 3: 2, 255: IGNORE}, ("class 1", "class 2", "class 3")),
    ([0, 7, 21, 255], {0: 0, 7: 1, 21: 2, 255: IGNORE}, ("background", "class 7", "class 21")),
    ([0, 90, 180], {0: 0, 90: 1, 180: 2, 255: IGNORE}, ("background", "class 90", "class 180")),
])
def test_without_a_table_values_are_classes(values, expected, names):
    coding = guessed_coding(values, "masks")
    assert coding.values == expected
    assert coding.names == names


@pytest.mark.parametrize("values", [[0, 128, 255], range(256), [0, 300]])
def test_what_cannot_be_told_is_asked_for(values):
    with pytest.raises(DataError, match="cannot be told"):
        guessed_coding(values, "masks")


def test_codes_of_values_and_the_name_of_an_unknown_one():
    coding = guessed_coding([0, 7, 21], "masks")
    assert coding.codes(np.array([[21, 0], [255, 7]]), "a.png").tolist() == [[2, 0], [255, 1]]
    assert coding.codes(np.array([[21, 0]]), "a.png").dtype == np.uint8
    with pytest.raises(DataError, match=r"a\.png: the mask holds 8, .*\n  Known: 0, 7, 21, 255"):
        coding.codes(np.array([[0, 8]]), "a.png")


def test_codings_that_differ_have_keys_that_differ():
    keys = {guessed_coding(values, "").key for values in ([0, 255], [0, 1], [0, 7, 21], [0, 7, 22])}
    assert len(keys) == 4


def test_palette_indices_greys_bits_and_grey_rgb_are_values(tmp_path):
    codes = np.array([[0, 1], [2, 1]], dtype=np.uint8)
    path = tmp_path / "mask.png"
    palette = Image.fromarray(codes)
    palette.putpalette([200, 10, 10] * 256)
    palette.save(path)
    assert Image.open(path).mode == "P"
    assert (read_values(path) == codes).all()
    Image.fromarray(codes).save(path)
    assert (read_values(path) == codes).all()
    Image.fromarray(codes == 1).save(path)
    assert Image.open(path).mode == "1"
    assert (read_values(path) == (codes == 1)).all()
    Image.fromarray(np.stack([codes] * 3, axis=-1)).save(path)
    assert (read_values(path) == codes).all()
    Image.fromarray(codes.astype(np.uint16) * 300).save(path)
    assert (read_values(path) == codes * 300.0).all()


def test_colors_are_one_number_and_need_a_table(tmp_path):
    path = tmp_path / "mask.png"
    Image.fromarray(np.array([[[1, 2, 3], [0, 0, 255]]], dtype=np.uint8)).save(path)
    assert read_values(path, colors=True).tolist() == [[65536 + 512 + 3, 255]]
    with pytest.raises(DataError, match="in color, and no table"):
        read_values(path)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\nbut then nothing"])
def test_a_damaged_file_is_named(tmp_path, content):
    path = tmp_path / "mask.png"
    path.write_bytes(content)
    with pytest.raises(PictureError) as caught:
        read_values(path)
    assert caught.value.where == str(path)


def test_values_are_counted_once_and_then_remembered(tmp_path, monkeypatch):
    path = tmp_path / "mask.png"
    Image.fromarray(np.array([[0, 1], [1, 1]], dtype=np.uint8)).save(path)
    assert scan([path]) == [{0: 1, 1: 3}]
    monkeypatch.setattr("orthogon.data.mask_files.read_values", None)
    assert scan([path]) == [{0: 1, 1: 3}]
