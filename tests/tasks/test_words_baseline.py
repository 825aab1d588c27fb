"""The baseline of texts, against scikit-learn put together by hand."""

import numpy as np
import pytest
from helpers_tasks import ready
from scipy.optimize import brentq
from scipy.sparse import csr_matrix, hstack
from scipy.special import expit, softmax
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from sklearn.svm import LinearSVC

from orthogon.data.columns import CategoryColumn, LabelsColumn, NumberColumn, TextColumn
from orthogon.data.dataset import Dataset
from orthogon.errors import DataError
from orthogon.tasks.classify import Classify
from orthogon.tasks.design_matrix import design_matrix
from orthogon.tasks.multilabel import MultiLabel
from orthogon.tasks.regress import Regress
from orthogon.tasks.words_baseline import Words

N, LEARNT = 90, np.arange(60)
DRAW = np.random.default_rng(0)
CODES = DRAW.integers(0, 3, N)
WORDS = np.array(["rain wind cold a", "sun heat dry I", "snow ice white of"])
TEXTS = [" ".join(DRAW.choice([*WORDS[code].split() * 8, *" ".join(WORDS).split()], 4)) for code in CODES]


def data(target, **more) -> Dataset:
    return Dataset("weather", {"text": TextColumn(TEXTS), **more, "y": target}, "y", np.arange(N).astype(str))


def vectors():
    pattern = {"token_pattern": r"\w+"}
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, **pattern)
    return words.fit(np.array(TEXTS)[LEARNT]).transform(TEXTS)


def results(sort, given: Dataset):
    task, model = ready(sort, given, LEARNT), Words()
    model.fit(task, LEARNT)
    return task, model, model.results(task, np.arange(N))


def test_classes_are_those_of_a_linear_svm_on_the_same_rows():
    target = CategoryColumn(CODES, ["rain", "sun", "snow"])
    task, model, found = results(Classify, data(target))
    machine = LinearSVC(random_state=0).fit(vectors()[LEARNT], CODES[LEARNT])
    np.testing.assert_array_equal(found["prediction"], machine.predict(vectors()))
    (fitted,) = model._models
    expected = softmax(fitted.factor * machine.decision_function(vectors()), axis=1)
    np.testing.assert_allclose(found["probabilities"], expected, atol=1e-4)
    assert fitted.factor > 1  # decisions of a machine lie between −1 and 1: as they are they would be too timid
    assert [each.name for each in task.baselines()] == ["majority", "tf-idf svm"]


def test_two_classes_are_decided_at_one_half():
    target = CategoryColumn((CODES == 1).astype(int), ["other", "sun"])
    _, _, found = results(Classify, data(target))
    decisions = LinearSVC(random_state=0).fit(vectors()[LEARNT], CODES[LEARNT] == 1).decision_function(vectors())
    np.testing.assert_array_equal(found["probabilities"][:, 1] > 0.5, decisions > 0)


def test_other_inputs_stand_beside_the_words():
    number = NumberColumn(np.where(CODES == 2, 5.0, 0.0) + DRAW.normal(size=N))
    task, _, found = results(Classify, data(CategoryColumn(CODES, ["rain", "sun", "snow"]), x=number))
    both = csr_matrix(hstack([vectors(), design_matrix(task, np.arange(N), one_hot=True)]))
    machine = LinearSVC(random_state=0).fit(both[LEARNT], CODES[LEARNT])
    np.testing.assert_array_equal(found["prediction"], machine.predict(both))
    assert [each.name for each in task.baselines()] == ["majority", "tf-idf svm", "boosted trees"]


def test_of_several_labels_each_has_a_machine_of_its_own():
    values = np.stack([CODES == 0, CODES > 0, np.zeros(N)], axis=1).astype(np.float32)
    _, _, found = results(MultiLabel, data(LabelsColumn(values, ["rain", "dry", "never"])))
    for label in (0, 1):
        machine = LinearSVC(random_state=0).fit(vectors()[LEARNT], values[LEARNT, label])
        np.testing.assert_array_equal(found["prediction"][:, label], machine.predict(vectors()))
    assert not found["prediction"][:, 2].any()


def test_numbers_are_ridge_regression():
    values = CODES + DRAW.normal(scale=0.1, size=N)
    _, _, found = results(Regress, data(NumberColumn(values)))
    expected = Ridge(solver="lsqr").fit(vectors()[LEARNT], values[LEARNT]).predict(vectors())
    np.testing.assert_allclose(found["prediction"].ravel(), expected, rtol=1e-3, atol=1e-3)


