"""Losses against the equations and closed forms; split batches; wrong input."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.distributions import Categorical, Normal

from orthogon.equations import losses as equations
from orthogon.equations import regression_losses
from orthogon.nn.losses import (
    binary_cross_entropy,
    brier,
    cross_entropy,
    gaussian_kl,
    kl_divergence,
    regression_errors,
    regression_loss,
    sequence_cross_entropy,
    squared_hinge,
    squared_hinge_probabilities,
)
from orthogon.nn.robust_loss import AdaptiveRobustLoss
from orthogon.nn.total import Total, combined, total, weighted_outputs

N, K, T = 7, 4, 5
RANDOM = torch.Generator().manual_seed(0)
LOGITS = torch.randn(N, K, generator=RANDOM, dtype=torch.float64) * 2
OTHER = torch.randn(N, K, generator=RANDOM, dtype=torch.float64)
SHARES = torch.rand(N, K, generator=RANDOM, dtype=torch.float64)
SOFT = SHARES / SHARES.sum(1, keepdim=True)
CODES = torch.tensor([0, 1, 2, 3, 2, 1, 0])
KNOWN = torch.rand(N, K, generator=RANDOM) < 0.6
WEIGHT = torch.tensor([1.0, 2.0, 0.0, 0.5, 3.0, 1.0, 1.5], dtype=torch.float64)
SEQUENCES = torch.randn(N, T, K, generator=RANDOM, dtype=torch.float64)
STEPS = torch.randint(K, (N, T), generator=RANDOM)
LENGTHS = torch.tensor([5, 3, 1, 0, 4, 5, 2])
MASK = torch.arange(T) < LENGTHS[:, None]


def check(loss: Total, given: torch.Tensor, expected: tuple[float, object], backward, pick=lambda gradient: gradient):
    """Value and gradient of the mean against those of the equations."""
    (gradient,) = torch.autograd.grad(loss.mean, given)
    assert float(loss.count) == N
    assert float(loss.mean.detach()) == pytest.approx(expected[0], rel=1e-12)
    np.testing.assert_allclose(gradient.numpy(), pick(backward(1.0, expected[1])), atol=1e-12)


def leaf(values: torch.Tensor) -> torch.Tensor:
    return values.clone().requires_grad_()


@pytest.mark.parametrize("target", [CODES, SOFT], ids=["codes", "soft"])
def test_cross_entropy_is_the_equation(target):
    z = leaf(LOGITS)
    expected = equations.cross_entropy_from_logits(LOGITS.numpy(), target.numpy())
    check(cross_entropy(z, target), z, expected, equations.cross_entropy_from_logits_backward)


def test_smoothing_is_mixing_with_the_uniform_distribution():
    mixed = 0.9 * F.one_hot(CODES, K).double() + 0.1 / K
    torch.testing.assert_close(cross_entropy(LOGITS, CODES, label_smoothing=0.1).sum, cross_entropy(LOGITS, mixed).sum)


def test_e28_softmax_divides_by_the_sum_over_all_classes():
    t = LOGITS.exp()
    expected = -(t / t.sum(1, keepdim=True)).log().gather(1, CODES[:, None]).sum()
    torch.testing.assert_close(cross_entropy(LOGITS, CODES).sum, expected)


def test_e25_binary_cross_entropy_has_the_log_of_one_minus_the_prediction():
    z = leaf(LOGITS)
    expected = equations.binary_cross_entropy_from_logits(LOGITS.numpy(), SHARES.numpy())
    check(binary_cross_entropy(z, SHARES), z, expected, equations.binary_cross_entropy_from_logits_backward)
    wrong = binary_cross_entropy(torch.tensor([[5.0]]), torch.tensor([[0.0]]))
    assert float(wrong.sum) == pytest.approx(-math.log(1 - 1 / (1 + math.exp(-5))), rel=1e-5)


def test_e22_labels_are_a_vector_and_the_loss_is_a_number_that_leaves_unknown_ones_out():
    z, y = leaf(LOGITS), (SHARES > 0.5).double()
    expected = equations.multi_task_cross_entropy(LOGITS.numpy(), y.numpy(), KNOWN.numpy())
    y = torch.where(KNOWN, y, torch.nan)
    loss = binary_cross_entropy(z, y, known=KNOWN)
    assert loss.sum.ndim == 0
    check(loss, z, expected, equations.multi_task_cross_entropy_backward)


def test_reconstruction_sums_over_the_pixels_of_pictures():
    pictures = torch.rand(3, 1, 4, 4, generator=RANDOM, dtype=torch.float64)
    z = torch.randn(3, 1, 4, 4, generator=RANDOM, dtype=torch.float64)
    given = binary_cross_entropy(z, pictures)
    torch.testing.assert_close(given.sum, F.binary_cross_entropy(z.sigmoid(), pictures, reduction="sum"))
    assert given.count == 3


def test_squared_hinge_is_the_equation():
    z = leaf(LOGITS)
    expected = equations.squared_hinge(LOGITS.numpy(), CODES.numpy())
    check(squared_hinge(z, CODES), z, expected, equations.squared_hinge_backward)


def test_squared_hinge_of_soft_labels_is_the_expected_one():
    expected = sum((SOFT[:, k] * F.one_hot(torch.tensor(k), K)[:, None].double().T[0].new_ones(N)) @ torch.stack(
        [squared_hinge(LOGITS[i : i + 1], torch.tensor([k])).sum for i in range(N)]) for k in range(K))
    torch.testing.assert_close(squared_hinge(LOGITS, SOFT).sum, expected)


def test_squared_hinge_is_least_where_its_probabilities_are_those_of_the_labels():
    shares = torch.tensor([[0.5, 0.3, 0.2]], dtype=torch.float64)
    scores = leaf(torch.zeros(1, 3, dtype=torch.float64))
    optimizer = torch.optim.SGD([scores], lr=0.2)
    for _ in range(200):
        optimizer.zero_grad()
        squared_hinge(scores, shares).mean.backward()
        optimizer.step()
    torch.testing.assert_close(squared_hinge_probabilities(scores.detach()), shares)


def test_hinge_probabilities_are_positive_and_sum_to_one_beyond_the_margins():
    given = squared_hinge_probabilities(torch.tensor([[3.0, -5.0], [-2.0, -2.0], [0.0, 0.5]]))
    torch.testing.assert_close(given, torch.tensor([[0.999, 0.001], [0.5, 0.5], [0.4, 0.6]]))
    torch.testing.assert_close(squared_hinge_probabilities(torch.tensor([[9.0, -9.0]]), least=0.1),
                               torch.tensor([[0.9, 0.1]]))


@pytest.mark.parametrize("target", [CODES, SOFT], ids=["codes", "soft"])
def test_brier_is_the_equation(target):
    a = leaf(LOGITS.softmax(1).detach())
    true = F.one_hot(target, K).double() if target.ndim == 1 else target
    expected = regression_losses.brier(a.detach().numpy(), true.numpy())
    check(brier(a, target), a, expected, regression_losses.brier_backward)


def test_kl_divergence_is_the_equation_and_zero_probabilities_add_nothing():
    log_q = leaf(LOGITS.log_softmax(1).detach())
    expected = equations.kl_divergence(SOFT.numpy(), log_q.exp().detach().numpy())
    q = log_q.exp().detach().numpy()
    check(kl_divergence(SOFT, log_q), log_q, expected, equations.kl_divergence_backward, lambda both: both[1] * q)
    sure = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    assert float(kl_divergence(sure, torch.tensor([[0.25, 0.75]]).double().log()).sum) == pytest.approx(math.log(4))
    impossible = torch.tensor([[0.0, -math.inf]], dtype=torch.float64, requires_grad=True)
    none = kl_divergence(sure, impossible).sum
    assert (float(none.detach()), torch.autograd.grad(none, impossible)[0].tolist()) == (0.0, [[-1.0, 0.0]])
    categorical = torch.distributions.kl_divergence(Categorical(SOFT), Categorical(logits=LOGITS))
    torch.testing.assert_close(kl_divergence(SOFT, LOGITS.log_softmax(1)).sum, categorical.sum())


def test_gaussian_kl_is_that_of_torch_distributions():
    given = gaussian_kl(LOGITS, OTHER)
    expected = torch.distributions.kl_divergence(Normal(LOGITS, (OTHER / 2).exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(given.sum, expected.sum())
    assert given.count == N


def test_sequence_loss_sums_over_the_steps_that_there_are():
    z = leaf(SEQUENCES)
    expected = equations.sequence_cross_entropy(SEQUENCES.numpy(), STEPS.numpy(), LENGTHS.numpy())
    target = torch.where(MASK, STEPS, -100)
    check(sequence_cross_entropy(z, target, MASK), z, expected, equations.sequence_cross_entropy_backward)


@pytest.mark.parametrize(
    ("loss", "equation"),
    [("squared", "squared_error"), ("absolute", "absolute_error"), ("huber", "huber")],
)
def test_regression_losses_are_the_equations(loss, equation):
    prediction = leaf(LOGITS)
    expected = getattr(regression_losses, equation)(LOGITS.numpy(), OTHER.numpy())
    check(regression_loss(prediction, OTHER, loss), prediction, expected,
          getattr(regression_losses, f"{equation}_backward"))


def test_regression_loss_is_squared_unless_told_otherwise():
    assert regression_loss(LOGITS, OTHER) == regression_loss(LOGITS, OTHER, "squared")


def test_robust_regression_errors_have_the_shape_asked_for():
    for shape in (1.0, -2.0):
        expected, _ = regression_losses.robust((LOGITS - OTHER).numpy(), shape, 1.0)
        np.testing.assert_allclose(regression_errors(LOGITS, OTHER, "robust", shape), expected, rtol=1e-12)
    torch.testing.assert_close(regression_errors(LOGITS, OTHER, "robust"),
                               regression_errors(LOGITS, OTHER, "robust", 1.0))


LOSSES = {
    "cross_entropy": lambda i, w: cross_entropy(LOGITS[i], CODES[i], w),
    "soft": lambda i, w: cross_entropy(LOGITS[i], SOFT[i], w, 0.1),
    "binary": lambda i, w: binary_cross_entropy(LOGITS[i], SHARES[i], w),
    "multi-task": lambda i, w: binary_cross_entropy(LOGITS[i], SHARES[i], w, KNOWN[i]),
    "squared_hinge": lambda i, w: squared_hinge(LOGITS[i], CODES[i], w),
    "brier": lambda i, w: brier(LOGITS[i].softmax(1), CODES[i], w),
    "kl": lambda i, w: kl_divergence(SOFT[i], LOGITS[i].log_softmax(1), w),
    "gaussian_kl": lambda i, w: gaussian_kl(LOGITS[i], OTHER[i], w),
    "sequence": lambda i, w: sequence_cross_entropy(SEQUENCES[i], STEPS[i], MASK[i], w),
    "regression": lambda i, w: regression_loss(LOGITS[i], OTHER[i], "huber", w),
    "adaptive robust": lambda i, w: AdaptiveRobustLoss(K).double()(LOGITS[i], w),
}


@pytest.mark.parametrize("name", LOSSES)
def test_splitting_a_batch_changes_nothing_and_weights_count(name):
    loss = LOSSES[name]
    each = torch.stack([loss(slice(i, i + 1), None).sum for i in range(N)])
    whole, weighted = loss(slice(0, N), None), loss(slice(0, N), WEIGHT)
    torch.testing.assert_close(whole.sum, each.sum())
    assert whole.count == N
    torch.testing.assert_close(weighted.mean, torch.from_numpy(
        np.array(equations.weighted_examples(each.detach().numpy(), WEIGHT.numpy())[0])))
    assert weighted.count == 9.0
    pieces = [loss(part, WEIGHT[part]) for part in (slice(0, 2), slice(2, 6), slice(6, 7))]
    together = combined(pieces)
    torch.testing.assert_close(together.sum, weighted.sum)
    torch.testing.assert_close(together.count, weighted.count)


def test_e26_the_cost_is_the_plain_mean_of_losses_that_carry_their_minus():
    loss = cross_entropy(LOGITS, CODES)
    assert loss.sum > 0
    torch.testing.assert_close(loss.mean, loss.sum / N)


def test_outputs_are_weighed_by_what_one_cares_about():
    outputs = {"class": cross_entropy(LOGITS, CODES), "box": regression_loss(LOGITS, OTHER)}
    costs = np.array([float(outputs["box"].mean), float(outputs["class"].mean)])
    expected, _ = equations.weighted_outputs(costs, np.array([0.9, 0.1]))
    assert float(weighted_outputs(outputs, {"class": 0.1, "box": 0.9})) == pytest.approx(expected)
    with pytest.raises(ValueError, match="give each output one weight"):
        weighted_outputs(outputs, {"class": 0.1, "bx": 0.9})


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: cross_entropy(LOGITS, CODES + 1), "classes from 1 to 4 for 4 outputs; they count from 0 to 3"),
        (lambda: cross_entropy(LOGITS, CODES - 1), "classes from -1 to 2"),
        (lambda: cross_entropy(LOGITS, CODES[:3]), r"logits \(7, 4\) and target \(3,\)"),
        (lambda: cross_entropy(LOGITS, SOFT[:, :3]), "probabilities N×K"),
        (lambda: cross_entropy(LOGITS[0], CODES[0]), "give N×K"),
        (lambda: cross_entropy(LOGITS[0], SOFT[0]), "give N×K"),
        (lambda: squared_hinge(LOGITS, CODES + 1), "they count from 0"),
        (lambda: brier(LOGITS, CODES + 1), "they count from 0"),
        (lambda: binary_cross_entropy(LOGITS, LOGITS), r"outside \[0, 1\]"),
        (lambda: binary_cross_entropy(LOGITS, SHARES + 1), r"outside \[0, 1\]"),
        (lambda: binary_cross_entropy(LOGITS, SHARES - 1), r"outside \[0, 1\]"),
        (lambda: binary_cross_entropy(LOGITS, SHARES.log() * torch.nan), r"outside \[0, 1\]"),
        (lambda: binary_cross_entropy(LOGITS, SHARES[:, :1]), "must be the same"),
        (lambda: binary_cross_entropy(LOGITS, SHARES, known=KNOWN[:, :1]), "must be the same"),
        (lambda: kl_divergence(SOFT, LOGITS[:1]), "must be the same"),
        (lambda: gaussian_kl(LOGITS, OTHER[:, :1]), "must be the same"),
        (lambda: regression_errors(LOGITS, OTHER[:, :1], "squared"), "must be the same"),
        (lambda: regression_errors(LOGITS, OTHER, "hubert"), "no regression loss 'hubert'. Did you mean 'huber'"),
        (lambda: sequence_cross_entropy(SEQUENCES, STEPS, MASK[:, :2]), "examples × steps"),
        (lambda: sequence_cross_entropy(SEQUENCES, STEPS[:, :2], MASK[:, :2]), "examples × steps"),
        (lambda: sequence_cross_entropy(LOGITS, CODES, CODES > 0), "examples × steps × classes"),
        (lambda: sequence_cross_entropy(SEQUENCES, STEPS + K, MASK), "they count from 0"),
        (lambda: cross_entropy(LOGITS, CODES, WEIGHT[:, None]), r"weights \(7, 1\) for 7 examples"),
    ],
)
def test_what_does_not_fit_is_said(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_a_total_counts_examples_in_the_type_of_the_losses_but_at_least_float32():
    found = total(torch.tensor([1.0, 3.0]), None)
    assert found == (4.0, 2.0)
    assert found.count.dtype == torch.float32
    assert total(LOGITS[:, 0], None).count.dtype == torch.float64
    coarse = torch.ones(1001, dtype=torch.bfloat16, requires_grad=True)
    for weight in (None, torch.ones(1001, dtype=torch.bfloat16)):
        assert total(coarse, weight) == (1001.0, 1001.0)
        assert torch.autograd.grad(total(coarse, weight).mean, coarse)[0].dtype == torch.bfloat16
    assert float(cross_entropy(LOGITS[:0], CODES[:0]).sum) == 0
