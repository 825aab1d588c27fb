"""Sizes, padding, parameters and receptive fields of convolution layers, against the layers themselves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from orthogon.equations.convolution_sizes import (
    ReceptiveField,
    Window,
    output_size,
    padding_for,
    parameters,
    receptive_field,
    same_padding,
)


@pytest.mark.parametrize(("f", "padding"), [(1, 0), (3, 1), (5, 2), (7, 3)])
def test_same_padding_keeps_the_length(f, padding):
    """Row 16.07."""
    assert same_padding(f) == padding
    assert output_size(10, f, 1, padding) == 10


@pytest.mark.parametrize("f", [2, 4, 0, -1])
def test_only_odd_filters_have_a_middle(f):
    """Row 16.10."""
    with pytest.raises(ValueError, match="odd"):
        same_padding(f)


def test_padding_of_one_around_a_filter_of_f():
    """Row 16.05: p = 1 gives n + 2 − f + 1."""
    for n, f in ((6, 3), (6, 5), (9, 2)):
        assert output_size(n, f, 1, 1) == n + 2 - f + 1


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 4), st.integers(0, 9))
def test_padding_for_a_size_is_the_least_that_gives_it(n, f, stride, padding):
    """Row 16.08."""
    if n + 2 * padding < f:
        return
    size = output_size(n, f, stride, padding)
    found = padding_for(size, n, f, stride)
    assert output_size(n, f, stride, found) == size
    assert found <= padding
    if found and n + 2 * (found - 1) >= f:
        assert output_size(n, f, stride, found - 1) < size


def test_padding_for_a_size_by_hand():
    assert padding_for(6, 6, 3) == 1
    assert padding_for(7, 14, 3, stride=2) == 1
    assert padding_for(4, 6, 3) == 0
    assert padding_for(112, 224, 7, stride=2) == 3


@pytest.mark.parametrize(("size", "n", "f", "stride"), [(3, 10, 3, 1), (10, 10, 2, 1), (2, 9, 3, 2)])
def test_sizes_that_no_padding_gives_are_refused(size, n, f, stride):
    with pytest.raises(ValueError, match="no padding gives"):
        padding_for(size, n, f, stride)


@pytest.mark.parametrize(("groups", "bias"), [(1, True), (1, False), (2, True), (4, False)])
def test_parameters_are_those_of_the_layer(groups, bias):
    """Row 16.14."""
    layer = nn.Conv2d(4, 8, (3, 5), groups=groups, bias=bias)
    assert parameters(4, 8, (3, 5), groups, bias) == sum(p.numel() for p in layer.parameters())


def test_parameters_by_default_are_of_one_group_with_biases():
    assert parameters(3, 10, (5, 5)) == 76 * 10
    assert parameters(3, 10, (5,)) == 16 * 10


def test_groups_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="3 groups do not divide 4 channels into 6"):
        parameters(4, 6, (3, 3), groups=3)
    with pytest.raises(ValueError, match="2 groups do not divide 4 channels into 5"):
        parameters(4, 5, (3, 3), groups=2)


def test_a_fully_connected_layer_on_a_large_picture_has_three_billion_weights_and_a_filter_few():
    """34.06, row 16.16; and why convolution needs far fewer (row 16.15)."""
    assert 1000 * parameters(3, 1, (1000, 1000), bias=False) == 3_000_000_000
    assert parameters(3, 1000, (5, 5)) == 76_000


def test_the_course_convnet_for_digits_layer_by_layer():
    """34.23: 28 → 26×26×4 → 24×24×1 → 12×12 → 144 → 128 → 10."""
    first, second = output_size(28, 3), output_size(26, 3)
    assert (first, second, output_size(second, 2, stride=2)) == (26, 24, 12)
    assert (parameters(1, 4, (3, 3)), parameters(4, 1, (3, 3))) == (40, 37)
    assert ((144 + 1) * 128, (128 + 1) * 10) == (18_560, 1_290)


@pytest.mark.parametrize(("groups", "in_all"), [(1, 62_378_344), (2, 60_965_224)])
def test_alexnet_has_its_parameters_in_one_group_and_in_two(groups, in_all):
    """34.09: the layers of 2012; of two GPUs each saw half of the channels in the second, fourth and fifth of them."""
    layers = [(3, 96, 11, 1), (96, 256, 5, groups), (256, 384, 3, 1), (384, 384, 3, groups), (384, 256, 3, groups),
              (256, 4096, 6, 1), (4096, 4096, 1, 1), (4096, 1000, 1, 1)]
    assert sum(parameters(before, after, (f, f), of) for before, after, f, of in layers) == in_all


def test_vgg_16_has_its_parameters():
    """34.10, E32: 138 million, of blocks of 2, 2, 3, 3 and 3 convolutions."""
    layers, channels = [], 3
    for convolutions, width in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
        for _ in range(convolutions):
            layers.append((channels, width, 3))
            channels = width
    layers += [(512, 4096, 7), (4096, 4096, 1), (4096, 1000, 1)]
    assert sum(parameters(before, after, (f, f)) for before, after, f in layers) == 138_357_544


def seen(layers: list[Window], n: int) -> list[tuple[int, int]]:
    """The first and last place of the input that each unit depends on, by gradients of ones."""
    x = torch.zeros(1, 1, n, dtype=torch.float64, requires_grad=True)
    y = x
    for f, stride, padding, dilation in layers:
        y = nn.functional.conv1d(y, torch.ones(1, 1, f, dtype=torch.float64), None, stride, padding, dilation)
    found = []
    for unit in range(y.shape[2]):
        gradient = torch.autograd.grad(y[0, 0, unit], x, retain_graph=True)[0][0, 0]
        places = np.flatnonzero(gradient.numpy())
        found.append((int(places[0]), int(places[-1])))
    return found


@pytest.mark.parametrize(
    "layers",
    [
        [Window(3)],
        [Window(5, padding=2), Window(2, stride=2), Window(5), Window(2, stride=2)],
        [Window(7, 2, 3), Window(3, 2, 1), Window(3, 1, 1), Window(3, 1, 1)],
        [Window(3, 1, 2, 2), Window(3, 2, 1), Window(3, 1, 4, 4)],
    ],
)
def test_a_receptive_field_is_what_gradients_reach(layers):
    n = 64
    size, step, start = receptive_field(layers)
    for unit, (first, last) in enumerate(seen(layers, n)):
        begin = start + unit * step
        if begin >= 0 and begin + size <= n:
            assert (first, last) == (begin, begin + size - 1)


def test_the_input_sees_itself_and_three_small_filters_see_what_a_large_one_does():
    assert receptive_field([]) == ReceptiveField(1, 1, 0)
    assert receptive_field([Window(3)] * 3) == receptive_field([Window(7)]) == ReceptiveField(7, 1, 0)
    assert receptive_field([Window(3, 2, 1, 2)]) == ReceptiveField(5, 2, -1)


def test_the_last_convolution_of_vgg_16_sees_196_pixels():
    """As computed for the published network, e.g. by Araujo, Norris & Sim 2019, doi.org/10.23915/distill.00021."""
    layers = []
    for convolutions in (2, 2, 3, 3, 3):
        layers += [Window(3, padding=1)] * convolutions + [Window(2, stride=2)]
    assert receptive_field(layers[:-1]).size == 196
    assert receptive_field(layers) == ReceptiveField(212, 32, -90)
