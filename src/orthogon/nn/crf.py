"""Linear-chain conditional random field: what a whole sequence of tags is worth, instead of each tag by itself.

The score of tags y_1 … y_T is start[y_1] + Σ_t emissions[t, y_t] + Σ_t transitions[y_{t−1}, y_t] + end[y_T], and their
probability is the softmax of it over all K^T sequences (Lafferty, McCallum and Pereira 2001; on top of a recurrent
network: Huang, Xu and Yu 2015, arXiv:1508.01991). Sequences of unequal length are padded on the right: `lengths` (N,),
each at least 1, are theirs without padding, and no result depends on what stands behind them.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from orthogon.nn.total import Total, total

NEVER = -1e4
"""The score of what is forbidden: its probability is 0 in float32 and float64, and its gradient is no NaN."""

NO_TAG = -1
"""What stands behind the end of a sequence of tags."""


class Chain(NamedTuple):
    """What a network says of N sequences. emissions: N×T×K; transitions: K×K, from the row to the column; start and
    end: K."""

    emissions: Tensor
    transitions: Tensor
    start: Tensor
    end: Tensor


class Allowed(NamedTuple):
    """Which tags may begin (K), follow each other (K×K, from the row to the column) and end (K), as booleans."""

    transitions: Tensor
    start: Tensor
    end: Tensor


class CRF(nn.Module):
    """Learnt transitions between K tags: emissions N×T×K -> Chain. They start at 0, where all orders are alike."""

    def __init__(self, tags: int) -> None:
        super().__init__()
        self.transitions = nn.Parameter(torch.zeros(tags, tags))
        self.start, self.end = nn.Parameter(torch.zeros(tags)), nn.Parameter(torch.zeros(tags))

    def forward(self, emissions: Tensor) -> Chain:
        return Chain(emissions, self.transitions, self.start, self.end)


def constrained(chain: Chain, allowed: Allowed) -> Chain:
    """The chain in which what is not allowed never happens."""
    return Chain(chain.emissions, *(scores.masked_fill(~may_be, NEVER) for scores, may_be in zip(chain[1:], allowed)))


def path_score(chain: Chain, tags: Tensor, lengths: Tensor) -> Tensor:
    """(N,): the score of the tags, int64 N×T; what stands behind the lengths is not looked at."""
    emissions, transitions, start, end = chain
    there = _present(emissions, lengths)
    known = tags.masked_fill(~there, 0)
    of_tags = emissions.gather(2, known.unsqueeze(2)).squeeze(2)
    of_pairs = transitions[known[:, :-1], known[:, 1:]]
    last = known.gather(1, lengths.unsqueeze(1) - 1).squeeze(1)
    inside = of_tags.masked_fill(~there, 0).sum(1) + of_pairs.masked_fill(~there[:, 1:], 0).sum(1)
    return start[known[:, 0]] + inside + end[last]


def log_partition(chain: Chain, lengths: Tensor) -> Tensor:
    """(N,): the logarithm of the sum of exp(score) over all sequences of tags, by the forward algorithm."""
    return torch.logsumexp(_forward(chain, lengths)[-1] + chain.end, dim=1)


def log_likelihood(chain: Chain, tags: Tensor, lengths: Tensor) -> Tensor:
    """(N,): the log probability of the tags, int64 N×T."""
    return path_score(chain, tags, lengths) - log_partition(chain, lengths)


def partial_log_likelihood(chain: Chain, tags: Tensor, known: Tensor, lengths: Tensor) -> Tensor:
    """(N,): the log probability of all sequences that have the tags, int64 N×T, where they are known, bool N×T; 0 where
    none is (Tsuboi et al. 2008, Training conditional random fields using incomplete annotations, COLING)."""
    every = torch.arange(chain.emissions.shape[2], device=tags.device)
    other = known.unsqueeze(2) & (every != tags.unsqueeze(2))
    told = chain._replace(emissions=chain.emissions.masked_fill(other, -torch.inf))
    return log_partition(told, lengths) - log_partition(chain, lengths)


def negative_log_likelihood(chain: Chain, tags: Tensor, lengths: Tensor, weight: Tensor | None = None) -> Total:
    """−log probability of the tags over the sequences, times the weight (N,) of each."""
    return total(-log_likelihood(chain, tags, lengths), weight)


def marginals(chain: Chain, lengths: Tensor) -> Tensor:
    """N×T×K: the probability of each tag at each place over all sequences, by the forward-backward algorithm.

    Zeros behind the lengths.
    """
    forward = torch.stack(_forward(chain, lengths), dim=1)
    partition = torch.logsumexp(forward[:, -1] + chain.end, dim=1)
    logged = forward + torch.stack(_backward(chain, lengths), dim=1) - partition[:, None, None]
    return logged.exp().masked_fill(~_present(chain.emissions, lengths).unsqueeze(2), 0)


def _forward(chain: Chain, lengths: Tensor) -> list[Tensor]:
    """For each place N×K: the log sum over all beginnings that end in that tag; behind its end a sequence stays."""
    emissions, transitions, start, _ = chain
    found = [start + emissions[:, 0]]
    for place in range(1, emissions.shape[1]):
        longer = torch.logsumexp(found[-1].unsqueeze(2) + transitions, dim=1) + emissions[:, place]
        found.append(torch.where((place < lengths).unsqueeze(1), longer, found[-1]))
    return found


def _backward(chain: Chain, lengths: Tensor) -> list[Tensor]:
    """For each place N×K: the log sum over all continuations of that tag, the end included."""
    emissions, transitions, _, end = chain
    found = [end.expand_as(emissions[:, 0])]
    for place in range(emissions.shape[1] - 1, 0, -1):
        longer = torch.logsumexp((emissions[:, place] + found[-1]).unsqueeze(1) + transitions, dim=2)
        found.append(torch.where((place < lengths).unsqueeze(1), longer, found[-1]))
    return found[::-1]


def viterbi(chain: Chain, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """The likeliest sequence of tags, int64 N×T with −1 behind its end, and its score (N,)."""
    tags, scores = n_best(chain, lengths, 1)
    return tags[:, 0], scores[:, 0]


def n_best(chain: Chain, lengths: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` likeliest sequences, the likeliest first: int64 N×count×T with −1 behind their ends, and their scores
    N×count; exp(score − log_partition) is their probability.

    A sequence that is too short to have so many has −inf as the score of those that are missing. ValueError for a count
    below 1. The list Viterbi algorithm (Seshadri and Sundberg 1994, IEEE Transactions on Communications 42).
    """
    if count < 1:
        raise ValueError(f"a list holds at least one sequence, not {count}")
    emissions, transitions, start, end = chain
    batch, longest, tags = emissions.shape
    best = emissions.new_full((batch, count, tags), -torch.inf)  # of each tag the best beginnings that end in it
    best[:, 0] = start + emissions[:, 0]
    stay = torch.arange(count * tags, device=emissions.device).view(1, count, tags).expand(batch, -1, -1)
    origins: list[Tensor] = []
    for place in range(1, longest):
        longer, origin = (best.unsqueeze(3) + transitions).flatten(1, 2).topk(count, dim=1)
        goes_on = (place < lengths)[:, None, None]
        best = torch.where(goes_on, longer + emissions[:, None, place], best)
        origins.append(torch.where(goes_on, origin, stay))
    scores, at = (best + end).flatten(1).topk(count, dim=1)
    path = [at]
    for origin in reversed(origins):
        path.append(origin.flatten(1).gather(1, path[-1]))
    found = torch.stack(path[::-1], dim=2) % tags
    return found.masked_fill(~_present(emissions, lengths).unsqueeze(1), NO_TAG), scores


def _present(emissions: Tensor, lengths: Tensor) -> Tensor:
    """Bool N×T: what is no padding."""
    return torch.arange(emissions.shape[1], device=emissions.device) < lengths.unsqueeze(1)
