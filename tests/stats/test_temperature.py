import numpy as np
import pytest
import torch
from scipy.special import expit, softmax

from orthogon.errors import DataError
from orthogon.stats import apply_temperature, cross_entropies, fit_temperature, logits_of

generator = np.random.default_rng(0)
GRID = np.exp(np.linspace(np.log(0.05), np.log(20), 601))


def classes(n=500, k=4, hotter=1.0):
    logits = 2 * generator.normal(size=(n, k))
    target = np.array([generator.choice(k, p=row) for row in softmax(logits, axis=1)])
    return hotter * logits, target


def labels(n=500, hotter=1.0):
    logits = 2 * generator.normal(size=n)
    return hotter * logits, (generator.random(n) < expit(logits)).astype(int)


@pytest.mark.parametrize("made", [classes, labels])
@pytest.mark.parametrize("hotter", [0.4, 1.0, 3.0])
def test_fitted_temperature_is_the_best_of_a_fine_grid(made, hotter):
    logits, target = made(hotter=hotter)
    losses = [cross_entropies(logits / t, target).mean() for t in GRID]
    found = fit_temperature(logits, target)
    assert found == pytest.approx(GRID[np.argmin(losses)], rel=6e-3)
    assert cross_entropies(logits / found, target).mean() <= min(losses) + 1e-12
    assert found == pytest.approx(hotter, rel=0.2)


def test_cross_entropies_agree_with_torch():
    logits, target = classes(20)
    expected = torch.nn.functional.cross_entropy(torch.tensor(logits), torch.tensor(target), reduction="none")
    assert cross_entropies(logits, target) == pytest.approx(expected.numpy())
    logits, target = labels(20)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        torch.tensor(logits), torch.tensor(target, dtype=torch.float64), reduction="none"
    )
    assert cross_entropies(logits, target) == pytest.approx(expected.numpy())


def test_applied_temperature_gives_probabilities_and_keeps_the_order_of_classes():
    logits, _ = classes(30)
    found = apply_temperature(logits, 2.5)
    assert found == pytest.approx(np.exp(logits / 2.5) / np.exp(logits / 2.5).sum(axis=1, keepdims=True))
    assert np.array_equal(found.argsort(axis=1), logits.argsort(axis=1))
    assert apply_temperature(np.array([-2.0, 3.0]), 0.5) == pytest.approx(1 / (1 + np.exp([4.0, -6.0])))
    for wrong in (0.0, -1.0, np.nan):
        with pytest.raises(DataError, match="above 0"):
            apply_temperature(logits, wrong)


@pytest.mark.parametrize("made", [classes, labels])
def test_probabilities_alone_give_the_temperature_of_their_logits(made):
    logits, target = made(hotter=2.0)
    from_probabilities = logits_of(apply_temperature(logits, 1.0))
    assert fit_temperature(from_probabilities, target) == pytest.approx(fit_temperature(logits, target), rel=1e-4)
    assert apply_temperature(from_probabilities, 1.0) == pytest.approx(apply_temperature(logits, 1.0), abs=1e-6)


def test_stated_certainties_are_kept_finite():
    assert logits_of([[0.0, 1.0]]) == pytest.approx(np.array([[np.log(1e-12), 0.0]]))
    assert logits_of([0.0, 0.5, 1.0]) == pytest.approx([np.log(1e-7), 0, -np.log(1e-7)], abs=1e-6)
    with pytest.raises(DataError):
        logits_of([1.5])


def test_ends_of_the_range_where_no_temperature_is_best():
    logits = np.eye(3)[[0, 1, 2]] * 4
    assert fit_temperature(logits, [0, 1, 2]) == 0.05
    assert fit_temperature(logits, [1, 2, 0]) == 20
    assert fit_temperature(np.zeros(4), [0, 1, 0, 1]) == 1


def test_wrong_logits_and_targets_are_refused():
    logits, target = classes(5)
    for scores, truth in ((logits, target[:4]), (logits, target + 4), (logits, target - 0.5), (logits[None], target),
                          (np.where(logits > 0, -np.inf, logits), target), (logits[:0], target[:0]),
                          (logits[:, 0], [0, 1, 2, 1, 0])):
        with pytest.raises(DataError):
            fit_temperature(scores, truth)
