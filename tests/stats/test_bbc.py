import numpy as np
import pytest
from scipy.stats import norm

from orthogon.errors import DataError
from orthogon.stats import bias_corrected_choice, rate
from orthogon.stats.resample import resample_counts


def results_of(generator, accuracy, n, alike=0.8):
    """K × n booleans: models that are right or wrong together to the degree that their hidden scores correlate."""
    shared = np.sqrt(alike) * generator.normal(size=n)
    own = np.sqrt(1 - alike) * generator.normal(size=(len(accuracy), n))
    return shared + own < norm.ppf(accuracy)[:, None]


def in_a_loop(correct, replicates, seed):
    """The estimate of Tsamardinos et al. (2018), algorithm 3, word for word, by the left-out score of each example."""
    scores = [[] for _ in range(correct.shape[1])]
    for counts in np.concatenate(list(resample_counts(correct.shape[1], replicates, seed))):
        best = max(range(len(correct)), key=lambda k: (correct[k] @ counts, -k))
        for example in np.flatnonzero(counts == 0):
            scores[example].append(correct[best, example])
    return np.mean([np.mean(each) for each in scores])


def test_choice_is_repeated_in_each_draw_and_scored_on_what_was_left_out():
    correct = results_of(np.random.default_rng(0), np.full(6, 0.7), 40)
    found = bias_corrected_choice(correct, 80, seed=3)
    assert found.corrected.value == pytest.approx(in_a_loop(correct, 80, 3), abs=1e-12)
    assert found.chosen == np.argmax(correct.mean(axis=1))
    assert found.naive == rate(correct[found.chosen])
    assert found.optimism.value == pytest.approx(found.naive.value - found.corrected.value)
    assert found.models == 6


@pytest.mark.parametrize(
    ("models", "n", "draws", "too_good"), [(50, 500, 120, 2.0), (50, 1000, 80, 1.4), (50, 5000, 15, 0.7)]
)
def test_known_curse_of_the_winner_and_its_correction(models, n, draws, too_good):
    """Equally good models at 10 % error: the best dev score is too good by these points; corrected, by under 0.14."""
    generator, found = np.random.default_rng(1), []
    for seed in range(draws):
        correct = results_of(generator, np.full(models, 0.9), n)
        choice = bias_corrected_choice(correct, 200, seed)
        luck = correct.mean()  # of the set, shared by all models: it would only blur the figures
        found.append((choice.naive.value - luck, choice.corrected.value - luck, choice.optimism.value))
    naive, corrected, optimism = 100 * np.mean(found, axis=0)
    assert naive == pytest.approx(too_good, abs=0.12)
    assert abs(corrected) <= 0.14
    assert optimism == pytest.approx(naive, abs=0.14)


def test_intervals_hold_the_truth_of_the_chosen_and_the_expected_optimism():
    generator, hits = np.random.default_rng(2), []
    for seed in range(150):
        found = bias_corrected_choice(results_of(generator, np.full(50, 0.9), 500), 150, seed)
        hits.append((found.corrected.low <= 0.9 <= found.corrected.high,
                     found.optimism.low <= 0.0207 <= found.optimism.high))
    assert np.all(np.mean(hits, axis=0) > 0.92)


def test_a_clear_winner_is_not_corrected_and_one_model_is_as_it_is():
    correct = np.random.default_rng(3).random((5, 400)) < np.array([0.5, 0.6, 0.95, 0.6, 0.5])[:, None]
    found = bias_corrected_choice(correct, 200)
    assert found.chosen == 2
    for estimate in (found.optimism, bias_corrected_choice(correct[:1], 100).optimism):
        assert (estimate.value, estimate.low, estimate.high) == (0, 0, 0)
    assert found.corrected.value == correct[2].mean()


def test_packed_bits_give_the_same_at_an_eighth_of_the_memory():
    correct = results_of(np.random.default_rng(4), np.full(9, 0.8), 203)
    assert bias_corrected_choice(np.packbits(correct, axis=1), 100, n=203) == bias_corrected_choice(correct, 100)


def test_groups_are_drawn_and_left_out_whole():
    generator = np.random.default_rng(5)
    few = results_of(generator, np.full(40, 0.8), 60)
    groups = np.repeat(np.arange(60), 10)
    repeated = bias_corrected_choice(np.repeat(few, 10, axis=1), 300, groups=groups)
    once = bias_corrected_choice(few, 300)
    assert repeated.corrected.value == pytest.approx(once.corrected.value)
    assert repeated.optimism.high == pytest.approx(once.optimism.high)
    assert (repeated.corrected.low, repeated.corrected.high) == pytest.approx(
        (once.corrected.low, once.corrected.high), abs=2e-3
    )
    assert (repeated.corrected.n, repeated.optimism.n) == (60, 60)
    unaware = bias_corrected_choice(np.repeat(few, 10, axis=1), 300)
    assert unaware.optimism.value < 0.6 * once.optimism.value


def test_what_is_no_matrix_of_right_and_wrong_is_refused():
    good = np.ones((3, 20), bool)
    for wrong, n in ((good[0], None), (good[:0], None), (good.astype(float), None), (np.packbits(good, axis=1), None),
                     (np.packbits(good, axis=1), 40), (good, 19)):
        with pytest.raises(DataError, match="right and wrong"):
            bias_corrected_choice(wrong, n=n)
    with pytest.raises(DataError, match="left out"):
        bias_corrected_choice(good, groups=np.zeros(20))
    with pytest.raises(DataError, match="100 replicates"):
        bias_corrected_choice(good, 1)
