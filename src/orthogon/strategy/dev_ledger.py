"""Every model that was measured on a dev set: which examples it had right, a bit each, kept beside the runs."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orthogon.files import appending
from orthogon.strategy.paired import named
from orthogon.train.rows import Rows

FILE_NAME = "dev-ledger.jsonl"


def key_of(rows: Rows) -> str:
    """Hex of ids and targets, whatever their order: the name of a set of examples."""
    targets = named(rows, "target").tolist()
    pairs = sorted(f"{identity}\0{target}" for identity, target in zip(rows.ids.tolist(), targets))
    return hashlib.blake2b("\n".join(pairs).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, eq=False)
class Trial:
    """One model on one dev set.

    key:    of the set. run: whose model it is. n: examples.
    bits:   uint8 (⌈n/8⌉,), `np.packbits` of right (1) and wrong (0), by ascending id.
    epochs: looks at dev among which its weights were chosen (early stopping, the best epoch kept); 0: none.
    """

    key: str
    run: str
    n: int
    bits: NDArray[np.uint8]
    epochs: int = 0

    @classmethod
    def of(cls, run: str, rows: Rows, epochs: int = 0) -> Trial | None:
        """None where answers are not right or wrong."""
        score = rows.get("score")
        if score is None or not len(rows) or not np.isin(score, (0, 1)).all():
            return None
        return cls(key_of(rows), run, len(rows), np.packbits(score[np.argsort(rows.ids)] == 1), epochs)

    def right(self) -> int:
        """How many answers are right."""
        return int(np.bitwise_count(self.bits).sum())


class DevLedger:
    """The trials on dev sets, in `dev-ledger.jsonl` beside the runs: one JSON object per line, append-only.

    1,000 runs on 10,000 examples are 1.7 MB. What it is for: how much too good the best of many is (`overfitting`), and
    which runs are tied, without reading their rows.
    """

    def __init__(self, runs_dir: str | Path) -> None:
        self.path = Path(runs_dir) / FILE_NAME

    def record(self, trial: Trial) -> None:
        """Append it; the same model of the same run twice (a run that was resumed at its end) counts once."""
        line = {"dev_key": trial.key, "run": trial.run, "n": trial.n, "epochs": trial.epochs,
                "when": datetime.now(UTC).isoformat(timespec="seconds"),
                "right": base64.b64encode(trial.bits.tobytes()).decode()}
        with appending(self.path) as add:
            add(json.dumps(line, ensure_ascii=False))

    def trials(self, key: str | None = None) -> list[Trial]:
        """Those on that dev set (all, where none is named), oldest first; lines that cannot be read are passed over."""
        found = {(each.key, each.run, each.bits.tobytes()): each for each in self._read()
                 if key is None or each.key == key}
        return list(found.values())

    def _read(self) -> Iterator[Trial]:
        if not self.path.exists():
            return
        for line in self.path.read_bytes().split(b"\n"):
            try:
                yield _parsed(json.loads(line))
            except (ValueError, KeyError, TypeError):  # also base64's and UTF-8's errors
                continue


def _parsed(entry: dict[str, Any]) -> Trial:
    bits = np.frombuffer(base64.b64decode(entry["right"], validate=True), np.uint8)
    if len(bits) != -(-entry["n"] // 8):
        raise ValueError("a bitmap of another length")
    return Trial(str(entry["dev_key"]), str(entry["run"]), int(entry["n"]), bits, int(entry["epochs"]))


def tied(best: Trial, other: Trial, z: float = 1.959963984540054) -> bool:
    """Whether the paired difference holds 0, as Tango's 95 % interval says: (b - c)² ≤ z² (b + c).

    b, c: examples that only the one, only the other has right. At a difference of 0 Tango's score is McNemar's.
    """
    only_best = int(np.bitwise_count(best.bits & ~other.bits).sum())
    only_other = int(np.bitwise_count(other.bits & ~best.bits).sum())
    return (only_best - only_other) ** 2 <= z**2 * (only_best + only_other)
