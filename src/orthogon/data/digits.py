"""The bundled digits (they come with scikit-learn), and a version of them with a data mismatch."""

from __future__ import annotations

import gzip
import importlib.util
from pathlib import Path

import numpy as np

from orthogon.data.columns import CategoryColumn, ImageColumn
from orthogon.data.dataset import Dataset
from orthogon.data.readers.options import row_ids

_PHONE_SHARE = 0.5
_DEGREES, _SHEAR, _SCALE = 35.0, 0.1, 0.1


def load_pixels() -> tuple[np.ndarray, np.ndarray]:
    """Pixels uint8 (1797, 8, 8) in 0..255, and digits int (1797,)."""
    path = _bundled_file()
    if path is None:
        # A scikit-learn that keeps its file elsewhere: ask it, at the price of importing it (about a second).
        from sklearn.datasets import load_digits

        bunch = load_digits()
        grey, digits = np.asarray(bunch.images), np.asarray(bunch.target)  # type: ignore[union-attr]
    else:
        with gzip.open(path, "rt") as file:
            table = np.loadtxt(file, delimiter=",")
        grey, digits = table[:, :-1].reshape(-1, 8, 8), table[:, -1]
    return np.rint(grey * (255 / 16)).astype(np.uint8), digits.astype(np.int64)


def _bundled_file() -> Path | None:
    spec = importlib.util.find_spec("sklearn")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "datasets" / "data" / "digits.csv.gz"
        if path.is_file():
            return path
    return None


def load() -> Dataset:
    """1,797 handwritten digits, 8×8, grey; target "label"."""
    pixels, digits = load_pixels()
    return Dataset(
        name="digits",
        columns={"image": ImageColumn(pixels[:, None]), "label": CategoryColumn.from_values(digits)},
        target="label", ids=row_ids(len(digits)),
    )


def load_tilted() -> Dataset:
    """The same digits; half of each class seen as through a phone held askew (source "phone", else "scanner").

    Each phone picture is turned by up to ±35°, sheared and scaled by up to 10 %, by a fixed seed: the data is the
    same on every machine. A digit is either scanned or photographed, never both.
    """
    pixels, digits = load_pixels()
    random = np.random.Generator(np.random.PCG64(11))
    phone = np.zeros(len(digits), dtype=bool)
    for digit in range(10):
        rows = np.flatnonzero(digits == digit)
        phone[random.permutation(rows)[: round(_PHONE_SHARE * len(rows))]] = True
    for row in np.flatnonzero(phone):
        pixels[row] = _askew(pixels[row], random)
    return Dataset(
        name="digits-tilted",
        columns={"image": ImageColumn(pixels[:, None]), "label": CategoryColumn.from_values(digits)},
        target="label", ids=row_ids(len(digits)), source=np.where(phone, "phone", "scanner"),
        target_source="phone",
    )


def _askew(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """One 8×8 picture turned, sheared and scaled about its centre, bilinearly."""
    angle = np.deg2rad(random.uniform(-_DEGREES, _DEGREES))
    shear = random.uniform(-_SHEAR, _SHEAR)
    scale = 1 + random.uniform(-_SCALE, _SCALE)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    back = turn @ np.array([[1, shear], [0, 1]]) / scale
    centre = (picture.shape[0] - 1) / 2
    place = np.arange(picture.shape[0]) - centre
    grid = np.stack(np.meshgrid(place, place, indexing="ij"))
    values = _bilinear(picture.astype(np.float64), np.einsum("ij,jyx->iyx", back, grid) + centre)
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)


def _bilinear(picture: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Values at (y, x) places in pixel coordinates; black beyond the edge."""
    padded = np.pad(picture, 1)
    y, x = (np.clip(axis + 1, 0, padded.shape[0] - 1.000001) for axis in places)
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    down, right = y - top, x - left
    return (
        padded[top, left] * (1 - down) * (1 - right) + padded[top, left + 1] * (1 - down) * right
        + padded[top + 1, left] * down * (1 - right) + padded[top + 1, left + 1] * down * right
    )
