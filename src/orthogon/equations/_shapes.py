"""What all equations ask of their arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]


def expect_shape(name: str, array: NDArray[Any], expected: tuple[int | str, ...], meaning: str) -> None:
    """ValueError unless the array has this shape. A word in `expected` names an axis of any size.

    meaning: what the axes are, told to who passed something else.
    """
    fits = np.ndim(array) == len(expected) and all(
        isinstance(wanted, str) or size == wanted for size, wanted in zip(np.shape(array), expected)
    )
    if not fits:
        shapes = ["×".join(map(str, shape)) or "a single number" for shape in (np.shape(array), expected)]
        raise ValueError(f"{name} is {shapes[0]}, expected {shapes[1]}: {meaning}")


def expect_same(one: NDArray[Any], other: NDArray[Any]) -> None:
    """ValueError unless two arrays have the same shape."""
    if np.shape(one) != np.shape(other):
        raise ValueError(
            f"the shapes are {np.shape(one)} and {np.shape(other)}, expected the same: arrays that broadcast would "
            "give another result"
        )
