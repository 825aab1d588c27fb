"""Properties of pictures, against pictures of which they are known."""

from __future__ import annotations

import numpy as np
import pytest

from orthogon.data.picture_statistics import picture_statistics


def bar(angle, size=41, color=255, ground=0, center=(20, 20)):
    """A bar of 5 × 25 pixels whose long axis leans to the right of the vertical by so many degrees."""
    y, x = np.mgrid[:size, :size]
    turned = np.radians(angle)
    dx, dy = x - center[1], y - center[0]
    along, beside = dx * np.sin(turned) - dy * np.cos(turned), dx * np.cos(turned) + dy * np.sin(turned)
    return np.where((np.abs(along) < 12.01) & (np.abs(beside) < 2.01), color, ground).astype(np.uint8)[None]


def of(*pictures):
    return picture_statistics(np.stack(pictures))


def test_brightness_contrast_and_sharpness_of_a_checkerboard():
    board = ((np.indices((8, 8)).sum(axis=0) % 2) * 255).astype(np.uint8)[None]
    found = of(board, np.full((1, 8, 8), 51, np.uint8))
    assert found["brightness"] == pytest.approx([0.5, 0.2])
    assert found["contrast"] == pytest.approx([0.5, 0.0])
    assert found["sharpness"] == pytest.approx([1.0, 0.0])


@pytest.mark.parametrize("angle", [-60, -30, 0, 20, 45, 80])
def test_tilt_is_the_lean_of_the_long_axis(angle):
    assert of(bar(angle))["tilt"][0] == pytest.approx(angle, abs=2)
    assert of(bar(angle, color=30, ground=220))["tilt"][0] == pytest.approx(angle, abs=2)  # dark on light alike


def test_a_vertical_bar_has_vertical_edges_and_a_level_one_level_edges():
    directions = of(bar(0), bar(90), bar(45))["direction of edges"]
    assert abs(directions[0]) == pytest.approx(90, abs=1)
    assert directions[1] == pytest.approx(0, abs=1)
    assert directions[2] == pytest.approx(45, abs=4)  # rising to the right, as the bar leans


def test_place_extent_amount_and_elongation_of_the_object():
    found = of(bar(0, center=(14, 26)), bar(0))
    assert found["across"] == pytest.approx([26.5 / 41, 0.5])
    assert found["down"] == pytest.approx([14.5 / 41, 0.5])
    assert found["amount"] == pytest.approx([125 / 41**2] * 2)
    xx, yy = (5**2 - 1) / 12, (25**2 - 1) / 12
    assert found["extent"] == pytest.approx([np.sqrt(xx + yy) / 41] * 2)
    assert found["elongation"] == pytest.approx([(yy - xx) / (yy + xx)] * 2)


def test_color_has_saturation_and_warmth():
    red, grey = np.zeros((3, 4, 4), np.uint8), np.full((3, 4, 4), 99, np.uint8)
    red[0] = 255
    found = of(red, grey)
    assert found["saturation"] == pytest.approx([1.0, 0.0])
    assert found["warmth"] == pytest.approx([1.0, 0.0])
    assert "warmth" not in of(bar(0))


def test_an_empty_picture_has_finite_statistics():
    assert all(np.isfinite(values).all() for values in of(np.zeros((1, 8, 8), np.uint8)).values())
