"""Level 2: MNIST and Fashion-MNIST with planted faults. A goal stands in for the human level, which nobody knows."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache

import numpy as np
from scipy.ndimage import uniform_filter

from dxbench.worlds import DEV, FRESH, World, consecutive
from orthogon.data.columns import CategoryColumn, NumberColumn
from orthogon.data.dataset import Dataset
from orthogon.data.read import read
from orthogon.train.recipe import Recipe

GOAL = {"mnist": 0.002, "fashion-mnist": 0.08}
"""Error to aim at: what people are said to reach on MNIST (LeCun et al. 1995), good networks on Fashion-MNIST."""

TRAIN, RESERVE = 1500, 500
DISTINCT = 150
NOISE = 0.2

Pictures = np.ndarray

SENSORS: dict[str, Callable[[Pictures], Pictures]] = {
    "blur": lambda pictures: uniform_filter(pictures, (0, 5, 5)),
    "low contrast": lambda pictures: 0.4 * pictures + 90,
    "wrong scaling": lambda pictures: pictures / 3,
}
"""What dev and test are seen through; people would not be hindered by it."""

FAULTS = (*SENSORS, "label noise", "duplicates", "rate x 100")

KINDS = tuple(f"{name}, {fault}" for name in GOAL for fault in FAULTS)


def available() -> bool:
    """Whether the two public sets are at hand."""
    return bool(os.environ.get("ORTHOGON_DATA"))


def world(kind: str, seed: int) -> World:
    """A network of 64 units on 1,500 examples of 14 x 14 pixels, with that fault."""
    name, fault = kind.split(", ")
    pictures, labels = _public(name)
    random = np.random.default_rng([KINDS.index(kind), seed])
    order = random.permutation(len(labels))
    pictures, labels = pictures[order], labels[order].copy()
    sizes = {"train": TRAIN, "dev": DEV, "test": FRESH}
    if fault in SENSORS:
        sizes |= {"train-dev": DEV, "unused": FRESH, "reserve": RESERVE}
    parts = consecutive(sizes)
    count = sum(sizes.values())
    pictures, labels = pictures[:count], labels[:count]
    source = None
    if fault in SENSORS:
        target = np.zeros(count, dtype=bool)
        target[np.concatenate([parts[part] for part in ("dev", "test", "reserve")])] = True
        pictures = pictures.copy()
        pictures[target] = SENSORS[fault](pictures[target])
        source = np.where(target, "target", "training")
    elif fault == "label noise":
        wrong = parts["train"][random.random(TRAIN) < NOISE]
        labels[wrong] = (labels[wrong] + random.integers(1, 10, len(wrong))) % 10
    elif fault == "duplicates":
        pictures = pictures.copy()
        copies = parts["train"][np.arange(TRAIN) % DISTINCT]
        pictures[parts["train"]], labels[parts["train"]] = pictures[copies], labels[copies]
    inputs = pictures.reshape(count, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(count, -1).astype(np.float32)
    data = Dataset(
        f"{kind} {seed}", {"x": NumberColumn(inputs, [f"x{i}" for i in range(inputs.shape[1])]),
                           "y": CategoryColumn(labels, [str(k) for k in range(10)])}, "y",
        np.arange(count).astype(str), source=source,
    )
    recipe = Recipe.from_dict({
        "task": {"name": "classify"}, "model": {"name": "mlp", "options": {"hidden": [64]}},
        "train": {"steps": 300, "lr": 0.4 if fault == "rate x 100" else 0.004, "batch_size": 128, "l2": 0.001,
                  "weight_decay": 0.0, "optimizer": "adamw", "device": "cpu", "precision": "fp32", "threads": 1,
                  "health": False},
    })
    return World(kind, seed, data, parts, recipe, GOAL[name])


@cache
def _public(name: str) -> tuple[Pictures, np.ndarray]:
    data = read(name)
    pixels = np.asarray(data.columns["image"].pixels, dtype=np.float32)[:, 0]  # type: ignore[attr-defined]
    return pixels, np.asarray(data.target_column().codes, dtype=np.int64)  # type: ignore[attr-defined]
