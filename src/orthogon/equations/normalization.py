"""Normalizers: subtract a mean, divide by the standard deviation √(σ² + ε), then scale by γ and shift by β.

They differ in what the mean is taken over. Z is m×n (units) or m×C×… (channels and positions); for one "unit" read
"channel" there. Variances divide by the number of values, except where a function says otherwise.
"""

from __future__ import annotations

import numpy as np

from orthogon.equations._shapes import Floats, expect_shape

Cache = tuple[Floats, ...]
Gradients = tuple[Floats, Floats, Floats]


def input_statistics(X: Floats) -> tuple[Floats, Floats]:
    """Mean and variance of each feature of the training set, kept for all other sets.

        μ = (1/m) Σᵢ x⁽ⁱ⁾        σ² = (1/m) Σᵢ (x⁽ⁱ⁾ − μ)²

    X: m×n. Rows 9.01, E14.
    """
    return X.mean(axis=0), X.var(axis=0)


def standardize(X: Floats, mean: Floats, variance: Floats, epsilon: float = 1e-8) -> tuple[Floats, Floats]:
    """Features with mean 0 and variance 1.

        x := (x − μ) / √(σ² + ε)        dX = dX_norm / √(σ² + ε)

    Divided by the standard deviation, not the variance (E5); dev and test sets by the training set's μ and σ² (E14).
    X: m×n. mean, variance: from `input_statistics`. Rows 9.01, 36.29.
    """
    expect_shape("X", X, ("m", len(mean)), "a column per feature whose mean was taken")
    scale = 1.0 / np.sqrt(variance + epsilon)
    return (X - mean) * scale, scale


def standardize_backward(d_X: Floats, cache: Floats) -> Floats:
    scale = cache
    return d_X * scale


def batch_norm(Z: Floats, gamma: Floats, beta: Floats, epsilon: float = 1e-5) -> tuple[Floats, Cache]:
    """Each unit normalized over the mini-batch.

        μ = (1/m) Σᵢ z⁽ⁱ⁾        σ² = (1/m) Σᵢ (z⁽ⁱ⁾ − μ)²        z_norm = (z − μ) / √(σ² + ε)
        z̃ = γ z_norm + β
        dγ = Σ dz̃ ∗ z_norm        dβ = Σ dz̃        dz_norm = γ dz̃
        dz = [dz_norm − mean(dz_norm) − z_norm · mean(dz_norm ∗ z_norm)] / √(σ² + ε)

    Z: m×n or m×C×…, then over the positions too. gamma, beta: n or C. Gradients: d_Z, d_gamma, d_beta.
    A bias before it is redundant: μ takes it off. Rows 9.02, E54, E55; Ioffe & Szegedy 2015, arXiv:1502.03167.
    """
    _expect_units(Z, gamma, beta)
    _expect_several(Z)
    z_norm, scale = _normalize(Z, (0, *range(2, Z.ndim)), epsilon)
    return _scaled(z_norm, gamma, beta), (z_norm, scale, gamma)


def batch_norm_backward(d_out: Floats, cache: Cache) -> Gradients:
    z_norm, scale, gamma = cache
    d_norm, d_gamma, d_beta = _scaled_backward(d_out, z_norm, gamma)
    return _normalize_backward(d_norm, z_norm, scale, (0, *range(2, d_out.ndim))), d_gamma, d_beta


def running_statistics(
    Z: Floats, running_mean: Floats, running_variance: Floats, decay: float = 0.9
) -> tuple[Floats, Floats]:
    """What batch norm keeps in training for inference: moving averages over mini-batches.

        μ_run := ρ μ_run + (1 − ρ) μ        σ²_run := ρ σ²_run + (1 − ρ) σ² · k/(k − 1)

    k: values per unit in the batch. The factor makes σ² unbiased, as in torch (whose momentum is 1 − ρ); it needs more
    than one value. Start from 0 and 1. Rows 9.04, E93.
    """
    _expect_several(Z)
    axes = (0, *range(2, Z.ndim))
    mean, variance = Z.mean(axis=axes), Z.var(axis=axes, ddof=1)
    return decay * running_mean + (1.0 - decay) * mean, decay * running_variance + (1.0 - decay) * variance


def batch_norm_inference(
    Z: Floats, gamma: Floats, beta: Floats, running_mean: Floats, running_variance: Floats, epsilon: float = 1e-5
) -> tuple[Floats, Cache]:
    """Batch norm at test time: by the averages of training, so that an example does not depend on its batch.

        z̃ = γ (z − μ_run) / √(σ²_run + ε) + β

    Gradients: d_Z, d_gamma, d_beta. Row 9.04.
    """
    _expect_units(Z, gamma, beta)
    scale = _per_unit(1.0 / np.sqrt(running_variance + epsilon), Z.ndim)
    z_norm = (Z - _per_unit(running_mean, Z.ndim)) * scale
    return _scaled(z_norm, gamma, beta), (z_norm, scale, gamma)


def batch_norm_inference_backward(d_out: Floats, cache: Cache) -> Gradients:
    z_norm, scale, gamma = cache
    d_norm, d_gamma, d_beta = _scaled_backward(d_out, z_norm, gamma)
    return d_norm * scale, d_gamma, d_beta


