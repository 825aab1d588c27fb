"""How tags of tokens mark entities: which tag may follow which in IOB1, BIO, BIOES and BILOU.

A tag is "O" (outside), or a letter, a hyphen and the type of the entity: "B-person". In BIO every entity begins with B;
in IOB1 only one that follows another of its type at once (Ramshaw and Marcus 1995; Tjong Kim Sang and Veenstra 1999);
in BIOES E ends an entity and S is one of a single token; BILOU writes L and U for these (Ratinov and Roth 2009).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

OUTSIDE = "O"
SCHEMES = {"BIO": "BI", "IOB1": "BI", "BIOES": "BIES", "BILOU": "BILU"}
"""Scheme -> the letters of its tags. Tags that two fit are of the first one."""

_ENTITY = re.compile(r"([A-Z])-(.+)", re.DOTALL)


class Transitions(NamedTuple):
    """Which of K tags may begin a sentence (K), follow each other (K×K, from the row to the column), end one (K)."""

    between: np.ndarray
    start: np.ndarray
    end: np.ndarray


class Scheme(NamedTuple):
    """What tags follow: `name`, "" for tags that mark no entities; `faults`: the tokens, counted over all sentences,
    whose tags may not stand where they do."""

    name: str
    faults: np.ndarray


def letter_and_type(tag: str) -> tuple[str, str]:
    """"B-person" -> ("B", "person"); ("O", "") for every tag that is in no entity."""
    found = _ENTITY.fullmatch(tag)
    return (found[1], found[2]) if found else (OUTSIDE, "")


def marks_entities(levels: Sequence[str]) -> bool:
    """Whether each is "O" or has a letter and a type, and at least one has."""
    return all(level == OUTSIDE or _ENTITY.fullmatch(level) for level in levels) and any(
        level != OUTSIDE for level in levels)


def strange_letters(levels: Sequence[str]) -> list[str]:
    """The tags that mark entities with letters of no scheme."""
    known = set("".join(SCHEMES.values())) | {OUTSIDE}
    return [level for level in levels if letter_and_type(level)[0] not in known]


def transitions(levels: Sequence[str], scheme: str) -> Transitions:
    """What may follow what in that scheme; KeyError for one that is not known."""
    single, last = (SCHEMES[scheme][3], SCHEMES[scheme][2]) if len(SCHEMES[scheme]) > 2 else ("", "")
    letters, types = (np.array(each) for each in zip(*map(letter_and_type, levels)))
    same = types[:, None] == types
    inside, begins, outside = letters == "I", letters == "B", letters == OUTSIDE
    if scheme == "BIO":
        return Transitions(~inside | (same & ~outside[:, None]), ~inside, np.ones(len(levels), bool))
    if scheme == "IOB1":
        return Transitions(~begins | (same & ~outside[:, None]), ~begins, np.ones(len(levels), bool))
    opened, continues = begins | inside, inside | (letters == last)
    known = opened | continues | (letters == single) | outside
    between = np.where(opened[:, None], continues & same, ~continues) & known & known[:, None]
    return Transitions(between, ~continues & known, ~opened & known)


def scheme_of(levels: Sequence[str], codes: np.ndarray, lengths: np.ndarray) -> Scheme:
    """The scheme that the tags of sentences follow; where they follow none, the one that they come closest to, with
    their faults. codes: (all tokens,), −1 = not known; lengths: (n,), as in a TagsColumn.
    """
    if not marks_entities(levels):
        return Scheme("", np.empty(0, np.int64))
    letters = {letter_and_type(level)[0] for level in levels} - {OUTSIDE}
    fitting = [name for name, known in SCHEMES.items() if letters <= set(known)] or list(SCHEMES)
    faults = {name: _faults(transitions(levels, name), codes, lengths) for name in fitting}
    name = min(fitting, key=lambda each: len(faults[each]))
    return Scheme(name, faults[name])


def _faults(may: Transitions, codes: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The tokens that may not follow the one before, begin, or end; what is not known may stand anywhere."""
    between = np.pad(may.between, (0, 1), constant_values=True)
    start, end = np.append(may.start, True), np.append(may.end, True)
    ends = np.cumsum(lengths[lengths > 0])
    first = np.zeros(len(codes) + 1, bool)
    first[np.append(0, ends)] = True
    wrong = np.zeros(len(codes), bool)
    wrong[1:] = ~between[codes[:-1], codes[1:]] & ~first[1:-1]
    wrong |= ~start[codes] & first[:-1]
    wrong |= ~end[codes] & first[1:]
    return np.flatnonzero(wrong)
