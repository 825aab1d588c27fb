"""Of a run that tags words the report shows which tags are taken for which."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, f1_score, precision_score, recall_score

from orthogon.draw.page import Page
from orthogon.errors import DataError
from orthogon.report.tags import tag_facts, tags
from orthogon.train.rows import Rows

if TYPE_CHECKING:
    from orthogon.report.view import View

TAGS = ["ADJ", "NOUN", "VERB"]


def rows_of(truth: list[str], said: list[str]) -> Rows:
    values = {"target": np.array(truth, dtype=object), "prediction": np.array(said, dtype=object),
              "words": np.array([sum(tag != "_" for tag in line.split()) for line in truth])}
    return Rows("dev", np.arange(len(truth)).astype(str), values)


@pytest.fixture
def rows() -> Rows:
    draw = np.random.default_rng(0)
    truth = [list(draw.choice(TAGS, size)) for size in draw.integers(1, 9, 50)]
    said = [[tag if draw.random() < 0.7 else str(draw.choice(TAGS)) for tag in line] for line in truth]
    return rows_of([" ".join(line) for line in truth], [" ".join(line) for line in said])


def test_counts_and_figures_are_those_of_scikit_learn(rows):
    found = tag_facts(rows)
    truth, said = (" ".join(rows[name]).split() for name in ("target", "prediction"))
    assert found is not None
    assert found.names == tuple(TAGS)
    assert (found.counts == confusion_matrix(truth, said, labels=TAGS)).all()
    for figures, score in ((found.precision, precision_score), (found.recall, recall_score), (found.f1, f1_score)):
        assert [each.value for each in figures] == pytest.approx(list(score(truth, said, labels=TAGS, average=None)))
        assert all(each.low < each.value < each.high for each in figures)
    document = found.to_dict()
    assert [document[name][0]["n"] for name in ("precision", "recall", "f1")] == [
        each[0].n for each in (found.precision, found.recall, found.f1)]


def test_what_is_not_defined_says_why():
    found = tag_facts(rows_of(["A A", "A"], ["A A", "B"]))
    assert found is not None
    assert found.names == ("A", "B")
    assert (np.isnan(found.recall[1].value), found.recall[1].method) == (True, "undefined: the tag does not occur")
    assert (found.precision[1].value, found.f1[1].value) == (0, 0)
    swapped = tag_facts(rows_of(["A A", "B"], ["A A", "A"]))
    assert swapped is not None
    assert swapped.precision[1].method == "undefined: the tag is never predicted"
    page = Page("t")
    tags(page, cast("View", SimpleNamespace(main="dev", tags=found)))
    assert "nan" not in page.render()


def test_a_prediction_of_another_length_is_named():
    with pytest.raises(DataError, match="1 tags were predicted for 2 words") as raised:
        tag_facts(rows_of(["A", "A B"], ["A", "B"]))
    assert raised.value.where == "dev: id 1"


def test_words_whose_tags_are_not_known_are_left_out():
    found = tag_facts(rows_of(["A _ B", "B"], ["A B B", "A"]))
    assert found is not None
    assert found.names == ("A", "B")
    assert found.counts.tolist() == [[1, 0], [1, 1]]


def test_the_section_tells_what_is_confused(rows):
    page = Page("t")
    tags(page, SimpleNamespace(main="dev", tags=tag_facts(rows)))  # type: ignore[arg-type]
    text = page.render()
    found = tag_facts(rows)
    assert found is not None
    true, said, times = found.confused()[0]
    off = found.counts - np.diag(np.diag(found.counts))
    assert times == off.max() == found.counts[TAGS.index(true), TAGS.index(said)]
    assert "confusion of tags on dev" in text
    for each in (found.precision[0], found.recall[0]):
        assert f"{100 * each.low:.1f}" in text
        assert f"{100 * each.high:.1f}" in text
    assert f"{int(off.sum())} of {int(found.counts.sum())} words are tagged wrong" in text


def test_texts_that_are_no_tags_are_none():
    texts = Rows("dev", np.array(["0"]), {"target": np.array(["one two"]), "prediction": np.array(["one"])})
    assert tag_facts(texts) is None


def test_other_runs_have_no_such_section():
    page = Page("t")
    tags(page, SimpleNamespace(main="dev", tags=None))  # type: ignore[arg-type]
    assert "Tags" not in page.render()
