"""Every equation against torch's automatic differentiation and against two-sided differences."""

from __future__ import annotations

import pytest

from .twins import Twin, all_twins, difference_ratio, residual

TWINS = all_twins()


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_output_and_gradients_are_torchs(twin: Twin):
    assert residual(twin) < 1e-10


@pytest.mark.parametrize("twin", [twin for twin in TWINS if twin.backward is not None], ids=str)
def test_gradients_are_those_of_two_sided_differences(twin: Twin):
    assert difference_ratio(twin) < 1e-7
