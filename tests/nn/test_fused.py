"""Batch norms folded into convolutions."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from orthogon.nn.fused import fused


def warmed(model: nn.Module, *shape: int) -> nn.Module:
    """With running statistics away from 0 and 1, and scales away from 1."""
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data.uniform_(0.5, 2, generator=generator)
            module.bias.data.normal_(generator=generator)
            module.running_mean.normal_(generator=generator)
            module.running_var.uniform_(0.2, 3, generator=generator)
    return model.double().train()


class Residual(nn.Module):
    """Two convolutions with norms, around which the picture passes; the second norm follows an addition."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(3, 3, 3, padding=1, bias=False), nn.BatchNorm2d(3)
        self.conv2, self.norm2 = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)

    def forward(self, x):
        y = self.norm1(self.conv1(x)).relu()
        z = self.conv2(y)
        return self.norm2(z) + z  # z is used twice: its norm must stay


def norms(model: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())


def test_outputs_stay_and_norms_go():
    model = warmed(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 5, 1, groups=1),
                                 nn.BatchNorm2d(5)))
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    light = fused(model)
    assert norms(light) == 0
    torch.testing.assert_close(light(x), model.eval()(x), rtol=1e-12, atol=1e-12)


def test_a_convolution_that_feeds_two_keeps_its_norm():
    model = warmed(Residual())
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    light = fused(model)
    assert norms(light) == 1
    torch.testing.assert_close(light(x), model.eval()(x), rtol=1e-12, atol=1e-12)


def test_the_model_itself_stays_as_it_is():
    model = warmed(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    light = fused(model)
    for value in light.parameters():
        value.data.zero_()
    assert model.training
    assert not light.training
    assert norms(model) == 1
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


class Shared(nn.Module):
    """One convolution, used twice, with a norm each."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.norm1, self.norm2 = nn.BatchNorm2d(3), nn.BatchNorm2d(3)

    def forward(self, x):
        return self.norm2(self.conv(self.norm1(self.conv(x))))


def test_a_convolution_that_is_used_twice_keeps_its_norms():
    model = warmed(Shared())
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    light = fused(model)
    assert norms(light) == 2
    torch.testing.assert_close(light(x), model.eval()(x), rtol=1e-12, atol=1e-12)


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1)

    def forward(self, x):
        return self.norm(self.conv(x)) if x.sum() > 0 else x


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_network_that_cannot_be_followed_is_copied(sign):
    model = warmed(Branching())
    x = torch.full((1, 1, 2, 2), sign, dtype=torch.float64)
    light = fused(model)
    assert light is not model
    assert not light.training
    torch.testing.assert_close(light(x), model.eval()(x))
