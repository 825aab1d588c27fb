"""Normalization layers by name: against the NumPy equations, and what becomes of them in training and after it."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import orthogon
from orthogon.equations import normalization, weight_normalization
from orthogon.errors import RecipeError
from orthogon.nn.cost import multiply_adds
from orthogon.nn.models import mlp
from orthogon.nn.norms import NORMS, norm
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.nn.streaming_norm import StreamingNorm
from orthogon.nn.weight_norms import CosineLinear

TABLE = ModelSpec((InputSpec("number", (3,)),), 2)
SHAPES = {0: (6, 4), 1: (6, 4, 5), 2: (6, 4, 3, 5), 3: (6, 4, 2, 3, 2)}
BY_EQUATION = {
    "batch": normalization.batch_norm, "instance": normalization.instance_norm,
    "group": lambda z, gamma, beta: normalization.group_norm(z, gamma, beta, groups=2),
}
BACKWARD = {
    "batch": normalization.batch_norm_backward, "instance": normalization.instance_norm_backward,
    "group": normalization.group_norm_backward,
}


def scaled(layer: nn.Module) -> tuple[np.ndarray, np.ndarray]:
    """A scale and a shift that are not 1 and 0, set in the layer too."""
    gamma, beta = torch.linspace(0.5, 2, 32).double(), torch.linspace(-1, 1, 32).double()
    features = len(layer.weight)
    with torch.no_grad():
        layer.weight.copy_(gamma[:features])
        layer.bias.copy_(beta[:features])
    return gamma[:features].numpy(), beta[:features].numpy()


def given(axes: int, features: int = 4) -> torch.Tensor:
    torch.manual_seed(axes)
    shape = (6, features, *SHAPES[axes][2:])
    return (3 * torch.randn(shape, dtype=torch.float64) + torch.arange(6).view(-1, *[1] * (axes + 1))).requires_grad_()


def compare(layer: nn.Module, x: torch.Tensor, forward, backward) -> None:
    """Values and all gradients against an equation and its backward."""
    gamma, beta = scaled(layer.double())
    out = layer(x)
    upstream = torch.linspace(-1, 2, out.numel()).double().view(out.shape)
    out.backward(upstream)
    expected, cache = forward(x.detach().numpy(), gamma, beta)
    np.testing.assert_allclose(out.detach().numpy(), expected, atol=1e-10)
    found = (x.grad, layer.weight.grad, layer.bias.grad)
    for ours, equation in zip(found, backward(upstream.numpy(), cache), strict=True):
        np.testing.assert_allclose(ours.numpy(), equation, atol=1e-10)


@pytest.mark.parametrize(("name", "axes"), [("batch", 0), ("batch", 1), ("batch", 2), ("batch", 3), ("instance", 1),
                                            ("instance", 2), ("instance", 3), ("group", 0), ("group", 2)])
def test_the_layer_of_that_name_is_its_equation_forward_and_backward(name, axes):
    features = 32 if name == "group" else 4
    compare(norm(name, features, axes), given(axes, features), BY_EQUATION[name], BACKWARD[name])


def test_e55_layer_norm_is_over_the_features_of_each_example_not_over_the_batch():
    compare(norm("layer", 4), given(0), normalization.layer_norm, normalization.layer_norm_backward)
    layer, x = norm("layer", 4), torch.randn(6, 4)
    torch.testing.assert_close(layer(x)[:1], layer(x[:1]))
    assert layer(x).mean(1).abs().max() < 1e-6
    assert layer(x).mean(0).abs().max() > 1e-2


def test_layer_norm_of_pictures_is_group_norm_with_one_group():
    compare(norm("layer", 4, axes=2), given(2), lambda z, gamma, beta: normalization.group_norm(z, gamma, beta, 1),
            normalization.group_norm_backward)


def test_local_response_norm_is_its_equation():
    x = given(2, 9)
    out = norm("local_response", 9, axes=2)(x)
    upstream = torch.linspace(-1, 2, out.numel()).double().view(out.shape)
    out.backward(upstream)
    expected, cache = weight_normalization.local_response_norm(x.detach().numpy())
    np.testing.assert_allclose(out.detach().numpy(), expected, atol=1e-12)
    backward = weight_normalization.local_response_norm_backward(upstream.numpy(), cache)
    np.testing.assert_allclose(x.grad.numpy(), backward, atol=1e-12)


@pytest.mark.parametrize(("features", "groups"), [(8, 1), (16, 1), (32, 2), (64, 4), (100, 2), (250, 5), (17, 1)])
def test_groups_are_of_about_sixteen_channels(features, groups):
    assert norm("group", features, 2).num_groups == groups


def test_none_changes_nothing_and_streaming_is_streaming():
    x = torch.randn(3, 4)
    assert torch.equal(norm("none", 4)(x), x)
    assert isinstance(norm("streaming", 4), StreamingNorm)


def test_an_unknown_name_is_an_error_that_names_the_nearest():
    with pytest.raises(RecipeError, match="Did you mean 'batch'"):
        norm("bach", 4)
    with pytest.raises(ValueError, match="0 to 3; got 4"):
        norm("batch", 4, axes=4)
    with pytest.raises(ValueError, match="0 to 3; got -1"):
        norm("batch", 4, axes=-1)


@pytest.mark.parametrize("name", ["instance", "local_response"])
def test_what_needs_positions_is_refused_on_vectors(name):
    with pytest.raises(RecipeError, match=f"{name} normalization needs sequences or pictures"):
        norm(name, 4)


def test_e5_divided_is_by_the_standard_deviation_not_by_the_variance():
    x = 10 * torch.randn(64, 4, 3, 3)
    for name in ("batch", "layer", "instance", "group", "streaming"):
        assert norm(name, 4, 2)(x).std().item() == pytest.approx(1, abs=0.01), name


def test_e14_in_evaluation_data_are_scaled_by_the_statistics_of_training_not_by_their_own():
    torch.manual_seed(0)
    other = torch.randn(64, 4) * 5 + 7
    for name in ("batch", "streaming"):
        layer = norm(name, 4)
        for _ in range(300):
            layer(torch.randn(64, 4) * 2 + 3).sum().backward()
        out = layer.eval()(other)
        assert out.mean().item() == pytest.approx(2, abs=0.5), name
        assert out.std().item() == pytest.approx(2.5, abs=0.5), name
        torch.testing.assert_close(layer(other[:1]), out[:1])


def test_e93_running_statistics_are_moving_averages_with_the_unbiased_variance():
    torch.manual_seed(0)
    layer, mean, variance = norm("batch", 4, 2).double(), np.zeros(4), np.ones(4)
    for _ in range(3):
        x = torch.randn(5, 4, 2, 2, dtype=torch.float64) * 2 + 1
        layer(x)
        mean, variance = normalization.running_statistics(x.numpy(), mean, variance, decay=0.9)
    np.testing.assert_allclose(layer.running_mean.numpy(), mean, rtol=1e-12)
    np.testing.assert_allclose(layer.running_var.numpy(), variance, rtol=1e-12)


def test_e93_batch_norm_refuses_a_single_value_in_training_and_takes_it_in_evaluation():
    layer = norm("batch", 4)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        layer(torch.randn(1, 4))
    assert layer.eval()(torch.randn(1, 4)).shape == (1, 4)


def test_e54_what_shifts_is_the_covariates_not_the_covariance():
    sources = Path(orthogon.__file__).parent.rglob("*.py")
    assert not [path.name for path in sources if re.search(r"covariance\s+shift", path.read_text("utf-8"), re.I)]


@pytest.mark.parametrize("name", ["batch", "layer", "instance", "group", "streaming"])
def test_bf16_goes_in_and_out_while_statistics_are_those_of_float32(name):
    torch.manual_seed(0)
    x = (torch.randn(32, 4, 8, 8) + 20).bfloat16()
    out, exact = norm(name, 4, 2)(x), norm(name, 4, 2)(x.float())
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), exact, atol=0.02, rtol=0.01)
    torch.testing.assert_close(norm(name, 4, 2).bfloat16()(x).float(), exact, atol=0.1, rtol=0.02)


@pytest.mark.parametrize("name", sorted(set(NORMS) - {"none"}))
def test_each_norm_exports_for_any_batch_size_and_compiles_whole(name):
    torch.manual_seed(0)
    x, layer = torch.randn(4, 6, 3, 3), norm(name, 6, 2)
    torch._dynamo.reset()
    compiled = torch.compile(layer, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), norm(name, 6, 2)(x))
    exported = torch.export.export(layer.eval(), (x,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    more = torch.randn(7, 6, 3, 3)
    torch.testing.assert_close(exported.module()(more), layer(more))


def test_by_default_no_norm_and_with_one_it_stands_before_the_activation():
    assert [type(part) for part in mlp(TABLE, hidden=[4]).hidden] == [nn.Linear, nn.ReLU]
    before = mlp(TABLE, hidden=[4], norm="batch").hidden
    assert [type(part) for part in before] == [nn.Linear, nn.BatchNorm1d, nn.ReLU]
    after = mlp(TABLE, hidden=[4], norm="batch", norm_after=True).hidden
    assert [type(part) for part in after] == [nn.Linear, nn.ReLU, nn.BatchNorm1d]


@pytest.mark.parametrize("name", ["none", "batch", "layer", "group", "streaming", "weight", "cosine"])
def test_a_bias_is_dropped_where_and_only_where_the_norm_takes_it_off(name):
    torch.manual_seed(0)
    hidden = mlp(TABLE, hidden=[32], norm=name).hidden
    if hidden[0].bias is None:
        bias, z = torch.randn(32), torch.randn(16, 32)
        torch.testing.assert_close(hidden[1](z + bias), norm(name, 32)(z), atol=1e-5, rtol=1e-5)
    else:
        with torch.no_grad():
            x = torch.randn(16, 3)
            before = hidden(x)
            hidden[0].bias.copy_(torch.randn(32))
            assert (hidden(x) - before).abs().max() > 0.1
    assert (hidden[0].bias is None) == (name in ("batch", "streaming"))


def test_after_the_activation_a_bias_is_not_redundant():
    assert mlp(TABLE, hidden=[4], norm="batch", norm_after=True).hidden[0].bias is not None


def test_weight_and_cosine_are_options_of_the_layer():
    torch.manual_seed(0)
    plain = mlp(TABLE, hidden=[4])
    torch.manual_seed(0)
    weight = mlp(TABLE, hidden=[4], norm="weight")
    x = torch.randn(5, 3)
    torch.testing.assert_close(weight(x), plain(x))
    assert sorted(name for name, _ in weight.hidden[0].named_parameters()) == [
        "bias", "parametrizations.weight.original0", "parametrizations.weight.original1"]
    cosine = mlp(TABLE, hidden=[4], norm="cosine")
    assert isinstance(cosine.hidden[0], CosineLinear)
    torch.testing.assert_close(cosine(2 * x), cosine(x))


def test_the_multiply_adds_of_a_weight_normalized_network_are_those_of_a_plain_one():
    net, x = mlp(TABLE, hidden=[4], norm="weight"), torch.randn(5, 3)
    assert multiply_adds(net, (x,)) == multiply_adds(mlp(TABLE, hidden=[4]), (x,)) == 5 * (3 * 4 + 4 * 2)


@pytest.mark.parametrize("name", ["batch", "layer", "group", "streaming", "weight", "cosine"])
def test_an_mlp_with_each_norm_learns(name):
    torch.manual_seed(0)
    net, x = mlp(TABLE, hidden=[32, 32], norm=name), 30 * torch.randn(64, 3) + 10
    target = (x.sum(1) > 30).long()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), target)
        loss.backward()
        optimizer.step()
    assert loss < 0.2


@pytest.mark.parametrize(("options", "said"), [
    ({"norm": "wieght"}, "Did you mean 'weight'"), ({"norm": "bathc"}, "Did you mean 'batch'"),
    ({"norm": "instance"}, "needs sequences"), ({"norm_after": True}, "norm is 'none'"),
    ({"norm": "cosine", "norm_after": True}, "norm is 'cosine'"),
])
def test_wrong_norms_of_an_mlp_are_refused(options, said):
    with pytest.raises(RecipeError, match=said):
        mlp(TABLE, **options)
