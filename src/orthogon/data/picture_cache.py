"""The cache of arrays that take long to make, of decoded pictures above all: memory-mapped packs, found by a hash.

    pictures/keys/….json              path -> [size, mtime, ctime, content hash]: spares reading unchanged files
    pictures/64x64-crop-3/….npy       pixels (n, C, H, W) uint8
    pictures/64x64-crop-3/….idx       the content hashes of its rows, 16 bytes each; written last, makes the pack valid
    features/…/….npy, ….idx           likewise what frozen layers made of each input

Everything is written under a temporary name and renamed, so that a killed process leaves nothing half-written, and two
processes at once do the same work twice at worst.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from orthogon.data.picture_files import PictureError
from orthogon.files import write_atomically

_CHUNK = 1 << 20


def cache_root() -> Path:
    """Where Orthogon keeps what it can make again: $ORTHOGON_CACHE, else the user's cache folder."""
    named = os.environ.get("ORTHOGON_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(base) if base else Path.home() / ".cache") / "orthogon"


def _temporary(path: Path) -> Path:
    return path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")


def content_digests(files: Sequence[Path], folder: Path) -> tuple[list[bytes], dict[bytes, PictureError]]:
    """16 bytes a file that name its content, and the files that cannot be read, by a digest that names the path.

    A file whose path, size and times are those of the last call is not read again.
    """
    paths = [os.path.abspath(path) for path in files]
    name = hashlib.blake2b("\n".join(sorted(set(paths))).encode(), digest_size=16).hexdigest()
    store = folder / "keys" / f"{name}.json"
    known = _load_keys(store)
    fresh: dict[str, list[int | str]] = {}
    digests, failed = [], {}
    for path in paths:
        try:
            if path not in fresh:
                status = os.stat(path)
                stamp = [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
                before = known.get(path)
                fresh[path] = before if before and before[:3] == stamp else [*stamp, _digest_file(path)]
            digests.append(bytes.fromhex(str(fresh[path][3])))
        except OSError as error:
            digest = hashlib.blake2b(path.encode(), digest_size=16, person=b"unreadable").digest()
            failed[digest] = PictureError("missing-image", f"cannot be opened ({error.strerror})", where=path)
            digests.append(digest)
    if fresh != known:
        write_atomically(store, json.dumps(fresh).encode())
    return digests, failed


def _load_keys(store: Path) -> dict[str, list[int | str]]:
    try:
        return json.loads(store.read_bytes())
    except (OSError, ValueError):
        return {}


def _digest_file(path: str) -> str:
    digest = hashlib.blake2b(digest_size=16)
    with open(path, "rb") as file:
        while block := file.read(_CHUNK):
            digest.update(block)
    return digest.hexdigest()


class ArrayCache:
    """Arrays of one shape and type, each under 16 bytes that name it. `digest in cache`; `gather` in any order."""

    def __init__(self, folder: Path, shape: tuple[int, ...], dtype: Any) -> None:
        self.folder, self.shape, self.dtype = folder, shape, np.dtype(dtype)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._place: dict[bytes, tuple[Path, int]] = {}
        for index in sorted(self.folder.glob("*.idx")):
            self._learn(index)

    def _learn(self, index: Path) -> None:
        pack, names = index.with_suffix(".npy"), index.read_bytes()
        expected = len(names) // 16 * math.prod(self.shape) * self.dtype.itemsize
        # A header of .npy is 128 bytes at most for such shapes; a pack that is too short was damaged from outside.
        if not pack.exists() or pack.stat().st_size < expected or len(names) % 16:
            return
        for row in range(len(names) // 16):
            self._place.setdefault(names[16 * row : 16 * row + 16], (pack, row))

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._place

    def new_pack(self, capacity: int) -> Pack:
        """A pack to `add` to, in a `with` block; it joins the cache at the end of the block, unless that fails."""
        return Pack(self, capacity)

    def gather(self, digests: Sequence[bytes], in_memory: int) -> np.ndarray:
        """(n, *shape) in the order asked for; those not in the cache are 0 (pictures: black).

        Above `in_memory` bytes: a memory map, of one pack where that holds just these rows, else of a new one.
        """
        if len(digests) * math.prod(self.shape) * self.dtype.itemsize > in_memory:
            return self._mapped(digests)
        out = np.zeros((len(digests), *self.shape), dtype=self.dtype)
        self._copy(digests, out)
        return out

    def _mapped(self, digests: Sequence[bytes]) -> np.ndarray:
        places = [self._place.get(digest) for digest in digests]
        first = places[0]
        if first is not None and places == [(first[0], row) for row in range(len(places))]:
            return np.load(first[0], mmap_mode="r")[: len(digests)]
        with self.new_pack(len(digests)) as pack:
            self._copy(digests, pack.arrays)
            pack.digests = [digest if digest in self else b"\0" * 16 for digest in digests]
        return np.load(pack.path, mmap_mode="r")

    def _copy(self, digests: Sequence[bytes], out: np.ndarray) -> None:
        by_pack: dict[Path, list[tuple[int, int]]] = {}
        for row, digest in enumerate(digests):
            if digest in self._place:
                pack, place = self._place[digest]
                by_pack.setdefault(pack, []).append((row, place))
        for pack, pairs in by_pack.items():
            source = np.load(pack, mmap_mode="r")
            to, start = np.array(pairs).T
            out[to] = source[start]


class PictureCache(ArrayCache):
    """Pictures of one size, fit and number of channels: uint8 (C, H, W)."""

    def __init__(self, root: Path, size: tuple[int, int], fit: str, channels: int) -> None:
        self.size, self.fit, self.channels = (int(size[0]), int(size[1])), fit, channels
        super().__init__(root / f"{size[0]}x{size[1]}-{fit}-{channels}", (channels, *self.size), np.uint8)


class Pack:
    """A pack being written."""

    def __init__(self, cache: ArrayCache, capacity: int) -> None:
        self.cache, self.digests = cache, []
        self.path = cache.folder / f"{secrets.token_hex(12)}.npy"
        self._part = _temporary(self.path)
        shape = (capacity, *cache.shape)
        self.arrays = np.lib.format.open_memmap(self._part, mode="w+", dtype=cache.dtype, shape=shape)

    digests: list[bytes]

    def add(self, digest: bytes, array: np.ndarray) -> None:
        """The next one, of the cache's shape."""
        self.arrays[len(self.digests)] = array
        self.digests.append(digest)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.arrays.flush()
        del self.arrays
        if kind is not None or not self.digests:
            self._part.unlink()
            return
        self._part.replace(self.path)
        index = self.path.with_suffix(".idx")
        write_atomically(index, b"".join(self.digests))
        self.cache._learn(index)
