"""What both sides of `benchmarks/decoding.py` are given: the same weights, sources and search. No framework is imported
here."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

PAD, UNKNOWN, BEGIN, END = 0, 1, 2, 3
"""Of the ids in sources, weights and outputs."""


@dataclass(frozen=True)
class Problem:
    """One search.

    folder:    holds weights.npz (the parameters of Orthogon's encoder_decoder, by name) and sources.npy (int64 N×S,
               PAD behind the end, the longest first); outputs are left there.
    attention: of the network, "dot" or "bahdanau". units: of embeddings, encoder in each direction and decoder.
    longest:   tokens of an output, END included. ends: whether END may be given; without it all outputs are `longest`.
    exponent:  α of the score S / ((5 + T) / 6)^α.
    """

    folder: str
    attention: str
    units: int
    longest: int
    ends: bool
    beam: int = 5
    exponent: float = 1.0
    batch: int = 64

    def weights(self) -> dict[str, np.ndarray]:
        with np.load(Path(self.folder) / "weights.npz") as found:
            return dict(found)

    def sources(self) -> list[np.ndarray]:
        """In batches, each cut to its longest."""
        rows = np.load(Path(self.folder) / "sources.npy")
        parts = [rows[at : at + self.batch] for at in range(0, len(rows), self.batch)]
        return [part[:, : int((part != PAD).sum(1).max())] for part in parts]

    def to_json(self) -> str:
        return json.dumps(asdict(self))


def problem() -> Problem:
    """What this process was started with: its one argument, as JSON."""
    return Problem(**json.loads(sys.argv[1]))


def timed(decode: Callable[[Any], np.ndarray], batches: list[Any], given: Problem, name: str) -> None:
    """Decode the first batch to warm up, then all on the clock, CPU seconds of this process; leave the outputs as
    NAME.npy and print the one line that the harness reads."""
    decode(batches[0])
    began = time.process_time()
    outputs = [decode(batch) for batch in batches]
    seconds = time.process_time() - began
    whole = np.full((sum(map(len, outputs)), given.longest), PAD, np.int64)
    for at, ids in zip(np.cumsum([0, *map(len, outputs)]), outputs):
        whole[at : at + len(ids), : ids.shape[1]] = ids
    np.save(Path(given.folder) / f"{name}.npy", whole)
    print("\n" + json.dumps({"seconds": seconds, "steps": len(whole)}), flush=True)
