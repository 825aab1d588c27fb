"""Search error or model error (rows 28.10, 36.22, E71): against the equations, closed forms, and searches that are
known to have missed what they should have found."""

import json
from html import unescape
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch

from orthogon.draw.page import Page
from orthogon.equations.sequences import beam_search_at_fault
from orthogon.errors import DataError
from orthogon.nn.beam import search
from orthogon.nn.beam_spec import BeamSpec
from orthogon.report import inquiries
from orthogon.report.view import View
from orthogon.stats import wilson
from orthogon.strategy.blame import Blame, at_fault, blame
from orthogon.train.run import Run
from orthogon.train.searched import Searched, WideBeam

N = 200


def searched(**more) -> Searched:
    """Of 200, the first 120 are wrong: of these the search's are the first 90."""
    place = np.arange(N)
    fields = {"reference": np.where(place < 90, -1.0, -3.0), "found": np.full(N, -2.0), "right": place >= 120,
              "reference_length": 4 + place % 12, "found_length": 4 + place % 12}
    return Searched(**{**fields, **more})


def test_whose_fault_it_is():
    found = blame("a", 5, searched())
    low, high = wilson(90, 120)
    assert found.search is not None
    assert (found.search.value, found.search.low, found.search.high, found.search.n) == (
        0.75, pytest.approx(float(low)), pytest.approx(float(high)), 120)
    assert (found.n, found.mistakes, found.unreachable) == (200, 120, 0)
    assert "mostly the search's fault" in found.sentence
    assert "75.0 %" in str(found)
    of_model = blame("a", 5, searched(found=np.full(N, -0.5)))
    assert of_model.search is not None
    assert of_model.search.value == 0
    assert "mostly the model's fault" in of_model.sentence
    half = blame("a", 5, searched(reference=np.where(np.arange(N) < 60, -1.0, -3.0)))
    assert "alike" in half.sentence


def test_the_rule_is_that_of_the_equations_where_rounding_does_not_decide():
    generator = np.random.default_rng(0)
    reference, found = -10 * generator.random((2, 500))
    assert (at_fault(reference, found) == beam_search_at_fault(reference, found)).all()
    assert not at_fault(found + 1e-7, found).any()
    assert at_fault(np.array([-1.0]), np.array([-np.inf])).all()
    assert not at_fault(np.array([-np.inf]), np.array([-1.0])).any()


def test_what_the_search_could_not_give_is_the_models_fault_and_counted():
    found = blame("a", 5, searched(reference=np.where(np.arange(N) < 40, -np.inf, -1.0)))
    assert found.unreachable == 40
    assert found.search is not None
    assert found.search.value == pytest.approx(80 / 120)


def test_shares_by_length():
    buckets = blame("a", 5, searched()).buckets
    assert [(one.shortest, one.longest) for one in buckets] == [(4, 6), (7, 9), (10, 12), (13, 15)]
    assert sum(one.n for one in buckets) == N
    assert sum(one.mistakes for one in buckets) == 120
    for one in buckets:
        inside = (np.arange(N) % 12 + 4 >= one.shortest) & (np.arange(N) % 12 + 4 <= one.longest)
        assert one.n == inside.sum()
        assert one.search is not None
        assert one.search.value == pytest.approx(inside[:90].sum() / inside[:120].sum())
    alone = blame("a", 5, searched(reference_length=np.full(N, 7))).buckets
    assert [(one.shortest, one.longest, one.n) for one in alone] == [(7, 7, N)]


@pytest.mark.parametrize(("off", "bias"), [(-1, "shorter"), (1, "longer"), (0, "")])
def test_a_model_that_holds_short_outputs_for_better_is_named(off, bias):
    lengths = 4 + np.arange(N) % 12
    found = blame("a", 5, searched(found_length=lengths + off, found=np.full(N, -0.5)))
    assert found.length_bias == bias
    actions = [item.action for item in found.work]
    assert any("divide by" in action for action in actions) == bool(bias)
    assert any("divide by more" in action for action in actions) == (bias == "shorter")


def test_short_outputs_of_the_search_are_no_bias_of_the_model():
    """Only those count for which nothing better was found; and what a wider beam found is what the model prefers."""
    lengths = 4 + np.arange(N) % 12
    narrow = searched(found_length=np.where(np.arange(N) < 90, lengths - 2, lengths))
    assert blame("a", 5, narrow).length_bias == ""
    wide = searched(found_length=lengths, wide=WideBeam(50, np.full(N, -0.5), lengths - 2))
    assert blame("a", 5, wide).length_bias == "shorter"


def test_a_wide_beam_tells_what_was_missed_and_what_it_is_worth():
    quality = np.zeros((N, 3))
    quality[120:, 0] = 1
    quality[100:120, 2] = 1
    better = quality[:, 0].copy()
    better[:30] = 1
    wide = WideBeam(50, np.where(np.arange(N) < 50, -1.0, -2.5), np.full(N, 5), better)
    found = blame("a", 5, searched(quality=quality, wide=wide))
    assert found.wide is not None
    assert found.wide.better.value == 0.25
    assert found.wide.search is not None
    assert found.wide.search.value == pytest.approx(40 / 120)
    assert found.wide.gain is not None
    assert found.wide.gain.value == pytest.approx(0.15)
    assert found.oracle is not None
    assert (found.oracle.value, found.n_best) == (pytest.approx(0.1), 3)
    decisions = {item.action: item.decision for item in found.work}
    assert decisions["search with a beam of 50"] == "promising"
    assert decisions["choose better among the 3 best outputs"] == "at most"
    worse = blame("a", 5, searched(quality=quality, wide=WideBeam(50, wide.found, wide.length, 0 * better)))
    assert {item.action: item.decision for item in worse.work}["search with a beam of 50"] == "no"


