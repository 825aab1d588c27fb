"""Attention against the equations in NumPy."""

import numpy as np
import pytest
import torch

from orthogon.equations.attention import bahdanau_attention
from orthogon.nn.attention import Attention, BahdanauAttention, DotAttention

N, Q, S, H, D, A = 3, 2, 5, 4, 6, 7


def _given(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    queries = torch.randn(N, Q, H, generator=generator, dtype=torch.float64)
    values = torch.randn(N, S, D, generator=generator, dtype=torch.float64)
    present = torch.arange(S) < torch.tensor([[5], [3], [1]])
    return queries, values, present


def test_bahdanau_is_that_of_the_equations() -> None:
    queries, values, present = _given()
    layer = BahdanauAttention(H, D, A).double()
    contexts, weights = layer(queries, layer.remember(values, present))
    both = torch.cat([layer.query.weight, layer.keys.weight], dim=1).detach().numpy()
    for q in range(Q):
        expected, _ = bahdanau_attention(queries[:, q].numpy(), values.numpy(), both, layer.keys.bias.detach().numpy(),
                                         layer.score.weight[0].detach().numpy(), mask=present.numpy())
        np.testing.assert_allclose(contexts[:, q].detach().numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(weights.detach().sum(2).numpy(), 1, atol=1e-12)


def test_dot_is_torchs_attention_without_its_scale() -> None:
    queries, values, present = _given()
    layer = DotAttention(H, D).double()
    contexts, _ = layer(queries, layer.remember(values, present))
    expected = torch.nn.functional.scaled_dot_product_attention(
        queries, layer.keys(values), values, attn_mask=present.unsqueeze(1), scale=1.0)
    torch.testing.assert_close(contexts, expected)


@pytest.mark.parametrize("layer", [BahdanauAttention(H, D, A).double(), DotAttention(H, D).double()])
def test_padding_is_never_looked_at(layer: Attention) -> None:
    queries, values, present = _given()
    changed = torch.where(present.unsqueeze(2), values, 1e6 * torch.ones_like(values))
    contexts, weights = layer(queries, layer.remember(values, present))
    others, _ = layer(queries, layer.remember(changed, present))
    torch.testing.assert_close(contexts, others)
    assert (weights[~present.unsqueeze(1).expand_as(weights)] == 0).all()
