"""Weight and cosine normalization against the NumPy equations and differences."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from orthogon.equations import weight_normalization as equations
from orthogon.nn.weight_norms import CosineConv2d, CosineLinear, initialize_weight_norm


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def test_torchs_weight_norm_is_the_equation_forward_and_backward():
    layer = weight_norm(nn.Linear(3, 5, dtype=torch.float64))
    g, v = layer.parametrizations.weight.original0, layer.parametrizations.weight.original1
    with torch.no_grad():
        g.uniform_(0.5, 2)
    expected, cache = equations.weight_norm(v.detach().numpy(), g.detach().numpy()[:, 0])
    np.testing.assert_allclose(layer.weight.detach().numpy(), expected, atol=1e-12)
    upstream = torch.randn(5, 3, dtype=torch.float64)
    layer.weight.backward(upstream)
    d_v, d_g = equations.weight_norm_backward(upstream.numpy(), cache)
    np.testing.assert_allclose(v.grad.numpy(), d_v, atol=1e-12)
    np.testing.assert_allclose(g.grad.numpy()[:, 0], d_g, atol=1e-12)


def test_weight_norm_started_from_data_gives_each_output_mean_0_and_variance_1():
    net = nn.Sequential(weight_norm(nn.Conv2d(2, 6, 3)), nn.Tanh(), nn.Conv2d(6, 6, 1), nn.Flatten(),
                        weight_norm(nn.Linear(24, 5)))
    x, untouched = 4 * torch.randn(50, 2, 4, 4) + 3, net[2].weight.clone()
    directions = F.normalize(net[4].weight.detach(), dim=1)
    initialize_weight_norm(net, x)
    first, last = net[0](x).detach(), net(x).detach()
    for outputs in (first.transpose(0, 1).flatten(1), last.T):
        torch.testing.assert_close(outputs.mean(1), torch.zeros(len(outputs)), atol=1e-5, rtol=0)
        torch.testing.assert_close(outputs.var(1, correction=0), torch.ones(len(outputs)), atol=1e-5, rtol=0)
    assert torch.equal(net[2].weight, untouched)
    torch.testing.assert_close(F.normalize(net[4].weight, dim=1), directions)
    assert not net[0]._forward_hooks


def test_weight_norm_is_not_started_without_a_bias_or_from_outputs_that_do_not_vary():
    with pytest.raises(ValueError, match="layers with a bias"):
        initialize_weight_norm(weight_norm(nn.Linear(3, 2, bias=False)), torch.randn(4, 3))
    layer = weight_norm(nn.Linear(3, 2))
    with pytest.raises(ValueError, match="the same for the whole batch"):
        initialize_weight_norm(layer, torch.ones(4, 3))
    assert not layer._forward_hooks


def test_a_plain_layer_is_left_alone():
    layer = nn.Linear(3, 2)
    before = layer.weight.clone()
    initialize_weight_norm(layer, torch.randn(4, 3))
    assert torch.equal(layer.weight, before)


def test_cosine_linear_is_the_equation_forward_and_backward():
    layer, x = CosineLinear(3, 5).double(), torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    assert layer.bias is None
    assert layer.gain is None
    out, upstream = layer(x), torch.randn(4, 5, dtype=torch.float64)
    out.backward(upstream)
    expected, cache = equations.cosine_norm(x.detach().numpy(), layer.weight.detach().numpy())
    np.testing.assert_allclose(out.detach().numpy(), expected, atol=1e-12)
    d_x, d_w = equations.cosine_norm_backward(upstream.numpy(), cache)
    np.testing.assert_allclose(x.grad.numpy(), d_x, atol=1e-12)
    np.testing.assert_allclose(layer.weight.grad.numpy(), d_w, atol=1e-12)


def test_for_cosine_norm_the_length_of_input_and_weights_does_not_count():
    layer, x = CosineLinear(3, 5), torch.randn(4, 3)
    out = layer(x)
    assert out.abs().max() <= 1
    torch.testing.assert_close(layer(1000 * x), out)
    with torch.no_grad():
        layer.weight.mul_(7)
    torch.testing.assert_close(layer(x), out)
    torch.testing.assert_close(layer(layer.weight).diagonal(), torch.ones(5))


def test_the_normalized_dot_product_has_a_learned_gain_that_starts_at_variance_one():
    layer = CosineLinear(100, 50, bias=True, gain=True).double()
    assert torch.equal(layer.gain, torch.full((50,), 10.0).double())
    x = torch.randn(500, 100, dtype=torch.float64)
    cosine = F.cosine_similarity(x.unsqueeze(1), layer.weight, dim=2)
    torch.testing.assert_close(layer(x), 10 * cosine + layer.bias)
    with torch.no_grad():
        layer.bias.zero_()
    assert layer(x).std().item() == pytest.approx(1, abs=0.05)
    small = CosineLinear(3, 2, bias=True, gain=True).double()
    given = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(lambda x, *_: small(x), (given, *small.parameters()))


@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": 1}, {"groups": 2, "dilation": 2, "padding": 2},
                                     {"bias": True, "gain": True, "groups": 2},
                                     {"padding": 1, "padding_mode": "circular"}])
def test_cosine_conv_is_the_cosine_of_each_patch_with_each_kernel(options):
    layer = CosineConv2d(4, 6, 3, **options).double()
    x = torch.randn(2, 4, 6, 7, dtype=torch.float64)
    padding, groups = options.get("padding", 0), options.get("groups", 1)
    mode = "circular" if "padding_mode" in options else "constant"
    around = F.pad(x, [padding] * 4, mode=mode)
    patches = F.unfold(around, 3, dilation=options.get("dilation", 1), stride=options.get("stride", 1))
    patches = patches.unflatten(1, (groups, 1, -1))
    kernels = layer.weight.flatten(1).unflatten(0, (groups, -1)).unsqueeze(-1)
    expected = F.cosine_similarity(patches, kernels.unsqueeze(0), dim=3).flatten(1, 2)
    if options.get("gain"):
        assert torch.equal(layer.gain, torch.full((6,), 18.0**0.5).double())
        expected = expected * layer.gain.unsqueeze(1) + layer.bias.unsqueeze(1)
    else:
        assert layer.gain is None
        assert layer.bias is None
    torch.testing.assert_close(layer(x), expected.view(layer(x).shape))


def test_cosine_conv_passes_gradcheck():
    layer = CosineConv2d(2, 4, 2, groups=2, gain=True).double()
    x = torch.randn(1, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(lambda x, *_: layer(x), (x, *layer.parameters()))


def test_zero_inputs_have_no_direction_and_give_zero_with_a_finite_gradient():
    for layer, x in ((CosineLinear(3, 5), torch.zeros(2, 3)), (CosineConv2d(2, 4, 3), torch.zeros(1, 2, 4, 4))):
        x.requires_grad_()
        out = layer(x)
        out.sum().backward()
        assert not out.any()
        assert 0 < x.grad.abs().max() < 20
        assert not layer.weight.grad.any()


@pytest.mark.parametrize("layer", [CosineLinear(64, 8, gain=True), CosineConv2d(4, 8, 3, gain=True)])
def test_lengths_are_summed_in_float32_when_inputs_are_bf16(layer):
    x = torch.randn(4, 64) if isinstance(layer, CosineLinear) else torch.randn(2, 4, 8, 8)
    half = layer.bfloat16()(x.bfloat16())
    assert half.dtype == torch.bfloat16
    exact = layer.float()(x.bfloat16().float())
    torch.testing.assert_close(half.float(), exact, atol=0.05, rtol=0.02)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(layer(x.bfloat16().float()).float(), exact, atol=0.05, rtol=0.02)


@pytest.mark.parametrize(("layer", "shape"), [
    (CosineLinear(3, 5, gain=True), (3,)), (weight_norm(nn.Linear(3, 5)), (3,)),
    (CosineConv2d(4, 6, 3, groups=2), (4, 5, 5)),
])
def test_they_export_for_any_batch_size_and_compile_whole(layer, shape):
    torch._dynamo.reset()
    x, more = torch.randn(4, *shape), torch.randn(7, *shape)
    torch.testing.assert_close(torch.compile(layer, backend="eager", fullgraph=True)(x), layer(x))
    exported = torch.export.export(layer, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    torch.testing.assert_close(exported.module()(more), layer(more))


def test_under_autocast_the_length_of_a_patch_is_still_that_of_float32():
    layer = CosineConv2d(2, 1, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([1.0, 0.0]).view(1, 2, 1, 1))
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(torch.tensor([16.0, 1.0]).view(1, 2, 1, 1))  # 16 is exact in bf16, 16² + 1² is not
    torch.testing.assert_close(out.view(()), torch.tensor(16 / 257**0.5))
