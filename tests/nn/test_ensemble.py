"""Averaged probabilities, by value (row 31.01)."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from orthogon.nn.ensemble import Ensemble, mean_of_probabilities


def test_the_mean_is_of_probabilities_not_of_logits() -> None:
    """0.9 and 0.2 make 0.55; the mean of logits would make 0.6."""
    logits = [torch.tensor([[math.log(0.9), math.log(0.1)]]), torch.tensor([[math.log(2.0), math.log(8.0)]])]
    found = mean_of_probabilities(logits)
    assert torch.allclose(found.exp(), torch.tensor([[0.55, 0.45]]))


def test_what_is_given_is_the_log_of_probabilities_and_good_as_logits() -> None:
    logits = [torch.randn(6, 4, generator=torch.Generator().manual_seed(k)) * 5 for k in range(3)]
    found = mean_of_probabilities(iter(logits))
    expected = torch.stack([each.softmax(1) for each in logits]).mean(0)
    assert torch.allclose(found.exp().sum(1), torch.ones(6))
    assert torch.allclose(found.softmax(1), expected, atol=1e-6)


def test_logits_far_apart_neither_overflow_nor_vanish() -> None:
    found = mean_of_probabilities([torch.tensor([[800.0, -800.0]]), torch.tensor([[-800.0, 800.0]])])
    assert found.tolist() == [[pytest.approx(math.log(0.5)), pytest.approx(math.log(0.5))]]


def test_half_precision_is_averaged_in_single_precision() -> None:
    assert mean_of_probabilities([torch.zeros(1, 3, dtype=torch.bfloat16)]).dtype == torch.float32


def test_an_ensemble_hands_all_inputs_to_each_member_and_counts_the_parameters_of_all() -> None:
    class Sum(nn.Module):
        def __init__(self, factor: float) -> None:
            super().__init__()
            self.factor = nn.Parameter(torch.tensor(factor))

        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return self.factor * (x + y)

    model, x = Ensemble([Sum(1.0), Sum(3.0)]), torch.tensor([[0.0, 1.0, -2.0]])
    expected = ((2 * x).softmax(1) + (6 * x).softmax(1)) / 2
    assert torch.allclose(model(x, x).exp(), expected)
    assert sum(each.numel() for each in model.parameters()) == 2


def test_one_member_alone_predicts_as_before() -> None:
    layer, x = nn.Linear(3, 4), torch.randn(5, 3)
    assert torch.allclose(Ensemble([layer])(x), layer(x).log_softmax(1), atol=1e-6)


def test_nothing_to_average_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to average"):
        mean_of_probabilities([])
    with pytest.raises(ValueError, match="no members"):
        Ensemble([])
