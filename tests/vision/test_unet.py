"""U-Net: counts, names, pictures of any size, and a forward pass written out (row 17.12, E60)."""

import pytest
import torch
import torch.nn.functional as F

from orthogon.errors import RecipeError
from orthogon.nn.cost import multiply_adds, parameter_count
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.vision.unet import UNet, unet


def spec(side: int, channels: int = 3, outputs: int = 2) -> ModelSpec:
    return ModelSpec((InputSpec("image", (channels, side, side)),), outputs)


def small(**options) -> UNet:
    torch.manual_seed(0)
    net = unet(spec(16), **{"width": 4, "depth": 2, **options}).eval()
    for layer in net.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2)
    return net


@pytest.mark.parametrize(("channels", "outputs", "options", "parameters", "billion"), [
    (1, 2, {"batch_norm": False}, 31_030_658, 48.096), (3, 2, {}, 31_037_698, 48.172), (3, 1, {}, 31_037_633, 48.167),
    (3, 21, {}, 31_038_933, 48.251)])
def test_it_has_the_parameters_and_multiply_adds_of_the_published_form(channels, outputs, options, parameters, billion):
    with torch.device("meta"):
        net = unet(spec(256, channels, outputs), **options)
        assert parameter_count(net) == parameters
        assert round(multiply_adds(net, (torch.empty(1, channels, 256, 256),)) / 1e9, 3) == billion


def test_the_bilinear_form_has_the_parameters_of_published_files():
    with torch.device("meta"):
        assert parameter_count(unet(spec(256, outputs=1), up="bilinear")) == 17_262_977


def test_names_are_those_of_published_files():
    net = small()
    assert {name.rsplit(".", 1)[0] for name in net.state_dict() if not name.startswith(("down", "up2"))} == {
        *(f"inc.double_conv.{k}" for k in (0, 1, 3, 4)), "up1.up", *(f"up1.conv.double_conv.{k}" for k in (0, 1, 3, 4)),
        "outc.conv"}
    assert "down2.maxpool_conv.1.double_conv.3.weight" in net.state_dict()
    assert net.get_submodule(net.output_name).out_channels == 2
    assert net.output_name.startswith(net.head_name)


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("up", ["transposed", "bilinear"])
def test_maps_of_the_way_down_are_concatenated_in_front_of_those_of_the_way_up_e60(up, batch_norm):
    net, x = small(up=up, batch_norm=batch_norm).double(), torch.randn(2, 3, 8, 12).double()

    def twice(part, x):
        for layer in net.get_submodule(part):
            if isinstance(layer, torch.nn.Conv2d):
                x = F.conv2d(x, layer.weight, layer.bias, padding=1)
            elif isinstance(layer, torch.nn.BatchNorm2d):
                x = F.batch_norm(x, layer.running_mean, layer.running_var, layer.weight, layer.bias)
            else:
                x = F.relu(x)
        return x

    def doubled(part, x):
        if up == "bilinear":
            return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
        return F.conv_transpose2d(x, net.get_submodule(part).weight, net.get_submodule(part).bias, stride=2)

    fine = twice("inc.double_conv", x)
    middle = twice("down1.maxpool_conv.1.double_conv", F.max_pool2d(fine, 2))
    coarse = twice("down2.maxpool_conv.1.double_conv", F.max_pool2d(middle, 2))
    joined = twice("up1.conv.double_conv", torch.cat([middle, doubled("up1.up", coarse)], 1))
    joined = twice("up2.conv.double_conv", torch.cat([fine, doubled("up2.up", joined)], 1))
    torch.testing.assert_close(net(x), F.conv2d(joined, net.outc.conv.weight, net.outc.conv.bias))


@pytest.mark.parametrize(("high", "wide"), [(1, 1), (4, 4), (5, 7), (13, 8), (3, 30)])
def test_any_size_is_padded_with_its_last_pixels_and_cut_to_itself_again(high, wide):
    net, x = small(), torch.randn(2, 3, high, wide)
    repeated = F.pad(x, (0, -wide % 4, 0, -high % 4), mode="replicate")
    assert net(x).shape == (2, 2, high, wide)
    torch.testing.assert_close(net(x), net(repeated)[:, :, :high, :wide])


def test_width_and_depth_are_of_the_channels_and_halvings():
    net = unet(spec(32), width=6, depth=3)
    assert [net.get_submodule(f"down{k}.maxpool_conv.1.double_conv.3").out_channels for k in (1, 2, 3)] == [12, 24, 48]
    assert not hasattr(net, "down4")
    assert unet(spec(32), width=3, depth=0)(torch.randn(1, 3, 5, 5)).shape == (1, 2, 5, 5)


def test_bf16_and_channels_last_agree_with_float32():
    net, x = small(), torch.randn(2, 3, 17, 20)
    expected = net(x)
    torch.testing.assert_close(net.to(memory_format=torch.channels_last)(x), expected)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(net(x).float(), expected, rtol=0.1, atol=0.02)


def test_every_parameter_gets_a_gradient():
    net = small().train()
    net(torch.randn(2, 3, 16, 16)).square().mean().backward()
    assert all(value.grad is not None and value.grad.abs().max() > 0 for value in net.parameters())


@pytest.mark.parametrize("options", [{"up": "nearest"}, {"width": 0}, {"depth": -1}, {"width": 3, "up": "bilinear"}])
def test_wrong_options_are_refused(options):
    with pytest.raises(RecipeError, match=r"model\.options"):
        unet(spec(16), **options)
