"""Batches of P identities × K examples: what is in them, and that they depend on (seed, epoch, k) alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from orthogon.tasks.identity_sampler import IdentitySampler

CODES = np.array([5, 0, 5, 3, 0, 5, 9, 3, 5, 5, 7, 7, 7])
"""0 and 3 twice, 5 five times, 7 three times, 9 once."""
ROWS = np.arange(13) * 10


def sampler(at_once: int = 2, each: int = 3, seed: int = 0) -> IdentitySampler:
    return IdentitySampler(ROWS, CODES, at_once, each, seed)


def codes_of(batch: torch.Tensor) -> list[int]:
    return CODES[batch.numpy() // 10].tolist()


def test_a_batch_holds_p_identities_side_by_side_and_k_of_each_or_all_it_has() -> None:
    for k in range(60):
        batch = sampler().batch(0, k)
        codes = codes_of(batch)
        names = list(dict.fromkeys(codes))
        assert len(names) == 2
        assert codes == [name for name in names for _ in range({0: 2, 3: 2, 5: 3, 7: 3}[name])]
        assert len(set(batch.tolist())) == len(batch)


def test_identities_with_one_example_are_left_out() -> None:
    assert all(9 not in codes_of(sampler(4).batch(0, k)) for k in range(30))


def test_every_identity_and_every_example_gets_its_turn_alike() -> None:
    drawn = np.concatenate([sampler().batch(0, k).numpy() for k in range(600)]) // 10
    times = np.bincount(drawn, minlength=13)
    assert times[6] == 0
    for name, share in ((0, 1.0), (3, 1.0), (5, 3 / 5), (7, 1.0)):
        assert times[name == CODES] == pytest.approx(np.full((name == CODES).sum(), 300 * share), rel=0.15)


def test_a_batch_is_a_function_of_seed_epoch_and_number() -> None:
    ahead = sampler(3)
    for k in range(5):
        ahead.batch(2, k)
    assert torch.equal(ahead.batch(1, 3), sampler(3).batch(1, 3))
    others = [sampler(3).batch(1, 4), sampler(3).batch(2, 3), sampler(3, seed=1).batch(1, 3)]
    assert all(not torch.equal(sampler(3).batch(1, 3), other) for other in others)


def test_an_epoch_has_as_many_batches_as_would_show_every_row_once() -> None:
    assert sampler(2, 3).batches(0) == 2  # 12 usable rows in sixes
    assert sampler(2, 4).batches(7) == 2
    assert sampler(99, 2).batches(0) == 2  # no more than the four identities that there are
    assert len(sampler(99, 2).batch(0, 0)) == 8


@pytest.mark.parametrize(("codes", "each"), [([0, 0, 0], 2), ([0, 0, 1], 2), ([0, 1, 2], 2), ([0, 0, 1, 1], 1)])
def test_too_few_identities_or_examples_are_refused(codes: list[int], each: int) -> None:
    with pytest.raises(ValueError, match="identities with two examples or more"):
        IdentitySampler(np.arange(len(codes)), np.array(codes), 2, each, 0)
