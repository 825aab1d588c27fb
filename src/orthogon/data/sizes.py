"""How large the parts of a split are, and what a set of that size can and cannot show."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from orthogon.data.columns import ImageColumn, NumberColumn, TextColumn
from orthogon.data.dataset import Dataset
from orthogon.data.text_columns import TagsColumn
from orthogon.errors import DataError, RecipeError
from orthogon.stats import detectable_difference, examples_needed_paired

# A dev set is to show one point between two models at 10 % error that disagree on 5 % of the examples: 3,922.
ERROR, DISAGREEMENT, DIFFERENCE = 0.10, 0.05, 0.01
SHARE = 0.2  # of dev, and of test, while the data is too small for that (row 11.02)
FEW = 3_000  # examples under which folds are worth their price

Size = int | float | None


def default_size(n: int) -> int:
    """How many of n become dev, and test, by default: 20 %, but no more than one point needs (row 11.03)."""
    return max(1, min(round(SHARE * n), examples_needed_paired(DISAGREEMENT, DIFFERENCE)))


def count(size: int | float, n: int, name: str) -> int:
    """A share or a number as a number; a share that is not 0 is at least one example."""
    if isinstance(size, float) and 0 <= size <= 1:
        return max(1, round(size * n)) if size else 0
    if size != int(size) or size < 0:
        raise RecipeError(
            f"{size} is neither a share nor a number of examples", where=f"split.{name}",
            remedy="Give a share such as 0.2 or a number such as 5000.",
        )
    return int(size)


def part_sizes(n: int, asked: Mapping[str, Size], defaults: Mapping[str, int], rest: str) -> dict[str, int]:
    """Numbers for the parts in `defaults`; `rest` gets what remains unless it was asked for."""
    shares = [asked[name] for name, default in defaults.items() if default or name == rest or asked[name]]
    floats = [size for size in shares if isinstance(size, float)]
    everything = len(floats) == len(shares) and abs(sum(floats) - 1) < 1e-9
    sizes: dict[str, int] = {}
    for name, default in defaults.items():
        size = asked[name]
        if name == rest and (size is None or everything):
            continue
        sizes[name] = default if size is None else count(size, n, name)
    if rest in sizes:  # its size was asked for: what is left is shared by those that were not
        open_ = [name for name in defaults if name != rest and asked[name] is None and defaults[name]]
        left = n - sum(size for name, size in sizes.items() if name not in open_)
        for index, name in enumerate(open_):
            sizes[name] = (left + len(open_) - 1 - index) // len(open_)
    sizes.setdefault(rest, n - sum(sizes.values()))
    listed = ", ".join(f"{name} {sizes[name]:,}" for name in defaults if name != rest)
    if sizes[rest] < 1 or min(sizes.values()) < 0 or sum(sizes.values()) > n:
        raise DataError(
            f"{n:,} examples are too few for {listed} and some to {rest}",
            remedy="Ask for smaller parts, or leave one out with 0.",
        )
    return {name: sizes[name] for name in defaults}


def dev_and_test_sizes(n: int, reserve: int, asked: Mapping[str, Size]) -> dict[str, int]:
    """Numbers for dev and test of the n examples of a target source, `reserve` of which are spoken for."""
    left = n - reserve
    dev = None if asked["dev"] is None else count(asked["dev"], n, "dev")
    test = None if asked["test"] is None else count(asked["test"], n, "test")
    dev = left - (test or 0) if dev is None else dev
    test = left - dev if test is None else test
    if min(dev, test) < 0 or dev + test > left:
        raise DataError(
            f"{left:,} examples of the target are too few for dev {dev:,} and test {test:,}",
            remedy="Ask for smaller parts or a smaller target_train.",
        )
    return {"reserve": reserve, "dev": dev, "test": test}


def about_sizes(data: Dataset, parts: Mapping[str, np.ndarray], folds: int | None, in_time: bool = False) -> list[str]:
    """Sentences on what dev and test can and cannot see, and on which of them is not there.

    in_time: whether examples are windows in time, which overlap: then the blocks of time, their groups, are counted.
    """
    noun = "pictures" if any(isinstance(c, ImageColumn) for c in data.inputs.values()) else "examples"
    in_blocks = in_time and data.group is not None
    held = sum(len(rows) for rows in parts.values())
    sentences = []
    if folds is not None:
        sentences.append(_power(f"the {folds} folds hold", len(parts["train"]), noun, data, False))
    for name in ("dev", "test"):
        if name in parts:
            offer = name == "dev" and held < FEW
            count = len(np.unique(data.group[parts[name]])) if in_blocks else len(parts[name])  # type: ignore[index]
            sentences.append(_power(f"{name} holds", count, "blocks of time" if in_blocks else noun, data, offer))
    if "dev" not in parts and folds is None:
        sentences.append("no dev set: there is nothing to choose by")
    if "test" not in parts:
        sentences.append("no test set: the score on dev is too good by what was chosen on it")
    return sentences


def _power(holds: str, n: int, noun: str, data: Dataset, offer_folds: bool) -> str:
    """What a set of n can show of a difference between two models."""
    held = f"{holds} {n:,} {noun}"
    if data.target is None or isinstance(data.columns[data.target], NumberColumn | TextColumn | TagsColumn):
        # z of 95 % confidence plus z of 80 % power, in standard deviations of the paired difference
        spread = (1.960 + 0.842) / np.sqrt(n)
        return f"{held}: enough to see mean differences of {spread:.2f} standard deviations or more"
    seen = detectable_difference(ERROR, n, disagreement=DISAGREEMENT)
    more = "more data or --folds 5" if offer_folds else "more data"
    if np.isnan(seen):
        return f"{held}: at 10 % error a paired difference of 5 points would go unseen; that needs {more}"
    points = f"{100 * seen:.1f} points or more"
    return f"{held}: at 10 % error enough to see paired differences of {points}; smaller ones need {more}"
