"""The scikit-learn estimators: scikit-learn's own checks, and what they promise beyond."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import check_estimator

import orthogon as og


@pytest.mark.parametrize("estimator", [og.Classifier, og.Regressor])
def test_scikit_learn_accepts_it(estimator):
    """Small and short, for time; the defaults pass as well."""
    check_estimator(estimator(epochs=60, lr=5e-3, model_options={"hidden": [32]}, random_state=0), on_skip=None)


def test_classifies_names_and_numbers():
    x, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    fitted = og.Classifier(random_state=0).fit(x, names)
    assert fitted.score(x, names) > 0.95
    assert list(fitted.classes_) == ["setosa", "versicolor", "virginica"]
    shares = fitted.predict_proba(x)
    assert shares.shape == (150, 3)
    np.testing.assert_allclose(shares.sum(axis=1), 1)


def test_same_seed_same_bits_whatever_the_order_of_rows():
    x, y = load_iris(return_X_y=True)
    mixed = np.random.default_rng(0).permutation(len(x))
    first = og.Classifier(epochs=5, random_state=1).fit(x, y).predict_proba(x)
    second = og.Classifier(epochs=5, random_state=1).fit(x[mixed], y[mixed]).predict_proba(x)
    other = og.Classifier(epochs=5, random_state=2).fit(x, y).predict_proba(x)
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_pickle_and_clone():
    x, y = load_diabetes(return_X_y=True)
    fitted = og.Regressor(epochs=20, random_state=0, model_options={"hidden": [16], "norm": "batch"}).fit(x, y)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(fitted.predict(x), again.predict(x))
    assert clone(fitted).get_params() == fitted.get_params()
    assert not hasattr(clone(fitted), "n_iter_")


def test_regresses_in_the_unit_of_the_target():
    x, y = load_diabetes(return_X_y=True)
    fitted = og.Regressor(random_state=0).fit(x, y)
    assert r2_score(y, fitted.predict(x)) > 0.4
    assert 100 < fitted.predict(x).mean() < 200


def test_missing_values_are_information():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(200, 3))
    y = generator.integers(0, 2, 200)
    x[y == 1, 0] = np.nan
    fitted = og.Classifier(random_state=0).fit(x, y)
    assert fitted.score(x, y) > 0.95


def test_weights_count():
    x = np.zeros((40, 2))
    x[:, 0] = np.linspace(-1, 1, 40)
    y = np.arange(40) % 2
    shares = og.Classifier(random_state=0).fit(x, y, sample_weight=np.where(y == 1, 9.5, 0.5)).predict_proba(x)
    assert shares[:, 1].mean() > 0.85


def test_a_class_of_weight_zero_is_never_predicted():
    x, y = load_iris(return_X_y=True)
    fitted = og.Classifier(epochs=5, random_state=0).fit(x, y, sample_weight=(y != 2).astype(float))
    assert (fitted.predict_proba(x)[:, 2] == 0).all()


def test_knobs_are_searched_by_scikit_learn():
    x, y = load_iris(return_X_y=True)
    search = GridSearchCV(og.Classifier(epochs=5, random_state=0), {"lr": [1e-5, 3e-2]}, cv=2).fit(x, y)
    assert search.best_params_ == {"lr": 3e-2}


def test_other_knobs_by_flat_key_and_unknown_ones_refused():
    x, y = load_iris(return_X_y=True)
    fitted = og.Classifier(epochs=2, random_state=0, recipe={"train.optimizer": "momentum"}).fit(x, y)
    assert fitted.n_iter_ == 2
    with pytest.raises(ValueError, match=r"train\.optimizer"):
        og.Classifier(recipe={"train.optimiser": "momentum"}).fit(x, y)
    with pytest.raises(ValueError, match="mlp"):
        og.Classifier(model="mpl").fit(x, y)


@pytest.mark.parametrize("y", [np.zeros(10), ["a"] * 10])
def test_one_class_is_refused(y):
    with pytest.raises(ValueError, match="one class"):
        og.Classifier().fit(np.random.default_rng(0).normal(size=(10, 2)), y)


def test_threads_and_random_state_are_left_alone():
    x, y = load_iris(return_X_y=True)
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    og.Classifier(epochs=2, random_state=0).fit(x, y).predict(x)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)
