"""The network of row 20.04 and its kin."""

import pytest
import torch
from torch import nn

from orthogon.errors import RecipeError
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.vision.localizer import localizer

SPEC = ModelSpec((InputSpec("image", (3, 64, 64)),), 24)


def test_row_20_04_global_average_dense_200_relu_and_outputs_for_20_classes_and_the_box():
    network = localizer(SPEC, trunk="resnet18", grid=1)
    layers = dict(network.head.named_children())
    assert [type(layer) for layer in layers.values()] == [nn.AdaptiveAvgPool2d, nn.Flatten, nn.Linear, nn.ReLU,
                                                          nn.Linear]
    assert (layers["hidden"].in_features, layers["hidden"].out_features) == (512, 200)
    assert (layers["output"].in_features, layers["output"].out_features) == (200, 20 + 4)
    picture = torch.randn(2, 3, 64, 64)
    last = network.eval().feature_maps(picture)[-1]
    dense = torch.relu(last.mean((2, 3)) @ layers["hidden"].weight.T + layers["hidden"].bias)
    expected = dense @ layers["output"].weight.T + layers["output"].bias
    torch.testing.assert_close(network(picture), expected)


def test_the_head_of_the_trunk_is_gone_and_its_parameters_keep_their_names():
    network = localizer(SPEC, trunk="resnet18")
    names = [name for name, _ in network.named_parameters()]
    assert "trunk.layer4.1.conv2.weight" in names
    assert not any("fc" in name for name in names)
    assert network.maps[-1].name == "trunk.layer4"
    assert network.get_submodule(network.maps[-1].name) is network.trunk.layer4


def test_a_grid_knows_places_that_an_average_over_all_forgets():
    spec = ModelSpec((InputSpec("image", (1, 32, 32)),), 4)
    torch.manual_seed(0)
    coarse, average = localizer(spec, grid=4).eval(), localizer(spec, grid=1).eval()
    nn.init.normal_(coarse.head.output.weight)
    nn.init.normal_(average.head.output.weight)
    last = torch.randn(1, coarse.maps[-1].channels, 4, 4)
    turned = last.flip(3)
    torch.testing.assert_close(average.classify(last), average.classify(turned))
    assert not torch.allclose(coarse.classify(last), coarse.classify(turned))


def test_options_reach_the_trunk_and_a_hidden_layer_may_be_left_out():
    network = localizer(SPEC, trunk_options={"width": 8}, hidden=0, grid=2)
    assert network.trunk.stem.conv.out_channels == 8
    assert network.head.output.in_features == network.maps[-1].channels * 4
    assert network(torch.randn(2, 3, 64, 64)).shape == (2, 24)


def test_a_trunk_without_maps_is_refused():
    with pytest.raises(RecipeError, match="mlp has no maps"):
        localizer(SPEC, trunk="mlp")
