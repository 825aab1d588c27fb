"""Distances to identities against loops, and the threshold that a gallery chooses for itself."""

from __future__ import annotations

import numpy as np
import pytest

from orthogon.errors import DataError
from orthogon.serve.neighbors import Encodings
from orthogon.serve.thresholds import LeftOut, Threshold

DRAW = np.random.default_rng(3)


def group(n: int = 30, identities: int = 7, d: int = 5, unlike=None) -> tuple[Encodings, list[str], np.ndarray]:
    names = [f"p{k}" for k in DRAW.integers(0, identities, n)]
    values = DRAW.normal(size=(n, d)).astype(np.float32)
    return Encodings.of(names, values, unlike), names, values


def city_block(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.abs(first[:, None] - second[None]).sum(-1)


def brute(names: list[str], values: np.ndarray, query: np.ndarray, order: float = 2) -> dict[str, float]:
    far = np.linalg.norm(values.astype(float) - query, ord=order, axis=1)
    return {name: min(far[row] for row, each in enumerate(names) if each == name) for name in sorted(set(names))}


@pytest.mark.parametrize(("unlike", "order"), [(None, 2), (city_block, 1)])
def test_the_nearest_of_each_identity_is_that_of_a_loop(unlike, order):
    held, names, values = group(unlike=unlike)
    queries = DRAW.normal(size=(6, 5)).astype(np.float32)
    table = held.to_identities(queries)
    for query, row in zip(queries, table):
        expected = brute(names, values, query, order)
        assert held.names == tuple(expected)
        assert row == pytest.approx(list(expected.values()), abs=1e-5)
        ranked = sorted(expected.items(), key=lambda pair: pair[1])
        found = held.nearest(query, 4)
        assert [name for name, _ in found] == [name for name, _ in ranked[:4]]
        assert [far for _, far in found] == pytest.approx([far for _, far in ranked[:4]], abs=1e-6)
    assert len(held.nearest(queries[0], 100)) == len(held.names)


def test_a_picture_is_at_distance_0_from_itself_exactly():
    held, _, values = group()
    assert held.nearest(values[4])[0][1] == 0


def test_an_encoding_may_be_passed_over(monkeypatch):
    held, _, _ = group()
    monkeypatch.setattr("orthogon.serve.neighbors.AT_ONCE", 40)  # a slab of one query
    rows = np.arange(len(held))
    found = held.to_identities(held.values, without=rows)
    for row in rows:
        kept = np.delete(rows, row)
        names = [held.names[code] for code in held.codes[kept]]
        expected = brute(names, held.values[kept], held.values[row])
        for code, name in enumerate(held.names):
            assert found[row, code] == pytest.approx(expected.get(name, np.inf), abs=1e-3)


def line(**at: list[float]) -> Encodings:
    """Encodings of one number."""
    pairs = [(name, place) for name, places in at.items() for place in places]
    return Encodings.of([name for name, _ in pairs], np.array([[place] for _, place in pairs], dtype=np.float32))


def test_each_picture_is_left_out_in_turn():
    found = LeftOut.of(line(a=[0, 1], b=[4, 6], c=[11]), one=False)
    assert found.own == pytest.approx([1, 1, 2, 2, np.inf])
    assert found.others[:, 0] == pytest.approx([4, 3, 3, 5, 5])
    assert found.identity.tolist() == [0, 0, 1, 1, 2]
    each = LeftOut.of(line(a=[0, 1], b=[4, 6], c=[11]), one=True)
    assert each.others == pytest.approx(np.array([[4, 11], [3, 10], [3, 7], [5, 5], [10, 5]]))


@pytest.mark.parametrize(("share", "largest"), [(0.0, 3), (0.19, 3), (0.2, 3), (0.4, 4), (0.6, 5), (1.0, 5)])
def test_the_threshold_lies_just_below_the_first_stranger_too_many(share, largest):
    """Strangers at 3, 3, 4, 5 and 5: a share of 0.2 would let one of five in, but two are equally near."""
    left_out = LeftOut.of(line(a=[0, 1], b=[4, 6], c=[11]), one=False)
    value = left_out.threshold_at(share)
    assert value < largest
    assert value == pytest.approx(largest, abs=1e-6)
    assert (left_out.others <= value).mean() <= share


def test_what_a_threshold_does_is_told_with_identities_as_n():
    left_out = LeftOut.of(line(a=[0, 1], b=[4, 6], c=[11]), one=False)
    found = left_out.at(3.5, "as given")
    assert found.false_accepts.value == pytest.approx(2 / 5)
    assert found.false_accepts.n == 3
    assert found.false_rejects.value == 0
    assert found.false_rejects.n == 2  # c has one picture: nothing says how far its next would be
    assert left_out.at(1.5, "").false_rejects.value == pytest.approx(1 / 2)
    assert 0 < found.false_accepts.low < 0.4 < found.false_accepts.high < 1
    assert "3.5, as given" in str(found)
    assert "n = 3 identities" in str(found)
    assert found.to_dict()["false_accepts"]["n"] == 3


def test_one_picture_each_says_nothing_of_its_own():
    found = LeftOut.of(line(a=[0], b=[4]), one=False).at(1, "as given")
    assert found.false_rejects is None
    assert "not known again" not in str(found)
    assert found.to_dict()["false_rejects"] is None
    assert str(Threshold(0.5, "as given")) == "threshold 0.5, as given"


def test_one_identity_has_no_strangers():
    with pytest.raises(DataError, match=r"one identity.*\n.*--threshold"):
        LeftOut.of(line(a=[0, 1]), one=False)


def test_of_many_pictures_some_are_taken_evenly(monkeypatch):
    monkeypatch.setattr("orthogon.serve.thresholds.PICTURES", 4)
    found = LeftOut.of(line(a=list(range(10)), b=list(range(20, 30))), one=False)
    assert found.identity.tolist() == [0, 0, 1, 1]
    assert found.others[:, 0] == pytest.approx([20, 14, 14, 20])
