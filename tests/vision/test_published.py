"""Networks against what was published: parameters, multiply-adds, names of all weights, and what they answer."""

import json
from functools import cache
from pathlib import Path

import pytest
import torch
from closed_form import fill, picture

from orthogon import registry
from orthogon.nn.cost import multiply_adds, parameter_count
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.nn.trunk import PictureNetwork
from orthogon.vision.densenet import rename_legacy

HERE = Path(__file__).parent
GOLDEN = json.loads((HERE / "golden_logits.json").read_text())
MANIFESTS = {path.stem: json.loads(path.read_text()) for path in sorted((HERE / "manifests").glob("*.json"))}
FORMS = {"stem": "imagenet", "classifier": "imagenet"}

TABLE = {
    "alexnet": (61_100_840, 16, 714_188_480),
    "vgg11": (132_863_336, 22, 7_609_090_048), "vgg11_bn": (132_868_840, 62, 7_609_090_048),
    "vgg13": (133_047_848, 26, 11_308_466_176), "vgg13_bn": (133_053_736, 76, 11_308_466_176),
    "vgg16": (138_357_544, 32, 15_470_264_320), "vgg16_bn": (138_365_992, 97, 15_470_264_320),
    "vgg19": (143_667_240, 38, 19_632_062_464), "vgg19_bn": (143_678_248, 118, 19_632_062_464),
    "resnet18": (11_689_512, 122, 1_814_073_344), "resnet34": (21_797_672, 218, 3_663_761_408),
    "resnet50": (25_557_032, 320, 4_089_184_256), "resnet101": (44_549_160, 626, 7_801_405_440),
    "resnet152": (60_192_808, 932, 11_513_626_624),
    "squeezenet1_0": (1_248_424, 52, 818_924_576), "squeezenet1_1": (1_235_496, 52, 349_151_936),
    "densenet121": (7_978_856, 727, 2_834_161_664), "densenet169": (14_149_480, 1015, 3_359_843_328),
}
"""At 224 pixels and 1,000 classes: parameters, entries of the state, multiply-adds; torchvision's own figures."""

CIFAR = {"resnet20": (269_722, 40.55), "resnet32": (464_154, 68.86), "resnet44": (658_586, 97.17),
         "resnet56": (853_018, 125.49), "resnet110": (1_727_962, 252.89)}
"""At 32 pixels and 10 classes: parameters, millions of multiply-adds."""


def built(name: str, high: int, wide: int, outputs: int) -> PictureNetwork:
    entry = registry.models.entry(name)
    options = {each.name: FORMS[each.name] for each in entry.options if each.name in FORMS and name not in CIFAR}
    return entry.load()(ModelSpec((InputSpec("image", (3, high, wide)),), outputs), **options)


@cache
def on_meta(name: str) -> PictureNetwork:
    """As it was published."""
    _, high, wide, outputs = registry.models.entry(name).published
    with torch.device("meta"):
        return built(name, high, wide, outputs)


@pytest.mark.parametrize("name", TABLE)
def test_parameters_states_and_multiply_adds_are_the_published_ones(name):
    net = on_meta(name)
    assert (parameter_count(net), len(net.state_dict())) == TABLE[name][:2]
    assert multiply_adds(net, (torch.empty(1, 3, 224, 224, device="meta"),)) == TABLE[name][2]


@pytest.mark.parametrize("name", CIFAR)
def test_residual_networks_for_cifar_have_the_published_size(name):
    net = on_meta(name)
    work = multiply_adds(net, (torch.empty(1, 3, 32, 32, device="meta"),)) / 1e6
    assert (parameter_count(net), round(work, 2)) == CIFAR[name]


@pytest.mark.parametrize("name", MANIFESTS)
def test_every_weight_has_the_name_the_place_and_the_shape_of_the_published_file(name):
    published = [(key, tuple(shape)) for key, shape in MANIFESTS[name]]
    # Files as old as those for CIFAR have no counters of batches.
    ours = [(key, tuple(value.shape)) for key, value in on_meta(name).state_dict().items()
            if name not in CIFAR or not key.endswith("num_batches_tracked")]
    assert ours == published


@pytest.mark.parametrize("name", GOLDEN)
def test_with_the_same_weights_it_answers_as_torchvisions_or_timms(name):
    high, wide = GOLDEN[name]["size"]
    with torch.device("meta"):
        net = built(name, high, wide, 10)
    net = net.to_empty(device="cpu").eval()
    fill(net)
    with torch.no_grad():
        logits = net(picture(high, wide))[0]
    expected = torch.tensor(GOLDEN[name]["logits"])
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


def test_e32_vgg16_has_blocks_of_2_2_3_3_3_convolutions():
    blocks, run = [], 0
    for layer in on_meta("vgg16").features:
        if isinstance(layer, torch.nn.Conv2d):
            run += 1
        if isinstance(layer, torch.nn.MaxPool2d):
            blocks, run = [*blocks, run], 0
    assert blocks == [2, 2, 3, 3, 3]


def test_old_keys_of_densenets_files_become_the_new_ones():
    new = [key for key, _ in MANIFESTS["densenet121"] if "num_batches" not in key]
    old = {key.replace("norm1.", "norm.1.").replace("conv2.", "conv.2.").replace("norm2.", "norm.2.")
           .replace("conv1.", "conv.1.") if "denselayer" in key else key: k for k, key in enumerate(new)}
    assert set(old) != set(new)
    assert rename_legacy(old) == {key: k for k, key in enumerate(new)} == rename_legacy(dict(zip(new, range(len(new)))))
