"""The commonest tag of each word: against counting by hand."""

import weakref

import numpy as np
import pytest
from helpers_tag import corpus, fitted, names

from orthogon.text.tag_baseline import SMOOTHING, CommonestTag

WORDS = [["the", "walks", "walks"], ["the", "walks", "quickly"], ["Mary", "sadly", "Larry"], ["xyz", "the"]]
TAGS = [["DET", "VERB", "VERB"], ["DET", "NOUN", "ADV"], ["NAME", "ADV", "NAME"], ["X", "DET"]]
NEW = [["walks", "badly", "Harry", "qqq"]]


@pytest.fixture
def found():
    data = corpus([*WORDS, *NEW], [*TAGS, ["VERB", "ADV", "NAME", "NAME"]])
    task = fitted(data)
    baseline = CommonestTag()
    baseline.fit(task, np.arange(4))
    return task, baseline.results(task, np.arange(5))


def test_known_words_have_their_commonest_tag_and_new_ones_that_of_their_ending(found):
    _, results = found
    # badly: as quickly and sadly; Harry: as Mary and Larry, with a capital; qqq: as all words that occur once, of which
    # two are ADV and two NAME: the first by name.
    assert results["prediction"][4] == "VERB ADV NAME ADV"
    assert results["prediction"][0] == "DET VERB VERB"
    assert results["prediction"][1] == "DET VERB ADV"


def test_scores_and_losses_are_means_over_words(found):
    _, results = found
    assert results["score"][:4].tolist() == pytest.approx([1, 2 / 3, 1, 1])
    assert results["weight"].tolist() == [3, 3, 3, 2, 4]
    the = (3 + SMOOTHING) / (3 + 6 * SMOOTHING)
    walks, noun = (2 + SMOOTHING) / (3 + 6 * SMOOTHING), (1 + SMOOTHING) / (3 + 6 * SMOOTHING)
    quickly = (1 + SMOOTHING) / (1 + 6 * SMOOTHING)
    assert results["loss"][0] == pytest.approx(-np.log([the, walks, walks]).mean(), rel=1e-5)
    assert results["loss"][1] == pytest.approx(-np.log([the, noun, quickly]).mean(), rel=1e-5)


def test_where_no_word_occurs_once_all_words_tell():
    data = corpus([["a", "a", "b", "b"], ["c"]], [["X", "X", "X", "Y"], ["X"]])
    task = fitted(data)
    baseline = CommonestTag()
    baseline.fit(task, np.array([0]))
    assert baseline.results(task, np.array([1]))["prediction"].tolist() == ["X"]


def test_no_more_than_a_batch_is_held_at_once(monkeypatch):
    """Of a large corpus all characters of all words would be gigabytes."""
    task, rows = fitted(names(40)), np.tile(np.arange(40), 40)
    made, alive, batch = [], [], task.batch

    def watched(*given):
        alive.append(sum(each() is not None for each in made))
        found = batch(*given)
        made.append(weakref.ref(found.inputs[1]))
        return found

    monkeypatch.setattr(task, "batch", watched)
    baseline = CommonestTag()
    baseline.fit(task, rows)
    assert len(baseline.results(task, rows)["prediction"]) == len(rows)
    assert len(made) == 8
    assert max(alive) <= 1
