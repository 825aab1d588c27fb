"""Sentences that a language model should tell apart, once it has read others of their kind (rows 25.02, 25.09)."""

from __future__ import annotations

from functools import cache

import torch
from helpers_text import sequences_task

from orthogon.text.language import Language
from orthogon.text.language_rnn import language_rnn
from orthogon.text.scoring import score


def cats(fish: int, plural: bool) -> str:
    """"The cat, which already ate …, was full.", with as much between the cat and its verb as asked for."""
    eaten = " ".join(["fish"] * fish)
    return f"the cat{'s' if plural else ''} , which already ate {eaten} , {'were' if plural else 'was'} full"


@cache
def learnt() -> tuple[Language, torch.nn.Module]:
    fruits = ("an apple", "an orange", "a pear")
    texts = [f"{eater} ate {fruit}" for eater in ("Ram", "Sita", "Anna") for fruit in fruits]
    texts.remove("Ram ate an apple")
    texts += [cats(fish, plural) for fish in (1, 2, 3, 4, 5) for plural in (False, True)]
    task = sequences_task(texts, tokens="word")
    torch.manual_seed(0)
    model = language_rnn(task.spec, hidden=24, layers=1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    batch = task.batch(torch.arange(len(texts)))
    for _ in range(800):
        optimizer.zero_grad()
        (part,), _ = task.loss(model, batch)
        (part.sum / part.count).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return task, model.eval()


def likelier(one: str, other: str) -> bool:
    first, second = score(*learnt(), [one, other])
    return first.log_probability > second.log_probability


def test_ram_ate_an_apple() -> None:
    assert likelier("Ram ate an apple", "Ram an ate apple")


def test_a_verb_agrees_with_a_noun_far_before_it() -> None:
    for fish in (1, 3, 5, 7):  # seven were never read
        for plural in (False, True):
            right = cats(fish, plural)
            wrong = right.replace("were", "was") if plural else right.replace("was", "were")
            assert likelier(right, wrong), right
