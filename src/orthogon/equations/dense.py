"""Fully connected layers, and networks of L of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from orthogon.equations._shapes import Floats, expect_shape
from orthogon.equations.activations import ACTIVATIONS


def dense(X: Floats, W: Floats, b: Floats) -> tuple[Floats, tuple[Floats, Floats]]:
    """The linear part of a layer of neurons.

        Z = X Wᵀ + b
        dX = dZ W        dW = dZᵀ X        db = Σᵢ dZ⁽ⁱ⁾

    X: m×n. W: units×n. b: units. Z: m×units. Gradients: d_X, d_W, d_b.
    The course writes examples as columns: Z = W X + b, dW = dZ Xᵀ. The mean over examples is taken once, in the cost,
    so dW has no 1/m of its own (rows 1.03, 1.12, 1.14, E82).
    """
    expect_shape("W", W, ("units", "n"), "a row per unit, a column per input")
    units, inputs = W.shape
    expect_shape("X", X, ("m", inputs), "examples are rows; pass X.T if they are columns")
    expect_shape("b", b, (units,), "one bias per unit")
    return X @ W.T + b, (X, W)


def dense_backward(d_Z: Floats, cache: tuple[Floats, Floats]) -> tuple[Floats, Floats, Floats]:
    X, W = cache
    return d_Z @ W, d_Z.T @ X, d_Z.sum(axis=0)


def network(
    X: Floats, weights: Sequence[Floats], biases: Sequence[Floats], activations: Sequence[str]
) -> tuple[Floats, list[Any]]:
    """Forward through L layers; the input is layer 0 and does not count as one.

        A⁰ = X        Zˡ = Aˡ⁻¹ Wˡᵀ + bˡ        Aˡ = gˡ(Zˡ)        Ŷ = Aᴸ
        dZˡ = dAˡ ∗ gˡ′(Zˡ)        dWˡ = dZˡᵀ Aˡ⁻¹        dbˡ = Σᵢ dZˡ⁽ⁱ⁾        dAˡ⁻¹ = dZˡ Wˡ

    weights, biases: as in `check_dimensions`. activations: a name of ACTIVATIONS per layer.
    Gradients: d_X, list of d_W, list of d_b. Rows 1.12, 1.14 to 1.18, 1.20.
    """
    check_dimensions(X, weights, biases)
    if len(activations) != len(weights):
        raise ValueError(f"{len(activations)} activations for {len(weights)} layers, expected one name per layer")
    unknown = sorted(set(activations) - set(ACTIVATIONS))
    if unknown:
        raise ValueError(f"there is no activation {unknown[0]!r}, expected one of: {', '.join(ACTIVATIONS)}")
    A, caches = X, []
    for W, b, name in zip(weights, biases, activations):
        Z, linear = dense(A, W, b)
        A, curved = ACTIVATIONS[name][0](Z)
        caches.append((linear, name, curved))
    return A, caches


def network_backward(d_A: Floats, cache: list[Any]) -> tuple[Floats, list[Floats], list[Floats]]:
    d_weights, d_biases = [], []
    for linear, name, curved in reversed(cache):
        d_Z = ACTIVATIONS[name][1](d_A, curved)
        d_A, d_W, d_b = dense_backward(d_Z, linear)
        d_weights.append(d_W)
        d_biases.append(d_b)
    return d_A, d_weights[::-1], d_biases[::-1]


def network_by_loop(
    X: Floats, weights: Sequence[Floats], biases: Sequence[Floats], activations: Sequence[str]
) -> Floats:
    """The same forward pass, one example at a time: what vectorizing saves.

        for i = 1 … m:  for l = 1 … L:   zˡ⁽ⁱ⁾ = Wˡ aˡ⁻¹⁽ⁱ⁾ + bˡ        aˡ⁽ⁱ⁾ = gˡ(zˡ⁽ⁱ⁾)

    Algorithm 2 of the course (rows 1.13, 6.15).
    """
    check_dimensions(X, weights, biases)
    outputs = []
    for a in X:
        for W, b, name in zip(weights, biases, activations, strict=True):
            a, _ = ACTIVATIONS[name][0](W @ a + b)
        outputs.append(a)
    return np.array(outputs)


def check_dimensions(X: Floats, weights: Sequence[Floats], biases: Sequence[Floats]) -> list[tuple[int, int]]:
    """The shape of Aˡ and Zˡ of each layer; ValueError naming the first weight or bias that does not fit.

        Wˡ: nˡ × nˡ⁻¹        bˡ: nˡ        Zˡ, Aˡ: m × nˡ

    In the course's columns, bˡ is nˡ×1 and Zˡ, Aˡ are nˡ×m (row 1.19).
    """
    if len(weights) != len(biases) or not weights:
        raise ValueError(f"{len(weights)} weights and {len(biases)} biases, expected one of each per layer")
    expect_shape("X", X, ("m", "n"), "examples are rows, features columns")
    m, inputs = X.shape
    shapes = []
    for layer, (W, b) in enumerate(zip(weights, biases), start=1):
        expect_shape(f"W of layer {layer}", W, ("units", inputs), f"a column per unit of layer {layer - 1}")
        units = len(W)
        expect_shape(f"b of layer {layer}", b, (units,), f"one bias per row of W of layer {layer}")
        shapes.append((m, units))
        inputs = units
    return shapes
