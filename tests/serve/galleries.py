"""What the tests of galleries share: pictures as files, and shipped networks that encode them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from test_bundle import shipped

from orthogon.data.columns import CategoryColumn, ImageColumn
from orthogon.data.dataset import Dataset
from orthogon.train.run import Run

SIDE = 8


def pictures(n: int = 40, seed: int = 0) -> Dataset:
    """n gray pictures of noise, of two classes."""
    pixels = np.random.default_rng(seed).integers(0, 256, (n, 1, SIDE, SIDE), dtype=np.uint8)
    columns = {"image": ImageColumn(pixels), "y": CategoryColumn(np.arange(n) % 2, ("even", "odd"))}
    return Dataset("noise", columns, "y", np.arange(n).astype(str))


def encoder(root: Path, model: str = "linear", seed: int = 0, **more: Any) -> Run:
    """A run whose network was fitted on nothing: of the model linear, the encoding is the picture itself."""
    run, _, _ = shipped(root, pictures(seed=seed), "classify", model, **more)
    return run


def draw(path: Path, kind: int, copy: int = 0) -> Path:
    """The file of a picture: of the same kind nearly the same pixels, of another others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kinds = np.random.default_rng(kind).integers(0, 256, (SIDE, SIDE))
    noise = np.random.default_rng(1000 * kind + copy).normal(0, 12, (SIDE, SIDE)) * (copy > 0)
    Image.fromarray((kinds + noise).clip(0, 255).astype(np.uint8)).save(path)
    return path


def draw_tree(folder: Path, kinds: dict[str, int], copies: range = range(3)) -> Path:
    """folder/NAME/COPY.png."""
    for name, kind in kinds.items():
        for copy in copies:
            draw(folder / name / f"{copy}.png", kind, copy)
    return folder


PEOPLE = {"anna": 1, "ben": 2, "cleo": 3}
