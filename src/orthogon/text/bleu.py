"""BLEU and chrF as sacrebleu counts them: sums over sentences that can be stored, resampled and compared in pairs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from orthogon.errors import DataError, RecipeError
from orthogon.stats import Estimate, bootstrap_moments

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

TOKENIZERS = ("13a", "none", "char", "intl", "zh")
"""How sacrebleu splits what it compares: 13a as the campaigns of WMT, intl by Unicode, char, zh; none at spaces."""


class Bleu:
    """BLEU of whole corpora, 0 to 100 (Papineni et al. 2002; Post 2018; rows 28.11 to 28.13).

    tokenizer: one of `TOKENIZERS`; texts are given as people write them, with no spaces around punctuation.
    lowercase: whether case is ignored. smooth: whether an order without any match counts as half a match, then a
    quarter, … (sacrebleu's "exp"), which matters for few sentences; without it is the formula of `bleu_of_sums`.

    statistics: a row per sentence, 10 counts: words of the output, words of the reference nearest in length, n-grams
    that match for n = 1 to 4, n-grams of the output for n = 1 to 4. Corpora add up their rows.
    """

    unit = "BLEU"
    columns = 10

    def __init__(self, tokenizer: str = "13a", lowercase: bool = False, smooth: bool = True) -> None:
        if tokenizer not in TOKENIZERS:
            raise RecipeError(f"BLEU has no tokenizer {tokenizer!r}", remedy="Take one of " + ", ".join(TOKENIZERS))
        self.smooth = smooth
        self._metric = _sacrebleu().BLEU(tokenize=tokenizer, lowercase=lowercase, force=True,
                                         smooth_method="exp" if smooth else "none")

    def statistics(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> Counts:
        """N×10. outputs: N. references: for each output one or more. Raises DataError where their numbers differ."""
        return _statistics(self._metric, outputs, references, self.columns)

    def value(self, sums: ArrayLike) -> Floats:
        """… BLEU of … × 10 sums of rows."""
        return bleu_of_sums(sums, self.smooth)

    def signature(self, references: int = 1) -> str:
        """What has to be said with the number for others to repeat it. references: for each output."""
        return _signature(self._metric, references)


class ChrF:
    """chrF2, the F score of character n-grams that holds recall twice as dear, 0 to 100 (Popović 2015).

    statistics: a row per sentence, for n = 1 to 6 n-grams of the output, of the reference, and of both: 18 counts.
    """

    unit = "chrF2"
    columns = 18

    def __init__(self, lowercase: bool = False) -> None:
        self._metric = _sacrebleu().CHRF(lowercase=lowercase)

    def statistics(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> Counts:
        """N×18; of several references the one that an output is nearest to. See `Bleu.statistics`."""
        return _statistics(self._metric, outputs, references, self.columns)

    def value(self, sums: ArrayLike) -> Floats:
        """… chrF of … × 18 sums of rows; of a row alone it is the sentence's own."""
        table = np.asarray(sums, float)
        output, reference, both = (table[..., place::3] for place in range(3))
        orders = np.maximum(((output > 0) & (reference > 0)).sum(-1), 1)
        precision, recall = (_ratio(both, whole).sum(-1) / orders for whole in (output, reference))
        return 100 * _ratio(5 * precision * recall, 4 * precision + recall)

    def signature(self, references: int = 1) -> str:
        """See `Bleu.signature`."""
        return _signature(self._metric, references)


def bleu_of_sums(sums: ArrayLike, smooth: bool = False) -> Floats:
    """The course's BLEU (rows 28.12, 28.13, 36.23, with E72 to E74 mended), 0 to 100.

        BLEU = 100 · BP · exp((1/4) Σ_{n=1}^{4} log p_n)        BP = 1 if c > r, else exp(1 − r/c)

    p_n: matching n-grams, each counted at most as often as in one reference, over all n-grams of the outputs. c, r:
    words of the outputs and of the references nearest in length. 0 where some p_n is 0, unless smoothed.
    sums: … × 10, see `Bleu`.
    """
    table = np.asarray(sums, float)
    c, r, matching, total = table[..., 0], table[..., 1], table[..., 2:6], table[..., 6:]
    none = (matching == 0) & (total > 0)
    if smooth:
        halved = np.where(none, 0.5 ** np.cumsum(none, axis=-1), matching)
        matching = np.where(matching.any(-1, keepdims=True), halved, 0)
    with np.errstate(divide="ignore"):
        logs = np.log(_ratio(matching, total))
        penalty = np.where(c < r, np.exp(1 - np.where(c > 0, r / np.where(c > 0, c, 1), np.inf)), 1.0)
    return 100 * penalty * np.exp(logs.mean(-1))


def estimate(metric: Bleu | ChrF, statistics: ArrayLike, groups: ArrayLike | None = None, seed: int = 0) -> Estimate:
    """The score of a corpus with its bootstrap interval over sentences.

    statistics: N × columns. groups: N; whole groups (documents) are then drawn.
    """
    table = _table(metric, statistics)
    return bootstrap_moments(table, lambda means: metric.value(means * len(table)), groups=groups, seed=seed,
                             unit=metric.unit)


def difference(metric: Bleu | ChrF, first: ArrayLike, second: ArrayLike, groups: ArrayLike | None = None,
               seed: int = 0) -> Estimate:
    """The second system's score minus the first's on the same sentences, by paired bootstrap (Koehn 2004).

    first, second: N × columns. Above 0 with its interval, the second is better.
    """
    tables = _table(metric, first), _table(metric, second)
    n = len(tables[0])
    if len(tables[1]) != n:
        raise DataError(f"{n:,} sentences of one system, {len(tables[1]):,} of the other",
                        remedy="Compare them on the same sentences, in the same order.")

    def of_means(means: Floats) -> Floats:
        one, other = np.split(means * n, 2, axis=1)
        return metric.value(other) - metric.value(one)

    return bootstrap_moments(np.hstack(tables), of_means, groups=groups, seed=seed, unit=metric.unit)


def _table(metric: Bleu | ChrF, statistics: ArrayLike) -> Floats:
    table = np.asarray(statistics, float)
    if table.ndim != 2 or table.shape[1] != metric.columns:
        raise DataError(f"statistics of shape {table.shape}, expected sentences × {metric.columns}",
                        remedy=f"Take those of {type(metric).__name__}.statistics.")
    return table


def _ratio(above: Floats, below: Floats) -> Floats:
    """0 where nothing is to be divided by."""
    return np.divide(above, below, out=np.zeros(np.broadcast(above, below).shape), where=below > 0)


def _statistics(metric: Any, outputs: Sequence[str], references: Sequence[Sequence[str]], columns: int) -> Counts:
    if len(outputs) != len(references):
        raise DataError(f"{len(outputs):,} outputs, and references for {len(references):,}",
                        remedy="Give each output its references.")
    for number, several in enumerate(references):
        if isinstance(several, str) or not len(several):
            raise DataError("an output needs a list of at least one reference", where=f"references[{number}]",
                            remedy="Put a single reference into a list.")
    if not len(outputs):
        return np.zeros((0, columns), np.int64)
    rows = metric._extract_corpus_statistics(outputs, list(zip_longest(*references)))
    return np.array(rows, np.int64)


def _signature(metric: Any, references: int) -> str:
    metric.num_refs = references
    return str(metric.get_signature())


def _sacrebleu() -> Any:
    try:
        import sacrebleu.metrics
    except ImportError:
        raise RecipeError("BLEU and chrF need the package sacrebleu",
                          remedy='pip install "orthogon[text]"') from None
    return sacrebleu.metrics
