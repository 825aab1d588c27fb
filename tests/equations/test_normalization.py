"""Normalizers: what the statistics are taken over, deviations against variances, training against inference."""

from __future__ import annotations

import numpy as np
import pytest

from orthogon.equations.normalization import (
    batch_norm,
    batch_norm_inference,
    group_norm,
    input_statistics,
    instance_norm,
    layer_norm,
    running_statistics,
    standardize,
    standardize_backward,
)

RNG = np.random.default_rng(9)


def plain(n: int) -> tuple[np.ndarray, np.ndarray]:
    return np.ones(n), np.zeros(n)


def test_inputs_are_divided_by_the_standard_deviation():
    """E5: to mean 0 and variance 1, where dividing by the variance of 9 would leave 1/9."""
    X = RNG.normal(5.0, 3.0, size=(500, 2))
    out, cache = standardize(X, *input_statistics(X))
    np.testing.assert_allclose(out.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(out.var(axis=0), 1.0, rtol=1e-8)
    np.testing.assert_allclose(standardize_backward(np.ones((1, 2)), cache)[0], 1.0 / X.std(axis=0), rtol=1e-8)


def test_the_test_set_is_scaled_by_the_training_sets_statistics():
    """E14: by hand, with mean 2 and variance 4 of the training set."""
    statistics = input_statistics(np.array([[0.0], [4.0]]))
    out, _ = standardize(np.array([[10.0], [2.0]]), *statistics)
    np.testing.assert_allclose(out, [[4.0], [0.0]], rtol=1e-8)


def test_a_constant_feature_becomes_0():
    X = np.full((3, 1), 7.0)
    assert standardize(X, *input_statistics(X))[0].tolist() == [[0.0]] * 3
    assert standardize(X + 1e-4, *input_statistics(X))[0][0, 0] == pytest.approx(1.0, rel=1e-6)
    with pytest.raises(ValueError, match="X is 3×1, expected m×2"):
        standardize(X, np.zeros(2), np.ones(2))


def test_batch_norm_is_per_feature_over_the_batch_and_layer_norm_per_sample_over_features():
    """E55"""
    Z = RNG.normal(3.0, 2.0, size=(6, 4)) * np.array([1.0, 5.0, 0.3, 2.0])
    over_batch, _ = batch_norm(Z, *plain(4), epsilon=0.0)
    np.testing.assert_allclose(over_batch, (Z - Z.mean(0)) / Z.std(0), rtol=1e-12, atol=1e-14)
    over_units, _ = layer_norm(Z, *plain(4), epsilon=0.0)
    expected = (Z - Z.mean(1, keepdims=True)) / Z.std(1, keepdims=True)
    np.testing.assert_allclose(over_units, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("norm", [batch_norm, layer_norm, lambda *a: group_norm(*a, groups=1), instance_norm])
def test_epsilon_stands_under_the_root_and_is_1e_5(norm):
    """Values of ±0.001 have variance 1e-6, so they become ±0.001/√1.1e-5."""
    Z = np.array([[[-1e-3, 1e-3], [-1e-3, 1e-3]], [[1e-3, -1e-3], [1e-3, -1e-3]]])
    out, _ = norm(Z, *plain(2))
    np.testing.assert_allclose(np.abs(out), 1e-3 / np.sqrt(1.1e-5), rtol=1e-12)


def test_gamma_scales_and_beta_shifts_each_unit():
    Z = RNG.normal(size=(50, 2))
    gamma, beta = np.array([3.0, 0.5]), np.array([-1.0, 4.0])
    out, _ = batch_norm(Z, gamma, beta)
    np.testing.assert_allclose(out.mean(axis=0), beta, atol=1e-12)
    np.testing.assert_allclose(out.std(axis=0), gamma, rtol=1e-4)


def test_a_bias_before_batch_norm_is_redundant():
    """Row 9.02"""
    Z = RNG.normal(size=(5, 3))
    np.testing.assert_allclose(
        batch_norm(Z + np.array([10.0, -3.0, 0.5]), *plain(3))[0], batch_norm(Z, *plain(3))[0], atol=1e-12
    )


def test_one_value_has_no_variance():
    """E93"""
    with pytest.raises(ValueError, match="each unit has a single value"):
        batch_norm(np.ones((1, 3)), *plain(3))
    with pytest.raises(ValueError, match="each unit has a single value"):
        running_statistics(np.ones((1, 3)), np.zeros(3), np.ones(3))
    batch_norm(RNG.normal(size=(1, 3, 2)), *plain(3))


def test_running_statistics_are_weighted_averages_over_batches():
    """Row 9.04: by hand, from 0 and 1; the variance of (0, 2) is 2 without bias."""
    Z = np.array([[0.0], [2.0]])
    mean, variance = running_statistics(Z, np.zeros(1), np.ones(1))
    assert (mean[0], variance[0]) == pytest.approx((0.1, 0.9 + 0.2))
    mean, variance = running_statistics(Z + 1.0, mean, variance, decay=0.5)
    assert (mean[0], variance[0]) == pytest.approx((0.05 + 1.0, 0.55 + 1.0))


def test_at_inference_an_example_does_not_depend_on_its_batch():
    """Row 9.04"""
    Z = RNG.normal(size=(4, 3))
    settings = (RNG.normal(size=3), RNG.normal(size=3), RNG.normal(size=3), RNG.uniform(1, 2, size=3))
    together = batch_norm_inference(Z, *settings)[0]
    np.testing.assert_allclose(batch_norm_inference(Z[:1], *settings)[0], together[:1], rtol=1e-14)
    expected = settings[0] * (Z - settings[2]) / np.sqrt(settings[3] + 1e-5) + settings[1]
    np.testing.assert_allclose(together, expected, rtol=1e-13)


def test_layer_and_instance_are_the_two_ends_of_group_norm():
    """Rows 9.13, 9.14: one group is layer norm over the whole example; a group per channel is instance norm."""
    Z = RNG.normal(size=(3, 4, 2, 5))
    one = group_norm(Z, *plain(4), groups=1)[0].reshape(3, -1)
    np.testing.assert_allclose(one, layer_norm(Z.reshape(3, -1), *plain(40))[0], rtol=1e-12, atol=1e-13)
    each = instance_norm(Z, *plain(4), epsilon=0.0)[0]
    expected = (Z - Z.mean((2, 3), keepdims=True)) / Z.std((2, 3), keepdims=True)
    np.testing.assert_allclose(each, expected, rtol=1e-12, atol=1e-13)


def test_what_does_not_fit_is_refused():
    Z = np.ones((3, 4, 2))
    for norm in (batch_norm, instance_norm, lambda *a: group_norm(*a, groups=2),
                 lambda *a: batch_norm_inference(*a, np.zeros(4), np.ones(4))):
        with pytest.raises(ValueError, match="gamma is 3, expected 4"):
            norm(Z, np.ones(3), np.ones(4))
        with pytest.raises(ValueError, match="beta is 2, expected 4"):
            norm(Z, np.ones(4), np.ones(2))
        with pytest.raises(ValueError, match="Z is a vector of 4"):
            norm(np.ones(4), np.ones(4), np.ones(4))
    with pytest.raises(ValueError, match="gamma is 4, expected 2"):
        layer_norm(Z, np.ones(4), np.ones(4))
    for groups in (3, 0, -1):
        with pytest.raises(ValueError, match=f"{groups} groups for 4 channels"):
            group_norm(Z, *plain(4), groups=groups)
