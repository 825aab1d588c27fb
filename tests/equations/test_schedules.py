"""Schedules: values by hand, and the arithmetic of batches."""

from __future__ import annotations

import pytest

from orthogon.equations import schedules as s


def test_inverse_time_divides_the_first_rate():
    """E29: α₀ / (1 + decay · epoch)."""
    assert [s.inverse_time(epoch, 0.2) for epoch in range(4)] == pytest.approx([0.2, 0.1, 0.2 / 3, 0.05])
    assert s.inverse_time(3, 0.2, decay_rate=0.5) == pytest.approx(0.08)


def test_exponential_decay_multiplies_the_first_rate():
    """E15: 0.95^epoch · α₀."""
    assert [s.exponential(epoch, 0.2) for epoch in (0, 1, 10)] == pytest.approx([0.2, 0.19, 0.2 * 0.95**10])
    assert s.exponential(2, 0.2, base=0.5) == pytest.approx(0.05)


def test_the_root_of_the_epoch_divides_the_first_rate_from_epoch_1_on():
    """E16: (k/√epoch) · α₀."""
    assert [s.inverse_square_root(epoch, 0.2) for epoch in (1, 4, 16)] == pytest.approx([0.2, 0.1, 0.05])
    assert s.inverse_square_root(4, 0.2, k=3.0) == pytest.approx(0.3)
    with pytest.raises(ValueError, match="epoch is 0, expected 1 or more"):
        s.inverse_square_root(0, 0.2)


def test_the_staircase_drops_every_ten_epochs():
    assert [s.staircase(epoch, 0.2) for epoch in (0, 9, 10, 20)] == pytest.approx([0.2, 0.2, 0.02, 0.002])


def test_a_plateau_of_patience_scores_drops_the_rate():
    """Row 8.06: equal is no improvement; after a drop the waiting starts anew."""
    assert s.plateau([], 0.2) == 0.2
    assert s.plateau([0.5] + [0.5] * 9, 0.2) == 0.2
    assert s.plateau([0.5] + [0.5] * 10, 0.2) == pytest.approx(0.02)
    assert s.plateau([0.5] + [0.5] * 19, 0.2) == pytest.approx(0.02)
    assert s.plateau([0.5] + [0.5] * 20, 0.2) == pytest.approx(0.002)
    assert s.plateau([0.5, 0.4, 0.6, 0.5, 0.7], 0.2, patience=2) == 0.2


def test_the_smooth_schedules_meet_their_ends():
    assert [s.cosine(step, 0.2, 10) for step in (0, 5, 10)] == pytest.approx([0.2, 0.1, 0.0])
    assert [s.linear_to_zero(step, 0.2, 10) for step in (0, 5, 10)] == pytest.approx([0.2, 0.1, 0.0])
    assert [s.warm_up(step, 0.2, 4) for step in range(6)] == pytest.approx([0.05, 0.1, 0.15, 0.2, 0.2, 0.2])


def test_one_cycle_rises_for_a_quarter_and_falls_to_0():
    rates = [s.one_cycle(step, 0.2, 8) for step in range(9)]
    assert rates[:3] == pytest.approx([0.1, 0.2, 0.2])
    assert rates[5] == pytest.approx(0.1)
    assert rates[8] == pytest.approx(0.0)
    assert s.one_cycle(0, 0.2, 8, rise=0.5) == pytest.approx(0.05)
    assert s.one_cycle(0, 0.2, 8, rise=0.0) == 0.2


def test_the_batch_grows_where_the_rate_would_fall():
    """Row 6.11: α/B falls alike, until the largest batch."""
    for epoch in (0, 9, 10, 25):
        falling = s.staircase(epoch, 0.1) / 64
        assert 0.1 / s.growing_batch(epoch, 64) == pytest.approx(falling)
    assert s.growing_batch(30, 64) == 64000
    assert s.growing_batch(40, 64) == 65536
    assert s.growing_batch(7, 64, factor=2, every=3, largest=200) == 200


@pytest.mark.parametrize(("examples", "batch", "updates"), [(1050, 100, 11), (1000, 500, 2), (1, 128, 1), (9, 9, 1)])
def test_updates_of_an_epoch_count_the_last_incomplete_batch(examples, batch, updates):
    """34.07, 34.08"""
    assert s.batches_per_epoch(examples, batch) == updates
