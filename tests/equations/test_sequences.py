"""Search, drawing, BLEU and CTC against exhaustive search, published figures and worked examples."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from orthogon.equations.sequences import (
    beam_search,
    beam_search_at_fault,
    bleu,
    brevity_penalty,
    ctc_collapse,
    draw_sequence,
    draw_words,
    modified_precision,
    sequence_score,
)

START, END, V = 0, 1, 4


def language_model(seed: int):
    """P(next | prefix) that depends on the whole prefix."""

    def step(prefixes: np.ndarray) -> np.ndarray:
        rows = [np.random.default_rng([seed, *prefix]).normal(scale=2, size=V) for prefix in prefixes.tolist()]
        return np.array([z - np.logaddexp.reduce(z) for z in rows])

    return step


def log_probability(step, words: tuple[int, ...]) -> float:
    return sum(step(np.array([[START, *words[:t]]]))[0, word] for t, word in enumerate(words))


def all_sequences(length: int) -> list[tuple[int, ...]]:
    """All that end with END, or are cut off at the length."""
    whole = [w for t in range(1, length + 1) for w in product(range(V), repeat=t) if END not in w[:-1]]
    return [w for w in whole if w[-1] == END or len(w) == length]


@pytest.mark.parametrize(("seed", "options"), [(0, {}), (1, {"alpha": 0.0}), (2, {"alpha": 1.0}), (3, {})])
def test_a_beam_as_wide_as_all_sequences_is_exhaustive(seed, options):
    step = language_model(seed)
    found = beam_search(step, START, END, width=10_000, length=4, **options)
    alpha = options.get("alpha", 0.7)
    scores = {words: log_probability(step, words) / len(words) ** alpha for words in all_sequences(4)}
    assert len(found) == len(scores)
    assert [words for words, _ in found] == sorted(scores, key=scores.__getitem__, reverse=True)
    np.testing.assert_allclose([score for _, score in found], sorted(scores.values(), reverse=True))


@pytest.mark.parametrize("seed", range(6))
def test_a_beam_of_one_is_greedy(seed):
    step, words = language_model(seed), [START]
    while len(words) < 7 and words[-1] != END:
        words.append(int(step(np.array([words])).argmax()))
    [(found, score)] = beam_search(step, START, END, width=1, length=6)
    assert list(found) == words[1:]
    assert score == pytest.approx(log_probability(step, found) / len(found) ** 0.7)


def table(rows: dict[tuple[int, ...], list[float]]):
    """A model that knows these prefixes only, and gives −∞ to what it holds impossible."""

    def step(prefixes: np.ndarray) -> np.ndarray:
        p = np.array([rows[tuple(prefix)] for prefix in prefixes.tolist()])
        return np.where(p > 0, np.log(np.where(p > 0, p, 1)), -np.inf)

    return step


def test_a_beam_wider_than_one_finds_what_greedy_search_misses():
    """E70: more beams are better, B > 1."""
    step = table({(0,): [0, 0, 0.6, 0.4], (0, 2): [0, 0.5, 0.25, 0.25], (0, 3): [0, 1, 0, 0]})
    (greedy, _), *_ = beam_search(step, START, END, width=1, length=2, alpha=0)
    (best, score), *_ = beam_search(step, START, END, width=2, length=2, alpha=0)
    assert (greedy, best) == ((2, END), (3, END))
    assert score == pytest.approx(np.log(0.4))


def test_only_the_best_beginnings_are_followed():
    step = language_model(4)
    asked = []

    def watched(prefixes):
        asked.append(len(prefixes))
        return step(prefixes)

    found = beam_search(watched, START, END, width=3, length=5)
    assert asked[0] == 1
    assert max(asked) <= 3
    totals = {words: log_probability(step, words) for words in product(range(V), repeat=1)}
    followed = sorted(totals, key=totals.__getitem__, reverse=True)[:3]
    assert {words[:1] for words, _ in found} <= set(followed)


def test_what_cannot_be_is_not_found():
    step = table({(0,): [0, 0.5, 0.5, 0], (0, 2): [0, 1, 0, 0]})
    assert [words for words, _ in beam_search(step, START, END, width=50, length=2)] == [(2, END), (END,)]


def test_long_sequences_lose_unless_their_length_is_taken_out():
    """36.21: a mean per word (α = 1), the sum (α = 0), or between."""
    step = table({(0,): [0, 0.4, 0.6, 0], (0, 2): [0, 0.6, 0.4, 0]})
    best = {a: beam_search(step, START, END, width=9, length=2, alpha=a)[0][0] for a in (0, 0.7, 1)}
    assert best == {0: (END,), 0.7: (2, END), 1: (2, END)}
    assert sequence_score(-6.0, 4, 0.5) == -3


@pytest.mark.parametrize(("width", "length"), [(0, 3), (3, 0)])
def test_a_beam_of_nothing_is_refused(width, length):
    with pytest.raises(ValueError, match="at least 1"):
        beam_search(language_model(0), START, END, width, length)


def test_a_model_that_answers_in_another_shape_is_refused():
    with pytest.raises(ValueError, match="row of logarithms per prefix"):
        beam_search(lambda prefixes: np.zeros(V), START, END, width=2, length=2)


def test_the_search_is_at_fault_where_the_human_translation_is_more_probable():
    """E71: P(y*|x) > P(ŷ|x): beam search; ≤: the model."""
    fault = beam_search_at_fault(np.array([-3.0, -5.0, -4.0]), np.array([-4.0, -4.0, -4.0]))
    assert fault.tolist() == [True, False, False]
    with pytest.raises(ValueError, match="as log_p_human"):
        beam_search_at_fault(np.zeros(2), np.zeros(3))


def test_one_word_is_drawn_from_each_distribution():
    """E79, row 25.04: by the draw alone; a word of probability 0 never."""
    p = np.array([0.0, 0.2, 0.0, 0.5, 0.3, 0.0])
    draws = np.array([0.0, 0.1999, 0.2, 0.69, 0.71, 1 - 2**-53])
    assert draw_words(np.tile(p, (6, 1)), draws).tolist() == [1, 1, 3, 3, 4, 4]
    many = draw_words(np.tile(p, (100_000, 1)), np.random.default_rng(0).random(100_000))
    np.testing.assert_allclose(np.bincount(many, minlength=6) / 100_000, p, atol=0.005)


def test_rounded_distributions_still_give_a_word_of_theirs():
    thirds = np.array([[1 / 3 - 1e-9, 1 / 3, 1 / 3, 0.0]])
    assert draw_words(thirds, np.array([1 - 2**-53])).tolist() == [2]


@pytest.mark.parametrize("p", [[0.5, 0.4], [1.5, -0.5]])
def test_what_is_no_distribution_is_refused(p):
    with pytest.raises(ValueError, match="does not add up to 1"):
        draw_words(np.array([p]), np.array([0.5]))
    with pytest.raises(ValueError, match="probabilities is"):
        draw_words(np.array([[0.5, 0.5]]), np.array([0.1, 0.2]))


def test_the_word_drawn_is_the_one_fed_back():
    """E79."""
    step = table({(0,): [0, 0, 0.5, 0.5], (0, 3): [0.2, 0.2, 0.6, 0], (0, 3, 2): [0, 1, 0, 0]})
    assert draw_sequence(step, START, END, np.array([0.7, 0.9, 0.5, 0.5])) == [3, 2, END]
    assert draw_sequence(step, START, END, np.array([0.7, 0.9])) == [3, 2]


CAT = [["the", "cat", "is", "on", "the", "mat"], ["there", "is", "a", "cat", "on", "the", "mat"]]
PAPINENI = [
    "It is a guide to action that ensures that the military will forever heed Party commands",
    "It is the guiding principle which guarantees the military forces always being under the command of the Party",
    "It is the practical guide for the army always to heed the directions of the party",
]
FIRST = "It is a guide to action which ensures that the military always obeys the commands of the party"
SECOND = "It is to insure the troops forever hearing the activity guidebook that party direct"


def words(text: str) -> list[str]:
    return text.lower().split()


def test_a_word_counts_at_most_as_often_as_in_a_reference():
    """E72, Papineni et al. 2002: "the" seven times has 2/7, and not 7/7; the candidate's own count bounds it too."""
    assert modified_precision(["the"] * 7, CAT, 1) == (2, 7)
    assert modified_precision(["the"], CAT, 1) == (1, 1)
    assert modified_precision(["the", "cat", "the", "cat", "on", "the", "mat"], CAT, 2) == (4, 6)


