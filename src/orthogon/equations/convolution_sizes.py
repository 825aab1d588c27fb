"""The arithmetic of convolution layers: sizes, padding, parameters, multiplications, receptive fields.

One axis at a time; a picture has two, whose numbers need not be equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple


def output_size(n: int, f: int, stride: int = 1, padding: int = 0) -> int:
    """Length of the output along an axis of length n under a filter of length f.

        ⌊(n + 2p − f) / s⌋ + 1

    Rounded down, divided by s and not by s + 1 (rows 16.03, 16.04, E24, E30).
    """
    if f < 1 or stride < 1 or padding < 0:
        raise ValueError(
            f"filter {f}, stride {stride}, padding {padding}: expected filter >= 1, stride >= 1, padding >= 0"
        )
    if n + 2 * padding < f:
        raise ValueError(f"a filter of {f} does not fit into {n} + 2·{padding}: pad more, or take a smaller filter")
    return (n + 2 * padding - f) // stride + 1


def same_padding(f: int) -> int:
    """The padding at each end that keeps the length, at stride 1: (f − 1) / 2, for odd f (rows 16.07, 16.10).

    An even filter has no middle: it would need one more on one side than on the other.
    """
    if f < 1 or f % 2 == 0:
        raise ValueError(f"a filter of {f} has no middle: expected an odd length")
    return (f - 1) // 2


def padding_for(size: int, n: int, f: int, stride: int = 1) -> int:
    """The least padding at each end for which the output has that size (row 16.08).

        (n + 2p − f) / s + 1 = size   →   p = ((size − 1) s + f − n) / 2, rounded up

    ValueError where no padding gives it: the size without padding is larger already, or the sizes step over it.
    """
    needed = (size - 1) * stride + f - n
    padding = max(0, -(-needed // 2))
    found = output_size(n, f, stride, padding)
    if found != size:
        raise ValueError(f"no padding gives {size} from {n} under a filter of {f} at stride {stride}: "
                         f"padding {padding} gives {found}")
    return padding


def parameters(channels_in: int, channels_out: int, f: Sequence[int], groups: int = 1, bias: bool = True) -> int:
    """Weights and biases of a convolution layer: f·f·n_C of the layer before, for each filter, and a bias each.

        (f_H · f_W · n_C_in / groups + 1) · n_C_out

    They do not depend on the size of the picture: each filter is shared by all places (rows 16.14, 16.15).
    """
    if channels_in % groups or channels_out % groups:
        raise ValueError(f"{groups} groups do not divide {channels_in} channels into {channels_out}")
    return (prod(f) * (channels_in // groups) + bias) * channels_out


def multiplications(x_shape: tuple[int, ...], W_shape: tuple[int, ...], stride: int = 1, padding: int = 0) -> int:
    """How many multiplications a convolution of one example takes.

        (n_H · n_W · n_C) of this layer  times  f · f · n_C of the layer before

    x_shape: C×H×W. W_shape: K×C×f×f. A filter is as deep as its input: f² n_C, not f³ (row 16.25, E31, E97).
    """
    filters, channels, *f = W_shape
    if channels != x_shape[0] or len(W_shape) != len(x_shape) + 1:
        raise ValueError(f"input {x_shape} and filters {W_shape}: expected C×H×W and K×C×f×f with the same C")
    out = prod(output_size(n, length, stride, padding) for n, length in zip(x_shape[1:], f))
    return out * filters * channels * prod(f)


class Window(NamedTuple):
    """What one layer does along an axis: a filter or a pool of that length, its stride, padding and dilation."""

    f: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1


class ReceptiveField(NamedTuple):
    """What a unit sees of the input along an axis: unit i sees the places start + i·step … start + i·step + size − 1.

    start is negative where padding is seen.
    """

    size: int
    step: int
    start: int

    def span(self, unit: int) -> tuple[int, int]:
        """The first place that a unit sees, and the one after its last; padding not cut off."""
        first = self.start + unit * self.step
        return first, first + self.size


def receptive_field(layers: Sequence[Window]) -> ReceptiveField:
    """What a unit of the last layer sees of the input of the first, along one axis.

        size ← size + (f − 1) · d · step        start ← start − p · step        step ← step · s

    In this order, layer by layer, from (1, 1, 0): the input sees itself.
    """
    size, step, start = 1, 1, 0
    for layer in layers:
        size += (layer.f - 1) * layer.dilation * step
        start -= layer.padding * step
        step *= layer.stride
    return ReceptiveField(size, step, start)
