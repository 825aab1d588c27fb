"""The same example twice: exact by content, near by what a small grey picture of it looks like."""

from __future__ import annotations

import numpy as np

SIDE = 16  # of the thumbnail: two encodings of one photograph agree at this size, two photographs do not
NEAR = 0.05  # distance of two thumbnails of length one; a correlation of 0.99875
FLAT = 2.0  # grey levels of standard deviation, below which a thumbnail shows nothing to compare
DIMENSIONS = 12  # of the search; the decision is taken on all pixels
NEIGHBOURS = 8  # of one picture that are looked at
MOST = 100_000  # pictures, above which near duplicates are not looked for


def exact_duplicates(digests: np.ndarray) -> list[np.ndarray]:
    """Groups of two or more rows with the same digest, each sorted, in the order of their first row."""
    rows_of: dict[bytes, list[int]] = {}
    for row, digest in enumerate(digests.tolist()):
        rows_of.setdefault(digest, []).append(row)
    return [np.array(rows) for rows in rows_of.values() if len(rows) > 1]


def thumbnails(pixels: np.ndarray) -> np.ndarray:
    """Float32 (n, H', W') in grey levels, from uint8 (n, C, H, W): areas averaged down to at most 16 a side."""
    n, _, height, width = pixels.shape
    down, across = _area_weights(height), _area_weights(width)
    out = np.empty((n, len(down), len(across)), dtype=np.float32)
    step = max(1, 50_000_000 // max(1, pixels[0].size if n else 1))  # about 200 MB of floats at a time
    for start in range(0, n, step):
        grey = pixels[start : start + step].mean(axis=1, dtype=np.float32)
        out[start : start + step] = down @ grey @ across.T
    return out


def _area_weights(size: int) -> np.ndarray:
    """Float32 (min(size, 16), size): each row averages its share of the pixels, edges in part."""
    small = min(size, SIDE)
    edges = np.arange(small + 1) * size / small
    low, high = edges[:-1, None], edges[1:, None]
    pixel = np.arange(size)[None, :]
    overlap = np.minimum(high, pixel + 1) - np.maximum(low, pixel)
    return (np.clip(overlap, 0, None) * small / size).astype(np.float32)


def near_duplicates(thumbs: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Int (m, 2): pairs of `rows`, lower first, whose thumbnails are the same but for encoding, scale or exposure.

    thumbs: float (n, ...) of all pictures. Brightness and contrast are taken out; then two pictures are near
    duplicates when their difference has less than 0.05 of their length. No pair of the bundled digits or of MNIST
    comes that near; 99 of 100 TrashNet photographs do when saved again at half their size, or at JPEG quality 30
    (not at a quarter of their size). Pictures of one grey are left out.

    Neighbours are sought among the first principal components. Projection shortens distances, so that no near
    duplicate is lost there, except where a picture has more than eight such neighbours.
    """
    flat = thumbs[rows].reshape(len(rows), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    spread = flat.std(axis=1)
    rows, flat = rows[spread > FLAT], flat[spread > FLAT]
    if len(rows) < 2:
        return np.zeros((0, 2), dtype=np.int64)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    pairs = _close_pairs(flat)
    near = np.linalg.norm(flat[pairs[:, 0]] - flat[pairs[:, 1]], axis=1) < NEAR
    return np.sort(rows[pairs[near]], axis=1)


def _close_pairs(unit: np.ndarray) -> np.ndarray:
    """Int (m, 2): pairs of rows, lower first, that are near in the first principal components."""
    from scipy.spatial import KDTree

    centred = unit - unit.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    projected = centred @ axes[:, -DIMENSIONS:]
    count = min(NEIGHBOURS + 1, len(unit))
    # The bound is a little wider than the decision, for rounding in float32.
    _, nearest = KDTree(projected).query(projected, k=count, distance_upper_bound=1.01 * NEAR, workers=-1)
    first = np.repeat(np.arange(len(unit)), count)
    second = np.asarray(nearest).reshape(-1)
    found = (second < len(unit)) & (first != second)
    pairs = np.sort(np.column_stack([first[found], second[found]]), axis=1)
    return np.unique(pairs, axis=0) if len(pairs) else pairs.reshape(0, 2)
