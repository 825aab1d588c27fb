"""`train` ends with what is wrong with the health of layers, and a run that diverged says what was seen before."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import orthogon as og
from orthogon.errors import Diverged


def net(factor: float, bias: float) -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential(*(each for _ in range(6) for each in (nn.Linear(6, 6), nn.ReLU())), nn.Linear(6, 2))
    with torch.no_grad():
        for layer in model:
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                layer.weight.mul_(factor)
        model[4].bias.fill_(bias)
    return model


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 150)
    return rng.normal(size=(150, 6)) + 2 * label[:, None], label


def test_findings_stand_at_the_end_and_in_the_result(data, capsys):
    run = og.train(data, model=net(1, -100), epochs=2)
    assert "health      dead units: 100 % of the rectified units after layer 4" in capsys.readouterr().out
    (finding,) = run.result["health"]["findings"]
    assert (finding["kind"], finding["layer"]) == ("dead units", "4")
    assert "Dead units" in (run.path / "report.html").read_text()


def test_divergence_names_what_was_seen_before_it(data):
    with pytest.raises(Diverged, match=r"Likely causes.*Seen before it: exploding gradient: the gradient of layer"):
        og.train(data, model=net(40, 0), epochs=2, quiet=True, lr=10.0,
                 options={"train.optimizer": "sgd", "train.schedule": "constant"})
