"""Drawn shapes with named corners: a data set of which everything is known, for boxes and landmarks (row 20.03)."""

from __future__ import annotations

import numpy as np

from orthogon.data.columns import CategoryColumn, ImageColumn
from orthogon.data.dataset import Dataset
from orthogon.data.readers.options import row_ids
from orthogon.data.target_columns import BoxColumn, ObjectColumn, PointsColumn

SIDE, COUNT, SEED = 64, 3000, 0
KINDS = ("dart", "kite", "triangle")
POINTS = ("tip", "left", "foot", "right")
"""Corners in the order in which a pen draws them, seen along the way from the middle to the tip. A shape that is turned
keeps its names, one that is mirrored exchanges left and right."""

EMPTY = 0.1
"""Share of the pictures without a shape."""

_FINE = 4  # pixels of drawing in one of the picture, so that edges are smooth


def shapes(count: int = COUNT, seed: int = SEED, side: int = SIDE) -> Dataset:
    """RGB pictures of side × side pixels with at most one shape on an uneven, noisy ground.

    A dart, a kite or a triangle of any color, size, slant and turn; its box, and its corners tip, left, foot and right
    (a triangle has no foot). The same arguments give the same pictures. Target "object".
    """
    random = np.random.default_rng(seed)
    kind = random.integers(len(KINDS), size=count)
    present = random.random(count) >= EMPTY
    corners = _corners(kind, random, side)
    pixels = _grounds(random, count, side)
    colors = _colors(pixels, random)
    for row in np.flatnonzero(present):
        covered = _covered(corners[row, ~np.isnan(corners[row, :, 0])], side)[..., None]
        pixels[row] = pixels[row] * (1 - covered) + colors[row] * covered
    pixels += 8 * random.standard_normal((*pixels.shape[:3], 1), dtype=np.float32)
    pixels = np.clip(pixels, 0, 255, out=pixels).astype(np.uint8)
    corners[~present] = np.nan
    low, high = np.nan_to_num(corners, nan=np.inf).min(axis=1), np.nan_to_num(corners, nan=-np.inf).max(axis=1)
    boxes = np.where(present[:, None], np.concatenate([low, high], axis=1), np.nan)
    target = ObjectColumn(BoxColumn(boxes), CategoryColumn(np.where(present, kind, -1), KINDS),
                          PointsColumn(corners, POINTS))
    image = ImageColumn(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
    return Dataset("shapes", {"image": image, "object": target}, "object", row_ids(count))


def _corners(kind: np.ndarray, random: np.random.Generator, side: int) -> np.ndarray:
    """(n, 4, 2): x and y of tip, left, foot and right, within the picture; NaN where a shape has no foot."""
    count = len(kind)
    long, wide = random.uniform(0.16, 0.36, count) * side, random.uniform(0.5, 0.8, count)
    # Along the axis of the shape, its tip at 1; across it, left at 1 and right at −1; in units of half its length.
    along = np.array([[1, -0.9, -0.35, -0.9], [1, 0.35, -1, 0.35], [1, -0.9, np.nan, -0.9]])[kind]
    across = np.tile([0.0, 1.0, 0.0, -1.0], (count, 1)) * wide[:, None]
    along = along + random.uniform(-0.15, 0.15, count)[:, None] * (across != 0) * np.sign(across)  # a little slanted
    turn = random.uniform(0, 2 * np.pi, count)[:, None]
    x = (along * np.cos(turn) + across * np.sin(turn)) * long[:, None]
    y = (along * np.sin(turn) - across * np.cos(turn)) * long[:, None]
    corners = np.stack([x, y], axis=2)
    low, high = np.nanmin(corners, axis=1), np.nanmax(corners, axis=1)
    place = 2 - low + random.random((count, 2)) * (side - 4 - (high - low))
    return corners + place[:, None]


def _grounds(random: np.random.Generator, count: int, side: int) -> np.ndarray:
    """Float32 (n, side, side, 3): a color that changes evenly across each picture."""
    corner = random.uniform(30, 225, (count, 1, 1, 3)) + random.uniform(-30, 30, (count, 2, 2, 3))
    share = ((np.arange(side) + 0.5) / side).astype(np.float32)
    along = np.stack([1 - share, share])
    rows = np.einsum("ay,nabc->nybc", along, corner.astype(np.float32))
    return (rows.transpose(0, 1, 3, 2) @ along).transpose(0, 1, 3, 2).copy()


def _colors(grounds: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """(n, 3): far enough from the mean of the ground to be seen, at least 60 of 255 in some channel."""
    mean = grounds.mean(axis=(1, 2))
    colors = random.uniform(0, 255, mean.shape)
    channel = random.integers(3, size=len(mean))
    rows = np.arange(len(mean))
    off = random.uniform(60, 110, len(mean))
    colors[rows, channel] = mean[rows, channel] + np.where(mean[rows, channel] > 127, -off, off)
    return colors.astype(np.float32)


def _covered(corners: np.ndarray, side: int) -> np.ndarray:
    """(side, side): the share of each pixel that lies in the polygon."""
    from PIL import Image, ImageDraw

    fine = Image.new("L", (side * _FINE, side * _FINE))
    ImageDraw.Draw(fine).polygon([tuple(corner) for corner in corners * _FINE - 0.5], fill=255)
    return np.asarray(fine.reduce(_FINE), dtype=np.float32) / 255
