"""How the volume and the parameters of a layer come about, in words of arithmetic (row 16.14)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)


def arithmetic(layer: nn.Module, given: Sequence[int], gives: Sequence[int]) -> str:
    """"(28 + 2·2 − 5)/1 + 1 = 28; (5·5·1 + 1)·6": the side of what it gives, and its parameters.

    "" where there is nothing to reckon. given, gives: the shapes of one example before and after the layer. Sides are
    divided and rounded down (E24, E30); a picture whose sides differ has one sum for each.
    """
    if isinstance(layer, _CONVOLUTIONS):
        sums = _sides(layer, given, gives)
        bias = " + 1" if layer.bias is not None else ""
        seen = "·".join(str(n) for n in (*layer.kernel_size, layer.in_channels // layer.groups))
        weights = f"({seen}{bias})" if bias else seen
        return f"{sums}; {weights}·{layer.out_channels}"
    if isinstance(layer, _POOLS):
        return _sides(layer, given, gives)
    if isinstance(layer, nn.Linear):
        return f"({layer.in_features} + 1)·{layer.out_features}" if layer.bias is not None else (
            f"{layer.in_features}·{layer.out_features}")
    if isinstance(layer, _BatchNorm) and layer.affine:
        return f"2·{layer.num_features}"
    return ""


def _sides(layer: Any, given: Sequence[int], gives: Sequence[int]) -> str:
    """The sum of each spatial axis, once where all are alike."""
    axes = len(given) - 1
    f, stride, padding, dilation = (
        _each(getattr(layer, name, one), axes)
        for name, one in (("kernel_size", 1), ("stride", 1), ("padding", 0), ("dilation", 1))
    )
    up = bool(getattr(layer, "ceil_mode", False))
    each = zip(given[1:], f, stride, _amounts(padding, f, dilation), dilation, gives[1:])
    sums = [_sum(n, length, step, pad, wide, size, up) for n, length, step, pad, wide, size in each]
    return " × ".join(dict.fromkeys(sums))


def _sum(n: int, f: int, stride: int, padding: int, dilation: int, size: int, up: bool) -> str:
    padded = f" + 2·{padding}" if padding else ""
    wide = f"{dilation}·({f} − 1) − 1" if dilation > 1 else str(f)
    rounded = " rounded up" if up and (n + 2 * padding - dilation * (f - 1) - 1) % stride else ""
    return f"({n}{padded} − {wide})/{stride}{rounded} + 1 = {size}"


def _each(value: Any, axes: int) -> list[Any]:
    """One for each axis; "same" and "valid" are words that torch takes for a padding."""
    return list(value) if isinstance(value, tuple | list) else list(repeat(value, axes))


def _amounts(padding: Sequence[Any], f: Sequence[int], dilation: Sequence[int]) -> list[int]:
    """Padding in numbers."""
    same = [d * (n - 1) // 2 for n, d in zip(f, dilation)]
    return [half if each == "same" else 0 if each == "valid" else each for each, half in zip(padding, same)]
