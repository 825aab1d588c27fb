"""The cheap translator: the known pair whose source is most alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from orthogon.text.search import cosine_top_k
from orthogon.train.task import Baseline, Task

if TYPE_CHECKING:
    from orthogon.text.translate import Translate

class TranslationMemory(Baseline):
    """The target of the train pair whose source is nearest by the cosine of TF-IDF vectors (rows 26.09, 26.10), of
    words, or of runs of one to three letters where the target is written letter by letter; the source itself where none
    shares anything with it."""

    name = "translation memory"
    line = "the translation of the most similar source in train"

    def fit(self, task: Task, rows: np.ndarray) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        translate = cast("Translate", task)
        self.targets = translate.targets(rows)
        letters: dict[str, Any] = {"analyzer": "char", "ngram_range": (1, 3), "lowercase": False}
        words: dict[str, Any] = {"token_pattern": r"(?u)\w+|[^\w\s]"}
        self.vectors: Any = TfidfVectorizer(**(letters if translate.characters else words))
        self.memory = self.vectors.fit_transform(translate.sources(rows))

    def results(self, task: Task, rows: np.ndarray) -> Mapping[str, np.ndarray]:
        translate = cast("Translate", task)
        sources = translate.sources(rows)
        nearest = cosine_top_k(self.vectors.transform(sources), self.memory, 1)
        found = [str(self.targets[at]) if likeness > 0 else source
                 for at, likeness, source in zip(nearest.rows[:, 0], nearest.similarity[:, 0], sources)]
        return {**translate.judged(found, rows), "loss": np.full(len(rows), np.nan, dtype=np.float32)}
