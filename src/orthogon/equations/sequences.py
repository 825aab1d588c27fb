"""Sequences of words: searched for, drawn, and scored against what a person wrote.

A language model is here a function `step(prefixes) -> log P(next word | prefix)`: B×t words to B×V logarithms.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from orthogon.equations._shapes import Booleans, Floats, Integers, expect_shape

Step = Callable[[Integers], Floats]


def sequence_score(log_probability: Any, length: Any, alpha: float) -> Any:
    """The log-probability of a sequence, made comparable between lengths.

        (1 / T^α) Σ_t log P(y⟨t⟩ | x, y⟨1⟩ … y⟨t−1⟩)

    alpha: 0 not at all (long sequences lose), 1 the mean per word; 0.7 in between. Rows 28.07, 36.21.
    """
    return log_probability / length**alpha


def beam_search(
    step: Step, start: int, end: int, width: int, length: int, alpha: float = 0.7
) -> list[tuple[tuple[int, ...], float]]:
    """The best sequences found when only the B most probable beginnings are followed at each step.

        log P(y⟨1⟩ … y⟨t⟩ | x) = log P(y⟨1⟩ … y⟨t−1⟩ | x) + log P(y⟨t⟩ | x, y⟨1⟩ … y⟨t−1⟩)        keep the B largest

    step is asked for all beginnings at once. start, end: the words that begin and end a sequence. width: B; 1 is greedy
    search, more finds better ones (E70). length: T at most; what has not ended by then is cut off. alpha: see
    `sequence_score`, by which ended sequences are ranked. Output: (words after start, score), the best one first; a
    sequence that ends leaves the B. Rows 28.03 to 28.07, 36.18 to 36.21.
    """
    if width < 1 or length < 1:
        raise ValueError(f"a beam of {width} and a length of {length}, expected at least 1 of each")
    prefixes, totals, ended = np.array([[start]]), np.zeros(1), []
    for t in range(1, length + 1):
        logs = step(prefixes)
        expect_shape("step(prefixes)", logs, (len(prefixes), "V"), "a row of logarithms per prefix")
        scores = totals[:, None] + logs
        best = np.argsort(-scores, axis=None, kind="stable")[:width]
        best = best[np.isfinite(scores.flat[best])]
        beams, words = np.unravel_index(best, scores.shape)
        prefixes, totals = np.column_stack([prefixes[beams], words]), scores[beams, words]
        over = (words == end) | (t == length)
        ended += zip(map(tuple, prefixes[over, 1:].tolist()), sequence_score(totals[over], t, alpha).tolist())
        prefixes, totals = prefixes[~over], totals[~over]
        if not len(prefixes):
            break
    return sorted(ended, key=lambda found: -found[1])


def beam_search_at_fault(log_p_human: Floats, log_p_found: Floats) -> Booleans:
    """Whose fault a bad translation is: True the search's, which missed a more probable one, False the model's.

        P(y* | x) > P(ŷ | x): the beam search        P(y* | x) ≤ P(ŷ | x): the model

    log_p_human: N, the model's logarithm for what a person wrote, y*. log_p_found: N, for what the search found, ŷ;
    both as `sequence_score` gives them where lengths are normalized. The mean over examples is the share of the search
    (rows 28.10, 36.22, E71).
    """
    expect_shape("log_p_found", log_p_found, np.shape(log_p_human), "as log_p_human")
    return np.asarray(log_p_human) > np.asarray(log_p_found)


def draw_words(probabilities: Floats, draws: Floats) -> Integers:
    """One word from each distribution.

        the first w with P(0) + … + P(w) > u,  u uniform in [0, 1)

    probabilities: N×V. draws: N. Row 25.04.
    """
    expect_shape("probabilities", probabilities, (len(draws), "V"), "a row per draw, a column per word")
    if np.any(probabilities < 0) or not np.allclose(probabilities.sum(axis=1), 1):
        raise ValueError("a row of probabilities does not add up to 1, or is below 0 somewhere, expected distributions")
    reached = np.cumsum(probabilities, axis=1)
    return (reached / reached[:, -1:] <= draws[:, None]).sum(axis=1)


def draw_sequence(step: Step, start: int, end: int, draws: Floats) -> list[int]:
    """A sequence as the model would write it: one word is drawn from the distribution, and that one is fed back (E79).

        y⟨t⟩ ~ P(y⟨t⟩ | y⟨1⟩ … y⟨t−1⟩)        x⟨t+1⟩ = y⟨t⟩

    draws: uniform in [0, 1), one per step, so as many as words at most. Output: the words after start, with `end` if it
    was drawn. Row 25.04.
    """
    words = [start]
    for draw in draws:
        words += draw_words(np.exp(step(np.array([words]))), np.array([draw])).tolist()
        if words[-1] == end:
            break
    return words[1:]


def modified_precision(
    candidate: Sequence[Hashable], references: Sequence[Sequence[Hashable]], n: int
) -> tuple[int, int]:
    """How many n-grams of a translation occur in a reference, none more often than there; and how many there are.

        p_n = Σ_ngram min(count, max over references of its count) / Σ_ngram count

    Output: numerator and denominator. Rows 28.12, E72.
    """
    counts = _ngrams(candidate, n)
    allowed = Counter()
    for reference in references:
        allowed |= _ngrams(reference, n)
    return (counts & allowed).total(), counts.total()


def brevity_penalty(candidate: int, reference: int) -> float:
    """What a translation shorter than its reference loses.

        BP = 1 if c > r, else exp(1 − r/c)

    candidate, reference: lengths c and r; r is that of the reference, not of the original (E73). Rows 28.13, 36.23.
    """
    if not candidate:
        return 0.0
    return 1.0 if candidate > reference else float(np.exp(1 - reference / candidate))


def bleu(
    candidates: Sequence[Sequence[Hashable]], references: Sequence[Sequence[Sequence[Hashable]]], max_n: int = 4
) -> float:
    """The score of translations against references by people (Papineni et al. 2002), over a whole corpus, 0 to 1.

        BLEU = BP · exp((1/4) Σ_{n=1}^{4} log p_n)

    candidates: a list of words each. references: for each candidate one or more. p_n adds up numerators and
    denominators over the corpus, BP the lengths, r of the reference nearest in length (of two, the shorter). 0 where
    some p_n is 0: nothing is smoothed. Rows 28.11 to 28.13, 36.23, E72 to E74.
    """
    if len(candidates) != len(references) or not candidates or not all(references):
        raise ValueError(
            f"{len(candidates)} translations and {len(references)} lists of references, expected some translations, "
            "and for each a list of at least one reference"
        )
    matched, total = np.sum(
        [[modified_precision(c, r, n) for n in range(1, max_n + 1)] for c, r in zip(candidates, references)], axis=0
    ).T
    if not matched.all():
        return 0.0
    c = sum(map(len, candidates))
    r = sum(min((abs(len(r) - len(c)), len(r)) for r in several)[1] for c, several in zip(candidates, references))
    return brevity_penalty(c, r) * float(np.exp(np.log(matched / total).mean()))


def ctc_collapse(symbols: ArrayLike, blank: Any) -> NDArray[Any]:
    """What a connectionist temporal classifier has heard (Graves et al. 2006).

        first merge repeats, then drop blanks:  tt_t -> t_t -> tt

    symbols: T. blank: the symbol for "nothing new", which is not the space between words. Rows 29.04, 34.20, E75.
    """
    symbols = np.asarray(symbols)
    new = np.append(True, symbols[1:] != symbols[:-1])[: len(symbols)]
    return symbols[new & (symbols != blank)]


def _ngrams(words: Sequence[Hashable], n: int) -> Counter[tuple[Hashable, ...]]:
    return Counter(tuple(words[t : t + n]) for t in range(len(words) - n + 1))
