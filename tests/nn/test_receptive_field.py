"""What units can see, against the recursion, published figures, and not-a-numbers put into a picture."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.equations.convolution_sizes import ReceptiveField, Window, receptive_field
from orthogon.nn.receptive_field import rectangles
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.registry import models

CONV3, POOL2 = (3, 1, 1), (2, 2)


def seen_by_nan(model: nn.Module, shape: tuple[int, ...], name: str, others: tuple[Tensor, ...] = ()) -> Tensor:
    """The same rectangles, found by putting NaN into a row or a column of the picture and seeing where it comes out.

    In float64: the fast convolutions of float32 (Winograd) let a NaN out farther than it is seen.
    """
    model = model.double().eval()
    kept: list[Tensor] = []
    dict(model.named_modules())[name].register_forward_hook(lambda _, __, output: kept.append(output))
    _, height, width = shape
    with torch.no_grad():
        model(torch.rand(1, *shape, dtype=torch.float64), *(each.double() for each in others))
        found = torch.zeros(*kept[0].shape[2:], 4, dtype=torch.int64)
        for side, length in ((1, height), (0, width)):
            spoilt = torch.rand(length, *shape, dtype=torch.float64)
            for k in range(length):
                spoilt[k].select(2 - side, k).fill_(torch.nan)
            kept.clear()
            model(spoilt, *(each.double().expand(length, -1) for each in others))
            touched = kept[0].isnan().any(1)  # length × h × w
            where = torch.arange(length).view(-1, 1, 1)
            found[..., side] = where.where(touched, length).amin(0)
            found[..., side + 2] = where.where(touched, -1).amax(0) + 1
    return found.where(found[..., 2:3] > 0, 0)


def _chain(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(*layers)


class Branches(nn.Module):
    """All that a picture network is made of: shortcuts, concatenation, groups, dilation, pools, a squeeze, in place."""

    def __init__(self, squeeze: bool = False) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(2, 4, 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(4), nn.ReLU(True))
        self.wide = nn.Conv2d(4, 4, 3, padding=4, dilation=4, groups=2)
        self.tall = nn.Conv2d(4, 4, (1, 5), padding="same")
        self.depthwise = nn.Conv2d(4, 4, 3, padding=1, groups=4)
        self.squeeze = nn.Conv2d(4, 4, 1) if squeeze else None
        self.join = nn.Conv2d(12, 3, 1)
        self.last = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        y = F.avg_pool2d(F.pad(x, (0, 1, 1, 0)), 2, 1) + x
        y += self.depthwise(x)
        if self.squeeze is not None:
            y = y * torch.sigmoid(self.squeeze(y.mean((2, 3), keepdim=True)))
        z = torch.cat([self.wide(x), self.tall(F.max_pool2d(x, 3, 1, 1)), F.hardswish(y)], dim=1)
        return self.last(F.max_pool2d(self.join(z), 3, 2, ceil_mode=True))


class Gated(nn.Module):
    """Attention of one place to all, and a matrix of the picture with itself."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.last = nn.Conv2d(2, 4, 4, stride=4), nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        q = self.patches(x).flatten(2)
        mixed = (q.transpose(1, 2) @ q).softmax(2) @ q.transpose(1, 2)
        return self.last(mixed.transpose(1, 2).unflatten(2, (3, 4)))


@pytest.mark.parametrize(("layers", "expected"), [
    ([], ReceptiveField(1, 1, 0)),
    ([(3,)], ReceptiveField(3, 1, 0)),
    ([(3, 2, 1)], ReceptiveField(3, 2, -1)),
    ([(5, 1, 2), (2, 2), (5,), (2, 2)], ReceptiveField(16, 4, -2)),  # LeNet-5 on 28 pixels
    ([(3, 1, 2, 2), (3, 2, 4, 4)], ReceptiveField(13, 2, -6)),
])
def test_a_receptive_field_adds_what_each_layer_sees_times_the_stride_before_it(
    layers: list[tuple[int, ...]], expected: ReceptiveField
) -> None:
    assert receptive_field([Window(*each) for each in layers]) == expected


def _vgg16() -> list[tuple[int, ...]]:
    return [layer for depth in (2, 2, 3, 3, 3) for layer in [CONV3] * depth + [POOL2]]


