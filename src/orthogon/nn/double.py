"""A model and a batch in float64, for what float32 is too coarse for."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


def double_copy(model: nn.Module) -> nn.Module:
    """The model in float64 and evaluation mode, with the hooks on its parameters, which copying leaves behind."""
    copied = copy.deepcopy(model).double().eval()
    for parameter, its in zip(model.parameters(), copied.parameters()):
        its.grad = None
        for hook in (parameter._backward_hooks or {}).values():
            its.register_hook(hook)
    return copied


def as_double(tree: Any) -> Any:
    """The floating tensors in tuples, lists, mappings and named tuples as float64; everything else as it is."""
    if isinstance(tree, Tensor):
        return tree.detach().double() if tree.is_floating_point() else tree
    if isinstance(tree, Mapping):
        return {key: as_double(each) for key, each in tree.items()}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*map(as_double, tree))
    return type(tree)(map(as_double, tree)) if isinstance(tree, tuple | list) else tree


@contextmanager
def double_by_default() -> Iterator[None]:
    """Tensors that a model makes on its way (a first hidden state of zeros) are float64 as well."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
