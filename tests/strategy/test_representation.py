"""Reading labels off features, against scikit-learn, and what is said of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from orthogon.errors import RecipeError
from orthogon.strategy import representation
from orthogon.strategy.representation import by_linear_probe, by_neighbors, label_counts, worth
from orthogon.train.rows import Rows


def clouds(count: int, seed: int, classes: int = 3, apart: float = 2.0) -> tuple[torch.Tensor, np.ndarray]:
    draw = np.random.default_rng(seed)
    codes = np.arange(count) % classes
    middles = np.random.default_rng(99).normal(size=(classes, 5)) * apart
    return torch.from_numpy((middles[codes] + draw.normal(size=(count, 5))).astype(np.float32)), codes


def test_shares_and_numbers_of_labels_are_numbers_of_labels():
    assert label_counts([1, 0.01, 50.0, 0.05], 1000, 5) == [10, 50, 1000]
    for given, said in (([0], "0 is no share"), ([-3], "-3 is no share"), ([2.5], "2.5 is no share"),
                        ([1001], "1,001 labels are asked for, and there are 1,000"),
                        ([0.009], "fewer than two of each")):
        with pytest.raises(RecipeError, match=said):
            label_counts(given, 1000, 5)


def test_neighbors_vote_as_those_of_scikit_learn_and_k_is_the_best_when_each_is_left_out():
    features, codes = clouds(30, 0)
    asked, _ = clouds(40, 1)
    found, k = by_neighbors(features, codes, asked, 3)
    right = {}
    for each in (1, 5, 20):
        model = [KNeighborsClassifier(each, metric="cosine").fit(np.delete(features.numpy(), i, 0), np.delete(codes, i))
                 for i in range(30)]
        right[each] = sum(model[i].predict(features[i : i + 1].numpy())[0] == codes[i] for i in range(30))
    assert right[k] == max(right.values())
    if k > 1:  # ties of votes are broken by the nearest here, by the lowest code there
        reference = KNeighborsClassifier(k, metric="cosine").fit(features, codes).predict(asked)
        assert (found == reference).mean() > 0.95


def test_copies_of_an_example_do_not_hide_that_it_is_left_out():
    features = torch.ones(30, 2)
    codes = np.arange(30) % 2
    found, k = by_neighbors(features, codes, features[:3], 2)
    assert k in (1, 5, 20)
    assert found.shape == (3,)


def test_few_labels_have_few_neighbors():
    features, codes = clouds(4, 0, classes=2)
    assert by_neighbors(features, codes, features, 2)[1] == 1


def test_the_probe_is_a_softmax_regression_on_standardized_features(monkeypatch):
    monkeypatch.setattr(representation, "PENALTIES", (0.01,))
    features, codes = clouds(120, 0, apart=0.8)
    asked, _ = clouds(60, 1, apart=0.8)
    found, penalty = by_linear_probe(features * 7 + 3, codes, asked * 7 + 3)
    scaled = [((each - features.mean(0)) / features.std(0, correction=0)).numpy() for each in (features, asked)]
    reference = LogisticRegression(C=1 / (0.01 * 120), max_iter=1000).fit(scaled[0], codes).predict(scaled[1])
    assert penalty == 0.01
    assert (found == reference).mean() > 0.98


def test_a_penalty_is_chosen_on_the_labelled_alone_and_a_constant_feature_does_no_harm():
    features, codes = clouds(200, 0)
    features[:, 2] = 4
    asked, truth = clouds(100, 1)
    asked[:, 2] = 5
    found, penalty = by_linear_probe(features, codes, asked)
    assert penalty in representation.PENALTIES
    assert (found == truth).mean() > 0.8


def rows(right: np.ndarray) -> Rows:
    return Rows("dev", np.array([f"r{k}" for k in range(len(right))]),
                {"target": np.zeros(len(right)), "prediction": np.zeros(len(right)), "score": right.astype(float)},
                ("a", "b"))


def test_uses_are_compared_on_the_same_examples_and_said_with_their_intervals():
    draw = np.random.default_rng(0)
    scores = {"learnt": draw.random(400) < 0.9, "random": draw.random(400) < 0.6}
    answers = {(count, way, start): rows(scores[start]) for count in (40, 10)
               for way in ("whole", "neighbors", "linear") for start in ("learnt", "random")}
    answers[10, "whole", "learnt"] = answers[10, "whole", "random"]
    found = worth("run-1", "data", 400, answers, {(10, "neighbors"): "k = 5"})
    assert [(use.labels, use.way) for use in found.uses] == [
        (count, way) for count in (10, 40) for way in ("neighbors", "linear", "whole")]
    near, linear, whole = found.uses[:3]
    assert near.gain.difference == pytest.approx(scores["learnt"].mean() - scores["random"].mean())
    assert near.gain.verdict == linear.over_scratch.verdict == "better"
    assert (whole.gain.difference, whole.gain.verdict) == (0, "tied")
    assert (near.chosen, linear.chosen) == ("k = 5", "")
    assert near.learnt.n == 400
    assert near.learnt.low < near.learnt.value < near.learnt.high
    assert "With 10 of 400 labels training from scratch is right in" in found.sentence
    assert "trained from it +0.0" in found.sentence
    assert "(no difference that could be seen)" in found.sentence
    assert "whole network trained" in str(found)
    assert found.to_dict()["uses"][0]["gain"]["n"] == 400
