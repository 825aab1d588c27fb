"""`mistakes` and `human` on whole runs: what is shown, what stays unseen, what is kept."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import orthogon as og
from orthogon.data.passport import Passport
from orthogon.errors import DataError, RunError
from orthogon.strategy.eyeball import draw_eyeball, mistakes, positions
from orthogon.strategy.human import human_reference
from orthogon.strategy.work_list import work_list
from orthogon.verbs.human import _targets
from orthogon.verbs.items import rows_of
from orthogon.verbs.prepare import prepare


def predictions(dev: int = 600, wrong: int = 120, **more) -> dict[str, np.ndarray]:
    n = dev + 100
    target = np.array(["cat", "dog"])[np.arange(n) % 2]
    other = np.array(["dog", "cat"])[np.arange(n) % 2]
    split = np.array(["dev"] * dev + ["test"] * 100)
    return {"id": np.array([f"ex-{k:04d}" for k in range(n)]), "split": split, "target": target,
            "prediction": np.where(np.arange(n) % dev < wrong, other, target),
            "text": np.array([f"words of ex-{k:04d} <b>" for k in range(n)]), **more}


def page_ids(path: Path) -> list[str]:
    return [unescape(one) for one in re.findall(r'<li class="item" data-id="(.*?)"', path.read_text())]


def test_only_eyeball_mistakes_are_shown_and_no_blackbox_example_anywhere():
    run = og.read_predictions(predictions(), name="texts", quiet=True)
    found = og.mistakes(run)
    rows = run.rows("dev")
    seen = draw_eyeball(run, rows)
    may = set(rows.ids[mistakes(rows) & seen.inside].tolist())
    assert found.share == 0.5
    assert set(page_ids(found.page)) == may
    assert len(may) == found.shown == found.in_eyeball
    assert found.blackbox == seen.outside.sum() > 250
    everything = "".join(path.read_text() for path in (found.page, run.path / "report.html"))
    everything += (run.path / "shown.json").read_text()
    assert not [one for one in rows.ids[seen.outside] if one in everything]
    assert "words of ex-" in everything
    assert "&lt;b&gt;" in found.page.read_text()
    assert "<b>" not in "".join(re.findall(r'class="said">(.*?)</p>', found.page.read_text()))
    assert "stay unseen" in str(found)


def test_fewer_mistakes_on_the_page_are_a_random_part_of_them():
    run = og.read_predictions(predictions(), name="fewer", quiet=True)
    few, all_of_them = page_ids(og.mistakes(run, n=20).page), page_ids(og.mistakes(run).page)
    assert few == all_of_them[:20]
    order = [int(one[3:]) for one in all_of_them]
    assert order != sorted(order)
    assert abs(np.corrcoef(order, np.arange(len(order)))[0, 1]) < 0.3


def test_tags_become_evidence_and_work(tmp_path):
    run = og.read_predictions(predictions(), name="tagged", quiet=True)
    ids = page_ids(og.mistakes(run).page)
    lines = [f"{one},{'dog' if k < 9 else 'none'}" for k, one in enumerate(ids[:24])]
    (tmp_path / "tags.csv").write_text("\n".join(["id,tag", *lines, *(f"{one}," for one in ids[24:])]))
    found = og.mistakes(run, tags="tags.csv")
    assert found.examined == 24
    assert found.tags[0].ceiling.value == pytest.approx(9 / 24 * 0.2)
    assert run.evidence()["tags"]["examined"] == 24
    assert [item.action for item in work_list(run).items if item.source == "tags"] == ["mend “dog”"]
    assert '"dog"' in og.mistakes(run).page.read_text(), "tags given before are offered again"


def test_the_blackbox_is_asked_once():
    more = {"source": np.array(["phone" if k % 600 < 160 else "scan" for k in range(700)])}
    run = og.read_predictions(predictions(**more), name="slices", quiet=True)
    first = og.mistakes(run).slices
    # Every mistake is from a phone; ids are no slice, so that is all there is to find.
    assert [(one.name, one.state) for one in first.slices] == [("source = phone", "confirmed")]
    kept = run.evidence()["slices"]
    kept["slices"][0]["p_value"] = 0.0123
    run.write_evidence("slices", kept)
    assert og.mistakes(run).slices.slices[0].p_value == 0.0123
    assert [item.action for item in work_list(run).items if item.source == "slices"] == [
        "make source = phone as good as the rest"]


def test_runs_without_dev_and_without_mistakes_say_so():
    table = predictions(wrong=0)
    assert og.mistakes(og.read_predictions(table, name="perfect", quiet=True)).page is None
    table["split"] = np.where(table["split"] == "dev", "train", "test")
    with pytest.raises(RunError, match="no dev rows"):
        og.mistakes(og.read_predictions(table, name="no-dev", quiet=True))


def test_numbers_have_a_page_too_and_their_tags_no_ceiling(tmp_path):
    rng = np.random.default_rng(0)
    target = rng.normal(size=300)
    run = og.read_predictions({"id": np.arange(300).astype(str), "split": np.array(["dev"] * 300), "target": target,
                               "prediction": target + rng.normal(size=300)}, name="numbers", quiet=True)
    ids = page_ids(og.mistakes(run).page)
    assert len(ids) == 30
    (tmp_path / "tags.csv").write_text("id,tag\n" + "".join(f"{one},storm\n" for one in ids))
    found = og.mistakes(run, tags="tags.csv")
    assert found.tags[0].ceiling is None
    assert found.work == ()
    assert "storm" in str(found)


# --- human ---------------------------------------------------------------------------------------------------


@pytest.fixture
def pets(tmp_path) -> Path:
    """240 pictures in folders of their class."""
    for kind, value in (("cat", 60), ("dog", 200)):
        (tmp_path / "pets" / kind).mkdir(parents=True)
        for k in range(120):
            Image.fromarray(np.full((9, 9), value + k % 40, np.uint8) + np.eye(9, dtype=np.uint8) * (k // 40)).save(
                tmp_path / "pets" / kind / f"{kind}{k}.png")
    return tmp_path / "pets"


def test_a_page_hides_the_answers_and_its_answers_are_scored_and_kept(pets, tmp_path):
    page = og.human("pets", n=20)
    text = page.page.read_text()
    assert page.n == 20
    assert not re.search(r"(cat|dog)\d|(cat|dog)/", text), "the name of a file may tell its class"
    prepared = prepare(og.Recipe.from_dict({"data": {"source": "pets"}}))
    truth = _targets(prepared.data, prepared.passport.content)
    ids = page_ids(page.page)
    said = [truth[one] if k else {"cat": "dog", "dog": "cat"}[truth[one]] for k, one in enumerate(ids)]
    lines = [f"{one},{answer if k < 18 else ''}" for k, (one, answer) in enumerate(zip(ids, said, strict=True))]
    (tmp_path / "answers.csv").write_text("\n".join(["id,answer", *lines]))
    level = og.human("pets", answers="answers.csv", who="anna")
    assert (level.best.who, level.best.wrong, level.best.n, level.left_open) == ("anna", 1, 18, 2)
    assert human_reference("runs", prepared.passport.content) == (1, 18)
    assert "2 left open" in str(level)
    with pytest.raises(DataError, match="anna answered 18"):
        og.human("pets", answers="answers.csv", who="anna")


def test_neither_test_nor_unseen_dev_is_drawn_and_the_draw_is_uniform_and_seeded(pets):
    prepared = prepare(og.Recipe.from_dict({"data": {"source": "pets"}}))
    hidden = {one: k for k, one in enumerate(_targets(prepared.data, prepared.passport.content))}
    rows = np.array([hidden[one] for one in page_ids(og.human("pets", n=1000).page)])
    parts = prepared.passport.part_of()
    assert set(parts[rows]) == {"train", "dev"}, "train is too small for 1,000, so dev helps, as the Eyeball would"
    dev = rows[parts[rows] == "dev"]
    assert (positions(prepared.data.ids)[dev] < 0.5).all()
    few = page_ids(og.human("pets", n=30).page)
    assert set(parts[[hidden[one] for one in few]]) == {"train"}
    assert page_ids(og.human("pets", n=30).page) == few
    assert page_ids(og.human("pets", n=30, seed=1).page) != few


def test_test_sets_and_the_blackbox_of_runs_on_the_data_are_left_out(pets):
    prepared = prepare(og.Recipe.from_dict({"data": {"source": "pets"}, "split": {"seed": 7}}))
    run = og.Run.create(prepared.recipe)
    prepared.passport.write(run.path / "passport.json")
    hidden = {one: k for k, one in enumerate(_targets(prepared.data, prepared.passport.content))}
    rows = [hidden[one] for one in page_ids(og.human("pets", n=1000).page)]
    assert Passport.read(run.path / "passport.json", prepared.data).parts["test"].tolist()
    assert "test" not in prepared.passport.part_of()[rows]
    default = prepare(og.Recipe.from_dict({"data": {"source": "pets"}})).passport
    assert "test" not in default.part_of()[rows]


def test_sources_are_told_apart():
    page = og.human("digits-tilted", n=10)
    assert page.source == "scanner", "where train comes from"
    assert og.human("digits-tilted", n=10, source="phone").page.name == "human-digits-tilted-phone.html"
    with pytest.raises(DataError, match="no source 'fone'") as caught:
        og.human("digits-tilted", source="fone")
    assert "Did you mean 'phone'" in str(caught.value)
    with pytest.raises(DataError, match="names no sources"):
        og.human("digits", source="phone")
    said = " ".join(str(og.human("digits-tilted", n=10, source="phone")).split())  # lines may be broken anywhere
    assert "--source phone --answers answers.csv" in said


def test_numbers_have_no_human_error_rate(tmp_path):
    (tmp_path / "houses.csv").write_text("size,price\n" + "".join(f"{k},{k * 1.7 + 0.3}\n" for k in range(60)))
    with pytest.raises(DataError, match="people answer with a class"):
        og.human("houses.csv", target="price")


def test_rows_are_found_by_their_ids(pets):
    data = og.read("pets")
    rows = np.array([5, 0, 200])
    assert rows_of(data, data.ids[rows]).tolist() == rows.tolist()
    with pytest.raises(DataError, match="'zebra'"):
        rows_of(data, np.array(["zebra"]))


def test_a_run_of_ones_own_shows_the_values_of_its_table():
    random = np.random.default_rng(0)
    table = {"size": random.normal(size=300), "kind": random.choice(["a", "b"], 300),
             "label": random.choice(["yes", "no"], 300)}
    run = og.train(table, target="label", epochs=1, options={"train.preflight": False}, quiet=True)
    with pytest.raises(DataError, match="object in memory") as caught:
        og.mistakes(run)
    assert "og.mistakes(run, data=data)" in str(caught.value)
    found = og.mistakes(run, data=table)
    rows = run.rows("dev")
    assert set(page_ids(found.page)) == set(rows.ids[mistakes(rows) & draw_eyeball(run, rows).inside].tolist())
    text = found.page.read_text()
    assert text.count("<td>kind</td>") == found.shown
    assert "true yes → predicted no" in text or "true no → predicted yes" in text
    assert "label</td>" not in text
