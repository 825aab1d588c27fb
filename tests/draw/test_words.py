"""Text as a picture: as wide as its longest line, which is wrapped where it is too long."""

from __future__ import annotations

from orthogon.draw.words import MARGIN, text_picture


def test_the_picture_is_as_wide_as_its_longest_line_and_as_high_as_its_lines():
    one, two, many = text_picture(["abc"]), text_picture(["abcdef", "a"]), text_picture(["a" * 25], columns=10)
    letter = (many.shape[1] - 2 * MARGIN) / 10
    assert abs(one.shape[1] - 2 * MARGIN - 3 * letter) < 1
    assert abs(two.shape[1] - 2 * MARGIN - 6 * letter) < 1
    assert many.shape[0] > two.shape[0] > one.shape[0]
    assert one.min() < 100  # there is ink
    assert text_picture([]).min() == 255
