"""Losses against closed forms and torch's own."""

import torch
import torch.nn.functional as F

from orthogon.nn.losses import masked_binary_cross_entropy, regression_errors, soft_cross_entropy


def test_soft_cross_entropy_closed_form():
    torch.manual_seed(0)
    logits, target = torch.randn(6, 4, dtype=torch.float64), torch.rand(6, 4, dtype=torch.float64)
    target = target / target.sum(1, keepdim=True)
    expected = torch.logsumexp(logits, 1) - (target * logits).sum(1)
    torch.testing.assert_close(soft_cross_entropy(logits, target), expected)


def test_smoothing_is_mixing_with_the_uniform_distribution():
    torch.manual_seed(0)
    logits, codes = torch.randn(5, 3, dtype=torch.float64), torch.tensor([0, 1, 2, 1, 0])
    mixed = 0.9 * F.one_hot(codes, 3).double() + 0.1 / 3
    torch.testing.assert_close(soft_cross_entropy(logits, codes, 0.1), soft_cross_entropy(logits, mixed))


def test_masked_binary_cross_entropy_leaves_out_weight_zero():
    torch.manual_seed(0)
    logits, target = torch.randn(5, 3), torch.randint(0, 2, (5, 3)).float()
    weight = torch.randint(0, 2, (5, 3)).float()
    total, count = masked_binary_cross_entropy(logits, target, weight)
    chosen = weight == 1
    expected = F.binary_cross_entropy(logits.sigmoid()[chosen], target[chosen])
    torch.testing.assert_close(total / count, expected)


def test_regression_errors():
    given, true = torch.tensor([0.0, 3.0]), torch.tensor([0.5, 0.0])
    assert regression_errors(given, true, "squared").tolist() == [0.25, 9.0]
    assert regression_errors(given, true, "absolute").tolist() == [0.5, 3.0]
    assert regression_errors(given, true, "huber").tolist() == [0.125, 2.5]
