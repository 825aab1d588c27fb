"""Edge filters against SciPy, and a fully connected layer as a convolution."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
from scipy.signal import convolve2d, correlate2d

from orthogon.equations.convolution import convolution, true_convolution
from orthogon.equations.filters import UPRIGHT, edge_filter, fully_connected_as_convolution


def laid_on(picture: np.ndarray, f: np.ndarray, function=convolution) -> np.ndarray:
    return function(picture[None, None], f[None, None], np.zeros(1))[0][0, 0]


def halves(left: float, right: float) -> np.ndarray:
    """The 6×6 picture of the course: one value on the left half, another on the right."""
    return np.repeat([[left] * 3 + [right] * 3], 6, axis=0)


def test_bright_to_dark_is_positive_and_dark_to_bright_negative():
    """Row 16.17, the 6×6 example: 30 in the two middle columns."""
    expected = np.tile([0.0, 30.0, 30.0, 0.0], (4, 1))
    np.testing.assert_array_equal(laid_on(halves(10, 0), edge_filter("prewitt")), expected)
    np.testing.assert_array_equal(laid_on(halves(0, 10), edge_filter("prewitt")), -expected)


@pytest.mark.parametrize("name", UPRIGHT)
def test_a_filter_for_upright_edges_is_blind_to_lying_ones(name):
    """Row 16.18."""
    picture = halves(10, 0)
    assert not laid_on(picture.T, edge_filter(name)).any()
    lying = laid_on(picture.T, edge_filter(name, lying=True))
    np.testing.assert_array_equal(lying, laid_on(picture, edge_filter(name)).T)


@pytest.mark.parametrize(("name", "reference"), [("prewitt", scipy.ndimage.prewitt), ("sobel", scipy.ndimage.sobel)])
def test_prewitt_and_sobel_are_those_of_scipy(name, reference):
    """SciPy's are positive from dark to bright."""
    picture = np.random.default_rng(0).normal(size=(9, 7))
    for axis, lying in ((1, False), (0, True)):
        ours = laid_on(picture, edge_filter(name, lying))
        np.testing.assert_allclose(ours, -reference(picture, axis=axis)[1:-1, 1:-1], atol=1e-12)


def test_by_default_it_is_sobel_upright_and_scharr_weighs_3_10_3():
    np.testing.assert_array_equal(edge_filter(), [[1, 0, -1], [2, 0, -2], [1, 0, -1]])
    np.testing.assert_array_equal(edge_filter("scharr"), [[3, 0, -3], [10, 0, -10], [3, 0, -3]])


def test_an_unknown_filter_is_named_with_those_that_are_known():
    with pytest.raises(ValueError, match="'canny'; known: prewitt, sobel, scharr"):
        edge_filter("canny")


def test_what_is_given_may_be_written_into():
    edge_filter("sobel")[:] = 7
    edge_filter("sobel", lying=True)[:] = 7
    assert edge_filter("sobel").sum() == 0


@pytest.mark.parametrize("name", UPRIGHT)
def test_deep_learning_correlates_and_mathematics_convolves(name):
    """Row 16.11: mirrored along both axes, the answer to an edge changes its sign."""
    picture = np.random.default_rng(1).normal(size=(8, 8))
    f = edge_filter(name)
    np.testing.assert_allclose(laid_on(picture, f), correlate2d(picture, f, "valid"), atol=1e-12)
    np.testing.assert_allclose(laid_on(picture, f, true_convolution), convolve2d(picture, f, "valid"), atol=1e-12)
    np.testing.assert_allclose(laid_on(picture, f, true_convolution), -laid_on(picture, f), atol=1e-12)


def test_a_fully_connected_layer_is_a_convolution_as_large_as_its_input():
    """34.12, row 16.26: 5×5×16 under 400 filters of 5×5×16 gives 1×1×400."""
    generator = np.random.default_rng(2)
    x, W = generator.normal(size=(2, 16, 5, 5)), generator.normal(size=(400, 400))
    filters = fully_connected_as_convolution(W, (16, 5, 5))
    assert filters.shape == (400, 16, 5, 5)
    z = convolution(x, filters, np.zeros(400))[0]
    assert z.shape == (2, 400, 1, 1)
    np.testing.assert_allclose(z[:, :, 0, 0], x.reshape(2, -1) @ W.T, atol=1e-12)


def test_a_layer_that_does_not_read_that_shape_is_refused():
    with pytest.raises(ValueError, match=r"expected K×400"):
        fully_connected_as_convolution(np.ones((3, 12)), (16, 5, 5))
    with pytest.raises(ValueError, match=r"expected K×4"):
        fully_connected_as_convolution(np.ones(4), (1, 2, 2))
