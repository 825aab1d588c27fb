"""The health of training: gradients, updates and activations of each layer, recorded at a few steps of a run.

What is recorded changes nothing: gradients are read where the step left them, and activations come from a forward pass
of their own in evaluation mode. What the records mean is told by `orthogon.strategy.health`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import isfinite
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from orthogon.nn.modes import evaluating

if TYPE_CHECKING:
    from orthogon.train.step import Step

ONE_IN = 100
"""Steps for each record: one costs about as much as two steps of a small network, so that all take some 2 %."""

FEWEST, MOST = 4, 60
"""Records of a run: enough to see the course of a short one, and no more than can be drawn of a long one."""

ROWS = 64
"""Examples whose activations are looked at: a unit that fires for one in twenty is taken for dead once in 27 times."""

FLAT = 0.05
"""The share of its greatest slope below which a tanh or a sigmoid is saturated: |tanh| above 0.975."""

Columns = dict[str, dict[int, Tensor]]
"""Column -> number of the layer -> a scalar."""


@dataclass(frozen=True)
class Layer:
    """A module with weights of its own: parameters of two axes or more, which biases and the scales of norms lack."""

    name: str
    module: nn.Module
    weights: tuple[nn.Parameter, ...]


def layers_of(model: nn.Module) -> list[Layer]:
    """The layers in the order in which they were defined."""
    found = [Layer(name, module, tuple(each for each in module.parameters(recurse=False) if each.ndim > 1))
             for name, module in model.named_modules()]
    return [layer for layer in found if layer.weights]


def recorded_steps(steps: int) -> frozenset[int]:
    """Which of so many steps, counted from 1, are recorded: the first, the last, and more at the start than later.

    A function of the number of steps alone, so that a resumed run records the same ones.
    """
    count = min(max(FEWEST, min(MOST, steps // ONE_IN)), steps)
    return frozenset(1 + round((steps - 1) * (k / max(1, count - 1)) ** 2) for k in range(count))


class Health:
    """Records the layers of the model that a step changes.

        before = health.weights()
        step(rows, draw)
        health.record(before, rows)

    steps: the steps of a run of that length that are to be recorded.
    """

    def __init__(self, step: Step, steps: int) -> None:
        self.step, self.steps = step, recorded_steps(steps)
        self.layers = layers_of(step.model())

    def weights(self) -> list[Tensor]:
        """Copies of all weights, as they are before the step."""
        return [weight.detach().clone() for layer in self.layers for weight in layer.weights]

    def record(self, before: Sequence[Tensor], rows: Tensor) -> dict[str, Any]:
        """What there is to say of the step that was just made on these rows: lists with a value for each layer.

        layers:     their names, in the order in which the forward pass enters them. kinds: their classes.
        gradient:   norm of the gradient that the optimizer was given. weight: norm of the weights before the step.
        update:     norm of the change of the weights over `weight`.
        scale:      standard deviation, over the examples, of what enters the layer; the root of the units' mean square.
        dead:       share of the units of the rectifier after it that are zero for every example.
        saturated:  share of the outputs of the tanh or sigmoid after it that lie near an end (FLAT).
        not_finite: names of the layers whose gradient is not finite.
        norm_before_clipping: of the whole gradient, where it is clipped by norm.
        figures:    what else the step tells of itself (`Step.figures`).

        None: the layer has no such value; a column without any is left out (a step without gradients has fewer).
        """
        found, order = activations(self.step.model(), lambda: self.step.run_model(rows[:ROWS]), self.layers)
        found |= self._norms(before)
        columns = _read(found)
        gradients = columns.get("gradient", {})
        broken = [self.layers[at].name for at in order if not isfinite(gradients.get(at, 0.0))]
        clipped = self.step.norm_before_clipping
        figures = {name: value.item() for name, value in self.step.figures().items()}
        return {
            "layers": [self.layers[at].name for at in order],
            "kinds": [type(self.layers[at].module).__name__ for at in order],
            **{name: [column.get(at) for at in order] for name, column in columns.items()},
            **({"not_finite": broken} if broken else {}),
            **({} if clipped is None else {"norm_before_clipping": clipped.item()}),
            **({"figures": figures} if figures else {}),
        }

    def _norms(self, before: Sequence[Tensor]) -> Columns:
        found: Columns = {"gradient": {}, "weight": {}, "update": {}}
        copies = iter(before)
        for at, layer in enumerate(self.layers):
            old = [next(copies) for _ in layer.weights]
            gradients = [weight.grad for weight in layer.weights if weight.grad is not None]
            if gradients:
                found["gradient"][at] = _norm(gradients)
            found["weight"][at] = _norm(old)
            moved = _norm([weight.detach() - each for weight, each in zip(layer.weights, old)])
            found["update"][at] = moved / found["weight"][at]
        return found


def _norm(tensors: Sequence[Tensor]) -> Tensor:
    """The norm of all of them as one vector."""
    norms = [torch.linalg.vector_norm(each.coalesce().values() if each.is_sparse else each) for each in tensors]
    return norms[0] if len(norms) == 1 else torch.linalg.vector_norm(torch.stack(norms))


def _read(found: Columns) -> dict[str, dict[int, float]]:
    """The columns that hold anything as plain numbers, waited for once."""
    scalars = [value.detach().float() for column in found.values() for value in column.values()]
    values = iter(torch.stack(scalars).tolist() if scalars else ())
    return {name: {at: next(values) for at in column} for name, column in found.items() if column}


def activations(model: nn.Module, run: Callable[[], object], layers: Sequence[Layer]) -> tuple[Columns, list[int]]:
    """(the columns scale, dead and saturated, numbers of the layers in the order in which they are entered).

    run: calls the model once, in whatever way it is called; here that is in evaluation mode, without gradients.
    Layers that are not entered stand behind the one that was defined before them.
    """
    listener = _Listener(layers)
    handles = [layer.module.register_forward_pre_hook(partial(listener.enter, at)) for at, layer in enumerate(layers)]
    try:
        # In inference mode functions that are made of others (relu6, a whole LSTM) are heard as one.
        with evaluating(model), torch.inference_mode(), listener:
            run()
    finally:
        for handle in handles:
            handle.remove()
    order = listener.order
    for at in range(len(layers)):
        if at not in order:
            order.insert(order.index(at - 1) + 1 if at else 0, at)
    return listener.found, order


class _Listener(TorchDispatchMode):
    """Hears which layers are entered, and what the first activation after each gives.

    Functions are heard, not modules, so that F.relu within somebody's forward counts as nn.ReLU does. A layer that is
    entered more than once (shared, or one step of a recurrent net) is looked at the first time.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__()
        self.layers = layers
        self.order: list[int] = []
        self.awaited: int | None = None
        self.found: Columns = {"scale": {}, "dead": {}, "saturated": {}}

    def enter(self, at: int, _module: nn.Module, inputs: tuple[Any, ...]) -> None:
        """The forward pass enters layer number `at`."""
        self.awaited = None if at in self.order else at
        if self.awaited is not None:
            self.order.append(at)
            if inputs and isinstance(inputs[0], Tensor) and inputs[0].is_floating_point():
                self.found["scale"][at] = _spread(inputs[0])

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        column, measure = _MEASURES.get(func.overloadpacket, (None, None))
        if self.awaited is not None and column is not None and measure is not None:
            self.found[column][self.awaited] = measure(out, self.layers[self.awaited].module)
            self.awaited = None
        return out


