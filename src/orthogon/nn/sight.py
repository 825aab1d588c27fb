"""A tensor that tells what each of its entries can see, carried through a network in place of values.

Each entry holds the largest coordinate of a pixel that it depends on. Whatever an operation mixes, the largest
coordinate of all it mixes is that of the result: a convolution becomes the maximum over its window, a sum the maximum
of its terms. With coordinates and their negatives in one batch, one pass tells all rectangles.

−∞ stands for no pixel at all (padding, parameters), +∞ for every pixel. An operation without a rule here is taken to
see everything: rectangles may then be too large, and are never too small.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._pytree import tree_map

aten = torch.ops.aten


class Sight(Tensor):
    """What is seen, in the shape of the tensor that it stands for; `seen` holds the coordinates."""

    seen: Tensor

    @staticmethod
    def __new__(cls, seen: Tensor) -> Sight:
        return Tensor._make_wrapper_subclass(  # pyright: ignore[reportAttributeAccessIssue]
            cls, seen.shape, strides=seen.stride(), dtype=seen.dtype, device=seen.device)

    def __init__(self, seen: Tensor) -> None:
        self.seen = seen

    def __repr__(self) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        return f"Sight({self.seen!r})"

    __torch_function__ = torch._C._disabled_torch_function_impl  # pyright: ignore[reportAssignmentType]

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        kwargs = dict(kwargs or {})
        found = _rule(func)(func, *args, **kwargs)
        if func._schema.is_mutable and isinstance(args[0], cls):
            args[0].seen.copy_(found)
            return args[0]
        return tree_map(lambda each: Sight(each) if isinstance(each, Tensor) and each.is_floating_point() else each,
                        found)


def _rule(func: Any) -> Callable[..., Any]:
    if func.overloadpacket in RULES:
        return RULES[func.overloadpacket]
    return _pointwise if torch.Tag.pointwise in func.tags else _moved if func.is_view else _everything


def _seen(value: Any) -> Any:
    """The coordinates of a Sight; no pixel for any other number; all else as it is."""
    if isinstance(value, Sight):
        return value.seen
    return torch.full_like(value, -inf) if isinstance(value, Tensor) and value.is_floating_point() else value


def _tracked(values: Any) -> list[Tensor]:
    return [value.seen for value in values if isinstance(value, Sight)]


def _everything(func: Any, *args: Any, **kwargs: Any) -> Any:
    """Run for the shapes of what it gives."""
    given = func(*tree_map(_seen, args), **tree_map(_seen, kwargs))
    return tree_map(lambda each: torch.full_like(each, inf) if isinstance(each, Tensor) and each.is_floating_point()
                    else each, given)


def _moved(func: Any, *args: Any, **kwargs: Any) -> Any:
    """What puts entries elsewhere and mixes none."""
    return func(*tree_map(_seen, args), **tree_map(_seen, kwargs))


def _padded(func: Any, x: Sight, pad: Sequence[int], *_: Any) -> Tensor:
    return F.pad(x.seen, list(pad), value=-inf)


def _pointwise(func: Any, *args: Any, **kwargs: Any) -> Tensor:
    flat = [value for arg in (*args, *kwargs.values()) for value in (arg if isinstance(arg, list | tuple) else [arg])]
    shape = torch.broadcast_shapes(*(value.shape for value in flat if isinstance(value, Tensor)))
    first, *others = _tracked(flat)
    for other in others:
        first = torch.maximum(first, other)
    return first.expand(shape).clone()  # or else a later change in place would reach both


def _convolution(
    func: Any, x: Sight, weight: Tensor, bias: Any, stride: Sequence[int], padding: Sequence[int],
    dilation: Sequence[int], transposed: bool, output_padding: Any, groups: int,
) -> Tensor:
    if transposed:
        return _everything(func, x, weight, bias, stride, padding, dilation, transposed, output_padding, groups)
    mixed = x.seen.unflatten(1, (groups, -1)).amax(2)
    sides = [side for pad in reversed(padding) for side in (pad, pad)]
    pool = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[len(stride) - 1]
    seen = pool(F.pad(mixed, sides, value=-inf), tuple(weight.shape[2:]), tuple(stride), 0, tuple(dilation))
    return seen.repeat_interleave(weight.shape[0] // groups, dim=1)


def _max_pooled(
    func: Any, x: Sight, kernel: list[int], stride: list[int] | None = None, padding: Any = 0, dilation: Any = 1,
    ceil: bool = False,
) -> tuple[Tensor, Tensor]:
    pool = (F.max_pool2d, F.max_pool3d)[len(kernel) - 2]
    return pool(x.seen, kernel, stride or kernel, padding, dilation, ceil, return_indices=True)


def _mean_pooled(
    func: Any, x: Sight, kernel: list[int], stride: list[int] | None = None, padding: Any = 0, ceil: bool = False,
    *_: Any,
) -> Tensor:
    pool = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[len(kernel) - 1]
    return pool(x.seen, kernel, stride or kernel, padding, 1, ceil)


def _adaptively_pooled(func: Any, x: Sight, size: Sequence[int]) -> Any:
    found = F.adaptive_max_pool2d(x.seen, list(size), return_indices=True)
    return found if func.overloadpacket is aten.adaptive_max_pool2d else found[0]


def _reduced(func: Any, x: Sight, dim: Any = (), keepdim: bool = False, **_: Any) -> Tensor:
    return x.seen.amax(tuple(dim) if dim else tuple(range(x.ndim)), keepdim=keepdim)


def _normalized_along(func: Any, x: Sight, dim: int, *_: Any) -> Tensor:
    return x.seen.amax(dim, keepdim=True).expand_as(x.seen).clone()


def _batch_normalized(func: Any, x: Sight, *args: Any) -> tuple[Tensor, ...]:
    """In evaluation mode nothing is mixed; statistics of the picture itself (instance norm) mix all its places."""
    training = len(args) > 4 and args[4] is True
    seen = x.seen.amax([0, *range(2, x.ndim)], keepdim=True).expand_as(x.seen) if training else x.seen
    return seen.clone(), x.seen.new_empty(0), x.seen.new_empty(0)


def _layer_normalized(func: Any, x: Sight, shape: Sequence[int], *_: Any) -> tuple[Tensor, ...]:
    seen = x.seen.amax(tuple(range(-len(shape), 0)), keepdim=True)
    return seen.expand_as(x.seen).clone(), seen, seen


def _group_normalized(func: Any, x: Sight, w: Any, b: Any, n: int, c: int, places: int, groups: int, *_: Any
                      ) -> tuple[Tensor, ...]:
    seen = x.seen.reshape(n, groups, -1).amax(2, keepdim=True)
    return seen.expand(n, groups, c // groups * places).reshape(x.shape), seen[..., 0], seen[..., 0]


def _multiplied(func: Any, first: Tensor, second: Tensor) -> Tensor:
    """Each entry of a product sees its row of the first factor and its column of the second."""
    shape = (*first.shape[:-1], second.shape[-1])
    parts = []
    if isinstance(first, Sight):
        parts.append(first.seen.amax(-1, keepdim=True).expand(shape))
    if isinstance(second, Sight):
        parts.append(second.seen.amax(-2, keepdim=True).expand(shape))
    return torch.maximum(parts[0], parts[-1])


def _added_product(func: Any, bias: Tensor, first: Tensor, second: Tensor, **_: Any) -> Tensor:
    product = _multiplied(func, first, second)
    return torch.maximum(product, bias.seen.expand_as(product)) if isinstance(bias, Sight) else product


RULES: dict[Any, Callable[..., Any]] = {
    aten.convolution: _convolution,
    aten.max_pool2d_with_indices: _max_pooled, aten.max_pool3d_with_indices: _max_pooled,
    aten.avg_pool1d: _mean_pooled, aten.avg_pool2d: _mean_pooled, aten.avg_pool3d: _mean_pooled,
    aten._adaptive_avg_pool2d: _adaptively_pooled, aten.adaptive_max_pool2d: _adaptively_pooled,
    aten.mean: _reduced, aten.sum: _reduced, aten.amax: _reduced, aten.var: _reduced,
    aten._softmax: _normalized_along, aten._log_softmax: _normalized_along,
    aten.native_batch_norm: _batch_normalized, aten._native_batch_norm_legit_no_training: _batch_normalized,
    aten.native_layer_norm: _layer_normalized, aten.native_group_norm: _group_normalized,
    aten.mm: _multiplied, aten.bmm: _multiplied, aten.addmm: _added_product, aten.baddbmm: _added_product,
    aten.constant_pad_nd: _padded,
    **dict.fromkeys([
        aten.cat, aten.stack, aten.clone, aten._to_copy, aten.index_select, aten.index, aten.flip, aten.roll,
        aten.repeat, aten.reflection_pad2d, aten.replication_pad2d, aten.upsample_nearest2d, aten.pixel_shuffle,
        aten.pixel_unshuffle, aten._unsafe_view, aten._reshape_alias, aten.channel_shuffle,
    ], _moved),
    aten._prelu_kernel: _pointwise, aten.hardswish: _pointwise, aten.hardswish_: _pointwise,
}
