"""LeNet-5 against the figures of the paper."""

import pytest
import torch

from orthogon.errors import RecipeError
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.vision.lenet5 import C3_TABLE, lenet5


def spec(side: int, channels: int = 1) -> ModelSpec:
    return ModelSpec((InputSpec("image", (channels, side, side)),), 10)


def trained(module: torch.nn.Module) -> int:
    return sum(value.numel() for value in module.parameters() if value.requires_grad)


@pytest.mark.parametrize("side", [28, 32])
def test_modern_has_61706_parameters(side):
    net = lenet5(spec(side))
    assert trained(net) == 61_706
    layers = ("c1", "c3", "c5", "f6", "output")
    assert [trained(getattr(net, name)) for name in layers] == [156, 2416, 48120, 10164, 850]


@pytest.mark.parametrize("side", [28, 32])
def test_paper_layer_by_layer(side):
    net = lenet5(spec(side), variant="paper")
    layers = ("c1", "s2", "c3", "s4", "c5", "f6", "output")
    assert [trained(getattr(net, name)) for name in layers] == [156, 12, 1516, 32, 48120, 10164, 0]
    assert trained(net) == 60_000
    assert net(torch.randn(2, 1, side, side)).shape == (2, 10)


def test_connection_table():
    seen = [sum(k in maps for maps in C3_TABLE) for k in range(6)]
    assert seen == [10] * 6
    assert sorted(len(maps) for maps in C3_TABLE) == [3] * 6 + [4] * 9 + [6]
    assert len(set(C3_TABLE)) == 16


def test_partial_convolution_ignores_what_it_is_not_connected_to():
    torch.manual_seed(0)
    layer = lenet5(spec(28), variant="paper").c3
    x = torch.randn(1, 6, 14, 14)
    before = layer(x)
    x[:, 5] += 1
    changed = (layer(x) - before).abs().amax((0, 2, 3)) > 1e-6
    assert changed.tolist() == [5 in maps for maps in C3_TABLE]


def test_rbf_is_minus_the_squared_distance():
    output = lenet5(spec(28), variant="paper").output
    x = torch.randn(3, 84)
    torch.testing.assert_close(output(x), -torch.cdist(x, output.codes).square(), rtol=1e-4, atol=1e-3)
    assert set(output.codes.unique().tolist()) == {-1.0, 1.0}
    assert torch.equal(output.codes, lenet5(spec(28), variant="paper").output.codes)


def test_refusals():
    for wrong in (lambda: lenet5(spec(8)), lambda: lenet5(spec(40), variant="paper"),
                  lambda: lenet5(spec(28), variant="papers"),
                  lambda: lenet5(ModelSpec((InputSpec("number", (4,)),), 2))):
        with pytest.raises(RecipeError):
            wrong()