def _resnet(*blocks: int) -> list[tuple[int, ...]]:
    """As published by its authors in TensorFlow: the last block of each of the first three stages halves."""
    layers: list[tuple[int, ...]] = [(7, 2, 3), (3, 2, 1)]
    for stage, count in enumerate(blocks):
        layers += [CONV3] * (count - 1) + [(3, 2 if stage < 3 else 1, 1)]
    return layers


@pytest.mark.parametrize(("layers", "size", "stride"), [
    (_vgg16()[:-1], 196, 16),
    (_vgg16(), 212, 32),
    ([(11, 4), (3, 2), (5, 1, 2), (3, 2), CONV3, CONV3, CONV3, (3, 2)], 195, 32),  # AlexNet, second version
    (_resnet(3, 4, 6, 3), 483, 32),
    (_resnet(3, 4, 23, 3), 1027, 32),
    (_resnet(3, 8, 36, 3), 1507, 32),
])
def test_receptive_fields_are_those_published_for_known_networks(
    layers: list[tuple[int, ...]], size: int, stride: int
) -> None:
    """Araujo, Norris & Sim 2019, table of Distill's article; conv5_3 of VGG-16 from its definition."""
    found = receptive_field([Window(*each) for each in layers])
    assert (found.size, found.step) == (size, stride)


def test_the_span_of_a_unit_starts_a_stride_after_that_of_the_one_before_it() -> None:
    field = receptive_field([Window(3, 2, 1), Window(3, 1, 1)])
    assert [field.span(unit) for unit in (0, 1, 5)] == [(-3, 4), (-1, 6), (7, 14)]


def test_rectangles_of_a_chain_are_the_spans_of_the_recursion_cut_at_the_borders() -> None:
    model = _chain(nn.Conv2d(3, 4, 5, stride=2, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
                   nn.Conv2d(4, 2, 3, padding=2, dilation=2), nn.AvgPool2d(2))
    field = receptive_field([Window(5, 2, 2), Window(3, 2, 1), Window(3, 1, 2, 2), Window(2, 2)])
    found = rectangles(model, torch.zeros(1, 3, 40, 56), ["4"])["4"]
    assert found.dtype == torch.int64
    assert found.shape == (5, 7, 4)
    for y in range(5):
        for x in range(7):
            (left, right), (top, bottom) = field.span(x), field.span(y)
            assert found[y, x].tolist() == [max(0, left), max(0, top), min(56, right), min(40, bottom)]


def test_the_rectangles_of_vgg16_at_conv5_3_are_196_pixels_wide() -> None:
    channels, layers = 3, []
    for width, depth in ((4, 2), (4, 2), (4, 3), (4, 3), (4, 3)):
        for _ in range(depth):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
            channels = width
        layers.append(nn.MaxPool2d(2))
    found = rectangles(_chain(*layers), torch.zeros(1, 3, 224, 224), ["28"])["28"]
    assert found[7, 7].tolist() == [22, 22, 218, 218]
    assert found[0, 13].tolist() == [118, 0, 224, 106]


@pytest.mark.parametrize(("layer", "size", "side"), [("layer1", 43, 96), ("layer2", 99, 160), ("layer3", 211, 256)])
def test_the_rectangles_of_resnet18_are_as_wide_as_its_longest_path(layer: str, size: int, side: int) -> None:
    """7 + 2·2 + 4·2·4 = 43 after the first stage; the shortcuts see less."""
    model = models.load("resnet18")(ModelSpec((InputSpec("image", (3, side, side)),), 2))
    found = rectangles(model, torch.zeros(1, 3, side, side), [layer])[layer]
    assert (found[..., 2:] - found[..., :2]).amax().item() == size


@pytest.mark.parametrize("squeeze", [False, True])
def test_rectangles_are_where_not_a_numbers_come_out_of_a_network_with_branches(squeeze: bool) -> None:
    model = Branches(squeeze)
    found = rectangles(model, torch.zeros(1, 2, 21, 18), ["stem", "wide", "tall", "depthwise", "last"])
    for name in ("stem", "wide", "tall", "depthwise", "last"):
        assert torch.equal(found[name], seen_by_nan(model, (2, 21, 18), name)), name
    assert found["stem"].shape == (11, 9, 4)


@pytest.mark.parametrize("layer", [
    nn.InstanceNorm2d(4), nn.GroupNorm(2, 4), nn.LayerNorm([4, 8, 6]), nn.LocalResponseNorm(3), nn.BatchNorm2d(4),
    nn.Softmax(dim=3), nn.AdaptiveAvgPool2d((3, 3)), nn.AdaptiveMaxPool2d((3, 4)), nn.Upsample(scale_factor=2),
    nn.Softmax2d(), nn.PReLU(4), nn.LeakyReLU(inplace=True), nn.Hardswish(inplace=True), nn.ELU(), nn.GELU(),
    nn.SiLU(), nn.Hardtanh(), nn.ReflectionPad2d(1), nn.ReplicationPad2d(1), nn.ZeroPad2d((2, 0, 1, 3)),
    nn.Linear(6, 5), nn.ChannelShuffle(2), nn.PixelShuffle(2), nn.PixelUnshuffle(2),
    nn.Dropout(), nn.Flatten(0, 1),
], ids=lambda layer: type(layer).__name__)
def test_every_layer_sees_what_a_not_a_number_shows(layer: nn.Module) -> None:
    if isinstance(layer, nn.Flatten):
        layer = nn.Sequential(nn.Flatten(2), nn.Unflatten(2, (4, 12)))
    model = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), layer)
    assert torch.equal(rectangles(model, torch.zeros(1, 2, 8, 6), ["1"])["1"], seen_by_nan(model, (2, 8, 6), "1"))


