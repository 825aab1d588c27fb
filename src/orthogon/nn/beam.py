"""Beam search over a batch: one engine for every model that gives the next token, its semantics in `BeamSpec`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from orthogon.errors import RecipeError
from orthogon.nn.beam_spec import BeamSpec, coverage_of
from orthogon.nn.top_sums import top_sums

Step = Callable[[Tensor, Any], tuple[Any, ...]]
"""step(tokens: R, state) -> (log-probabilities R×V, state) or (log-probabilities, state, attention R×S)."""


@dataclass(frozen=True)
class PerSentence:
    """A leaf of a state whose first dimension is sentences, not rows: what all beams of a sentence look at.

    It is never copied per beam. Rows of a sentence follow each other: R = N·W, so that `rows.view(N, W, …)` lies
    beside `tensor`, N×….
    """

    tensor: Tensor


@dataclass(frozen=True)
class Hypotheses:
    """What was found: for each of N sentences the k best outputs, the best one first.

    ids:       N×k×L, with END where it was given, 0 behind.
    scores:    N×k, as `BeamSpec.score` gives them; −∞ where fewer than k were found.
    log_probabilities: N×k, the sums as they are. lengths: N×k, tokens with END.
    finished:  N×k, False where no END was given: the model did not come to an end.
    attention: N×k×L×S, of the step that gave the token; None where the model has none, or it was not to be kept.
    """

    ids: Tensor
    scores: Tensor
    log_probabilities: Tensor
    lengths: Tensor
    finished: Tensor
    attention: Tensor | None = None


@torch.no_grad()
def search(step: Step, state: Any, begin: Tensor, end: int, at_most: int | Tensor, spec: BeamSpec, *,
           banned: Sequence[int] = (), present: Tensor | None = None, wanted: int | None = None,
           keep_attention: bool = False) -> Hypotheses:
    """The best sentences for each example of a batch (rows 28.03 to 28.09).

    step:    asked once per step for all beams of all sentences; see `Step`. It is given the last token of each row and
             the state that it gave for that row.
    state:   a tree (tuples, lists, dictionaries, None) of tensors whose first dimension is sentences at first, and rows
             from then on; `PerSentence` around those that stay as they are.
    begin:   N, the token that each sentence starts after. end: the id of END.
    at_most: tokens with END, for all sentences or N of them.
    banned:  ids that are never given (UNKNOWN, PAD).
    present: N×S, False where the source is padding; for `spec.coverage` alone, which needs attention.
    wanted:  how many of the k sentences are asked for, the best ones; all where left out. With the stop "bound" the
             search ends as soon as these are certain; what stands behind them is then what was found so far.
    keep_attention: whether `Hypotheses.attention` is asked for: that of all steps and beams, N×2k×S each, is then held.

    What is found for a sentence does not depend on the others; one that is done leaves the batch. Where END cannot be
    given at all, the best beams stand as they are, unfinished. Raises RecipeError where `spec` cannot be followed,
    ValueError for log-probabilities that are none.
    """
    if not len(begin):
        raise ValueError("no sentence to search for: begin is empty")
    limits = torch.as_tensor(at_most, device=begin.device).expand(len(begin))
    spec.check_length(int(limits.min()))
    spec.check_length(int(limits.max()))
    beams, trail, results = _Beams.first(begin, spec.width), _Trail(len(begin), spec.most), []
    for t in range(1, int(limits.max()) + 1):
        logs, state, attention = asked(step, beams.tokens, state)
        beams = beams.attending(attention) if spec.coverage else beams
        last = (limits[beams.sentence] == t)[:, None]
        total, parent, token = _candidates(beams, _allowed(logs, banned, end, last, spec), spec.most)
        trail.add(beams, parent, token, attention if keep_attention else None)

        possible, ending = total.isfinite(), token == end
        among_best = torch.arange(total.shape[1], device=total.device) < beams.room
        over = possible & among_best & (ending | last)
        alive = possible & ~(ending | last) & (among_best | (spec.candidates == "2k"))
        score = spec.score(total, t, ending, beams.coverage(spec, present).gather(1, parent))
        ended = beams.ended.merged(_Ended.of(score.where(over, -torch.inf), total, t, ending), spec)
        best, chosen = (kept[:, : spec.width] for kept in _descending(total.where(alive, -torch.inf)))
        stops = _stops(spec, ended.score, best[:, 0], t, limits[beams.sentence], ending[:, 0], wanted)
        done = last[:, 0] | ~alive.any(1) | stops
        if done.any():
            stuck = done & ~ended.score[:, 0].isfinite()
            ended = ended.or_else(beams.as_they_are(spec, t - 1), stuck, spec)
            results.append((beams.sentence[done], ended.take(done)))
        if done.all():
            break
        rows = beams.rows(parent.gather(1, chosen))[~done]
        state = followed(state, rows.flatten(), ~done)
        beams = beams.following(best, token.gather(1, chosen), chosen, over, ended, ~done, rows, spec)
    return trail.hypotheses(*(torch.cat(field) for field in zip(*((where, *ended) for where, ended in results))))


def asked(step: Step, tokens: Tensor, state: Any) -> tuple[Tensor, Any, Tensor | None]:
    """The answer of the model, checked, in float32 at least."""
    logs, state, *attention = step(tokens, state)
    if logs.ndim != 2 or len(logs) != len(tokens):
        raise ValueError(f"step gave log-probabilities {tuple(logs.shape)} for {len(tokens)} rows; give rows×V")
    return logs.to(torch.promote_types(logs.dtype, torch.float32)), state, attention[0] if attention else None


def _allowed(logs: Tensor, banned: Sequence[int], end: int, last: Tensor, spec: BeamSpec) -> Tensor:
    """The log-probabilities R×V, −∞ where a token must not be given. last: N×1, whether the last one is due."""
    if len(banned):
        logs = logs.index_fill(1, torch.as_tensor(banned, device=logs.device), -torch.inf)
    if spec.at_maximum == "end" and last.any():
        others = torch.arange(logs.shape[1], device=logs.device) != end
        logs = logs.masked_fill(last.repeat_interleave(len(logs) // len(last), dim=0) & others, -torch.inf)
    return logs


def _candidates(beams: _Beams, logs: Tensor, most: int) -> tuple[Tensor, Tensor, Tensor]:
    """The best continuations, the best one first: sums, the beam that each continues, its token; N×C each."""
    total, place = top_sums(beams.total, logs, most)
    if not (total[:, 0] <= 1e-3).all():
        raise ValueError(f"the best beginning has the log-probability {total[:, 0].max().item():g}, expected at most "
                         "0; give log_softmax of the logits")
    return total, place // logs.shape[1], place % logs.shape[1]


def _stops(spec: BeamSpec, ended: Tensor, best: Tensor, t: int, limits: Tensor, top_ends: Tensor,
           wanted: int | None) -> Tensor:
    """Which sentences are done by the rule of `spec`. ended: N×k scores. best: N sums. top_ends: N."""
    full = ended.isfinite().all(1)
    if spec.width == 1 or spec.stop == "full":
        return full
    if spec.stop == "hopeless":
        return full & (spec.score(best, t, ended=False) <= ended.amin(1))
    if spec.stop == "bound":
        last_wanted = ended.topk(min(wanted or spec.width, spec.width)).values[:, -1]
        return last_wanted.isfinite() & (spec.bound(best, t, limits) <= last_wanted)
    return top_ends & (spec.stop == "top")


def _descending(values: Tensor) -> tuple[Tensor, Tensor]:
    return values.sort(dim=1, descending=True, stable=True)


def followed(state: Any, rows: Tensor, going: Tensor) -> Any:
    """The state of the rows that go on. rows: indices. going: which sentences do."""
    if isinstance(state, Tensor):
        return state.index_select(0, rows)
    if isinstance(state, PerSentence):
        return state if going.all() else PerSentence(state.tensor[going])
    if isinstance(state, dict):
        return {key: followed(value, rows, going) for key, value in state.items()}
    if isinstance(state, tuple | list):
        items = [followed(value, rows, going) for value in state]
        return type(state)(*items) if hasattr(state, "_fields") else type(state)(items)
    if state is None:
        return None
    raise ValueError(f"a state holds tensors in tuples, lists and dictionaries; got {type(state).__name__}")


class _Ended(NamedTuple):
    """The best sentences that ended, N×k each. place: which candidate of step `length` it is."""

    score: Tensor
    log_probability: Tensor
    length: Tensor
    place: Tensor
    finished: Tensor

    @staticmethod
    def of(score: Tensor, total: Tensor, t: int, finished: Tensor, place: Tensor | None = None) -> _Ended:
        """The candidates of step t; those that did not end have the score −∞."""
        place = torch.arange(score.shape[1], device=score.device).expand(score.shape) if place is None else place
        there = score.isfinite()
        return _Ended(score, total.where(there, -torch.inf), torch.full_like(place, t).where(there, 0),
                      place.where(there, 0), finished & there)

    def merged(self, new: _Ended, spec: BeamSpec) -> _Ended:
        """The k of both that are kept."""
        here = self.score.masked_fill(self.score.isfinite(), torch.inf) if spec.keep == "first" else self.score
        order = _descending(torch.cat([here, new.score], 1))[1][:, : spec.width]
        return _Ended(*(torch.cat(pair, 1).gather(1, order) for pair in zip(self, new)))

    def or_else(self, other: _Ended, where: Tensor, spec: BeamSpec) -> _Ended:
        """Those of `other` at the sentences where: N."""
        merged = self.merged(other, spec)
        return _Ended(*(new.where(where[:, None], old) for new, old in zip(merged, self)))

    def take(self, rows: Tensor) -> _Ended:
        return _Ended(*(field[rows] for field in self))


@dataclass(frozen=True)
class _Beams:
    """The beginnings that are followed, N×W, of the sentences that are not done.

    sentence: N, where each was in the batch. tokens: N·W, the last ones. place: which candidate of the last step each
    is. room: N×1, how many candidates may end or go on. covered: N×W×S, the attention so far.
    """

    sentence: Tensor
    total: Tensor
    tokens: Tensor
    place: Tensor
    room: Tensor
    ended: _Ended
    covered: Tensor | None = None

    @staticmethod
    def first(begin: Tensor, width: int) -> _Beams:
        sentence = torch.arange(len(begin), device=begin.device)
        nothing = torch.full((len(begin), width), -torch.inf, device=begin.device)
        return _Beams(sentence, torch.zeros_like(nothing[:, :1]), begin, torch.zeros_like(sentence)[:, None],
                      torch.full_like(sentence, width)[:, None],
                      _Ended.of(nothing, nothing, 0, torch.zeros_like(nothing, dtype=torch.bool)))

    def attending(self, attention: Tensor | None) -> _Beams:
        if attention is None:
            return self
        attention = attention.view(*self.total.shape, -1)
        return replace(self, covered=attention if self.covered is None else self.covered + attention)

    def coverage(self, spec: BeamSpec, present: Tensor | None) -> Tensor:
        """N×W, what `BeamSpec.score` takes."""
        if not spec.coverage:
            return torch.zeros_like(self.total)
        if self.covered is None:
            raise RecipeError("coverage is asked for, and the model gives no attention", where="beam.coverage",
                              remedy="Take a model with attention, or 0.")
        return coverage_of(self.covered, None if present is None else present[self.sentence, None])

    def as_they_are(self, spec: BeamSpec, t: int) -> _Ended:
        """The beams, t tokens long, as sentences without an end."""
        return _Ended.of(spec.score(self.total, t, ended=False), self.total, t,
                         torch.zeros_like(self.total, dtype=torch.bool), self.place)

    def rows(self, parent: Tensor) -> Tensor:
        """The rows of the model that beams (N×W) are."""
        return torch.arange(len(parent), device=parent.device)[:, None] * self.total.shape[1] + parent

    def following(self, total: Tensor, tokens: Tensor, place: Tensor, over: Tensor, ended: _Ended, going: Tensor,
                  rows: Tensor, spec: BeamSpec) -> _Beams:
        """The beams of the next step. rows: which of these they continue, of the sentences going."""
        room = self.room - over.sum(1, keepdim=True) if spec.candidates == "remaining" else self.room
        covered = None if self.covered is None else self.covered.flatten(0, 1)[rows]
        return _Beams(self.sentence[going], total[going], tokens[going].flatten(), place[going], room[going],
                      ended.take(going), covered)


class _Trail:
    """The candidates of every step, N×C each, with the candidate of the step before that each continues."""

    def __init__(self, sentences: int, candidates: int) -> None:
        self.shape = sentences, candidates
        self.tokens: list[Tensor] = []
        self.parents: list[Tensor] = []
        self.attention: list[Tensor] = []

    def add(self, beams: _Beams, parent: Tensor, token: Tensor, attention: Tensor | None) -> None:
        self.tokens.append(self._spread(beams, token))
        self.parents.append(self._spread(beams, beams.place.gather(1, parent)))
        if attention is not None:
            self.attention.append(self._spread(beams, attention[beams.rows(parent)]))

    def _spread(self, beams: _Beams, values: Tensor) -> Tensor:
        """In the places that the sentences have in the whole batch."""
        full = values.new_zeros(*self.shape, *values.shape[2:])
        full[beams.sentence, : values.shape[1]] = values
        return full

    def hypotheses(self, sentence: Tensor, *fields: Tensor) -> Hypotheses:
        """Ids and attention, read from the last token to the first. fields: those of `_Ended`, in any order of rows."""
        ended = _Ended(*fields).take(sentence.argsort())
        ended = _Ended(*(field.gather(1, _descending(ended.score)[1]) for field in ended))
        steps, place, ids, attention = int(ended.length.max()), ended.place, [], []
        for t in reversed(range(steps)):
            inside = ended.length > t
            ids.append(self.tokens[t].gather(1, place).where(inside, 0))
            if self.attention:
                sources = self.attention[t].shape[2]
                here = self.attention[t].gather(1, place[:, :, None].expand(-1, -1, sources))
                attention.append(here.where(inside[:, :, None], 0))
            place = self.parents[t].gather(1, place).where(inside, place)
        return Hypotheses(torch.stack(ids[::-1], 2) if ids else place.new_zeros(*place.shape, 0), ended.score,
                          ended.log_probability, ended.length, ended.finished,
                          torch.stack(attention[::-1], 2) if attention else None)
