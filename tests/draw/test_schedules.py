"""Schedules on one axis."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from orthogon import registry
from orthogon.draw.curves import apart
from orthogon.draw.schedules import schedules
from orthogon.optim.schedules import Timeline

SVG = "{http://www.w3.org/2000/svg}"


def test_all_schedules_are_named_within_the_picture_and_epochs_are_on_the_axis():
    told = Timeline(400, 20, table={3: 0.5})
    made = {entry.name: [entry.load()(told)(step) for step in range(400)] for entry in registry.schedules}
    root = ElementTree.fromstring(schedules(made, title="All", epoch_steps=20))  # noqa: S314 - our own figure
    texts = {"".join(node.itertext()): node for node in root.iter(f"{SVG}text")}
    assert set(made) <= set(texts)
    assert {"epoch", "20", "share of the rate"} <= set(texts)
    height = float(root.attrib["viewBox"].split()[3])
    assert all(0 < float(texts[name].attrib["y"]) < height for name in made if "y" in texts[name].attrib)


def test_names_neither_touch_nor_leave_by_the_floor():
    sizes = np.full(6, 15.0)
    found = apart([2.0, 1.0, 0.0, 80.0, 3.0, 0.0], sizes, 100.0, 0.0)
    assert found.min() >= 0
    assert found.max() <= 100
    assert (np.diff(np.sort(found)) >= 15 - 1e-9).all()
    assert found[3] == 80.0
    assert apart([2.0, 1.0], sizes[:2], 100.0).tolist() == pytest.approx([2.0, -13.0])
