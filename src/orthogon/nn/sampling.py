"""Sentences drawn from a model, token by token: temperature, top-k, nucleus, banned tokens, over a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from orthogon.errors import RecipeError
from orthogon.nn.beam import Step, asked, followed


@dataclass(frozen=True)
class Sampling:
    """How a token is drawn.

    temperature: the logits are divided by it: below 1 likely tokens become likelier; 0 takes the likeliest one.
    top_k:  only so many of the likeliest tokens; 0 = all.
    top_p:  of these only the fewest that together have this probability (Holtzman et al. 2020); 1 = all.
    banned: ids that are never drawn (UNKNOWN, PAD). Raises RecipeError for what is no way to draw.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    banned: Sequence[int] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise RecipeError(f"a temperature of {self.temperature}", where="temperature",
                              remedy="Give 0 (the likeliest token) or more; 1 draws as the model says.")
        if self.top_k < 0:
            raise RecipeError(f"the likeliest {self.top_k} tokens", where="top_k", remedy="Give 0 for all, or more.")
        if not 0 < self.top_p <= 1:
            raise RecipeError(f"tokens that have the probability {self.top_p}", where="top_p",
                              remedy="Give more than 0, and 1 for all.")


def next_token_probabilities(logits: Tensor, how: Sampling) -> Tensor:
    """What the next token is drawn from: N×V. logits: N×V, or log-probabilities."""
    if len(how.banned):
        logits = logits.index_fill(1, torch.as_tensor(how.banned, device=logits.device), -torch.inf)
    if not logits.isfinite().any(1).all():
        raise ValueError("no token is left that could be drawn: all are banned, or the model gives no number")
    if how.temperature == 0:
        return torch.zeros_like(logits).scatter_(1, logits.argmax(1, keepdim=True), 1)
    if not how.top_k and how.top_p == 1:
        return (logits / how.temperature).softmax(1)
    values, order = logits.topk(min(how.top_k or logits.shape[1], logits.shape[1]))
    probabilities = (values / how.temperature).softmax(1)
    before = probabilities.cumsum(1) - probabilities
    probabilities = probabilities.masked_fill(before >= how.top_p, 0)
    return torch.zeros_like(logits).scatter_(1, order, probabilities / probabilities.sum(1, keepdim=True))


def next_token(logits: Tensor, how: Sampling, generator: torch.Generator | None = None) -> Tensor:
    """One token from each distribution, and that one alone is fed back: N (row 25.04). logits: N×V."""
    return torch.multinomial(next_token_probabilities(logits, how), 1, generator=generator).squeeze(1)


@dataclass(frozen=True)
class Sampled:
    """N sentences. ids: N×L with END where it came, 0 behind. log_probabilities: N, under the model itself, whatever
    the temperature. lengths: N, tokens with END. finished: N, False where END did not come."""

    ids: Tensor
    log_probabilities: Tensor
    lengths: Tensor
    finished: Tensor


@torch.no_grad()
def sample(step: Step, state: Any, begin: Tensor, end: int, at_most: int, how: Sampling,
           generator: torch.Generator | None = None) -> Sampled:
    """A sentence for each example of a batch, as the model would write it (row 25.04).

    Parameters as of `beam.search`; a sentence that has ended leaves the batch.
    """
    if at_most < 1:
        raise RecipeError(f"sentences of at most {at_most} tokens", where="at_most", remedy="Give at least 1.")
    ids = begin.new_zeros(len(begin), at_most)
    total = torch.zeros(len(begin), device=begin.device)
    finished, going = torch.zeros_like(begin, dtype=torch.bool), torch.arange(len(begin), device=begin.device)
    tokens = begin
    for t in range(at_most):
        logs, state, _ = asked(step, tokens, state)
        tokens = next_token(logs, how, generator)
        ids[going, t] = tokens
        total[going] += logs.gather(1, tokens[:, None]).squeeze(1).to(total.dtype)
        alive = tokens != end
        finished[going] = ~alive
        if not alive.any():
            break
        state = followed(state, alive.nonzero().squeeze(1), alive)
        tokens, going = tokens[alive], going[alive]
    lengths = torch.where(finished, (ids == end).int().argmax(1) + 1, at_most)
    return Sampled(ids[:, : int(lengths.max())], total, lengths, finished)
