"""Residual networks against their definition (rows 17.06 to 17.09)."""

import pytest
import torch
import torch.nn.functional as F

from orthogon.errors import RecipeError
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.vision.resnet import BasicBlock, Bottleneck, ZeroPadded, resnet


def spec(side: int, channels: int = 3) -> ModelSpec:
    return ModelSpec((InputSpec("image", (channels, side, side)),), 10)


def without_norm(block: torch.nn.Module) -> torch.nn.Module:
    """In evaluation mode, with norms that change nothing."""
    for norm in block.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.eps = 0.0
    return block.double().eval()


def test_e60_what_goes_around_a_block_is_added_before_the_last_relu():
    torch.manual_seed(0)
    block, x = without_norm(BasicBlock(4, 4, 1, None)), torch.randn(2, 4, 5, 5).double()
    residual = F.conv2d(F.relu(F.conv2d(x, block.conv1.weight, padding=1)), block.conv2.weight, padding=1)
    torch.testing.assert_close(block(x), F.relu(residual + x))


def test_a_bottleneck_has_its_stride_in_the_middle_and_a_projection_around_it():
    torch.manual_seed(0)
    around = torch.nn.Conv2d(4, 8, 1, 2, bias=False)
    block, x = without_norm(Bottleneck(4, 2, 2, around)), torch.randn(2, 4, 6, 6).double()
    narrow = F.relu(F.conv2d(x, block.conv1.weight))
    narrow = F.relu(F.conv2d(narrow, block.conv2.weight, stride=2, padding=1))
    expected = F.relu(F.conv2d(narrow, block.conv3.weight) + F.conv2d(x, around.weight, stride=2))
    torch.testing.assert_close(block(x), expected)


def test_e35_with_zero_weights_a_block_is_the_identity_where_its_input_is_not_negative():
    block = BasicBlock(4, 4, 1, None).eval()
    for weight in (block.conv1.weight, block.conv2.weight):
        torch.nn.init.zeros_(weight)
    x = torch.randn(2, 4, 5, 5)
    with torch.no_grad():
        assert torch.equal(block(x.abs()), x.abs())
        assert torch.equal(block(x), x.relu())


def test_zeros_around_a_block_take_every_second_pixel_and_pad_the_channels_on_both_sides():
    x = torch.randn(2, 4, 6, 6)
    found = ZeroPadded(2, 4)(x)
    assert found.shape == (2, 8, 3, 3)
    assert torch.equal(found[:, 2:6], x[:, :, ::2, ::2])
    assert not found[:, :2].any()
    assert not found[:, 6:].any()


def test_cifars_networks_can_project_too_and_others_pad_with_zeros():
    count = lambda net: sum(each.numel() for each in net.parameters())  # noqa: E731
    projected = count(resnet(spec(32), "resnet20", shortcut="projection")) - count(resnet(spec(32), "resnet20"))
    assert projected == 16 * 32 + 32 * 64 + 2 * (32 + 64)
    padded = resnet(spec(32), "resnet50", shortcut="zeros", width=4)
    assert not [key for key in padded.state_dict() if "downsample" in key]
    assert padded(torch.randn(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize(("side", "stem", "kernel", "strides"), [
    (64, None, 3, [1, 2, 4, 8]), (65, None, 7, [2, 4, 8, 16, 32]), (64, "imagenet", 7, [2, 4, 8, 16, 32]),
    (224, "small", 3, [1, 2, 4, 8]),
])
def test_the_stem_is_that_for_small_pictures_to_64_pixels_unless_it_is_asked_for(side, stem, kernel, strides):
    with torch.device("meta"):
        net = resnet(spec(side), "resnet18", stem=stem)
    assert net.conv1.kernel_size == (kernel, kernel)
    assert [each.stride for each in net.maps] == strides


def test_width_is_that_of_the_first_stage_and_doubles():
    net = resnet(spec(32, 1), "resnet50", width=4)
    assert [each.channels for each in net.maps] == [16, 32, 64, 128]
    assert (net.conv1.in_channels, net.conv1.out_channels, net.fc.in_features) == (1, 4, 128)


@pytest.mark.parametrize(("variant", "norm"), [("resnet18", "bn2"), ("resnet50", "bn3")])
def test_blocks_start_as_the_identity_only_where_that_is_asked_for(variant, norm):
    for asked in (False, True):
        net = resnet(spec(32), variant, width=4, zero_init_residual=asked)
        assert all((getattr(block, norm).weight == (0 if asked else 1)).all() for block in net.layer2)
        assert (net.layer2[0].bn1.weight == 1).all()


def test_first_weights_are_hes_and_the_last_layers_a_tenth_of_lecuns():
    torch.manual_seed(0)
    net = resnet(spec(32), "resnet18")
    weight = net.layer3[0].conv2.weight
    assert float(weight.detach().std()) == pytest.approx((2 / weight[0].numel()) ** 0.5, rel=0.02)
    assert float(net.fc.weight.detach().std()) == pytest.approx(0.1 / 512**0.5, rel=0.05)
    assert not net.fc.bias.any()


def test_dropout_is_before_the_last_layer_and_off_by_default():
    last = torch.ones(200, 64, 1, 1)
    for share in (0.0, 0.5):
        net = resnet(spec(32), "resnet20", dropout=share).train()
        assert (net.classify(last).std(0).max() > 1e-6) == (share > 0)


@pytest.mark.parametrize("options", [{"stem": "large"}, {"shortcut": "zero"}])
def test_unknown_forms_are_refused_with_the_nearest_name(options):
    with pytest.raises(RecipeError, match=r"model\.options"):
        resnet(spec(32), "resnet18", **options)


@pytest.mark.parametrize(("variant", "stem", "smallest"), [("resnet18", "imagenet", 32), ("resnet18", None, 8),
                                                           ("resnet20", None, 4)])
def test_pictures_smaller_than_the_last_stride_are_refused_with_the_smallest_side(variant, stem, smallest):
    with pytest.raises(RecipeError, match=f"at least {smallest}×{smallest} pixels"):
        resnet(spec(smallest - 1), variant, stem=stem)
    assert resnet(spec(smallest), variant, stem=stem, width=4)(torch.randn(2, 3, smallest, smallest)).shape == (2, 10)
