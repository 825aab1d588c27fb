"""Rows of two models on the same examples: told where the same ids are something else."""

from __future__ import annotations

import numpy as np
import pytest

from orthogon.errors import DataError
from orthogon.strategy.paired import aligned
from orthogon.train.rows import Rows


def texts(ids: str, characters: list[int]) -> Rows:
    nats = np.arange(len(characters), dtype=float)
    return Rows("dev", np.array(list(ids)), {"target": np.zeros(len(characters), dtype=np.int64), "prediction": nats,
                                             "loss": nats, "characters": np.array(characters)})


def test_texts_are_taken_in_one_order_and_other_texts_of_the_same_ids_refused():
    first, second = aligned(texts("abc", [5, 6, 7]), texts("cb", [7, 6]))
    assert first.ids.tolist() == second.ids.tolist() == ["b", "c"]
    with pytest.raises(DataError, match="the same ids are other texts"):
        aligned(texts("abc", [5, 6, 7]), texts("cb", [7, 9]))
