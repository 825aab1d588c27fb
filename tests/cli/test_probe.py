"""`orthogon probe`: its options, its JSON, its errors."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from orthogon.cli.main import app


def invoke(*arguments):
    return CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.fixture
def table(tmp_path):
    a, b = np.random.default_rng(0).normal(size=(2, 300))
    lines = [f"{x:.4f},{y:.4f},{'yes' if x > y else 'no'}" for x, y in zip(a, b)]
    (tmp_path / "shop.csv").write_text("a,b,bought\n" + "\n".join(lines) + "\n")


def test_probe_prints_one_json_object_and_then_the_work_list(table):
    assert invoke("train", "shop.csv", "--target", "bought", "--model", "linear", "--epochs", "2", "--lr", "0.0001",
                  "--no-preflight", "-q").exit_code == 0
    asked = ("probe", "--try", "quicker: train.lr=0.1", "--budget", "12", "--jobs", "1", "-q")
    done = invoke(*asked, "--json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert {"run", "results", "spread", "spent", "promise", "work", "next"} <= set(document)
    assert "quicker" in [each["name"] for each in document["results"]]
    shown = invoke(*asked)
    assert "work list" in shown.stdout
    assert "quicker" in shown.stdout
    assert "next " in shown.stdout


def test_probe_without_a_run_and_with_a_wrong_change_is_refused(table):
    assert invoke("probe").exit_code == 2
    assert invoke("train", "shop.csv", "--target", "bought", "--epochs", "1", "--no-preflight", "-q").exit_code == 0
    wrong = invoke("probe", "--try", "train.lrr=3")
    assert wrong.exit_code == 2
    assert "train.lr" in wrong.output
    assert invoke("probe", "--minutes", "0").exit_code == 2
