"""Learning-rate schedules on one axis."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from orthogon.draw.curves import curves


def schedules(
    factors: Mapping[str, ArrayLike], *, title: str, epoch_steps: int = 1, log: bool = False, height: float = 360
) -> str:
    """What each schedule multiplies the rate by, over the epochs, as SVG.

    factors:     name -> the factor at each step.
    epoch_steps: steps in one epoch.
    log:         a logarithmic axis, on which factors of 0 are left out.
    """
    lines = {name: (np.arange(1, len(each) + 1) / epoch_steps, each) for name, each in
             ((name, np.asarray(values, float)) for name, values in factors.items())}
    return curves(lines, title=title, x_label="epoch", y_label="share of the rate", log=log, height=height)
