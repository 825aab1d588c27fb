"""The vision transformer that gMLP is measured against (rows 1.34, 1.38)."""

import numpy as np
import pytest
import torch
from scipy.special import erf, softmax
from torch import nn

from orthogon.errors import RecipeError
from orthogon.nn.cost import multiply_adds, parameter_count
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.vision.gmlp import gmlp
from orthogon.vision.vit import Attention, TransformerBlock, vit


def spec(high: int, wide: int | None = None, channels: int = 1) -> ModelSpec:
    return ModelSpec((InputSpec("image", (channels, high, wide or high)),), 10)


def varied(module: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    module.double()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    return module


def test_attention_is_its_formula_in_each_share_of_the_channels():
    net, x = varied(Attention(6, heads=2)), torch.randn(2, 5, 6).double()
    weight, bias = net.qkv.weight.detach().numpy(), net.qkv.bias.detach().numpy()
    query, key, value = np.split(x.numpy() @ weight.T + bias, 3, axis=2)
    heads = [softmax(query[..., s] @ key[..., s].transpose(0, 2, 1) / np.sqrt(3), axis=2) @ value[..., s]
             for s in (slice(0, 3), slice(3, 6))]
    expected = np.concatenate(heads, axis=2) @ net.proj.weight.detach().numpy().T + net.proj.bias.detach().numpy()
    np.testing.assert_allclose(net(x).detach(), expected, rtol=1e-10, atol=1e-12)


def test_a_block_adds_attention_and_then_the_feedforward_layers_each_of_a_norm():
    net, x = varied(TransformerBlock(4, 6, heads=2)), torch.randn(2, 3, 4).double()
    once = x + net.attn(nn.functional.layer_norm(x, (4,), net.norm1.weight, net.norm1.bias, 1e-6))
    normed = nn.functional.layer_norm(once, (4,), net.norm2.weight, net.norm2.bias, 1e-6).detach().numpy()
    hidden = normed @ net.mlp.fc1.weight.detach().numpy().T + net.mlp.fc1.bias.detach().numpy()
    hidden = hidden * (1 + erf(hidden / np.sqrt(2))) / 2
    expected = once.detach().numpy() + hidden @ net.mlp.fc2.weight.detach().numpy().T
    expected += net.mlp.fc2.bias.detach().numpy()
    np.testing.assert_allclose(net(x).detach(), expected, rtol=1e-10, atol=1e-12)


def test_it_is_patches_positions_blocks_norm_mean_and_a_linear_layer():
    net, x = varied(vit(spec(4, 6), hidden=8, width=4, depth=2, heads=2, patch=2)), torch.randn(3, 1, 4, 6).double()
    rows = torch.stack([x[:, 0, i : i + 2, j : j + 2].flatten(1) for i in (0, 2) for j in (0, 2, 4)], dim=1)
    sequence = rows @ net.patch_embed.proj.weight.flatten(1).T + net.patch_embed.proj.bias + net.pos_embed
    normed = net.norm(net.blocks(sequence))
    torch.testing.assert_close(net(x), net.head(normed.mean(1)))
    (grid,) = net.feature_maps(x)
    torch.testing.assert_close(grid[:, :, 1, 2], normed[:, 5])
    assert len(net.blocks) == 2


def test_positions_matter_and_without_them_patches_may_be_exchanged():
    torch.manual_seed(0)
    net, x = vit(spec(8), patch=4).eval(), torch.randn(2, 1, 8, 8)
    turned = x.roll(4, dims=2)
    assert not torch.allclose(net(x), net(turned), atol=1e-5)
    nn.init.zeros_(net.pos_embed)
    torch.testing.assert_close(net(x), net(turned))


def test_it_is_about_as_large_as_gmlp_with_as_many_patches():
    for side in (8, 28, 32):
        ours, other = vit(spec(side)), gmlp(spec(side))
        x = torch.zeros(1, 1, side, side)
        assert ours.maps == other.maps
        assert 0.75 < parameter_count(other) / parameter_count(ours) < 1.25
        assert 0.75 < multiply_adds(other, (x,)) / multiply_adds(ours, (x,)) < 1.25
    ours = vit(spec(28))
    tokens, width, hidden = 49, 64, 128
    linear = 4 * width**2 + 2 * width * hidden
    assert multiply_adds(ours, (torch.zeros(1, 1, 28, 28),)) == (
        tokens * 16 * width + 4 * (tokens * linear + 2 * tokens**2 * width) + width * 10)
    assert parameter_count(ours) == 17 * width + tokens * width + 4 * (linear + 9 * width + hidden) + 2 * width + 650


def test_it_exports_for_any_batch_size():
    torch.manual_seed(0)
    net, x = vit(spec(28), width=8, hidden=8, depth=1).eval(), torch.randn(2, 1, 28, 28)
    exported = torch.export.export(net, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},)).module()
    more = torch.cat([x, -x])
    torch.testing.assert_close(exported(more), net(more))


@pytest.mark.parametrize("options", [{"heads": 3}, {"heads": 0}, {"hidden": 0}, {"width": 0}, {"depth": 0},
                                     {"patch": 29}])
def test_wrong_options_are_refused(options):
    with pytest.raises(RecipeError, match=r"model\.options"):
        vit(spec(28), **options)
