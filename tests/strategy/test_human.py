"""How well people do: scored, kept by data and source, voted on."""

from __future__ import annotations

import json
from multiprocessing import get_context

import pytest
from scipy import stats as scipy_stats

from orthogon.errors import DataError
from orthogon.strategy.human import FILE, human_level, human_reference, keep_answers, score_answers

TARGETS = {f"e{k}": "cat" if k % 2 else "dog" for k in range(100)}
CLASSES = ("cat", "dog")


def answered(wrong: int, n: int = 100, first: int = 0) -> dict[str, tuple[str, bool]]:
    other = {"cat": "dog", "dog": "cat"}
    said = {f"e{k}": ((other[TARGETS[f"e{k}"]] if k < first + wrong else TARGETS[f"e{k}"]),) for k in range(first, n)}
    return score_answers(said, TARGETS, CLASSES)


def test_two_of_a_hundred_wrong_is_two_percent_with_its_interval(tmp_path):
    """The published figure: 2 of 100 wrong is 2 % [0.6, 7.0]; human error has an interval too (row 14.15)."""
    keep_answers(tmp_path, "data", "", "anna", answered(2))
    level = human_level(tmp_path, "data")
    error = level.best.error
    assert (error.value, error.n) == (0.02, 100)
    assert (round(100 * error.low, 1), round(100 * error.high, 1)) == (0.6, 7.0)
    assert human_reference(tmp_path, "data") == (2, 100)
    assert level.vote is None
    assert level.disagreement is None
    assert "2.0 % [0.6, 7.0], n = 100" in str(level)


def test_nobody_answered_is_none_and_data_and_source_are_kept_apart(tmp_path):
    assert human_reference(tmp_path, "data") is None
    keep_answers(tmp_path, "data", "phone", "anna", answered(2))
    assert human_reference(tmp_path, "data") is None
    assert human_reference(tmp_path, "other", "phone") is None
    assert human_reference(tmp_path, "data", "phone") == (2, 100)


def test_the_best_counts_and_a_few_right_answers_do_not_beat_many(tmp_path):
    keep_answers(tmp_path, "data", "", "typical", answered(15))
    keep_answers(tmp_path, "data", "", "doctor", answered(3))
    keep_answers(tmp_path, "data", "", "hasty", answered(0, 3))
    assert human_reference(tmp_path, "data") == (3, 100)
    level = human_level(tmp_path, "data")
    assert [(one.who, one.wrong, one.n) for one in level.annotators] == [("typical", 15, 100), ("doctor", 3, 100),
                                                                        ("hasty", 0, 3)]


def test_a_team_of_doctors_votes(tmp_path):
    """Row 14.15: the best achievable human error is the team's: each alone errs elsewhere, together they hardly do."""
    for first, who in ((0, "a"), (10, "b"), (19, "c")):
        mine = dict(answered(0))
        mine.update({k: v for k, v in answered(10, 100, first).items() if int(k[1:]) < first + 10})
        keep_answers(tmp_path, "data", "", who, mine)
    level = human_level(tmp_path, "data")
    assert [one.wrong for one in level.annotators] == [10, 10, 10]
    assert (level.vote.wrong, level.vote.n) == (1, 100), "only e19 is wrong for two of three"
    assert human_reference(tmp_path, "data") == (1, 100)
    assert level.disagreement.value == pytest.approx(29 / 100)
    low, high = scipy_stats.binomtest(29, 100).proportion_ci(method="wilson")
    assert (level.disagreement.low, level.disagreement.high) == pytest.approx((low, high))
    assert "differ on 29.0 %" in str(level)
    assert "vote of 3" in str(level)


def test_a_vote_without_a_winner_is_wrong_and_two_are_no_team(tmp_path):
    targets = {"e": "a"}
    for who, said in (("x", "a"), ("y", "b"), ("z", "c")):
        keep_answers(tmp_path, "data", "", who, score_answers({"e": (said,)}, targets, ("a", "b", "c")))
        level = human_level(tmp_path, "data")
        assert (level.vote is None) == (who != "z")
    assert (level.vote.wrong, level.vote.n) == (1, 1)


def test_two_pages_of_one_person_are_added_and_the_same_page_is_refused(tmp_path):
    keep_answers(tmp_path, "data", "", "anna", answered(2, 50))
    keep_answers(tmp_path, "data", "", "anna", answered(1, 100, 50))
    assert human_reference(tmp_path, "data") == (3, 100)
    with pytest.raises(DataError, match="anna answered 100 of these 100 examples before") as caught:
        keep_answers(tmp_path, "data", "", "anna", answered(2))
    assert "--who" in str(caught.value)
    assert len((tmp_path / FILE).read_text().splitlines()) == 2


@pytest.mark.parametrize(("answers", "says"), [
    ({"nowhere": ("cat",)}, "1 of 1 ids are not of this data, the first is 'nowhere'"),
    ({"e0": ("cow",)}, "no class 'cow'"), ({"e0": ("dogg",)}, "Did you mean 'dog'"),
    ({"e0": ("cat", "dog")}, "more than one answer, the first is 'e0': cat, dog"),
    ({"e0": ()}, "no example was answered"), ({}, "no example was answered"),
])
def test_answers_that_cannot_be_scored_say_why(answers, says):
    with pytest.raises(DataError) as caught:
        score_answers(answers, TARGETS, CLASSES)
    assert says in str(caught.value)


def test_what_was_left_open_is_no_answer():
    assert score_answers({"e0": ("dog",), "e1": ()}, TARGETS, CLASSES) == {"e0": ("dog", True)}


def test_half_a_line_of_a_killed_process_costs_that_line_alone(tmp_path):
    keep_answers(tmp_path, "data", "", "anna", answered(2))
    with open(tmp_path / FILE, "a") as file:
        file.write('{"data": "da')
    keep_answers(tmp_path, "data", "", "ben", answered(1))
    assert human_reference(tmp_path, "data") == (1, 100)
    lines = [json.loads(line) for line in (tmp_path / FILE).read_text().splitlines() if line.endswith("}")]
    assert [(line["who"], line["wrong"], line["n"]) for line in lines] == [("anna", 2, 100), ("ben", 1, 100)]


def test_the_document_is_plain_json(tmp_path):
    keep_answers(tmp_path, "data", "", "anna", answered(2))
    document = json.loads(json.dumps(human_level(tmp_path, "data").to_dict()))
    assert document["best"]["error"]["value"] == 0.02
    assert document["work"] == []


def test_of_two_processes_with_the_same_answers_one_is_refused(tmp_path):
    with get_context("fork").Pool(4) as pool:
        kept = pool.starmap(_keep, [(tmp_path,)] * 4)
    assert sorted(kept) == [False, False, False, True]
    assert human_reference(tmp_path, "data") == (2, 100)


def _keep(root) -> bool:
    try:
        keep_answers(root, "data", "", "anna", answered(2))
    except DataError:
        return False
    return True
