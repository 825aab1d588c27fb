"""Xception (row 17.15): counts, and a block written out."""

import pytest
import torch
import torch.nn.functional as F

from orthogon.errors import RecipeError
from orthogon.nn.cost import multiply_adds, parameter_count
from orthogon.nn.freeze import layers
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.vision.xception import Block, xception


def spec(side: int, outputs: int = 1000) -> ModelSpec:
    return ModelSpec((InputSpec("image", (3, side, side)),), outputs)


def test_parameters_keys_and_multiply_adds_are_the_published_ones():
    with torch.device("meta"):
        net = xception(spec(299))
        assert (parameter_count(net), len(net.state_dict())) == (22_855_952, 276)
        assert multiply_adds(net, (torch.empty(1, 3, 299, 299),)) == 8_357_403_496


@pytest.mark.parametrize(("stride", "channels", "relu_first"), [(2, (5, 5), True), (1, (4, 4, 4), True),
                                                                (1, (6, 6), False)])
def test_a_block_adds_separable_convolutions_to_the_way_around_them(stride, channels, relu_first):
    torch.manual_seed(0)
    net, x = Block(4, channels, stride, relu_first).double().eval(), torch.randn(2, 4, 9, 9).double()
    for layer in net.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.eps = 0.0
    convolutions = [layer for layer in net.rep if hasattr(layer, "pointwise")]
    given, kept = x, x.clone()
    for k, layer in enumerate(convolutions):
        given = F.relu(given) if k or relu_first else given
        given = F.conv2d(given, layer.conv1.weight, padding=1, groups=given.shape[1])
        given = F.conv2d(given, layer.pointwise.weight)
    given = F.max_pool2d(given, 3, 2, 1) if stride == 2 else given
    around = x if channels[-1] == 4 else F.conv2d(x, net.skip.weight, stride=stride)
    torch.testing.assert_close(net(x), given + around)
    assert torch.equal(x, kept)  # no ReLU works in place on what the way around reads
    assert len(convolutions) == len(channels)


@pytest.mark.parametrize(("side", "strides", "sides"), [
    (32, [1, 2, 4, 8], [32, 16, 8, 4]), (64, [2, 4, 8, 16], [32, 16, 8, 4]),
    (299, [2, 4, 8, 16, 32], [147, 74, 37, 19, 10])])
def test_one_map_for_each_stride(side, strides, sides):
    with torch.device("meta"):
        net = xception(spec(side), width=0.1)
        given = net.feature_maps(torch.empty(2, 3, side, side))
    assert [each.stride for each in net.maps] == strides
    assert [each.shape for each in given] == [(2, one.channels, side, side) for one, side in zip(net.maps, sides)]


def test_too_small_pictures_are_refused_with_the_smallest_side():
    for stem, smallest in (("small", 8), ("imagenet", 32)):
        with pytest.raises(RecipeError, match=f"at least {smallest}×{smallest} pixels"):
            xception(spec(smallest - 1), stem=stem)
        assert xception(spec(smallest, 3), stem=stem, width=0.1)(torch.randn(2, 3, smallest, smallest)).shape == (2, 3)


def test_the_first_110_layers_of_keras_xception_are_94_here():
    """Row 18.10: `model.layers[:110]`, where Keras counts the input, activations, pooling and additions as well, and a
    separable convolution once."""
    separable, conv, norm, nothing = 2, 1, 1, 0
    first = [nothing, *(conv, norm, nothing) * 2]
    halving = [nothing, separable, norm, nothing, separable, norm, conv, nothing, norm, nothing]
    middle = [*(nothing, separable, norm) * 3, nothing]
    of_keras = first + halving[1:] + halving * 2 + middle * 8 + halving
    with torch.device("meta"):
        net = xception(spec(299))
    here = layers(net)
    frozen = here[: sum(of_keras[:110])]
    assert len(frozen) == 94
    assert frozen[-3:] == ["block11.rep.1.conv1", "block11.rep.1.pointwise", "block11.rep.2"]
    assert here[sum(of_keras) :] == ["conv3.conv1", "conv3.pointwise", "bn3", "conv4.conv1", "conv4.pointwise", "bn4",
                                     net.output_name]
