"""The figure of scales, read back from its SVG."""

import re

import numpy as np
import pytest

from orthogon.draw.scale import scale_by_layer
from orthogon.errors import DataError


def heights(svg: str) -> list[list[tuple[float, float]]]:
    """The points of each line of many points."""
    points = [[tuple(map(float, pair.split())) for pair in path.split("L")]
              for path in re.findall(r' d="M([^"zCQ]*)"', svg)]
    return [line for line in points if len(line) > 2]


def test_a_kept_scale_is_a_flat_line_and_a_power_is_a_straight_one():
    svg = scale_by_layer({"kept": np.ones(11), "dying": 0.5 ** np.arange(11)}, title="Scale through 11 layers")
    kept, dying = heights(svg)
    assert len(kept) == len(dying) == 11
    assert len({y for _, y in kept}) == 1
    falls = np.diff([y for _, y in dying])
    assert falls.min() > 0
    assert np.ptp(falls) <= 0.3
    assert "layer" in svg
    assert "standard deviation" in svg
    assert "Scale through 11 layers" in svg


def test_a_line_ends_where_it_falls_below_the_lowest_and_no_stray_ticks_are_named():
    svg = scale_by_layer({"kept": np.ones(50), "dying": 0.1 ** np.arange(50)}, title="Scale through 50 layers")
    assert [len(line) for line in heights(svg)] == [50, 7]
    assert "$" not in svg
    assert len(heights(scale_by_layer({"dying": 0.1 ** np.arange(9)}, title="All of it", lowest=1e-9))[0]) == 9


def test_a_scale_that_is_zero_everywhere_cannot_be_drawn():
    with pytest.raises(DataError, match="nothing to draw"):
        scale_by_layer({"zeros": np.zeros(5)}, title="Nothing")
