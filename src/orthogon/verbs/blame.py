"""Whose fault the mistakes of a run that searches are: asked of its network, with a much wider beam beside it."""

from __future__ import annotations

from typing import Any

import numpy as np

from orthogon.data.dataset import Dataset
from orthogon.nn.modes import evaluating
from orthogon.serve.bundle import load
from orthogon.strategy.blame import blame
from orthogon.strategy.eyeball import Eyeball, positions
from orthogon.train.rows import Rows
from orthogon.train.run import Run
from orthogon.verbs.items import rows_of

WIDE, MOST = 50, 200
"""The wide beam, and examples that are searched with it, which takes as long as some thousands otherwise."""


def blamed(run: Run, rows: Rows, seen: Eyeball, data: Dataset) -> dict[str, Any] | None:
    """The evidence "blame", made once, of examples of dev from the Eyeball at random; None where nothing is searched.

    rows: of dev. data: that of the run.
    """
    known = run.evidence().get("blame")
    if known is not None or rows.get("objective") is None:
        return known
    ids = rows.ids[seen.inside]
    chosen = ids[np.argsort(positions(ids))][:MOST]
    network = load(run)
    network.task.attach(data.take(rows_of(data, chosen)), network.device)
    with network.compute.in_force(), evaluating(network.model):
        searched = network.task.searched(network.model, np.arange(len(chosen)), WIDE)
    if searched is None:
        return None
    run.write_evidence("blame", blame(run.name, network.task.settings.beam, searched).to_dict())
    return run.evidence()["blame"]
