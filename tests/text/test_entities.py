"""Entities against a plain transcription of conlleval's rules, token by token."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from orthogon.text.entities import Entity, EntityReader, entities, entity_metrics
from orthogon.train.rows import Rows

LEVELS = ["O", *(f"{letter}-{kind}" for letter in "BIES" for kind in ("loc", "per"))]


def chunk_ends(before: str, before_type: str, tag: str, kind: str) -> bool:
    """endOfChunk of conlleval, with the S that its later versions know."""
    if (before, tag) in {("B", "B"), ("B", "O"), ("I", "B"), ("I", "O"), ("B", "S"), ("I", "S")}:
        return True
    if before in ("E", "S"):
        return True
    return before != "O" and before_type != kind


def chunk_starts(before: str, before_type: str, tag: str, kind: str) -> bool:
    """startOfChunk of conlleval, with the S that its later versions know."""
    if tag in ("B", "S"):
        return True
    if before in ("E", "S", "O") and tag in ("E", "I"):
        return True
    return tag != "O" and before_type != kind


def parts(tag: str) -> tuple[str, str]:
    letter, _, kind = tag.partition("-")
    return letter, kind


def conlleval(gold: list[list[str]], said: list[list[str]]) -> tuple[Counter, Counter, Counter]:
    """correct, guessed and gold entities by type, in one pass over the tokens as the script makes it."""
    correct, guessed, there = Counter(), Counter(), Counter()
    for truth, guess in zip(gold, said):
        running, last_truth, last_guess = False, ("O", ""), ("O", "")
        for one, other in zip([*truth, "O"], [*guess, "O"]):
            one_parts, other_parts = parts(one), parts(other)
            ends = chunk_ends(*last_truth, *one_parts), chunk_ends(*last_guess, *other_parts)
            starts = chunk_starts(*last_truth, *one_parts), chunk_starts(*last_guess, *other_parts)
            if running:
                if all(ends) and last_truth[1] == last_guess[1]:
                    correct[last_truth[1]] += 1
                    running = False
                elif ends[0] != ends[1] or one_parts[1] != other_parts[1]:
                    running = False
            if all(starts) and one_parts[1] == other_parts[1]:
                running = True
            there[one_parts[1]] += starts[0]
            guessed[other_parts[1]] += starts[1]
            last_truth, last_guess = one_parts, other_parts
    return correct, guessed, there


sequences = st.integers(1, 8).flatmap(lambda length: st.tuples(
    *[st.lists(st.sampled_from(LEVELS), min_size=length, max_size=length)] * 2))


@given(st.lists(sequences, min_size=1, max_size=6))
@settings(max_examples=200, deadline=None)
def test_counts_are_those_of_conlleval_whatever_the_tags(pairs):
    gold, said = [list(one) for one, _ in pairs], [list(other) for _, other in pairs]
    reader = EntityReader(LEVELS)
    found = reader.counts(codes(said), codes(gold))
    for count, expected in zip(("correct", "guessed", "gold"), conlleval(gold, said)):
        assert found[count].sum(0).tolist() == [expected[kind] for kind in reader.types]


def codes(tags: list[list[str]], width: int = 10) -> torch.Tensor:
    return torch.tensor([[*(LEVELS.index(tag) for tag in line), *[-1] * (width - len(line))] for line in tags])


@given(st.lists(sequences, min_size=1, max_size=6))
@settings(max_examples=50, deadline=None)
def test_counts_are_those_of_seqeval(pairs):
    metrics = pytest.importorskip("seqeval.metrics.sequence_labeling")
    for truth, guess in pairs:
        assert {(kind, start, end + 1) for kind, start, end in metrics.get_entities(list(truth))} == set(
            entities(list(truth)))
        assert len(metrics.get_entities(list(guess))) == len(entities(list(guess)))


@pytest.mark.parametrize(("tags", "expected"), [
    ("B-per I-per O B-loc", [("per", 0, 2), ("loc", 3, 4)]),
    ("O I-per I-per O", [("per", 1, 3)]),
    ("B-per I-loc", [("per", 0, 1), ("loc", 1, 2)]),
    ("B-per B-per I-per", [("per", 0, 1), ("per", 1, 3)]),
    ("S-per B-per E-per I-per", [("per", 0, 1), ("per", 1, 3), ("per", 3, 4)]),
    ("O O", []), ("", []),
])
def test_entities_of_a_sentence(tags, expected):
    assert entities(tags.split()) == [Entity(*each) for each in expected]


def rows_of(correct: list[int], guessed: list[int], gold: list[int]) -> Rows:
    columns = {"correct": correct, "guessed": guessed, "gold": gold}
    values = {name: np.array(values, dtype=np.float32).reshape(-1, 1) for name, values in columns.items()}
    return Rows("dev", np.arange(len(gold)).astype(str), values)


def test_figures_are_ratios_of_sums():
    rows = rows_of([1, 0, 2, 0], [1, 2, 2, 0], [2, 1, 3, 0])
    found = {metric.name: metric for metric in entity_metrics(["per"])}
    assert found["entity_precision"].value(rows) == pytest.approx(3 / 5)
    assert found["entity_recall"].value(rows) == pytest.approx(3 / 6)
    assert found["entity_f1"].value(rows) == pytest.approx(2 * 3 / 11)
    assert found["f1_of_per"].value(rows) == pytest.approx(2 * 3 / 11)
    estimate = found["entity_f1"].estimate(rows)
    assert estimate.value == pytest.approx(2 * 3 / 11)
    assert estimate.n == 4


def test_nothing_found_is_zero_and_nothing_there_is_not_defined():
    found = {metric.name: metric for metric in entity_metrics(["per"])}
    nothing_said = rows_of([0, 0], [0, 0], [1, 2])
    assert [found[f"entity_{name}"].value(nothing_said) for name in ("f1", "precision", "recall")] == [0, 0, 0]
    assert np.isnan(found["entity_f1"].value(rows_of([0], [0], [0])))


def test_the_interval_of_f1_is_over_sentences():
    """Drawn sentences, each with its own entities: the interval holds the true F1 about as often as it says."""
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(60):
        gold = generator.poisson(1.5, 300)
        correct = generator.binomial(gold, 0.6)
        guessed = correct + generator.poisson(0.4, 300)
        low, high = ((estimate := entity_metrics(["per"])[0].estimate(rows_of(correct, guessed, gold))).low,
                     estimate.high)
        held += low <= 2 * 0.9 / (1.5 + 1.3) <= high
    assert 52 <= held <= 60
