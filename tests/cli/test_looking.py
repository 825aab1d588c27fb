"""`orthogon mistakes` and `orthogon human` as they are typed."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import orthogon as og
from orthogon.cli.main import app


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def run() -> og.Run:
    target = np.array(["cat", "dog"])[np.arange(200) % 2]
    said = np.where(np.arange(200) < 30, "cat", target)
    return og.read_predictions({"id": np.array([f"e{k:03d}" for k in range(200)]), "split": np.array(["dev"] * 200),
                                "target": target, "prediction": said}, name="pets", quiet=True)


def test_from_the_page_to_the_table_of_tags(run):
    done = invoke("mistakes")
    assert done.exit_code == 0, done.output
    assert "orthogon mistakes pets --tags tags.csv" in done.stdout
    document = json.loads(invoke("mistakes", "pets", "--n", "5", "--json").stdout)
    assert document["shown"] == 5
    assert document["in_eyeball"] == 15, "half of dev would hold too few mistakes: all of it is looked at"
    assert document["blackbox"] == 0
    ids = re.findall(r'data-id="(.*?)"', Path(document["page"]).read_text())
    Path("tags.csv").write_text("id,tag\n" + "".join(f"{one},blurred\n" for one in ids))
    done = invoke("mistakes", "--tags", "tags.csv")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[2].split()[:4] == ["blurred", "5", "of", "5"]
    found = json.loads(invoke("mistakes", "--tags", "tags.csv", "--json").stdout)
    assert found["tags"][0]["ceiling"]["value"] == pytest.approx(15 / 200)


def test_unknown_ids_are_an_error_that_names_them_and_counts_the_rest(run):
    ids = run.rows("dev").ids
    Path("tags.csv").write_text(f"id,tag\n{ids[1]},blurred\nzebra.png,blurred\n")
    done = invoke("mistakes", "--tags", "tags.csv")
    assert done.exit_code == 1
    assert "'zebra.png'; 1 counted" in done.stdout
    Path("tags.csv").write_text("id,tag\nzebra.png,blurred\n")
    done = invoke("mistakes", "--tags", "tags.csv")
    assert done.exit_code == 2
    assert "'zebra.png'" in done.stderr
    assert invoke("mistakes", "--share", "2").exit_code == 2
    assert invoke("mistakes", "--tags", "nowhere.csv").exit_code == 2


def test_human_from_page_to_rate():
    done = invoke("human", "digits", "--n", "12", "--json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["n"] == 12
    ids = re.findall(r'data-id="(.*?)"', Path(document["page"]).read_text())
    Path("answers.csv").write_text("id,answer\n" + "".join(f"{one},3\n" for one in ids))
    done = invoke("human", "--answers", "answers.csv", "--who", "anna", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["best"]["n"] == 12
    again = invoke("human", "--answers", "answers.csv", "--who", "anna")
    assert again.exit_code == 2
    assert "answered 12 of these 12 examples before" in again.stderr
    Path("answers.csv").write_text("id,answer\n" + "".join(f"{one},ten\n" for one in ids))
    assert "no class 'ten'" in invoke("human", "--answers", "answers.csv").stderr


def test_help_names_them_without_loading_torch():
    import subprocess

    code = ("import sys, orthogon.cli.main; orthogon.cli.main.app(['--help'], standalone_mode=False);"
            "print('torch' in sys.modules)")
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "mistakes" in said
    assert "human" in said
    assert said.rstrip().endswith("False")
