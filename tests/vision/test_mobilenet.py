"""MobileNet-V1 and V2 (row 17.13's 1×1 bottleneck, taken to the end): counts, names, padding."""

import pytest
import torch
import torch.nn.functional as F

from orthogon.errors import RecipeError
from orthogon.nn.cost import multiply_adds, parameter_count
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.vision.mobilenet import SameConv2d, mobilenet, scaled


def spec(side: int, channels: int = 3, outputs: int = 1000) -> ModelSpec:
    return ModelSpec((InputSpec("image", (channels, side, side)),), outputs)


@pytest.mark.parametrize(("width", "parameters", "million"), [(1.0, 4_231_976, 569), (0.75, 2_585_560, 325),
                                                              (0.5, 1_331_592, 149), (0.25, 470_072, 41)])
def test_v1_has_the_parameters_and_multiply_adds_of_the_paper_at_every_width(width, parameters, million):
    with torch.device("meta"):
        net, picture = mobilenet(spec(224), "mobilenet_v1", width), torch.empty(1, 3, 224, 224)
        assert parameter_count(net) == parameters
        assert multiply_adds(net, (picture,)) // 10**6 == pytest.approx(million, abs=1)


@pytest.mark.parametrize(("variant", "width", "numbers"), [
    ("mobilenet_v2", 1.0, 3_489_097), ("mobilenet_v1", 0.75, 2_578_121), ("mobilenet_v1", 0.25, 467_593)])
def test_with_folded_norms_they_have_the_numbers_of_tensorflows_files(variant, width, numbers):
    with torch.device("meta"):
        net = mobilenet(spec(224, outputs=1001), variant, width)
    layers = [layer for layer in net.modules() if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear)]
    assert sum(layer.weight.numel() + len(layer.weight) for layer in layers) == numbers


def test_v2_has_the_parameters_keys_and_multiply_adds_of_torchvisions():
    with torch.device("meta"):
        net = mobilenet(spec(224), "mobilenet_v2")
        assert (parameter_count(net), len(net.state_dict())) == (3_504_872, 314)
        assert multiply_adds(net, (torch.empty(1, 3, 224, 224),)) == 300_774_272
        assert parameter_count(mobilenet(spec(224), "mobilenet_v2", 0.5)) == 1_968_680
        assert parameter_count(mobilenet(spec(224), "mobilenet_v2", 1.4)) == 6_108_776


def test_channels_are_rounded_as_published():
    assert [scaled(24, width, "mobilenet_v2") for width in (0.35, 0.5, 0.75, 1.4)] == [8, 16, 24, 32]
    assert [scaled(32, width, "mobilenet_v1") for width in (0.1, 0.26, 0.75)] == [8, 8, 24]


@pytest.mark.parametrize("side", [7, 8, 9, 12])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (3, 1), (5, 3), (2, 2), (1, 2)])
def test_same_padding_is_an_explicit_padding_with_the_larger_half_behind(side, kernel, stride):
    torch.manual_seed(0)
    layer, x = SameConv2d(2, 4, kernel, stride), torch.randn(2, 2, side, side + 1)
    places = [-(-side // stride), -(-(side + 1) // stride)]
    wanted = []
    for size, out in zip((side + 1, side), reversed(places)):
        missing = next(n for n in range(kernel + 1) if (size + n - kernel) // stride + 1 >= out)
        wanted += [missing // 2, (missing + 1) // 2]
    assert list(layer(x).shape[2:]) == places
    torch.testing.assert_close(layer(x), F.conv2d(F.pad(x, wanted), layer.weight, layer.bias, stride))


def test_same_and_symmetric_differ_at_stride_two_on_even_sides_alone():
    torch.manual_seed(0)
    nets = {padding: mobilenet(spec(33), "mobilenet_v2", 0.25, padding=padding).eval() for padding in
            ("same", "symmetric")}
    nets["same"].load_state_dict(nets["symmetric"].state_dict())
    found = {side: [net(torch.ones(1, 3, side, side)) for net in nets.values()] for side in (32, 33)}
    torch.testing.assert_close(*found[33])  # 33, 17, 9, 5: zeros on both sides
    assert not torch.allclose(*found[32])


@pytest.mark.parametrize("variant", ["mobilenet_v1", "mobilenet_v2"])
def test_small_pictures_are_halved_three_times_and_large_ones_five_times(variant):
    with torch.device("meta"):
        for side, stem, strides in ((40, None, [1, 2, 4, 8]), (41, None, [1, 2, 4, 8, 16]),
                                    (64, None, [1, 2, 4, 8, 16]), (65, None, [2, 4, 8, 16, 32]),
                                    (64, "imagenet", [2, 4, 8, 16, 32]), (96, "small", [1, 2, 4, 8])):
            net = mobilenet(spec(side), variant, 0.25, stem)
            assert [each.stride for each in net.maps] == strides
            given = net.feature_maps(torch.empty(2, 3, side, side))
            assert [one.shape[1:] for one in given] == [
                (each.channels, -(-side // each.stride), -(-side // each.stride)) for each in net.maps]


def test_in_the_first_block_of_v2_nothing_is_widened_and_the_signal_passes_where_shapes_agree():
    net = mobilenet(spec(96), "mobilenet_v2")
    assert len(net.features[1].conv) == 3
    assert [index for index, block in enumerate(net.features) if getattr(block, "adds", False)] == [
        3, 5, 6, 8, 9, 10, 12, 13, 15, 16]


def test_too_small_pictures_and_wrong_options_are_refused_with_a_remedy():
    with pytest.raises(RecipeError, match="at least 8×8 pixels") as found:
        mobilenet(spec(7), "mobilenet_v2")
    assert "image_size=8" in str(found.value.remedy)
    with pytest.raises(RecipeError, match="at least 32×32 pixels") as found:
        mobilenet(spec(31), "mobilenet_v1", stem="imagenet")
    assert "stem=small" in str(found.value.remedy)
    with pytest.raises(RecipeError, match="symmetric or same"):
        mobilenet(spec(32), "mobilenet_v2", padding="valid")
