"""`score` and `write`: what a language model thinks of texts, and what it writes itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orthogon.errors import DataError, RunError
from orthogon.serve.bundle import load
from orthogon.text import scoring, writing
from orthogon.text.language import Language
from orthogon.text.scoring import Scored
from orthogon.text.writing import Written
from orthogon.train.run import Run

if TYPE_CHECKING:
    from orthogon.serve.predictor import Predictor


@dataclass(frozen=True)
class Scores:
    """Texts in the order in which they were given, with how probable the network finds them."""

    texts: tuple[Scored, ...]

    def __len__(self) -> int:
        return len(self.texts)

    def __iter__(self) -> Iterator[Scored]:
        return iter(self.texts)

    def __getitem__(self, at: int) -> Scored:
        return self.texts[at]

    @property
    def best(self) -> Scored:
        """The most probable text."""
        return max(self.texts, key=lambda each: each.log_probability)

    def to_dict(self) -> dict[str, Any]:
        return {"texts": [{**asdict(each), "log_probability": each.log_probability, "perplexity": each.perplexity}
                          for each in self.texts]}

    def __str__(self) -> str:
        """The most probable first; of a text that is alone, each of its tokens."""
        from orthogon.draw.tables import text_table

        if len(self.texts) == 1:
            (only,) = self.texts
            lines = text_table(["token", "log p"], [[repr(token) if token else "(end)", f"{value:.2f}"]
                                                    for token, value in zip(only.tokens, only.each)], align="lr")
            return f"{lines}\n\nlog p = {only.log_probability:.2f}, perplexity {only.perplexity:.2f} a token"
        ranked = sorted(self.texts, key=lambda each: -each.log_probability)
        best = ranked[0].log_probability
        rows = [[each.text, f"{each.log_probability:.2f}", f"{each.log_probability - best:.2f}",
                 str(len(each.tokens)), f"{each.perplexity:.2f}", str(each.unknown or "")] for each in ranked]
        names = ["text", "log p", "to the best", "tokens", "perplexity", "unknown"]
        if not any(each.unknown for each in ranked):
            names, rows = names[:-1], [row[:-1] for row in rows]
        return text_table(names, rows, align="l" + "r" * (len(names) - 1))


@dataclass(frozen=True)
class Texts:
    """What was written."""

    texts: tuple[Written, ...]

    def __len__(self) -> int:
        return len(self.texts)

    def __iter__(self) -> Iterator[Written]:
        return iter(self.texts)

    def __getitem__(self, at: int) -> Written:
        return self.texts[at]

    def to_dict(self) -> dict[str, Any]:
        return {"texts": [asdict(each) for each in self.texts]}

    def __str__(self) -> str:
        between = "\n" + "-" * 40 + "\n" if any("\n" in each.text for each in self.texts) else "\n"
        return between.join(each.text for each in self.texts)


def score(run: str | Path | Run, texts: str | Sequence[str], *, root: str | Path = "runs") -> Scores:
    """How probable the language model of a run finds texts: log p, the sum over their tokens (row 25.03).

    >>> og.score("last", ["Ram ate an apple", "Ram an ate apple"]).best.text

    Texts of unequal length are hardly to be compared by probability: each token costs; there is `perplexity`.
    RunError where the run is of another task.
    """
    texts = [texts] if isinstance(texts, str) else list(texts)
    if not texts:
        raise DataError("there is no text to score", remedy="Give one or several: orthogon score RUN TEXT...")
    network, task = _language_model(run, root)
    with network.compute.in_force():
        return Scores(tuple(scoring.score(task, network.network, texts)))


def write(
    run: str | Path | Run = "last", start: str = "", *, count: int = 1, length: int | None = None,
    temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0, unknown: bool = False, seed: int = 0,
    root: str | Path = "runs",
) -> Texts:
    """What the language model of a run writes, token by token (row 25.04).

    start: what each text begins with. count: texts. length: tokens at most; left out: 100, of running text 500.
    temperature: below 1 likely tokens become likelier; 0 takes the likeliest. top_k, top_p: only so many of the
    likeliest tokens; only as many as have that probability together. unknown: whether the mark for unknown words may be
    written. The same seed writes the same texts. RunError where the run is of another task.
    """
    network, task = _language_model(run, root)
    with network.compute.in_force():
        return Texts(tuple(writing.write(
            task, network.network, count, start=start, at_most=length, temperature=temperature, top_k=top_k,
            top_p=top_p, unknown=unknown, seed=seed)))


def _language_model(run: str | Path | Run, root: str | Path) -> tuple[Predictor, Language]:
    network = load(run, root=root)
    if not isinstance(network.task, Language):
        raise RunError(f"this run is of the task {network.task.name}, not language", where=str(run),
                       remedy="Train one that writes: orthogon train TEXT --task language")
    return network, network.task
