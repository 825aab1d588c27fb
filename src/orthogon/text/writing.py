"""New texts from a language model: each token is drawn from what the model says, and is read next (row 25.04)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from orthogon.errors import RecipeError
from orthogon.nn.sampling import Sampling, sample
from orthogon.nn.spec import BEGIN, END, PAD, UNKNOWN
from orthogon.text.language import Language

LENGTHS = {True: 500, False: 100}
"""Tokens that are written at most where no number is asked for: of running text, of sequences."""


@dataclass(frozen=True)
class Written:
    """One text. text: with what it began with. log_probability: of what was drawn, under the model itself.
    finished: whether it came to its end; running text has none."""

    text: str
    log_probability: float
    finished: bool


@torch.no_grad()
def write(
    task: Language, model: nn.Module, count: int = 1, *, start: str = "", at_most: int | None = None,
    temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0, unknown: bool = False, seed: int = 0,
) -> list[Written]:
    """`count` texts, drawn together, the model keeping its state from token to token.

    start: what each begins with. at_most: tokens behind it; left out: 100, of running text 500.
    temperature, top_k, top_p: as of `Sampling`. unknown: whether the token for unknown words may be drawn.
    model: in evaluation mode. Raises RecipeError for what is no way to draw.
    """
    if count < 1:
        raise RecipeError(f"{count} texts", where="count", remedy="Give at least 1.")
    # What never ends a running text is never drawn there: it has not occurred in it.
    banned = [PAD, BEGIN, *([] if unknown else [UNKNOWN]), *([END] if task.running else [])]
    how = Sampling(temperature, top_k, top_p, banned)
    device = next(model.parameters()).device
    given = torch.tensor([[task.opening, *task.ids(start)]], device=device).expand(count, -1)
    step = stateful_step if getattr(model, "tells_costs", False) else whole_step
    state = None
    if given.shape[1] > 1:
        _, state = step(model)(given[:, :-1], None)
    longest = LENGTHS[task.running] if at_most is None else at_most
    drawn = sample(step(model), state, given[:, -1], END, longest, how,
                   torch.Generator(device).manual_seed(seed))
    return [
        Written(_behind(task, start, ids[:length]), float(total), bool(finished))
        for ids, length, total, finished in zip(
            drawn.ids.tolist(), drawn.lengths.tolist(), drawn.log_probabilities, drawn.finished)
    ]


def _behind(task: Language, start: str, drawn: Sequence[int]) -> str:
    """The start as it was given, whatever the vocabulary lacks of it, and what was drawn behind it."""
    given = task.ids(start)
    read, whole = (task.encoder.text(ids) for ids in (given, [*given, *drawn]))
    behind = whole[len(read):]
    return (start.rstrip(" ") if behind.startswith(" ") and not read.endswith(" ") else start) + behind


def stateful_step(model: Any) -> Any:
    """Tokens R or R×T and the state before them -> log-probabilities of what follows R×V, and the state."""

    def step(tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        features, state = model.read(tokens.view(len(tokens), -1), state)
        return model.log_probabilities(features[:, -1]), state

    return step


def whole_step(model: nn.Module) -> Any:
    """The same for a model that keeps no state: it reads all again for each token. The state is what was read."""

    def step(tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        tokens = tokens.view(len(tokens), -1)
        read = tokens if state is None else torch.cat([state, tokens], dim=1)
        return model(read)[:, -1].float().log_softmax(-1), read

    return step
