"""Convolutions with few places in their output: torch's in every way, and its gradients."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from orthogon.nn import small_maps
from orthogon.nn.small_maps import SmallMapConv2d, _ByPatches

SHAPES = [((3, 3), (1, 1), (1, 1), 4, 4), ((3, 3), (2, 2), (1, 1), 8, 7), ((3, 3), (1, 1), (0, 0), 5, 6),
          ((2, 3), (2, 1), (0, 1), 5, 3), ((3, 3), (3, 2), (1, 1), 10, 8), ((5, 5), (1, 1), (2, 2), 2, 1)]


@pytest.mark.parametrize(("kernel", "stride", "padding", "height", "width"), SHAPES)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_output_and_gradients_are_those_of_torch(kernel, stride, padding, height, width, layout):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, 4, height, width, dtype=torch.float64, generator=generator).to(memory_format=layout)
    weight = torch.randn(5, 4, *kernel, dtype=torch.float64, generator=generator)
    x.requires_grad_()
    weight.requires_grad_()
    y = nn.functional.conv2d(x, weight, None, stride, padding)
    gradient = torch.randn(y.shape, dtype=torch.float64, generator=generator)
    expected = torch.autograd.grad(y, (x, weight), gradient)
    found = _ByPatches.apply(x, weight, *stride, *padding)
    torch.testing.assert_close(found, y)
    for ours, theirs in zip(torch.autograd.grad(found, (x, weight), gradient), expected):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_in_bf16_it_is_torch_s_layer_to_rounding(frozen, bias, monkeypatch):
    monkeypatch.setattr(small_maps, "LEAST_WEIGHTS", 0)
    ours, theirs = (kind(6, 8, 3, 1, 1, bias=bias) for kind in (SmallMapConv2d, nn.Conv2d))
    theirs.load_state_dict(ours.state_dict())
    ours.weight.requires_grad_(not frozen)
    x = torch.randn(5, 6, 4, 4, generator=torch.Generator().manual_seed(0))
    found = {}
    for name, layer in (("ours", ours), ("theirs", theirs)):
        given = x.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            y = layer(given)
        assert y.dtype == torch.bfloat16
        y.float().square().sum().backward()
        found[name] = (y, given.grad, layer.weight.grad, None if layer.bias is None else layer.bias.grad)
    assert (ours.weight.grad is None) == frozen
    for each, expected in zip(found["ours"], found["theirs"]):
        if each is not None:
            torch.testing.assert_close(each, expected, rtol=0.03, atol=0.05)


def test_outside_of_training_in_bf16_it_is_torch_s_layer_itself():
    layer = SmallMapConv2d(4, 4, 3, 1, 1)
    x = torch.randn(2, 4, 4, 4)
    assert torch.equal(layer(x), nn.functional.conv2d(x, layer.weight, layer.bias, 1, 1))
    assert "Patches" not in str(layer(x).grad_fn)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        assert torch.equal(layer(x), nn.functional.conv2d(x, layer.weight, layer.bias, 1, 1))


@pytest.mark.parametrize("options", [{"groups": 2}, {"dilation": 2}, {"kernel_size": 1, "padding": 0},
                                     {"padding": "same"}, {"padding_mode": "circular"}, {"padding": 2},
                                     {"out_channels": 3}])
def test_other_convolutions_are_left_to_torch(options, monkeypatch):
    monkeypatch.setattr(small_maps, "LEAST_WEIGHTS", 4 * 4 * 3 * 3 if "kernel_size" not in options else 0)
    layer = SmallMapConv2d(4, **{"out_channels": 4, "kernel_size": 3, "padding": 1, "bias": False, **options})
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(torch.randn(2, 4, 4, 4))
    assert "Patches" not in str(y.grad_fn)


def test_the_last_maps_of_a_resnet_are_computed_so(monkeypatch):
    monkeypatch.setattr(small_maps, "LEAST_WEIGHTS", 1000)
    from orthogon.nn.spec import InputSpec, ModelSpec
    from orthogon.registry import models

    network = models.load("resnet18")(ModelSpec((InputSpec("image", (3, 32, 32)),), 10), width=8)
    with torch.autocast("cpu", torch.bfloat16):
        output = network(torch.randn(2, 3, 32, 32))
    names, waiting = set(), [output.grad_fn]
    while waiting:
        node = waiting.pop()
        names.add(type(node).__name__)
        waiting += [after for after, _ in node.next_functions if after is not None]
    assert {"_ByPatchesBackward", "ConvolutionBackward0"} <= names
