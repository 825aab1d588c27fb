"""From which distance on two encodings are of two identities: chosen by the gallery itself (row 21.04)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from orthogon.errors import DataError
from orthogon.serve.neighbors import Encodings
from orthogon.stats.estimate import Estimate
from orthogon.stats.intervals import rate

PICTURES, DISTANCES = 1_000, 1 << 24
"""Of the gallery's pictures so many are left out in turn, at most, and so many distances are held."""


@dataclass(frozen=True)
class Threshold:
    """value: a picture is taken for an identity up to this distance. origin: how it was come by, in words.

    false_accepts: strangers taken for somebody. false_rejects: the gallery's own that are not known again. Both are
    measured on the gallery, each picture left out in turn; None where there is nothing to measure them on.
    """

    value: float
    origin: str
    false_accepts: Estimate | None = None
    false_rejects: Estimate | None = None

    def to_dict(self) -> dict[str, Any]:
        shares = {"false_accepts": self.false_accepts, "false_rejects": self.false_rejects}
        return {"value": self.value, "origin": self.origin,
                **{name: share and share.to_dict() for name, share in shares.items()}}

    def __str__(self) -> str:
        lines = [f"threshold {self.value:.4g}, {self.origin}"]
        lines += [f"  strangers taken for somebody   {self.false_accepts} identities"] if self.false_accepts else []
        lines += [f"  its own not known again        {self.false_rejects} identities"] if self.false_rejects else []
        return "\n".join(lines)


@dataclass(frozen=True)
class LeftOut:
    """Pictures of a gallery as if each were new: how far the rest of its identity is, and how far the others are.

    own: float32 (m,), to the nearest other picture of its identity; infinite where that has no other.
    others: float32 (m, k), to other identities: to the nearest one (k = 1), or to each of them.
    identity: int (m,), whose picture it is.
    """

    own: np.ndarray
    others: np.ndarray
    identity: np.ndarray

    @classmethod
    def of(cls, held: Encodings, *, one: bool) -> LeftOut:
        """one: each other identity by itself, as where a picture is held against one identity (1:1), and not the
        nearest of them, as where it is looked for among all (1:K). DataError where there is only one identity."""
        if len(held.names) < 2:
            raise DataError("with one identity there is nothing to tell how far another would be",
                            remedy="Add pictures of others, or give a threshold: --threshold.")
        most = max(2, min(len(held), PICTURES, DISTANCES // len(held.names)))
        rows = np.linspace(0, len(held) - 1, most).round().astype(int)
        identity, at = held.codes[rows], np.arange(len(rows))
        far = held.to_identities(held.values[rows], without=rows)
        own = far[at, identity]
        others = np.delete(far.reshape(-1), at * far.shape[1] + identity).reshape(len(rows), -1)
        return cls(own, others if one else others.min(axis=1, keepdims=True), identity)

    def threshold_at(self, share: float) -> float:
        """The largest distance up to which no more than this share of the others is accepted."""
        others = np.sort(self.others, axis=None)
        return float(np.nextafter(others[min(int(share * others.size), others.size - 1)], np.float32(-np.inf)))

    def at(self, value: float, origin: str) -> Threshold:
        """This threshold with what it does to these pictures; identities are what its intervals rest on."""
        groups = np.repeat(self.identity, self.others.shape[1])
        again = np.isfinite(self.own)
        rejects = rate(self.own[again] > value, groups=self.identity[again]) if again.any() else None
        return Threshold(value, origin, rate(self.others.reshape(-1) <= value, groups=groups), rejects)
