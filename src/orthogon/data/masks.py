"""Masks: the class of each pixel of a picture, as one array or as files that are decoded when a size is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from orthogon.data.columns import Column, digest_rows
from orthogon.data.geometry import Placement, placement
from orthogon.data.mask_files import IGNORE, Coding, guessed_coding, in_threads, read_values, scan
from orthogon.data.picture_cache import PictureCache, cache_root, content_digests
from orthogon.data.progress import track
from orthogon.draw.masks import mask_png
from orthogon.errors import DataError
from orthogon.files import write_atomically

__all__ = ["IGNORE", "Mask", "MaskColumn"]

_IN_MEMORY = 1 << 30


class MaskColumn(Column):
    """One mask for each picture: codes uint8 (H, W) into `names`, code 0 = background, 255 = ignored.

    names:  of the classes.
    counts: int64 (n, K): how many pixels of each mask are of each class, in its own size.
    codes:  uint8 (n, H, W), in memory or memory-mapped; None where the masks are files.
    files, sizes, coding: of files: one path a row, its height and width (n, 2), and what its values stand for.
    """

    kind = "mask"

    def __init__(self, names: Sequence[str], counts: np.ndarray, *, codes: np.ndarray | None = None,
                 files: Sequence[Path] = (), sizes: np.ndarray | None = None, coding: Coding | None = None) -> None:
        if codes is None and (sizes is None or coding is None):
            raise ValueError("a MaskColumn needs its codes, or its files with their sizes and coding")
        self.names, self.counts = tuple(names), np.asarray(counts)
        self.codes, self.files, self.coding = codes, tuple(files), coding
        self.sizes = np.tile(codes.shape[1:], (len(codes), 1)) if codes is not None else np.asarray(sizes)

    @classmethod
    def from_array(cls, masks: np.ndarray, names: Sequence[str] = ()) -> MaskColumn:
        """Whole numbers or bools (n, H, W). With names they are codes and 255 is ignored; without, 0 and 255 (or True)
        are background and foreground, and otherwise each value is a class. DataError for other shapes and values."""
        masks = np.asarray(masks)
        if masks.ndim == 4 and 1 in (masks.shape[1], masks.shape[3]):
            masks = masks.reshape(len(masks), *(side for side in masks.shape[1:] if side != 1))
        if masks.ndim != 3 or masks.dtype.kind not in "biu" or not masks.size:
            raise DataError(f"masks have shape {masks.shape} and type {masks.dtype}",
                            remedy="Give whole numbers n×H×W, the class of each pixel; 255 = ignored.")
        raw = masks.astype(np.int32) if masks.dtype == np.bool_ else masks
        values = np.unique(raw).tolist()
        coding = guessed_coding(values, "masks")
        if names:
            coding = Coding({**{code: code for code in range(len(names))}, IGNORE: IGNORE}, tuple(names))
        if strange := sorted(set(values) - set(coding.values)):
            raise coding.unknown(int(strange[0]), "masks")
        codes = np.stack([coding.codes(mask, "masks") for mask in raw])
        return cls(coding.names, class_counts(codes, len(coding.names)), codes=codes)

    @classmethod
    def from_files(cls, files: Sequence[Path], sizes: np.ndarray, coding: Coding | None = None) -> MaskColumn:
        """PNG files; each is decoded once to count its classes. coding: None = guessed from all values.

        DataError naming the file that holds a value without a class.
        """
        found = scan(files, coding is not None and coding.colors)
        if coding is None:
            coding = guessed_coding((value for each in found for value in each), str(files[0].parent))
        counts = np.zeros((len(files), len(coding.names)), dtype=np.int64)
        for row, each in enumerate(found):
            for value, count in each.items():
                if value not in coding.values:
                    raise coding.unknown(value, str(files[row]))
                if coding.values[value] != IGNORE:
                    counts[row, coding.values[value]] += count
        return cls(coding.names, counts, files=files, sizes=sizes, coding=coding)

    def __len__(self) -> int:
        return len(self.counts)

    def take(self, rows: np.ndarray) -> MaskColumn:
        return MaskColumn(
            self.names, self.counts[rows], codes=None if self.codes is None else self.codes[rows],
            files=[self.files[row] for row in rows] if self.files else (), sizes=self.sizes[rows], coding=self.coding,
        )

    @property
    def uniform_size(self) -> tuple[int, int] | None:
        """(H, W) when all masks have it, else None."""
        same = len(self) and (self.sizes == self.sizes[0]).all()
        return (int(self.sizes[0][0]), int(self.sizes[0][1])) if same else None

    def missing(self) -> np.ndarray:
        """Where every pixel is ignored."""
        return self.counts.sum(axis=1) == 0

    @property
    def shares(self) -> np.ndarray:
        """Float64 (n, K): the share of each class among the pixels that are not ignored."""
        return self.counts / np.maximum(self.counts.sum(axis=1, keepdims=True), 1)

    def cell(self, row: int) -> np.ndarray:
        """H×W uint8 codes in full size."""
        if self.codes is not None:
            return np.asarray(self.codes[row])
        assert self.coding is not None  # noqa: S101 - files have one
        return self.coding.codes(read_values(self.files[row], self.coding.colors), str(self.files[row]))

    def digests(self) -> np.ndarray:
        if self.codes is not None:
            return digest_rows(self.codes)
        found, _ = content_digests(self.files, cache_root() / "masks")
        return np.array(found, dtype="V16")

    def at(self, size: tuple[int, int], fit: str = "crop") -> np.ndarray:
        """Uint8 (n, H, W): the masks where `orthogon.data.pictures.materialize` brings the pictures.

        Each pixel has the class of the nearest one, so that no class is made up; what lies beyond the mask (the bars of
        a letterbox) is ignored. Files come from the cache after the first time, above 1 GB as a memory map.
        """
        if self.codes is not None and self.codes.shape[1:] == tuple(size):
            return self.codes
        lies = placement(self.sizes, size, fit)
        if self.codes is not None:
            return np.stack([moved(self.cell(row), lies, row, size) for row in range(len(self))])
        return self._from_cache(lies, size, fit)

    def _from_cache(self, lies: Placement, size: tuple[int, int], fit: str) -> np.ndarray:
        assert self.coding is not None  # noqa: S101 - files have one
        cache = PictureCache(cache_root() / "masks", size, f"{fit}-{self.coding.key}", 1)
        digests, failed = content_digests(self.files, cache.folder.parent)
        if failed:
            raise next(iter(failed.values()))
        first = {digest: row for row, digest in reversed(list(enumerate(digests)))}
        missing = [digest for digest in first if digest not in cache]
        if missing:
            rows = {self.files[first[digest]]: first[digest] for digest in missing}
            made = in_threads(lambda path: moved(self.cell(rows[path]), lies, rows[path], size), list(rows))
            with cache.new_pack(len(missing)) as pack:
                for digest, mask in zip(missing, track(made, len(missing), "decoding masks")):
                    pack.add(digest, mask[None])
        return cache.gather(digests, _IN_MEMORY)[:, 0]


class Mask:
    """A predicted mask, kept as the PNG that it is written as: a thousandth of its pixels.

    png: the file's bytes. names: of the classes, code 0 first.
    """

    def __init__(self, png: bytes, names: Sequence[str]) -> None:
        self.png, self.names = png, tuple(names)

    @classmethod
    def of(cls, codes: np.ndarray, names: Sequence[str]) -> Mask:
        """From uint8 codes (H, W)."""
        return cls(mask_png(codes), names)

    @property
    def codes(self) -> np.ndarray:
        """Uint8 (H, W)."""
        from io import BytesIO

        from PIL import Image

        return np.asarray(Image.open(BytesIO(self.png)))

    def save(self, path: str | Path) -> Path:
        """Writes a PNG with a palette: its pixels are the codes."""
        path = Path(path)
        write_atomically(path, self.png)
        return path

    def __repr__(self) -> str:
        return f"Mask({'×'.join(map(str, self.codes.shape))}, {', '.join(self.names)})"


def moved(mask: np.ndarray, lies: Placement, row: int, size: tuple[int, int]) -> np.ndarray:
    """Uint8 codes (H, W) by the placement of that row; IGNORE where the mask does not reach."""
    down, across = lies.nearest(row, (mask.shape[0], mask.shape[1]), size)
    out = mask[down[:, None], across]
    out[down < 0] = IGNORE
    out[:, across < 0] = IGNORE
    return out


def class_counts(codes: np.ndarray, classes: int) -> np.ndarray:
    """Int64 (n, K): how many pixels of each mask (n, H, W) are of each class."""
    return np.stack([np.bincount(mask.reshape(-1), minlength=IGNORE + 1)[:classes] for mask in codes]).astype(np.int64)
