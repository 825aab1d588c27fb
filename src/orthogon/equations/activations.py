"""Activations a = g(z) and their derivatives g′(z), element by element; softmax along one axis."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from orthogon.equations._shapes import Floats

SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


def identity(z: Floats) -> tuple[Floats, None]:
    """The linear output of regression.

        a = z        g′(z) = 1

    Row 2.09.
    """
    return z, None


def identity_backward(d_a: Floats, cache: None) -> Floats:
    return d_a


def sigmoid(z: Floats) -> tuple[Floats, Floats]:
    """The logistic function, computed so that e is never raised to a large power.

        a = σ(z) = 1 / (1 + e⁻ᶻ)        σ′(z) = a (1 − a)

    a lies in (0, 1); σ′ is at most 1/4, at z = 0, and tends to 0 far from it (row 2.01, E1).
    """
    small = np.exp(-np.abs(z))
    a = np.where(z >= 0, 1.0, small) / (1.0 + small)
    return a, a


def sigmoid_backward(d_a: Floats, cache: Floats) -> Floats:
    a = cache
    return d_a * a * (1.0 - a)


def tanh(z: Floats) -> tuple[Floats, Floats]:
    """The hyperbolic tangent: the sigmoid scaled and shifted.

        a = (eᶻ − e⁻ᶻ) / (eᶻ + e⁻ᶻ) = 2 σ(2z) − 1        g′(z) = 1 − a²

    a lies in (−1, 1), centered on 0 (row 2.02, E3).
    """
    a = np.tanh(z)
    return a, a


def tanh_backward(d_a: Floats, cache: Floats) -> Floats:
    a = cache
    return d_a * (1.0 - a**2)


def relu(z: Floats) -> tuple[Floats, Floats]:
    """The rectified linear unit.

        a = max(0, z)        g′(z) = 1 where z > 0, else 0

    There is no derivative at 0; the convention here, as in torch, is 0 (row 2.03, E100).
    """
    return np.maximum(z, 0.0), z


def relu_backward(d_a: Floats, cache: Floats) -> Floats:
    z = cache
    return d_a * (z > 0)


def leaky_relu(z: Floats, slope: float = 0.01) -> tuple[Floats, tuple[Floats, float]]:
    """ReLU with a small slope below 0, so that no unit dies.

        a = z where z > 0, else slope · z        g′(z) = 1 where z > 0, else slope

    Row 2.04.
    """
    return np.where(z > 0, z, slope * z), (z, slope)


def leaky_relu_backward(d_a: Floats, cache: tuple[Floats, float]) -> Floats:
    z, slope = cache
    return d_a * np.where(z > 0, 1.0, slope)


def elu(z: Floats, alpha: float = 1.0) -> tuple[Floats, tuple[Floats, float]]:
    """The exponential linear unit (Clevert 2016, arXiv:1511.07289).

        a = z where z > 0, else α (eᶻ − 1)        g′(z) = 1 where z > 0, else α eᶻ
    """
    return np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0.0))), (z, alpha)


def elu_backward(d_a: Floats, cache: tuple[Floats, float]) -> Floats:
    z, alpha = cache
    return d_a * np.where(z > 0, 1.0, alpha * np.exp(np.minimum(z, 0.0)))


def selu(z: Floats) -> tuple[Floats, tuple[Floats, float]]:
    """The scaled exponential linear unit, which keeps mean 0 and variance 1 from layer to layer.

        a = λ · elu(z, α)        λ = 1.0507…, α = 1.6733…

    Only with LeCun-normal weights (row 2.05, E86; Klambauer et al. 2017, arXiv:1706.02515).
    """
    a, cache = elu(z, SELU_ALPHA)
    return SELU_SCALE * a, cache


def selu_backward(d_a: Floats, cache: tuple[Floats, float]) -> Floats:
    return SELU_SCALE * elu_backward(d_a, cache)


def gelu(z: Floats) -> tuple[Floats, tuple[Floats, Floats]]:
    """The Gaussian error linear unit, exact (Hendrycks & Gimpel 2016, arXiv:1606.08415).

        a = z Φ(z)        g′(z) = Φ(z) + z φ(z)

    Φ and φ: distribution and density of the standard normal (row 2.06).
    """
    below = 0.5 * (1.0 + np.vectorize(math.erf, otypes=[float])(z / math.sqrt(2.0)))
    return z * below, (z, below)


def gelu_backward(d_a: Floats, cache: tuple[Floats, Floats]) -> Floats:
    z, below = cache
    density = np.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi)
    return d_a * (below + z * density)


def silu(z: Floats) -> tuple[Floats, tuple[Floats, Floats]]:
    """The sigmoid-weighted linear unit, also called swish (Elfwing et al. 2018, arXiv:1702.03118).

        a = z σ(z)        g′(z) = σ(z) + z σ(z) (1 − σ(z))
    """
    gate, _ = sigmoid(z)
    return z * gate, (z, gate)


def silu_backward(d_a: Floats, cache: tuple[Floats, Floats]) -> Floats:
    z, gate = cache
    return d_a * (gate + z * gate * (1.0 - gate))


def softplus(z: Floats) -> tuple[Floats, Floats]:
    """A smooth ReLU.

        a = log(1 + eᶻ)        g′(z) = σ(z)
    """
    return np.maximum(z, 0.0) + np.log1p(np.exp(-np.abs(z))), z


def softplus_backward(d_a: Floats, cache: Floats) -> Floats:
    return d_a * sigmoid(cache)[0]


def mish(z: Floats) -> tuple[Floats, tuple[Floats, Floats]]:
    """A smooth ReLU that dips below 0 before it vanishes (Misra 2019, arXiv:1908.08681).

        a = z tanh(softplus(z))        g′(z) = t + z (1 − t²) σ(z),  t = tanh(softplus(z))

    Row 2.07.
    """
    t = np.tanh(softplus(z)[0])
    return z * t, (z, t)


def mish_backward(d_a: Floats, cache: tuple[Floats, Floats]) -> Floats:
    z, t = cache
    return d_a * (t + z * (1.0 - t**2) * sigmoid(z)[0])


def softmax(z: Floats, axis: int = -1) -> tuple[Floats, tuple[Floats, int]]:
    """Scores to probabilities; for two classes it is the sigmoid of their difference.

        t = eᶻ        aᵢ = tᵢ / Σⱼ tⱼ        dzᵢ = aᵢ (daᵢ − Σⱼ aⱼ daⱼ)

    z: m×C. The largest z is taken off all of them first, which changes nothing but keeps e from overflowing.
    Rows 1.27, 2.10, E28, E117.
    """
    t = np.exp(z - z.max(axis=axis, keepdims=True))
    a = t / t.sum(axis=axis, keepdims=True)
    return a, (a, axis)


def softmax_backward(d_a: Floats, cache: tuple[Floats, int]) -> Floats:
    a, axis = cache
    return a * (d_a - (a * d_a).sum(axis=axis, keepdims=True))


def hardmax(z: Floats, axis: int = -1) -> Floats:
    """1 at the largest z (the first of equals), 0 elsewhere.

        aᵢ = 1 where i = argmaxⱼ zⱼ, else 0

    Flat almost everywhere, so there is nothing to go backward (row 2.11).
    """
    a = np.zeros(z.shape)
    np.put_along_axis(a, np.expand_dims(z.argmax(axis=axis), axis), 1.0, axis=axis)
    return a


Forward = Callable[..., tuple[Floats, Any]]
Backward = Callable[[Floats, Any], Floats]

ACTIVATIONS: dict[str, tuple[Forward, Backward]] = {
    "identity": (identity, identity_backward),
    "sigmoid": (sigmoid, sigmoid_backward),
    "tanh": (tanh, tanh_backward),
    "relu": (relu, relu_backward),
    "leaky_relu": (leaky_relu, leaky_relu_backward),
    "elu": (elu, elu_backward),
    "selu": (selu, selu_backward),
    "gelu": (gelu, gelu_backward),
    "silu": (silu, silu_backward),
    "softplus": (softplus, softplus_backward),
    "mish": (mish, mish_backward),
    "softmax": (softmax, softmax_backward),
}
