"""Normalizers without a mean: of weights, of weights and inputs together, and of neighboring channels."""

from __future__ import annotations

import numpy as np

from orthogon.equations._shapes import Floats, expect_shape


def weight_norm(V: Floats, g: Floats) -> tuple[Floats, tuple[Floats, Floats, Floats]]:
    """The length of each unit's weights apart from their direction.

        wᵢ = gᵢ vᵢ / ‖vᵢ‖        y = g · x∗(v/‖v‖)
        dgᵢ = dwᵢ · vᵢ/‖vᵢ‖        dvᵢ = (gᵢ/‖vᵢ‖) [dwᵢ − dgᵢ vᵢ/‖vᵢ‖]

    V: units×n. g: units. Gives W, units×n, for a dense layer. Gradients: d_V, d_g.
    Row 9.11; Salimans & Kingma 2016, arXiv:1602.07868.
    """
    expect_shape("V", V, ("units", "n"), "a row per unit, a column per input")
    expect_shape("g", g, V.shape[:1], "one length per unit")
    direction, length = _directions("V", V)
    return g[:, None] * direction, (direction, length, g)


def weight_norm_backward(d_W: Floats, cache: tuple[Floats, Floats, Floats]) -> tuple[Floats, Floats]:
    direction, length, g = cache
    return _directions_backward(g[:, None] * d_W, direction, length), (d_W * direction).sum(axis=1)


def cosine_norm(X: Floats, W: Floats) -> tuple[Floats, tuple[Floats, ...]]:
    """The cosine of the angle between each example and each unit's weights, in place of their dot product.

        y = (x/‖x‖) ∗ (w/‖w‖)        dx̂ = Σ dy ŵ        dŵ = Σ dy x̂
        dv = [dv̂ − v̂ (v̂ · dv̂)] / ‖v‖, for v = x and for v = w

    X: m×n. W: units×n. y: m×units, in [−1, 1]. Gradients: d_X, d_W.
    Rows 9.12, 9.16; Luo et al. 2017, arXiv:1702.05870.
    """
    expect_shape("W", W, ("units", "n"), "a row per unit, a column per input")
    expect_shape("X", X, ("m", W.shape[1]), "examples are rows; pass X.T if they are columns")
    (x, x_length), (w, w_length) = _directions("X", X), _directions("W", W)
    return x @ w.T, (x, x_length, w, w_length)


def cosine_norm_backward(d_Y: Floats, cache: tuple[Floats, ...]) -> tuple[Floats, Floats]:
    x, x_length, w, w_length = cache
    return _directions_backward(d_Y @ w, x, x_length), _directions_backward(d_Y.T @ x, w, w_length)


def local_response_norm(
    A: Floats, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> tuple[Floats, tuple[Floats, Floats, Floats, float, float]]:
    """Each position divided by the size of its neighboring channels.

        b_c = a_c / D_c^β        D_c = k + (α/n) Σ a_c′²,  c′ from c − ⌊n/2⌋ to c + ⌊(n − 1)/2⌋
        da_c = db_c / D_c^β − (2αβ/n) a_c Σ db_c′ a_c′ / D_c′^(β+1), over the c′ that have c in their window

    A: m×C×…. size: n. As in torch; AlexNet has α in place of α/n, and k = 2.
    Row 9.15; Krizhevsky et al. 2012.
    """
    if A.ndim < 3:
        raise ValueError(f"A is {'×'.join(map(str, A.shape))}, expected m×C×…: examples, channels, positions")
    before = np.subtract.outer(range(A.shape[1]), range(A.shape[1]))
    near = ((before <= size // 2) & (-before <= (size - 1) // 2)).astype(float)
    D = k + alpha / size * np.einsum("cd,md...->mc...", near, A**2)
    return A / D**beta, (A, D, near, 2.0 * alpha * beta / size, beta)


def local_response_norm_backward(d_B: Floats, cache: tuple[Floats, Floats, Floats, float, float]) -> Floats:
    A, D, near, factor, beta = cache
    through = np.einsum("cd,mc...->md...", near, d_B * A / D ** (beta + 1.0))
    return d_B / D**beta - factor * A * through


def _directions(name: str, rows: Floats) -> tuple[Floats, Floats]:
    """The rows at length 1, and their lengths."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    if not length.all():
        raise ValueError(f"{name} has a row of zeros, expected none: it has no direction")
    return rows / length, length


def _directions_backward(d_direction: Floats, direction: Floats, length: Floats) -> Floats:
    return (d_direction - direction * (direction * d_direction).sum(axis=1, keepdims=True)) / length
