"""Of a run that tells identities apart the report shows what each threshold costs."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest

from orthogon.draw.page import Page
from orthogon.report.pairs import pair_facts, pairs
from orthogon.tasks.verification import judged
from orthogon.train.rows import Rows


def shown(encodings: np.ndarray, identities: np.ndarray) -> str:
    rows = rows_of(encodings, identities)
    page = Page("t")
    pairs(page, SimpleNamespace(main="dev", pairs=pair_facts(rows)))
    return page.render()


def rows_of(encodings: np.ndarray, identities: np.ndarray) -> Rows:
    names = tuple(f"person {k}" for k in range(identities.max() + 1))
    found = {"target": identities, **judged(encodings.astype(np.float32), identities)}
    return Rows("dev", np.arange(len(identities)).astype(str), found, names)


@pytest.fixture
def people() -> np.ndarray:
    return np.repeat(np.arange(12), 6)


def test_identities_far_apart_are_all_known_at_any_rate(people):
    draw = np.random.default_rng(0)
    page = shown(np.eye(12)[people] + 0.01 * draw.normal(size=(72, 12)), people)
    assert "Same or different" in page
    assert "ROC curve on dev" in page
    assert "12 identities" in page
    assert page.count("100.0") >= 3  # of each rate in the table


def test_the_threshold_grows_with_the_rate_and_so_does_what_is_known(people):
    draw = np.random.default_rng(0)
    noisy = np.eye(12)[people] + 0.5 * draw.normal(size=(72, 12))
    page = shown(noisy, people)
    rows = re.findall(r">([\d.]+) %<br><small>.*?</td><td class=\"r\">([\d.]+)</td></tr>", page)
    known, distances = zip(*[(float(share), float(distance)) for share, distance in rows[:3]])
    assert len(rows) == 3
    assert list(known) == sorted(known)
    assert known[0] < known[2] < 100
    assert list(distances) == sorted(distances)
    assert distances[0] < distances[2]


def test_one_identity_alone_makes_no_section():
    assert "Same or different" not in shown(np.zeros((6, 3)), np.zeros(6, dtype=int))


def test_what_is_shown_is_embedded(people):
    told = pair_facts(rows_of(np.eye(12)[people], people))
    assert told is not None
    found = json.loads(json.dumps(told.to_dict()))
    assert (found["same"], found["identities"]) == (288, 12)
    assert [each["accepted"]["value"] for each in found["thresholds"]] == [1.0, 1.0, 1.0]
    assert found["roc"]["true_accept"][-1] == found["roc"]["false_accept"][-1] == 1.0
