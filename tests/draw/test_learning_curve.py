"""The figure of the learning curve."""

from __future__ import annotations

import re

import numpy as np

from orthogon.draw.learning_curve import learning_curve

SIZES, DEV = [100, 200, 400], ([0.2, 0.1, 0.05], [0.15, 0.08, 0.03], [0.25, 0.12, 0.07])


def test_dev_train_and_forecast_are_drawn_and_named():
    band = {"size": np.array([100, 800]), "value": np.array([0.2, 0.03]), "low": np.array([0.1, 0.0]),
            "high": np.array([0.3, 0.06])}
    svg = learning_curve(SIZES, DEV, [0.01, 0.01, 0.02], y_label="error, %", band=band, scale=100)
    words = re.sub("<[^>]+>", " ", svg)
    for name in ("dev", "train", "foretold", "training examples", "error, %"):
        assert name in words
    without = learning_curve(SIZES, DEV, [0.01, 0.01, 0.02], y_label="error, %", scale=100)
    assert "foretold" not in re.sub("<[^>]+>", " ", without)
    assert len(without) < len(svg)


def test_shares_are_shown_in_percent():
    shares, percent = (
        learning_curve(SIZES, DEV, [0.01, 0.01, 0.02], y_label="error", scale=scale) for scale in (1.0, 100.0))
    numbers = [{float(each) for each in re.findall(r">\s*([\d.]+)\s*<", svg)} for svg in (shares, percent)]
    assert max(each for each in numbers[0] if each < 100) < 1
    assert {10.0, 20.0} <= numbers[1]