def test_quality_that_is_no_rate_keeps_its_unit():
    quality = np.random.default_rng(1).random((N, 2)) * 100
    found = blame("a", 5, searched(quality=quality, unit="chrF2", coverage=np.linspace(0.5, 1, N)))
    assert found.oracle is not None
    assert found.oracle.value == pytest.approx((quality.max(1) - quality[:, 0]).mean())
    assert found.oracle.unit == "chrF2"
    assert found.buckets[0].quality is not None
    assert found.buckets[0].quality.unit == "chrF2"
    assert found.covered_right is not None
    assert found.covered_wrong is not None
    assert found.covered_right.unit == "rate"
    assert found.covered_wrong.value == pytest.approx(np.linspace(0.5, 1, N)[:120].mean())


def test_groups_widen_the_interval():
    alone = blame("a", 5, searched())
    together = blame("a", 5, searched(groups=np.arange(N) // 30))
    assert alone.search is not None
    assert together.search is not None
    assert together.search.high - together.search.low > alone.search.high - alone.search.low


def test_nothing_wrong_and_nothing_at_all():
    found = blame("a", 5, searched(right=np.ones(N, bool)))
    assert found.search is None
    assert found.sentence == "none of 200 outputs is wrong"
    assert not found.work
    empty = np.zeros(0)
    assert blame("a", 5, Searched(empty, empty, empty.astype(bool), empty, empty)).buckets == ()


def test_it_is_a_document():
    quality = np.zeros((N, 2))
    found = blame("a", 5, searched(quality=quality, wide=WideBeam(50, np.full(N, -1.5), np.full(N, 5), quality[:, 0])))
    document = json.loads(json.dumps(found.to_dict(), default=float))
    assert document["search"]["value"] == 0.75
    assert document["sentence"] == found.sentence
    assert [item["source"] for item in document["work"]] == ["blame"] * len(found.work)
    assert len(document["buckets"]) == 4


def test_the_screen_and_the_report_tell_all_that_was_measured(tmp_path):
    quality, reference = np.linspace(0, 1, 2 * N).reshape(N, 2), np.where(np.arange(N) < 90, -1.0, -3.0)
    reference[:7] = -np.inf
    found = blame("a", 5, searched(
        reference=reference, quality=quality, coverage=np.linspace(0.5, 1, N),
        found_length=np.full(N, 3), wide=WideBeam(50, np.full(N, -1.5), np.full(N, 3), quality[:, 1])))
    assert Blame.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    assert "(7 where the search could not give the reference)" in found.sentence
    titles = [title for title, _ in found.beside()]
    assert "the search's share, judged by a beam of 50 as well" in titles
    assert len(titles) == 7
    run = Run(tmp_path)
    run.write_evidence("blame", found.to_dict())
    page, view = Page("report"), cast(View, SimpleNamespace(evidence=run.evidence()))
    inquiries.blame(page, view)
    report = unescape(page.render())
    for told in (found.sentence, *titles, *found.cells()[0]):
        assert told in str(found)
        assert told[1:] in report
    assert found.wide is not None
    assert str(found.wide.search) in str(found)


def test_what_cannot_be_judged():
    with pytest.raises(DataError, match="199 numbers for 200"):
        searched(found=np.zeros(199))
    with pytest.raises(DataError, match=r"reference\[3\]"):
        searched(reference=np.where(np.arange(N) == 3, np.nan, -1.0))
    with pytest.raises(DataError, match=r"wide.length"):
        searched(wide=WideBeam(50, np.zeros(N), np.zeros(3)))


def test_a_search_that_is_known_to_have_missed_the_best():
    """References are what an exhaustive search finds: what greedy search finds instead is its own fault alone."""
    generator = torch.Generator().manual_seed(3)
    logs = torch.randn(N, 5, 5, generator=generator).mul(2).log_softmax(2)

    def step(tokens, own):
        return logs[own, tokens], own

    start, begin = torch.arange(N), torch.full((N,), 2)
    best, greedy = (search(step, start, begin, 3, 5, BeamSpec(width, exponent=0.7)) for width in (400, 1))
    right = torch.tensor([torch.equal(one[0][:longest], other[0][:longest]) for one, other, longest in
                          zip(best.ids, greedy.ids, torch.maximum(best.lengths[:, 0], greedy.lengths[:, 0]))])
    found = blame("a", 1, Searched(
        best.scores[:, 0].numpy(), greedy.scores[:, 0].numpy(), right.numpy(), best.lengths[:, 0].numpy(),
        greedy.lengths[:, 0].numpy(), wide=WideBeam(400, best.scores[:, 0].numpy(), best.lengths[:, 0].numpy())))
    assert found.mistakes > 20
    assert found.search is not None
    assert found.search.value == 1
    assert found.wide is not None
    assert found.wide.search is not None
    assert found.wide.search.value == 0
    assert found.wide.better.value == pytest.approx(found.mistakes / N)
