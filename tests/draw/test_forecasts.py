"""Pictures of forecasts: a panel for each, lines where numbers are."""

from __future__ import annotations

import numpy as np

from orthogon.draw.forecasts import Shown, draw_by_step, draw_forecasts


def blue(picture: np.ndarray) -> int:
    """Pixels of the color of forecasts."""
    return int((np.abs(picture.astype(int) - (0, 114, 178)).sum(axis=2) < 30).sum())


def test_a_forecast_is_a_blue_line_and_panels_stand_in_two_columns():
    one = Shown("2020", np.arange(9.0), np.arange(4.0), np.arange(4.0), 0)
    pictures = [draw_forecasts([one] * count, "y") for count in (1, 2, 3)]
    assert [picture.shape[2] for picture in pictures] == [3, 3, 3]
    assert pictures[0].shape == pictures[1].shape
    assert pictures[2].shape[0] == 2 * pictures[0].shape[0]
    nothing = one._replace(forecast=np.full(4, np.nan))
    assert blue(draw_forecasts([nothing], "y")) == 0
    assert blue(pictures[0]) > 50


def test_one_step_ahead_is_a_dot():
    assert blue(draw_forecasts([Shown("", np.arange(9.0), np.ones(1), np.ones(1), 2)], "y")) > 5


def test_a_line_for_each_model():
    alone = draw_by_step({"network": np.arange(5.0)})
    both = draw_by_step({"network": np.arange(5.0), "persistence": np.arange(5.0) + 1})
    assert blue(alone) > 50
    assert (alone != both).any()
