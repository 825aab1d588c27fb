"""Pictures of cells, made by a fixed seed: overlapping, noisy, unevenly lit, with debris; and which pixels are cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from orthogon.data.columns import ImageColumn
from orthogon.data.dataset import Dataset
from orthogon.data.masks import MaskColumn
from orthogon.data.readers.options import ids_by_part

Floats = NDArray[np.float32]

SIDE, SEED = 96, 17
PARTS = {"train": 240, "dev": 80, "test": 80}
CLASSES = ("background", "cell")
MOST_CELLS, MOST_DEBRIS = 14, 10
WINDOW = 32  # holds the largest cell


def load() -> Dataset:
    """400 grey pictures 96×96 in parts of 240, 80 and 80; target "mask" with the classes background and cell."""
    pictures, masks = cells(sum(PARTS.values()), SIDE, SEED)
    part = np.repeat(np.array(list(PARTS)), list(PARTS.values()))
    return Dataset(
        name="cells", columns={"image": ImageColumn(pictures[:, None]), "mask": MaskColumn.from_array(masks, CLASSES)},
        target="mask", ids=ids_by_part(part, len(part)), part=part,
    )


def cells(count: int, side: int = SIDE, seed: int = SEED) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Grey pictures uint8 (count, side, side), and masks of the same shape: 1 = cell, 0 = background.

    Each picture holds 3 to 14 cells, dented ellipses of 5 to 13 pixels' radius, brighter at the rim and laid over each
    other; up to 10 specks of debris as bright as they are, which are background; light that changes by up to a factor
    of three across the picture; and noise. The same seed gives the same pictures.
    """
    rng = np.random.default_rng(seed)
    wide = side + 2 * WINDOW  # so that what lies across the edge needs no care
    scene = np.full((count, wide, wide), 0.25, dtype=np.float32)
    masks = np.zeros((count, wide, wide), dtype=np.uint8)
    number = rng.integers(3, MOST_CELLS + 1, count)
    for place in range(MOST_CELLS):
        at, distance = _blob(rng, count, side, radius=(5, 13), dent=0.12)
        inside = (distance < 1) & (place < number)[:, None, None]
        contrast = rng.uniform(0.12, 0.35, count).astype(np.float32)[:, None, None]
        rim = 0.6 + 0.4 * distance**2  # thinner in the middle, where the light passes
        scene[at] = np.where(inside, 0.7 * (0.25 + contrast * rim) + 0.3 * scene[at], scene[at])
        masks[at] |= inside
    number = rng.integers(0, MOST_DEBRIS + 1, count)
    for place in range(MOST_DEBRIS):
        at, distance = _blob(rng, count, side, radius=(0.8, 1.8), dent=0.0)
        bright = np.exp(-np.minimum(distance, 5) ** 2) * rng.uniform(0.1, 0.4, count)[:, None, None]
        scene[at] += np.where((place < number)[:, None, None] & (masks[at] == 0), bright, 0).astype(np.float32)
    own = (slice(None), slice(WINDOW, -WINDOW), slice(WINDOW, -WINDOW))
    noise = rng.normal(0, 0.05, (count, side, side)).astype(np.float32)
    lit = _blurred(scene)[own] * _light(rng, count, side) + noise
    return np.rint(255 * np.clip(lit, 0, 1)).astype(np.uint8), masks[own].copy()


def _blob(
    rng: np.random.Generator, count: int, side: int, radius: tuple[float, float], dent: float
) -> tuple[tuple[NDArray[np.int64], ...], Floats]:
    """One dented ellipse in each picture: the pixels of a window about it, as an index of the widened pictures, and how
    far each lies, float32 (count, WINDOW, WINDOW): 0 at the center, 1 on the outline."""
    low = np.array([0, 0, *[radius[0]] * 2, 0, 0, 0])
    high = np.array([side, side, *[radius[1]] * 2, np.pi, dent, 2 * np.pi])
    drawn = rng.uniform(low, high, (count, 7)).astype(np.float32).T[:, :, None, None]
    x, y, across, along, angle, dented, phase = drawn
    steps = np.arange(-WINDOW // 2, WINDOW // 2)
    columns, rows = np.floor(x).astype(np.int64) + steps, np.floor(y).astype(np.int64) + steps[:, None]
    right, down = (columns + 0.5 - x).astype(np.float32), (rows + 0.5 - y).astype(np.float32)
    cosine, sine = np.cos(angle), np.sin(angle)
    first, second = (cosine * right + sine * down) / across, (cosine * down - sine * right) / along
    distance = np.hypot(first, second) / (1 + dented * np.cos(3 * np.arctan2(second, first) + phase))
    return (np.arange(count)[:, None, None], rows + WINDOW, columns + WINDOW), distance


def _light(rng: np.random.Generator, count: int, side: int) -> Floats:
    """(count, side, side): a slope in a direction of its own, and a lamp that is brightest somewhere; 0.5 to 1.6."""
    place = (np.arange(side, dtype=np.float32) + 0.5) / side - 0.5
    x, y = place[None, None, :], place[None, :, None]
    drawn = rng.uniform([0, 0.3, 0.0], [2 * np.pi, 0.7, 0.8], (count, 3)).astype(np.float32)
    turn, slope, fall = drawn.T[:, :, None, None]
    middle = rng.uniform(-0.4, 0.4, (2, count, 1, 1)).astype(np.float32)
    sloped = 1.05 + slope * (np.cos(turn) * x + np.sin(turn) * y)
    return np.maximum(sloped - fall * ((x - middle[0]) ** 2 + (y - middle[1]) ** 2), 0.3)


def _blurred(scene: Floats) -> Floats:
    """A lens: 1 2 1 along both axes, edges repeated."""
    for axis in (1, 2):
        padded = np.pad(scene, [(0, 0) if each != axis else (1, 1) for each in range(3)], mode="edge")
        before, after = padded.take(range(scene.shape[axis]), axis), padded.take(range(2, scene.shape[axis] + 2), axis)
        scene = (before + 2 * scene + after) / np.float32(4)
    return scene
