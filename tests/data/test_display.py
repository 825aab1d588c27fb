"""How data shows itself."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from PIL import Image

from orthogon.data.columns import CategoryColumn, ImageColumn, TextColumn
from orthogon.data.dataset import Dataset
from orthogon.data.display import choose, headline, show
from orthogon.data.masks import MaskColumn
from orthogon.data.read import read
from orthogon.data.target_columns import BoxColumn, ObjectColumn
from orthogon.data.text_columns import TagsColumn, TokensColumn
from orthogon.errors import DataError

EVIL = "<script>alert('x')</script>"


@pytest.fixture
def photos(tmp_path):
    for name, shade in (("a", 50), ("b", 200)):
        for i in range(5):
            path = tmp_path / "photos" / name / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((70, 90 + i, 3), shade, np.uint8)).save(path)
    return read(tmp_path / "photos")


def test_examples_are_spread_over_classes(photos):
    rows = choose(photos, 4)
    assert photos.columns["label"].codes[rows].tolist() == [0, 1, 0, 1]
    assert len(set(rows.tolist())) == 4
    assert choose(photos, 99).tolist() == list(range(10))
    assert len(choose(read(np.zeros((100, 2))), 7)) == 7


def test_contact_sheet(photos, tmp_path):
    shown = photos.show(4)
    assert shown.captions() == ["a\n0.png", "b\n0.png", "a\n4.png", "b\n4.png"]
    shown.save(tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        colors = {color for _, color in sheet.convert("RGB").getcolors(1 << 20) or []}
    assert {(50, 50, 50), (200, 200, 200)} <= colors
    assert "10 pictures of many sizes, RGB, seen at 64×64; 2 classes" in str(shown)
    assert "data:image/png;base64," in shown._repr_html_()
    assert photos._repr_html_().startswith("<div>")


def test_tables(tmp_path):
    frame = pl.DataFrame({EVIL: [1.0, None, 3.5], "job": ["clerk", EVIL, None], "y": ["u", "v", "u"]})
    data = read(frame, target="y", name="people")
    text = str(show(data))
    assert "people  3 rows, 3 columns; 2 classes; target 'y'" in text
    assert "1 … 3.5, mean 2.25" in text
    assert "y (target)" in text
    for name in ("a.html", "a.txt"):
        data.show().save(tmp_path / name)
    page = (tmp_path / "a.html").read_text()
    assert EVIL not in page
    assert "&lt;script&gt;" in page
    assert EVIL not in data._repr_html_()
    with pytest.raises(DataError, match="no pictures"):
        data.show().save(tmp_path / "a.png")
    with pytest.raises(DataError, match="cannot save"):
        data.show().save(tmp_path / "a.doc")
    with pytest.raises(DataError, match="0 examples"):
        data.show(0)


def test_words_and_tags_are_counted_and_texts_share_the_line():
    words = [("a", "b"), ("c",) * 9, ("d",) * 60]
    tags = TagsColumn.from_values([["O", "B-x"], ["O"] * 9, ["O"] * 60])
    data = Dataset("t", {"words": TokensColumn(words), "tags": tags}, "tags", np.arange(3).astype(str))
    text = str(show(data))
    assert "half have over 9 words, the longest 60" in text
    assert "O 70, B-x 1" in text
    assert "d " * 24 + "d…" in text  # 50 letters each of the 100 that two columns of text share
    alone = Dataset("t", {"text": TextColumn(["z" * 99])}, None, np.array(["0"]))
    assert "z" * 99 in str(show(alone))
    assert "1 row" in headline(alone)
    assert "1 column" in headline(alone)
    assert "columns" not in headline(alone)


def test_parts_sources_and_notes_are_told():
    assert "sources phone 898, scanner 899" in headline(read("digits-tilted"))
    assert "13 of the 43" in str(read("digits").show(4))
    wide = read({"train": (np.zeros((2, 300)), [0, 1]), "test": (np.ones((1, 300)), [1])})
    assert "parts train 2, test 1" in headline(wide)
    assert "number × 300" in str(wide.show())


def test_many_columns_are_cut_with_a_word(tmp_path):
    frame = pl.DataFrame({f"c{i}": [1, 2] for i in range(80)})
    assert "and 20 more" in str(read(frame).show())


@pytest.mark.parametrize(("fit", "left"), [("crop", 0), ("letterbox", 16), ("stretch", 0)])
def test_targets_that_lie_on_pictures_are_drawn_where_they_lie(fit, left):
    """A picture twice as high as wide, a yellow frame around its upper half and a tint over its lower one."""
    pixels, half = np.zeros((1, 3, 128, 64), np.uint8), np.zeros((1, 128, 64), np.uint8)
    half[:, 64:] = 1
    target = ObjectColumn(BoxColumn(np.array([[0, 0, 64, 64]])), CategoryColumn.from_values(["cat"]))
    columns = {"image": ImageColumn(pixels), "object": target}
    shown = show(Dataset("boxed", columns, "object", np.array(["0"])), size=(64, 64), fit=fit)
    sheet = np.asarray(shown.sheet)[10:138, 10:138]
    yellow = np.argwhere((sheet[:, :, 0] > 120) & (sheet[:, :, 2] < 90))
    low, high = yellow.min(axis=0), yellow.max(axis=0)
    # Cut at its middle, only the upper half of what is seen lies in the box, whose upper edge is out of sight.
    assert np.abs([low[1] - 2 * left, high[1] - (127 - 2 * left), high[0] - 63]).max() <= 4
    assert shown.captions() == ["cat\n0"]
    columns = {"image": ImageColumn(pixels), "mask": MaskColumn.from_array(half)}
    shown = show(Dataset("masked", columns, "mask", np.array(["0"])), size=(64, 64), fit=fit)
    sheet = np.asarray(shown.sheet)[10:138, 10:138]
    assert sheet[10, 64].max() == 0
    assert sheet[100, 64].max() > 60
