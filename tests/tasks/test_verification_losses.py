"""The loss of an example by its distances is the loss of training on a batch that holds just these pairs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from orthogon.nn.metric_losses import prototypical_loss
from orthogon.tasks.verification_losses import losses

OWN = np.array([[0.5, 0.2, np.nan], [1.0, np.nan, np.nan], [np.nan] * 3, [0.3, 0.4, 0.5]])
OTHER = np.array([[0.6, 0.1, 0.9], [1.2, 1.05, np.nan], [0.1, 0.2, 0.3], [np.nan] * 3])


def told(name: str, margin: float = 0.3, mining: str = "semi-hard", squared: bool = False) -> np.ndarray:
    return losses(name, OWN, OTHER, margin, mining, squared)


def known(values: np.ndarray) -> list[float]:
    return values[~np.isnan(values)].tolist()


@pytest.mark.parametrize("squared", [True, False])
@pytest.mark.parametrize("mining", ["semi-hard", "hard", "random"])
def test_triplets_are_those_that_mining_takes(mining: str, squared: bool) -> None:
    found = told("triplet", 0.3, mining, squared)
    for k in (0, 1):
        hinges = []
        others = [far**2 if squared else far for far in known(OTHER[k])]
        for near in (own**2 if squared else own for own in known(OWN[k])):
            taken = {"semi-hard": [far for far in others if near < far < near + 0.3], "hard": [min(others)],
                     "random": others}[mining]
            hinges += [max(near - far + 0.3, 0) for far in taken]
        assert found[k] == pytest.approx(np.mean(hinges), rel=1e-5)
    assert np.isnan(found[2:]).all()


def test_where_mining_takes_none_there_is_no_loss() -> None:
    assert losses("triplet", np.array([[0.1]]), np.array([[0.9]]), 0.2, "semi-hard", False).tolist() == [0]


def test_contrastive_is_the_mean_of_the_two_kinds_of_pairs() -> None:
    found = told("contrastive", 1.1)
    for k in (0, 1):
        same = np.mean([own**2 / 2 for own in known(OWN[k])])
        different = np.mean([max(1.1 - far, 0) ** 2 / 2 for far in known(OTHER[k])])
        assert found[k] == pytest.approx((same + different) / 2, rel=1e-5)
    assert np.isnan(found[2:]).all()


@pytest.mark.parametrize("name", ["siamese", "chi_square"])
def test_learnt_comparisons_cost_the_cross_entropy_of_their_logits(name: str) -> None:
    found = told(name)
    for k in (0, 1):
        same = np.mean([np.log1p(np.exp(own)) for own in known(OWN[k])])
        different = np.mean([np.log1p(np.exp(-far)) for far in known(OTHER[k])])
        assert found[k] == pytest.approx((same + different) / 2, rel=1e-5)


def test_prototypes_cost_what_a_query_costs_beside_one_example_of_each_identity() -> None:
    # On a line: the query at 0, its support at 0.5, the others at 0.6, −0.1 and 0.9.
    found = losses("prototypes", OWN[:1, :1], OTHER[:1], 0.0, "semi-hard", True)
    place = torch.tensor([[0.5], [0.0], [0.6], [-0.1], [0.9]], dtype=torch.float64)
    of_batch = prototypical_loss(place, torch.tensor([0, 0, 1, 2, 3]))
    turned = losses("prototypes", OWN[:1, :1], np.array([[0.1, 0.6, 0.4]]), 0.0, "semi-hard", True)
    assert float(of_batch.sum) == pytest.approx(found[0] + turned[0], rel=1e-5)
    both = told("prototypes")
    each = [losses("prototypes", np.array([[own]]), OTHER[:1], 0.0, "", True)[0] for own in (0.5, 0.2)]
    assert both[0] == pytest.approx(np.mean(each), rel=1e-5)
    assert np.isnan(both[2:]).all()