def test_precisions_of_the_paper():
    """Papineni et al. 2002, section 2.1."""
    references = [words(text) for text in PAPINENI]
    assert modified_precision(words(FIRST), references, 1) == (17, 18)
    assert modified_precision(words(SECOND), references, 1) == (8, 14)
    assert modified_precision(words(FIRST), references, 2) == (10, 17)
    assert modified_precision(words(SECOND), references, 2) == (1, 13)


def test_bleu_is_the_geometric_mean_of_four_precisions():
    """E74, 36.23: BP·exp((1/4) Σ log p_n), with the logarithm; the first candidate of the paper by hand."""
    counts = [(17, 18), (10, 17), (7, 16), (4, 15)]
    references = [words(text) for text in PAPINENI]
    assert [modified_precision(words(FIRST), references, n) for n in (1, 2, 3, 4)] == counts
    assert bleu([words(FIRST)], [references]) == pytest.approx(np.prod([a / b for a, b in counts]) ** 0.25)
    assert bleu([words(FIRST)], [references], max_n=2) == pytest.approx((17 / 18 * 10 / 17) ** 0.5)
    assert bleu([words(SECOND)], [references]) == 0


def test_only_a_translation_shorter_than_its_reference_is_penalized():
    """E73: by the reference, not by the original."""
    assert brevity_penalty(11, 10) == 1
    assert brevity_penalty(10, 10) == 1
    assert brevity_penalty(8, 10) == pytest.approx(np.exp(1 - 10 / 8))
    assert brevity_penalty(0, 10) == 0


