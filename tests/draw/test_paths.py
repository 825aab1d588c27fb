"""Paths over a surface, read back from the SVG."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from orthogon.draw.curves import curves
from orthogon.draw.paths import paths
from orthogon.draw.style import PALETTE
from orthogon.errors import DataError

X, Y = np.linspace(-2, 2, 30), np.linspace(-1, 1, 20)
BOWL = X**2 + 4 * Y[:, None] ** 2
WALK = np.array([[-1.5, 0.5], [-0.5, -0.25], [0.0, 0.0]])


def drawn(svg: str, color: str) -> np.ndarray:
    """The longest line of that color, in points of the figure."""
    found = [each.attrib for each in ElementTree.fromstring(svg).iter() if each.attrib.get("stroke") == color]  # noqa: S314
    numbers = [np.array(re.findall(r"-?[\d.]+", each.get("d", "")), float).reshape(-1, 2) for each in found]
    return max(numbers, key=len)


def test_a_path_is_drawn_where_it_went():
    """The figure is 420 wide with margins 40 and 14: x from -2 to 2 takes 366 points; y points up."""
    line = drawn(paths({"walk": WALK}, X, Y, BOWL, title="t"), PALETTE[0])
    np.testing.assert_allclose(line[:, 0], 40 + 366 * (WALK[:, 0] + 2) / 4, atol=0.2)
    assert line[0, 1] < line[2, 1] < line[1, 1]


def test_each_path_is_named_and_many_names_take_more_rows():
    names = [f"optimizer {k}" for k in range(6)]
    root = ElementTree.fromstring(paths(dict.fromkeys(names, WALK), X, Y, BOWL, title="t", lowest=[(0, 0)]))  # noqa: S314
    texts = [each for each in root.iter("{http://www.w3.org/2000/svg}text") if (each.text or "").startswith("●")]
    assert [each.text for each in texts] == [f"● {name}" for name in names]
    assert len({each.get("y") or each.get("transform", "").split()[-1] for each in texts}) > 1


def test_steps_too_short_to_see_are_left_out():
    """As small a file as it looks: a thousand steps in one place are one."""
    still = np.repeat(WALK, 1000, axis=0)
    assert len(drawn(paths({"walk": still}, X, Y, BOWL, title="t"), PALETTE[0])) == 3


def test_what_does_not_fit_is_refused():
    for walked, heights in (({}, BOWL), ({"a": WALK[:, :1]}, BOWL), ({"a": WALK}, BOWL.T), ({"a": WALK[:0]}, BOWL)):
        with pytest.raises(DataError, match="cannot draw paths"):
            paths(walked, X, Y, heights, title="t")


def test_more_curves_than_colors_can_be_told_apart():
    svg = curves({f"line {k}": ([0, 1], [k, k + 1]) for k in range(12)}, title="t")
    styles = [(each.get("stroke"), each.get("stroke-dasharray")) for each in
              ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}path") if each.get("stroke") in PALETTE]  # noqa: S314
    assert len(styles) == len(set(styles)) == 12
