"""Parallel streams of running text: each is read on from batch to batch, whatever came before."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from orthogon.train.sampler import Streams

WIDTH = 10


def text_of(streams: Streams, batch: torch.Tensor, lengths: np.ndarray) -> torch.Tensor:
    """Numbers of the tokens in the text, from their places."""
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    at, offset = np.searchsorted(streams.rows.numpy(), batch.numpy() // WIDTH), batch.numpy() % WIDTH
    assert (offset < lengths[at]).all()
    return torch.from_numpy(starts[at] + offset)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, WIDTH), min_size=2, max_size=20), st.integers(1, 5), st.integers(1, 7))
def test_streams_go_on_where_they_were(lengths: list[int], count: int, steps: int) -> None:
    rows = np.arange(len(lengths)) + 3
    streams = Streams(rows, np.array(lengths), WIDTH, count, steps)
    per_epoch = streams.batches(0)
    before = None
    for number in range(2 * per_epoch + 1):
        batch = text_of(streams, streams.batch(number // per_epoch, number % per_epoch), np.array(lengths))
        assert batch.shape == (streams.streams, streams.steps + 1)
        assert ((batch[:, 1:] - batch[:, :-1]) % sum(lengths) == 1 % sum(lengths)).all()
        if before is not None:
            assert torch.equal(before[:, -1], batch[:, 0])
        before = batch


def test_an_epoch_reads_about_every_token_once() -> None:
    lengths = np.full(100, WIDTH)
    streams = Streams(np.arange(100), lengths, WIDTH, 4, 7)
    read = torch.cat([streams.batch(0, k)[:, :-1].flatten() for k in range(streams.batches(0))])
    assert len(read) == len(read.unique()) == 4 * 7 * 35


def test_any_batch_can_be_had_at_once_and_names_its_rows() -> None:
    streams = Streams(np.array([4, 9]), np.array([5, 8]), WIDTH, 2, 3)
    again = Streams(np.array([4, 9]), np.array([5, 8]), WIDTH, 2, 3)
    for epoch, k in ((1, 1), (0, 0), (1, 0)):
        assert torch.equal(streams.batch(epoch, k), again.batch(epoch, k))
    assert streams.rows_of(streams.batch(0, 0)).tolist() == [4, 9]


def test_a_text_shorter_than_a_batch_gives_fewer_streams_then_fewer_steps() -> None:
    assert Streams(np.array([0]), np.array([9]), WIDTH, 64, 4).streams == 2
    assert Streams(np.array([0]), np.array([3]), WIDTH, 64, 35).steps == 2
