"""What a beam search means, as data: which candidates are followed, when it stops, how sentences are compared."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from orthogon.errors import RecipeError, nearest

CHOICES = {
    "candidates": ("k", "2k", "remaining"),
    "keep": ("best", "first"),
    "stop": ("exhausted", "full", "hopeless", "bound", "top"),
    "at_maximum": ("accept", "end"),
}


@dataclass(frozen=True)
class BeamSpec:
    """A beam search. Toolkits differ in these fields alone; `PRESETS` names some.

    With S the sum of logarithms of probabilities, END included where it was given, and T the number of tokens, a
    sentence has the score

        (S + word_reward·T) / ((shift + T) / (shift + 1))^exponent  +  coverage · Σ_i log min(Σ_t a⟨t,i⟩, 1)

    width:      k, the beginnings that are followed at each step (B in row 28.05); 1 is greedy search, which stops at
                the first END.
    exponent:   α: 0 compares sums, 1 means per token; S is negative, so more favors longer sentences.
    shift:      β: 0 divides by T^α (rows 28.07, 36.21), 5 by ((5 + T)/6)^α (Wu et al. 2016, equation 14).
    count_end:  whether END counts in T. (T is at least 1.)
    word_reward: added for each token. coverage: of the attention a⟨t,i⟩ that source token i had at step t, at least 0.
    candidates: "k": the k best continuations of a step; those with END leave, and the next step again takes k.
                "2k": END leaves where it is among the k best, and the k best others of 2k go on.
                "remaining": what leaves is not replaced, the beam shrinks.
    keep:       of more than k ended sentences the "best" k, or those k that came "first".
    stop:       "exhausted": only when no beam is left. "full": when k sentences have ended. With k ended, "hopeless":
                when the best beam, were it to end now at no cost, would not beat the worst of them; "bound": when no
                length that is left could make it do so, which loses nothing. "top": when the best continuation of a
                step is an END.
    at_maximum: what happens at the greatest length: "accept" the beams as they are; "end": the last token is END.

    Raises RecipeError for a field that has no such value.
    """

    width: int = 5
    exponent: float = 0.7
    shift: float = 0.0
    count_end: bool = True
    word_reward: float = 0.0
    coverage: float = 0.0
    candidates: str = "2k"
    keep: str = "best"
    stop: str = "bound"
    at_maximum: str = "accept"

    def __post_init__(self) -> None:
        if self.width < 1:
            raise RecipeError(f"a beam of {self.width} follows nothing", where="beam.width",
                              remedy="Give at least 1, which is greedy search; 5 or 10 is usual.")
        for name in ("exponent", "shift", "word_reward", "coverage"):
            if not math.isfinite(getattr(self, name)):
                raise RecipeError(f"{name} is {getattr(self, name)}: every score would be the same, or none a number",
                                  where=f"beam.{name}", remedy="Give a finite number; 0 switches it off.")
        for name in ("shift", "coverage"):
            if getattr(self, name) < 0:
                raise RecipeError(f"{name} is {getattr(self, name)}, expected at least 0", where=f"beam.{name}")
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise RecipeError(f"{name} is {getattr(self, name)!r}", where=f"beam.{name}",
                                  remedy="Take one of " + ", ".join(known) + ".")

    @property
    def most(self) -> int:
        """Candidates that are looked at in a step."""
        return self.width * (2 if self.candidates == "2k" else 1)

    def check_length(self, longest: int) -> None:
        """RecipeError where no token may be given, or where the exponent makes every score equal, at 0 or at −∞."""
        if longest < 1:
            raise RecipeError(f"sentences of at most {longest} tokens", where="at_most", remedy="Give at least 1.")
        power = self.exponent * math.log10((self.shift + longest) / (self.shift + 1))
        if abs(power) > 30:
            raise RecipeError(f"an exponent of {self.exponent:g} divides scores of {longest} tokens by 10^{power:.0f}: "
                              "every score would be the same", where="beam.exponent",
                              remedy="Between 0 (sums) and 1 (means) is usual.")

    def score(self, log_probability: Tensor, length: Tensor | int, ended: Tensor | bool = True,
              covered: Tensor | float = 0.0) -> Tensor:
        """What sentences are compared by, the same for those that were found and for a reference.

        log_probability: S. length: tokens with END. ended: whether the last one is END. covered: `coverage_of`.
        """
        length = torch.as_tensor(length, device=log_probability.device)
        if not self.count_end:
            length = length - torch.as_tensor(ended, device=length.device).long()
        length = length.clamp(min=1)
        norm = ((self.shift + length) / (self.shift + 1)) ** self.exponent
        return (log_probability + self.word_reward * length) / norm.to(log_probability.dtype) + self.coverage * covered

    def bound(self, log_probability: Tensor, length: int, limits: Tensor) -> Tensor:
        """The best score that beginnings can still come to. log_probability: N, of `length` tokens. limits: N."""
        lengths = torch.arange(length, int(limits.max()) + 1, device=limits.device)
        scores = self.score(log_probability[:, None], lengths, ended=False)
        return scores.masked_fill(lengths > limits[:, None], -torch.inf).amax(dim=1)


def coverage_of(attention: Tensor, present: Tensor | None = None) -> Tensor:
    """Σ_i log min(a_i, 1): how far source tokens were passed over, 0 where all were attended to (Wu et al. 2016).

    attention: …×S, summed over the tokens of the sentence. present: …×S, False at padding.
    """
    logs = attention.clamp(min=torch.finfo(attention.dtype).tiny, max=1).log()
    return (logs if present is None else logs.masked_fill(~present, 0)).sum(dim=-1)


PRESETS = {
    "course": BeamSpec(exponent=0.7, candidates="k", stop="exhausted"),
    "huggingface": BeamSpec(exponent=1.0, stop="hopeless"),
    "fairseq": BeamSpec(exponent=1.0, keep="first", stop="full", at_maximum="end"),
    "marian": BeamSpec(exponent=0.0, candidates="remaining", stop="exhausted"),
}
"""Beam searches by the name of who does it so: Ng's course with T^α; `generate` of Hugging Face transformers with
`early_stopping=False` ("full" is its True, "bound" its "never"); fairseq's SequenceGenerator; Marian, whose `normalize`
is the exponent."""


def preset(name: str, **changes: Any) -> BeamSpec:
    """A beam search by name, with some fields changed; RecipeError for an unknown name."""
    if name not in PRESETS:
        raise RecipeError(f"no beam search is called {name!r}", where="beam", remedy=nearest(name, tuple(PRESETS)))
    return replace(PRESETS[name], **changes)
