"""Runs beside each other: the arithmetic of `compare`, and its words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest
from statsmodels.stats.multitest import multipletests

from orthogon.errors import DataError
from orthogon.stats import Estimate, compare_paired, compare_roc_auc, tango
from orthogon.strategy.comparison import Contender, compare_contenders, follows, judge_promise
from orthogon.strategy.comparison_words import number, sentence, told
from orthogon.strategy.paired import compare_rows
from orthogon.tasks.metrics import classification_metrics
from orthogon.tasks.regression_metrics import regression_metrics
from orthogon.train.rows import Rows

ACCURACY, RMSE = classification_metrics(None)[0], regression_metrics()[0]


def rows_of(right, ids=None, group=None):
    """Rows of a model that has those examples right, of two classes."""
    right = np.asarray(right, dtype=np.int64)
    target = np.arange(len(right)) % 2
    ids = np.array([f"e{k:04d}" for k in range(len(right))]) if ids is None else ids
    values = {"target": target, "prediction": np.where(right == 1, target, 1 - target), "loss": 1.0 - right,
              "score": right.astype(np.float32)}
    return Rows("dev", ids, values, ("no", "yes"), group)


def contender(name, *right, **about):
    return Contender(name, tuple(rows_of(each) for each in right), **about)


def with_wrong(n, wrong):
    right = np.ones(n)
    right[list(wrong)] = 0
    return right


def compared(*contenders, metric=ACCURACY):
    return compare_contenders("dev", metric, contenders)


# 359 examples, 70 wrong before, 9 wrong after: 63 put right, 2 broken.
BEFORE, AFTER = with_wrong(359, range(70)), with_wrong(359, [*range(7), 200, 201])


def test_two_runs_are_one_sentence():
    found = compared(contender("a", BEFORE), contender("b", AFTER))
    low, high = tango(63, 2, 359)
    assert sentence(found) == (
        f"dev 19.5 -> 2.5   better by 17.0 [{100 * low:.1f}, {100 * high:.1f}] points (63 put right, 2 broken)")
    (line,) = found.others
    assert (line.put_right, line.broken, line.standing) == (63, 2, "better")
    assert line.p_value == pytest.approx(binomtest(2, 65).pvalue)
    assert str(found).startswith("dev 19.5 -> 2.5   better by 17.0 [")
    assert found.to_dict()["lines"][1]["gain"]["value"] == pytest.approx(61 / 359)


def test_the_other_way_round_it_is_worse_by_as_much():
    found = compared(contender("b", AFTER), contender("a", BEFORE))
    low, high = tango(63, 2, 359)
    assert f"worse by 17.0 [{100 * low:.1f}, {100 * high:.1f}] points (2 put right, 63 broken)" in sentence(found)
    assert found.others[0].gain.value == pytest.approx(-61 / 359)


def test_a_tie_is_told_with_its_sign():
    found = compared(contender("a", with_wrong(300, range(10))), contender("b", with_wrong(300, range(2, 11))))
    assert "tied: +0.3 [" in sentence(found)
    assert "(2 put right, 1 broken)" in sentence(found)


def test_promise_and_test_stand_in_the_sentence():
    from dataclasses import replace

    found = compared(contender("a", BEFORE), contender("b", AFTER))
    promised = replace(found, promise=judge_promise(0.114, found.others[0].gain), remark="test sealed")
    assert sentence(promised).endswith("(63 put right, 2 broken); promised at least 11.4: kept; test sealed")


@pytest.mark.parametrize(("low", "gain", "verdict"), [
    (0.10, (0.10, 0.02, 0.15), "kept"), (0.10, (0.09, 0.02, 0.15), "open"), (0.10, (0.05, 0.02, 0.09), "broken"),
    (0.10, (0.05, 0.02, 0.10), "open"), (0.10, (float("nan"),) * 3, "open"),
])
def test_a_promise_is_kept_broken_or_open(low, gain, verdict):
    assert judge_promise(low, Estimate(*gain, n=100, unit="rate")).verdict == verdict


def test_a_recipe_follows_changes_when_it_holds_them_all():
    recipe = {"train.l2": 0.01, "model.options": {"hidden": [64], "dropout": 0.2}, "train.augment": ["shift"]}
    assert follows({"train.l2": 0.01}, recipe)
    assert follows({"train.l2": 0.01, "model.options": {"hidden": [64]}}, recipe)
    assert follows({"train.augment": ["shift"]}, recipe)
    assert not follows({"train.l2": 0.01, "train.lr": 0.1}, recipe)
    assert not follows({"model.options": {"hidden": [32]}}, recipe)
    assert not follows({"model.options": {"width": 2}}, recipe)
    assert not follows({}, recipe)


def test_p_values_of_several_runs_are_adjusted_by_holm():
    rights = [with_wrong(300, range(k, 30)) for k in (4, 7, 8)]
    found = compared(contender("a", with_wrong(300, range(30))), *(contender(f"b{k}", r) for k, r in enumerate(rights)))
    raw = [compare_paired(with_wrong(300, range(30)), right).p_value for right in rights]
    expected = multipletests(raw, method="holm")[1]
    assert [line.p_value for line in found.others] == pytest.approx(list(expected))


def test_what_holm_leaves_open_is_tied_although_its_interval_is_not():
    base = with_wrong(300, range(30))
    six = with_wrong(300, range(6, 30))  # p = 0.031, adjusted 0.0625
    alone = compared(contender("a", base), contender("b", six))
    several = compared(contender("a", base), contender("b", six), contender("c", base))
    assert alone.others[0].standing == "better"
    assert several.others[0].gain.low > 0
    assert several.others[0].standing == "tied"


def test_baselines_stand_last_and_outside_the_family():
    base = with_wrong(300, range(30))
    found = compared(contender("a", base), contender("linear", with_wrong(300, range(60)), baseline=True),
                     contender("b", with_wrong(300, range(6, 30))))
    assert [line.name for line in found.lines] == ["a", "b", "linear"]
    assert found.others[0].p_value == pytest.approx(2 / 2**6)
    assert [line.standing for line in found.lines] == ["reference", "better", "worse"]


def test_sets_that_overlap_are_compared_on_what_all_have():
    ids = np.array([f"e{k:04d}" for k in range(100)])
    first = Contender("a", (rows_of(with_wrong(100, range(20)), ids),))
    order = np.random.default_rng(0).permutation(np.arange(10, 100))
    part = Contender("b", (rows_of(with_wrong(100, []), ids).take(order),))
    found = compared(first, part)
    assert (found.n, found.of) == (90, (100, 90))
    assert found.lines[0].estimate.value == pytest.approx(10 / 90)
    assert found.others[0].put_right == 10
    assert "90 examples that all have (of 100, 90)" in str(found)


def test_other_examples_or_labels_are_refused():
    ids = np.array([f"x{k}" for k in range(100)])
    with pytest.raises(DataError, match="a, b: the runs have no example in common"):
        compared(contender("a", np.ones(100)), Contender("b", (rows_of(np.ones(100), ids),)))
    other = rows_of(np.ones(100))
    turned = Rows("dev", other.ids, {**other.values, "target": 1 - other["target"]}, other.classes)
    with pytest.raises(DataError, match="a and b: the same ids have other targets"):
        compared(contender("a", np.ones(100)), Contender("b", (turned,)))


def test_seeds_are_one_line_with_their_range_and_examples_stay_the_unit():
    rng = np.random.default_rng(0)
    base = (rng.random(400) > 0.2).astype(float)
    seeds = [np.maximum(base, rng.random(400) > 0.6) for _ in range(3)]
    found = compared(contender("a", base), contender("b", *seeds))
    (line,) = found.others
    errors = [1 - seed.mean() for seed in seeds]
    assert line.seeds == 3
    assert line.spread == pytest.approx((min(errors), max(errors)))
    assert line.estimate.value == pytest.approx(np.mean(errors))
    assert line.gain.value == pytest.approx(np.mean([seed.mean() for seed in seeds]) - base.mean())
    assert line.gain.n == 400
    assert line.put_right is None
    assert f"3 seeds: {100 * min(errors):.1f} to {100 * max(errors):.1f}" in str(found)
    copies = compared(contender("a", base), contender("b", seeds[0], seeds[0])).others[0].gain
    single = compared(contender("a", base), contender("b", seeds[0])).others[0].gain
    # Twice the same model is no more evidence than once.
    assert copies.high - copies.low == pytest.approx(single.high - single.low, rel=0.15)


def numbers(prediction):
    target = np.linspace(-1, 1, 200)
    return Rows("dev", np.arange(200).astype(str), {"target": target, "prediction": prediction,
                                                    "loss": (prediction - target) ** 2})


def test_numbers_are_compared_by_rmse_and_less_is_better():
    rng = np.random.default_rng(0)
    target, noise = np.linspace(-1, 1, 200), rng.normal(size=200)
    found = compared(Contender("a", (numbers(target + noise),)), Contender("b", (numbers(target + noise / 2),)),
                     metric=RMSE)
    (line,) = found.others
    root = float(np.sqrt(np.mean(noise**2)))
    assert line.gain.value == pytest.approx(root / 2)
    assert line.gain.low < root / 2 < line.gain.high
    assert line.standing == "better"
    assert sentence(found).startswith(f"dev rmse {number(root, False)} -> {number(root / 2, False)}   better by ")
    assert "points" not in sentence(found)


def test_a_metric_that_is_no_mean_is_compared_by_bootstrap():
    macro_f1 = next(metric for metric in classification_metrics(None) if metric.name == "macro_f1")
    a, b = rows_of(BEFORE), rows_of(AFTER)
    found = compared(Contender("a", (a,)), Contender("b", (b,)), metric=macro_f1)
    assert found.others[0].gain.value == pytest.approx(macro_f1.value(b) - macro_f1.value(a))
    assert found.lines[0].estimate.value == pytest.approx(macro_f1.value(a))
    assert found.others[0].standing == "better"


def test_every_accuracy_is_told_as_its_error():
    found = compared(contender("a", BEFORE), contender("b", AFTER), metric=replace(ACCURACY, name="token_accuracy"))
    assert [line.estimate.value for line in found.lines] == pytest.approx([70 / 359, 9 / 359])
    assert "token error %" in str(found)
    assert sentence(found).startswith("dev 19.5 -> 2.5   better by 17.0")


def test_groups_are_the_unit_where_examples_come_in_groups():
    group = np.repeat(np.arange(40).astype(str), 9)[:359]
    alone = compared(Contender("a", (rows_of(BEFORE),)), Contender("b", (rows_of(AFTER),)))
    grouped = compared(Contender("a", (rows_of(BEFORE, group=group),)), Contender("b", (rows_of(AFTER, group=group),)))
    width = [found.others[0].gain.high - found.others[0].gain.low for found in (alone, grouped)]
    assert width[1] > 2 * width[0]
    assert grouped.others[0].gain.n == 40


def test_cost_stands_beside_and_empty_columns_are_left_out():
    found = compared(contender("a", BEFORE, seconds=1.25, parameters=58_634, multiply_adds=1_788_544),
                     contender("b", AFTER))
    assert "58.6 k" in str(found)
    assert "1.79 M" in str(found)
    assert "over seeds" not in str(found)
    assert "seconds" not in str(compared(contender("a", BEFORE), contender("b", AFTER)))
    assert "<table>" in found._repr_html_()
    assert told(found.lines[0]) == "reference"


@pytest.mark.parametrize(("value", "rate", "signed", "text"), [
    (0.1234, True, False, "12.3"), (-0.0001, True, True, "0.0"), (0.002, True, True, "+0.2"),
    (-0.002, True, True, "-0.2"), (1234.5, False, False, "1.23e+03"), (float("nan"), True, False, "–"),
])
def test_numbers_as_they_are_written(value, rate, signed, text):
    assert number(value, rate, signed) == text


def test_roc_auc_of_two_classes_is_compared_by_delong_whichever_class_is_positive():
    random = np.random.default_rng(0)
    target = random.integers(0, 2, 200)
    shares = [np.clip(0.5 + strength * (target - 0.5) + 0.3 * random.standard_normal(200), 0, 1)
              for strength in (0.2, 0.6)]
    runs = [Rows("dev", np.arange(200).astype(str), {
        "target": target, "prediction": (share > 0.5).astype(int), "loss": np.abs(share - target),
        "score": ((share > 0.5) == target).astype(float), "probabilities": np.column_stack([1 - share, share]),
    }, ("no", "yes"), None) for share in shares]
    expected = compare_roc_auc(*shares, target)
    for positive in (0, 1):
        metric = next(each for each in classification_metrics(positive) if each.name == "roc_auc")
        found = compare_rows(*runs, metric)
        assert found.paired == expected
        assert found.difference == pytest.approx(metric.value(runs[1]) - metric.value(runs[0]))
    grouped = [replace(rows, group=np.repeat(np.arange(40).astype(str), 5)) for rows in runs]
    assert "bootstrap over groups" in compare_rows(*grouped, metric).paired.method
