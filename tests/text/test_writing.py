"""Texts that are written have the frequencies that the model says; scores are sums of log-probabilities."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers_text import running_task, sequences_task
from torch import nn

from orthogon.errors import DataError, RecipeError
from orthogon.nn.spec import END, UNKNOWN
from orthogon.text.language_rnn import language_rnn
from orthogon.text.scoring import score
from orthogon.text.writing import write


def rnn(task, **options) -> nn.Module:
    torch.manual_seed(0)
    return language_rnn(task.spec, **{"hidden": 12, "layers": 2, **options}).eval()


class Known(nn.Module):
    """a with probability 0.7, b with 0.2, the end with 0.1, whatever stands before; nothing else."""

    def __init__(self, task) -> None:
        super().__init__()
        p = torch.zeros(task.spec.outputs)
        p[[*task.ids("ab"), END]] = torch.tensor([0.7, 0.2, 0.1])
        self.logits = nn.Parameter(p.log())

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(*ids.shape, -1)


def test_what_is_written_has_the_frequencies_of_the_model() -> None:
    task = sequences_task(["ab", "ba"])
    texts = write(task, Known(task), 4000, at_most=1, temperature=1)
    share = {text: np.mean([each.text == text for each in texts]) for text in ("a", "b", "")}
    for text, p in (("a", 0.7), ("b", 0.2), ("", 0.1)):
        assert share[text] == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / 4000))
    assert all(each.finished == (each.text == "") for each in texts)


def test_zero_temperature_takes_the_likeliest_and_a_seed_writes_the_same() -> None:
    task = sequences_task(["abc", "cba"])
    model = rnn(task)
    assert len({each.text for each in write(task, model, 5, temperature=0, at_most=9)}) == 1
    once, again, other = (write(task, model, 6, seed=seed) for seed in (1, 1, 2))
    assert once == again != other


def test_what_was_drawn_is_scored_alike_and_begins_as_asked() -> None:
    task = sequences_task(["abc", "cba", "cab"])
    model = rnn(task)
    for each in write(task, model, 8, start="ca", at_most=40, temperature=1.3):
        assert each.text.startswith("ca")
        if each.finished:
            (found,) = score(task, model, [each.text])
            assert sum(found.each[2:]) == pytest.approx(each.log_probability, abs=1e-4)


def test_writing_with_a_state_is_writing_by_reading_all_again() -> None:
    task = running_task(["the cat sat\n", "on the mat\n"])
    model = rnn(task)

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return self.inner(ids)

    kept, whole = (write(task, each, 3, start="the", at_most=20) for each in (model, Whole()))
    assert [each.text for each in kept] == [each.text for each in whole]
    assert [each.log_probability for each in kept] == pytest.approx([each.log_probability for each in whole], abs=1e-4)
    assert not any(each.finished for each in kept)
    assert all(len(each.text) == 23 for each in kept)


def test_the_mark_for_unknown_words_is_written_only_when_asked_for() -> None:
    task = sequences_task(["a b", "b a"], tokens="word")
    model = rnn(task)
    with torch.no_grad():
        model.output.bias[UNKNOWN] += 20
    assert not any("<unknown>" in each.text for each in write(task, model, 20, at_most=5))
    assert all("<unknown>" in each.text for each in write(task, model, 20, at_most=5, unknown=True))


@pytest.mark.parametrize(("tokens", "start"), [
    ("word", "Zyx b"), ("word", "b "), ("word", "(b"), ("character", "Zyx b "), ("character", "ab"),
    ("whitespace", "Zyx, b")])
def test_a_text_begins_as_it_was_given_whatever_the_vocabulary_lacks(tokens, start) -> None:
    task = sequences_task(["a b a b", "b a b a"], tokens=tokens)
    model = rnn(task)
    alone = write(task, model, 3, start=start, at_most=4)
    for each in alone:
        assert each.text.startswith(start)
        assert not each.text[len(start):].strip("ab ")
        assert "  " not in each.text or tokens == "character"
    assert any(len(each.text) > len(start) for each in alone)


def test_no_length_is_no_way_to_ask_for_the_usual_one() -> None:
    task = sequences_task(["ab", "ba"])
    with pytest.raises(RecipeError, match="at most 0 tokens"):
        write(task, rnn(task), at_most=0)


def test_a_score_is_the_sum_of_what_is_said_of_each_token() -> None:
    task = sequences_task(["abc", "cba", "b"])
    model, texts = rnn(task), ["abcabcabc", "b", "", "cb"]
    for text, found in zip(texts, score(task, model, texts)):
        ids = [task.opening, *task.ids(text), END]
        said = model(torch.tensor([ids[:-1]]))[0].gather(1, torch.tensor(ids[1:])[:, None])[:, 0]
        assert found.each == pytest.approx(said.tolist(), abs=1e-5)
        assert found.log_probability == pytest.approx(said.sum().item(), abs=1e-4)
        assert found.tokens == (*text, "")
        assert found.perplexity == pytest.approx((-said.mean()).exp().item(), rel=1e-4)


def test_unknown_tokens_are_counted_in_a_score() -> None:
    task = sequences_task(["abc", "cba"])
    assert [each.unknown for each in score(task, rnn(task), ["axyb", "ab"])] == [2, 0]


def test_what_cannot_be_written_or_scored_is_refused() -> None:
    task = running_task(["the cat sat\n", "on the mat\n"])
    model = rnn(task)
    with pytest.raises(DataError, match="empty"):
        score(task, model, [""])
    with pytest.raises(RecipeError, match="0 texts"):
        write(task, model, 0)
    with pytest.raises(RecipeError, match="temperature"):
        write(task, model, temperature=-1)
