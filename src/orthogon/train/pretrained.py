"""Weights into a network: every tensor by its name, the rows of the last layer by the names of the classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor, nn

from orthogon import registry
from orthogon.errors import RecipeError
from orthogon.nn.freeze import head_of
from orthogon.nn.spec import FIRST_TOKEN, InputSpec, ModelSpec
from orthogon.train.weight_files import tensors_of
from orthogon.train.weights import Weights

_COUNTER = "num_batches_tracked"
_SIDE = ("aux", "AuxLogits", "pair_head", "crf")
"""Beginnings of the names of what serves in training, in comparing or behind the outputs alone: files have it or not,
and it begins anew where it has another shape."""


def load_weights(model: nn.Module, weights: Weights, classes: Sequence[str],
                 vocabularies: Sequence[Sequence[str]] = ()) -> None:
    """Fill the model in place. classes: of its outputs; () where they have no names. vocabularies: the tokens of each
    input that is made of tokens.

    Layers with an output for each class take the rows of the classes that both know (`known_classes`) where the classes
    differ, and keep their first weights for the others. A head with tensors of other names is of another kind (a
    decoder, a projector): it is let go, and the model's own begins anew. Where tokens differ, what has a number for
    each (`token_tables` of the model, see `Task.vocabularies`) takes those of the tokens that both know, and keeps its
    first weights for the others. Side branches may be missing on either side. RecipeError that names the first tensors
    that differ, and whose they may be; and where tokens differ that numbers of the model cannot follow.
    """
    given, own = tensors_of(weights), model.state_dict()
    given = {name: value for name, value in given.items() if name in own or not _aside(name)}
    given = _with_own_head(model, given, own)
    same = [each.casefold() for each in classes] == [each.casefold() for each in weights.classes]
    matched, output = known_classes(classes, weights.classes), _output_name(model)
    filled, tables = dict(own), _tables(model, vocabularies, weights)
    for name in own.keys() & given.keys():
        last, value = name.rpartition(".")[0] == output, given[name]
        anew = _speaks_of_classes(last, value, own[name], len(weights.classes), same)
        table = next((each for start, each in tables.items() if f"{name}.".startswith(f"{start}.")), None)
        filled[name] = (table.filled(name, own[name], value) if table is not None
                        else _by_row(own[name], value, matched) if anew
                        else own[name] if _aside(name) and value.shape != own[name].shape else value)
    missing = [name for name in own if name not in given and not _aside(name)]
    strange = sorted(name for name in given if name not in own)
    differing = [name for name in own if filled[name].shape != own[name].shape]
    wrong = [name for name in (*differing, *strange, *missing) if not name.endswith(_COUNTER)]
    if wrong:
        raise _mismatch(weights, given, own, wrong)
    model.load_state_dict(filled, strict=True)


def known_classes(classes: Sequence[str], others: Sequence[str]) -> dict[int, int]:
    """Index in `classes` -> index in `others` of those with the same name, whatever the case.

    A name among `others` may be a list of synonyms, "tench, Tinca tinca"; the whole name counts first, and a synonym
    that several have does not count.
    """
    whole = _unambiguous((name.casefold(), k) for k, name in enumerate(others))
    parts = _unambiguous((part.strip().casefold(), k) for k, name in enumerate(others) for part in name.split(","))
    found = {i: whole.get(name.casefold(), parts.get(name.casefold())) for i, name in enumerate(classes)}
    return {i: k for i, k in found.items() if k is not None}


def _unambiguous(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    found: dict[str, set[int]] = {}
    for name, k in pairs:
        found.setdefault(name, set()).add(k)
    return {name: next(iter(each)) for name, each in found.items() if len(each) == 1}


def sentence(weights: Weights, classes: Sequence[str]) -> str:
    """What was loaded, and what becomes of the last layer, for people."""
    known = known_classes(classes, weights.classes)
    if not weights.classes:
        head = "the head as well, where it is of the same kind"
    elif list(classes) == list(weights.classes):
        head = "the last layer as well"
    elif not known:
        head = "the last layer begins anew"
    else:
        names = ", ".join(classes[i] for i in list(known)[:4]) + (", …" if len(known) > 4 else "")
        head = f"of the last layer {len(known)} of {len(classes)} classes, known by name ({names})"
    licence = f"; licence {weights.licence}" if weights.licence else ""
    return f"{weights.title}: {head}{licence}"


def _with_own_head(model: nn.Module, given: dict[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What is given, with the model's own head where the head that is given is of another kind."""
    try:
        within = f"{head_of(model)}."
    except ValueError:  # it has none
        return given
    head = {name: value for name, value in own.items() if name.startswith(within)}
    if head.keys() == {name for name in given if name.startswith(within)}:
        return given
    return {name: value for name, value in given.items() if not name.startswith(within)} | head


def _aside(name: str) -> bool:
    return name.startswith(_SIDE)


def _speaks_of_classes(last: bool, value: Tensor, own: Tensor, others: int, same: bool) -> bool:
    """Whether the tensor has a row for each class, of other classes than the model's. last: whether of the last layer;
    others: how many classes the weights name."""
    if not value.ndim or value.shape[1:] != own.shape[1:]:
        return False
    if value.shape == own.shape:
        return last and others > 0 and not same
    return last or value.shape[0] == others


