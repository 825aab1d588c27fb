"""The linear-chain CRF against the enumeration of all sequences of tags."""

from itertools import pairwise, product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from orthogon.nn.crf import (
    CRF,
    Allowed,
    Chain,
    constrained,
    log_likelihood,
    log_partition,
    marginals,
    n_best,
    negative_log_likelihood,
    partial_log_likelihood,
    path_score,
    viterbi,
)


def chain_of(batch: int, longest: int, tags: int, seed: int = 0, scale: float = 1.0) -> Chain:
    generator = torch.Generator().manual_seed(seed)
    shapes = ((batch, longest, tags), (tags, tags), (tags,), (tags,))
    return Chain(*(scale * torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes))


def enumerated(chain: Chain, row: int, length: int) -> dict[tuple[int, ...], float]:
    """Every sequence of tags of that length -> its score, added up term by term."""
    emissions, transitions, start, end = (part.detach() for part in chain)
    found = {}
    for tags in product(range(len(start)), repeat=length):
        score = float(start[tags[0]] + end[tags[-1]])
        score += sum(float(emissions[row, place, tag]) for place, tag in enumerate(tags))
        score += sum(float(transitions[before, after]) for before, after in pairwise(tags))
        found[tags] = score
    return found


sizes = st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(0, 1000))


@given(sizes)
@settings(max_examples=25, deadline=None)
def test_partition_likelihood_and_marginals_are_those_of_the_enumeration(size):
    longest, tags, seed = size
    chain = chain_of(longest, longest, tags, seed)
    lengths = torch.arange(1, longest + 1)
    partition, shares = log_partition(chain, lengths), marginals(chain, lengths)
    for row in range(longest):
        scores = enumerated(chain, row, row + 1)
        exact = torch.tensor(list(scores.values()), dtype=torch.float64).logsumexp(0)
        torch.testing.assert_close(partition[row], exact)
        expected = torch.zeros(longest, tags, dtype=torch.float64)
        for path, score in scores.items():
            for place, tag in enumerate(path):
                expected[place, tag] += float((torch.tensor(score, dtype=torch.float64) - exact).exp())
        torch.testing.assert_close(shares[row], expected)
        path, score = list(scores.items())[seed % len(scores)]
        padded = torch.full((longest, longest), -1)
        padded[row, : row + 1] = torch.tensor(path)
        padded[padded < 0] = 0
        torch.testing.assert_close(float(path_score(chain, padded, lengths)[row]), score)
        torch.testing.assert_close(float(log_likelihood(chain, padded, lengths)[row]), score - float(exact))


@given(sizes, st.integers(0, 15))
@settings(max_examples=25, deadline=None)
def test_tags_that_are_known_in_part_have_the_probability_of_all_sequences_that_fit(size, pattern):
    longest, tags, seed = size
    chain = chain_of(longest, longest, tags, seed)
    lengths = torch.arange(1, longest + 1)
    generator = torch.Generator().manual_seed(seed)
    told = torch.randint(0, tags, (longest, longest), generator=generator)
    known = torch.tensor([bool(pattern >> place & 1) for place in range(longest)]) & (
        torch.arange(longest) < lengths[:, None])
    found = partial_log_likelihood(chain, told, known, lengths)
    for row in range(longest):
        fits = [score for path, score in enumerated(chain, row, row + 1).items()
                if all(path[place] == told[row, place] for place in range(row + 1) if known[row, place])]
        exact = torch.tensor(fits, dtype=torch.float64).logsumexp(0) - log_partition(chain, lengths)[row]
        torch.testing.assert_close(found[row], exact)


def test_tags_that_are_known_in_part_leave_gradients_sound():
    """Also where what is known breaks what is allowed; where all is known nothing differs from the plain likelihood."""
    never = Allowed(torch.eye(3, dtype=torch.bool), torch.tensor([True, True, False]), torch.ones(3, dtype=torch.bool))
    parts = [part.requires_grad_() for part in chain_of(2, 4, 3)]
    tags, lengths = torch.tensor([[2, 0, 1, 1], [0, 0, 0, 0]]), torch.tensor([4, 3])
    there = torch.arange(4) < lengths[:, None]
    kept = constrained(Chain(*parts), never)
    torch.testing.assert_close(partial_log_likelihood(kept, tags, there, lengths), log_likelihood(kept, tags, lengths))
    known = torch.tensor([[True, False, True, False], [False] * 4])
    partial_log_likelihood(kept, tags, known, lengths).sum().backward()
    assert all(part.grad is not None and torch.isfinite(part.grad).all() for part in parts)
    assert torch.autograd.gradcheck(
        lambda *each: partial_log_likelihood(Chain(*each), tags, known, lengths), parts)


