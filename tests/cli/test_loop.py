"""One small run through the verbs that come after training."""

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
from orthogon.errors import DataError


def invoke(*arguments):
    return CliRunner().invoke(app, [str(each) for each in arguments])


def write_table(path: Path, rows: int, seed: int) -> Path:
    generator = np.random.default_rng(seed)
    a, b = generator.normal(size=(2, rows))
    lines = [f"{x:.4f},{y:.4f},{'yes' if x + y > 0 else 'no'}" for x, y in zip(a, b)]
    path.write_text("a,b,bought\n" + "\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with a table, two runs on it, and another table; what the runs printed."""
    folder = tmp_path_factory.mktemp("loop")
    before = Path.cwd()
    os.chdir(folder)
    write_table(folder / "shop.csv", 150, 0)
    write_table(folder / "other.csv", 50, 1)
    first = invoke("train", "shop.csv", "--target", "bought", "--epochs", "3", "--json")
    assert first.exit_code == 0, first.output
    second = invoke("train", "shop.csv", "--target", "bought", "--epochs", "3", "--seed", "5", "-q", "--name", "again")
    assert second.exit_code == 0, second.output
    os.chdir(before)
    return folder, json.loads(first.stdout), second


@pytest.fixture
def place(finished, monkeypatch):
    """The same, as the current folder."""
    monkeypatch.chdir(finished[0])
    return finished


def test_train_prints_one_json_object_in_the_promised_shape(place):
    _, document, second = place
    assert document["run"] == "runs/shop-1"
    assert document["seconds"] > 0
    accuracy = document["splits"]["test"]["metrics"]["accuracy"]
    assert 0 <= accuracy["low"] <= accuracy["value"] <= accuracy["high"] <= 1
    assert document["splits"]["test"]["n"] == accuracy["n"]
    assert "linear" in document["baseline"]
    assert Path(document["report"]).exists()
    assert second.stdout == second.stderr == "", "--quiet says nothing"


def test_evaluate_gives_the_stored_scores(place):
    _, document, _ = place
    done = invoke("evaluate", "shop-1", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["splits"] == document["splits"]
    assert {"run", "seconds", "splits", "baseline"} <= set(found)
    text = invoke("evaluate", "last~1").stdout
    assert "95 % interval" in text
    assert "macro_f1" in text


def test_a_sealed_test_set_is_shown_on_demand_only_and_the_look_is_entered(place):
    folder, _, _ = place
    key = json.loads((folder / "runs/again/passport.json").read_text())["test_key"]
    sealed = json.loads(invoke("evaluate", "--json").stdout)
    assert "test" not in sealed["splits"]
    assert sealed["test"] == "test sealed, 1 look; --test to look again"
    assert "test sealed, 1 look" in invoke("evaluate").stdout
    assert len(Ledger("runs").looks(key)) == 1

    opened = json.loads(invoke("evaluate", "--test", "--json").stdout)
    assert opened["splits"]["test"]["metrics"]["accuracy"]["n"] == 30
    assert "test" in opened["baseline"]["linear"]
    assert [look.run for look in Ledger("runs").looks(key)] == ["shop-1", "again"]
    assert "test" in json.loads((folder / "runs/again/result.json").read_text())["splits"]


def test_evaluate_on_other_data(place):
    done = invoke("evaluate", "shop-1", "other.csv", "--json")
    assert done.exit_code == 0, done.output
    scored = json.loads(done.stdout)["splits"]["data"]
    assert scored["n"] == 50
    assert 0 <= scored["metrics"]["accuracy"]["value"] <= 1
    assert "data" in invoke("evaluate", "shop-1", "other.csv").stdout


def test_a_sealed_test_set_given_as_data_stays_sealed(place):
    folder, _, _ = place
    evaluated = og.Run.open("shop-1")
    ids = set(evaluated.rows("test").ids.tolist())
    whole = og.read("shop.csv", target="bought")
    part = whole.take(np.flatnonzero([name in ids for name in whole.ids.tolist()]))
    with pytest.raises(DataError, match="looked at before") as caught:
        og.evaluate("shop-1", part)
    assert "--test to look again" in str(caught.value)
    before = len(Ledger(folder / "runs").looks(part.content_hash()))
    assert og.evaluate("shop-1", part, test=True).splits["data"]["n"] == len(ids)
    assert len(Ledger(folder / "runs").looks(part.content_hash())) == before + 1


@pytest.mark.parametrize(("header", "says"), [("a,bought", "'b'"), ("a,b,sold", "bought")])
def test_other_columns_are_refused(place, header, says):
    Path("wrong.csv").write_text(header + "\n" + "\n".join(",".join(["1", "yes", "no"][: len(header.split(","))])
                                                           for _ in range(5)) + "\n")
    done = invoke("evaluate", "shop-1", "wrong.csv")
    assert done.exit_code == 2
    assert says in done.stderr


def test_predict_table_to_text_json_and_csv(place):
    folder, _, _ = place
    assert "prediction" in invoke("predict", "last", "other.csv").stdout
    document = json.loads(invoke("predict", "last", "other.csv", "--json").stdout)
    assert document["n"] == 50
    assert document["errors"] == 0
    assert set(document["predictions"][0]["probabilities"]) == {"yes", "no"}
    done = invoke("predict", "last", "other.csv", "--csv", folder / "out.csv")
    assert "out.csv" in done.stdout
    assert len((folder / "out.csv").read_text().splitlines()) == 51


def test_report_is_written_again(place):
    Path("runs/again/report.html").unlink()
    done = invoke("report")
    assert done.stdout.strip() == "runs/again/report.html"
    assert Path("runs/again/report.html").exists()
    assert json.loads(invoke("report", "shop-1", "--json").stdout) == {"report": "runs/shop-1/report.html"}


def test_an_unfinished_run_says_how_to_finish_it(place):
    run = og.Run.create(og.Recipe(), name="half")
    for verb in ("evaluate", "report"):
        done = invoke(verb, "half")
        assert done.exit_code == 2
        assert "--resume" in done.stderr
    assert invoke("summary", "shop-1").exit_code == 0
    assert "not finished" in invoke("list", "runs").stdout
    for path in sorted(run.path.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    run.path.rmdir()


def test_two_runs_in_one_folder_are_refused(place):
    done = invoke("train", "shop.csv", "--target", "bought", "--name", "again")
    assert done.exit_code == 2
    assert "--name" in done.stderr


@pytest.mark.parametrize(("text", "says"), [
    ("", "empty"),
    ("a,b,bought\n1,2,yes\n", ""),
    ("a,b,bought\n" + "1,2,yes\n" * 20, "one"),
    ("a,a,bought\n" + "1,2,yes\n" * 20, "a"),
])
def test_tables_that_cannot_be_learnt_from(place, text, says):
    Path("bad.csv").write_text(text)
    done = invoke("train", "bad.csv", "--target", "bought", "--epochs", "1")
    assert done.exit_code == 2, done.output
    assert says in done.stderr


def test_a_folder_without_pictures(place):
    Path("empty").mkdir(exist_ok=True)
    done = invoke("train", "empty")
    assert done.exit_code == 2
    assert "picture" in done.stderr


def test_diagnose_says_the_verdict_as_text_and_as_json(place):
    text = invoke("diagnose", "shop-1", "--human", "1/40")
    assert text.exit_code == 0, text.output
    for piece in ("baseline, on dev", "1 wrong of 40", "human to train", "dev overfitting", "is tolerated"):
        assert piece in text.stdout
    found = json.loads(invoke("diagnose", "shop-1", "--goal", "accuracy=0.9", "--tolerance", "3", "--json").stdout)
    assert found["tolerance"] == pytest.approx(0.03)
    assert found["reference"]["kind"] == "goal"
    assert {gap["name"] for gap in found["gaps"]} == {"bias", "variance", "mismatch", "dev overfitting"}
    assert json.loads(Path("runs/shop-1/evidence/diagnosis.json").read_text())["sentence"] == found["sentence"]


def test_a_bare_number_is_no_human_level(place):
    refused = invoke("diagnose", "shop-1", "--human", "0.98")
    assert refused.exit_code == 2
    assert "on how many examples it was measured" in refused.stderr
    assert "6/300 for 6 wrong of 300" in refused.stderr
