"""Error on dev and on the examples learnt, against the number of examples, with what a law foretells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from orthogon.draw.curves import curves


def learning_curve(
    sizes: ArrayLike, dev: Sequence[ArrayLike], train: ArrayLike, *, y_label: str,
    band: Mapping[str, ArrayLike] | None = None, scale: float = 1.0,
) -> str:
    """The classic picture of bias and variance: the height of the train curve, and how far dev lies above it.

    sizes: (k,). dev: (value, low, high), each (k,). train: (k,). band: "size", "value", "low", "high" of the fitted
    law, drawn over the measured sizes and beyond; None where there is none. scale: 100 shows shares in percent.
    """
    value, low, high = (scale * np.asarray(each, float) for each in dev)
    series: dict[str, Sequence[ArrayLike]] = {
        "dev": (sizes, value, low, high), "train": (sizes, scale * np.asarray(train, float))}
    if band is not None:
        series["foretold"] = (band["size"], *(scale * np.asarray(band[key], float) for key in ("value", "low", "high")))
    return curves(series, title="error against the number of training examples", x_label="training examples",
                  y_label=y_label, log_x=True)
