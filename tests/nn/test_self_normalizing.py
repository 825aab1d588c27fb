"""SELU with what belongs to it, and the warning where it is missing."""

import pytest
import torch
from torch import nn

from orthogon.nn.initializers import initialize
from orthogon.nn.models import mlp
from orthogon.nn.self_normalizing import check_self_normalizing
from orthogon.nn.spec import InputSpec, ModelSpec

TABLE = ModelSpec((InputSpec("number", (64,)),), 3)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def test_e86_an_mlp_of_selu_has_lecuns_weights_and_alpha_dropout():
    net = mlp(TABLE, hidden=[128, 64], activation="selu", dropout=0.1, input_dropout=0.05)
    assert check_self_normalizing(net) == []
    assert [type(layer) for layer in net.hidden] == [nn.AlphaDropout, nn.Linear, nn.SELU, nn.AlphaDropout, nn.Linear,
                                                     nn.SELU, nn.AlphaDropout]
    assert float(net.hidden[1].weight.detach().std()) == pytest.approx(64**-0.5, rel=0.05)
    signal = net.train().hidden(torch.randn(4000, 64)).detach()
    assert abs(float(signal.mean())) < 0.1
    assert float(signal.var()) == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize(("initializer", "times"), [("glorot_uniform", "0.82"), ("he_normal", "1.4")])
def test_e86_other_weights_before_selu_are_told(initializer, times):
    (said,) = check_self_normalizing(mlp(TABLE, hidden=[128], activation="selu", initializer=initializer))
    assert said.startswith(f"the weights of 'hidden.0' before SELU have {times}")
    assert "initialize(layer, 'selu')" in said


def test_torchs_own_weights_and_plain_dropout_are_told():
    net = nn.Sequential(nn.Linear(64, 64), nn.SELU(), nn.Dropout(0.2), nn.Conv1d(64, 64, 1), nn.SELU())
    said = check_self_normalizing(net)
    assert len(said) == 3
    assert "'0' before SELU have 0.57" in said[0]
    assert said[1] == "dropout '2' follows SELU, whose mean and variance only AlphaDropout keeps"
    assert "'3' before SELU" in said[2]


def test_what_does_not_disturb_selu_is_not_told():
    for layer in (first := nn.Linear(64, 64), second := nn.Linear(64, 64)):
        initialize(layer, "selu")
    assert check_self_normalizing(nn.Sequential(nn.Dropout(0.5), first, nn.SELU(), nn.Dropout(0.0), second)) == []
    assert check_self_normalizing(nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.5))) == []
    assert check_self_normalizing(nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64), nn.SELU())) == []
    assert check_self_normalizing(nn.Sequential(first, nn.SELU(), nn.Linear(64, 9), nn.ReLU(), nn.Dropout(0.5))) == []
    assert check_self_normalizing(nn.Sequential(nn.Linear(3, 4), nn.SELU())) == []  # too few weights to tell
    assert check_self_normalizing(nn.Sequential(nn.SELU(), nn.Linear(64, 64))) == []


@pytest.mark.parametrize(("size", "ratio", "told"), [(10, 1.65, 0), (10, 1.8, 1), (10, 0.35, 0), (10, 0.25, 1),
                                                     (200, 1.09, 0), (200, 1.11, 1), (200, 0.89, 1)])
def test_a_size_is_wrong_beyond_ten_percent_or_five_standard_errors(size, ratio, told):
    """Of n normal weights the mean square has the standard error √(2/n): 0.14 of 100, 0.007 of 40,000."""
    layer = nn.Linear(size, size)
    nn.init.constant_(layer.weight, (ratio / size) ** 0.5)
    assert len(check_self_normalizing(nn.Sequential(layer, nn.SELU()))) == told
