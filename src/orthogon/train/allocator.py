"""Memory that a step frees is kept for the next one, which asks for just as much.

glibc gives large blocks back to the system at once, and the system clears every page before it hands it out again: of
a step of MobileNet-V2 on two cores that was 10 %, of ResNet-18 it could not be seen (benchmarks/README.md).
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_MMAP_MAX, _TRIM_THRESHOLD = -4, -1  # mallopt's names of parameters
_USUAL = {_MMAP_MAX: 65_536, _TRIM_THRESHOLD: 64 << 20}  # what glibc starts with, and what it grows to by itself
_KEEPING = {_MMAP_MAX: 0, _TRIM_THRESHOLD: -1}  # no block by itself, and no end of the heap is given back


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """The whole process keeps what is freed within the block, and gives it back at its end; nothing is done where the
    allocator is not glibc's."""
    libc = _glibc()
    if libc is None:
        yield
        return
    _set(libc, _KEEPING)
    try:
        yield
    finally:
        _set(libc, _USUAL)
        libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None  # musl has neither


def _set(libc: ctypes.CDLL, values: dict[int, int]) -> None:
    for parameter, value in values.items():
        libc.mallopt(parameter, value)
