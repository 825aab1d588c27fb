"""One step of each optimizer: (θ, gradient, state, settings) -> (θ, state).

The state of the first step is {}; each step gives a new one and changes nothing in place. θ and dθ are arrays of one
shape; t counts steps from 1. Adaptive methods divide each entry by the root mean square of its own recent gradients:
a direction with large gradients (b in the course's picture: S_db large, S_dW small) is slowed and the other speeds up
(E12); how far the minimum lies plays no part (E27).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from orthogon.equations._shapes import Floats, expect_same

State = dict[str, Any]


def gradient_descent(
    theta: Floats, gradient: Floats, state: State, learning_rate: float = 0.01
) -> tuple[Floats, State]:
    """Down the slope.

        θ := θ − α dθ

    Over the whole set, a mini-batch, or one example (rows 6.01 to 6.05, 7.12).
    """
    expect_same(theta, gradient)
    return theta - learning_rate * gradient, state


def momentum(
    theta: Floats, gradient: Floats, state: State, learning_rate: float = 0.01, beta: float = 0.9
) -> tuple[Floats, State]:
    """Down the exponentially weighted average of the slopes, without bias correction.

        V := β V + (1 − β) dθ        θ := θ − α V

    Row 7.03; 35.20.
    """
    expect_same(theta, gradient)
    V = beta * state.get("V", 0.0) + (1.0 - beta) * gradient
    return theta - learning_rate * V, {"V": V}


def simplified_momentum(
    theta: Floats, gradient: Floats, state: State, learning_rate: float = 0.001, beta: float = 0.9
) -> tuple[Floats, State]:
    """Down the running sum of the slopes: torch's momentum.

        V := β V + dθ        θ := θ − α V

    The same path as `momentum` with α_adjusted = α (1 − β) in place of its α (row 7.04).
    """
    expect_same(theta, gradient)
    V = beta * state.get("V", 0.0) + gradient
    return theta - learning_rate * V, {"V": V}


def nesterov(
    theta: Floats, gradient: Floats, state: State, learning_rate: float = 0.001, beta: float = 0.9
) -> tuple[Floats, State]:
    """Momentum that looks one step ahead, in torch's form.

        V := β V + dθ        θ := θ − α (dθ + β V)

    Row 7.15; Sutskever et al. 2013.
    """
    expect_same(theta, gradient)
    V = beta * state.get("V", 0.0) + gradient
    return theta - learning_rate * (gradient + beta * V), {"V": V}


def rmsprop(
    theta: Floats, gradient: Floats, state: State,
    learning_rate: float = 0.001, beta: float = 0.999, epsilon: float = 1e-8,
) -> tuple[Floats, State]:
    """Each entry divided by the root mean square of its recent slopes.

        S := β S + (1 − β) dθ²        θ := θ − α dθ / (√S + ε)

    Row 7.05, 35.12, E12, E27; Hinton's lecture.
    """
    expect_same(theta, gradient)
    S = beta * state.get("S", 0.0) + (1.0 - beta) * gradient**2
    return theta - learning_rate * gradient / (np.sqrt(S) + epsilon), {"S": S}


def adam(
    theta: Floats, gradient: Floats, state: State,
    learning_rate: float = 0.001, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8,
) -> tuple[Floats, State]:
    """Momentum and RMSprop, both corrected for their start at 0.

        V := β₁ V + (1 − β₁) dθ        Vᶜ = V / (1 − β₁ᵗ)
        S := β₂ S + (1 − β₂) dθ²       Sᶜ = S / (1 − β₂ᵗ)
        θ := θ − α Vᶜ / (√Sᶜ + ε)

    Row 7.06, E17; Kingma & Ba 2015, arXiv:1412.6980.
    """
    expect_same(theta, gradient)
    Vc, Sc, state = _corrected_moments(gradient, state, beta1, beta2)
    return theta - learning_rate * Vc / (np.sqrt(Sc) + epsilon), state


def adamw(
    theta: Floats, gradient: Floats, state: State,
    learning_rate: float = 0.001, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8,
    weight_decay: float = 0.01,
) -> tuple[Floats, State]:
    """Adam beside which the weights shrink by themselves: the decay is not divided by √Sᶜ.

        θ := θ − α λ θ        then a step of Adam

    Loshchilov & Hutter 2019, arXiv:1711.05101 (with α λ for their λ, as in torch).
    """
    shrunk = theta - learning_rate * weight_decay * theta
    return adam(shrunk, gradient, state, learning_rate, beta1, beta2, epsilon)


def adagrad(
    theta: Floats, gradient: Floats, state: State, learning_rate: float = 0.01, epsilon: float = 1e-10
) -> tuple[Floats, State]:
    """Large steps for entries that rarely have a slope, small ones for those that often do.

        S := S + dθ²        θ := θ − α dθ / (√S + ε)

    S only grows, so learning ends early (row 7.07; Duchi et al. 2011).
    """
    expect_same(theta, gradient)
    S = state.get("S", 0.0) + gradient**2
    return theta - learning_rate * gradient / (np.sqrt(S) + epsilon), {"S": S}


def adadelta(
    theta: Floats, gradient: Floats, state: State,
    learning_rate: float = 1.0, rho: float = 0.9, epsilon: float = 1e-6,
) -> tuple[Floats, State]:
    """RMSprop with the root mean square of the past updates in the numerator, so that it needs no rate.

        S := ρ S + (1 − ρ) dθ²        Δ = √(D + ε) / √(S + ε) · dθ
        D := ρ D + (1 − ρ) Δ²         θ := θ − α Δ

    Row 7.08; Zeiler 2012, arXiv:1212.5701.
    """
    expect_same(theta, gradient)
    D = state.get("D", 0.0)
    S = rho * state.get("S", 0.0) + (1.0 - rho) * gradient**2
    update = np.sqrt(D + epsilon) / np.sqrt(S + epsilon) * gradient
    D = rho * D + (1.0 - rho) * update**2
    return theta - learning_rate * update, {"S": S, "D": D}


def nadam(
    theta: Floats, gradient: Floats, state: State,
    learning_rate: float = 0.002, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8,
    momentum_decay: float = 0.004,
) -> tuple[Floats, State]:
    """Adam with Nesterov's look ahead, under a momentum that rises to β₁.

        μₜ = β₁ (1 − ½ · 0.96^(t ψ))        V, S as in Adam        Sᶜ = S / (1 − β₂ᵗ)
        θ := θ − α [(1 − μₜ) dθ / (1 − Πμ₁…μₜ) + μₜ₊₁ V / (1 − Πμ₁…μₜ₊₁)] / (√Sᶜ + ε)

    ψ: momentum_decay. Row 7.09; Dozat 2016, with torch's schedule and defaults.
    """
    expect_same(theta, gradient)
    _, Sc, moments = _corrected_moments(gradient, state, beta1, beta2)
    t, V = moments["t"], moments["V"]
    now, ahead = (beta1 * (1.0 - 0.5 * 0.96 ** (k * momentum_decay)) for k in (t, t + 1))
    product = state.get("product", 1.0) * now
    slope = (1.0 - now) * gradient / (1.0 - product) + ahead * V / (1.0 - product * ahead)
    return theta - learning_rate * slope / (np.sqrt(Sc) + epsilon), {**moments, "product": product}


def adamod(
    theta: Floats, gradient: Floats, state: State,
    learning_rate: float = 0.001, beta1: float = 0.9, beta2: float = 0.999, beta3: float = 0.999,
    epsilon: float = 1e-8,
) -> tuple[Floats, State]:
    """Adam whose rates never exceed their own long average.

        η = α / (√Sᶜ + ε)        s := β₃ s + (1 − β₃) η        θ := θ − min(η, s) Vᶜ

    V, S and their corrections as in Adam. Row 7.10; Ding et al. 2019, arXiv:1910.12249.
    """
    expect_same(theta, gradient)
    Vc, Sc, moments = _corrected_moments(gradient, state, beta1, beta2)
    rate = learning_rate / (np.sqrt(Sc) + epsilon)
    s = beta3 * state.get("s", 0.0) + (1.0 - beta3) * rate
    return theta - np.minimum(rate, s) * Vc, {**moments, "s": s}


def backstitch(
    theta: Floats, gradient_at: Callable[[Floats], Floats], learning_rate: float = 0.01, scale: float = 0.3
) -> Floats:
    """A small step up, then a larger one down by the slope found there, both on one mini-batch.

        θ′ = θ + κ α dθ(θ)        θ := θ′ − (1 + κ) α dθ(θ′)

    gradient_at: the gradient of this mini-batch at any θ. κ: scale; 0 is gradient descent. It costs two gradients a
    step (row 7.11, where κ is called α; Wang et al. 2017, "Backstitch").
    """
    back = theta + scale * learning_rate * gradient_at(theta)
    return back - (1.0 + scale) * learning_rate * gradient_at(back)


def _corrected_moments(gradient: Floats, state: State, beta1: float, beta2: float) -> tuple[Floats, Floats, State]:
    """Vᶜ and Sᶜ of Adam, and the state that holds t, V and S."""
    t = state.get("t", 0) + 1
    V = beta1 * state.get("V", 0.0) + (1.0 - beta1) * gradient
    S = beta2 * state.get("S", 0.0) + (1.0 - beta2) * gradient**2
    return V / (1.0 - beta1**t), S / (1.0 - beta2**t), {"t": t, "V": V, "S": S}
