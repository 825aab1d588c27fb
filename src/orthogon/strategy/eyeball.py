"""The Eyeball set: the part of dev that people look at. The rest, the Blackbox, is scored and never shown.

Whoever looks at dev mistakes fits to them; the Blackbox then still says the truth. An example belongs to the Eyeball
by its id alone (by its group, where there are groups), so the set is the same for every run on the same data, and a
larger share holds the smaller one.
Source: Ng, "Machine Learning Yearning", chapters 16 to 19; catalogue row 14.18.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np

from orthogon.errors import DataError
from orthogon.files import appending
from orthogon.stats import newcombe
from orthogon.train.rows import Rows
from orthogon.train.run import Run

FILE = "eyeballs.jsonl"
"""Beside the runs: the share of each dev set that may be looked at, one line each time it was drawn or widened."""

WANTED, ROUGH = 100, 20
"""Mistakes that show the causes well, and that give a rough sense: with fewer in half of dev, all of it is seen."""


@dataclass(frozen=True)
class Eyeball:
    """Which examples of dev may be looked at.

    share: of dev that is looked at, in expectation. inside: bool (n,), in the order of the rows.
    drawn_for: the run for whose mistakes it was drawn.
    """

    share: float
    inside: np.ndarray
    drawn_for: str

    @property
    def outside(self) -> np.ndarray:
        """Bool (n,): the Blackbox."""
        return ~self.inside


def mistakes(rows: Rows) -> np.ndarray:
    """Bool (n,): what was not right ("right", where a score has degrees); else what was not fully right; for numbers,
    the tenth that is furthest off."""
    right, score = rows.get("right"), rows.get("score")
    if right is not None:
        return ~np.asarray(right, bool)
    if score is not None:
        return np.asarray(score) < 1
    loss = np.asarray(rows["loss"], float)
    return loss >= np.quantile(loss, 0.9) if len(loss) else np.zeros(0, bool)


def eyeball(run: Run, rows: Rows) -> Eyeball:
    """The Eyeball of the run's dev rows: as it was drawn, or as it would be. Of other parts, all may be seen."""
    if rows.split != "dev":
        return Eyeball(1.0, np.ones(len(rows), bool), run.name)
    drawn = _drawn(run)
    share, name = (drawn[-1]["share"], drawn[0]["run"]) if drawn else (_share(mistakes(rows)), run.name)
    return Eyeball(share, positions(rows.ids if rows.group is None else rows.group) < share, name)


def draw_eyeball(run: Run, rows: Rows, share: float | None = None) -> Eyeball:
    """The same, and from now on it stands: for every run with this dev set.

    share: to look at more of dev than so far; what was looked at once is never unseen again.
    DataError for a share that is not above 0 and up to 1, or less than what was looked at already.
    """
    if share is not None and not 0 < share <= 1:
        raise DataError(f"a share of dev lies between 0 and 1, not {share}", where="share", remedy="Give 0.5 for half.")
    if rows.split == "dev":
        with appending(run.path.parent / FILE) as add:
            drawn = _drawn(run)
            if drawn and share is not None and share < drawn[-1]["share"]:
                raise DataError(f"{drawn[-1]['share']:.0%} of dev was looked at already", where="share",
                                remedy="Leave the share out, or give a larger one.")
            wanted = share or (drawn[-1]["share"] if drawn else _share(mistakes(rows)))
            if not drawn or wanted > drawn[-1]["share"]:
                add(json.dumps({"dev": _key(run), "share": wanted, "n": len(rows), "run": run.name}))
    return eyeball(run, rows)


def share_seen(run: Run) -> float:
    """The share of the run's dev set that may be looked at; 0 while none was drawn."""
    drawn = _drawn(run)
    return drawn[-1]["share"] if drawn else 0.0


def retire(rows: Rows, seen: Eyeball, run: Run) -> str:
    """A sentence where the Eyeball became easier than the Blackbox: it was fitted to. "" where it did not.

    Both are random parts of one set, so they start level; Newcombe's interval of the difference tells (row 14.23).
    """
    wrong, inside, outside = mistakes(rows), seen.inside, seen.outside
    if run.name == seen.drawn_for or not inside.any() or not outside.any():
        return ""
    counts = (wrong[inside].sum(), inside.sum(), wrong[outside].sum(), outside.sum())
    difference, low, high = (100 * float(value) for value in newcombe(*counts))
    if low <= 0:
        return ""
    return (f"retire the Eyeball: its error is {difference:.1f} [{low:.1f}, {high:.1f}] points below the Blackbox's, "
            "so what was done fits what was looked at; widen it with --share, or collect a new dev set")


def positions(names: np.ndarray) -> np.ndarray:
    """Float (n,) in [0, 1): a fixed number for each name; uniform, and blind to everything else."""
    distinct, codes = np.unique(np.asarray(names, str), return_inverse=True)
    digests = b"".join(hashlib.blake2b(name.encode(), digest_size=8).digest() for name in distinct.tolist())
    return (np.frombuffer(digests, dtype=">u8") / 2.0**64)[codes]


def _share(wrong: np.ndarray) -> float:
    """So much of dev that about a hundred mistakes are in it, and at most half; all where half would hold too few."""
    count = int(wrong.sum())
    return 1.0 if count < 2 * ROUGH else min(0.5, WANTED / count)


def _key(run: Run) -> str:
    """The name of the dev set: the hash of its content; of the train rows, where folds serve as dev."""
    hashes = (run.read_json("passport.json") or {}).get("hashes") or {}
    return hashes.get("dev") or hashes.get("train") or run.name


def _drawn(run: Run) -> list[dict]:
    """The lines of this dev set, oldest first. Half a line of a killed process is passed over."""
    path, key, found = run.path.parent / FILE, _key(run), []
    for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            continue
        if line["dev"] == key:
            found.append(line)
    return found
