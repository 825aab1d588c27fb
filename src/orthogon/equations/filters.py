"""Filters that are written down instead of learnt: edges; and a fully connected layer as a convolution."""

from __future__ import annotations

import numpy as np

from orthogon.equations._shapes import Floats

# Each finds edges that stand upright, from bright on the left to dark on the right: what is left is added, what is
# right is taken away. Prewitt is the plain one of the course; Sobel and Scharr weigh the middle row more.
UPRIGHT: dict[str, Floats] = {
    "prewitt": np.array([[1.0, 0.0, -1.0]] * 3),
    "sobel": np.array([[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]]),
    "scharr": np.array([[3.0, 0.0, -3.0], [10.0, 0.0, -10.0], [3.0, 0.0, -3.0]]),
}


def edge_filter(name: str = "sobel", lying: bool = False) -> Floats:
    """A 3×3 filter that finds edges: "prewitt", "sobel" or "scharr" (row 16.17).

    Laid on a picture as deep learning does, unmirrored, its answer is positive where it is bright on the left and dark
    on the right, negative the other way round: the sign tells the one edge from the other. lying: the filter turned,
    bright above dark is positive. A filter for upright edges says nothing of lying ones: it blurs along the edge and
    differs across it (row 16.18).
    """
    if name not in UPRIGHT:
        raise ValueError(f"there is no edge filter {name!r}; known: {', '.join(UPRIGHT)}")
    return UPRIGHT[name].T.copy() if lying else UPRIGHT[name].copy()


def fully_connected_as_convolution(W: Floats, shape: tuple[int, ...]) -> Floats:
    """The filters of the convolution that does what a fully connected layer does (row 16.26, 34.12).

    W: K×D, which reads an input of that shape, C×H×W, laid out as one row of D = C·H·W. Filters: K×C×H×W, as large as
    the input, so that each gives one number, 1×1. Laid on a larger picture they give what the layer would have given
    at each place, from one pass.
    """
    if W.ndim != 2 or W.shape[1] != np.prod(shape):
        raise ValueError(f"W is {W.shape}, the input {shape}: expected K×{int(np.prod(shape))}")
    return W.reshape(len(W), *shape)