class _Table(NamedTuple):
    """What has a number for each token, of other tokens than the weights: rows here and there, their numbers, whose."""

    rows: Mapping[int, int]
    own: int
    given: int
    title: str

    def filled(self, name: str, own: Tensor, value: Tensor) -> Tensor:
        """RecipeError where the tensors have no row for each token, as those of an adaptive softmax."""
        if value is own or value.shape[1:] != own.shape[1:]:
            return value  # of a head that begins anew, or told as one that differs
        if (len(own), len(value)) != (self.own, self.given):
            raise RecipeError(
                f"the tokens are others than those of the weights ({self.own:,} ids, {self.given:,} there), and {name} "
                f"cannot follow them: {_times(own)} in the model, {_times(value)} in the file", where=self.title,
                remedy="Take a model with the options of the weights and one row for each token, or no weights.")
        return _by_row(own, value, self.rows)


def _tables(model: nn.Module, vocabularies: Sequence[Sequence[str]], weights: Weights) -> dict[str, _Table]:
    """Beginning of the names of parameters -> how their rows go over; of vocabularies that differ alone."""
    named: Mapping[str, int] = getattr(model, "token_tables", {})
    found = {}
    for place, mine in enumerate(vocabularies):
        if place >= len(weights.vocabularies):
            raise RecipeError("nothing says of which tokens these weights are", where=weights.title,
                              remedy="Name the run that they are of: --weights RUN.")
        theirs = weights.vocabularies[place]
        if tuple(mine) == tuple(theirs):
            continue
        starts = [start for start, its in named.items() if its == place]
        if not starts:
            raise RecipeError(f"the tokens of text {place + 1} are others than those of the weights, and nothing says "
                              f"which numbers of {type(model).__name__} are of a token", where=weights.title,
                              remedy="Take a model with embeddings that names them (token_tables), or no weights.")
        there = {token: row for row, token in enumerate(theirs, start=FIRST_TOKEN)}
        rows = {mark: mark for mark in range(FIRST_TOKEN)} | {
            row: there[token] for row, token in enumerate(mine, start=FIRST_TOKEN) if token in there}
        table = _Table(rows, FIRST_TOKEN + len(mine), FIRST_TOKEN + len(theirs), weights.title)
        found |= dict.fromkeys(starts, table)
    return found


def _output_name(model: nn.Module) -> str:
    """The layer with an output for each class: named by networks for pictures, else the last one with weights."""
    weighted = [name for name, module in model.named_modules() if "weight" in module._parameters]
    return getattr(model, "output_name", weighted[-1] if weighted else "")


def _by_row(own: Tensor, value: Tensor, matched: Mapping[int, int]) -> Tensor:
    """The model's first weights, with the rows of the classes or tokens that are known."""
    filled = own.clone()
    if matched:
        filled[list(matched)] = value[list(matched.values())].to(own.dtype)
    return filled


class _Names(NamedTuple):
    """A model of the registry by the names and shapes of its tensors."""

    model: str
    shapes: dict[str, tuple[int, ...]]


def _mismatch(weights: Weights, given: Mapping[str, Tensor], own: Mapping[str, Tensor],
              differing: Sequence[str]) -> RecipeError:
    told = [_told(name, given, own) for name in differing]
    more = f"; and {len(told) - 3} more" if len(told) > 3 else ""
    likely = likely_model(given)
    remedy = f"They look like those of {likely}: --model {likely}." if likely else \
        "No model of `orthogon list models` has tensors by these names."
    return RecipeError(f"these weights are not of this model: {'; '.join(told[:3])}{more}", where=weights.title,
                       remedy=remedy)


def _told(name: str, given: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> str:
    if name not in own:
        return f"the model has no {name} {_times(given[name])}"
    if name not in given:
        return f"the file has no {name} {_times(own[name])}"
    return f"{name} is {_times(given[name])} in the file and {_times(own[name])} in the model"


def _times(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "(a number)"


def likely_model(given: Mapping[str, Tensor]) -> str | None:
    """The model for pictures whose tensors have these names and, but for the last layer, these shapes."""
    names = {name: tuple(value.shape) for name, value in given.items() if not name.endswith(_COUNTER)}
    best, most = None, 0.0
    for candidate in _candidates():
        shared = [name for name in names if name in candidate.shapes]
        alike = sum(names[name] == candidate.shapes[name] for name in shared)
        share = alike / max(len(names), len(candidate.shapes))
        if share > most:
            best, most = candidate.model, share
    return best if most > 0.9 else None


@cache
def _candidates() -> tuple[_Names, ...]:
    """The models for pictures as they are published, built without memory for their tensors."""
    found = []
    for entry in registry.models:
        if not entry.published:
            continue
        *shape, outputs = entry.published
        spec = ModelSpec((InputSpec("image", tuple(shape)),), outputs)
        with torch.device("meta"):
            built = entry.load()(spec)
        found.append(_Names(entry.name, {name: tuple(value.shape) for name, value in built.state_dict().items()
                                         if not name.endswith(_COUNTER)}))
    return tuple(found)
