"""Whose fault the mistakes of a run that searches are: asked of its network, with a much wider beam beside it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from orthogon.data.dataset import Dataset
from orthogon.nn.modes import evaluating
from orthogon.serve.bundle import load
from orthogon.strategy.blame import Blame, blame
from orthogon.strategy.eyeball import Eyeball, positions
from orthogon.train.rows import Rows
from orthogon.train.run import Run
from orthogon.verbs.items import rows_of

WIDE, MOST = 50, 200
"""The wide beam, and examples that are searched with it, which takes as long as some thousands otherwise."""


def blamed(run: Run, rows: Rows, seen: Eyeball, data: Dataset) -> Blame | str:
    """The evidence "blame", made once, of examples of dev from the Eyeball at random; or why it is not made, "" where
    nothing is searched.

    rows: of dev. data: that of the run.
    """
    if rows.get("objective") is None:
        return ""
    if run.recipe().train.refit or (run.read_json("passport.json") or {}).get("folds"):
        return ("not asked: the network that was kept has learnt from the examples of dev; train without --folds and "
                "--refit")
    known = run.evidence().get("blame")
    if known is not None:
        return Blame.from_dict(known)
    inside = np.flatnonzero(seen.inside)
    chosen = inside[np.argsort(positions(rows.ids[inside]))][:MOST]
    network = load(run)
    network.task.attach(data.take(rows_of(data, rows.ids[chosen])), network.device)
    with network.compute.in_force(), evaluating(network.model):
        searched = network.task.searched(network.model, np.arange(len(chosen)), WIDE)
    if searched is None:
        return ""
    searched = replace(searched, groups=None if rows.group is None else rows.group[chosen])
    found = blame(run.name, network.task.settings.beam, searched)
    run.write_evidence("blame", found.to_dict())
    return found
