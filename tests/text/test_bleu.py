"""BLEU and chrF against sacrebleu, and against the equations of the course (rows 28.11 to 28.13)."""

import builtins

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orthogon.equations import sequences
from orthogon.errors import DataError, RecipeError
from orthogon.text.bleu import Bleu, ChrF, bleu_of_sums, difference, estimate

metrics = pytest.importorskip("sacrebleu.metrics")

WORDS = st.lists(st.sampled_from(["a", "the", "cat", "sat", "on", "mat.", "It's", "3,5", "“x”", "猫"]), max_size=9)
SENTENCES = st.builds(" ".join, WORDS)
CORPORA = st.lists(st.tuples(SENTENCES, st.lists(SENTENCES, min_size=1, max_size=3)), min_size=1, max_size=6)


def streams(references):
    """As sacrebleu wants them: the first references of all, then the second ones."""
    longest = max(map(len, references))
    return [[several[place] if place < len(several) else None for several in references] for place in range(longest)]


@settings(max_examples=60, deadline=None)
@given(CORPORA, st.sampled_from(["none", "13a", "char"]), st.booleans(), st.booleans())
def test_bleu_is_that_of_sacrebleu(corpus, tokenizer, smooth, lowercase):
    outputs, references = map(list, zip(*corpus))
    ours = Bleu(tokenizer, lowercase, smooth)
    theirs = metrics.BLEU(tokenize=tokenizer, lowercase=lowercase, smooth_method="exp" if smooth else "none")
    sums = ours.statistics(outputs, references).sum(0)
    assert ours.value(sums) == pytest.approx(theirs.corpus_score(outputs, streams(references)).score, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(CORPORA, st.booleans())
def test_chrf_is_that_of_sacrebleu_for_a_corpus_and_for_each_sentence(corpus, lowercase):
    outputs, references = map(list, zip(*corpus))
    ours, theirs = ChrF(lowercase), metrics.CHRF(lowercase=lowercase)
    statistics = ours.statistics(outputs, references)
    expected = theirs.corpus_score(outputs, streams(references)).score
    assert ours.value(statistics.sum(0)) == pytest.approx(expected, abs=1e-9)
    expected = [theirs.sentence_score(output, several).score for output, several in corpus]
    assert ours.value(statistics) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(WORDS, st.lists(WORDS, min_size=1, max_size=3)), min_size=1, max_size=5))
def test_the_formula_without_smoothing_is_that_of_the_equations(corpus):
    outputs, references = zip(*corpus)
    statistics = Bleu("none", smooth=False).statistics([" ".join(words) for words in outputs],
                                                       [[" ".join(one) for one in several] for several in references])
    assert bleu_of_sums(statistics.sum(0)) == pytest.approx(100 * sequences.bleu(outputs, references), abs=1e-9)


def test_counts_are_clipped_and_short_outputs_pay():
    """E72, E73: “the” seven times matches twice; five of seven words right and two too few cost exp(1 − 7/5)."""
    metric = Bleu("none", smooth=False)
    assert metric.statistics(["the the the the the the the"], [["the cat is on the mat"]]).tolist() == [
        [7, 6, 2, 0, 0, 0, 7, 6, 5, 4]]
    sums = metric.statistics(["a b c d e"], [["a b c d e f g"]]).sum(0)
    assert metric.value(sums) == pytest.approx(100 * np.exp(1 - 7 / 5))
    sums = metric.statistics(["a b c d e f"], [["a b c d e"]]).sum(0)
    assert metric.value(sums) == pytest.approx(100 * (5 / 6 * 4 / 5 * 3 / 4 * 2 / 3) ** 0.25)


def made_up(n: int, errors: float, seed: int = 0) -> tuple[list[str], list[list[str]]]:
    """Outputs that have the share `errors` of words wrong."""
    generator = np.random.default_rng(seed)
    references = [generator.integers(0, 30, size=generator.integers(5, 15)) for _ in range(n)]
    outputs = [np.where(generator.random(len(one)) < errors, 31, one) for one in references]
    return [" ".join(map(str, one)) for one in outputs], [[" ".join(map(str, one))] for one in references]


