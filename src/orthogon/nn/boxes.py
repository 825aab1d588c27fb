"""How much two boxes have in common, as tensors that a loss can be made of."""

from __future__ import annotations

import torch
from torch import Tensor


def overlap(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of each box with its partner: (…, 4) twice -> (…), from 0 to 1 (row 20.12).

    Boxes are left, top, right, bottom in continuous coordinates, so that the area is width × height. 0 where both have
    no area; a box that ends before it begins has none.
    """
    shared, union, _ = _areas(a, b)
    return torch.where(union > 0, shared / torch.where(union > 0, union, 1), 0)


def generalized_overlap(a: Tensor, b: Tensor) -> Tensor:
    """`overlap` less the share of the smallest box around both that neither fills: (…), from -1 to 1.

    Unlike it, it has a gradient where boxes do not touch: GIoU, Rezatofighi et al. 2019, arXiv:1902.09630.
    """
    shared, union, hull = _areas(a, b)
    tiny = torch.finfo(a.dtype).tiny
    return shared / union.clamp(min=tiny) - (hull - union) / hull.clamp(min=tiny)


def _areas(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of the intersection, of the union, and of the smallest box around both."""
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    around = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
    shared = (high - low).clamp(min=0).prod(-1)
    each = [(box[..., 2:] - box[..., :2]).clamp(min=0).prod(-1) for box in (a, b)]
    return shared, each[0] + each[1] - shared, around.clamp(min=0).prod(-1)
