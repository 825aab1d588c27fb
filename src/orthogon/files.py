"""Files are written whole or not at all: under another name, flushed to the disk, then renamed; or line by line."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def write_atomically(path: Path, data: str | bytes) -> None:
    """A reader sees the old file or the new one, never half of it; text as UTF-8. OSError leaves the old one whole."""
    with replaced(path) as temporary:
        temporary.write_bytes(data.encode() if isinstance(data, str) else data)


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A name to write under, in a folder made if need be; then it takes the place of `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _flush(path.parent)


@contextmanager
def appending(path: Path) -> Iterator[Callable[[str], None]]:
    """A function that adds a line to a file, which other processes cannot append to meanwhile; made if need be.

    Each line is one write, flushed to the disk. Behind the half line of a killed process a new line is begun.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    created = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)

    def add(text: str) -> None:
        size = os.fstat(descriptor).st_size
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        os.write(descriptor, b"\n" * torn + text.encode() + b"\n")
        os.fsync(descriptor)

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # released when the file is closed, also by a killed process
        if created:
            _flush(path.parent)
        yield add
    finally:
        os.close(descriptor)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
