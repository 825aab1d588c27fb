"""n-grams against the same formula with dictionaries, one token at a time."""

from __future__ import annotations

from collections import Counter, defaultdict
from math import log

import numpy as np
import pytest
import torch
from helpers_text import sequences_task

from orthogon.nn.spec import BEGIN, END, PAD
from orthogon.text.language_baselines import NGram, Unigram


def by_hand(train: list[list[int]], order: int, tokens: int):
    counts: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
    for sequence in train:
        for at in range(1, len(sequence)):
            history = ([PAD] * order + sequence)[at + 1 : at + order][-(order - 1) :] if order > 1 else []
            for length in range(order):
                counts[tuple(history[len(history) - length :])][sequence[at]] += 1

    def probability(history: list[int], token: int) -> float:
        p = 1 / tokens
        for length in range(order):
            seen = counts.get(tuple(history[len(history) - length :]))
            if seen is not None:
                p = (seen[token] + len(seen) * p) / (seen.total() + len(seen))
        return p

    return probability


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_equal_to_the_formula_by_hand(order: int) -> None:
    texts = ["abab", "abba", "b", "aabb", "cab", "bacd"]
    task = sequences_task(texts)
    baseline = Unigram() if order == 1 else NGram(order)
    baseline.fit(task, np.arange(4))
    encoded = [[BEGIN, *task.ids(text), END] for text in texts]
    probability = by_hand(encoded[:4], order, task.spec.outputs)
    expected = []
    for sequence in encoded:
        padded = [PAD] * order + sequence
        each = [-log(probability(padded[at + 1 : at + order] if order > 1 else [], sequence[at]))
                for at in range(1, len(sequence))]
        expected.append(np.mean(each))
    np.testing.assert_allclose(baseline.results(task, np.arange(6))["loss"], expected, rtol=1e-5)


def test_probabilities_after_any_history_sum_to_one() -> None:
    task = sequences_task(["abab", "abba", "bc", "aabb"])
    baseline = NGram(3)
    baseline.fit(task, np.arange(4))
    tokens = np.arange(task.spec.outputs)
    for history in ([PAD, BEGIN], [4, 5], [5, 4], [6, 6]):
        p = baseline._probabilities(np.tile(history, (len(tokens), 1)), tokens)
        assert p.sum() == pytest.approx(1)
        assert (p > 0).all()


def test_rows_are_those_of_a_network() -> None:
    task = sequences_task(["ab", "ba"])
    baseline = Unigram()
    baseline.fit(task, np.arange(2))
    found = baseline.results(task, np.arange(2))
    model = torch.nn.Embedding(task.spec.outputs, task.spec.outputs)
    assert set(found) == set(task.results(model, task.batch(torch.arange(2))))
    assert found["weight"].tolist() == [3, 3]
