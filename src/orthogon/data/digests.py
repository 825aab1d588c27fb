"""SHA-256 of files, remembered: what is large is not read again while its size and times stay as they were."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from orthogon.data.download import sha256_of
from orthogon.data.picture_cache import cache_root
from orthogon.files import write_atomically


def remembered_sha256(path: Path) -> str:
    """Hex SHA-256 of a file. Its size, modification and change time stand beside what is remembered."""
    status = path.stat()
    seen = [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
    note = _note(path)
    try:
        known = json.loads(note.read_bytes())
        if known["seen"] == seen:
            return str(known["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # never seen, or the note is damaged: it is read again
    return _remember(note, seen, sha256_of(path))


def fresh_sha256(path: Path) -> str:
    """The same, read again whatever is remembered, and remembered anew."""
    status = path.stat()
    return _remember(_note(path), [status.st_size, status.st_mtime_ns, status.st_ctime_ns], sha256_of(path))


def _remember(note: Path, seen: list[int], digest: str) -> str:
    write_atomically(note, json.dumps({"seen": seen, "sha256": digest}))
    return digest


def _note(path: Path) -> Path:
    name = hashlib.blake2b(os.path.abspath(path).encode(), digest_size=16).hexdigest()
    return cache_root() / "digests" / f"{name}.json"