def test_texts_read_letter_by_letter_are_taken_as_letters():
    from helpers_tasks import CPU

    from orthogon.train.settings import DataSettings, TaskSettings

    given = data(CategoryColumn(CODES, ["rain", "sun", "snow"]))
    task = Classify(TaskSettings(), DataSettings(tokens="character"))
    task.fit(given, LEARNT)
    task.attach(given, CPU)
    model = Words()
    model.fit(task, LEARNT)
    assert {"ra", "rain"} <= set(model._vectorizers["text"].vocabulary_)
    assert (model.results(task, LEARNT)["score"] == 1).mean() > 0.6


def test_texts_without_a_word_are_taken_as_characters():
    """Emoji, "!" and "?", beside a column of words or alone; none of them is a word to scikit-learn."""
    marks = TextColumn([["! 😀", "?? 😀", "😀😀 …"][code] for code in CODES])
    target = CategoryColumn(CODES, ["rain", "sun", "snow"])
    _, alone, found = results(Classify, Dataset("marks", {"text": marks, "y": target}, "y", np.arange(N).astype(str)))
    assert (found["score"] == 1).all()
    assert {"!", "??", "😀"} <= set(alone._vectorizers["text"].vocabulary_)
    _, beside, found = results(Classify, data(target, marks=marks))
    assert (found["score"] == 1).all()
    assert {name: each.analyzer for name, each in beside._vectorizers.items()} == {"text": "word", "marks": "char"}


def test_texts_of_blanks_that_are_read_letter_by_letter_tell_nothing():
    from helpers_tasks import CPU

    from orthogon.train.settings import DataSettings, TaskSettings

    blanks = TextColumn([" " * (1 + code) for code in CODES])
    given = Dataset("blanks", {"text": blanks, "y": CategoryColumn(CODES, "abc")}, "y", np.arange(N).astype(str))
    task, model = Classify(TaskSettings(), DataSettings(tokens="character")), Words()
    task.fit(given, LEARNT)
    task.attach(given, CPU)
    model.fit(task, LEARNT)
    assert len(set(model.results(task, LEARNT)["prediction"].tolist())) == 1


def test_a_text_that_is_empty_in_train_is_refused_before_training():
    with pytest.raises(DataError, match="column 'more': the train texts hold no tokens"):
        results(Classify, data(CategoryColumn(CODES, "abc"), more=TextColumn([""] * 60 + ["late"] * 30)))


def test_a_class_whose_one_example_is_held_out_leaves_the_factor_at_one():
    _, model, found = results(Classify, data(CategoryColumn((np.arange(N) == 0).astype(int), ["often", "once"])))
    assert [fitted.factor for fitted in model._models] == [1.0]
    assert np.isfinite(found["probabilities"]).all()


def test_a_class_whose_one_example_is_learnt_has_the_factor_of_the_others():
    """All held-out rows are told right, so that the factor grows until they are certain to the last digit."""
    once = (np.arange(N) == 59).astype(int)
    _, model, found = results(Classify, data(CategoryColumn(once, ["often", "once"])))
    held = LEARNT % 5 == 0
    machine = LinearSVC(random_state=0).fit(vectors()[LEARNT][~held], once[LEARNT][~held])
    decisions = machine.decision_function(vectors()[LEARNT][held])
    assert (decisions < 0).all()
    (fitted,) = model._models
    assert np.logaddexp(0, fitted.factor * decisions).mean() < np.finfo(float).eps
    assert 1 < fitted.factor < np.exp(5)
    assert np.isfinite(found["probabilities"]).all()


def test_the_factor_is_where_the_likelihood_of_the_held_out_rows_has_no_slope():
    """Of two classes that are not told apart by all their words: Σ m / (1 + exp(f m)) = 0 for margins m."""
    sun = (CODES == 1) ^ (np.arange(N) % 7 == 0)
    _, model, _ = results(Classify, data(CategoryColumn(sun.astype(int), ["other", "sun"])))
    held = LEARNT % 5 == 0
    machine = LinearSVC(random_state=0).fit(vectors()[LEARNT][~held], sun[LEARNT][~held])
    margins = machine.decision_function(vectors()[LEARNT][held]) * np.where(sun[LEARNT][held], 1, -1)
    expected = brentq(lambda factor: (margins * expit(-factor * margins)).sum(), np.exp(-2), np.exp(5))
    assert [fitted.factor for fitted in model._models] == pytest.approx([expected], rel=1e-3)
