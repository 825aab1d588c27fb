"""Splits: sizes, strata, groups, time, sources, folds, given parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orthogon.data.assign import rounded_shares
from orthogon.data.columns import CategoryColumn, DateColumn, LabelsColumn, NumberColumn, TextColumn
from orthogon.data.dataset import Dataset
from orthogon.data.passport import Passport
from orthogon.data.sizes import default_size
from orthogon.data.split import split
from orthogon.errors import DataError, RecipeError


def table(labels: Any, **more: Any) -> Dataset:
    labels = np.asarray(labels)
    columns = {
        "x": NumberColumn(np.arange(len(labels), dtype=float)),
        "y": CategoryColumn.from_values([str(label) for label in labels]),
    }
    return Dataset("t", columns, "y", np.array([f"row {i:05}" for i in range(len(labels))]), **more)


def sizes(passport: Passport) -> dict[str, int]:
    return {name: len(rows) for name, rows in passport.parts.items()}


def assert_parts_partition(passport: Passport, n: int) -> None:
    rows = np.concatenate(list(passport.parts.values()))
    assert sorted(rows.tolist()) == list(range(n))


label_lists = st.integers(2, 5).flatmap(
    lambda c: st.lists(st.integers(0, c - 1), min_size=8, max_size=120)
).filter(lambda labels: len(set(labels)) > 1)


@settings(max_examples=60, deadline=None)
@given(label_lists, st.integers(0, 5), st.sampled_from([{}, {"dev": 0.3}, {"test": 0}, {"train_dev": 0.1}]))
def test_parts_are_disjoint_cover_and_keep_the_classes_in_proportion(labels, seed, options) -> None:
    data = table(labels)
    passport = split(data, seed=seed, **options)
    assert_parts_partition(passport, len(data))
    codes = data.columns["y"].codes  # type: ignore[attr-defined]
    counts = np.bincount(codes)
    lone = int((counts == 1).sum())  # these go to train whatever its share
    for name, rows in passport.parts.items():
        size = len(rows) - (lone if name == "train" else 0)
        expected = np.where(counts > 1, counts * size / max(1, len(data) - lone), counts * (name == "train"))
        assert np.all(np.abs(np.bincount(codes[rows], minlength=len(counts)) - expected) < 1 + 1e-9)


def test_of_a_train_part_that_was_given_as_much_is_kept_as_was_asked_for():
    part = np.where(np.arange(300) < 200, "train", "test")
    found = split(table(np.arange(300) % 3, part=part), train=60, dev=30)
    assert {name: len(found.rows(name)) for name in found.parts} == {"train": 60, "dev": 30, "test": 100, "unused": 110}
    assert set(found.rows("test")) == set(range(200, 300))
    assert any("110 examples of train are in no part" in sentence for sentence in found.sentences)
    alone = split(table(np.arange(300) % 3, part=part), train=0.25, dev=0)
    assert (len(alone.rows("train")), len(alone.rows("unused"))) == (50, 150)
    left = split(table(np.arange(300) % 3, part=part), train=60)
    assert (len(left.rows("train")), len(left.rows("dev"))) == (60, 140)


@settings(max_examples=40, deadline=None)
@given(label_lists, st.integers(0, 3), st.randoms(use_true_random=False))
def test_the_same_seed_gives_the_same_ids_in_whatever_order_they_were_read(labels, seed, random) -> None:
    data = table(labels)
    order = list(range(len(data)))
    random.shuffle(order)
    shuffled = data.take(order)
    one, two = split(data, seed=seed), split(shuffled, seed=seed)
    for name, rows in one.parts.items():
        assert set(data.ids[rows]) == set(shuffled.ids[two.parts[name]])


@settings(max_examples=60, deadline=None)
@given(label_lists, st.data())
def test_groups_never_straddle(labels, draw) -> None:
    groups = draw.draw(st.lists(st.integers(0, 12), min_size=len(labels), max_size=len(labels)))
    if len(set(groups)) < 6:
        return
    data = table(labels, group=np.array([f"g{group}" for group in groups]))
    for passport in (split(data), split(data, folds=2)):
        assert_parts_partition(passport, len(data))
        sides = [set(data.group[rows]) for rows in passport.parts.values()]  # type: ignore[index]
        assert sum(map(len, sides)) == len(set(groups))


@settings(max_examples=40, deadline=None)
@given(label_lists, st.integers(2, 4), st.booleans())
def test_folds_partition_all_rows_but_test(labels, k, with_test) -> None:
    data = table(labels)
    passport = split(data, folds=k, **({} if with_test else {"test": 0}))
    assert len(passport.folds) == k
    assert sorted(np.concatenate(passport.folds).tolist()) == passport.parts["train"].tolist()
    assert ("test" in passport.parts) == with_test
    lengths = [len(fold) for fold in passport.folds]
    assert max(lengths) - min(lengths) <= 1
    first = passport.fold(0)
    assert first["dev"].tolist() == passport.folds[0].tolist()
    assert sorted([*first["train"], *first["dev"]]) == passport.parts["train"].tolist()
    codes = data.columns["y"].codes  # type: ignore[attr-defined]
    whole = np.bincount(codes[passport.parts["train"]])
    for fold in passport.folds:
        here = np.bincount(codes[fold], minlength=len(whole))
        assert np.all(np.abs(here - whole * len(fold) / whole.sum()) < 1 + 1e-9)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=12),
    st.lists(st.integers(1, 9), min_size=2, max_size=5),
)
def test_rounded_shares_keep_both_sums(counts, weights) -> None:
    total = sum(counts)
    cuts = np.round(np.cumsum(weights) / sum(weights) * total).astype(int)
    part_sizes = np.diff([0, *cuts])
    shares = rounded_shares(np.array(counts), part_sizes, np.random.default_rng(0))
    assert shares.sum(axis=1).tolist() == counts
    assert shares.sum(axis=0).tolist() == part_sizes.tolist()
    assert np.all(np.abs(shares - np.outer(counts, part_sizes) / max(1, total)) < 1)


def test_seeds_differ_and_train_is_shuffled() -> None:
    data = table([0, 1] * 100)
    assert split(data, seed=1).parts["dev"].tolist() != split(data, seed=2).parts["dev"].tolist()


def test_default_sizes_are_20_percent_until_one_point_can_be_seen() -> None:
    assert default_size(1797) == 359
    assert default_size(70_000) == default_size(10**7)
    # strategy: "1-pt gain at 5 % disagreement: n of about 3,900, paired"
    assert 3_850 < default_size(70_000) < 4_000
    assert sizes(split(table(np.arange(30_000) % 2))) == {"train": 22_154, "dev": 3_923, "test": 3_923}


def test_the_sentence_says_what_dev_can_and_cannot_see() -> None:
    sentences = split(table([0, 1] * 900)).sentences
    assert sentences[0] == (
        "dev holds 360 examples: at 10 % error enough to see paired differences of 3.3 points or more; "
        "smaller ones need more data or --folds 5"
    )
    assert "5 points would go unseen" in split(table([0, 1] * 50)).sentences[0]


@pytest.mark.parametrize("target", ["text", None])
def test_where_nothing_is_right_or_wrong_the_sentence_is_in_standard_deviations(target: str | None) -> None:
    data = Dataset("t", {"text": TextColumn([f"line {i}" for i in range(500)])}, target, np.arange(500).astype(str))
    assert split(data).sentences[0] == "dev holds 100 examples: enough to see mean differences of 0.28 standard " \
                                       "deviations or more"


def test_sizes_may_be_shares_or_numbers() -> None:
    data = table([0, 1] * 500)
    assert sizes(split(data, train=0.7, dev=0.1, test=0.2)) == {"train": 700, "dev": 100, "test": 200}
    assert sizes(split(data, dev=50, test=60)) == {"train": 890, "dev": 50, "test": 60}
    assert sizes(split(data, train=800)) == {"train": 800, "dev": 100, "test": 100}
    assert sizes(split(data, train=0.5, dev=0.1, test=0.1)) == {
        "train": 500, "dev": 100, "test": 100, "unused": 300
    }
    assert sizes(split(table([0, 1, 1] * 599), train=0.6, dev=0.2, test=0.2))["train"] == 1079


def test_no_test_set_is_said_plainly() -> None:
    passport = split(table([0, 1] * 50), test=0)
    assert passport.test_key is None
    assert any(sentence.startswith("no test set") for sentence in passport.sentences)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dev": 0.6, "test": 0.5}, "too few"),
        ({"dev": 200}, "too few"),
        ({"dev": -1}, "neither a share nor a number"),
        ({"dev": 1.5}, "neither a share nor a number"),
        ({"by": "tiem"}, "unknown way"),
        ({"by": "time"}, "no date column"),
        ({"seed": -1}, "not negative"),
        ({"folds": 1}, "at least 2"),
        ({"folds": 99}, "cannot fill 99 folds"),
        ({"folds": 3, "dev": 0.1}, "do not go together"),
        ({"target_train": 0.3}, "needs a target_source"),
        ({"target_train": 1.0, "target_source": "phone"}, "from 0 to below 1"),
        ({"target_source": "phone"}, "where each example comes from"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises((RecipeError, DataError), match=words):
        split(table([0, 1] * 20), **options)


def test_one_class_only_is_refused_and_lone_classes_are_named() -> None:
    with pytest.raises(DataError, match="one class only, 'a'"):
        split(table(["a"] * 10))
    for seed in range(5):
        passport = split(table(["a"] * 20 + ["b"] * 20 + ["lone"]), seed=seed)
        assert 40 in passport.parts["train"]
        assert any("'lone' occurs once" in sentence for sentence in passport.sentences)


def test_a_class_that_is_absent_from_train_is_named() -> None:
    data = table(["a", "b"] * 10 + ["c"] * 2, part=np.array(["train"] * 20 + ["test"] * 2))
    assert any("'c' is absent from train" in sentence for sentence in split(data).sentences)


def test_numbers_are_stratified_by_quantiles() -> None:
    values = np.random.default_rng(0).exponential(size=1000)
    data = Dataset("t", {"y": NumberColumn(values)}, "y", np.arange(1000).astype(str))
    passport = split(data)
    deciles = np.digitize(values, np.quantile(values, np.arange(0.1, 0.95, 0.1)))
    for rows in passport.parts.values():
        counts = np.bincount(deciles[rows], minlength=10)
        assert np.all(np.abs(counts - len(rows) / 10) <= 1)


def test_several_labels_are_stratified_by_the_rarest() -> None:
    values = np.zeros((100, 2))
    values[:, 0] = 1
    values[:10, 1] = 1
    data = Dataset("t", {"y": LabelsColumn(values, ["common", "rare"])}, "y", np.arange(100).astype(str))
    passport = split(data)
    assert [int((rows < 10).sum()) for rows in passport.parts.values()] == [6, 2, 2]


def test_group_sizes_and_classes_are_near_what_was_asked() -> None:
    rng = np.random.default_rng(0)
    labels, groups = rng.integers(0, 3, 2000), rng.integers(0, 150, 2000)
    data = table(labels, group=groups.astype(str))
    passport = split(data)
    for name, share in {"train": 0.6, "dev": 0.2, "test": 0.2}.items():
        rows = passport.parts[name]
        assert abs(len(rows) - 2000 * share) < 20
        assert np.abs(np.bincount(labels[rows]) - np.bincount(labels) * share).max() < 20
    assert passport.groups is not None
    assert sum(passport.groups.values()) == len(np.unique(groups))


def test_too_few_groups_are_refused() -> None:
    with pytest.raises(DataError, match="2 groups cannot fill 3 sets"):
        split(table([0, 1] * 10, group=np.array(["a", "b"] * 10)))


def by_date(days: np.ndarray, **more: Any) -> Dataset:
    columns = {
        "when": DateColumn(np.datetime64("2030-01-01") + days.astype("timedelta64[D]")),
        "y": CategoryColumn(days % 2, ["even", "odd"]),
    }
    return Dataset("t", columns, "y", np.array([f"{i:04}" for i in range(len(days))]), **more)


def test_by_time_train_is_oldest_and_test_newest_and_a_day_is_not_torn() -> None:
    days = np.random.default_rng(0).integers(0, 40, 400)
    passport = split(by_date(days), by="time")
    train, dev, test = (days[passport.parts[name]] for name in ("train", "dev", "test"))
    assert train.max() < dev.min()
    assert dev.max() < test.min()
    assert abs(len(test) - 80) < 20
    assert "by time (when)" in passport.describe()
    smaller = split(by_date(days), by="time", train=0.3, dev=0.2, test=0.2)
    assert days[smaller.parts["unused"]].max() < days[smaller.parts["train"]].min()


def test_by_time_groups_stay_whole() -> None:
    days = np.arange(100)
    data = by_date(days, group=(days // 7).astype(str))
    passport = split(data, by="time")
    sides = [set(data.group[rows]) for rows in passport.parts.values()]  # type: ignore[index]
    assert sum(map(len, sides)) == 15
    assert days[passport.parts["train"]].max() < days[passport.parts["test"]].min()


def test_by_time_needs_dates_that_are_there_and_differ() -> None:
    with pytest.raises(DataError, match="nothing is left"):
        split(by_date(np.zeros(20, dtype=int) + np.array([0, 1] * 10)).with_target("y"), by="time")
    data = by_date(np.arange(20))
    data.columns["when"].values[3] = np.datetime64("NaT")  # type: ignore[attr-defined]
    with pytest.raises(DataError, match="1 rows have no 'when', the first is 0003"):
        split(data, by="time")
    assert len(split(table([0, 1] * 20), by="time", time_column="x").parts["test"]) == 8


def sources(n_web: int = 800, n_phone: int = 200, **more: Any) -> Dataset:
    source = np.array(["web"] * n_web + ["phone"] * n_phone)
    return table(np.arange(n_web + n_phone) % 4, source=source, **more)


def test_dev_and_test_come_from_the_target_and_train_dev_from_training() -> None:
    passport = split(sources(), target_source="phone")
    assert passport.sources == {
        "train": {"web": 700}, "train-dev": {"web": 100}, "dev": {"phone": 100}, "test": {"phone": 100}
    }
    assert_parts_partition(passport, 1000)


def test_a_share_of_the_target_is_kept_in_reserve_and_named() -> None:
    passport = split(sources(), target_source="phone", target_train=0.3)
    assert sizes(passport) == {"train": 730, "train-dev": 70, "dev": 70, "test": 70, "reserve": 60}
    assert any(sentence.startswith("reserve: 60 of phone") for sentence in passport.sentences)
    assert passport.sources is not None
    assert passport.sources["reserve"] == {"phone": 60}


def test_sizes_and_caps_with_a_target() -> None:
    passport = split(sources(100, 200), target_source="phone")
    assert sizes(passport)["train-dev"] == 20  # at most 20 % of the others
    passport = split(sources(), target_source="phone", dev=0.25, test=50, train_dev=0)
    assert sizes(passport) == {"train": 800, "dev": 50, "test": 50, "unused": 100}
    assert sizes(split(sources(), target_source="phone", test=0))["dev"] == 200
    with pytest.raises(DataError, match="no example comes from 'fone'"):
        split(sources(), target_source="fone")
    with pytest.raises(DataError, match="every example comes from"):
        split(sources(0, 50), target_source="phone")
    with pytest.raises(DataError, match="too few for dev"):
        split(sources(), target_source="phone", dev=150, test=100)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.3, 0.6]), st.sampled_from([8, 60, 400]))
def test_groups_do_not_leak_from_the_target_into_training(seed: int, reserve: float, n_groups: int) -> None:
    rng = np.random.default_rng(seed)
    group = rng.integers(0, n_groups, 500).astype(str)
    data = sources(300, 200, group=group)
    try:
        passport = split(data, seed=seed, target_source="phone", target_train=reserve)
    except DataError as error:
        assert reserve == 0 and "every group of the other sources" in str(error)  # noqa: PT017, PT018
        return
    assert_parts_partition(passport, 500)
    of = {name: set(group[rows]) for name, rows in passport.parts.items()}
    trained = of["train"] | of.get("reserve", set())
    for held_out in ("train-dev", "dev", "test"):
        assert not trained & of.get(held_out, set())
    assert not of["dev"] & of["test"]


def test_given_parts_stay_and_dev_comes_out_of_train() -> None:
    part = np.array(["train"] * 80 + ["test"] * 20)
    passport = split(table([0, 1] * 50, part=part))
    assert passport.parts["test"].tolist() == list(range(80, 100))
    assert sizes(passport) == {"train": 64, "dev": 16, "test": 20}
    assert any("dev came out of train" in sentence for sentence in passport.sentences)
    assert sizes(split(table([0, 1] * 50, part=part), dev=0.1, train_dev=8)) == {
        "train": 64, "train-dev": 8, "dev": 8, "test": 20
    }
    folded = split(table([0, 1] * 50, part=part), folds=4)
    assert [len(fold) for fold in folded.folds] == [20] * 4


def test_given_train_and_dev_get_no_invented_test() -> None:
    passport = split(table([0, 1] * 50, part=np.array(["train"] * 80 + ["dev"] * 20)))
    assert sizes(passport) == {"train": 80, "dev": 20}
    assert any(sentence.startswith("no test set") for sentence in passport.sentences)


def test_given_parts_without_train_or_with_gaps() -> None:
    with pytest.raises(DataError, match="there is no train"):
        split(table([0, 1] * 10, part=np.array(["dev"] * 10 + ["test"] * 10)))
    passport = split(table([0, 1] * 10, part=np.array([""] * 10 + ["dev"] * 4 + ["test"] * 6)))
    assert sizes(passport) == {"train": 10, "dev": 4, "test": 6}
    # train alone is no split at all
    passport = split(table([0, 1] * 10, part=np.array(["train"] * 20)))
    assert sizes(passport) == {"train": 12, "dev": 4, "test": 4}
    with pytest.raises(RecipeError, match="already split"):
        split(table([0, 1] * 10, part=np.array(["train", "test"] * 10)), target_source="phone")


def test_without_a_target_rows_are_shuffled() -> None:
    data = Dataset("t", {"x": NumberColumn(np.arange(10.0))}, None, np.arange(10).astype(str))
    assert split(data).describe() == "split 6/2/2, seed 0, shuffled; no duplicates across sets"


def test_too_few_examples_are_refused() -> None:
    with pytest.raises(DataError, match="2 examples are too few"):
        split(table([0, 1]))


def test_whether_dev_is_drawn_from_where_train_is_stands_in_the_passport() -> None:
    labels = np.arange(200) % 2
    part = np.where(np.arange(200) < 100, "train", "test")
    source = np.where(np.arange(200) < 120, "web", "phone")
    known = {"drawn": split(table(labels)), "test given": split(table(labels, part=part)),
             "dev given": split(table(labels, part=np.where(part == "test", "dev", part))),
             "elsewhere": split(table(labels, source=source), target_source="phone")}
    assert {name: passport.method["dev_like_train"] for name, passport in known.items()} == {
        "drawn": True, "test given": True, "dev given": None, "elsewhere": False}
