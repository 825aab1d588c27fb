"""Plain properties of pictures, each with a name that a person understands: to see how two sets of them differ."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def picture_statistics(pixels: NDArray[np.uint8]) -> dict[str, Floats]:
    """Name -> one number for each picture of (n, C, H, W) uint8.

    brightness, contrast: mean and standard deviation of the grey values, of 0 to 1. sharpness: mean size of the step
    from a pixel to the next. Of the object, which is whatever differs from the middle grey value of the border: amount
    (mean difference), extent (root mean square distance from its center, in sides of the picture), across and down (its
    center, 0 to 1), tilt (of its long axis from the vertical, in degrees, right leaning is positive) and elongation
    (0 round, 1 a line). direction of edges: in degrees from the horizontal. With three channels also saturation, and
    warmth (red minus blue).
    """
    shown = pixels.astype(np.float64) / 255
    grey = shown.mean(axis=1)
    down, across = np.diff(grey, axis=1), np.diff(grey, axis=2)
    found = {
        "brightness": grey.mean(axis=(1, 2)),
        "contrast": grey.std(axis=(1, 2)),
        "sharpness": (np.abs(down).mean(axis=(1, 2)) + np.abs(across).mean(axis=(1, 2))) / 2,
        **_object(grey),
        "direction of edges": _edge_direction(grey),
    }
    if pixels.shape[1] == 3:
        top, bottom = shown.max(axis=1), shown.min(axis=1)
        found["saturation"] = ((top - bottom) / np.maximum(top, 1e-9)).mean(axis=(1, 2))
        found["warmth"] = (shown[:, 0] - shown[:, 2]).mean(axis=(1, 2))
    return found


def _object(grey: Floats) -> dict[str, Floats]:
    """Moments of what stands out from the border."""
    border = np.concatenate([grey[:, 0], grey[:, -1], grey[:, :, 0], grey[:, :, -1]], axis=1)
    ink = np.abs(grey - np.median(border, axis=1)[:, None, None])
    height, width = grey.shape[1:]
    side = max(height, width)
    y, x = np.mgrid[:height, :width]
    mass = np.maximum(ink.sum(axis=(1, 2)), 1e-9)
    mean_x, mean_y = (ink * x).sum(axis=(1, 2)) / mass, (ink * y).sum(axis=(1, 2)) / mass
    dx, dy = x - mean_x[:, None, None], y - mean_y[:, None, None]
    xx, yy, xy = ((ink * a * b).sum(axis=(1, 2)) / mass for a, b in ((dx, dx), (dy, dy), (dx, dy)))
    apart = np.hypot(xx - yy, 2 * xy)
    return {
        "amount": ink.mean(axis=(1, 2)),
        "extent": np.sqrt(xx + yy) / side,
        "across": (mean_x + 0.5) / width,
        "down": (mean_y + 0.5) / height,
        "tilt": np.degrees(0.5 * np.arctan2(-2 * xy, yy - xx)),
        "elongation": apart / np.maximum(xx + yy, 1e-9),
    }


def _edge_direction(grey: Floats) -> Floats:
    """Of the edges, which run square to the slope of the grey values: the axis of the structure tensor."""
    down, across = np.gradient(grey, axis=(1, 2))
    xx, yy, xy = ((a * b).sum(axis=(1, 2)) for a, b in ((across, across), (down, down), (across, down)))
    return np.degrees(0.5 * np.arctan2(2 * xy, yy - xx))
