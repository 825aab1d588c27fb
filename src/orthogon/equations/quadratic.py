"""The smallest thing that can be learnt: one number, under a quadratic cost."""

from __future__ import annotations

Coefficients = tuple[float, float, float]


def quadratic(w: float, coefficients: Coefficients = (1.0, -10.0, 25.0)) -> tuple[float, tuple[float, Coefficients]]:
    """A cost of one parameter, its coefficients fed as data.

        J = x₀ w² + x₁ w + x₂        dw = 2 x₀ w + x₁

    The course's J = w² − 10 w + 25 = (w − 5)². Row 1.32.
    """
    a, b, c = coefficients
    return a * w**2 + b * w + c, (w, coefficients)


def quadratic_backward(d_J: float, cache: tuple[float, Coefficients]) -> float:
    w, (a, b, _) = cache
    return d_J * (2.0 * a * w + b)


def descend_quadratic(
    coefficients: Coefficients = (1.0, -10.0, 25.0), w: float = 0.0, learning_rate: float = 0.01, steps: int = 1000
) -> list[float]:
    """The path of gradient descent: w before the first step and after each.

        w := w − α dw

    From 0, with α = 0.01: 0.1 after one step, 5 in the end; with (1, −20, 100): 0.2, and 10. Rows 1.32, 34.01, 34.02.
    """
    path = [w]
    for _ in range(steps):
        _, cache = quadratic(path[-1], coefficients)
        path.append(path[-1] - learning_rate * quadratic_backward(1.0, cache))
    return path
