"""Encodings of many identities in memory: how far a new one is from each, exactly (rows 21.01, 21.04)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

AT_ONCE = 1 << 24
"""Numbers that are held at once."""

Unlike = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(m, d) and (n, d) encodings to (m, n): how unlike they are."""


@dataclass(frozen=True)
class Encodings:
    """values: float32 (n, d), those of an identity side by side. names: the K identities, sorted. starts: int (K,),
    where each begins. unlike: None = the Euclidean distance."""

    values: np.ndarray
    names: tuple[str, ...]
    starts: np.ndarray
    unlike: Unlike | None = None

    @classmethod
    def of(cls, identities: Sequence[str], values: np.ndarray, unlike: Unlike | None = None) -> Encodings:
        """Of rows in any order."""
        names, codes = np.unique(np.array(identities, dtype=object), return_inverse=True)
        order = np.argsort(codes, kind="stable")
        starts = np.searchsorted(codes[order], np.arange(len(names)))
        return cls(np.ascontiguousarray(values[order], dtype=np.float32), tuple(names.tolist()), starts, unlike)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def counts(self) -> np.ndarray:
        """int (K,): how many encodings each identity has."""
        return np.diff(self.starts, append=len(self.values))

    @property
    def codes(self) -> np.ndarray:
        """int (n,): the identity of each encoding, as its place in `names`."""
        return np.repeat(np.arange(len(self.names)), self.counts)

    def nearest(self, query: np.ndarray, most: int = 1) -> list[tuple[str, float]]:
        """The nearest identities of one encoding (d,), the nearest first: (name, how far its nearest encoding is)."""
        rough = self.to_identities(query[None])[0]
        count = min(most, len(rough))
        found = [(self.distance(query, code), code) for code in np.argpartition(rough, count - 1)[:count].tolist()]
        return [(self.names[code], far) for far, code in sorted(found)]

    def distance(self, query: np.ndarray, code: int) -> float:
        """From one encoding (d,) to the nearest one of an identity, to the last digit."""
        own = self.values[self.starts[code] : self.starts[code] + self.counts[code]]
        far = np.linalg.norm(own - query, axis=1) if self.unlike is None else self.unlike(query[None], own)
        return float(far.min())

    def to_identities(self, queries: np.ndarray, without: np.ndarray | None = None) -> np.ndarray:
        """float32 (m, K): from each of the queries (m, d) to the nearest encoding of each identity.

        without: int (m,), of each query an encoding that is passed over: its own.
        By |a|² - 2ab + |b|² in float32: of vectors of length 1, good to 0.001 near 0 and to 0.000001 elsewhere.
        """
        found = np.empty((len(queries), len(self.names)), dtype=np.float32)
        step = max(1, AT_ONCE // (len(self) * (1 if self.unlike is None else queries.shape[1])))
        for start in range(0, len(queries), step):
            some = queries[start : start + step]
            table = self._squares(some) if self.unlike is None else self.unlike(some, self.values)
            if without is not None:
                table[np.arange(len(table)), without[start : start + step]] = np.inf
            found[start : start + step] = np.minimum.reduceat(table, self.starts, axis=1)
        return found if self.unlike is not None else np.sqrt(np.maximum(found, 0))

    def _squares(self, queries: np.ndarray) -> np.ndarray:
        found = queries @ self.values.T
        found *= -2
        found += self._lengths
        found += np.square(queries).sum(axis=1, keepdims=True)
        return found

    @cached_property
    def _lengths(self) -> np.ndarray:
        return np.square(self.values).sum(axis=1)
