"""Small corpora with tags that the tests of text/ share."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from orthogon.data.dataset import Dataset
from orthogon.data.text_columns import TagsColumn, TokensColumn
from orthogon.text.tag import Tag
from orthogon.train.settings import DataSettings, TaskSettings

WORDS = {"DET": ["the", "a"], "NOUN": ["cat", "dog", "house", "walks"], "VERB": ["sees", "walks", "Helps"]}
ORDERS = ["DET NOUN VERB DET NOUN", "NOUN VERB", "DET NOUN VERB", "VERB"]


def sentences(count: int = 40, seed: int = 0) -> Dataset:
    """Parts of speech: "walks" is a noun after a determiner alone."""
    draw = np.random.default_rng(seed)
    tags = [ORDERS[draw.integers(len(ORDERS))].split() for _ in range(count)]
    words = [[str(draw.choice(WORDS[tag])) for tag in line] for line in tags]
    return corpus(words, tags)


def names(count: int = 40, seed: int = 0) -> Dataset:
    """Entities of one to three words in BIO: names begin with a capital, places end in -ton; others are lower case."""
    draw, words, tags = np.random.default_rng(seed), [], []
    for _ in range(count):
        line: list[tuple[str, str]] = []
        for _ in range(draw.integers(1, 4)):
            line += [(str(draw.choice(["in", "saw", "and"])), "O")] * int(draw.integers(1, 3))
            kind = str(draw.choice(["person", "place"]))
            for place in range(draw.integers(1, 4)):
                end = "ton" if kind == "place" else "y"
                line.append((f"{draw.choice(['Al', 'Ben', 'Car'])}{end}", f"{'I' if place else 'B'}-{kind}"))
        words.append([word for word, _ in line])
        tags.append([tag for _, tag in line])
    return corpus(words, tags)


def corpus(words: list[list[str]], tags: list[list[str]]) -> Dataset:
    columns = {"words": TokensColumn(words), "tags": TagsColumn.from_values(tags)}
    return Dataset("corpus", columns, "tags", np.array([f"s{row}" for row in range(len(words))]))


def words_of(data: Dataset) -> TokensColumn:
    column = data.columns["words"]
    assert isinstance(column, TokensColumn)
    return column


def tags_of(data: Dataset) -> TagsColumn:
    column = data.target_column()
    assert isinstance(column, TagsColumn)
    return column


def fitted(data: Dataset, **settings: Any) -> Tag:
    task = Tag(TaskSettings(**settings), DataSettings())
    task.fit(data, np.arange(len(data)))
    task.attach(data, torch.device("cpu"))
    return task
