"""Side branches in the loss of every supervised task (row 5.18): weighed in training, silent in evaluation."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers_tasks import ready, table
from torch import nn

from orthogon.data.columns import CategoryColumn, NumberColumn
from orthogon.nn.auxiliary import WithAuxiliary
from orthogon.nn.cost import multiply_adds
from orthogon.tasks.classify import Classify
from orthogon.tasks.regress import Regress


class Branched(nn.Module):
    """A linear layer with two branches that count 0.3 and 0.4."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.last, self.early, self.late = (nn.Linear(3, outputs) for _ in range(3))

    def forward(self, x, _):
        if not self.training:
            return self.last(x)
        return WithAuxiliary(self.last(x), ((0.3, self.early(x)), (0.4, self.late(x))))


def labels(count: int = 12) -> CategoryColumn:
    return CategoryColumn(np.arange(count) % 3, ("p", "q", "r"))


@pytest.mark.parametrize("weight", [None, np.linspace(0.5, 3, 12)])
def test_the_loss_adds_that_of_each_branch_times_its_weight(weight):
    task = ready(Classify, table(labels(), weight=weight), label_smoothing=0.1)
    torch.manual_seed(0)
    net, batch = Branched(3), task.batch(torch.arange(8))
    cost = lambda branch: (F.cross_entropy(branch(batch.inputs[0]), batch.target, reduction="none",  # noqa: E731
                                           label_smoothing=0.1) * (1 if weight is None else batch.weight)).sum()
    parts = task.loss(net.train(), batch).parts
    assert [part.weight for part in parts] == [1.0, 0.3, 0.4]
    assert all({part.name: part.count} == task.counts(batch) for part in parts)
    torch.testing.assert_close(torch.stack([part.sum for part in parts]),
                               torch.stack([cost(net.last), cost(net.early), cost(net.late)]))
    assert [part.weight for part in task.loss(net.eval(), batch).parts] == [1.0]


def test_regression_weighs_them_too():
    task = ready(Regress, table(NumberColumn(np.linspace(-1, 1, 12))))
    net, batch = Branched(1).train(), task.batch(torch.arange(12))
    parts = task.loss(net, batch).parts
    torch.testing.assert_close(parts[2].sum, (net.late(batch.inputs[0]) - batch.target).square().sum())
    assert [part.weight for part in parts] == [1.0, 0.3, 0.4]


def test_evaluation_gives_the_output_alone_so_that_checks_and_counts_work():
    task = ready(Classify, table(labels()))
    net, batch = Branched(3), task.batch(torch.arange(5))
    task.check_output(net.eval()(*batch.inputs))
    found = task.results(net, batch)
    torch.testing.assert_close(found["probabilities"], net.last(batch.inputs[0]).softmax(1))
    assert multiply_adds(net.train(), batch.inputs) == 5 * 3 * 3