def _spread(x: Tensor) -> Tensor:
    """The standard deviation over the first axis, as the root of the mean square; Tensor.var takes far longer."""
    wide = torch.promote_types(x.dtype, torch.float32)
    return torch.linalg.vector_norm(x - x.mean(0), dtype=wide) / x.numel() ** 0.5


def _dead(out: Tensor, layer: nn.Module) -> Tensor:
    """The share of units that are zero throughout; the units are the last axis after nn.Linear, else the channels."""
    unit = out.ndim - 1 if isinstance(layer, nn.Linear) else 1
    return (out.amax([axis for axis in range(out.ndim) if axis != unit]) <= 0).float().mean()


def _flat_tanh(out: Tensor, _layer: nn.Module) -> Tensor:
    return (out.abs() > (1 - FLAT) ** 0.5).float().mean()  # the slope of tanh is 1 - tanh²


def _flat_sigmoid(out: Tensor, layer: nn.Module) -> Tensor:
    return _flat_tanh(2 * out - 1, layer)  # a sigmoid is a tanh, moved and shrunk


_OPS = torch.ops.aten
_MEASURES: dict[Any, tuple[str, Callable[[Tensor, nn.Module], Tensor]]] = {
    **dict.fromkeys((_OPS.relu, _OPS.relu_, _OPS.relu6, _OPS.relu6_), ("dead", _dead)),
    **dict.fromkeys((_OPS.tanh, _OPS.tanh_), ("saturated", _flat_tanh)),
    **dict.fromkeys((_OPS.sigmoid, _OPS.sigmoid_), ("saturated", _flat_sigmoid)),
}
