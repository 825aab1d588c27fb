"""The losses that a recipe may name for a task."""

import numpy as np
import pytest
import torch
from helpers_tasks import every_row, network, ready, table

from orthogon.data.columns import CategoryColumn, LabelsColumn, NumberColumn
from orthogon.equations import losses as equations
from orthogon.equations.regression_losses import robust
from orthogon.errors import RecipeError
from orthogon.nn.losses import squared_hinge, squared_hinge_probabilities
from orthogon.tasks.baseline_results import regress_results
from orthogon.tasks.classify import Classify
from orthogon.tasks.multilabel import MultiLabel
from orthogon.tasks.regress import Regress
from orthogon.train.recipe import Recipe
from orthogon.train.settings import TaskSettings

N = 30
LABELS = CategoryColumn(np.arange(N) % 3, ["low", "mid", "high"])
NUMBERS = NumberColumn(np.random.default_rng(0).normal(5, 3, N))


def part_and_outputs(task, net):
    batch = task.batch(torch.arange(N))
    return task.loss(net, batch).parts[0], net(*batch.inputs).detach(), batch


def test_classify_takes_the_squared_hinge_in_place_of_cross_entropy():
    task = ready(Classify, table(LABELS), loss="squared_hinge")
    part, scores, batch = part_and_outputs(task, network(task))
    expected, _ = equations.squared_hinge(scores.double().numpy(), batch.target.numpy())
    assert part.sum.item() / part.count == pytest.approx(expected, rel=1e-5)
    assert ready(Classify, table(LABELS)).loss_name == "cross_entropy"


def test_smoothed_labels_of_the_squared_hinge_are_mixed_with_the_uniform_ones():
    task = ready(Classify, table(LABELS), loss="squared_hinge", label_smoothing=0.3)
    part, scores, batch = part_and_outputs(task, network(task))
    mixed = 0.7 * torch.nn.functional.one_hot(batch.target, 3) + 0.1
    torch.testing.assert_close(part.sum, squared_hinge(scores, mixed).sum)


def test_results_of_an_svm_predict_by_score_and_carry_positive_probabilities():
    task = ready(Classify, table(LABELS), loss="squared_hinge")
    rows, net = every_row(task, table(LABELS))
    _, scores, batch = part_and_outputs(task, net)
    shares = squared_hinge_probabilities(scores)
    np.testing.assert_array_equal(rows["prediction"], scores.argmax(1))
    np.testing.assert_allclose(rows["probabilities"], shares, rtol=1e-5)
    np.testing.assert_allclose(rows["loss"], -shares[torch.arange(N), batch.target].log(), rtol=1e-5)
    assert np.isfinite(rows["loss"]).all()


def test_regress_takes_the_robust_loss_with_the_shape_of_the_recipe():
    for shape in (1.0, -1.0, 2.0):
        task = ready(Regress, table(NUMBERS), loss="robust", robust_shape=shape)
        part, outputs, batch = part_and_outputs(task, network(task))
        expected, _ = robust((outputs - batch.target).double().numpy(), shape, 1.0)
        assert part.sum.item() == pytest.approx(expected.sum(), rel=1e-5)
    assert TaskSettings().robust_shape == 1.0


def test_baselines_are_judged_by_the_loss_of_the_task():
    task = ready(Regress, table(NUMBERS), loss="robust", robust_shape=0.0)
    found = regress_results(task, np.arange(N), np.full(N, 5.0))
    error = (5.0 - task.targets(np.arange(N))) / task.std
    np.testing.assert_allclose(found["loss"], np.log(error**2 / 2 + 1), rtol=1e-5)


@pytest.mark.parametrize(
    ("sort", "target", "loss", "said"),
    [
        (Classify, LABELS, "squared", "classify has no loss 'squared'\n  Did you mean 'squared_hinge'"),
        (Regress, NUMBERS, "squared_hinge", "regress has no loss 'squared_hinge'"),
        (MultiLabel, LabelsColumn(np.ones((N, 2), np.float32), "ab"), "huber", "multilabel has no loss 'huber'"),
    ],
)
def test_a_loss_that_the_task_does_not_have_is_told(sort, target, loss, said):
    with pytest.raises(RecipeError, match="task.loss: " + said):
        ready(sort, table(target), loss=loss)


def test_a_loss_that_no_task_has_is_told_by_the_recipe():
    with pytest.raises(RecipeError, match=r"'squared_hinge'.*got 'squared_hing'"):
        Recipe().with_values({"task.loss": "squared_hing"})


def test_a_shape_above_two_is_refused():
    with pytest.raises(RecipeError, match="robust_shape"):
        Recipe().with_values({"task.robust_shape": 2.5})
