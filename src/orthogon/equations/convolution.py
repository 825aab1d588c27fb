"""Convolution and pooling along one, two or three axes.

N examples, C channels, then the spatial axes: N×C×T for sound, N×C×H×W for pictures, N×C×D×H×W for volumes. The same
functions serve all of them (row 16.27). Stride s and padding p are the same along each axis.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from orthogon.equations._shapes import Floats
from orthogon.equations.convolution_sizes import output_size

Cache = tuple[Any, ...]
ConvolutionCache = tuple[tuple[int, ...], Floats, Floats, int, int]


def convolution(x: Floats, W: Floats, b: Floats, stride: int = 1, padding: int = 0) -> tuple[Floats, ConvolutionCache]:
    """The linear part of a convolution layer. As deep learning means it, the filter is not mirrored.

        z[n,k,i,j] = Σ_c Σ_u Σ_v W[k,c,u,v] x[n, c, si+u−p, sj+v−p] + b[k]        (x = 0 outside)
        dW[k,c,u,v] = Σ_n Σ_i Σ_j dz[n,k,i,j] x[n, c, si+u−p, sj+v−p]        db[k] = Σ_n Σ_i Σ_j dz[n,k,i,j]
        dx = Σ_k W[k,c,u,v] dz[n,k,i,j], added up where x was taken from

    x: N×C×H×W. W: K×C×f×f. b: K. z: N×K×H'×W', H' = output_size(H, f, s, p). Gradients: d_x, d_W, d_b.
    Rows 16.01, 16.02, 16.05 to 16.13, 16.24, 16.26, 16.29.
    """
    if W.ndim != x.ndim or W.shape[1] != x.shape[1] or b.shape != W.shape[:1]:
        raise ValueError(f"x is {x.shape}, W {W.shape}, b {b.shape}: expected N×C×H×W, K×C×f×f with the same C, and K")
    patches = _patches(x, W.shape[2:], stride, padding)
    z = np.tensordot(patches, W, axes=((1, *range(x.ndim, patches.ndim)), range(1, W.ndim)))
    return np.moveaxis(z + b, -1, 1), (x.shape, W, patches, stride, padding)


def convolution_backward(d_z: Floats, cache: ConvolutionCache) -> tuple[Floats, Floats, Floats]:
    x_shape, W, patches, stride, padding = cache
    all_but_channels = (0, *range(2, d_z.ndim))
    d_W = np.tensordot(d_z, patches, axes=(all_but_channels, all_but_channels))
    d_patches = np.moveaxis(np.tensordot(d_z, W, axes=(1, 0)), d_z.ndim - 1, 1)
    return _scatter(d_patches, x_shape, stride, padding), d_W, d_z.sum(axis=all_but_channels)


def true_convolution(
    x: Floats, W: Floats, b: Floats, stride: int = 1, padding: int = 0
) -> tuple[Floats, ConvolutionCache]:
    """Convolution as mathematics defines it: the filter is mirrored along each spatial axis first.

        z[n,k,i,j] = Σ_c Σ_u Σ_v W[k, c, f−1−u, f−1−v] x[n, c, si+u−p, sj+v−p] + b[k]

    Mirrored, it is associative, which a layer that learns its W has no use for. Shapes and gradients as in
    `convolution` (row 16.11).
    """
    return convolution(x, _mirror(W), b, stride, padding)


def true_convolution_backward(d_z: Floats, cache: ConvolutionCache) -> tuple[Floats, Floats, Floats]:
    d_x, d_W, d_b = convolution_backward(d_z, cache)
    return d_x, _mirror(d_W), d_b


def max_pool(x: Floats, f: int, stride: int, padding: int = 0) -> tuple[Floats, Cache]:
    """The largest value of each f×f window, channel by channel. Nothing is learned.

        a[n,c,i,j] = max_u max_v x[n, c, si+u−p, sj+v−p]        (x = −∞ outside)
        dx = da where the maximum was taken (the first of equals), else 0

    x: N×C×H×W. a: N×C×H'×W', H' = output_size(H, f, s, p). Gradient: d_x. Rows 16.19, 16.21, 16.28.
    """
    if padding >= f:
        raise ValueError(f"padding {padding} around windows of {f}: some would hold nothing; pad less than the window")
    patches = _patches(x, (f,) * (x.ndim - 2), stride, padding, outside=-np.inf)
    windows = patches.reshape(*patches.shape[: x.ndim], -1)
    where = windows.argmax(axis=-1)[..., None]
    return np.take_along_axis(windows, where, axis=-1)[..., 0], (x.shape, where, patches.shape, stride, padding)


def max_pool_backward(d_a: Floats, cache: Cache) -> Floats:
    x_shape, where, patches_shape, stride, padding = cache
    d_windows = np.zeros((*d_a.shape, prod(patches_shape[d_a.ndim :])))
    np.put_along_axis(d_windows, where, d_a[..., None], axis=-1)
    return _scatter(d_windows.reshape(patches_shape), x_shape, stride, padding)


def average_pool(x: Floats, f: int, stride: int, padding: int = 0) -> tuple[Floats, Cache]:
    """The mean of each f×f window, channel by channel; zeros of the padding count.

        a[n,c,i,j] = (1/f²) Σ_u Σ_v x[n, c, si+u−p, sj+v−p]        (x = 0 outside)
        dx = Σ da/f² over the windows that hold x

    x: N×C×H×W. a: N×C×H'×W'. Gradient: d_x. Row 16.20; with f = H = W, global average pooling (row 16.23).
    """
    patches = _patches(x, (f,) * (x.ndim - 2), stride, padding)
    return patches.mean(axis=tuple(range(x.ndim, patches.ndim))), (x.shape, patches.shape, stride, padding)


def average_pool_backward(d_a: Floats, cache: Cache) -> Floats:
    x_shape, patches_shape, stride, padding = cache
    window = patches_shape[d_a.ndim :]
    share = np.expand_dims(d_a / prod(window), tuple(range(d_a.ndim, len(patches_shape))))
    return _scatter(np.broadcast_to(share, patches_shape), x_shape, stride, padding)


def _patches(x: Floats, f: tuple[int, ...], stride: int, padding: int, outside: float = 0.0) -> Floats:
    """What the filter covers at each place, as a view: N×C×H×W -> N×C×H'×W'×f×f."""
    for n, length in zip(x.shape[2:], f):
        output_size(n, length, stride, padding)  # says what is wrong where the filter does not fit
    spatial = tuple(range(2, x.ndim))
    padded = np.pad(x, [(0, 0), (0, 0), *[(padding, padding)] * len(spatial)], constant_values=outside)
    windows = sliding_window_view(padded, f, axis=spatial)
    return windows[(slice(None), slice(None), *[slice(None, None, stride)] * len(spatial))]


def _scatter(d_patches: Floats, x_shape: tuple[int, ...], stride: int, padding: int) -> Floats:
    """The transpose of `_patches`: what belongs to each place of a window is added where it was taken from."""
    out, f = d_patches.shape[2 : len(x_shape)], d_patches.shape[len(x_shape) :]
    d_padded = np.zeros((*x_shape[:2], *(n + 2 * padding for n in x_shape[2:])))
    for place in np.ndindex(*f):
        covered = (slice(u, u + stride * n, stride) for u, n in zip(place, out))
        d_padded[(..., *covered)] += d_patches[(..., *place)]
    return d_padded[(..., *(slice(padding, padding + n) for n in x_shape[2:]))]


def _mirror(W: Floats) -> Floats:
    return np.flip(W, axis=tuple(range(2, W.ndim)))