def test_attention_sees_the_whole_picture() -> None:
    found = rectangles(Gated(), torch.zeros(1, 2, 12, 16), ["patches", "last"])
    assert found["patches"][1, 2].tolist() == [8, 4, 12, 8]
    assert (found["last"] == torch.tensor([0, 0, 16, 12])).all()


def test_an_operation_that_is_not_known_is_taken_to_see_everything() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.Upsample(scale_factor=2, mode="bilinear"))
    assert (rectangles(model, torch.zeros(1, 1, 4, 4), ["1"])["1"] == torch.tensor([0, 0, 4, 4])).all()


def test_an_addition_in_place_leaves_what_stood_in_for_the_same_values_alone() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.far, self.near, self.last = nn.Conv2d(1, 1, 5, padding=2), nn.ReLU(), nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            y = self.near(x)
            y += self.far(x)
            return self.last(x) + y

    found = rectangles(Net(), torch.zeros(1, 1, 9, 9), ["last"])["last"]
    assert found[4, 4].tolist() == [4, 4, 5, 5]


def test_a_unit_that_sees_padding_alone_has_an_empty_rectangle() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 1, padding=1))
    found = rectangles(model, torch.zeros(1, 1, 2, 2), ["0"])["0"]
    assert found[0, 0].tolist() == [0, 0, 0, 0]
    assert found[1, 2].tolist() == [1, 0, 2, 1]


def test_inputs_beside_the_picture_are_handed_on() -> None:
    spec = ModelSpec((InputSpec("image", (1, 12, 12)), InputSpec("number", (3,))), 2)
    model = models.load("convnet")(spec)
    numbers = torch.zeros(1, 3)
    found = rectangles(model, (torch.zeros(1, 1, 12, 12), numbers), ["stages"])["stages"]
    assert torch.equal(found, seen_by_nan(model, (1, 12, 12), "stages", (numbers,)))


@pytest.mark.parametrize(("name", "layer"), [("lenet5", "s4"), ("convnet", "stages.0.entry"), ("gmlp", "stem")])
def test_rectangles_of_registered_networks_are_where_not_a_numbers_come_out(name: str, layer: str) -> None:
    model = models.load(name)(ModelSpec((InputSpec("image", (1, 28, 28)),), 3))
    found = rectangles(model, torch.zeros(1, 1, 28, 28), [layer])[layer]
    assert torch.equal(found, seen_by_nan(model, (1, 28, 28), layer))


def test_a_module_without_maps_is_refused_and_the_network_is_as_before() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 3), nn.Flatten(), nn.Dropout()).train()
    with pytest.raises(ValueError, match="'1' gives no maps: expected a module whose output is N×channels"):
        rectangles(model, torch.zeros(1, 1, 4, 4), ["0", "1"])
    assert model[2].training
    assert not any(module._forward_hooks for module in model)
