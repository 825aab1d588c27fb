"""Penalties, max-norm and dropout against the equations, autograd and scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Lasso, Ridge
from torch import nn

from orthogon.equations import regularization as equations
from orthogon.nn.dropout import OriginalDropout
from orthogon.nn.max_norm import limit_norms
from orthogon.nn.penalties import add_l2_gradient, penalized_weights, penalty, soft_threshold


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.LayerNorm([4, 2, 2]), nn.Flatten(),
                         nn.Linear(16, 3)).double()


def test_biases_and_norms_are_not_penalized():
    model = net()
    assert [id(each) for each in penalized_weights(model)] == [id(model[0].weight), id(model[5].weight)]
    model[0].weight.requires_grad_(False)
    assert [id(each) for each in penalized_weights(model)] == [id(model[5].weight)]
    tied = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    tied[1].weight = tied[0].weight
    assert len(penalized_weights(tied)) == 1


def test_e6_l2_is_the_sum_of_squares_and_l1_that_of_absolute_values():
    weights = penalized_weights(net())
    arrays = [each.detach().numpy() for each in weights]
    squared, cache2 = equations.l2_penalty(arrays, 0.3)
    absolute, cache1 = equations.l1_penalty(arrays, 0.2)
    assert float(penalty(weights, l2=0.3).detach()) == pytest.approx(squared, rel=1e-12)
    assert float(penalty(weights, l1=0.2).detach()) == pytest.approx(absolute, rel=1e-12)
    given = penalty(weights, l1=0.2, l2=0.3)
    assert float(given.detach()) == pytest.approx(squared + absolute, rel=1e-12)
    wanted = zip(equations.l2_penalty_backward(1.0, cache2), equations.l1_penalty_backward(1.0, cache1))
    for found, (of_l2, of_l1) in zip(torch.autograd.grad(given, weights), wanted):
        np.testing.assert_allclose(found.numpy(), of_l2 + of_l1, rtol=1e-12)
    assert float(penalty(weights).detach()) == 0
    assert float(penalty([], l1=1.0, l2=1.0)) == 0


def test_e56_the_gradient_of_the_penalty_is_added_to_that_of_the_cost_and_activations_stay():
    model, x = net(), torch.randn(5, 2, 4, 4, dtype=torch.float64)
    weights, before = penalized_weights(model), model(x).detach()
    cost = model(x).square().mean()
    (cost + penalty(weights, l2=0.7)).backward()
    wanted = [each.grad.clone() for each in model.parameters()]
    model.zero_grad()
    model(x).square().mean().backward()
    add_l2_gradient(weights, 0.7)
    for each, expected in zip(model.parameters(), wanted):
        torch.testing.assert_close(each.grad, expected, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(model(x).detach(), before)


def test_weights_that_the_loss_does_not_reach_are_penalized_too():
    weight = nn.Parameter(torch.tensor([[2.0]]))
    add_l2_gradient([weight], 0.5)
    assert weight.grad.tolist() == [[1.0]]


def test_soft_threshold_moves_towards_zero_and_stops_there():
    weights = [torch.tensor([[0.5, -0.5, 0.05], [-0.05, 0.0, 0.1]]), torch.tensor([[-2.0]])]
    soft_threshold(weights, 0.1)
    torch.testing.assert_close(weights[0], torch.tensor([[0.4, -0.4, 0.0], [0.0, 0.0, 0.0]]))
    torch.testing.assert_close(weights[1], torch.tensor([[-1.9]]))
    assert (weights[0] == 0).sum() == 4


def problem() -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    x = torch.randn(80, 10, generator=random, dtype=torch.float64)
    x -= x.mean(0)
    y = x[:, :3] @ torch.tensor([2.0, -1.0, 0.5], dtype=torch.float64) + 0.3 * torch.randn(
        80, generator=random, dtype=torch.float64)
    return x, y - y.mean()


def descended(l1: float, l2: float) -> np.ndarray:
    x, y = problem()
    layer = nn.Linear(10, 1, bias=False).double()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    for _ in range(400):
        optimizer.zero_grad()
        (layer(x).squeeze(1) - y).square().mean().div(2).backward()
        add_l2_gradient([layer.weight], l2)
        optimizer.step()
        soft_threshold([layer.weight], 0.1 * l1)
    return layer.weight.detach().numpy()[0]


def test_l1_with_gradient_steps_is_the_lasso_and_its_zeros_are_exact():
    x, y = (each.numpy() for each in problem())
    found, expected = descended(0.2, 0.0), Lasso(0.2, fit_intercept=False, tol=1e-12).fit(x, y).coef_
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert ((found == 0) == (expected == 0)).all()
    assert (found == 0).sum() >= 5


def test_l2_with_gradient_steps_is_ridge_regression_and_leaves_no_zeros():
    x, y = (each.numpy() for each in problem())
    found = descended(0.0, 0.2)
    np.testing.assert_allclose(found, Ridge(0.2 * len(x), fit_intercept=False).fit(x, y).coef_, atol=1e-9)
    assert (found != 0).all()
    assert np.abs(found).sum() < np.abs(descended(0.0, 0.0)).sum()


def test_max_norm_scales_long_rows_back_and_leaves_the_rest():
    layer = nn.Linear(6, 5).double()
    nn.init.normal_(layer.weight, std=2.0)
    with torch.no_grad():
        layer.weight[1] = 0.01
        layer.weight[2] = 0.0
    before, bias = layer.weight.detach().clone(), layer.bias.detach().clone()
    limit_norms(layer, 0.5)
    np.testing.assert_allclose(layer.weight.detach().numpy(), equations.max_norm(before.numpy(), 0.5), rtol=1e-12)
    norms = layer.weight.detach().norm(dim=1)
    assert norms.max() == pytest.approx(0.5)
    assert torch.equal(layer.weight[1:3], before[1:3])
    assert torch.equal(layer.bias, bias)


def test_max_norm_of_convolutions_is_over_what_comes_into_a_channel():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ConvTranspose2d(4, 2, 3), nn.Embedding(4, 5))
    for module in model:
        nn.init.normal_(module.weight, std=5.0)
    embedding = model[2].weight.detach().clone()
    limit_norms(model, 2.0)
    np.testing.assert_allclose(model[0].weight.detach().flatten(1).norm(dim=1), 2.0, rtol=1e-6)
    np.testing.assert_allclose(model[1].weight.detach().transpose(0, 1).flatten(1).norm(dim=1), 2.0, rtol=1e-6)
    assert torch.equal(model[2].weight, embedding)


def test_max_norm_leaves_frozen_weights_and_those_of_weight_normalization():
    torch.manual_seed(0)
    frozen, normalized, learnt = (nn.Linear(3, 2) for _ in range(3))
    for layer in (frozen, normalized, learnt):
        nn.init.normal_(layer.weight, std=5.0)
    frozen.weight.requires_grad_(False)
    model = nn.Sequential(frozen, nn.utils.parametrizations.weight_norm(normalized), learnt)
    before = [layer.weight.detach().clone() for layer in model]
    limit_norms(model, 1.0)
    assert [torch.equal(layer.weight, old) for layer, old in zip(model, before)] == [True, True, False]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: penalty([torch.ones(1, 1)], l1=-0.1), "l1 is -0.1; a penalty is at least 0"),
        (lambda: penalty([torch.ones(1, 1)], l2=-0.1), "l2 is -0.1"),
        (lambda: add_l2_gradient([nn.Parameter(torch.ones(1, 1))], float("nan")), "l2 is nan"),
        (lambda: soft_threshold([torch.ones(1, 1)], -1.0), "amount is -1.0"),
        (lambda: limit_norms(nn.Linear(1, 1), 0.0), "the largest norm is 0.0; give a number above 0"),
        (lambda: OriginalDropout(1.0), "p is 1.0; give the share of units to drop"),
        (lambda: OriginalDropout(-0.1), "p is -0.1"),
    ],
)
def test_what_does_not_fit_is_said(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_e13_inverted_dropout_divides_by_the_number_keep_prob_and_the_original_form_does_not():
    """Row 5.05: with half of the units dropped, the others count double. The mask is that of forward and backward."""
    torch.manual_seed(0)
    x = torch.rand(4, 50, dtype=torch.float64) + 0.5
    for form, equation in ((nn.Dropout(0.5), lambda a, mask: equations.inverted_dropout(a, mask, 0.5)),
                           (OriginalDropout(0.5), equations.original_dropout)):
        given = x.clone().requires_grad_()
        out = form(given)
        mask = (out != 0).double()
        expected, cache = equation(x.numpy(), mask.numpy())
        np.testing.assert_allclose(out.detach().numpy(), expected, rtol=1e-12)
        (gradient,) = torch.autograd.grad(out.sum(), given)
        np.testing.assert_allclose(gradient.numpy(), np.ones((4, 50)) * cache, rtol=1e-12)
        assert 60 < float(mask.sum()) < 140


def test_original_and_inverted_dropout_are_equal_in_expectation_in_both_modes():
    torch.manual_seed(0)
    x = torch.rand(8, dtype=torch.float64) + 0.5
    original, inverted = OriginalDropout(0.3), nn.Dropout(0.3)
    many = x.expand(40_000, 8)
    torch.testing.assert_close(original(many).mean(0), 0.7 * x, rtol=0.03, atol=0)
    torch.testing.assert_close(inverted(many).mean(0), x, rtol=0.03, atol=0)
    original.eval(), inverted.eval()
    np.testing.assert_allclose(original(x), equations.original_dropout_at_test_time(x.numpy(), 0.7), rtol=1e-12)
    assert torch.equal(inverted(x), x)
    assert repr(OriginalDropout()) == "OriginalDropout(p=0.5)"
    assert torch.equal(OriginalDropout(0.0)(x), x)
