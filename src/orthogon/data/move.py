"""Examples that move into training after a split is made: part of dev, or the reserve of the target source."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from orthogon.data.chooser import Chooser, Parts
from orthogon.data.sizes import Size, count
from orthogon.errors import RecipeError

SOURCES = {"dev": "move_dev", "reserve": "move_reserve"}
"""Part -> the key of the recipe that says how much of it moves."""

_WITHOUT = {
    "dev": "there is no dev set of its own to move examples from",
    "reserve": "there is no reserve to move examples from",
}
_REMEDY = {
    "dev": "Leave it out: without a dev set, and with folds, all but test is trained on.",
    "reserve": "Keep one: split.target_source, and split.target_train=0.2.",
}


def choose_to_move(chooser: Chooser, rows: np.ndarray, number: int, seed: int) -> np.ndarray:
    """That many of the rows: drawn by the seed and in proportion to the classes, whole groups, the oldest by time."""
    keyed = replace(chooser, rng=np.random.default_rng((seed, zlib.crc32(b"move"))))
    in_order = chooser.rows[np.isin(chooser.rows, rows)]
    shared = keyed.share_out(in_order, {"moved": number, "kept": len(rows) - number})
    return shared.get("moved", in_order[:0])


def move_into_training(
    chooser: Chooser, parts: Parts, sizes: Mapping[str, Size], seed: int
) -> tuple[Parts, list[str]]:
    """The parts after a share or number of dev, and of the reserve, has moved into train; and what is to be said of it.

    All other parts, and what stays of dev, are as they were, so that models trained before and after are scored on the
    same examples. RecipeError where there is nothing to move, or nothing would be left of dev.
    """
    moved, notes = dict(parts), []
    for part, key in SOURCES.items():
        if not sizes.get(part):
            continue
        if part not in parts:
            raise RecipeError(_WITHOUT[part], where=f"split.{key}", remedy=_REMEDY[part])
        rows = parts[part]
        number = min(count(sizes[part] or 0, len(rows), key), len(rows))
        leaving = choose_to_move(chooser, rows, number, seed)
        moved["train"] = np.concatenate([moved["train"], leaving])
        moved[part] = np.setdiff1d(rows, leaving)
        notes.append(f"{len(leaving):,} of {len(rows):,} of {part} moved into train")
    if "dev" in parts and not len(moved["dev"]):
        raise RecipeError("nothing would be left of dev", where="split.move_dev",
                          remedy="Move a share of it, for example 0.5.")
    return {name: rows for name, rows in moved.items() if len(rows)}, notes
