"""GoogLeNet and Inception-v3: parallel convolutions, and branches that speak in training (rows 17.13, 17.14)."""

import pytest
import torch
import torch.nn.functional as F

from orthogon.errors import RecipeError
from orthogon.nn.auxiliary import WithAuxiliary
from orthogon.nn.cost import multiply_adds, parameter_count
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.vision.googlenet import Module, googlenet
from orthogon.vision.inception import MODULES, Mixed, inception
from orthogon.vision.localizer import localizer

BUILDERS = {"googlenet": googlenet, "inception_v3": inception}


def spec(side: int, channels: int = 3, outputs: int = 1000) -> ModelSpec:
    return ModelSpec((InputSpec("image", (channels, side, side)),), outputs)


def built(name: str, side: int, outputs: int = 5, **options) -> torch.nn.Module:
    torch.manual_seed(0)
    return BUILDERS[name](spec(side, outputs=outputs), **options)


@pytest.mark.parametrize(("name", "side", "auxiliary", "parameters", "keys", "billion"), [
    ("googlenet", 224, True, 13_004_888, 364, 1.498_376_192),
    ("googlenet", 224, False, 6_624_904, 344, 1.498_376_192),
    ("inception_v3", 299, True, 27_161_264, 580, 5.713_216_096),
    ("inception_v3", 299, False, 23_834_568, 566, 5.713_216_096)])
def test_parameters_keys_and_multiply_adds_are_torchvisions(name, side, auxiliary, parameters, keys, billion):
    with torch.device("meta"):
        net = BUILDERS[name](spec(side), auxiliary=auxiliary)
        assert (parameter_count(net), len(net.state_dict())) == (parameters, keys)
        assert multiply_adds(net, (torch.empty(1, 3, side, side),)) == round(billion * 1e9)
    assert all(layer.eps == 1e-3 for layer in net.modules() if isinstance(layer, torch.nn.BatchNorm2d))


