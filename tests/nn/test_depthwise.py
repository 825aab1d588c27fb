"""Depthwise convolutions that skip places: torch's in every way, and its gradients."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from orthogon.nn.depthwise import DepthwiseConv2d, _Strided

SHAPES = [((3, 3), (2, 2), (1, 1), 8, 9), ((3, 3), (2, 2), (0, 0), 9, 8), ((5, 3), (2, 1), (2, 0), 7, 6),
          ((3, 3), (3, 2), (1, 1), 10, 10), ((2, 2), (2, 2), (0, 0), 7, 7)]


@pytest.mark.parametrize(("kernel", "stride", "padding", "height", "width"), SHAPES)
def test_the_gradients_are_those_of_torch(kernel, stride, padding, height, width):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 4, height, width, dtype=torch.float64, generator=generator, requires_grad=True)
    weight = torch.randn(4, 1, *kernel, dtype=torch.float64, generator=generator, requires_grad=True)
    y = nn.functional.conv2d(x, weight, None, stride, padding, groups=4)
    gradient = torch.randn(y.shape, dtype=torch.float64, generator=generator)
    expected = torch.autograd.grad(y, (x, weight), gradient)
    found = _Strided.apply(x, weight, *stride, *padding)
    torch.testing.assert_close(found, y)
    for ours, theirs in zip(torch.autograd.grad(found, (x, weight), gradient), expected):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("frozen", [False, True])
def test_in_bf16_it_is_torch_s_layer_to_rounding(frozen):
    ours = DepthwiseConv2d(6, 6, 3, 2, 1, groups=6, bias=False)
    theirs = nn.Conv2d(6, 6, 3, 2, 1, groups=6, bias=False)
    theirs.load_state_dict(ours.state_dict())
    ours.weight.requires_grad_(not frozen)
    x = torch.randn(4, 6, 12, 12, generator=torch.Generator().manual_seed(0))
    found = {}
    for name, layer in (("ours", ours), ("theirs", theirs)):
        given = x.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            y = layer(given)
        y.square().sum().backward()
        found[name] = (y, given.grad, layer.weight.grad)
    assert (ours.weight.grad is None) == frozen
    for each, expected in zip(found["ours"], found["theirs"]):
        if each is not None:
            torch.testing.assert_close(each, expected, rtol=0.03, atol=0.03)


def test_outside_of_training_in_bf16_it_is_torch_s_layer_itself():
    layer = DepthwiseConv2d(4, 4, 3, 2, 1, groups=4, bias=False)
    x = torch.randn(2, 4, 8, 8)
    expected = nn.functional.conv2d(x, layer.weight, None, 2, 1, groups=4)
    assert torch.equal(layer(x), expected)
    assert "Strided" not in str(layer(x).grad_fn)
    with torch.autocast("cpu", torch.bfloat16):
        assert "Strided" in str(layer(x).grad_fn)
        with torch.no_grad():
            assert layer(x).grad_fn is None


@pytest.mark.parametrize("options", [{"groups": 1}, {"groups": 2}, {"groups": 4, "dilation": 2},
                                     {"groups": 4, "bias": True}, {"groups": 4, "stride": 1}])
def test_other_convolutions_are_left_to_torch(options):
    layer = DepthwiseConv2d(4, 4, **{"kernel_size": 3, "stride": 2, "bias": False, **options})
    with torch.autocast("cpu", torch.bfloat16):
        assert "Strided" not in str(layer(torch.randn(2, 4, 9, 9)).grad_fn)
