"""Nearest neighbors by cosine, against scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from orthogon.nn import neighbors
from orthogon.nn.neighbors import nearest, nearest_others, vote


def encodings(n: int, seed: int) -> torch.Tensor:
    return torch.randn(n, 6, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("pairs", [1, 70, 1 << 24])
def test_neighbors_are_those_of_scikit_learn_however_many_are_looked_at_at_once(monkeypatch, pairs):
    monkeypatch.setattr(neighbors, "PAIRS", pairs)
    queries, references = encodings(13, 0), encodings(20, 1)
    reference = NearestNeighbors(metric="cosine").fit(references.numpy())
    wanted = reference.kneighbors(queries.numpy(), 3, return_distance=False)
    np.testing.assert_array_equal(nearest(queries, references, 3).numpy(), wanted)
    others = reference.kneighbors(n_neighbors=2, return_distance=False)
    np.testing.assert_array_equal(nearest_others(references, 2).numpy(), others)


def test_the_nearest_of_an_example_among_all_is_itself_and_among_others_is_not():
    found = encodings(8, 2)
    assert nearest(found, found).squeeze(1).tolist() == list(range(8))
    assert all(place != own for own, place in enumerate(nearest_others(found).squeeze(1).tolist()))


def test_length_does_not_count():
    references = torch.tensor([[1.0, 0.1], [10.0, 10.0], [0.0, 1.0]])
    assert nearest(torch.tensor([[1.0, 1.0], [100.0, 0.0]]), references).tolist() == [[1], [0]]


def test_the_commonest_code_wins_and_of_ties_the_nearest():
    codes = torch.tensor([[2, 0, 0], [1, 2, 0], [3, 3, 1]])
    assert vote(codes, 4).tolist() == [0, 1, 3]
    assert vote(torch.tensor([[0, 1, 2, 2, 1]]), 3).tolist() == [1]


def test_votes_of_many_are_those_of_scikit_learn():
    references, queries = encodings(60, 4), encodings(30, 5)
    labels = torch.arange(60) % 2
    reference = KNeighborsClassifier(5, metric="cosine").fit(references.numpy(), labels.numpy())
    assert vote(labels[nearest(queries, references, 5)], 2).tolist() == reference.predict(queries.numpy()).tolist()


def test_too_few_to_look_among_is_said_and_no_query_has_no_neighbor():
    with pytest.raises(ValueError, match="the 3 nearest of 2"):
        nearest(encodings(4, 0), encodings(2, 0), 3)
    with pytest.raises(ValueError, match="the 1 nearest of 0"):
        nearest_others(encodings(1, 0))
    assert nearest(encodings(0, 0), encodings(2, 0), 2).shape == (0, 2)
