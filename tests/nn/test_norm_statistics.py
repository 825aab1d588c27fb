"""Norms that are given statistics: the same function in evaluation, and then in training too."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from orthogon.nn.norm_statistics import measure_norms, renew_norms, unmeasured_norms


@pytest.fixture
def network():
    torch.manual_seed(0)
    made = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 3),
                         nn.BatchNorm2d(4)).double()
    for norm in (made[1], made[4]):
        nn.init.uniform_(norm.weight, 0.5, 2.0)
        nn.init.uniform_(norm.bias, -1.0, 1.0)
    return made


def pictures() -> torch.Tensor:
    return torch.randn(24, 3, 9, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 3 + 1


def test_the_function_in_evaluation_stays(network):
    before = network.eval()(pictures())
    measure_norms(network, unmeasured_norms(network), [(part,) for part in pictures().split(10)])
    assert torch.allclose(network(pictures()), before, rtol=0, atol=1e-12)


def test_training_then_computes_the_same_on_these_pictures_and_did_not_before(network):
    wanted = network.eval()(pictures())
    assert (network.train()(pictures()) - wanted).abs().max() > 0.1
    for norm in (network[1], network[4]):
        norm.reset_running_stats()
    measure_norms(network, unmeasured_norms(network), [(pictures(),)])
    assert torch.allclose(network.train()(pictures()), wanted, rtol=0, atol=1e-12)


def test_statistics_are_the_mean_and_the_variance_of_the_inputs(network):
    measure_norms(network, unmeasured_norms(network), [(part,) for part in pictures().split(7)])
    given = network[0](pictures()).transpose(0, 1).flatten(1)
    assert torch.allclose(network[1].running_mean, given.mean(1), atol=1e-12)
    assert torch.allclose(network[1].running_var, given.var(1, correction=0), atol=1e-12)


def test_norms_that_have_statistics_are_left_alone_and_the_mode_stays(network):
    network.train()(pictures())
    assert unmeasured_norms(network) == []
    network[4].reset_running_stats()
    kept = network[1].running_mean.clone()
    measure_norms(network, unmeasured_norms(network), [(pictures(),)])
    assert network.training
    assert torch.equal(network[1].running_mean, kept)
    assert network[4].running_mean.any()


def test_a_norm_without_weights_or_without_statistics_is_not_one_of_them():
    plain = nn.Sequential(nn.BatchNorm2d(3, affine=False), nn.BatchNorm2d(3, track_running_stats=False))
    assert unmeasured_norms(plain) == []
    half = nn.BatchNorm2d(3)
    half.running_var[0] = 2.0
    assert unmeasured_norms(half) == []


def test_renewed_norms_have_the_mean_of_the_statistics_of_the_batches():
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Dropout(0.9), nn.BatchNorm2d(2, momentum=0.3))
    net[1].eval()
    net[1].running_mean.fill_(7)
    first, second = torch.randn(6, 1, 3, 3), 4 + torch.randn(5, 1, 3, 3)
    renew_norms(net, [(first,), (second,)])
    given = [net[0](batch).transpose(0, 1).flatten(1) for batch in (first, second)]
    torch.testing.assert_close(net[1].running_mean, sum(each.mean(1) for each in given) / 2)
    torch.testing.assert_close(net[1].running_var, sum(each.var(1) for each in given) / 2)
    assert (net.training, net[1].training, net[3].training) == (True, False, True)
    assert (net[1].momentum, net[3].momentum) == (0.1, 0.3)
    assert float(net[3].running_var.mean()) == pytest.approx(1, abs=0.1)  # norm 1 has normalized; dropout was off
