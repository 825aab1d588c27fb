"""Two sets of vectors: the energy distance against its definition and a brute jackknife, neighbors against
scikit-learn, and what each measure says of sets whose relation is known."""

import numpy as np
import pytest
from sklearn.metrics import pairwise_distances
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from orthogon.stats import bootstrap_mean
from orthogon.stats.two_samples import (
    all_distances,
    covered,
    density,
    distances,
    energy_values,
    spread,
    told_apart,
)


def normal(n, seed, shift=0.0, size=1.0, axes=4):
    return np.random.default_rng(seed).normal(shift, size, (n, axes))


def energy_of(x, y):
    """2 E|X − Y| − E|X − X'| − E|Y − Y'| over all pairs of different places."""
    off = ~np.eye(len(x), dtype=bool)
    return 2 * pairwise_distances(x, y)[off].mean() - pairwise_distances(x)[off].mean() \
        - pairwise_distances(y)[off].mean()


def test_distances_are_euclidean():
    x, y = normal(5, 0), normal(7, 1, shift=50)
    assert np.allclose(distances(x, y), pairwise_distances(x, y))
    found = all_distances(x, x + 3)
    assert np.allclose(found.real, pairwise_distances(x), atol=1e-7)
    assert np.allclose(found.made, found.real)
    assert np.allclose(found.across, pairwise_distances(x, x + 3))


def test_the_mean_of_the_energy_values_is_the_energy_distance():
    x, y = normal(30, 0), normal(30, 1, shift=0.5)
    assert energy_values(all_distances(x, y)).mean() == pytest.approx(energy_of(x, y))


def test_each_energy_value_is_the_pseudo_value_of_the_jackknife():
    x, y = normal(9, 0), normal(9, 1, size=2.0)
    whole = energy_of(x, y)
    left_out = [energy_of(np.delete(x, i, 0), np.delete(y, i, 0)) for i in range(9)]
    assert np.allclose(energy_values(all_distances(x, y)), 9 * whole - 8 * np.array(left_out))


def test_the_interval_of_the_energy_distance_is_as_wide_as_the_distance_scatters():
    found = [energy_values(all_distances(normal(100, s), normal(100, 1000 + s, shift=0.5))) for s in range(150)]
    scatter = np.std([each.mean() for each in found])
    stated = np.mean([each.std(ddof=1) / 10 for each in found])
    assert stated == pytest.approx(scatter, rel=0.2)
    interval = bootstrap_mean(found[0])
    assert interval.high - interval.low == pytest.approx(3.92 * stated, rel=0.4)


def test_sets_of_one_distribution_have_an_energy_distance_about_zero_and_of_either_sign():
    found = np.array([energy_values(all_distances(normal(60, s), normal(60, 500 + s))).mean() for s in range(60)])
    assert abs(found.mean()) < 3 * found.std() / 60**0.5
    assert (found < 0).any()
    assert (found > 0).any()


def test_told_apart_is_the_leave_one_out_nearest_neighbor_test():
    x, y = normal(40, 0), normal(40, 1, shift=0.6)
    both, kind = np.concatenate([x, y]), np.repeat([0, 1], 40)
    right = [KNeighborsClassifier(1).fit(np.delete(both, i, 0), np.delete(kind, i)).predict(both[i:i + 1])[0] == kind[i]
             for i in range(80)]
    found = told_apart(all_distances(x, y))
    assert found.tolist() == ((np.array(right[:40], float) + right[40:]) / 2).tolist()
    assert told_apart(all_distances(x, x + 1e-9)).mean() == 0  # copies: the nearest is always of the other kind
    assert told_apart(all_distances(x, x + 100)).mean() == 1


def test_coverage_and_density_count_the_balls_of_the_five_nearest():
    x, y = normal(50, 0), normal(50, 1, shift=0.7)
    radius = NearestNeighbors(n_neighbors=6).fit(x).kneighbors(x)[0][:, 5]
    inside = pairwise_distances(x, y) <= radius[:, None]
    found = all_distances(x, y)
    assert covered(found).tolist() == inside.any(axis=1).tolist()
    assert np.allclose(density(found), inside.sum(axis=0) / 5)
    wider = NearestNeighbors(n_neighbors=3).fit(x).kneighbors(x)[0][:, 2]
    assert covered(found, 2).tolist() == (pairwise_distances(x, y) <= wider[:, None]).any(axis=1).tolist()
    assert np.allclose(density(found, 2), (pairwise_distances(x, y) <= wider[:, None]).sum(axis=0) / 2)


def test_sets_of_one_distribution_cover_each_other_to_97_percent():
    found = all_distances(normal(1500, 0), normal(1500, 1))
    assert covered(found).mean() == pytest.approx(1 - 2**-5, abs=0.015)
    assert density(found).mean() == pytest.approx(1, abs=0.05)
    assert told_apart(found).mean() == pytest.approx(0.5, abs=0.03)


def test_a_set_of_one_kind_covers_little_and_is_not_spread():
    x, few = normal(200, 0), np.repeat(normal(1, 1), 200, axis=0)
    found = all_distances(x, few + normal(200, 2, size=1e-3))
    assert covered(found).mean() < 0.2
    assert spread(found).mean() < 0.01
    same = all_distances(x, normal(200, 3, size=2.0))
    assert spread(same).mean() == pytest.approx(pairwise_distances(normal(200, 3, size=2.0)).sum()
                                                / pairwise_distances(x).sum())


def test_three_pairs_are_the_fewest_and_shapes_must_agree():
    assert len(energy_values(all_distances(normal(3, 0), normal(3, 1)))) == 3
    assert covered(all_distances(normal(3, 0), normal(3, 1))).shape == (3,)
    with pytest.raises(ValueError, match="3 pairs at least; got 2"):
        energy_values(all_distances(normal(2, 0), normal(2, 1)))
    with pytest.raises(ValueError, match=r"one shape.*\(3, 4\) and \(4, 4\)"):
        all_distances(normal(3, 0), normal(4, 1))
