"""AlexNet, VGG, SqueezeNet and DenseNet against their papers: what is special to each."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from orthogon.errors import RecipeError
from orthogon.nn.cost import multiply_adds
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.train.build import build_model
from orthogon.train.settings import ModelSettings
from orthogon.vision.alexnet import alexnet, local_response_norm
from orthogon.vision.blocks import choose_form, lone_picture, require_side
from orthogon.vision.densenet import DenseBlock, Transition, densenet
from orthogon.vision.squeezenet import Fire, squeezenet
from orthogon.vision.vgg import vgg


def spec(side: int, outputs: int = 10, channels: int = 3) -> ModelSpec:
    return ModelSpec((InputSpec("image", (channels, side, side)),), outputs)


def count(net: nn.Module) -> int:
    return sum(each.numel() for each in net.parameters())


def on_meta(builder, side: int, outputs: int = 1000, **options) -> nn.Module:
    with torch.device("meta"):
        return builder(spec(side, outputs), **options)


def shares(net: nn.Module) -> list[float]:
    return [each.p for each in net.modules() if isinstance(each, nn.Dropout)]


# --- AlexNet ---


@pytest.mark.parametrize("side", [224, 227])
def test_the_papers_alexnet_has_60_965_224_parameters_and_sees_55_places_from_224_or_227_pixels(side):
    net = on_meta(alexnet, side, groups=2, lrn=True)
    assert count(net) == 60_965_224
    sides = [seen.shape[-1] for seen in net.feature_maps(torch.empty(1, 3, side, side, device="meta"))]
    assert sides == [55, 27, 13, 6]
    assert [each.groups for each in net.features if isinstance(each, nn.Conv2d)] == [1, 2, 1, 2, 2]


def test_local_response_normalization_is_the_papers_formula():
    torch.manual_seed(0)
    x = 30 * torch.randn(2, 7, 3, 3).double()
    squares = x.square()
    neighbors = torch.stack([squares[:, max(0, c - 2) : c + 3].sum(1) for c in range(7)], 1)
    torch.testing.assert_close(local_response_norm()(x), x / (2 + 1e-4 * neighbors) ** 0.75)


def test_alexnet_normalizes_behind_its_first_two_relus_where_that_is_asked_for():
    names = [type(each).__name__ for each in on_meta(alexnet, 224, lrn=True).features]
    assert names[:8] == ["Conv2d", "ReLU", "LocalResponseNorm", "MaxPool2d"] * 2
    assert names.count("LocalResponseNorm") == 2
    assert not [each for each in on_meta(alexnet, 224).features if isinstance(each, nn.LocalResponseNorm)]


def test_alexnet_for_small_pictures_has_one_linear_layer():
    net = alexnet(spec(32))
    assert [tuple(each.weight.shape) for each in net.classifier if isinstance(each, nn.Linear)] == [(10, 256)]
    assert net.features[0].kernel_size == (3, 3)


def test_alexnets_refusals():
    with pytest.raises(RecipeError, match="groups is 1 or 2"):
        alexnet(spec(224), groups=3)
    with pytest.raises(RecipeError, match="at least 63×63 pixels; these have 62×62"):
        alexnet(spec(62), stem="imagenet")


# --- VGG ---


@pytest.mark.parametrize(("side", "left"), [(28, 1), (32, 1), (64, 2), (8, 1), (1, 1)])
def test_vgg_for_small_pictures_pools_no_further_than_to_one_pixel(side, left):
    net = vgg(spec(side), "vgg11", width=4).eval()
    assert net.feature_maps(torch.randn(2, 3, side, side))[-1].shape == (2, 32, left, left)
    assert count(net.classifier) == 32 * 10 + 10


def test_weights_of_vgg_fit_pictures_of_any_side_from_32():
    shapes = [{key: each.shape for key, each in on_meta(vgg, side, 10, variant="vgg16", classifier="imagenet",
                                                         width=4).state_dict().items()} for side in (32, 180, 224)]
    assert shapes[0] == shapes[1] == shapes[2]
    with pytest.raises(RecipeError, match="at least 32×32"):
        vgg(spec(31), "vgg16", classifier="imagenet")


# --- SqueezeNet ---


def test_a_fire_module_squeezes_then_expands_in_two_ways_side_by_side():
    torch.manual_seed(0)
    fire, x = Fire(6, 3, 4), torch.randn(2, 6, 5, 5)
    thin = F.relu(F.conv2d(x, fire.squeeze.weight, fire.squeeze.bias))
    one = F.relu(F.conv2d(thin, fire.expand1x1.weight, fire.expand1x1.bias))
    three = F.relu(F.conv2d(thin, fire.expand3x3.weight, fire.expand3x3.bias, padding=1))
    torch.testing.assert_close(fire(x), torch.cat([one, three], 1))


def test_squeezenets_outputs_are_not_below_zero_as_published_unless_that_is_turned_off():
    torch.manual_seed(0)
    x = torch.randn(8, 3, 32, 32)
    for last_relu in (True, False):
        net = squeezenet(spec(32), "squeezenet1_1", last_relu=last_relu).eval()
        net.classifier[1].bias.data.fill_(-0.05)
        assert (net(x).min() < 0) != last_relu


def test_squeezenet_pools_where_its_version_says():
    pools = lambda variant: [k for k, each in enumerate(on_meta(squeezenet, 224, variant=variant).features)  # noqa: E731
                             if isinstance(each, nn.MaxPool2d)]
    assert pools("squeezenet1_0") == [2, 6, 11]
    assert pools("squeezenet1_1") == [2, 5, 8]


# --- DenseNet ---


def test_e60_a_dense_block_concatenates_what_its_layers_give():
    torch.manual_seed(0)
    block, x = DenseBlock(2, 4, 3, 0.0).eval(), torch.randn(2, 4, 5, 5)
    first = torch.cat([x, block.denselayer1(x)], 1)
    expected = torch.cat([first, block.denselayer2(first)], 1)
    torch.testing.assert_close(block(x), expected)
    assert expected.shape[1] == block.out_channels == 10


def test_a_transition_halves_channels_and_side():
    assert Transition(8)(torch.randn(2, 8, 6, 6)).shape == (2, 4, 3, 3)


def test_growth_sets_the_width_of_a_densenet_throughout():
    net = on_meta(densenet, 224, variant="densenet121", growth=12)
    assert net.features.conv0.out_channels == 24
    assert net.features.denseblock1.denselayer1.conv1.out_channels == 48
    assert net.features.denseblock1.out_channels == 24 + 6 * 12


# --- all of them ---


@pytest.mark.parametrize(("name", "published"), [("vgg11", [0.5, 0.5]), ("alexnet", [0.5, 0.5]), ("resnet18", [0.0]),
                                                 ("squeezenet1_0", [0.5]), ("densenet121", [0.0] * 58)])
def test_dropout_is_as_published_unless_it_is_asked_for(name, published):
    for options, expected in (({}, published), ({"dropout": 0.25}, [0.25] * len(published))):
        with torch.device("meta"):
            net = build_model(spec(224), ModelSettings(name=name, options=options), 0)
        assert shares(net) == expected


def test_what_the_name_decides_is_no_option():
    with pytest.raises(RecipeError, match="resnet18 has no option 'variant'"):
        build_model(spec(32), ModelSettings(name="resnet18", options={"variant": "resnet34"}), 0)


def test_a_form_is_told_by_the_picture_or_asked_for():
    assert [choose_form(InputSpec("image", (1, 100, side)), None) for side in (64, 65)] == ["small", "imagenet"]
    sides = (40, 41, 64, 65)
    assert [choose_form(InputSpec("image", (1, side, 100)), None, middle=True) for side in sides] == [
        "small", "middle", "middle", "imagenet"]
    assert choose_form(InputSpec("image", (1, 100, 100)), "small") == "small"
    assert choose_form(InputSpec("image", (1, 100, 100)), "middle", middle=True) == "middle"
    with pytest.raises(RecipeError, match="stem is imagenet, middle or small; got 'large'"):
        choose_form(InputSpec("image", (1, 8, 8)), "large", middle=True)
    with pytest.raises(RecipeError, match="stem is imagenet or small; got 'middle'"):
        choose_form(InputSpec("image", (1, 8, 8)), "middle")
    with pytest.raises(RecipeError, match=r"model\.options\.classifier: classifier is imagenet or small; got 'smal'"):
        choose_form(InputSpec("image", (1, 8, 8)), "smal", "classifier")


@pytest.mark.parametrize("name", ["mobilenet_v1", "mobilenet_v2", "googlenet", "xception"])
def test_no_picture_of_up_to_64_pixels_takes_more_work_than_one_of_224_as_published(name):
    """At 64 pixels the form for small pictures would take a fifth to a fourth more than the published one at 224."""
    def work(side, **options):
        with torch.device("meta"):
            net = build_model(spec(side), ModelSettings(name=name, options=options), 0).eval()
            return multiply_adds(net, (torch.empty(1, 3, side, side),))

    published = work(224)
    assert work(64, stem="small") > 1.1 * published
    assert max(work(side) for side in (40, 41, 64)) < published / 2


def test_pictures_are_refused_by_their_shorter_side_and_told_what_helps():
    require_side(InputSpec("image", (3, 32, 40)), 32, "net")
    told = r"net needs pictures of at least 32×32 pixels; these have 40×31\n.*size=32, or x\."
    with pytest.raises(RecipeError, match=told):
        require_side(InputSpec("image", (3, 40, 31)), 32, "net", "x")


def test_inputs_that_are_no_lone_picture_are_refused():
    number = InputSpec("number", (4,))
    for inputs in ((number,), (), (number, InputSpec("image", (3, 8, 8)))):
        with pytest.raises(RecipeError, match="net takes one picture"):
            lone_picture(ModelSpec(inputs, 2), "net")
    with pytest.raises(RecipeError, match="net takes a picture alone"):
        lone_picture(ModelSpec((*spec(8).inputs, number), 2), "net")
