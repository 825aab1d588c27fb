"""Masks in color."""

from io import BytesIO

import numpy as np
from PIL import Image

from orthogon.draw.masks import IGNORED, mask_png, outlines, overlay, palette

CODES = np.array([[0, 0, 0, 0], [0, 1, 1, 2], [0, 1, 1, 2], [0, 1, 1, 255]], dtype=np.uint8)


def test_colors_differ_and_beyond_seven_classes_are_those_of_voc():
    colors = palette()
    assert len({tuple(color) for color in colors[:200].tolist()}) == 200
    assert colors[0].tolist() == [0, 0, 0]
    assert tuple(colors[255].tolist()) == IGNORED
    assert colors[1].tolist() == [0xE6, 0x9F, 0x00]
    # Of the development kit's VOClabelcolormap: 8 chair is (64, 0, 0) ... 15 person (192, 128, 128), 20 (0, 64, 128).
    assert colors[8].tolist() == [64, 0, 0]
    assert colors[15].tolist() == [192, 128, 128]
    assert colors[20].tolist() == [0, 64, 128]


def test_a_png_keeps_the_codes_and_shows_the_colors():
    image = Image.open(BytesIO(mask_png(CODES)))
    assert (np.asarray(image) == CODES).all()
    assert (np.asarray(image.convert("RGB")) == palette()[CODES]).all()


def test_outlines_are_on_the_side_of_the_class():
    expected = [[0, 0, 0, 0], [0, 1, 1, 1], [0, 1, 1, 1], [0, 1, 1, 1]]
    assert outlines(CODES).astype(int).tolist() == expected
    wide = np.zeros((5, 5), np.uint8)
    wide[:, 1:] = 3
    assert outlines(wide).sum(axis=0).tolist() == [0, 5, 0, 0, 0]


def test_an_overlay_leaves_the_background_and_tints_the_rest():
    picture = np.full((5, 5, 1), 100, np.uint8)
    codes = np.zeros((5, 5), np.uint8)
    codes[:, 1:] = 1
    drawn = overlay(picture, codes, strength=0.5)
    assert drawn.shape == (5, 5, 3)
    assert drawn.dtype == np.uint8
    assert (drawn[:, 0] == 100).all()
    assert (drawn[:, 1] == palette()[1]).all()
    assert (drawn[:, 2:] == np.rint((100 + palette()[1].astype(float)) / 2)).all()
