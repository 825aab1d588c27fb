"""`orthogon compare` and `orthogon read-predictions`."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from orthogon.cli.main import app


def invoke(*arguments):
    return CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.fixture(autouse=True)
def _tables():
    """Two models, wrong in 20 and in 5 of 100 dev examples."""
    target = np.arange(200) % 2
    for name, wrong in (("old", 20), ("new", 5)):
        prediction = target.copy()
        prediction[100 : 100 + wrong] = 1 - target[100 : 100 + wrong]
        pl.DataFrame({"id": [f"e{k}" for k in range(200)], "split": np.repeat(["train", "dev"], 100),
                      "target": target, "prediction": prediction}).write_csv(f"{name}.csv")


def test_two_tables_become_runs_and_are_compared():
    read = invoke("read-predictions", "old.csv", "--name", "old")
    assert read.exit_code == 0, read.output
    assert "old" in read.stdout
    assert "verdict" in read.stdout
    document = json.loads(invoke("read-predictions", "new.csv", "--name", "new", "--json").stdout)
    assert document["foreign"] is True
    assert document["splits"]["dev"]["n"] == 100
    shown = invoke("compare", "old", "new")
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.startswith("dev 20.0 -> 5.0   better by 15.0 [")
    assert "no test set" in shown.stdout.splitlines()[0]
    told = json.loads(invoke("compare", "old", "new", "--json").stdout)
    assert told["lines"][1]["put_right"] == 15
    assert "= best" not in invoke("list", "runs").stdout


def test_faults_are_messages_with_exit_code_2():
    refused = invoke("read-predictions", "old.csv", "--task", "regress", "--positive", "1", "--model", "tree")
    assert refused.exit_code == 0  # a name for the one model that there is
    pl.DataFrame({"id": [1], "label": [2]}).write_csv("bad.csv")
    refused = invoke("read-predictions", "bad.csv", "--json")
    assert refused.exit_code == 2
    assert "there is no column 'split', 'target', 'prediction'" in json.loads(refused.stdout)["error"]["what"]
    assert invoke("compare", "nothing", "last").exit_code == 2
    assert invoke("compare", "last", "--part", "train").exit_code == 2
