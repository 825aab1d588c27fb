"""Which tags may follow which: against a plain reading of each scheme's rule."""

from itertools import pairwise, product

import numpy as np
import pytest

from orthogon.data.tag_schemes import letter_and_type, marks_entities, scheme_of, strange_letters, transitions
from orthogon.data.text_columns import TagsColumn


def encoded(scheme: str, spans: list[tuple[int, int, str]], length: int) -> list[str]:
    """Tags of entities (start, end, type), in order and without overlap, written by the rule of the scheme."""
    tags = ["O"] * length
    for start, end, kind in spans:
        single, last = {"BIOES": "SE", "BILOU": "UL"}.get(scheme, "BI")
        touches = start > 0 and tags[start - 1][2:] == kind
        first = "I" if scheme == "IOB1" and not touches else "B"
        tags[start:end] = [f"{first}-{kind}", *[f"I-{kind}"] * (end - start - 1)]
        if scheme in ("BIOES", "BILOU"):
            tags[end - 1] = f"{single if end - start == 1 else last}-{kind}"
    return tags


def all_spans(length: int) -> list[list[tuple[int, int, str]]]:
    """Every set of entities of two types in a sentence of so many tokens."""
    if length <= 0:
        return [[]]
    found = list(all_spans(length - 1))
    for size, kind in product(range(1, length + 1), "xy"):
        found += [[*spans, (length - size, length, kind)] for spans in all_spans(length - size)]
    return found


@pytest.mark.parametrize("scheme", ["BIO", "IOB1", "BIOES", "BILOU"])
def test_what_a_scheme_allows_is_what_it_writes(scheme):
    """All sequences of tags of four tokens that are allowed are those that some set of entities is written as."""
    letters = {"BIO": "BI", "IOB1": "BI", "BIOES": "BIES", "BILOU": "BILU"}[scheme]
    levels = ["O", *(f"{letter}-{kind}" for letter in letters for kind in "xy")]
    may = transitions(levels, scheme)
    for length in (1, 2, 3):
        written = {tuple(encoded(scheme, spans, length)) for spans in all_spans(length)}
        allowed = {
            tuple(levels[code] for code in codes) for codes in product(range(len(levels)), repeat=length)
            if may.start[codes[0]] and may.end[codes[-1]] and all(may.between[a, b] for a, b in pairwise(codes))
        }
        assert written == allowed


@pytest.mark.parametrize("scheme", ["BIO", "IOB1", "BIOES", "BILOU"])
def test_a_scheme_is_told_from_its_tags(scheme):
    spans = [[(0, 1, "x"), (1, 3, "x"), (4, 6, "y")], [(1, 3, "y")], []]
    column = TagsColumn.from_values([encoded(scheme, each, 6) for each in spans])
    found = scheme_of(column.levels, column.codes, column.lengths)
    assert (found.name, found.faults.tolist()) == (scheme, [])


def test_faults_are_counted_over_all_sentences():
    column = TagsColumn.from_values([["B-x", "I-x", "O"], ["B-y"], ["O", "I-y", "B-x"], ["I-x"], ["B-x", "I-y"]])
    found = scheme_of(column.levels, column.codes, column.lengths)
    assert (found.name, found.faults.tolist()) == ("BIO", [5, 7, 9])


def test_what_is_not_known_may_stand_anywhere():
    column = TagsColumn.from_values([["B-x", None, "I-x"], None, [None]])
    assert scheme_of(column.levels, column.codes, column.lengths).faults.tolist() == []


def test_an_entity_that_does_not_end_is_a_fault_of_bioes():
    column = TagsColumn.from_values([["S-x", "B-x", "E-x"], ["O", "B-x"], ["B-x", "I-x", "O"]])
    found = scheme_of(column.levels, column.codes, column.lengths)
    assert (found.name, found.faults.tolist()) == ("BIOES", [4, 7])


@pytest.mark.parametrize("levels", [["NOUN", "VERB"], ["O"], ["O", "-LRB-"], ["b-x", "O"], ["B-", "O"],
                                    ["HYPH", "B-x"]])
def test_tags_that_mark_no_entities(levels):
    assert not marks_entities(levels)
    assert scheme_of(levels, np.zeros(1, int), np.ones(1, int)).name == ""


def test_letters_and_types():
    assert letter_and_type("B-creative-work") == ("B", "creative-work")
    assert letter_and_type("O") == ("O", "")
    assert strange_letters(["O", "B-x", "M-x"]) == ["M-x"]
