"""The ledger of dev, what is tied with the best, and how much too good the best of many is."""

from __future__ import annotations

import numpy as np
import pytest

from orthogon.stats import compare_paired, newcombe
from orthogon.strategy.dev_ledger import FILE_NAME, DevLedger, Trial, key_of, tied
from orthogon.strategy.overfitting import overfitting
from orthogon.train.rows import Rows


def rows_of(right, *, split="dev", group=None, order=None):
    right = np.asarray(right)
    n = len(right)
    values = {"target": np.arange(n) % 2, "prediction": np.where(right, np.arange(n) % 2, 1 - np.arange(n) % 2),
              "loss": 1.0 - right, "score": right.astype(np.float32)}
    rows = Rows(split, np.array([f"{split}{k:05d}" for k in range(n)]), values, ("no", "yes"), group)
    return rows if order is None else rows.take(order)


def trial_of(name, right, epochs=0):
    found = Trial.of(name, rows_of(right), epochs)
    assert found is not None
    return found


def equally_good(models, n, seed):
    """Bool (models, n): all 10 % wrong, latent correlation of the answers 0.8."""
    rng = np.random.default_rng(seed)
    latent = np.sqrt(0.8) * rng.normal(size=n) + np.sqrt(0.2) * rng.normal(size=(models, n))
    return latent > -1.2815515655446004


# --- the ledger ------------------------------------------------------------------------------------------------


def test_what_is_entered_is_read_again(tmp_path):
    right = np.array([1, 0, 1, 1, 0, 1, 1, 1, 0, 1, 1]) == 1
    DevLedger(tmp_path).record(trial_of("a-1", right, epochs=7))
    (found,) = DevLedger(tmp_path).trials()
    assert (found.run, found.n, found.epochs, found.right()) == ("a-1", 11, 7, 8)
    np.testing.assert_array_equal(np.unpackbits(found.bits, count=11), right)


def test_the_order_of_rows_plays_no_part_but_ids_and_targets_do():
    right = np.arange(50) % 3 > 0
    shuffled = Trial.of("b", rows_of(right, order=np.random.default_rng(0).permutation(50)))
    assert shuffled is not None
    assert shuffled.key == trial_of("a", right).key
    np.testing.assert_array_equal(shuffled.bits, trial_of("a", right).bits)
    rows = rows_of(right)
    assert key_of(rows.take(np.arange(49))) != key_of(rows)
    other = Rows("dev", rows.ids, {**rows.values, "target": np.roll(rows["target"], 1)}, rows.classes)
    assert key_of(other) != key_of(rows)
    renamed = Rows("dev", rows.ids, rows.values, ("nein", "ja"))
    assert key_of(renamed) != key_of(rows)


def test_the_same_model_twice_counts_once_and_another_of_the_same_name_does_not(tmp_path):
    ledger = DevLedger(tmp_path)
    for right in (np.ones(20) > 0, np.ones(20) > 0, np.arange(20) > 0):
        ledger.record(trial_of("a-1", right))
    assert len(ledger.trials()) == 2


def test_trials_are_those_of_one_dev_set(tmp_path):
    ledger = DevLedger(tmp_path)
    ledger.record(trial_of("a-1", np.ones(20) > 0))
    ledger.record(trial_of("b-1", np.ones(30) > 0))
    assert [each.run for each in ledger.trials(key_of(rows_of(np.ones(30) > 0)))] == ["b-1"]
    assert DevLedger(tmp_path / "none").trials() == []


def test_damaged_lines_cost_no_others(tmp_path):
    ledger = DevLedger(tmp_path)
    ledger.record(trial_of("a-1", np.ones(20) > 0))
    whole = (tmp_path / FILE_NAME).read_bytes()
    (tmp_path / FILE_NAME).write_bytes(whole + whole[:30] + b"\n[1]\n\xff\n" + whole.replace(b'"n": 20', b'"n": 99')
                                       + whole[:-9])
    ledger.record(trial_of("c-1", np.ones(20) > 0))
    assert [each.run for each in ledger.trials()] == ["a-1", "c-1"]


def test_numbers_and_shares_have_no_bitmap():
    rows = rows_of(np.ones(10) > 0)
    assert Trial.of("a", Rows("dev", rows.ids, {**rows.values, "score": np.full(10, 0.5)}, rows.classes)) is None
    without = {name: value for name, value in rows.values.items() if name != "score"}
    assert Trial.of("a", Rows("dev", rows.ids, without)) is None


@pytest.mark.parametrize("n", [40, 333])
def test_tied_is_what_the_paired_comparison_says(n):
    seen = set()
    for put_right in range(16):
        for broken in range(16):
            first, second = np.ones(n), np.ones(n)
            first[:put_right], second[put_right : put_right + broken] = 0, 0
            verdict = compare_paired(first, second).verdict
            assert tied(trial_of("a", first == 1), trial_of("b", second == 1)) == (verdict == "tied")
            seen.add(verdict)
    assert seen == {"tied", "better", "worse"}


