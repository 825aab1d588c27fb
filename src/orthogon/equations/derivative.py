"""Numerical derivatives, and the ratio by which a gradient is checked against them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from orthogon.equations._shapes import Floats


def one_sided_derivative(f: Callable[[float], float], theta: float, epsilon: float = 1e-5) -> float:
    """The slope to one side: its error falls only like ε.

        f′(θ) ≈ (f(θ + ε) − f(θ)) / ε

    Row 10.07.
    """
    return (f(theta + epsilon) - f(theta)) / epsilon


def two_sided_derivative(f: Callable[[float], float], theta: float, epsilon: float = 1e-5) -> float:
    """The slope over both sides: its error falls like ε².

        f′(θ) ≈ (f(θ + ε) − f(θ − ε)) / 2ε

    Better than one side for every ε below 1, where ε² < ε (row 10.07, E9).
    """
    return (f(theta + epsilon) - f(theta - epsilon)) / (2 * epsilon)


def numerical_gradient(f: Callable[[Floats], float], theta: Floats, epsilon: float = 1e-5) -> Floats:
    """The gradient of a scalar function of an array by two-sided differences, one entry after the other.

        dθ_approx[i] = (J(…, θᵢ + ε, …) − J(…, θᵢ − ε, …)) / 2ε

    theta is changed in place while f is called, and is as it was afterwards. For checking only: two calls of f per
    entry. The default ε balances the error of the formula, ε², and that of the subtraction, 1e-16 / ε.
    Rows 10.07, 10.11, 36.30.
    """
    gradient = np.empty(theta.shape)
    for index in np.ndindex(theta.shape):
        kept = theta[index]
        theta[index] = kept + epsilon
        above = f(theta)
        theta[index] = kept - epsilon
        below = f(theta)
        theta[index] = kept
        gradient[index] = (above - below) / (2 * epsilon)
    return gradient


def gradient_check_ratio(approximate: Floats, exact: Floats) -> float:
    """How far two gradients lie apart, as a share of their lengths: 0 where they agree, at most 1.

        ‖dθ_approx − dθ‖₂ / (‖dθ_approx‖₂ + ‖dθ‖₂)

    A norm is the root of the sum of the squared entries. Two gradients that are zero agree: 0, not 0/0. About 1e-7 is
    great, 1e-5 worth a second look, 1e-3 a mistake (row 10.09). ValueError where the shapes differ.
    Row 10.08, E10.
    """
    if np.shape(approximate) != np.shape(exact):
        raise ValueError(
            f"the gradients have shapes {np.shape(approximate)} and {np.shape(exact)}, expected the same shape: "
            "compare them parameter by parameter, or both as one vector"
        )
    lengths = float(np.linalg.norm(np.ravel(approximate)) + np.linalg.norm(np.ravel(exact)))
    return float(np.linalg.norm(np.ravel(approximate - exact))) / lengths if lengths else 0.0
