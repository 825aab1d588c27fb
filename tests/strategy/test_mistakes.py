"""Eyeball and Blackbox, tags and their ceilings, slices: against closed forms, SciPy and simulated truth."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats as scipy_stats
from statsmodels.stats.proportion import confint_proportions_2indep

from orthogon.data.columns import CategoryColumn, DateColumn, ImageColumn, NumberColumn, TextColumn
from orthogon.data.dataset import Dataset
from orthogon.errors import DataError
from orthogon.strategy.eyeball import FILE, Eyeball, draw_eyeball, eyeball, mistakes, positions, retire, share_seen
from orthogon.strategy.facets import Facet, facets
from orthogon.strategy.mistakes import tag_mistakes
from orthogon.strategy.slices import Slices, candidates, find_slices, p_values
from orthogon.train.recipe import Recipe
from orthogon.train.rows import Rows
from orthogon.train.run import Run


def a_run(tmp_path: Path, name: str = "a", dev: str = "dev-hash") -> Run:
    run = Run.create(Recipe(), tmp_path / "runs", name)
    run.write_json("passport.json", {"hashes": {"dev": dev}})
    return run


def dev_rows(wrong: np.ndarray, **more) -> Rows:
    n = len(wrong)
    values = {"target": np.zeros(n, np.int64), "prediction": wrong.astype(np.int64),
              "loss": wrong.astype(np.float64), "score": 1.0 - wrong}
    return Rows("dev", np.array([f"id{k}" for k in range(n)]), values, ("cat", "dog"), **more)


def with_mistakes(count: int, n: int) -> Rows:
    return dev_rows(np.arange(n) < count)


ALL = np.ones


# --- Eyeball and Blackbox ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("wrong", "n", "share"), [(39, 4000, 1.0), (40, 4000, 0.5), (200, 4000, 0.5),
                                                   (400, 4000, 0.25), (0, 50, 1.0)])
def test_the_eyeball_holds_about_a_hundred_mistakes_and_at_most_half_of_dev(tmp_path, wrong, n, share):
    seen = eyeball(a_run(tmp_path), with_mistakes(wrong, n))
    assert seen.share == share
    spread = 4 * np.sqrt(n * share * (1 - share))
    assert abs(seen.inside.sum() - share * n) <= spread
    assert (seen.outside == ~seen.inside).all()


def test_it_is_the_same_for_every_run_on_this_dev_set_however_good(tmp_path):
    first, second, other = a_run(tmp_path), a_run(tmp_path, "b"), a_run(tmp_path, "c", "another")
    drawn = draw_eyeball(first, with_mistakes(400, 4000))
    assert drawn.drawn_for == "a"
    better = draw_eyeball(second, with_mistakes(10, 4000))
    assert (better.inside == drawn.inside).all()
    assert better.drawn_for == "a"
    assert draw_eyeball(other, with_mistakes(10, 4000)).share == 1.0
    assert share_seen(second) == 0.25
    assert share_seen(a_run(tmp_path, "d", "unseen")) == 0.0


def test_an_example_belongs_to_it_by_its_id_alone_and_a_group_stays_whole(tmp_path):
    run, rows = a_run(tmp_path), with_mistakes(400, 4000)
    seen = draw_eyeball(run, rows)
    order = np.random.default_rng(0).permutation(4000)[:1000]
    assert (eyeball(run, rows.take(order)).inside == seen.inside[order]).all()
    grouped = replace(rows, group=np.array([f"g{k // 8}" for k in range(4000)]))
    inside = eyeball(run, grouped).inside.reshape(-1, 8)
    assert (inside == inside[:, :1]).all()
    assert 80 < inside[:, 0].sum() < 170


def test_positions_are_uniform():
    names = np.array([f"picture/{k}.png" for k in range(5000)])
    assert scipy_stats.kstest(positions(names), "uniform").pvalue > 0.01
    assert positions(names[:1])[0] == positions(np.array(["x", names[0]]))[1]


def test_what_was_looked_at_is_never_unseen_again(tmp_path):
    run, rows = a_run(tmp_path), with_mistakes(400, 4000)
    small = draw_eyeball(run, rows)
    wide = draw_eyeball(run, rows, 0.4)
    assert (wide.inside[small.inside]).all()
    assert wide.inside.sum() > small.inside.sum()
    assert draw_eyeball(run, rows).share == 0.4
    with pytest.raises(DataError, match="40% of dev was looked at"):
        draw_eyeball(run, rows, 0.3)
    for share in (0.0, 1.2, -1):
        with pytest.raises(DataError, match="between 0 and 1"):
            draw_eyeball(run, rows, share)
    lines = (tmp_path / "runs" / FILE).read_text().splitlines()
    assert [json.loads(line)["share"] for line in lines] == [0.25, 0.4]


def test_half_a_line_of_a_killed_process_is_passed_over(tmp_path):
    run, rows = a_run(tmp_path), with_mistakes(400, 4000)
    (tmp_path / "runs" / FILE).write_text('{"dev": "dev-h')
    assert draw_eyeball(run, rows).share == 0.25
    assert eyeball(run, with_mistakes(1, 4000)).share == 0.25


def test_other_parts_than_dev_may_all_be_seen(tmp_path):
    rows = replace(with_mistakes(400, 4000), split="train")
    assert draw_eyeball(a_run(tmp_path), rows).inside.all()
    assert not (tmp_path / "runs" / FILE).exists()


def test_numbers_have_the_tenth_that_is_furthest_off_as_mistakes():
    rows = Rows("dev", np.arange(100).astype(str), {"target": np.zeros(100), "prediction": np.zeros(100),
                                                    "loss": np.arange(100.0)})
    assert np.flatnonzero(mistakes(rows)).tolist() == list(range(90, 100))
    half_right = Rows("dev", np.array(["a", "b"]), {"score": np.array([1.0, 0.5])})
    assert mistakes(half_right).tolist() == [False, True]


def test_an_eyeball_that_became_easier_than_the_blackbox_is_retired(tmp_path):
    run = a_run(tmp_path, "later")
    inside = np.arange(1000) < 500
    wrong = np.r_[np.arange(500) < 20, np.arange(500) < 60]
    told = retire(dev_rows(wrong), Eyeball(0.5, inside, "first"), run)
    low, high = confint_proportions_2indep(60, 500, 20, 500, method="newcomb")
    assert f"its error is 8.0 [{100 * low:.1f}, {100 * high:.1f}] points below the Blackbox's" in told
    assert retire(dev_rows(wrong), Eyeball(0.5, inside, "later"), run) == "", "it was drawn for this very run"
    assert retire(dev_rows(wrong), Eyeball(0.5, ~inside, "first"), run) == "", "harder is no wear"
    level = np.r_[np.arange(500) < 40, np.arange(500) < 50]
    assert retire(dev_rows(level), Eyeball(0.5, inside, "first"), run) == ""
    assert retire(dev_rows(wrong), Eyeball(1.0, ALL(1000, bool), "first"), run) == ""


# --- tags ----------------------------------------------------------------------------------------------------


def tagged(tmp_path, answers, wrong=24, n=225, inside=None, run=None):
    rows = with_mistakes(wrong, n)
    seen = Eyeball(1.0, ALL(n, bool) if inside is None else inside, "a")
    return tag_mistakes(run or a_run(tmp_path), rows, seen, answers)


def test_shares_and_ceilings_with_their_intervals(tmp_path):
    """Nine of 24 examined mistakes of 225 examples: mending them buys at most 9 / 225, as if counted directly."""
    answers = {f"id{k}": (("dog",) if k < 9 else ("none",)) for k in range(24)}
    found = tagged(tmp_path, answers)
    assert [(tag.name, tag.count) for tag in found.tags] == [("dog", 9)]
    tag = found.tags[0]
    assert tag.share.value == pytest.approx(9 / 24)
    low, high = scipy_stats.binomtest(9, 24).proportion_ci(method="wilson")
    assert (tag.share.low, tag.share.high) == pytest.approx((low, high))
    assert tag.ceiling.value == pytest.approx(9 / 225)
    direct = scipy_stats.beta(9.5, 216.5).ppf([0.025, 0.975])
    assert (tag.ceiling.low, tag.ceiling.high) == pytest.approx(direct, abs=0.004)
    assert tag.ceiling.low == pytest.approx(0.0195, abs=0.003)
    assert tag.ceiling.high == pytest.approx(0.073, abs=0.004)


def test_fewer_examined_mistakes_widen_the_ceiling(tmp_path):
    few = tagged(tmp_path, {f"id{k}": (("dog",) if k < 3 else ("none",)) for k in range(8)}).tags[0].ceiling
    assert few.value == pytest.approx(3 / 8 * 24 / 225)
    assert few.high - few.low > 0.06


def test_one_mistake_may_carry_several_tags_and_only_looked_at_ones_count(tmp_path):
    run = a_run(tmp_path)
    answers = {"id0": ("dog", "blurred"), "id1": ("dog",), "id2": ("none",), "id3": (), "id4": ("wrong label",),
               "id5": ("cannot tell",)}
    found = tagged(tmp_path, answers, run=run)
    assert found.examined == 5
    assert {tag.name: tag.count for tag in found.tags} == {"dog": 2, "blurred": 1, "wrong label": 1, "cannot tell": 1}
    assert found.tags[0].name == "dog"
    work = {item.action: item for item in found.work}
    assert set(work) == {"mend “dog”", "mend “blurred”", "correct the wrong labels of dev and test"}
    assert {item.decision for item in found.work} == {"at most"}
    label = work["correct the wrong labels of dev and test"]
    assert label.problem == "labels", "a wrong label is one more category (row 14.19)"
    assert label.cost == "about 5 labels in dev"
    assert label.gain.value == pytest.approx(1 / 5 * 24 / 225)
    assert "2 of 5" in str(found)


def test_ids_that_may_not_be_looked_at_are_named_and_the_rest_is_counted(tmp_path):
    inside = np.arange(225) != 1
    answers = {"id0": ("dog",), "id1": ("dog",), "nowhere": ("dog",), "id200": ("dog",)}
    found = tagged(tmp_path, answers, inside=inside)
    assert found.examined == 1
    assert found.errors == ("2 left out, not among the examples that may be looked at in this run: 'id1', 'nowhere'; "
                            "1 counted",)
    assert found.notes == ("1 left out, right in this run: 'id200'; 1 counted",)
    assert "error    2 left out" in str(found)
    with pytest.raises(DataError, match="'nowhere'"):
        tagged(tmp_path, {"nowhere": ("dog",)}, run=a_run(tmp_path, "b"))
    with pytest.raises(DataError, match="no mistake was looked at"):
        tagged(tmp_path, {"id0": ()}, run=a_run(tmp_path, "c"))


@pytest.mark.parametrize(("count", "words"), [(9, "too few"), (10, "very rough"), (19, "very rough"), (20, "rough"),
                                              (49, "rough"), (50, "good"), (99, "good"), (100, "very good")])
def test_how_many_examined_mistakes_say_how_much(tmp_path, count, words):
    found = tagged(tmp_path, {f"id{k}": ("x",) for k in range(count)}, wrong=150)
    assert found.reliability.startswith(words + (":" if words != "too few" else ""))


@pytest.mark.parametrize(("examined", "interval"), [(10, (11, 60)), (20, (15, 52)), (50, (19, 44)), (100, (22, 40))])
def test_a_category_of_thirty_percent_by_the_number_examined(tmp_path, examined, interval):
    """The published sizes: 30 % of 10, 20, 50 and 100 examined mistakes."""
    answers = {f"id{k}": (("dog",) if k < 0.3 * examined else ("none",)) for k in range(examined)}
    share = tagged(tmp_path, answers, wrong=150).tags[0].share
    assert (round(100 * share.low), round(100 * share.high)) == interval


def test_both_sides_of_dev_are_scored_and_plain_values_come_out(tmp_path):
    inside = np.arange(225) < 20
    found = tagged(tmp_path, {"id0": ("dog",)}, inside=inside)
    assert found.eyeball_error.value == 1.0
    assert found.blackbox_error.value == pytest.approx(4 / 205)
    assert found.mistakes == 20
    document = json.loads(json.dumps(found.to_dict()))
    assert document["work"][0]["gain"]["unit"] == "rate"
    assert document["tags"][0]["name"] == "dog"


# --- facets --------------------------------------------------------------------------------------------------


def test_facets_say_what_columns_sizes_and_groups_are_like():
    pixels = np.stack([np.full((1, 2, 2), 10, np.uint8), np.array([[[0, 255], [0, 255]]], np.uint8)])
    dates = np.array(["2020-01-01", "NaT"], dtype="datetime64[us]")
    data = Dataset("d", {
        "picture": ImageColumn(pixels), "kind": CategoryColumn(np.array([1, -1]), ("a", "b")),
        "said": TextColumn(["hello", None]), "day": DateColumn(dates), "age": NumberColumn(np.array([3.0, np.nan])),
        "block": NumberColumn(np.zeros((2, 4))), "label": CategoryColumn(np.array([0, 1]), ("no", "yes")),
    }, "label", np.array(["x", "y"]), group=np.array(["g", "g"]), source=np.array(["phone", "scan"]))
    found = {facet.name: facet for facet in facets(data, np.array([1, 0]))}
    assert set(found) == {"label", "brightness of picture", "contrast of picture", "kind", "letters in said", "day",
                          "age", "source", "examples in its group"}
    assert found["brightness of picture"].values.tolist() == [127.5, 10.0]
    assert found["contrast of picture"].values.tolist() == [127.5, 0.0]
    assert found["label"].levels == ("no", "yes")
    assert found["kind"].values.tolist() == [-1, 1]
    assert np.isnan(found["letters in said"].values[0])
    assert found["letters in said"].values[1] == 5
    assert found["day"].values[1] == 18262
    assert found["source"].levels == ("phone", "scan")
    assert found["source"].values.tolist() == [1, 0]
    assert found["examples in its group"].values.tolist() == [2.0, 2.0]


# --- slices --------------------------------------------------------------------------------------------------


def world(n=4000, seed=0, planted=0.35):
    """A level "dark" on which the model errs more, a number that matters in its lowest quarter, and noise."""
    random = np.random.default_rng(seed)
    level, number = random.integers(0, 8, n), random.uniform(0, 1, n)
    noise = [Facet(f"noise {k}", random.integers(0, 5, n), tuple("abcde")) for k in range(10)]
    chance = np.where(level == 2, planted, 0.1)
    wrong = random.uniform(size=n) < chance
    names = ("a", "b", "dark", "d", "e", "f", "g", "h")
    return dev_rows(wrong), (Facet("light", level, names), Facet("size", number), *noise)


def halves(rows: Rows) -> Eyeball:
    return Eyeball(0.5, positions(rows.ids) < 0.5, "a")


def test_a_planted_slice_is_proposed_and_confirmed_on_what_nobody_saw():
    rows, known = world()
    seen = halves(rows)
    found = find_slices("a", rows, seen, known)
    assert found.tried == 8 + 2 + 50
    confirmed = [one for one in found.slices if one.state == "confirmed"]
    assert [one.name for one in confirmed] == ["light = dark"]
    dark = np.asarray(known[0].values == 2)
    only = confirmed[0]
    assert only.blackbox.value == pytest.approx(mistakes(rows)[dark & seen.outside].mean())
    assert only.blackbox.n == (dark & seen.outside).sum()
    assert only.eyeball.value == pytest.approx(mistakes(rows)[dark & seen.inside].mean())
    assert only.elsewhere.value == pytest.approx(mistakes(rows)[~dark & seen.outside].mean())
    share = dark[seen.outside].mean()
    assert only.ceiling.value == pytest.approx(share * (only.blackbox.value - only.elsewhere.value))
    assert 0 < only.ceiling.low < only.ceiling.value < only.ceiling.high < 0.06
    assert [item.action for item in found.work] == ["make light = dark as good as the rest"]
    assert "60 slices tried" in str(found)


def test_without_a_planted_slice_nothing_is_confirmed_in_nineteen_of_twenty_worlds():
    false = 0
    for seed in range(40):
        rows, known = world(1000, seed, planted=0.1)
        found = find_slices("a", rows, halves(rows), known)
        false += any(one.state == "confirmed" for one in found.slices)
    assert false <= 2


def test_without_a_blackbox_slices_stay_proposals_and_are_no_work():
    rows, known = world()
    found = find_slices("a", rows, Eyeball(1.0, ALL(len(rows), bool), "a"), known)
    assert {one.state for one in found.slices} == {"proposed"}
    assert found.slices[0].name == "light = dark"
    assert found.slices[0].blackbox is None
    assert found.work == ()
    assert "–" in str(found)


def test_p_values_are_fishers():
    random = np.random.default_rng(1)
    wrong, masks = random.uniform(size=200) < 0.2, random.uniform(size=(5, 200)) < 0.3
    for mask, p in zip(masks, p_values(wrong, masks)):
        table = [[(wrong & mask).sum(), (~wrong & mask).sum()], [(wrong & ~mask).sum(), (~wrong & ~mask).sum()]]
        assert p == pytest.approx(scipy_stats.fisher_exact(table, alternative="greater").pvalue, rel=1e-9)
    assert p_values(wrong, np.zeros((1, 200), bool)).tolist() == [1.0]


def test_with_groups_repeated_examples_are_no_more_evidence():
    """Each example repeated ten times as one group: about the p-value of the single ones, not one of ten times n."""
    random = np.random.default_rng(2)
    wrong, mask = random.uniform(size=300) < 0.2, random.uniform(size=300) < 0.4
    wrong[mask] |= random.uniform(size=mask.sum()) < 0.1
    single = p_values(wrong, mask[None])[0]
    groups = np.repeat(np.arange(300), 10)
    tenfold = np.repeat(wrong, 10), np.repeat(mask, 10)[None]
    assert p_values(*tenfold)[0] < single / 50
    k = [wrong[mask].mean(), wrong[~mask].mean()]
    spread = np.sqrt(k[0] * (1 - k[0]) / mask.sum() + k[1] * (1 - k[1]) / (~mask).sum())
    assert p_values(*tenfold, groups)[0] == pytest.approx(scipy_stats.norm.sf((k[0] - k[1]) / spread), rel=1e-6)
    assert p_values(np.zeros(6, bool), np.array([[1, 1, 1, 0, 0, 0]], bool), np.arange(6))[0] == 0.5
    assert p_values(np.ones(4, bool), np.zeros((1, 4), bool), np.arange(4)).tolist() == [1.0]


def test_numbers_are_cut_at_the_quarters_of_the_eyeball_and_small_slices_left_out():
    values = np.r_[np.arange(100.0), np.full(20, np.nan), np.full(40, 1000.0)]
    inside = np.arange(160) < 120
    names, masks = candidates((Facet("age", values), Facet("few", np.zeros(160), ("a",))), inside)
    assert names == ["age missing", "age up to 24.75", "age from 74.25"]
    assert masks.sum(axis=1).tolist() == [20, 25, 25 + 40]
    level = Facet("kind", np.r_[np.zeros(9), np.full(11, -1), np.ones(140)].astype(int), ("rare", "common"))
    assert candidates((level,), inside)[0] == ["kind = common", "kind missing"]
    assert candidates((Facet("flat", np.ones(160)),), inside)[0] == []


def test_of_two_names_for_the_same_examples_one_is_proposed():
    rows, known = world()
    twin = Facet("dusk", (known[0].values == 2).astype(int), ("no", "yes"))
    found = find_slices("a", rows, halves(rows), (*known, twin))
    assert len([one for one in found.slices if one.state == "confirmed"]) == 1


def test_slices_come_back_from_json():
    rows, known = world()
    found = find_slices("a", rows, halves(rows), known)
    assert Slices.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    empty = find_slices("a", rows, halves(rows), ())
    assert Slices.from_dict(empty.to_dict()) == empty
    assert "none with more mistakes" in str(empty)