def test_the_reference_nearest_in_length_counts():
    """E73: of two as near, the shorter."""
    text = list("abcdefgh")
    longer, shorter = [*text, "x", "x"], text[:6]
    assert bleu([text], [[longer]]) == pytest.approx(np.exp(1 - 10 / 8))
    assert bleu([text], [[longer, shorter]]) == 1
    assert bleu([text], [[longer, text[:5]]]) == pytest.approx(np.exp(1 - 10 / 8))


def test_a_corpus_adds_up_counts_and_lengths_before_it_divides():
    candidates, references = [list("abcde"), list("abcdxyz")], [[list("abcdefg")], [list("abcdefg"), list("xyz")]]
    matched, total = [5 + 7, 4 + 3 + 2, 3 + 2 + 1, 2 + 1], [5 + 7, 4 + 6, 3 + 5, 2 + 4]
    expected = np.exp(1 - 14 / 12) * np.prod(np.divide(matched, total)) ** 0.25
    assert bleu(candidates, references) == pytest.approx(expected)


@pytest.mark.parametrize(("candidates", "references"), [([["a"]], []), ([], []), ([["a"]], [[]])])
def test_translations_without_references_are_refused(candidates, references):
    with pytest.raises(ValueError, match="at least one reference"):
        bleu(candidates, references)


def heard(symbols: str) -> str:
    return "".join(ctc_collapse(list(symbols), "_"))


def test_repeats_are_merged_before_blanks_are_dropped():
    """34.20, E75: the space is no blank, and stays."""
    assert heard("ttt_h_eee___ ___qqq___iii") == "the qi"
    assert heard("tt_t") == "tt"
    assert heard("_a_") == "a"
    assert heard("  _ a") == "  a"
    assert heard("") == heard("___") == ""


def test_collapsing_is_what_all_strings_of_three_symbols_say():
    """Against the definition, group by group; numbers with blank 0."""
    for symbols in product([0, 1, 2], repeat=5):
        groups = [s for t, s in enumerate(symbols) if t == 0 or s != symbols[t - 1]]
        assert ctc_collapse(symbols, 0).tolist() == [s for s in groups if s != 0]


def test_ngrams_are_runs_of_words():
    assert modified_precision(list("abab"), [list("ab")], 2) == (1, 3)
    assert modified_precision(list("ab"), [list("ab")], 3) == (0, 0)
