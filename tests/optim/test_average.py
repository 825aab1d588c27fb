"""The average of weights."""

from __future__ import annotations

import torch
from torch import nn

from orthogon.optim.average import WeightAverage


def test_the_average_of_weights_follows_its_formula():
    """Row 7.01 on weights; early on the decay is held at (1 + t)/(10 + t)."""
    model = nn.Linear(2, 1)
    average, expected = WeightAverage(model, 0.9), [each.detach().clone() for each in model.parameters()]
    for t in range(1, 100):
        with torch.no_grad():
            for each in model.parameters():
                each += 0.1
        average.update()
        decay = min(0.9, (1 + t) / (10 + t))
        expected = [decay * old + (1 - decay) * new.detach() for old, new in zip(expected, model.parameters())]
    assert average.updates == 99
    for mine, theirs in zip(average.model.parameters(), expected):
        torch.testing.assert_close(mine.detach(), theirs)
        assert not mine.requires_grad


def test_running_statistics_are_copied_as_they_are():
    model = nn.BatchNorm1d(3)
    average = WeightAverage(model, 0.99)
    model(torch.randn(20, 3) + 5)
    average.update()
    torch.testing.assert_close(average.model.running_mean, model.running_mean)
    assert average.model.num_batches_tracked.item() == 1
