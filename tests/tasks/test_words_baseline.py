"""The baseline of texts, against scikit-learn put together by hand."""

import numpy as np
import pytest
from helpers_tasks import ready
from scipy.sparse import csr_matrix, hstack
from scipy.special import softmax
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from sklearn.svm import LinearSVC

from orthogon.data.columns import CategoryColumn, LabelsColumn, NumberColumn, TextColumn
from orthogon.data.dataset import Dataset
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


@pytest.mark.parametrize("codes", [np.r_[np.zeros(59), 1], np.r_[1, np.zeros(59)]])
def test_a_class_of_one_example_leaves_the_factor_at_one_or_fits_it_on_the_others(codes):
    target = CategoryColumn(np.r_[codes, np.zeros(30)].astype(int), ["often", "once"])
    _, _, found = results(Classify, data(target))
    assert np.isfinite(found["probabilities"]).all()
