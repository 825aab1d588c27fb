"""The map of layers over steps: its colors, its labels, its size."""

from __future__ import annotations

import re
from base64 import b64decode
from io import BytesIO
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from orthogon.draw.health import NOTHING, layer_map
from orthogon.draw.style import VERMILLION
from orthogon.errors import DataError

NAMES = ["first", "second", "third"]


def pixels(svg: str) -> np.ndarray:
    """The colors of the map, layers × steps × 3, as they stand in its picture."""
    encoded = re.findall(r"data:image/png;base64,\s*([A-Za-z0-9+/=\s]+)", svg)[0]
    return np.asarray(Image.open(BytesIO(b64decode(encoded))).convert("RGB")).astype(int)


def rgb(color: str) -> list[int]:
    return [int(color[at:at + 2], 16) for at in (1, 3, 5)]


def labels(svg: str) -> list[str]:
    root = ElementTree.fromstring(svg)  # noqa: S314 - our own figure
    return ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]


def test_larger_values_are_darker_by_orders_of_magnitude():
    svg = layer_map([[1e-4, 1e-2], [1e-3, 1e-1], [1e-2, 1.0]], NAMES, [1, 50], title="map", log=True)
    dark = pixels(svg).sum(axis=2)
    assert dark.shape == (3, 2)
    assert dark[0, 0] > dark[1, 0] > dark[2, 0] > dark[1, 1] > dark[2, 1]
    assert dark[2, 0] == dark[0, 1]
    assert {*NAMES, "1", "50", "step", "0.0001", "0.01"} <= set(labels(svg))


def test_missing_infinite_and_zero_values_have_colors_of_their_own():
    found = pixels(layer_map([[np.nan, 0.0], [1e-3, np.inf], [1.0, 1.0]], NAMES, [1, 2], title="map", log=True))
    assert found[0, 0].tolist() == rgb(NOTHING)
    assert found[1, 1].tolist() == rgb(VERMILLION)
    assert found[0, 1].tolist() == found[1, 0].tolist()  # zero as the smallest


def test_shares_are_drawn_from_0_to_100_percent():
    svg = layer_map([[0.0, 0.5, 1.0]], ["only"], [1, 2, 3], title="map")
    assert {"0 %", "50 %", "100 %"} <= set(labels(svg))
    assert (np.diff(pixels(svg)[0].sum(axis=1)) < 0).all()
    assert pixels(layer_map([[0.2, 0.2]], ["only"], [1, 2], title="map"))[0, 0].sum() > 450  # not stretched to the data


@pytest.mark.parametrize("values", [[[0.1, 0.1]], [[0.0, 0.0]], [[np.nan, np.nan]]])
def test_equal_zero_or_missing_values_can_be_drawn(values):
    assert "<svg" in layer_map(values, ["only"], [1, 2], title="map", log=True)


def test_a_large_map_stays_small_and_its_labels_apart():
    names = [f"stages.{at}.blocks.0.a_long_name.conv" for at in range(60)]
    svg = layer_map(np.random.default_rng(0).random((60, 60)), names, range(1, 61), title="map")
    assert len(svg) < 40_000
    assert [label for label in labels(svg) if "." in label and label.startswith("stages")] == [
        f"stages.{at}.b.0.a.conv" for at in range(0, 60, 2)]


def test_the_same_values_give_the_same_figure():
    first, second = (layer_map([[0.1, 0.9]], ["<a>"], [1, 2], title="A <map>") for _ in range(2))
    assert first == second
    assert "<a>" not in first


@pytest.mark.parametrize("values", [[[1.0]], [], [[1.0, 2.0], [1.0, 2.0]]])
def test_a_map_of_another_shape_is_refused(values):
    with pytest.raises(DataError, match="1 layers and 2 steps"):
        layer_map(values, ["only"], [1, 2], title="map")


def test_layers_of_alike_blocks_keep_what_tells_them_apart():
    layers = [f"down{k}.maxpool_conv.1.double_conv.{place}" for k in (1, 2) for place in (0, 3)]
    layers += ["trunk.stages.0.blocks.1.conv", "head.0", "many_letters_and_no_dot.0"]
    svg = layer_map(np.ones((7, 1)), layers, [1], title="a map")
    shown = ["down1.m.1.d.0", "down1.m.1.d.3", "down2.m.1.d.0", "down2.m.1.d.3", "trunk.s.0.b.1.conv", "head.0"]
    shown.append("…etters_and_no_dot.0")
    assert [label for label in labels(svg) if "." in label and not label[0].isdigit()] == shown