def test_the_interval_is_that_of_resampled_corpora():
    metric = Bleu("none")
    statistics = metric.statistics(*made_up(300, 0.2))
    found = estimate(metric, statistics)
    generator = np.random.default_rng(5)
    drawn = [metric.value(statistics[generator.integers(300, size=300)].sum(0)) for _ in range(1500)]
    assert found.value == pytest.approx(float(metric.value(statistics.sum(0))))
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.5)
    assert (found.n, found.unit) == (300, "BLEU")
    assert found == estimate(metric, statistics)


def test_smoothing_knows_how_many_sentences_there_are():
    """Half a match is half of one in the corpus, not of a mean per sentence."""
    metric = Bleu("none")
    statistics = metric.statistics(["a b c x e f", "a b", "q w e"], [["a b c d e f"], ["a c"], ["q e w"]])
    assert statistics[:, 5].sum() == 0
    assert estimate(metric, statistics).value == pytest.approx(float(metric.value(statistics.sum(0))))


def test_groups_are_drawn_whole():
    metric = ChrF()
    statistics = metric.statistics(*made_up(200, 0.3))
    copies = np.repeat(statistics, 5, axis=0)
    together = estimate(metric, copies, groups=np.repeat(np.arange(200), 5))
    alone = estimate(metric, statistics)
    assert together.n == 200
    assert together.high - together.low == pytest.approx(alone.high - alone.low, rel=0.1)


@pytest.mark.parametrize("metric", [Bleu("none"), ChrF()])
def test_two_systems_are_compared_in_pairs(metric):
    outputs, references = made_up(300, 0.3)
    better = [reference[0] if place % 6 == 0 else output
              for place, (output, reference) in enumerate(zip(outputs, references))]
    first, second = (metric.statistics(texts, references) for texts in (outputs, better))
    gain = difference(metric, first, second)
    assert gain.value == pytest.approx(float(metric.value(second.sum(0)) - metric.value(first.sum(0))))
    assert 0 < gain.low < gain.value < gain.high
    apart = estimate(metric, first), estimate(metric, second)
    assert gain.high - gain.low < max(one.high - one.low for one in apart)
    back = difference(metric, second, first)
    assert back.value == pytest.approx(-gain.value)


def test_the_signature_names_what_was_counted():
    assert Bleu("char", lowercase=True).signature().startswith("nrefs:1|case:lc|eff:no|tok:char|smooth:exp|version:")
    assert "smooth:none" in Bleu(smooth=False).signature(2)
    assert ChrF().signature(4).startswith("nrefs:4|case:mixed|eff:yes|nc:6|nw:0")


def test_what_cannot_be_scored():
    with pytest.raises(DataError, match="2 outputs, and references for 1"):
        Bleu().statistics(["a", "b"], [["a"]])
    with pytest.raises(DataError, match=r"references\[1\]"):
        ChrF().statistics(["a", "b"], [["a"], []])
    with pytest.raises(DataError, match=r"references\[0\]"):
        ChrF().statistics(["a"], ["a"])
    with pytest.raises(RecipeError, match="13b"):
        Bleu("13b")
    with pytest.raises(DataError, match="sentences × 10"):
        estimate(Bleu(), np.zeros((3, 18)))
    with pytest.raises(DataError, match="same sentences"):
        difference(ChrF(), np.zeros((3, 18)), np.zeros((2, 18)))
    assert Bleu().statistics([], []).shape == (0, 10)


def test_without_sacrebleu_the_extra_is_named(monkeypatch):
    original = builtins.__import__

    def without(name, *rest):
        if name.startswith("sacrebleu"):
            raise ImportError(name)
        return original(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(RecipeError, match=r"orthogon\[text\]"):
        Bleu()
