"""The gradient of `linear` and `mlp` written out, as a course writes it: what autograd gives, without its graph.

    forward   Z = A Wᵀ + b,  A = g(Z)                    for each layer, from the input to the output
    backward  dZ = dA ∗ g′(Z),  dW = dZᵀ A,  db = Σ dZ,  dA = dZ W      and back again

(rows 1.14, 1.17; `equations.dense` is the same in NumPy.) In small networks the graph costs as much as the arithmetic.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.nn.models import MLP

aten = torch.ops.aten

# Activation -> (module, dA, Z, A) -> dZ, by the kernels that autograd itself uses.
_SLOPES: dict[type[nn.Module], Callable[[nn.Module, Tensor, Tensor, Tensor], Tensor]] = {
    nn.ReLU: lambda m, d, z, a: aten.threshold_backward(d, a, 0),
    nn.LeakyReLU: lambda m, d, z, a: aten.leaky_relu_backward(d, z, m.negative_slope, False),
    nn.ELU: lambda m, d, z, a: aten.elu_backward(d, m.alpha, 1, 1, False, z),
    nn.SELU: lambda m, d, z, a: aten.elu_backward(d, 1.6732632423543772, 1.0507009873554805, 1, False, z),
    nn.GELU: lambda m, d, z, a: aten.gelu_backward(d, z, approximate=m.approximate),
    nn.SiLU: lambda m, d, z, a: aten.silu_backward(d, z),
    nn.Mish: lambda m, d, z, a: aten.mish_backward(d, z),
    nn.Tanh: lambda m, d, z, a: aten.tanh_backward(d, a),
    nn.Sigmoid: lambda m, d, z, a: aten.sigmoid_backward(d, a),
    nn.Softplus: lambda m, d, z, a: aten.softplus_backward(d, z, m.beta, m.threshold),
}


class _Part(ABC):
    @abstractmethod
    def forward(self, a: Tensor) -> Tensor: ...

    @abstractmethod
    def backward(self, d: Tensor, add: bool) -> Tensor: ...


class _Dense(_Part):
    def __init__(self, layer: nn.Linear, first: bool) -> None:
        self.weight, self.bias, self.first = layer.weight, layer.bias, first

    def forward(self, a: Tensor) -> Tensor:
        self.a = a
        return F.linear(a, self.weight, self.bias)

    def backward(self, d: Tensor, add: bool) -> Tensor:
        if self.weight.requires_grad:
            _gradient_of(self.weight).addmm_(d.t(), self.a, beta=1 if add else 0)
        if self.bias is not None and self.bias.requires_grad:
            gradient = _gradient_of(self.bias)
            gradient.add_(d.sum(0)) if add else torch.sum(d, 0, out=gradient)
        return d if self.first else d.mm(self.weight)  # nobody asks for the gradient of the data


class _Activation(_Part):
    def __init__(self, module: nn.Module) -> None:
        self.module, self.slope = module, _SLOPES[type(module)]

    def forward(self, a: Tensor) -> Tensor:
        self.z, self.a = a, self.module.forward(a)
        return self.a

    def backward(self, d: Tensor, add: bool) -> Tensor:
        return self.slope(self.module, d, self.z, self.a)


class _Dropout(_Part):
    """Inverted dropout (row 5.05), with the masks that torch draws."""

    def __init__(self, module: nn.Dropout) -> None:
        self.keep = 1 - module.p

    def forward(self, a: Tensor) -> Tensor:
        self.mask = torch.empty_like(a).bernoulli_(self.keep).div_(self.keep)
        return a * self.mask

    def backward(self, d: Tensor, add: bool) -> Tensor:
        return d * self.mask


class ExplicitGradient:
    """Forward and backward pass of an `MLP` in training mode.

    outputs(inputs) gives what the model gives; backward(d) takes the gradient of the loss in those outputs and leaves
    the gradients of the parameters in `.grad`, in the tensors that stand there where there are some. ValueError where
    the model has a layer whose gradient is not written out (`can_write_out` says so before).
    """

    def __init__(self, model: nn.Module) -> None:
        if not can_write_out(model):
            raise ValueError("the gradient of this model is not written out here: it takes linear layers, activations "
                             "and dropout, as `linear` and `mlp` make them")
        assert isinstance(model, MLP)  # noqa: S101 - can_write_out has looked
        self.flat = model.flat
        layers = _layers(model)
        first = next(at for at, layer in enumerate(layers) if isinstance(layer, nn.Linear))
        self.parts = [_part(layer, at == first) for at, layer in enumerate(layers)]
        self.learnt = self.parts[first:]  # before them, dropout of the inputs has no gradient to pass on

    @torch.no_grad()
    def outputs(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """N×outputs; what `backward` needs is kept until the next call."""
        a = self.flat(*inputs)
        for part in self.parts:
            a = part.forward(a)
        return a

    @torch.no_grad()
    def backward(self, d: Tensor, add: bool = True) -> None:
        """d: N×outputs, the gradient of the loss in the outputs. add: to the gradients there; False: in their place."""
        for part in reversed(self.learnt):
            d = part.backward(d, add)


def _gradient_of(parameter: Tensor) -> Tensor:
    """The tensor that holds the gradient of the parameter; made where there is none yet."""
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad


def can_write_out(model: nn.Module) -> bool:
    """Whether the model is a `linear` or `mlp` of linear layers, activations and dropout alone, without embeddings."""
    if type(model) is not MLP or any(True for _ in model.flat.parameters()):
        return False
    known = (nn.Linear, nn.Dropout, *_SLOPES)
    return all(type(layer) in known and not _is_watched(layer) for layer in _layers(model))


def _is_watched(layer: nn.Module) -> bool:
    """Whether somebody's hooks wait for a pass through the layer that would not come."""
    return bool(layer._forward_hooks or layer._forward_pre_hooks or layer._backward_hooks or layer._backward_pre_hooks)


def _layers(model: MLP) -> list[nn.Module]:
    dropped = lambda layer: isinstance(layer, nn.Dropout) and layer.p == 0  # noqa: E731
    kept = [layer for layer in (*model.hidden, model.output) if not isinstance(layer, nn.Identity)]
    return [layer for layer in kept if not dropped(layer)]


def _part(layer: nn.Module, first: bool) -> _Part:
    if isinstance(layer, nn.Linear):
        return _Dense(layer, first)
    return _Dropout(layer) if isinstance(layer, nn.Dropout) else _Activation(layer)
