"""gMLP (row 1.34): the gate and the block against NumPy."""

import numpy as np
import pytest
import torch
from scipy.special import erf
from torch import nn

from orthogon.nn.activations import gain
from orthogon.nn.gated_mlp import GatedMLPBlock, SpatialGatingUnit


def varied(module: nn.Module) -> nn.Module:
    """In float64, with every parameter away from where it starts."""
    torch.manual_seed(0)
    module.double()
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    return module


def values(module: nn.Module) -> dict[str, np.ndarray]:
    return {name: value.detach().numpy() for name, value in module.named_parameters()}


def layer_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, epsilon: float = 1e-5) -> np.ndarray:
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + epsilon) * weight + bias


def gated(x: np.ndarray, own: dict[str, np.ndarray]) -> np.ndarray:
    u, v = x[..., : x.shape[-1] // 2], x[..., x.shape[-1] // 2 :]
    v = layer_norm(v, own["norm.weight"], own["norm.bias"])
    return u * (np.einsum("ts,nsc->ntc", own["proj.weight"], v) + own["proj.bias"][:, None])


def test_the_gate_is_a_linear_map_across_positions_of_the_second_half():
    unit, x = varied(SpatialGatingUnit(6, 5)), torch.randn(4, 5, 6, dtype=torch.float64)
    np.testing.assert_allclose(unit(x).detach(), gated(x.numpy(), values(unit)), rtol=1e-10, atol=1e-12)


def test_at_first_the_gate_lets_the_first_half_pass_nearly_as_it_is():
    torch.manual_seed(0)
    unit, x = SpatialGatingUnit(64, 49), torch.randn(8, 49, 64)
    assert torch.equal(unit.proj.bias, torch.ones(49))
    assert float(unit.proj.weight.detach().std()) == pytest.approx(1e-3, rel=0.05)
    out = unit(x)
    torch.testing.assert_close(out, x[..., :32], rtol=0.05, atol=0)
    assert not torch.equal(out, x[..., :32])


def test_the_block_is_its_formula_and_its_gradients_agree_with_differences():
    block, x = varied(GatedMLPBlock(4, 6, positions=3)), torch.randn(2, 3, 4, dtype=torch.float64)
    own = {name.removeprefix("mlp_channels."): value for name, value in values(block).items()}
    normed = layer_norm(x.numpy(), own["norm.weight"], own["norm.bias"], 1e-6)
    hidden = normed @ own["fc1.weight"].T + own["fc1.bias"]
    hidden = hidden * (1 + erf(hidden / np.sqrt(2))) / 2
    gate = {name.removeprefix("gate."): value for name, value in own.items() if name.startswith("gate.")}
    expected = x.numpy() + gated(hidden, gate) @ own["fc2.weight"].T + own["fc2.bias"]
    np.testing.assert_allclose(block(x).detach(), expected, rtol=1e-10, atol=1e-12)
    torch.autograd.gradcheck(lambda x, *_: block(x), (x.requires_grad_(), *block.parameters()))


def test_the_layers_of_a_block_start_as_their_activations_want():
    torch.manual_seed(0)
    layers = GatedMLPBlock(300, 500, positions=4).mlp_channels
    assert not layers.fc1.bias.any()
    assert not layers.fc2.bias.any()
    assert float(layers.fc1.weight.detach().std()) == pytest.approx(gain("gelu") / 300**0.5, rel=0.01)
    assert float(layers.fc2.weight.detach().var()) == pytest.approx(2 / (250 + 300), rel=0.02)


def test_an_odd_number_of_channels_is_refused():
    with pytest.raises(ValueError, match="7 channels cannot be split in two halves"):
        SpatialGatingUnit(7, 4)
