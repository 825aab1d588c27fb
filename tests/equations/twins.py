"""Each equation beside its twin in torch: one table, from which the tests check and `docs/equations.md` is written.

Each module `twins_*.py` of this folder holds a list `TWINS`. A line of it, for example:

    Twin(dense, dense_backward,
         inputs=lambda rng: {"X": rng.normal(size=(5, 3)), "W": rng.normal(size=(4, 3)), "b": rng.normal(size=4)},
         torch=lambda X, W, b: X @ W.T + b,
         wrt=("X", "W", "b"))

function: the public function of `orthogon.equations`, called by keyword with the inputs.
backward: its `…_backward`; None where there is nothing to differentiate: the function then gives its result alone.
inputs:   draws the inputs, name -> value, from a NumPy generator. A value is an array, a list (dict, tuple) of arrays,
          or anything else. The draw stays away from kinks, where there is no derivative to compare.
torch:    the same function of tensors, called with the same values in the same order (not by name), giving what
          `function` gives without its cache. Arrays become tensors of their type; all else is passed on as it is.
wrt:      the names of the inputs that have a gradient, in the order in which `backward` gives them.
call:     how to call `function` where a plain call is not what torch does (a trajectory of an optimizer): takes the
          inputs by name, gives what `torch` gives.
note:     which case this is, where one function has several twins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch

from orthogon.equations.derivative import gradient_check_ratio, numerical_gradient
from orthogon.nn.double import double_by_default

SEED = 20


@dataclass(frozen=True)
class Twin:
    """One equation, its backward form, and torch's."""

    function: Callable[..., Any]
    backward: Callable[..., Any] | None
    inputs: Callable[[np.random.Generator], dict[str, Any]]
    torch: Callable[..., Any]
    wrt: tuple[str, ...] = ()
    call: Callable[..., Any] | None = None
    note: str = ""

    def __str__(self) -> str:
        module = self.function.__module__.rpartition(".")[2]
        return f"{module}.{self.function.__name__}" + (f" ({self.note})" if self.note else "")


def all_twins() -> list[Twin]:
    names = sorted(path.stem for path in Path(__file__).parent.glob("twins_*.py"))
    return [twin for name in names for twin in import_module(f"{__package__}.{name}").TWINS]


def residual(twin: Twin) -> float:
    """The largest |ours − torch's| over outputs and gradients, relative to the largest entry where that is above 1."""
    inputs = twin.inputs(np.random.default_rng(SEED))
    ours, cache = _forward(twin, inputs)
    tensors = {name: _tensors(value, name in twin.wrt) for name, value in inputs.items()}
    with double_by_default():
        theirs = _leaves(twin.torch(*tensors.values()))
    distances = [_distance(a, b) for a, b in zip(_leaves(ours), theirs, strict=True)]
    if twin.backward is not None:
        d_out = _directions(ours)
        gradients = _gradients(twin, d_out, cache)
        wanted = _leaves([tensors[name] for name in twin.wrt])
        torch.autograd.backward(theirs, [torch.as_tensor(d, dtype=torch.float64) for d in _leaves(d_out)])
        exact = [torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in wanted]
        distances += [_distance(a, b) for a, b in zip(gradients, exact, strict=True)]
    return max(distances)


def difference_ratio(twin: Twin) -> float:
    """The gradient-check ratio (row 10.08) of the backward form against two-sided differences, of the worst input."""
    inputs = twin.inputs(np.random.default_rng(SEED))
    ours, cache = _forward(twin, inputs)
    d_out = _directions(ours)

    def scalar(_: Any) -> float:
        return sum(float(np.sum(d * out)) for d, out in zip(_leaves(d_out), _leaves(_forward(twin, inputs)[0])))

    leaves = _leaves([inputs[name] for name in twin.wrt])
    numerical = [numerical_gradient(scalar, leaf) for leaf in leaves]
    gradients = _gradients(twin, d_out, cache)
    return max(gradient_check_ratio(a, b) for a, b in zip(numerical, gradients, strict=True))


def _forward(twin: Twin, inputs: dict[str, Any]) -> tuple[Any, Any]:
    out = (twin.call or twin.function)(**inputs)
    return (out, None) if twin.backward is None else out


def _gradients(twin: Twin, d_out: Any, cache: Any) -> list[Any]:
    assert twin.backward is not None
    return _leaves(twin.backward(d_out, cache))


def _directions(out: Any) -> Any:
    """A d_out of the structure of out."""
    if isinstance(out, tuple | list):
        return type(out)(_directions(part) for part in out)
    if isinstance(out, dict):
        return {name: _directions(part) for name, part in out.items()}
    drawn = np.random.default_rng(SEED + np.size(out)).normal(size=np.shape(out))
    return drawn if np.shape(out) else float(drawn)


def _leaves(tree: Any) -> list[Any]:
    if isinstance(tree, tuple | list):
        return [leaf for part in tree for leaf in _leaves(part)]
    if isinstance(tree, dict):
        return [leaf for part in tree.values() for leaf in _leaves(part)]
    return [tree]


def _tensors(tree: Any, differentiable: bool) -> Any:
    if isinstance(tree, tuple | list):
        return type(tree)(_tensors(part, differentiable) for part in tree)
    if isinstance(tree, dict):
        return {name: _tensors(part, differentiable) for name, part in tree.items()}
    if isinstance(tree, np.ndarray):
        return torch.tensor(tree, requires_grad=differentiable)
    return torch.tensor(tree, dtype=torch.float64, requires_grad=True) if differentiable else tree


def _distance(ours: Any, theirs: Any) -> float:
    a, b = np.asarray(ours), theirs.detach().numpy() if isinstance(theirs, torch.Tensor) else np.asarray(theirs)
    assert a.shape == b.shape, (a.shape, b.shape)
    return float(np.max(np.abs(a - b), initial=0.0) / max(1.0, float(np.max(np.abs(b), initial=0.0))))
