"""The pairs that are told apart the least: of one identity and far apart, of two and close together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from orthogon.draw.images import contact_sheet
from orthogon.train.task import Sheet

if TYPE_CHECKING:
    from orthogon.tasks.verify import Verify

SHOWN, MOST = 12, 1_000
"""Pairs on a sheet, and examples that they are looked for among."""


def sheets(task: Verify, model: nn.Module, rows: np.ndarray) -> list[Sheet]:
    """Two sheets of pairs of those rows; nothing where the inputs are no pictures, or where there are no such pairs."""
    rows = np.asarray(rows)[:MOST]
    if task.inputs.kinds != ("image",) or len(rows) < 2:
        return []
    distance = _distances(task, model, rows)
    codes = task.targets(rows)
    first, second = np.triu_indices(len(rows), 1)
    far, same = distance[first, second], codes[first] == codes[second]
    sorts = (
        ("same-but-far", "Of one identity, and far apart", "Refused where the threshold is nearer.", same, -far),
        ("different-but-near", "Of two identities, and close together", "Taken for one where the threshold is farther.",
         ~same, far),
    )
    found = []
    for name, title, line, these, key in sorts:
        chosen = np.flatnonzero(these)[np.argsort(key[these], kind="stable")][:SHOWN]
        if len(chosen):
            pairs = [(int(first[k]), int(second[k]), float(far[k])) for k in chosen]
            found.append(Sheet(name, title, f"{_threshold(task)}{line}", _drawn(task, rows, pairs)))
    return found


def _threshold(task: Verify) -> str:
    if task.threshold is None:
        return ""
    return (f"Two are taken for one identity up to a distance of {task.threshold:.3g}, where "
            f"{100 * task.settings.false_accept_rate:g} % of the pairs of two identities of dev are. ")


def _distances(task: Verify, model: nn.Module, rows: np.ndarray) -> NDArray[np.float32]:
    chunks = torch.as_tensor(rows, dtype=torch.int64).split(task.most_at_once)
    with torch.no_grad():
        found = torch.cat([task.results(model, task.batch(chunk))["encoding"].cpu() for chunk in chunks])
        return torch.cat([task.distances(part, found) for part in found.split(64)]).numpy()


def _drawn(task: Verify, rows: np.ndarray, pairs: list[tuple[int, int, float]]) -> NDArray[np.uint8]:
    """The two pictures of each pair beside each other, with their names and how far apart they are."""
    stored, codes = task.inputs.stored[0], task.targets(rows)
    pictures, captions = [], []
    for number, (i, j, far) in enumerate(pairs, start=1):
        for place, told in ((i, f"pair {number}"), (j, f"{far:.3g} apart")):
            pictures.append(stored[int(rows[place])].permute(1, 2, 0).cpu().numpy())
            captions.append(f"{task.classes[codes[place]].rpartition('/')[2]}\n{told}")
    return np.asarray(contact_sheet(pictures, captions, columns=8, cell=112))