def layer_norm(Z: Floats, gamma: Floats, beta: Floats, epsilon: float = 1e-5) -> tuple[Floats, Cache]:
    """Each example normalized over its own units: no batch statistics.

        μ⁽ⁱ⁾ = (1/n) Σⱼ zⱼ⁽ⁱ⁾        σ²⁽ⁱ⁾ = (1/n) Σⱼ (zⱼ⁽ⁱ⁾ − μ⁽ⁱ⁾)²        z̃ = γ (z − μ) / √(σ² + ε) + β

    Z: …×n; the last axis are the units (of one time step, in an RNN). gamma, beta: n. Gradients: d_Z, d_gamma, d_beta.
    Rows 9.07, 35.15, E55; Ba et al. 2016, arXiv:1607.06450.
    """
    for name, array in (("gamma", gamma), ("beta", beta)):
        expect_shape(name, array, Z.shape[-1:], "one per unit, the last axis of Z")
    z_norm, scale = _normalize(Z, (-1,), epsilon)
    return gamma * z_norm + beta, (z_norm, scale, gamma)


def layer_norm_backward(d_out: Floats, cache: Cache) -> Gradients:
    z_norm, scale, gamma = cache
    examples = tuple(range(d_out.ndim - 1))
    d_Z = _normalize_backward(gamma * d_out, z_norm, scale, (-1,))
    return d_Z, (d_out * z_norm).sum(axis=examples), d_out.sum(axis=examples)


def group_norm(
    Z: Floats, gamma: Floats, beta: Floats, groups: int, epsilon: float = 1e-5
) -> tuple[Floats, tuple[Floats, Floats, Floats, int]]:
    """Each example normalized over groups of channels and their positions.

        μ, σ²: over the C/G channels of a group and all positions of one example
        z̃ = γ (z − μ) / √(σ² + ε) + β

    Z: m×C×…. gamma, beta: C. groups: G, divides C. Gradients: d_Z, d_gamma, d_beta.
    Row 9.14; Wu & He 2018, arXiv:1803.08494.
    """
    _expect_units(Z, gamma, beta)
    if groups < 1 or Z.shape[1] % groups:
        raise ValueError(f"{groups} groups for {Z.shape[1]} channels, expected a number that divides the channels")
    z_norm, scale = _normalize(Z.reshape(len(Z), groups, -1), (2,), epsilon)
    z_norm = z_norm.reshape(Z.shape)
    return _scaled(z_norm, gamma, beta), (z_norm, scale, gamma, groups)


def group_norm_backward(d_out: Floats, cache: tuple[Floats, Floats, Floats, int]) -> Gradients:
    z_norm, scale, gamma, groups = cache
    d_norm, d_gamma, d_beta = _scaled_backward(d_out, z_norm, gamma)
    grouped = (len(d_out), groups, -1)
    d_Z = _normalize_backward(d_norm.reshape(grouped), z_norm.reshape(grouped), scale, (2,))
    return d_Z.reshape(d_out.shape), d_gamma, d_beta


def instance_norm(
    Z: Floats, gamma: Floats, beta: Floats, epsilon: float = 1e-5
) -> tuple[Floats, tuple[Floats, Floats, Floats, int]]:
    """Each channel of each example normalized over its positions.

        μ, σ²: over the positions of one channel of one example        z̃ = γ (z − μ) / √(σ² + ε) + β

    Group norm with groups of one channel. Z: m×C×…. gamma, beta: C. Gradients: d_Z, d_gamma, d_beta.
    Row 9.13; Ulyanov et al. 2016, arXiv:1607.08022.
    """
    _expect_units(Z, gamma, beta)
    return group_norm(Z, gamma, beta, groups=Z.shape[1], epsilon=epsilon)


def instance_norm_backward(d_out: Floats, cache: tuple[Floats, Floats, Floats, int]) -> Gradients:
    return group_norm_backward(d_out, cache)


def _normalize(Z: Floats, axes: tuple[int, ...], epsilon: float) -> tuple[Floats, Floats]:
    """z_norm over these axes, and 1/√(σ² + ε)."""
    scale = 1.0 / np.sqrt(Z.var(axis=axes, keepdims=True) + epsilon)
    return (Z - Z.mean(axis=axes, keepdims=True)) * scale, scale


def _normalize_backward(d_norm: Floats, z_norm: Floats, scale: Floats, axes: tuple[int, ...]) -> Floats:
    by_mean = d_norm.mean(axis=axes, keepdims=True)
    by_variance = z_norm * (d_norm * z_norm).mean(axis=axes, keepdims=True)
    return scale * (d_norm - by_mean - by_variance)


def _scaled(z_norm: Floats, gamma: Floats, beta: Floats) -> Floats:
    return _per_unit(gamma, z_norm.ndim) * z_norm + _per_unit(beta, z_norm.ndim)


def _scaled_backward(d_out: Floats, z_norm: Floats, gamma: Floats) -> Gradients:
    axes = (0, *range(2, d_out.ndim))
    return _per_unit(gamma, d_out.ndim) * d_out, (d_out * z_norm).sum(axis=axes), d_out.sum(axis=axes)


def _per_unit(values: Floats, dimensions: int) -> Floats:
    """One value per unit, laid along axis 1."""
    return values.reshape(-1, *[1] * (dimensions - 2))


def _expect_units(Z: Floats, gamma: Floats, beta: Floats) -> None:
    if Z.ndim < 2:
        raise ValueError(f"Z is a vector of {Z.size}, expected m×n or m×C×…: examples first, then units")
    for name, array in (("gamma", gamma), ("beta", beta)):
        expect_shape(name, array, Z.shape[1:2], "one per unit, axis 1 of Z")


def _expect_several(Z: Floats) -> None:
    if Z.size == Z.shape[1]:
        raise ValueError("each unit has a single value, expected several: one value has no variance (E93)")
