"""Decision boundaries and times, read back from the SVG."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from orthogon.draw.boundaries import boundaries
from orthogon.draw.times import format_seconds, times
from orthogon.errors import DataError

CORNERS, XOR = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])


def texts(svg: str) -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]  # noqa: S314


def lines(svg: str) -> list[np.ndarray]:
    """Points of the drawn boundaries."""
    drawn = re.findall(r'd="(M[^"]*)"[^>]*stroke="#1f2933"|stroke="#1f2933"[^>]*d="(M[^"]*)"', svg)
    return [np.array(re.findall(r"(-?[\d.]+) (-?[\d.]+)", a or b), float) for a, b in drawn]


def test_the_boundary_lies_where_the_probability_is_one_half():
    svg = boundaries({"upright": lambda p: 1 / (1 + np.exp(-8 * (p[:, 0] - 0.5)))}, CORNERS, XOR, title="t")
    (line,) = lines(svg)
    x, y = line.T
    assert np.ptp(x) < 0.3
    assert x.mean() == pytest.approx(210, abs=1)  # the middle of the square, which stands in the middle
    assert np.ptp(y) > 200
    assert texts(svg) == ["upright"]


def test_a_network_that_is_sure_everywhere_has_no_boundary():
    assert not lines(boundaries({"always": lambda p: np.ones(len(p))}, CORNERS, XOR, title="t"))


def test_one_panel_a_network():
    names = [f"{k} units" for k in range(5)]
    svg = boundaries({name: lambda p: p[:, 0] for name in names}, CORNERS, XOR, title="t")
    assert texts(svg) == names
    assert len(svg) < 50_000


def test_each_panel_may_have_labels_of_its_own():
    """Class 1 is drawn as squares: AND has one, OR three."""
    panels = {"and": lambda p: p[:, 0], "or": lambda p: p[:, 0]}
    both = boundaries(panels, CORNERS, [[0, 0, 0, 1], [0, 1, 1, 1]], title="t")
    same = boundaries(panels, CORNERS, [0, 1, 1, 1], title="t")
    assert both.count('fill="#d55e00"') <= same.count('fill="#d55e00"')
    squares = [len(re.findall(r'<use [^>]*/>', svg)) for svg in (both, same)]
    assert squares[0] == squares[1] == 8
    assert both != same


def test_labels_must_fit_the_points():
    for points, labels in ((CORNERS, [0, 1]), (CORNERS, [0, 1, 2, 3]), (CORNERS[:, :1], XOR)):
        with pytest.raises(DataError, match="cannot draw boundaries"):
            boundaries({"a": lambda p: p[:, 0]}, points, labels, title="t")
    with pytest.raises(DataError, match="0 networks"):
        boundaries({}, CORNERS, XOR, title="t")


def test_times_stand_in_order_beside_the_limit():
    svg = times({"loops": 3e-3, "arrays": 6e-5}, limit=6e-6, title="t")
    found = texts(svg)
    assert [each for each in found if each in ("loops", "arrays")] == ["loops", "arrays"]
    assert {"3 ms", "60 µs", "limit of the machine: 6 µs"} <= set(found)


@pytest.mark.parametrize(("seconds", "text"), [
    (2.0, "2 s"), (0.01234, "12 ms"), (1e-3, "1 ms"), (4.56e-6, "4.6 µs"), (3e-9, "3 ns"), (120.0, "120 s")])
def test_seconds_in_their_unit(seconds, text):
    assert format_seconds(seconds) == text


@pytest.mark.parametrize(("seconds", "limit"), [({}, 1.0), ({"a": 0.0}, 1.0), ({"a": 1.0}, 0.0)])
def test_times_are_positive(seconds, limit):
    with pytest.raises(DataError, match="cannot draw the times"):
        times(seconds, limit=limit, title="t")
