"""Labels, calibration and mismatch of one small run, from the command line and from Python."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import orthogon as og
from orthogon.cli.main import app
from orthogon.data.ledger import Ledger
from orthogon.errors import DataError, RunError
from orthogon.strategy.work_list import work_list

NAMES = np.array(["ash", "birch", "cedar"])


def invoke(*arguments):
    return CliRunner().invoke(app, [str(each) for each in arguments])


def forest(path: Path, n: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """A table of three classes far apart, a fifth of its labels changed; the true labels, and which were changed."""
    random = np.random.default_rng(3)
    true = random.integers(0, 3, n)
    x = np.array([[0, 0], [4, 0], [0, 4]])[true] + 0.5 * random.normal(size=(n, 2))
    changed = np.zeros(n, dtype=bool)
    changed[random.choice(n, n // 5, replace=False)] = True
    given = np.where(changed, (true + random.integers(1, 3, n)) % 3, true)
    rows = [f"{a:.3f},{b:.3f},{NAMES[k]}" for (a, b), k in zip(x, given)]
    path.write_text("a,b,tree\n" + "\n".join(rows) + "\n")
    return NAMES[true], changed


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the table and a run on it, whose labels were looked at once; true labels, and which are wrong."""
    folder, before = tmp_path_factory.mktemp("forest"), Path.cwd()
    os.chdir(folder)
    true, changed = forest(folder / "trees.csv")
    og.train("trees.csv", target="tree", epochs=12, options={"train.threads": 1}, quiet=True)
    found = og.labels(rounds=1, quiet=True)
    os.chdir(before)
    return folder, true, changed, found


@pytest.fixture
def here(place, monkeypatch):
    monkeypatch.chdir(place[0])
    return place


def test_every_open_example_is_in_the_queue_and_no_test_example(here):
    _, _, _, found = here
    parts = json.loads((found.run.path / "passport.json").read_text())["sizes"]
    assert {part: int((found.queue.part == part).sum()) for part in ("train", "dev")} == {
        part: parts[part] for part in ("train", "dev")}
    assert len(found.queue) == parts["train"] + parts["dev"]
    assert len(Ledger(Path("runs")).looks(json.loads((found.run.path / "passport.json").read_text())["test_key"])) == 1


def test_wrong_labels_come_first(here):
    _, true, changed, found = here
    wrong = changed[found.queue.ids.astype(int)]
    assert wrong[:15].mean() >= 0.9
    first = found.queue.ids[:15].astype(int)
    right_suggestion = found.queue.names(found.queue.suggested)[:15] == true[first]
    assert right_suggestion[wrong[:15]].mean() >= 0.9


def test_the_page_asks_about_doubted_labels_and_some_that_are_believed(here):
    _, _, _, found = here
    html = found.page.read_text()
    doubted = found.queue.ids[found.queue.predicted != found.queue.given]
    assert all(f'data-id="{each}"' in html for each in doubted)
    assert html.count('data-id="') == len(doubted) + len(doubted) // 10
    assert "suggested: " in html
    assert '"choices":["as given","ash","birch","cedar","unsure"]' in html
    assert '"file":"labels.csv"' in html


def test_folds_that_were_trained_are_read_again(here):
    _, _, _, found = here
    folder = found.run.path / "labels" / "evaluations"
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert len(before) == 10
    again = og.labels(quiet=True)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert again.queue.ids.tolist() == found.queue.ids.tolist()


def test_a_review_and_an_audit_end_in_corrections_that_a_later_run_reads(here):
    folder, true, changed, found = here
    queue, truth = found.queue, dict(zip([f"{i:05d}" for i in range(len(true))], true.tolist()))
    asked = list(queue.ids.tolist()[:20])
    (folder / "labels.csv").write_text("id,label\n" + "".join(f"{each},{truth[each]}\n" for each in asked))
    audit = og.labels(audit=40, quiet=True).page
    assert audit.name == "audit.html"
    assert "suggested" not in audit.read_text().partition("<main")[2].partition("<script")[0]
    drawn = queue.ids[queue.uniform(40)].tolist()
    (folder / "audit.csv").write_text("id,label\n" + "".join(f"{each},{truth[each]}\n" for each in drawn))
    done = invoke("labels", "--reviewed", "labels.csv", "--audited", "audit.csv", "--json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    wrong = {each for each in {*asked, *drawn} if changed[int(each)]}
    assert document["reviewed"]["wrong"] == sum(changed[int(each)] for each in asked)
    assert document["audit"]["wrong"] == sum(changed[int(each)] for each in drawn)
    assert document["audit"]["rate"]["n"] == 40
    assert document["noise"]["matters"] in ("yes", "undecided")
    mended = found.run.path / "labels" / "corrections.csv"
    assert {line.split(",")[0] for line in mended.read_text().splitlines()[1:]} == wrong
    (dev, test) = document["versions"]
    assert (dev["part"], test["part"]) == ("dev", "test")
    assert dev["after"]["value"] < dev["before"]["value"]
    read = og.read("trees.csv", target="tree", corrections=mended)
    labels = [read.target_column().cell(i) for i in range(len(true))]
    assert sum(a != b for a, b in zip(labels, true)) == changed.sum() - len(wrong)
    assert any(item.source == "labels" and item.decision == "at most" for item in work_list(found.run).items)
    said = invoke("labels", "--corrections", mended)
    assert "error as corrected" in said.output


def test_answers_from_another_run_are_refused(here):
    Path("foreign.csv").write_text("id,label\nnobody,ash\n")
    with pytest.raises(DataError, match="not in the queue"):
        og.labels(reviewed="foreign.csv", quiet=True)


def test_a_name_that_is_neither_run_nor_data_is_refused(here):
    with pytest.raises(RunError, match="no run 'nothing'"):
        og.labels("nothing", quiet=True)


def test_calibration_is_written_and_a_shipped_temperature_changes_probabilities_but_no_label(here):
    run = here[3].run
    found = og.calibrate()
    assert found.mended.on == "test"
    assert run.evidence()["calibration"]["curve"]["n"] == found.dev.over.n
    before = og.load(run).predict("trees.csv")
    shipped = og.calibrate(ship=True).mended.temperature
    predictor = og.load(run)
    after = predictor.predict("trees.csv")
    assert predictor.temperature == shipped
    assert [each["label"] for each in after] == [each["label"] for each in before]
    p, q = (np.array([list(each["probabilities"].values()) for each in all_]) for all_ in (before, after))
    cooled = p ** (1 / shipped)
    assert q == pytest.approx(cooled / cooled.sum(axis=1, keepdims=True), abs=1e-5)
    assert not run.evidence()["calibration"]["work"]


def test_mismatch_of_a_run_split_at_random_looks_at_train_and_dev(here):
    done = invoke("mismatch", "--json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert (document["first"], document["second"], document["state"] != "different") == ("train", "dev", True)
    assert {each["name"] for each in document["features"]} == {"a", "b", "the label"}
    assert document["sheet"] is None
    assert document["work"] == []


def test_without_classes_nothing_is_trained_before_it_is_refused(tmp_path, capsys):
    random = np.random.default_rng(0)
    rows = [f"{a:.3f},{2 * a:.3f}" for a in random.normal(size=60)]
    (tmp_path / "lines.csv").write_text("x,y\n" + "\n".join(rows) + "\n")
    og.train("lines.csv", target="y", epochs=1, quiet=True, options={"train.threads": 1, "train.preflight": False})
    with pytest.raises(DataError, match="each example has one class"):
        og.labels()
    assert "fold" not in "".join(capsys.readouterr())
