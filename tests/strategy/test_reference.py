"""How well people do it, and goals: what is taken, and what each wrong input is told."""

from __future__ import annotations

import pytest

from orthogon.errors import RecipeError
from orthogon.strategy.levels import Level, as_error
from orthogon.strategy.reference import Reference, name_in, parse_reference
from orthogon.tasks.metrics import classification_metrics
from orthogon.tasks.regression_metrics import regression_metrics

METRICS = {metric.name: metric for metric in (*classification_metrics(None), *regression_metrics())}
ACCURACY, RMSE = METRICS["accuracy"], METRICS["rmse"]


def test_k_of_n_counts_wrong_answers_and_has_wilsons_interval():
    """Worked numbers: 2 of 100 wrong is 2 % [0.6, 7.0]; 6 of 300 [0.9, 4.3]; 20 of 1,000 [1.3, 3.1]."""
    for wrong, n, low, high in ((2, 100, 0.6, 7.0), (6, 300, 0.9, 4.3), (20, 1000, 1.3, 3.1)):
        found = parse_reference("human", f" {wrong} / {n}", ACCURACY).estimate("rate")
        assert (found.value, found.n) == (0.02, n)
        assert (round(100 * found.low, 1), round(100 * found.high, 1)) == (low, high)
    assert str(parse_reference("human", "6/300", ACCURACY)) == "6 wrong of 300"


@pytest.mark.parametrize(("text", "metric", "error"), [
    ("accuracy=0.98", "accuracy", 0.02), ("error=0.02", "accuracy", 0.02), ("accuracy = 0.98", "error", 0.02),
    ("macro_f1=0.9", "macro_f1", 0.1), ("rmse=2.5", "rmse", 2.5), ("r2=0.75", "r2", 0.25),
    ("accuracy=1", "accuracy", 0),
])
def test_a_value_becomes_an_error_and_is_taken_as_exact(text, metric, error):
    found = parse_reference("human", text, METRICS[metric])
    assert found.error == pytest.approx(error)
    assert (found.n, str(found)) == (None, "taken as exact")
    level = found.level("rate", 0)
    assert level.exact
    assert set(level.draws.tolist()) == {found.error}


def test_a_measured_level_has_jeffreys_draws():
    draws = parse_reference("human", "6/300", ACCURACY).level("rate", 3).draws
    assert draws.mean() == pytest.approx(6.5 / 301, rel=0.02)
    assert draws.std() == pytest.approx((6.5 * 294.5 / (301**2 * 302)) ** 0.5, rel=0.03)


@pytest.mark.parametrize(("kind", "text", "metric", "says"), [
    ("human", "0.98", "accuracy", "nor on how many examples it was measured"),
    ("goal", "0.98", "accuracy", "Give METRIC=VALUE"),
    ("human", "accuracy=98", "accuracy", "between 0 and 1, not at 98.*accuracy=0.98 for 98 %"),
    ("human", "error=1.2", "accuracy", "between 0 and 1"),
    ("human", "accuracy=-0.1", "accuracy", "between 0 and 1"),
    ("human", "macro_f1=1.2", "macro_f1", "between 0 and 1"),
    ("human", "rmse=-1", "rmse", "not below 0"),
    ("human", "accuracy=good", "accuracy", "'good' is not a number"),
    ("human", "accuracy=nan", "accuracy", "not a number"),
    ("human", "0/0", "accuracy", "no examples"),
    ("human", "7/6", "accuracy", "7 wrong of 6"),
    ("human", "98/100", "accuracy", "more than half.*2/100, if 98 were right"),
    ("human", "6/300", "rmse", "judged by rmse"),
    ("goal", "6/300", "accuracy", "a goal is a value"),
    ("human", "acuracy=0.9", "accuracy", "Did you mean 'accuracy'"),
    ("human", "f1=0.9", "rmse", "judged by, which is rmse"),
])
def test_each_wrong_level_is_told_what_is_wrong(kind, text, metric, says):
    with pytest.raises(RecipeError, match=f"(?s){says}"):
        parse_reference(kind, text, METRICS[metric])


def test_which_metric_a_level_speaks_of():
    assert [name_in(text) for text in ("macro_f1 = 0.9", "6/300", None, "0.98")] == ["macro_f1", None, None, None]


def test_a_metric_of_which_more_is_better_is_turned_with_its_interval():
    from orthogon.stats import Estimate

    turned = as_error(Estimate(0.9, 0.8, 0.95, 50, "BCa", "rate"), METRICS["macro_f1"])
    assert (turned.value, turned.low, turned.high) == (pytest.approx(0.1), pytest.approx(0.05), pytest.approx(0.2))
    same = Estimate(3.0, 2.0, 5.0, 50)
    assert as_error(same, RMSE) is same


def test_a_metric_whose_best_is_not_1_is_turned_by_its_own_best():
    from orthogon.stats import Estimate
    from orthogon.text.translation_metrics import translation_metrics

    bleu = translation_metrics(exact_first=False)[0]
    turned = as_error(Estimate(34.0, 30.0, 40.0, 50, "BCa", "BLEU"), bleu)
    assert (turned.value, turned.low, turned.high) == (66.0, 60.0, 70.0)
    assert parse_reference("goal", "bleu=40", bleu).error == 60.0
    with pytest.raises(RecipeError, match="between 0 and 100"):
        parse_reference("goal", "bleu=101", bleu)


def test_a_metric_without_a_best_value_is_turned_by_its_sign():
    from orthogon.stats import Estimate
    from orthogon.tasks.reconstruct_metrics import reconstruction_metrics

    psnr = next(metric for metric in reconstruction_metrics(False, True, False, 64) if metric.name == "psnr")
    turned = as_error(Estimate(24.0, 23.0, 25.5, 50, "BCa", "dB"), psnr)
    assert (turned.value, turned.low, turned.high) == (-24.0, -25.5, -23.0)
    assert parse_reference("goal", "psnr=30", psnr).error == -30.0
    gain = next(metric for metric in reconstruction_metrics(False, True, True, 64) if metric.name == "psnr_gain")
    assert parse_reference("goal", "psnr_gain=-1", gain).error == 1.0


def test_a_log_likelihood_is_0_at_best_and_a_free_energy_has_no_best():
    from orthogon.tasks.boltzmann import boltzmann_metrics

    metrics = {metric.name: metric for metric in boltzmann_metrics()}
    assert parse_reference("goal", "log_likelihood=-80", metrics["log_likelihood"]).error == 80.0
    with pytest.raises(RecipeError, match="log_likelihood is not above 0, as is 3") as raised:
        parse_reference("goal", "log_likelihood=3", metrics["log_likelihood"])
    assert raised.value.remedy == "Give it in its own unit."
    assert parse_reference("goal", "free_energy=-80", metrics["free_energy"]).error == -80.0
    with pytest.raises(RecipeError, match="squared_error is not below 0, as is -1"):
        parse_reference("goal", "squared_error=-1", metrics["squared_error"])


def test_an_error_stands_for_its_accuracy_whichever_judges():
    assert parse_reference("goal", "accuracy=0.95", METRICS["error"]).error == pytest.approx(0.05)
    assert parse_reference("goal", "error=0.05", METRICS["accuracy"]).error == pytest.approx(0.05)


def test_a_goal_says_that_it_is_one():
    assert Reference("goal", 0.05).to_dict() == {"kind": "goal", "error": 0.05, "wrong": None, "n": None,
                                                 "says": "taken as exact"}
    assert Level.of_counts(5, 100, 0).estimate.value == 0.05
