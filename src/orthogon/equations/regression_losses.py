"""Costs of numbers: J = (1/m) Σᵢ L⁽ⁱ⁾, where L⁽ⁱ⁾ sums over the outputs of example i; and the robust loss.

torch's mean over all entries is J divided by the number of outputs.
"""

from __future__ import annotations

import math

import numpy as np

from orthogon.equations._shapes import Floats, expect_same
from orthogon.equations.losses import Cache, mean_cost


def squared_error(prediction: Floats, y: Floats) -> tuple[float, Cache]:
    """The loss of regression.

        L = Σⱼ (ŷⱼ − yⱼ)²        ∂L/∂ŷⱼ = 2 (ŷⱼ − yⱼ)

    prediction, y: m, or m×outputs. Rows 2.09, 3.07.
    """
    expect_same(prediction, y)
    error = prediction - y
    return mean_cost(error**2), (error,)


def squared_error_backward(d_J: float, cache: Cache) -> Floats:
    (error,) = cache
    return d_J / len(error) * 2.0 * error


def brier(a: Floats, y: Floats) -> tuple[float, Cache]:
    """The squared error of probabilities (Brier 1950).

        L = Σⱼ (aⱼ − yⱼ)²        ∂L/∂aⱼ = 2 (aⱼ − yⱼ)

    a: probabilities, m×C, y one-hot: between 0 and 2. With m probabilities of "yes", half of that.
    ValueError for an a outside [0, 1].
    """
    if np.any((a < 0.0) | (a > 1.0)):
        raise ValueError("a has entries outside [0, 1], expected probabilities: apply sigmoid or softmax first")
    return squared_error(a, y)


def brier_backward(d_J: float, cache: Cache) -> Floats:
    return squared_error_backward(d_J, cache)


def absolute_error(prediction: Floats, y: Floats) -> tuple[float, Cache]:
    """The loss whose best constant is the median.

        L = Σⱼ |ŷⱼ − yⱼ|        ∂L/∂ŷⱼ = sign(ŷⱼ − yⱼ), 0 at 0

    prediction, y: m, or m×outputs.
    """
    expect_same(prediction, y)
    error = prediction - y
    return mean_cost(np.abs(error)), (error,)


def absolute_error_backward(d_J: float, cache: Cache) -> Floats:
    (error,) = cache
    return d_J / len(error) * np.sign(error)


def huber(prediction: Floats, y: Floats, delta: float = 1.0) -> tuple[float, tuple[Floats, float]]:
    """Squared for small errors, absolute for large ones (Huber 1964).

        L = Σⱼ ½ eⱼ² where |eⱼ| ≤ δ, else δ (|eⱼ| − ½ δ)        e = ŷ − y
        ∂L/∂ŷⱼ = eⱼ, kept within [−δ, δ]

    prediction, y: m, or m×outputs.
    """
    expect_same(prediction, y)
    error = prediction - y
    size = np.abs(error)
    return mean_cost(np.where(size <= delta, 0.5 * size**2, delta * (size - 0.5 * delta))), (error, delta)


def huber_backward(d_J: float, cache: tuple[Floats, float]) -> Floats:
    error, delta = cache
    return d_J / len(error) * np.clip(error, -delta, delta)


def robust(x: Floats, alpha: float, c: float) -> tuple[Floats, tuple[Floats, float, float]]:
    """The general robust loss of each error x: one family from squared to bounded.

        ρ(x, α, c) = b/α [((x/c)²/b + 1)^(α/2) − 1]        b = |α − 2|
        α = 2:  ½ (x/c)²        α = 0:  log(½ (x/c)² + 1)        α = −∞:  1 − exp(−½ (x/c)²)

    The plain loss, entry by entry, in the shape of x: not the mean, and without the log of the partition function that
    a likelihood needs when α and c are learnt. alpha: shape; large errors count less the smaller it is. c > 0: the
    size of error at which the bowl ends. Gradients: d_x, d_alpha, d_c.
    At α = 2 the slope in α is +∞ for every x but 0: ρ is continuous there, with an upright tangent.
    With L = log((x/c)²/b + 1) and φ(t) = (eᵗ − 1)/t the code writes ρ = ½ b L φ(½ α L), which needs no case for α = 0.
    Row 3.12; Barron 2019, arXiv:1701.03077.
    """
    if not c > 0.0:
        raise ValueError(f"c is {c}, expected a positive scale: the size of error at which the loss starts to flatten")
    s = (x / c) ** 2
    if alpha == 2.0:
        rho = 0.5 * s
    elif alpha == -math.inf:
        rho = -np.expm1(-0.5 * s)
    else:
        b = abs(alpha - 2.0)
        log_u = np.log1p(s / b)
        rho = 0.5 * b * log_u * _phi(0.5 * alpha * log_u)
    return rho, (x, alpha, c)


def robust_backward(d_rho: Floats, cache: tuple[Floats, float, float]) -> tuple[Floats, float, float]:
    x, alpha, c = cache
    s = (x / c) ** 2
    if alpha == 2.0:
        slope, by_alpha = x / c**2, np.where(s * d_rho == 0.0, 0.0, np.copysign(math.inf, d_rho))
    elif alpha == -math.inf:
        slope, by_alpha = x / c**2 * np.exp(-0.5 * s), np.zeros_like(x)
    else:
        b, side = abs(alpha - 2.0), math.copysign(1.0, alpha - 2.0)
        log_u = np.log1p(s / b)
        slope = x / c**2 * np.exp((0.5 * alpha - 1.0) * log_u)
        t, d_b, d_log_u = 0.5 * alpha * log_u, side, -side * s / (b * (b + s))
        by_alpha = d_rho * 0.5 * (
            (d_b * log_u + b * d_log_u) * _phi(t) + b * log_u * _phi_slope(t) * 0.5 * (log_u + alpha * d_log_u)
        )
    return d_rho * slope, float(by_alpha.sum()), float((d_rho * slope * -x / c).sum())


def _phi(t: Floats) -> Floats:
    """(eᵗ − 1)/t, which is 1 at 0."""
    safe = np.where(t == 0.0, 1.0, t)
    return np.where(t == 0.0, 1.0, np.expm1(safe) / safe)


def _phi_slope(t: Floats) -> Floats:
    """The derivative of (eᵗ − 1)/t; near 0, where it would lose its digits, by its series."""
    safe = np.where(np.abs(t) < 1e-3, 1.0, t)
    series = 1.0 / 2.0 + t / 3.0 + t**2 / 8.0 + t**3 / 30.0
    return np.where(np.abs(t) < 1e-3, series, (safe * np.exp(safe) - np.expm1(safe)) / safe**2)