# --- the forecast ----------------------------------------------------------------------------------------------


def test_one_model_was_not_chosen():
    found = overfitting("a-1", rows_of(np.arange(200) >= 20), [trial_of("a-1", np.arange(200) >= 20)])
    assert found is not None
    assert (found.models, found.optimism, found.alarm) == (1, None, False)
    assert found.naive.value == pytest.approx(0.1)
    assert "One model was measured on these 200 dev examples" in str(found)


def test_the_best_of_fifty_equals_on_500_examples_is_too_good_by_about_two_points():
    """Section 2.4 of the specification: K = 50, n = 500, correlation 0.8: 2.0 points."""
    optimism, off = [], []
    for seed in range(12):
        answers = equally_good(50, 500, seed)
        trials = [trial_of(f"a-{k}", right) for k, right in enumerate(answers)]
        found = overfitting("a-0", rows_of(answers[0]), trials)
        assert found is not None
        assert found.optimism is not None
        assert found.corrected is not None
        optimism.append(found.optimism.value)
        off.append(found.corrected.value - 0.1)
        assert found.chosen == f"a-{int(np.argmax(answers.sum(axis=1)))}"
        assert found.naive.value == pytest.approx(1 - answers.mean(axis=1).max())
        assert found.corrected.value - found.naive.value == pytest.approx(found.optimism.value)
    assert 0.015 < np.mean(optimism) < 0.025
    assert abs(np.mean(off)) < 0.01
    assert "Best of K = 50 on 500 dev examples: a-" in str(found)
    assert f"too good by about {100 * optimism[-1]:.1f} points" in str(found)


def test_the_alarm_is_given_only_above_the_tolerance():
    many = equally_good(200, 400, 0)
    loud = overfitting("a-0", rows_of(many[0]), [trial_of(f"a-{k}", right) for k, right in enumerate(many)])
    few = overfitting("a-0", rows_of(many[0]), [trial_of(f"a-{k}", right) for k, right in enumerate(many[:2])])
    assert loud is not None
    assert few is not None
    assert loud.optimism.low > loud.tolerance  # type: ignore[union-attr]
    assert loud.alarm
    assert loud.work[0].problem == "dev overfitting"
    assert "worn out" in str(loud)
    assert not few.alarm
    assert few.work == ()
    assert few.to_dict()["work"] == []


@pytest.mark.parametrize(("wrong", "tolerance"), [(10, 0.005), (100, 0.05), (20, 0.01)])
def test_the_tolerance_is_a_tenth_of_the_error_and_at_least_half_a_point(wrong, tolerance):
    found = overfitting("a-1", rows_of(np.arange(200) >= wrong), [])
    assert found is not None
    assert found.tolerance == pytest.approx(tolerance)


def test_test_minus_dev_stands_beside_and_alarms_on_its_own():
    dev, good, bad = (rows_of(np.arange(500) >= k, split=s) for k, s in ((25, "dev"), (27, "test"), (80, "test")))
    calm, alarmed = (overfitting("a-1", dev, [], test=test, looks=2) for test in (good, bad))
    assert calm is not None
    assert alarmed is not None
    value, low, high = newcombe(25, 500, 80, 500)
    assert alarmed.gap is not None
    assert (alarmed.gap.value, alarmed.gap.low, alarmed.gap.high) == pytest.approx((value, low, high))
    assert alarmed.alarm
    assert not calm.alarm
    assert str(calm).endswith("2 looks at the test set.")


def test_epochs_by_which_weights_were_chosen_are_said_not_to_count():
    trials = [trial_of("a-1", np.arange(100) >= 9, epochs=30), trial_of("a-2", np.arange(100) >= 12)]
    found = overfitting("a-1", rows_of(np.arange(100) >= 9), trials)
    assert found is not None
    assert (found.models, found.epochs) == (2, 30)
    assert "30 looks at dev at epochs, by which weights were chosen, are not counted" in str(found)


def test_groups_are_drawn_as_wholes():
    group = np.repeat(np.arange(20).astype(str), 25)
    answers = equally_good(10, 500, 0)
    trials = [trial_of(f"a-{k}", right) for k, right in enumerate(answers)]
    found = overfitting("a-0", rows_of(answers[0], group=group), trials)
    assert found is not None
    assert found.optimism is not None
    assert found.optimism.n == 20


def test_without_right_and_wrong_there_is_no_forecast():
    rows = Rows("dev", np.array(["a", "b"]), {"target": np.zeros(2), "prediction": np.ones(2), "loss": np.ones(2)})
    assert overfitting("a-1", rows, []) is None
