"""Sentences that are drawn (row 25.04): against closed forms, frequencies, and the filters of Hugging Face."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from orthogon.errors import RecipeError
from orthogon.nn.beam import PerSentence, search
from orthogon.nn.beam_spec import BeamSpec
from orthogon.nn.sampling import Sampling, next_token, next_token_probabilities, sample

END = 3
LOGITS = torch.tensor([[0.5, 0.25, 0.125, 0.1, 0.025], [0.05, 0.05, 0.6, 0.2, 0.1]]).log()


@pytest.mark.parametrize(("draw", "expected"), [
    (Sampling(), [[0.5, 0.25, 0.125, 0.1, 0.025], [0.05, 0.05, 0.6, 0.2, 0.1]]),
    (Sampling(top_k=2), [[2 / 3, 1 / 3, 0, 0, 0], [0, 0, 0.75, 0.25, 0]]),
    (Sampling(top_p=0.7), [[2 / 3, 1 / 3, 0, 0, 0], [0, 0, 0.75, 0.25, 0]]),
    (Sampling(top_p=0.01), [[1, 0, 0, 0, 0], [0, 0, 1, 0, 0]]),
    (Sampling(temperature=0.0), [[1, 0, 0, 0, 0], [0, 0, 1, 0, 0]]),
    (Sampling(temperature=0.5, top_k=2), [[0.8, 0.2, 0, 0, 0], [0, 0, 0.9, 0.1, 0]]),
    (Sampling(banned=(0, 2)), [[0, 0.25 / 0.375, 0, 0.1 / 0.375, 0.025 / 0.375], [0, 0.125, 0, 0.5, 0.25]]),
    (Sampling(top_k=3, top_p=0.6), [[0.5 / 0.75, 0.25 / 0.75, 0, 0, 0], [0, 0, 1, 0, 0]]),
])
def test_probabilities_by_hand(draw, expected):
    found = next_token_probabilities(LOGITS, draw)
    expected = torch.tensor(expected)
    torch.testing.assert_close(found, expected / expected.sum(1, keepdim=True))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.2, 3), st.integers(1, 12), st.floats(0.05, 0.99))
def test_the_filters_of_hugging_face(seed, temperature, top_k, top_p):
    transformers = pytest.importorskip("transformers")
    logits = torch.randn(4, 12, generator=torch.Generator().manual_seed(seed)).double() * 2
    theirs = logits
    for filtered in (transformers.TemperatureLogitsWarper(temperature), transformers.TopKLogitsWarper(top_k),
                     transformers.TopPLogitsWarper(top_p)):
        theirs = filtered(torch.zeros(4, 1, dtype=torch.long), theirs)
    torch.testing.assert_close(next_token_probabilities(logits, Sampling(temperature, top_k, top_p)), theirs.softmax(1))


def test_tokens_come_as_often_as_their_probability_says():
    draw, n = Sampling(temperature=1.5, top_p=0.97, banned=(1,)), 20_000
    tokens = next_token(LOGITS[:1].expand(n, -1), draw, torch.Generator().manual_seed(0))
    expected = next_token_probabilities(LOGITS[:1], draw)[0].double().numpy()
    there = expected > 0
    counts = np.bincount(tokens.numpy(), minlength=5)
    assert not counts[~there].any()
    assert stats.chisquare(counts[there], n * expected[there] / expected[there].sum()).pvalue > 0.001


CHAIN = torch.tensor([[0, 0, 0, 0.3, 0.5, 0.2], [0, 0, 0, 0.6, 0.1, 0.3]]).log()
"""Log-probabilities of the first token (after 2), and of those after it."""


def chain(tokens, state):
    assert len(state["table"].tensor) == len(tokens)
    return CHAIN[(tokens > 2).long()], {"table": state["table"], "rows": state["rows"]}


def drawn(n: int, at_most: int, draw: Sampling, seed: int = 0):
    state = {"table": PerSentence(torch.zeros(n, 2)), "rows": torch.arange(n)}
    return sample(chain, state, torch.full((n,), 2), END, at_most, draw, torch.Generator().manual_seed(seed))


def test_sentences_end_as_often_as_they_should_and_know_their_probability():
    n = 8000
    sentences = drawn(n, 4, Sampling())
    shares = [0.3, 0.7 * 0.6, 0.7 * 0.4 * 0.6, 0.7 * 0.4**2]
    counts = torch.bincount(sentences.lengths, minlength=5)[1:].numpy()
    assert stats.chisquare(counts, n * np.array(shares)).pvalue > 0.001
    for ids, length, log_probability, finished in zip(sentences.ids[:50], sentences.lengths.tolist(),
                                                      sentences.log_probabilities.tolist(), sentences.finished):
        words = ids[:length].tolist()
        total = sum(CHAIN[min(t, 1), word].item() for t, word in enumerate(words))
        assert log_probability == pytest.approx(total, abs=1e-5)
        assert finished == (words[-1] == END)
        assert END not in words[:-1]
        assert not ids[length:].any()


def test_what_is_not_finished_says_so_and_banned_tokens_do_not_come():
    sentences = drawn(50, 5, Sampling(banned=(END, 4)))
    assert not sentences.finished.any()
    assert (sentences.ids == 5).all()
    assert sentences.ids.shape == (50, 5)


def test_the_same_seed_draws_the_same_and_no_temperature_is_greedy_search():
    assert torch.equal(drawn(20, 6, Sampling()).ids, drawn(20, 6, Sampling()).ids)
    assert not torch.equal(drawn(20, 6, Sampling()).ids, drawn(20, 6, Sampling(), seed=1).ids)
    state = {"table": PerSentence(torch.zeros(3, 2)), "rows": torch.arange(3)}
    greedy = search(chain, state, torch.full((3,), 2), END, 6, BeamSpec(width=1))
    assert torch.equal(drawn(3, 6, Sampling(temperature=0)).ids, greedy.ids[:, 0])


@pytest.mark.parametrize("fields", [{"temperature": -1.0}, {"temperature": float("nan")}, {"top_k": -1}, {"top_p": 0.0},
                                    {"top_p": 1.1}])
def test_what_is_no_way_to_draw(fields):
    with pytest.raises(RecipeError):
        Sampling(**fields)


def test_what_cannot_be_drawn():
    with pytest.raises(ValueError, match="banned"):
        next_token(LOGITS, Sampling(banned=range(5)))
    with pytest.raises(ValueError, match="no number"):
        next_token(LOGITS * torch.nan, Sampling())
    with pytest.raises(RecipeError, match="at most 0"):
        drawn(2, 0, Sampling())