def test_a_module_of_googlenet_is_four_branches_beside_each_other():
    torch.manual_seed(0)
    net, x = Module(6, 2, (3, 4), (2, 5), 3, large=5).eval(), torch.randn(2, 6, 7, 7)

    def layer(part, x):
        conv = part.conv
        return F.relu(F.conv2d(x, conv.weight, padding=conv.kernel_size[0] // 2) / (1 + 1e-3) ** 0.5)

    expected = torch.cat([
        layer(net.branch1, x), layer(net.branch2[1], layer(net.branch2[0], x)),
        layer(net.branch3[1], layer(net.branch3[0], x)), layer(net.branch4[1], F.max_pool2d(x, 3, 1, 1))], 1)
    assert [part.conv.kernel_size for part in (net.branch2[1], net.branch3[1])] == [(3, 3), (5, 5)]
    torch.testing.assert_close(net(x), expected)
    assert net.out_channels == expected.shape[1] == 14


def test_the_papers_form_has_five_by_five_where_the_published_weights_have_three_by_three():
    with torch.device("meta"):
        published, paper = googlenet(spec(224), auxiliary=False), googlenet(spec(224), auxiliary=False, paper=True)
    fives = [(16, 32), (32, 96), (16, 48), (24, 64), (24, 64), (32, 64), (32, 128), (32, 128), (48, 128)]
    assert parameter_count(paper) - parameter_count(published) == sum(16 * a * b for a, b in fives)
    assert paper.get_submodule("inception4e.branch3.1.conv").padding == (2, 2)


@pytest.mark.parametrize("name", MODULES)
def test_modules_of_inception_have_the_published_sizes(name):
    before = {"5b": 192, "5c": 256, "5d": 288, "6a": 288, "7a": 768, "7b": 1280, "7c": 2048}.get(name[-2:], 768)
    after = {"5b": 256, "5c": 288, "5d": 288, "7a": 1280, "7b": 2048, "7c": 2048}.get(name[-2:], 768)
    with torch.device("meta"):
        given = Mixed(before, MODULES[name], 1.0)(torch.empty(1, before, 17, 17))
    assert given.shape[1:] == (after, *((8, 8) if name in ("Mixed_6a", "Mixed_7a") else (17, 17)))


def test_halving_modules_take_the_maximum_and_others_the_mean():
    torch.manual_seed(0)
    x = torch.randn(2, 288, 9, 9)
    halving, keeping = Mixed(288, MODULES["Mixed_6a"], 0.1).eval(), Mixed(288, MODULES["Mixed_5d"], 0.1).eval()
    torch.testing.assert_close(halving(x)[:, -288:], F.max_pool2d(x, 3, 2))
    torch.testing.assert_close(keeping(x)[:, -6:], keeping.branch_pool(F.avg_pool2d(x, 3, 1, 1)))


@pytest.mark.parametrize(("name", "side", "weights"), [("googlenet", 32, [0.3, 0.3]), ("inception_v3", 75, [0.4])])
def test_branches_speak_in_training_and_their_loss_reaches_them(name, side, weights):
    net, x = built(name, side, width=0.1, dropout=0.0), torch.randn(4, 3, side, side)
    given = net.train()(x)
    assert isinstance(given, WithAuxiliary)
    assert [weight for weight, _ in given.auxiliary] == weights
    assert all(beside.shape == given.output.shape == (4, 5) for _, beside in given.auxiliary)
    given.output.square().sum().backward()
    branches = [name for name, _ in net.named_parameters() if name.startswith(("aux", "AuxLogits"))]
    assert branches
    assert all(net.get_parameter(name).grad is None for name in branches)
    net(x).auxiliary[-1][1].square().sum().backward()
    last = {name for name, value in net.named_parameters() if value.grad is not None} & set(branches)
    assert {name.split(".")[0] for name in last} == {"aux2" if name == "googlenet" else "AuxLogits"}
    assert isinstance(net.eval()(x), torch.Tensor)
    assert isinstance(built(name, side, width=0.1, auxiliary=False).train()(x), torch.Tensor)


def test_branches_read_the_maps_that_they_are_published_for():
    with torch.device("meta"):
        google, three = googlenet(spec(224)), inception(spec(299))
    assert google.sides == {"inception4a": ("aux1", 0.3), "inception4d": ("aux2", 0.3)}
    assert three.sides == {"Mixed_6e": ("AuxLogits", 0.4)}
    assert [google.get_submodule(f"{name}.conv.conv").in_channels for name in ("aux1", "aux2")] == [512, 528]


def test_a_map_that_is_large_enough_is_pooled_as_published_for_the_branch_of_inception():
    net = built("inception_v3", 75, width=0.1).eval().AuxLogits
    channels = net.conv0.conv.in_channels
    x = torch.randn(2, channels, 17, 17)
    expected = net.fc(net.conv1(net.conv0(F.avg_pool2d(x, 5, 3))).flatten(1))
    torch.testing.assert_close(net(x), expected)
    assert net(torch.randn(2, channels, 3, 3)).shape == (2, 5)


@pytest.mark.parametrize("name", BUILDERS)
def test_pictures_in_imagenets_scale_are_brought_to_that_of_the_published_weights(name):
    plain, net = (built(name, 75, width=0.1, transform_input=given).eval() for given in (False, True))
    values = torch.rand(2, 3, 75, 75)
    mean, deviation = (torch.tensor(each).view(3, 1, 1) for each in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    torch.testing.assert_close(net((values - mean) / deviation), plain((values - 0.5) / 0.5))
    with pytest.raises(RecipeError, match="in colour"):
        BUILDERS[name](spec(75, channels=1), transform_input=True)


@pytest.mark.parametrize(("name", "side", "strides", "sides"), [
    ("googlenet", 40, [1, 2, 4, 8], [40, 20, 10, 5]), ("googlenet", 64, [2, 4, 8, 16], [32, 16, 8, 4]),
    ("googlenet", 96, [2, 4, 8, 16, 32], [48, 24, 12, 6, 3]),
    ("inception_v3", 299, [2, 4, 8, 16, 32], [147, 71, 35, 17, 8])])
def test_one_map_for_each_stride(name, side, strides, sides):
    with torch.device("meta"):
        net = BUILDERS[name](spec(side), auxiliary=False)
        given = net.feature_maps(torch.empty(2, 3, side, side))
    assert [each.stride for each in net.maps] == strides
    assert [each.shape for each in given] == [(2, one.channels, side, side) for one, side in zip(net.maps, sides)]


def test_too_small_pictures_are_refused_with_the_smallest_side():
    for name, side, smallest in (("googlenet", 7, 8), ("inception_v3", 74, 75)):
        with pytest.raises(RecipeError, match=f"at least {smallest}×{smallest} pixels"):
            built(name, side)
    with pytest.raises(RecipeError, match="at least 32×32") as found:
        built("googlenet", 31, stem="imagenet")
    assert "stem=small" in str(found.value.remedy)
    assert built("googlenet", 8, width=0.1).train()(torch.randn(2, 3, 8, 8)).output.shape == (2, 5)


@pytest.mark.parametrize("name", BUILDERS)
def test_without_its_head_inception_is_a_part_of_other_networks(name):
    """Row 18.11: its maps stand under a head for boxes, with the weights that it has as a classifier."""
    x = torch.randn(2, 3, 75, 75)
    classifier = built(name, 75, width=0.1).eval()
    other = localizer(spec(75, outputs=4), trunk=name, trunk_options={"width": 0.1, "auxiliary": False}, hidden=0)
    theirs = {key.removeprefix("trunk."): each for key, each in other.state_dict().items() if key.startswith("trunk.")}
    weights = {f"trunk.{key}": each for key, each in classifier.state_dict().items() if key in theirs}
    assert set(classifier.state_dict()) - set(theirs) == {
        key for key in classifier.state_dict() if key.startswith(("fc", "aux", "AuxLogits"))}
    other.load_state_dict(weights, strict=False)
    other.eval()
    torch.testing.assert_close(other.feature_maps(x)[-1], classifier.feature_maps(x)[-1])
    assert other(x).shape == (2, 4)
