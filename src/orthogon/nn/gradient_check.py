"""Whether gradients are right: those of autograd, or written by hand, against two-sided differences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from orthogon.equations.derivative import gradient_check_ratio
from orthogon.errors import nearest
from orthogon.nn.double import as_double, double_by_default, double_copy
from orthogon.nn.slope import Place, slopes

GREAT, SUSPECT, WRONG = 1e-7, 1e-5, 1e-3
"""Ratios below which a gradient is great, and from which it is suspect, or wrong (row 10.09)."""

TINY_NORM, TINY_DIFFERENCE = 1e-8, 1e-9
"""Below this norm of the gradient, the ratio is noise: then the difference itself is judged."""

Loss = Callable[[nn.Module, Any], Tensor]
Gradients = Mapping[str, Any] | Callable[[nn.Module, Any], Mapping[str, Any]]


@dataclass(frozen=True)
class Coordinate:
    """One place in a parameter, or one direction through all of it (index None), and the two slopes there."""

    index: Place
    gradient: float
    difference: float

    def __str__(self) -> str:
        where = "a random direction" if self.index is None else f"[{', '.join(map(str, self.index))}]"
        return f"{where}: {self.gradient:.6g}, by differences {self.difference:.6g}"


@dataclass(frozen=True)
class ParameterCheck:
    """What was found of one parameter.

    ratio:      ‖by differences − gradient‖ / (‖by differences‖ + ‖gradient‖) over what was checked (row 10.08).
    norm, difference: ‖gradient‖ and ‖by differences − gradient‖ over what was checked.
    verdict:    great, good, suspect or wrong; "unused" where the loss does not depend on it; "not checked" where
                every coordinate lies at a kink.
    reached:    whether there is a gradient at all; a detached parameter has none.
    checked, skipped: coordinates (and directions) compared, and left out because the loss has a kink there.
    worst:      where gradient and differences are furthest apart (row 10.10); None where nothing was checked.
    """

    name: str
    ratio: float
    norm: float
    difference: float
    verdict: str
    reached: bool
    checked: int
    skipped: int
    worst: Coordinate | None

    @property
    def passed(self) -> bool:
        return self.verdict not in ("suspect", "wrong")


@dataclass(frozen=True)
class GradientCheck:
    """The parameters one by one, and the ratio of all of them as one vector. True where all pass."""

    parameters: tuple[ParameterCheck, ...]
    ratio: float

    @property
    def passed(self) -> bool:
        return all(each.passed for each in self.parameters)

    @property
    def failures(self) -> tuple[ParameterCheck, ...]:
        return tuple(each for each in self.parameters if not each.passed)

    @property
    def skipped(self) -> int:
        """Coordinates left out because the loss has a kink there (ReLU at 0, ties of max pooling)."""
        return sum(each.skipped for each in self.parameters)

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        head = (f"gradient check {'passed' if self.passed else 'FAILED'}: ratio {self.ratio:.1e}, "
                f"{sum(each.checked for each in self.parameters)} slopes compared, {self.skipped} at kinks skipped")
        wide = max(9, *(len(each.name) for each in self.parameters))
        lines = [f"{'parameter':<{wide}}  {'ratio':>7}  {'verdict':<11}  {'slopes':>6}  {'kinks':>5}  furthest apart"]
        for each in self.parameters:
            worst = str(each.worst or "–") + ("" if each.reached else "; no gradient arrives")
            lines.append(f"{each.name:<{wide}}  {each.ratio:7.1e}  {each.verdict:<11}  {each.checked:>6}  "
                         f"{each.skipped:>5}  {worst}")
        return "\n".join([head, *lines])


def gradient_check(
    model: nn.Module, loss: Loss, batch: Any, *, gradients: Gradients | None = None, samples: int = 20, seed: int = 0,
) -> GradientCheck:
    """Compare the gradient of `loss(model, batch)` with two-sided differences, parameter by parameter.

    >>> og.gradient_check(net, lambda net, batch: F.cross_entropy(net(batch[0]), batch[1]), (x, y))

    loss:      called as loss(model, batch); a scalar tensor. What it adds (a penalty on weights) is checked, too.
    batch:     anything: tensors in tuples, lists, dicts or named tuples; floating ones are converted to float64.
    gradients: gradients to check instead of autograd's: name of a parameter -> array of its shape, or a function
               (model, batch) -> such a mapping, called with the float64 copy. Only the parameters it names are checked.
    samples:   coordinates of each parameter (default 20; half of them where the gradient is not zero), and one random
               direction through all of its coordinates. seed: which.

    Everything is done on a float64 copy in evaluation mode, so without dropout; the model stays as it is (row 10.11).
    Slopes are two-sided differences at steps that shrink from 0.05, extrapolated to step 0 (Ridders 1982,
    doi:10.1016/S0141-1195(82)80057-0): the error of a difference is O(step²), less than the O(step) of a one-sided one
    for steps below 1 (row 10.07, E9). Where steps disagree, or left and right slope differ, there is a kink: skipped.

    Slow: for debugging. ValueError where the loss is no scalar, not float64, not finite, or differs between two calls;
    where nothing is trainable; where given gradients do not fit.
    """
    copied, batch = double_copy(model), as_double(batch)
    parameters = {name: each for name, each in copied.named_parameters() if each.requires_grad}
    if not parameters:
        raise ValueError("the model has no trainable parameters: each is frozen, or there is none. "
                         "Set requires_grad=True for those that are to learn.")
    with double_by_default():
        found = _autograd(copied, loss, batch, parameters) if gradients is None else \
            _given(gradients, copied, batch, parameters)
        value = _repeatable(copied, loss, batch)
        draw = torch.Generator().manual_seed(seed)
        measured = {name: slopes(lambda: _value(loss, copied, batch).item(), value, parameters[name], gradient,
                                 samples, draw) for name, gradient in found.items()}
    checks = tuple(_judged(name, *measured[name], reached=found[name] is not None) for name in found)
    kept = np.concatenate([pairs for pairs, _, _ in measured.values()])
    return GradientCheck(checks, gradient_check_ratio(kept[:, 1], kept[:, 0]))


# --- the loss, and its gradient ------------------------------------------------------------------------------


def _value(loss: Loss, model: nn.Module, batch: Any) -> Tensor:
    with torch.no_grad():
        return _scalar(loss(model, batch))


def _scalar(value: Any) -> Tensor:
    if not isinstance(value, Tensor) or value.numel() != 1:
        found = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(f"the loss is not a scalar but {found}. Let it return one number: its mean over the batch.")
    if value.dtype != torch.float64:
        raise ValueError(f"the loss of a float64 model came out as {value.dtype}, too coarse for differences. "
                         "Leave out what converts it, such as .float().")
    if not value.isfinite():
        raise ValueError(f"the loss is {value.item()} for these weights, so it has no slope. Check inputs and targets.")
    return value


def _repeatable(model: nn.Module, loss: Loss, batch: Any) -> float:
    """The loss; ValueError where two calls differ."""
    first, second = (_value(loss, model, batch).item() for _ in range(2))
    if abs(first - second) > 1e-13 * max(1.0, abs(first)):
        raise ValueError(f"the loss differs between two calls with the same weights ({first:.9g}, {second:.9g}). Turn "
                         "off what is random in evaluation mode (dropout by function), or what the model remembers.")
    return first


def _autograd(
    model: nn.Module, loss: Loss, batch: Any, parameters: Mapping[str, Tensor]
) -> dict[str, Tensor | None]:
    with torch.enable_grad():
        value = _scalar(loss(model, batch))
        if value.requires_grad:
            value.backward()
    return {name: each.grad for name, each in parameters.items()}


def _given(
    gradients: Gradients, model: nn.Module, batch: Any, parameters: Mapping[str, Tensor]
) -> dict[str, Tensor | None]:
    named = gradients(model, batch) if callable(gradients) else gradients
    found: dict[str, Tensor | None] = {}
    for name, gradient in named.items():
        if name not in parameters:
            raise ValueError(f"there is no trainable parameter {name!r}. {nearest(name, list(parameters))}")
        tensor = torch.as_tensor(gradient).detach().to(parameters[name])
        if tensor.shape != parameters[name].shape:
            raise ValueError(f"the gradient of {name!r} has shape {tuple(tensor.shape)}, the parameter "
                             f"{tuple(parameters[name].shape)}. The two have one shape.")
        found[name] = tensor
    if not found:
        raise ValueError("no gradients were given. Give name of a parameter -> gradient.")
    return found


# --- the verdict ---------------------------------------------------------------------------------------------


def _judged(name: str, pairs: np.ndarray, places: list[Place], skipped: int, *, reached: bool) -> ParameterCheck:
    gradient, difference = pairs[:, 0], pairs[:, 1]
    apart, ratio = np.abs(difference - gradient), gradient_check_ratio(difference, gradient)
    norm, distance = float(np.linalg.norm(gradient)), float(np.linalg.norm(apart))
    worst = int(apart.argmax()) if len(apart) else None
    return ParameterCheck(
        name, ratio, norm, distance, _verdict(ratio, norm, distance, len(pairs), reached), reached, len(pairs), skipped,
        None if worst is None else Coordinate(places[worst], float(gradient[worst]), float(difference[worst])),
    )


def _verdict(ratio: float, norm: float, distance: float, checked: int, reached: bool) -> str:
    if not checked:
        return "not checked"
    if norm < TINY_NORM:
        agree = "great" if reached else "unused"
        return agree if distance < TINY_DIFFERENCE else "wrong"
    return "great" if ratio < GREAT else "good" if ratio < SUSPECT else "suspect" if ratio < WRONG else "wrong"
