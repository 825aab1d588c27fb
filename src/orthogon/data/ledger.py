"""The ledger of every look at a test set: what is sealed after its first look stays sealed, across runs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from orthogon.data.dataset import Finding
from orthogon.files import appending

FILE_NAME = "test-ledger.jsonl"


@dataclass(frozen=True)
class Look:
    """One evaluation on a test set.

    test_key: content hash of the test examples (`Passport.test_key`), whatever run or folder they came from.
    run:      the run that looked.
    when:     ISO 8601 with its offset, in UTC.
    why:      e.g. "first look", "--test".
    """

    test_key: str
    run: str
    when: str
    why: str = ""


class Ledger:
    """The looks at test sets, in `test-ledger.jsonl` beside the runs: one JSON object per line, append-only.

    A line is one write to a file opened for appending, under a file lock, and flushed to the disk before the
    score is shown. Lines that cannot be read are kept and reported, never a reason to lose the others.
    Source: the test ledger of catalogue row 11.01 ("test → unbiased final check").
    """

    def __init__(self, runs_dir: str | Path) -> None:
        self.path = Path(runs_dir) / FILE_NAME

    def looks(self, test_key: str) -> list[Look]:
        """All looks at that test set, oldest first."""
        return [look for look in self._read()[0] if look.test_key == test_key]

    def damage(self) -> list[Finding]:
        """One warning for each line that cannot be read: a look may be missing from the count."""
        return self._read()[1]

    def sealed(self, test_key: str) -> bool:
        """Whether somebody has looked already."""
        return bool(self.looks(test_key))

    def record(self, test_key: str, run: str | Path, when: str | None = None, why: str = "") -> int:
        """Enter a look and return its number (1 = the first).

        when: ISO 8601; default now, in UTC. The runs folder is made if it is not there.
        """
        with appending(self.path) as add:
            add(_line(Look(test_key, str(run), when or _now(), why)))
            return len(self.looks(test_key))

    def first_look(self, test_key: str, run: str | Path, why: str = "first look") -> bool:
        """Enter a look only if it is the first; False, and nothing entered, where the set is sealed.

        Asked and entered under one lock, so that of two runs which end together only one is the first.
        """
        with appending(self.path) as add:
            if self.sealed(test_key):
                return False
            add(_line(Look(test_key, str(run), _now(), why)))
            return True

    def status(self, test_key: str) -> str:
        """A sentence: "first look; sealed from now on", or "test sealed, 1 look; --test to look again"."""
        count = len(self.looks(test_key))
        if count:
            sentence = f"test sealed, {count} look{'s' if count > 1 else ''}; --test to look again"
        else:
            sentence = "first look; sealed from now on"
        damaged = len(self.damage())
        if damaged:
            lines = "1 line" if damaged == 1 else f"{damaged} lines"
            sentence += f" ({lines} of {FILE_NAME} cannot be read: a look may be missing)"
        return sentence

    def _read(self) -> tuple[list[Look], list[Finding]]:
        if not self.path.exists():
            return [], []
        looks, damage = [], []
        lines = self.path.read_bytes().split(b"\n")
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            look = _parse(line)
            if look is not None:
                looks.append(look)
            else:
                damage.append(_damaged(self.path, number, line))
        return looks, damage


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _line(look: Look) -> str:
    return json.dumps(asdict(look), ensure_ascii=False)


def _parse(line: bytes) -> Look | None:
    try:
        entry = json.loads(line)
    except ValueError:  # JSON's and UTF-8's errors alike
        return None
    known = Look.__dataclass_fields__
    if not isinstance(entry, dict) or not all(isinstance(entry.get(key), str) for key in known):
        return None
    return Look(**{key: entry[key] for key in known})  # keys of a newer version are passed over


def _damaged(path: Path, number: int, line: bytes) -> Finding:
    return Finding(
        "damaged-ledger", "warning", f"line {number} cannot be read: a look at a test set may be missing",
        where=str(path), row=number, value=line[:80].decode(errors="replace"),
        remedy="A process was probably killed while it wrote. The line stays; count it as one look.",
    )
