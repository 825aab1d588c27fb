"""The file of a gallery: an SQLite database with one row for each picture, and the encoder that they belong to.

SQLite comes with Python, writes a change wholly or not at all, and lets several processes share a file. The encodings
are searched in memory by one product of matrices (`orthogon.serve.neighbors`), which finds the nearest ones and not
nearly so. A vector database was measured beside it: benchmarks/gallery.py.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from orthogon.errors import DataError
from orthogon.serve.neighbors import Encodings, Unlike

FORMAT = 1
APPLICATION = 0x4F47414C
"""The mark of a gallery in the head of the file."""

PATIENCE = 30.0
"""Seconds that another process is waited for while it writes."""

_TABLES = f"""
    PRAGMA application_id = {APPLICATION};
    PRAGMA user_version = {FORMAT};
    CREATE TABLE encoder (fingerprint TEXT NOT NULL, dimension INTEGER NOT NULL, run TEXT NOT NULL,
                          bundle TEXT NOT NULL);
    CREATE TABLE pictures (number INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, identity TEXT NOT NULL,
                           encoding BLOB NOT NULL, added TEXT NOT NULL);
"""


class Encoder(NamedTuple):
    """fingerprint: see orthogon.serve.encode. dimension: numbers in an encoding. run, bundle: its name and folder."""

    fingerprint: str
    dimension: int
    run: str
    bundle: str


class Entry(NamedTuple):
    """hash: SHA-256 of the picture. encoding: float32 (d,)."""

    hash: bytes
    identity: str
    encoding: np.ndarray


class Held(NamedTuple):
    """How many pictures of an identity there are, and when the first and the last came (ISO 8601, UTC)."""

    identity: str
    pictures: int
    first: str
    last: str


class Picture(NamedTuple):
    """What is known of one picture. added: when (ISO 8601, UTC)."""

    hash: bytes
    added: str


class GalleryFile:
    """A gallery on disk. DataError where the file is none, is damaged, locked or newer, or the disk is full."""

    def __init__(self, path: str | Path, encoder: Encoder | None = None) -> None:
        """encoder: where there is no file yet, one is made for it; without it there must be a file."""
        self.path = Path(path)
        if encoder is None and not self.path.is_file():
            raise DataError("there is no gallery here", where=str(self.path),
                            remedy="Begin one: orthogon gallery add FOLDER, with a folder for each identity.")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._told():
            self._database = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None)
            self._database.execute("PRAGMA secure_delete = ON")  # what is removed is overwritten
            self._check(encoder)
            row = self._database.execute("SELECT fingerprint, dimension, run, bundle FROM encoder").fetchone()
        self.encoder = Encoder(*row)
        self._read: tuple[int, Encodings] | None = None

    def _check(self, encoder: Encoder | None) -> None:
        [mark], [version] = (self._database.execute(f"PRAGMA {name}").fetchone()
                             for name in ("application_id", "user_version"))
        if mark == 0 and encoder is not None and not self._database.execute("SELECT * FROM sqlite_master").fetchone():
            self._database.executescript(f"BEGIN IMMEDIATE; {_TABLES} COMMIT")
            self._database.execute("INSERT INTO encoder VALUES (?, ?, ?, ?)", encoder)
        elif mark != APPLICATION:
            raise DataError("this file is no gallery", where=str(self.path), remedy="Name another file.")
        elif version > FORMAT:
            raise DataError(f"this gallery has format {version}, this Orthogon reads up to {FORMAT}",
                            where=str(self.path), remedy="Install a newer Orthogon: pip install --upgrade orthogon")

    def close(self) -> None:
        self._database.close()

    # Reading.

    def held(self, hashes: Sequence[bytes]) -> dict[bytes, str]:
        """hash -> identity, of those that are there."""
        found: dict[bytes, str] = {}
        with self._told():
            for start in range(0, len(hashes), 500):
                some = hashes[start : start + 500]
                marks = ",".join("?" * len(some))
                found |= dict(self._database.execute(
                    f"SELECT hash, identity FROM pictures WHERE hash IN ({marks})", some))  # noqa: S608 - marks alone
        return found

    def pictures(self, identity: str) -> list[Picture]:
        with self._told():
            return [Picture(*row) for row in self._database.execute(
                "SELECT hash, added FROM pictures WHERE identity = ? ORDER BY number", (identity,))]

    def find(self, digits: str) -> list[bytes]:
        """The hashes that begin with these hexadecimal digits."""
        with self._told():
            return [each for [each] in self._database.execute(
                "SELECT hash FROM pictures WHERE substr(lower(hex(hash)), 1, ?) = ?", (len(digits), digits.lower()))]

    def identities(self) -> list[Held]:
        """By name."""
        with self._told():
            return [Held(*row) for row in self._database.execute(
                "SELECT identity, COUNT(*), MIN(added), MAX(added) FROM pictures GROUP BY identity ORDER BY identity")]

    def encodings(self, unlike: Unlike | None = None) -> Encodings:
        """All of them, in memory, compared by `unlike`; read again after a change, of whichever process."""
        with self._told():
            [version] = self._database.execute("PRAGMA data_version").fetchone()
            if self._read is None or self._read[0] != version:
                rows = self._database.execute("SELECT identity, encoding FROM pictures ORDER BY number").fetchall()
                values = np.frombuffer(b"".join(each for _, each in rows), dtype=np.float32)
                found = Encodings.of([name for name, _ in rows], values.reshape(len(rows), self.encoder.dimension),
                                     unlike)
                self._read = version, found
            return self._read[1]

    # Writing.

    def write(self, entries: Iterable[Entry] = (), remove: Iterable[bytes] = (),
              assign: Mapping[bytes, str] | None = None) -> None:
        """Put in entries, remove pictures and give others another identity: all of it or nothing.

        An entry whose hash is there already leaves what is there as it is.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._told(), self._transaction():
            self._database.executemany("DELETE FROM pictures WHERE hash = ?", [(each,) for each in remove])
            self._database.executemany("UPDATE pictures SET identity = ? WHERE hash = ?",
                                       [(identity, each) for each, identity in (assign or {}).items()])
            self._database.executemany(
                "INSERT OR IGNORE INTO pictures (hash, identity, encoding, added) VALUES (?, ?, ?, ?)",
                ((each.hash, each.identity, each.encoding.astype("<f4").tobytes(), now) for each in entries))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")
        self._read = None

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise DataError(f"the gallery cannot be used now: {error}", where=str(self.path),
                            remedy="Does another process write to it? Has the disk room?") from error
        except sqlite3.DatabaseError as error:
            raise DataError(f"this file is no gallery, or it is damaged ({error})", where=str(self.path),
                            remedy="Begin another, and add the pictures again.") from error