@given(sizes, st.integers(1, 12))
@settings(max_examples=25, deadline=None)
def test_the_best_sequences_are_those_of_the_enumeration_in_order(size, count):
    longest, tags, seed = size
    chain = chain_of(longest, longest, tags, seed)
    lengths = torch.arange(1, longest + 1)
    found, scores = n_best(chain, lengths, count)
    for row in range(longest):
        ranked = sorted(enumerated(chain, row, row + 1).items(), key=lambda item: -item[1])[:count]
        for rank, (path, score) in enumerate(ranked):
            assert found[row, rank].tolist() == [*path, *[-1] * (longest - row - 1)]
            assert float(scores[row, rank]) == pytest.approx(score)
        assert torch.isneginf(scores[row, len(ranked) :]).all()
    best, score = viterbi(chain, lengths)
    assert torch.equal(best, found[:, 0])
    assert torch.equal(score, scores[:, 0])


def test_probabilities_of_all_sequences_of_a_list_sum_to_one():
    chain, lengths = chain_of(2, 3, 2), torch.tensor([3, 2])
    _, scores = n_best(chain, lengths, 8)
    shares = (scores - log_partition(chain, lengths).unsqueeze(1)).exp()
    torch.testing.assert_close(shares.sum(1), torch.ones(2, dtype=torch.float64))


def test_gradients_are_those_of_finite_differences():
    chain, lengths = chain_of(3, 4, 3), torch.tensor([4, 1, 3])
    tags = torch.tensor([[0, 2, 1, 1], [2, 0, 0, 0], [1, 1, 0, 0]])

    def loss(*parts: Tensor) -> Tensor:
        return negative_log_likelihood(Chain(*parts), tags, lengths, torch.tensor([1.0, 2.0, 0.5])).mean

    assert torch.autograd.gradcheck(loss, [part.requires_grad_() for part in chain])


def test_the_loss_is_a_sum_with_its_count():
    chain, lengths, tags = chain_of(3, 4, 3), torch.tensor([4, 1, 3]), torch.zeros(3, 4, dtype=torch.long)
    each = -log_likelihood(chain, tags, lengths)
    assert negative_log_likelihood(chain, tags, lengths).mean == pytest.approx(float(each.mean()))
    weighted = negative_log_likelihood(chain, tags, lengths, torch.tensor([1.0, 0.0, 3.0]))
    assert weighted.mean == pytest.approx(float((each[0] + 3 * each[2]) / 4))


def test_nothing_depends_on_padding():
    """The same sequence alone, and beside longer ones with noise behind its end."""
    chain, lengths = chain_of(3, 6, 4), torch.tensor([6, 2, 4])
    tags = torch.randint(0, 4, (3, 6))
    together = [log_likelihood(chain, tags, lengths), marginals(chain, lengths), *n_best(chain, lengths, 3)]
    for row, length in enumerate(lengths.tolist()):
        alone = chain._replace(emissions=chain.emissions[row : row + 1, :length])
        one = torch.tensor([length])
        torch.testing.assert_close(log_likelihood(alone, tags[row : row + 1, :length], one)[0], together[0][row])
        torch.testing.assert_close(marginals(alone, one)[0], together[1][row, :length])
        paths, scores = n_best(alone, one, 3)
        torch.testing.assert_close(paths[0], together[2][row, :, :length])
        torch.testing.assert_close(scores[0], together[3][row])
        assert (together[2][row, :, length:] == -1).all()
        assert (together[1][row, length:] == 0).all()


def test_what_is_forbidden_has_no_probability_and_leaves_gradients_sound():
    """Tags O, B, I: I follows B or I alone and never begins."""
    allowed = Allowed(torch.tensor([[True, True, False], [True, True, True], [True, True, True]]),
                      torch.tensor([True, True, False]), torch.tensor([True, True, True]))
    chain = Chain(*(part.float().requires_grad_() for part in chain_of(2, 4, 3, scale=5.0)))
    lengths, kept = torch.tensor([4, 3]), constrained(chain, allowed)
    for row, length in enumerate(lengths.tolist()):
        sound = {path: score for path, score in enumerated(chain, row, length).items()
                 if path[0] != 2 and (0, 2) not in pairwise(path)}
        exact = torch.tensor(list(sound.values())).logsumexp(0)
        assert float(log_partition(kept, lengths)[row].detach()) == pytest.approx(float(exact), rel=1e-5)
        best = max(sound, key=lambda path: sound[path])
        assert viterbi(kept, lengths)[0][row, :length].tolist() == list(best)
    log_partition(kept, lengths).sum().backward()
    assert all(part.grad is not None and torch.isfinite(part.grad).all() for part in chain)
    assert float(chain.transitions.grad[0, 2]) == 0  # type: ignore[index]
    assert float(chain.start.grad[2]) == 0  # type: ignore[index]


def test_without_transitions_it_is_a_softmax_at_each_place():
    emissions = torch.randn(2, 5, 3, dtype=torch.float64)
    chain, lengths = CRF(3).double()(emissions), torch.tensor([5, 2])
    there = (torch.arange(5) < lengths[:, None])[..., None]
    torch.testing.assert_close(marginals(chain, lengths), emissions.softmax(2) * there)
    assert torch.equal(viterbi(chain, lengths)[0], emissions.argmax(2).masked_fill(~there[..., 0], -1))


def test_a_list_of_none_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        n_best(chain_of(1, 1, 1), torch.tensor([1]), 0)
