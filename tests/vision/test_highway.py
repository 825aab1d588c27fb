"""Highway networks (row 17.10): the algebra of gates."""

import pytest
import torch
import torch.nn.functional as F

from orthogon.errors import RecipeError
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.vision.highway import HighwayLayer, highway


def spec(side: int, channels: int = 1) -> ModelSpec:
    return ModelSpec((InputSpec("image", (channels, side, side)),), 10)


def layer(coupled: bool = True, **biases: float) -> HighwayLayer:
    """In float64; the gates that are named have no weights but this bias."""
    torch.manual_seed(0)
    made = HighwayLayer(3, coupled=coupled).double()
    for name, bias in biases.items():
        torch.nn.init.zeros_(getattr(made, name).weight)
        torch.nn.init.constant_(getattr(made, name).bias, bias)
    return made


def test_a_layer_is_its_formula_and_its_gradients_agree_with_differences():
    x = torch.randn(2, 3, 4, 4).double()
    for coupled in (True, False):
        net = layer(coupled)
        changed = F.relu(F.conv2d(x, net.transform.weight, net.transform.bias, padding=1))
        gate = 1 / (1 + torch.exp(-F.conv2d(x, net.gate.weight, net.gate.bias, padding=1)))
        carry = 1 - gate if coupled else torch.sigmoid(net.carry_gate(x))
        torch.testing.assert_close(net(x), gate * changed + carry * x)
        torch.autograd.gradcheck(lambda x, *_, net=net: net(x), (x.clone().requires_grad_(), *net.parameters()))


def test_closed_it_is_the_identity_open_a_plain_layer_and_half_open_half_a_residual_one():
    x = torch.randn(2, 3, 5, 5).double()
    plain = F.relu(layer().transform(x))
    torch.testing.assert_close(layer(gate=-100.0)(x), x)
    torch.testing.assert_close(layer(gate=100.0)(x), plain)
    torch.testing.assert_close(layer(gate=0.0)(x), (plain + x) / 2)


def test_with_both_gates_open_it_is_a_residual_layer():
    x = torch.randn(2, 3, 5, 5).double()
    net = layer(coupled=False, gate=100.0, carry_gate=100.0)
    torch.testing.assert_close(net(x), F.relu(net.transform(x)) + x)
    torch.testing.assert_close(layer(coupled=False, gate=-100.0, carry_gate=-100.0)(x), torch.zeros_like(x))


def test_gates_lean_at_first_to_letting_the_signal_pass():
    for coupled in (True, False):
        net = highway(spec(28), carry=1.5, coupled=coupled)
        layers = [each for each in net.modules() if isinstance(each, HighwayLayer)]
        assert len(layers) == 3 * 4
        assert all((each.gate.bias == -1.5).all() for each in layers)
        assert all((each.carry_gate is None) is coupled for each in layers)
        assert coupled or all((each.carry_gate.bias == 1.5).all() for each in layers)
    assert (HighwayLayer(2).gate.bias == -2).all()


def test_the_gradient_reaches_the_first_of_many_layers_where_plain_ones_lose_it():
    torch.manual_seed(0)
    layers = [HighwayLayer(8) for _ in range(30)]

    def first_gradient(run):
        x = torch.randn(4, 8, 6, 6, generator=torch.Generator().manual_seed(1)).requires_grad_()
        out = x
        for each in layers:
            torch.nn.init.normal_(each.transform.weight, std=0.05)
            out = run(each, out)
        (out**2).mean().backward()
        return float(x.grad.norm())

    assert first_gradient(lambda each, x: each(x)) > 1e3 * first_gradient(lambda each, x: F.relu(each.transform(x)))


@pytest.mark.parametrize(("side", "maps"), [(8, [(16, 1)]), (28, [(16, 1), (32, 2), (64, 4)]),
                                            (96, [(16, 4), (32, 8), (64, 16)])])
def test_maps_are_halved_while_twelve_pixels_are_left(side, maps):
    net = highway(spec(side))
    assert [(each.channels, each.stride) for each in net.maps] == maps
    assert [tuple(each.shape[1:]) for each in net.feature_maps(torch.randn(2, 1, side, side))] == [
        (channels, side // stride, side // stride) for channels, stride in maps]


def test_wrong_options_and_small_pictures_are_refused():
    for wrong in ({"width": 0}, {"depth": 0}):
        with pytest.raises(RecipeError, match="at least 1"):
            highway(spec(28), **wrong)
    with pytest.raises(RecipeError, match="at least 32×32"):
        highway(spec(31), stem="imagenet")
    with pytest.raises(RecipeError, match="at least 4×4"):
        highway(spec(3))
