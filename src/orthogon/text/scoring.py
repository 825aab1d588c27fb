"""How probable a language model finds texts: the product of what it says of each token (rows 12.16, 25.02, 25.03)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

import torch
from torch import nn

from orthogon.errors import DataError
from orthogon.nn.spec import END, PAD, UNKNOWN
from orthogon.text.language import Language

AT_ONCE = 64


@dataclass(frozen=True)
class Scored:
    """One text. tokens: those that are predicted, the mark of the end, "", among them where sequences have one.
    each: log p of every token given those before it. unknown: how many the vocabulary lacks; each is taken for one and
    the same unknown token, so that texts with different ones are hardly to be compared."""

    text: str
    tokens: tuple[str, ...]
    each: tuple[float, ...]
    unknown: int = 0

    @property
    def log_probability(self) -> float:
        return sum(self.each)

    @property
    def perplexity(self) -> float:
        """e to the mean cost of a token."""
        return exp(min(-self.log_probability / len(self.each), 700.0))


@torch.no_grad()
def score(task: Language, model: nn.Module, texts: Sequence[str]) -> list[Scored]:
    """Each text by itself, in full, whatever its length. model: in evaluation mode. DataError for an empty text that
    has no mark of the end either."""
    if task.running and any(not task.ids(text) for text in texts):
        raise DataError("an empty text has no probability", remedy="Give some text.")
    device = next(model.parameters()).device
    found: dict[int, Scored] = {}
    order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
    for start in range(0, len(order), AT_ONCE):
        some = order[start : start + AT_ONCE]
        batch = task.sequences([texts[at] for at in some], device)
        costs, known = task.costs(model, batch)[0].cpu(), (batch.target != PAD).cpu()
        for at, target, each in zip(some, batch.target.cpu(), costs.split(known.sum(1).tolist())):
            ids = target[target != PAD].tolist()
            names = tuple("" if id == END else task.encoder.vocabulary.tokens([id])[0] for id in ids)
            found[at] = Scored(texts[at], names, tuple((-each).tolist()), ids.count(UNKNOWN))
    return [found[at] for at in range(len(texts))]
