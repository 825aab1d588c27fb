"""The scale of a signal layer by layer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from orthogon.draw.curves import curves


def scale_by_layer(scales: Mapping[str, ArrayLike], *, title: str, y_label: str = "standard deviation",
                   lowest: float = 1e-6) -> str:
    """One line per name over layers 1, 2, …, on a logarithmic axis: flat where the signal keeps its scale.

    scales: name -> standard deviation of each layer, the first layer first, such as `activations` or `gradients` of
            orthogon.nn.scale.signal_scale. DataError where there is nothing positive to draw.
    lowest: a line ends where it falls below this, so that one that dies does not flatten the others.
    """
    kept = {name: np.where(np.asarray(values) < lowest, np.nan, values) for name, values in scales.items()}
    lines = {name: (np.arange(1, len(values) + 1), values) for name, values in kept.items()}
    return curves(lines, title=title, x_label="layer", y_label=y_label, log=True)
