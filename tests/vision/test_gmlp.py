"""gMLP on pictures (row 1.34)."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from worlds import recipe, trained

from orthogon.data.read import read
from orthogon.errors import RecipeError
from orthogon.nn.cost import multiply_adds, parameter_count
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.train.compute import Compute
from orthogon.train.evaluate import predict
from orthogon.vision.gmlp import gmlp, published_gmlp


def spec(high: int, wide: int | None = None, channels: int = 1) -> ModelSpec:
    return ModelSpec((InputSpec("image", (channels, high, wide or high)),), 10)


@pytest.mark.parametrize(("high", "wide", "patch", "positions"), [
    (8, 8, 2, 16), (28, 28, 4, 49), (32, 32, 5, 49), (15, 15, 3, 25), (96, 96, 14, 49), (4, 4, 1, 16), (14, 28, 4, 28),
])
def test_patches_that_nobody_asked_for_make_at_most_seven_along_a_side(high, wide, patch, positions):
    torch.manual_seed(0)
    net = gmlp(spec(high, wide, 3), hidden=8, width=4, depth=1)
    assert net.stem.proj.kernel_size == net.stem.proj.stride == (patch, patch)
    assert net.blocks[0].mlp_channels.gate.proj.in_features == positions
    assert torch.isfinite(net(torch.randn(2, 3, high, wide))).all()


def test_it_is_patches_blocks_norm_mean_and_a_linear_layer():
    torch.manual_seed(0)
    net, x = gmlp(spec(5, 6), hidden=8, width=4, depth=2, patch=3).double(), torch.randn(2, 1, 5, 6).double()
    padded = torch.cat([x, x.new_zeros(2, 1, 1, 6)], dim=2)
    corners = [(0, 0), (0, 3), (3, 0), (3, 3)]
    rows = torch.stack([padded[:, 0, i : i + 3, j : j + 3].flatten(1) for i, j in corners], dim=1)
    sequence = rows @ net.stem.proj.weight.flatten(1).T + net.stem.proj.bias
    for block in net.blocks:
        sequence = block(sequence)
    expected = F.layer_norm(sequence, (4,), eps=1e-6).mean(1) @ net.head.weight.T
    torch.testing.assert_close(net(x), expected)
    assert len(net.blocks) == 2


def test_trained_on_digits_it_soon_does_better_on_new_writers_than_a_linear_model():
    data, train, dev = read("digits"), np.arange(1300), np.arange(1300, 1797)
    wanted = recipe(model__name="gmlp", model__options={"hidden": 128, "width": 32, "depth": 2}, train__epochs=12,
                    train__lr=0.02, train__batch_size=64)
    fitted, task = trained(wanted, data, dev=len(dev))
    linear = next(each for each in task.baselines() if each.name == "linear")
    linear.fit(task, train)
    found = predict(task, fitted.model, dev, Compute(torch.device("cpu")))
    accuracy, bar = ((each["prediction"] == task.targets(dev)).mean() for each in (found, linear.results(task, dev)))
    assert accuracy > bar > 0.9
    gates = np.stack([block.mlp_channels.gate.proj.weight.detach().numpy() for block in fitted.model.blocks])
    assert np.abs(gates).max() > 0.03  # positions have come to mix


def test_it_exports_for_any_batch_size():
    torch.manual_seed(0)
    net, x = gmlp(spec(28), hidden=16, width=8, depth=1).eval(), torch.randn(2, 1, 28, 28)
    exported = torch.export.export(net, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},)).module()
    more = torch.cat([x, -x])
    torch.testing.assert_close(exported(more), net(more))


@pytest.mark.parametrize(("name", "parameters", "million"), [
    ("gmlp_ti16", 5_867_328, 1_329), ("gmlp_s16", 19_422_656, 4_392), ("gmlp_b16", 73_075_392, 15_720)])
def test_published_sizes_have_the_published_parameters_and_multiply_adds(name, parameters, million):
    with torch.device("meta"):
        net = published_gmlp(ModelSpec((InputSpec("image", (3, 224, 224)),), 1000), name)
        assert parameter_count(net) == parameters
        assert round(multiply_adds(net, (torch.empty(1, 3, 224, 224),)) / 1e6) == million


def test_published_sizes_take_pictures_from_one_patch_up():
    net = published_gmlp(spec(16), "gmlp_ti16")
    assert net(torch.randn(2, 1, 16, 16)).shape == (2, 10)
    with pytest.raises(RecipeError, match="at least 16×16 pixels"):
        published_gmlp(spec(15), "gmlp_ti16")


def test_its_map_lies_as_the_patches_lie():
    torch.manual_seed(0)
    net, x = gmlp(spec(8, 12), hidden=8, width=4, depth=1, patch=4), torch.randn(2, 1, 8, 12)
    (grid,) = net.feature_maps(x)
    assert grid.shape == (2, 4, 2, 3)
    sequence = net.norm(net.blocks(torch.stack(
        [net.stem(x[:, :, i : i + 4, j : j + 4])[:, :, 0, 0] for i in (0, 4) for j in (0, 4, 8)], dim=1)))
    torch.testing.assert_close(grid[:, :, 1, 0], sequence[:, 3])


@pytest.mark.parametrize("options", [{"hidden": 7}, {"hidden": 0}, {"width": 0}, {"depth": 0}, {"patch": 0},
                                     {"patch": 29}])
def test_wrong_options_are_refused(options):
    with pytest.raises(RecipeError, match=r"model\.options"):
        gmlp(spec(28), **options)


def test_tables_and_inputs_beside_the_picture_are_refused():
    with pytest.raises(RecipeError, match="gmlp takes one picture"):
        gmlp(ModelSpec((InputSpec("number", (4,)),), 2))
    with pytest.raises(RecipeError, match="gmlp takes a picture alone"):
        gmlp(ModelSpec((*spec(8).inputs, InputSpec("number", (4,))), 2))
