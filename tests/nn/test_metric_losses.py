"""Losses of encodings against plain loops in float64, closed forms, and autograd."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from orthogon.nn.metric_losses import (
    PairHead,
    contrastive_loss,
    pair_loss,
    prototypical_loss,
    squared_distances,
    triplet_loss,
)

IDENTITIES = torch.tensor([2, 2, 0, 0, 0, 7, 7, 7, 2])


def drawn(seed: int = 0, n: int = len(IDENTITIES), width: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, width, dtype=torch.float64, generator=generator) * 0.3


def gap(a: Tensor, b: Tensor) -> float:
    return float(sum((x - y) ** 2 for x, y in zip(a.tolist(), b.tolist())))


def test_the_distance_is_of_one_encoding_from_another_not_from_itself_e40() -> None:
    """E40: d = ‖f(x¹) − f(x²)‖², not ‖f(x¹) − f(x¹)‖²."""
    first, second = torch.tensor([[3.0, 0.0], [0.0, 1.0]]), torch.tensor([[0.0, 4.0], [0.0, 1.0], [3.0, 0.0]])
    assert squared_distances(first, second).tolist() == [[25.0, 10.0, 0.0], [9.0, 0.0, 10.0]]


def test_distances_are_never_negative_where_rounding_would_make_them_so() -> None:
    far = torch.full((3, 2), 1e4) + torch.tensor([[0.0], [1e-3], [2e-3]])
    assert (squared_distances(far, far) >= 0).all()


def test_contrastive_loss_draws_pairs_of_one_identity_together_and_pushes_others_to_the_margin() -> None:
    encodings, margin = drawn(), 0.9
    found, expected = contrastive_loss(encodings, IDENTITIES, margin), {True: [], False: []}
    for i in range(len(IDENTITIES)):
        for j in range(i + 1, len(IDENTITIES)):
            squared, same = gap(encodings[i], encodings[j]), bool(IDENTITIES[i] == IDENTITIES[j])
            expected[same].append(squared / 2 if same else max(margin - math.sqrt(squared), 0) ** 2 / 2)
    assert any(each == 0 for each in expected[False])
    assert any(each > 0 for each in expected[False])
    for of, each in ((found.same, expected[True]), (found.different, expected[False])):
        assert float(of.sum) == pytest.approx(sum(each), rel=1e-9)
        assert float(of.count) == len(each)


def test_contrastive_margin_is_one_unless_told() -> None:
    two = torch.tensor([[0.0], [0.25]], dtype=torch.float64)
    found = contrastive_loss(two, torch.tensor([0, 1]))
    assert float(found.different.mean) == pytest.approx(0.75**2 / 2)
    assert float(found.same.count) == 0


def test_contrastive_loss_has_a_gradient_where_two_encodings_are_the_same() -> None:
    encodings = torch.zeros(3, 2, requires_grad=True)
    found = contrastive_loss(encodings, torch.tensor([0, 0, 1]))
    (found.same.sum + found.different.sum).backward()
    assert torch.isfinite(encodings.grad).all()  # type: ignore[arg-type]


def mined(encodings: Tensor, margin: float, mining: str, squared: bool) -> list[float]:
    """The losses of the triplets, by loops."""
    losses = []
    distance = [[gap(a, b) if squared else math.sqrt(gap(a, b)) for b in encodings] for a in encodings]
    names, n = IDENTITIES.tolist(), len(IDENTITIES)
    for a in range(n):
        for p in range(n):
            if p == a or names[p] != names[a]:
                continue
            others = [k for k in range(n) if names[k] != names[a]]
            if mining == "semi-hard":
                others = [k for k in others if distance[a][p] < distance[a][k] < distance[a][p] + margin]
            else:
                others = [min(others, key=lambda k: distance[a][k])]
            losses += [max(distance[a][p] - distance[a][k] + margin, 0) for k in others]
    return losses


@pytest.mark.parametrize("squared", [True, False])
@pytest.mark.parametrize("mining", ["semi-hard", "hard"])
def test_triplets_are_mined_as_loops_would(mining: str, squared: bool) -> None:
    encodings, margin = drawn(1), 0.25
    expected = mined(encodings, margin, mining, squared)
    found = triplet_loss(encodings, IDENTITIES, margin, mining, squared)  # type: ignore[arg-type]
    assert len(expected) > 10
    assert float(found.count) == len(expected)
    assert float(found.sum) == pytest.approx(sum(expected), rel=1e-9)


def test_by_default_triplets_are_semi_hard_with_squared_distances_and_a_margin_of_a_fifth() -> None:
    encodings = drawn(2)
    expected = mined(encodings, 0.2, "semi-hard", squared=True)
    found = triplet_loss(encodings, IDENTITIES)
    assert (float(found.count), float(found.sum)) == (len(expected), pytest.approx(sum(expected)))


def test_random_triplets_take_one_of_another_identity_for_each_pair_each_as_likely() -> None:
    encodings = torch.tensor([[0.0], [1.0], [2.0], [4.0], [7.0]], dtype=torch.float64)
    identities, draw = torch.tensor([0, 0, 1, 2, 3]), torch.Generator().manual_seed(0)
    sums = []
    for _ in range(300):
        found = triplet_loss(encodings, identities, 100.0, "random", generator=draw)
        assert float(found.count) == 2
        sums.append(float(found.sum))
    # Anchor 0: 1 − {4, 16, 49} + 100; anchor 1: 1 − {1, 9, 36} + 100.
    assert set(sums) == {202 - a - b for a in (4, 16, 49) for b in (1, 9, 36)}
    assert sum(sums) / len(sums) == pytest.approx(202 - 23 - 46 / 3, abs=3)


def test_random_triplets_come_from_the_generator_that_is_given() -> None:
    encodings = drawn(3)

    def loss(seed: int) -> float:
        generator = torch.Generator().manual_seed(seed)
        return float(triplet_loss(encodings, IDENTITIES, 5.0, "random", generator=generator).sum)

    assert loss(1) == loss(1) != loss(2)


@pytest.mark.parametrize("mining", ["hard", "random"])
def test_the_loss_of_triplets_in_one_point_is_the_margin(mining: str) -> None:
    found = triplet_loss(torch.ones(9, 4), IDENTITIES, 0.3, mining)  # type: ignore[arg-type]
    assert float(found.mean) == pytest.approx(0.3)


def test_semi_hard_mining_takes_nothing_in_one_point_and_so_draws_nothing_into_it() -> None:
    assert float(triplet_loss(torch.ones(9, 4), IDENTITIES).count) == 0


@pytest.mark.parametrize("mining", ["semi-hard", "hard", "random"])
@pytest.mark.parametrize("identities", [[0, 0, 0], [0, 1, 2]])
def test_without_a_triplet_there_is_no_loss_and_a_gradient_of_zero(mining: str, identities: list[int]) -> None:
    encodings = torch.randn(3, 2, requires_grad=True)
    found = triplet_loss(encodings, torch.tensor(identities), mining=mining)  # type: ignore[arg-type]
    assert (float(found.count), float(found.sum.detach())) == (0, 0)
    found.sum.backward()
    assert (encodings.grad == 0).all()  # type: ignore[union-attr]


def test_an_unknown_mining_is_refused() -> None:
    with pytest.raises(ValueError, match="semi-hard, hard, random"):
        triplet_loss(drawn(), IDENTITIES, mining="soft")  # type: ignore[arg-type]


def prototypes_by_loops(encodings: Tensor, identities: list[int], shots: int) -> list[float]:
    members = {name: [k for k, each in enumerate(identities) if each == name] for name in identities}
    losses = []
    for turn in range(max(len(each) for each in members.values())):
        support = {name: [rows[(turn + s) % len(rows)] for s in range(min(shots, len(rows)))]
                   for name, rows in members.items()}
        means = {name: encodings[rows].mean(0) for name, rows in support.items()}
        for k, name in enumerate(identities):
            if k in support[name]:
                continue
            logits = {other: -gap(encodings[k], mean) for other, mean in means.items()}
            losses.append(math.log(sum(math.exp(each) for each in logits.values())) - logits[name])
    return losses


@pytest.mark.parametrize("shots", [1, 2])
@pytest.mark.parametrize("identities", [IDENTITIES.tolist(), [3, 3, 3, 1, 1, 5, 5, 5, 5]])
def test_prototypes_are_means_of_the_support_and_each_example_takes_its_turn_in_it(
        identities: list[int], shots: int) -> None:
    encodings = drawn(4)
    expected = prototypes_by_loops(encodings, identities, shots)
    found = prototypical_loss(encodings, torch.tensor(identities), shots)
    assert float(found.count) == len(expected) > 0
    assert float(found.sum) == pytest.approx(sum(expected), rel=1e-9)


def test_a_prototype_is_one_example_unless_told() -> None:
    encodings = drawn(5)
    assert float(prototypical_loss(encodings, IDENTITIES).sum) == pytest.approx(
        float(prototypical_loss(encodings, IDENTITIES, 1).sum))


def test_an_identity_with_one_example_is_a_prototype_and_no_query() -> None:
    encodings = torch.tensor([[0.0], [1.0], [3.0]], dtype=torch.float64)
    found = prototypical_loss(encodings, torch.tensor([0, 0, 1]))
    # Turn 0: query 1 against 0 and 3; turn 1: query 0 against 1 and 3.
    expected = math.log(1 + math.exp(1 - 4)) + math.log(1 + math.exp(1 - 9))
    assert (float(found.count), float(found.sum)) == (2, pytest.approx(expected))


def test_prototypes_of_no_example_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        prototypical_loss(drawn(), IDENTITIES, 0)


def test_the_siamese_head_has_one_weight_for_each_feature_e41() -> None:
    """E41: Σ_k w_k |f_k(x¹) − f_k(x²)| + b, one weight for each feature k."""
    head = PairHead(3).double()
    head.weight.data, head.bias.data = torch.tensor([0.5, -2.0, 3.0]).double(), torch.tensor(0.25).double()
    first, second = drawn(6, 2, 3), drawn(7, 4, 3)
    found = head(first, second)
    for i in range(2):
        for j in range(4):
            gaps = [abs(a - b) for a, b in zip(first[i].tolist(), second[j].tolist())]
            assert found[i, j].item() == pytest.approx(0.5 * gaps[0] - 2 * gaps[1] + 3 * gaps[2] + 0.25)


def test_chi_square_divides_the_squared_gap_of_each_feature_by_its_sum() -> None:
    head = PairHead(2, "chi_square").double()
    head.weight.data, head.bias.data = torch.tensor([2.0, -1.0]).double(), torch.tensor(0.5).double()
    found = head(torch.tensor([[3.0, 0.0], [1.0, 0.0]]).double(), torch.tensor([[1.0, 5.0], [1.0, 0.0]]).double())
    expected = [[2 * 4 / 4 - 25 / 5 + 0.5, 2 * 4 / 4 - 0 + 0.5], [0 - 25 / 5 + 0.5, 0.5]]
    assert torch.allclose(found, torch.tensor(expected).double())


def test_a_head_begins_by_calling_near_encodings_alike() -> None:
    head = PairHead(4)
    found = head(torch.zeros(1, 4), torch.tensor([[0.0] * 4, [1.0] * 4, [3.0] * 4]))
    assert found.tolist() == [[1.0, 0.0, -2.0]]


def test_a_head_by_an_unknown_similarity_is_refused() -> None:
    with pytest.raises(ValueError, match="absolute, chi_square"):
        PairHead(2, "cosine")  # type: ignore[arg-type]


def test_pairs_are_judged_once_each_by_binary_cross_entropy() -> None:
    logits, expected = drawn(8, 9, 9) * 5, {True: [], False: []}
    for i in range(9):
        for j in range(i + 1, 9):
            same = bool(IDENTITIES[i] == IDENTITIES[j])
            chance = 1 / (1 + math.exp(-float(logits[i, j])))
            expected[same].append(-math.log(chance if same else 1 - chance))
    found = pair_loss(logits, IDENTITIES)
    assert float(found.same.sum) == pytest.approx(sum(expected[True]), rel=1e-9)
    assert float(found.different.sum) == pytest.approx(sum(expected[False]), rel=1e-9)
    assert (float(found.same.count), float(found.different.count)) == (9, 27)


@pytest.mark.parametrize("loss", [contrastive_loss, triplet_loss, prototypical_loss, pair_loss])
def test_encodings_without_an_identity_each_are_refused(loss: object) -> None:
    with pytest.raises(ValueError, match="identity of each"):
        loss(drawn(), IDENTITIES[:-1])  # type: ignore[operator]
