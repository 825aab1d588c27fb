"""Convolution and pooling: sizes, worked numbers, and what they equal. Gradients: see twins_sequences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d, correlate2d

from orthogon.equations.convolution import (
    average_pool,
    convolution,
    convolution_backward,
    max_pool,
    max_pool_backward,
    true_convolution,
)
from orthogon.equations.convolution_sizes import multiplications, output_size


def layer(x: np.ndarray, filters: int, f: int) -> tuple[np.ndarray, int]:
    """The output of a convolution layer, and its number of parameters."""
    W, b = np.ones((filters, x.shape[1], f, f)), np.ones(filters)
    return convolution(x, W, b)[0], W.size + b.size


def one_axis(a: np.ndarray, f: np.ndarray, function=convolution, **options: int) -> np.ndarray:
    return function(a[None, None], f[None, None], np.zeros(1), **options)[0][0, 0]


def test_the_example_along_one_axis():
    """34.04, E59: not [17, 22, 39, 44]."""
    A, B = np.array([5.0, 3, 7, 5, 9, 7]), np.array([1.0, 2, 3])
    np.testing.assert_array_equal(one_axis(A, B), [32, 32, 44, 44])


def test_a_cross_of_ones_is_laid_on_each_place_of_a_picture():
    """Rows 16.02 and 16.18: what lies under the ones is added up."""
    picture = np.array([[1.0, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [0, 1, 1, 0, 0]])
    cross = np.array([[1.0, 0, 1], [0, 1, 0], [1, 0, 1]])
    z = convolution(picture[None, None], cross[None, None], np.zeros(1))[0][0, 0]
    np.testing.assert_array_equal(z, [[4, 3, 4], [2, 4, 3], [2, 3, 4]])
    np.testing.assert_array_equal(z, correlate2d(picture, cross, "valid"))


@pytest.mark.parametrize(
    ("n", "f", "stride", "padding", "size"),
    [(5, 3, 1, 0, 3), (6, 3, 1, 1, 6), (7, 3, 2, 0, 3), (6, 3, 2, 0, 2), (8, 3, 3, 1, 3), (2, 4, 1, 1, 1)],
)
def test_output_size_is_floored_after_dividing_by_the_stride(n, f, stride, padding, size):
    """E24, E30: ⌊(n+2p−f)/s⌋ + 1, and the convolution has this size."""
    assert output_size(n, f, stride, padding) == size
    assert one_axis(np.ones(n), np.ones(f), stride=stride, padding=padding).shape == (size,)


def test_output_size_by_default_has_stride_1_and_no_padding():
    assert output_size(5, 3) == 3


def test_one_channel_of_five_under_one_filter_of_three():
    """34.05."""
    assert layer(np.ones((1, 1, 5, 5)), filters=1, f=3)[0].shape == (1, 1, 3, 3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"f": 0}, "filter >= 1"),
        ({"stride": 0}, "stride >= 1"),
        ({"padding": -1}, "padding >= 0"),
        ({"f": 8}, "does not fit"),
    ],
)
def test_impossible_sizes_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        output_size(**{"n": 5, "f": 3, "stride": 1, "padding": 1, **options})


def test_a_filter_that_just_fits_is_not_refused():
    assert output_size(5, 7, 1, 1) == 1


def test_a_filter_is_as_deep_as_its_input():
    """E31: f²·n_C multiplications for each number, not f³."""
    assert multiplications((3, 5, 5), (1, 3, 5, 5)) == 5 * 5 * 3
    with pytest.raises(ValueError, match="same C"):
        multiplications((3, 5, 5), (1, 5, 5, 5))
    with pytest.raises(ValueError, match="expected C×H×W"):
        multiplications((3, 5, 5), (1, 3, 5))


def test_multiplications_are_counted_as_they_happen():
    x, W = np.ones((1, 2, 7, 6)), np.ones((3, 2, 3, 2))
    for stride in (1, 2):
        z, _ = convolution(x, W, np.zeros(3), stride=stride)
        assert multiplications(x.shape[1:], W.shape, stride) == z.sum()
    assert multiplications((2, 7, 6), (3, 2, 3, 2), stride=2, padding=1) == (4 * 4) * 3 * (3 * 2) * 2


def test_colors_are_channels_and_no_third_axis():
    """E43: a filter slides over a colored picture along two axes and reads all its colors at each place; over a volume
    it slides along three.
    """
    colored, volume = np.ones((1, 3, 5, 5)), np.ones((1, 1, 3, 5, 5))
    assert convolution(colored, np.ones((2, 3, 2, 2)), np.zeros(2))[0].shape == (1, 2, 4, 4)
    assert convolution(volume, np.ones((2, 1, 2, 2, 2)), np.zeros(2))[0].shape == (1, 2, 2, 4, 4)
    with pytest.raises(ValueError, match="with the same C"):
        convolution(colored, np.ones((2, 2, 2, 2)), np.zeros(2))


def test_a_filter_of_one_pixel_is_a_fully_connected_layer_at_each_pixel():
    """Row 16.24: it changes the number of channels; of a single channel it gives nothing but multiples."""
    rng = np.random.default_rng(3)
    x, W, b = rng.normal(size=(2, 6, 4, 5)), rng.normal(size=(3, 6, 1, 1)), rng.normal(size=3)
    z, _ = convolution(x, W, b)
    pixels = x.transpose(0, 2, 3, 1).reshape(-1, 6)
    np.testing.assert_allclose(z.transpose(0, 2, 3, 1).reshape(-1, 3), pixels @ W[:, :, 0, 0].T + b, atol=1e-12)
    np.testing.assert_allclose(convolution(x[:, :1], W[:1, :1], np.zeros(1))[0], W[0, 0, 0, 0] * x[:, :1])


def test_the_bottleneck_saves_a_factor_of_ten():
    """34.11."""
    direct = multiplications((192, 28, 28), (32, 192, 5, 5), padding=2)
    through = multiplications((192, 28, 28), (16, 192, 1, 1)) + multiplications((16, 28, 28), (32, 16, 5, 5), padding=2)
    assert (direct, through) == (120_422_400, 12_443_648)


def test_a_filter_as_large_as_its_input_is_a_fully_connected_layer():
    """34.12: 5×5×16 under 400 filters gives 1×1×400, the product with the flattened filters."""
    rng = np.random.default_rng(0)
    x, W, b = rng.normal(size=(2, 16, 5, 5)), rng.normal(size=(400, 16, 5, 5)), rng.normal(size=400)
    z, _ = convolution(x, W, b)
    assert z.shape == (2, 400, 1, 1)
    np.testing.assert_allclose(z[:, :, 0, 0], x.reshape(2, -1) @ W.reshape(400, -1).T + b, atol=1e-10)


def test_sizes_of_the_digits_network():
    """34.23: 26×26×4, 24×24×1, 12×12×1, 144; 40, 37 and 18,560 parameters."""
    first, in_first = layer(np.ones((1, 1, 28, 28)), filters=4, f=3)
    second, in_second = layer(first, filters=1, f=3)
    pooled, _ = max_pool(second, f=2, stride=2)
    assert (first.shape, second.shape, pooled.shape) == ((1, 4, 26, 26), (1, 1, 24, 24), (1, 1, 12, 12))
    assert (in_first, in_second, pooled.size, (pooled.size + 1) * 128, (128 + 1) * 10) == (40, 37, 144, 18_560, 1_290)


def test_a_true_convolution_mirrors_the_filter():
    rng = np.random.default_rng(1)
    x, f = rng.normal(size=(6, 7)), rng.normal(size=(3, 2))
    z, _ = true_convolution(x[None, None], f[None, None], np.zeros(1))
    np.testing.assert_allclose(z[0, 0], convolve2d(x, f, mode="valid"))
    np.testing.assert_allclose(one_axis(x[0], f[:, 0], true_convolution), np.convolve(x[0], f[:, 0], mode="valid"))


def test_only_a_true_convolution_is_associative():
    """Row 16.11: (A∗B)∗C = A∗(B∗C)."""
    A, B, C = np.array([1.0, 2, -1, 3, 0, 2, 5]), np.array([1.0, 0, 2]), np.array([3.0, -1])
    for function, associative in ((true_convolution, True), (convolution, False)):
        left = one_axis(one_axis(A, B, function), C, function)
        right = one_axis(A, one_axis(B, C, function, padding=1), function)
        assert np.allclose(left, right) == associative


def test_decoding_by_transposed_weights_is_the_product_with_the_transposed_matrix():
    """Row 16.30: a convolution is a product with a matrix, decoding with its weights one with the transpose."""
    rng = np.random.default_rng(4)
    W, cache = rng.normal(size=(3, 2, 3, 3)), None
    columns = []
    for unit in np.eye(2 * 7 * 5):
        z, cache = convolution(unit.reshape(1, 2, 7, 5), W, np.zeros(3), stride=2, padding=1)
        columns.append(z.ravel())
    code = rng.normal(size=z.shape)
    decoded, *_ = convolution_backward(code, cache)
    np.testing.assert_allclose(decoded.ravel(), np.stack(columns) @ code.ravel(), atol=1e-12)
    of_torch = torch.nn.functional.conv_transpose2d(torch.tensor(code), torch.tensor(W), stride=2, padding=1)
    np.testing.assert_allclose(decoded, of_torch.numpy(), atol=1e-12)


def test_a_padded_maximum_never_comes_from_the_border():
    """Row 16.28: same size out, and what lies outside is not 0."""
    x = -np.arange(1.0, 10).reshape(1, 1, 3, 3)
    a, _ = max_pool(x, f=3, stride=1, padding=1)
    np.testing.assert_array_equal(a[0, 0], [[-1, -1, -2], [-1, -1, -2], [-4, -4, -5]])


def test_of_equal_values_the_first_gets_the_gradient():
    _, cache = max_pool(np.ones((1, 1, 2, 2)), f=2, stride=2)
    np.testing.assert_array_equal(max_pool_backward(np.full((1, 1, 1, 1), 3.0), cache)[0, 0], [[3, 0], [0, 0]])


def test_zeros_of_the_padding_count_in_an_average():
    a, _ = average_pool(np.ones((1, 1, 2, 2)), f=2, stride=2, padding=1)
    np.testing.assert_array_equal(a[0, 0], np.full((2, 2), 0.25))


def test_an_average_over_all_is_global_average_pooling():
    """Row 16.23."""
    x = np.random.default_rng(2).normal(size=(2, 3, 4, 4))
    np.testing.assert_allclose(average_pool(x, f=4, stride=1)[0][:, :, 0, 0], x.mean(axis=(2, 3)))


@pytest.mark.parametrize("padding", [2, 3])
def test_windows_that_would_hold_nothing_are_refused(padding):
    with pytest.raises(ValueError, match="less than the window"):
        max_pool(np.ones((1, 1, 4, 4)), f=2, stride=2, padding=padding)


@pytest.mark.parametrize(
    ("W", "b"), [((4, 2, 3, 3), (4,)), ((4, 3, 3), (4,)), ((4, 3, 3, 3), (3,)), ((4, 3, 3, 3), (4, 1))]
)
def test_filters_that_do_not_fit_the_input_are_refused(W, b):
    with pytest.raises(ValueError, match="expected N×C×H×W"):
        convolution(np.ones((2, 3, 5, 5)), np.ones(W), np.ones(b))


def test_a_filter_too_large_is_refused_along_either_axis():
    for f in ((6, 3), (3, 6)):
        with pytest.raises(ValueError, match="does not fit"):
            convolution(np.ones((1, 1, 5, 5)), np.ones((1, 1, *f)), np.zeros(1))
