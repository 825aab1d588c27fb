"""Which examples a report shows, and their pictures or records, kept in the run so that it can be read without data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from orthogon.data.columns import Column, ImageColumn, TextColumn
from orthogon.data.text_columns import TokensColumn
from orthogon.draw.images import thumbnail, to_png_data_uri
from orthogon.errors import DataError
from orthogon.strategy.eyeball import draw_eyeball
from orthogon.train.rows import Rows
from orthogon.train.run import Run

if TYPE_CHECKING:
    from orthogon.data.dataset import Dataset

SHOWN = "shown.json"
"""Where a run keeps the examples: id -> {"picture": data URI} and / or {"record": {column: text}}."""

EACH, MOST, PAIRS = 12, 36, 4
SIDES = (96, 72, 48, 32)
PICTURE_BYTES = 400_000
FIELDS, LETTERS, TEXT_LETTERS = 24, 80, 400


def choose(rows: Rows) -> list[int]:
    """Rows worth looking at, at most 36, each once: worst by loss, most confident mistakes, most confused pairs."""
    kinds = (worst(rows), confident_mistakes(rows), [row for _, found in confused(rows) for row in found])
    return list(dict.fromkeys(row for found in kinds for row in found))[:MOST]


def worst(rows: Rows, count: int = EACH) -> list[int]:
    """The rows with the largest loss, the largest first; rows without a loss are passed over."""
    loss = np.asarray(rows["loss"], float)
    order = np.argsort(-np.nan_to_num(loss, nan=-np.inf), kind="stable")[:count]
    return [int(row) for row in order if np.isfinite(loss[row])]


def confident_mistakes(rows: Rows, count: int = EACH) -> list[int]:
    """The wrong rows whose prediction was most probable, the surest first; none where nothing is a class."""
    wrong = mistakes(rows)
    sure = confidence(rows)
    if sure is None:
        return []
    return [int(row) for row in wrong[np.argsort(-sure[wrong], kind="stable")][:count]]


def confused(rows: Rows, pairs: int = PAIRS, each: int = 3) -> list[tuple[tuple[int, int], list[int]]]:
    """The most frequent (true, predicted) pairs of different classes, each with its rows of largest loss."""
    wrong = mistakes(rows)
    kinds = Counter((int(rows["target"][row]), int(rows["prediction"][row])) for row in wrong)
    common = sorted(kinds.items(), key=lambda item: (-item[1], item[0]))[:pairs]
    loss = np.asarray(rows["loss"], float)
    found = []
    for (true, predicted), _ in common:
        of_pair = wrong[(rows["target"][wrong] == true) & (rows["prediction"][wrong] == predicted)]
        found.append(((true, predicted), [int(r) for r in of_pair[np.argsort(-loss[of_pair], kind="stable")][:each]]))
    return found


def mistakes(rows: Rows) -> np.ndarray:
    """Int (m,): rows whose predicted class is not the true one; empty for numbers and for several labels at once."""
    if not rows.classes or rows["target"].ndim != 1:
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(rows["target"] != rows["prediction"])


def confidence(rows: Rows) -> np.ndarray | None:
    """Float (n,): the probability given to the predicted class; None where there are no probabilities of classes."""
    p = rows.get("probabilities")
    if p is None or not rows.classes or rows["target"].ndim != 1:
        return None
    if p.ndim == 1:  # of two classes, the second
        return np.where(rows["prediction"] == 1, p, 1 - p)
    return p[np.arange(len(p)), rows["prediction"].astype(np.int64)]


Draw = Callable[[np.ndarray, list[np.ndarray]], list[np.ndarray]]
"""Rows of the data and their pictures -> the pictures with target and prediction drawn in."""


def store_examples(run: Run, data: Dataset, rows: Rows, draw: Draw | None = None) -> None:
    """Keep the pictures and records of the chosen rows in the run; called again for other rows, it adds to them.

    Of dev only what belongs to the Eyeball is chosen, which is drawn here if it was not before.
    draw: what is drawn into the pictures before; None: nothing. They are shrunk to at most 96 pixels a side, and
    further until together they are under 400 kB.
    Raises DataError where a row's id is not in the data.
    """
    rows = rows.take(draw_eyeball(run, rows).inside)
    chosen = choose(rows)
    place = {str(identity): row for row, identity in enumerate(data.ids)}
    ids = [str(rows.ids[row]) for row in chosen]
    absent = [identity for identity in ids if identity not in place]
    if absent:
        raise DataError(f"the example {absent[0]!r} of the rows is not in the data", where=data.name,
                        remedy="Give the data set that the rows were made from.")
    shown = run.read_json(SHOWN) or {}
    used = sum(len(example.get("picture", "")) for example in shown.values())
    pictures = _pictures(data, [place[identity] for identity in ids], PICTURE_BYTES - used, draw)
    for number, identity in enumerate(ids):
        example: dict[str, Any] = {"picture": pictures[number]} if pictures else {}
        record = _record(data, place[identity])
        shown[identity] = {**example, **({"record": record} if record else {})}
    run.write_json(SHOWN, shown)


def _pictures(data: Dataset, at: list[int], budget: int, draw: Draw | None) -> list[str]:
    """Data URIs of the first column of pictures, as large as the budget allows; empty where there is none."""
    column = next((c for c in data.inputs.values() if isinstance(c, ImageColumn)), None)
    if column is None:
        return []
    originals = [column.cell(row) for row in at]
    full = [_shrunk(pixels, SIDES[0]) for pixels in (draw(np.array(at), originals) if draw else originals)]
    for side in SIDES:
        made = [to_png_data_uri(_shrunk(pixels, side)) for pixels in full]
        if sum(map(len, made)) <= budget:
            return made
    return []


def _shrunk(pixels: np.ndarray, side: int) -> np.ndarray:
    """To at most side × side pixels; a strip of several pictures in a row to so many for each of them."""
    long, short = max(pixels.shape[:2]), min(pixels.shape[:2])
    return thumbnail(pixels, side * max(1, round(long / short)))


def _record(data: Dataset, row: int) -> dict[str, str]:
    """Column -> text of the inputs that are not pictures."""
    fields: dict[str, str] = {}
    for name, column in data.inputs.items():
        if not isinstance(column, ImageColumn) and len(fields) < FIELDS:
            fields[str(name)[:LETTERS]] = _text(column, row)
    return fields


def _text(column: Column, row: int) -> str:
    if column.take(np.array([row])).missing()[0] and not isinstance(column.cell(row), np.ndarray):
        return "missing"
    value = column.cell(row)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, np.ndarray):
        flat = value.ravel()
        return ", ".join(f"{x:.4g}" for x in flat[:6]) + (f", … ({flat.size} numbers)" if flat.size > 6 else "")
    text, most = str(value), TEXT_LETTERS if isinstance(column, TextColumn | TokensColumn) else LETTERS
    return text if len(text) <= most else text[: most - 1] + "…"
