"""What a file holds: its bytes, unpacked where they are gzip or xz, and its text where that is UTF-8."""

from __future__ import annotations

import gzip
import lzma
import zlib
from io import BufferedReader
from pathlib import Path

from orthogon.errors import DataError

MOST_UNPACKED = 1 << 34
"""Bytes that a packed file, which may hold a thousand times its own, is unpacked to."""

_PACKED = {b"\x1f\x8b": ("gzip", gzip.open), b"\xfd7zXZ\0": ("xz", lzma.open)}


def bytes_of(path: Path) -> bytes:
    """The bytes of a file, unpacked where its first ones say that it is packed, whatever its name.

    DataError where it cannot be read, is damaged, or holds more than `MOST_UNPACKED`.
    """
    try:
        with path.open("rb") as file:
            return _unpacked(file, path)
    except OSError as error:
        raise DataError(f"the file cannot be read ({error.strerror})", where=str(path),
                        remedy="Give one that you may read.") from None


def _unpacked(file: BufferedReader, path: Path) -> bytes:
    head = file.peek(max(map(len, _PACKED)))
    sort, unpack = next((each for mark, each in _PACKED.items() if head.startswith(mark)), ("", None))
    if unpack is None:
        return file.read()
    try:
        with unpack(file) as inside:
            data = inside.read(MOST_UNPACKED + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError) as error:
        raise DataError(f"the {sort} file is damaged ({error})", where=str(path), remedy="Get it again.") from None
    if len(data) > MOST_UNPACKED:
        raise DataError(f"unpacked it has more than {MOST_UNPACKED:,} bytes", where=str(path),
                        remedy="If it is meant to be so large, unpack it first: a plain file may have any size.")
    return data


def text_of(path: Path) -> str:
    """The text of a file, unpacked as by `bytes_of`, without the mark that UTF-8 may begin with; DataError naming line
    and byte where it is no UTF-8."""
    try:
        return bytes_of(path).decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line, byte = place_of(error)
        raise DataError(
            f"byte {byte:,} of the line, {error.object[error.start]:#04x}, is no UTF-8", where=f"{path}:{line}",
            remedy="Save it as UTF-8: iconv -f WINDOWS-1252 -t UTF-8, if that is what it is.",
        ) from None


def place_of(error: UnicodeDecodeError) -> tuple[int, int]:
    """The line of the first byte that could not be decoded, and which byte of that line it is, both from 1."""
    before = error.object[: error.start]
    return before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
