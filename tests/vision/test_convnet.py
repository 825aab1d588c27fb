"""The default convnet adapts to the size of the pictures."""

import pytest
import torch

from orthogon.errors import RecipeError
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.vision.convnet import convnet, plan


def spec(side: int, channels: int = 1) -> ModelSpec:
    return ModelSpec((InputSpec("image", (channels, side, side)),), 10)


@pytest.mark.parametrize(("side", "sides"), [(8, [8, 4]), (16, [16, 8, 4]), (28, [14, 14, 7]), (32, [16, 16, 8, 4]),
                                             (64, [32, 16, 8, 4]), (96, [48, 24, 12, 6])])
def test_plan(side, sides):
    seen = []
    for halve in plan(side):
        side = side // 2 if halve else side
        seen.append(side)
    assert seen == sides


@pytest.mark.parametrize("side", [1, 5, 8, 11, 28, 33, 64, 96])
def test_any_size_gives_finite_outputs(side):
    torch.manual_seed(0)
    assert torch.isfinite(convnet(spec(side, 3), width=8)(torch.randn(2, 3, side, side))).all()


def test_parameters_at_8_and_28_pixels():
    count = lambda net: sum(value.numel() for value in net.parameters())  # noqa: E731
    assert count(convnet(spec(8))) == 9 * 32 + 64 + 9 * 32 * 64 + 128 + 9 * 64 * 64 + 128 + 650
    assert 250_000 < count(convnet(spec(28))) < 500_000


def test_pooling_before_the_norm_is_pooling_after_it():
    torch.manual_seed(0)
    block = convnet(spec(28)).stem.eval()
    x = torch.randn(4, 1, 28, 28)
    with torch.no_grad():
        block.norm.weight.uniform_(0.5, 2)
        block.norm.running_mean.normal_()
        after = block.pool(block.activation(block.norm(block.conv(x))))
        torch.testing.assert_close(block(x), after)


def test_with_a_grid_the_output_knows_where_things_are():
    picture = torch.zeros(1, 1, 28, 28)
    picture[..., 8:12, 8:12] = 1
    halves = []
    for grid in (1, 2):
        torch.manual_seed(0)
        net = convnet(spec(28), width=8, grid=grid).eval()
        assert net.output.in_features == 32 * grid**2
        torch.nn.init.normal_(net.output.weight)
        last = net.feature_maps(picture)[-1]
        with torch.no_grad():
            halves.append((net.classify(last) - net.classify(last.flip(3))).abs().max().item())
    assert halves[0] < 1e-4 < 1e-2 < halves[1]


def test_refuses_tables_and_wrong_options():
    with pytest.raises(RecipeError, match="one picture"):
        convnet(ModelSpec((InputSpec("number", (4,)),), 2))
    with pytest.raises(RecipeError, match="width"):
        convnet(spec(28), width=0)
    with pytest.raises(RecipeError, match="grid"):
        convnet(spec(28), grid=0)
