"""Closed gradients of losses against autograd through torch's own losses."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from orthogon.nn.loss_gradients import sigmoid_cross_entropy, softmax_cross_entropy, squared_error


def agrees(found, outputs, loss):
    total, gradient = found
    expected = loss(leaf := outputs.clone().requires_grad_())
    (by_autograd,) = torch.autograd.grad(expected, leaf)
    torch.testing.assert_close(total, expected.detach(), rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(gradient, by_autograd, rtol=1e-12, atol=1e-14)
    assert not gradient.requires_grad


@pytest.fixture
def logits():
    return 3 * torch.randn(7, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("soft", [False, True])
def test_softmax_cross_entropy_is_prediction_minus_target(logits, weighted, smoothing, soft):
    """dz = ŷ − y for each example: E19, the mean is taken by who knows the count."""
    target = logits.flip(0).softmax(1) if soft else torch.tensor([0, 3, 1, 1, 2, 0, 3])
    weight = torch.linspace(0.5, 2, 7, dtype=torch.float64) if weighted else None

    def loss(z):
        each = F.cross_entropy(z, target, reduction="none", label_smoothing=smoothing)
        return (each if weight is None else each * weight).sum()

    before = logits.clone()
    agrees(softmax_cross_entropy(logits, target, weight, smoothing), logits, loss)
    assert torch.equal(before, logits)


def test_softmax_cross_entropy_keeps_the_type_of_the_logits(logits):
    total, gradient = softmax_cross_entropy(logits, torch.zeros(7, dtype=torch.int64), torch.ones(7))
    assert total.dtype == gradient.dtype == torch.float64


def test_sigmoid_cross_entropy_leaves_out_what_has_no_weight(logits):
    """E25: the second term has log(1 − ŷ)."""
    target = (logits.flip(1) > 0).float()
    weight = torch.linspace(0, 2, 28).reshape(7, 4)
    agrees(sigmoid_cross_entropy(logits, target, weight), logits,
           lambda z: F.binary_cross_entropy_with_logits(z, target.double(), weight.double(), reduction="sum"))
    weight[:, 1] = 0
    assert torch.equal(sigmoid_cross_entropy(logits, target, weight)[1][:, 1], torch.zeros(7, dtype=torch.float64))


@pytest.mark.parametrize("weight", [None, 0.25, torch.linspace(0.5, 2, 7, dtype=torch.float64).unsqueeze(1)])
def test_squared_error(logits, weight):
    target, given = logits.flip(0) + 1, () if weight is None else (weight,)
    agrees(squared_error(logits, target, *given), logits,
           lambda z: ((z - target) ** 2 * (1.0 if weight is None else weight)).sum())
