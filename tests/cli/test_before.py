"""`orthogon preflight` and `orthogon find-rate`, and the checks at the start of `orthogon train`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import orthogon as og
from orthogon.cli.main import app

NETS = '''
import torch
from torch import nn

class Healthy(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.first, self.last = nn.Linear(2, 16), nn.Linear(16, spec.outputs)
        nn.init.normal_(self.last.weight, std=0.05)

    def forward(self, x):
        return self.last(torch.relu(self.first(x)))

class Softmax(Healthy):
    def forward(self, x):
        return super().forward(x).softmax(1)

class Frozen(Healthy):
    def __init__(self, spec):
        super().__init__(spec)
        self.requires_grad_(False)
'''
FAST = ("--target", "bought", "--set", "train.threads=1", "--batch-size", "32")


def invoke(*arguments):
    return CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.fixture
def place(tmp_path):
    """A table in the current folder, and a file of networks."""
    a, b = np.random.default_rng(0).normal(size=(2, 400))
    lines = [f"{x:.4f},{y:.4f},{'yes' if x + y > 0 else 'no'}" for x, y in zip(a, b)]
    Path("shop.csv").write_text("a,b,bought\n" + "\n".join(lines) + "\n")
    Path("nets.py").write_text(NETS)
    return tmp_path


def test_preflight_passes_a_healthy_network_of_ones_own(place):
    done = invoke("preflight", "shop.csv", *FAST, "--model", "nets.py:Healthy", "--json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["passed"] is True
    assert document["checks"]["labels"]["evidence"] == "labels 0 to 1 for 2 outputs"


@pytest.mark.parametrize(("arguments", "check", "cause"), [
    (("--model", "nets.py:Softmax"), "outputs", "softmax before the cross-entropy"),
    (("--model", "nets.py:Frozen"), "trainable", "frozen"),
    (("--lr", "50", "--set", "train.optimizer=sgd"), "learning rate", ""),
])
def test_preflight_names_the_cause_and_exits_with_1(place, arguments, check, cause):
    done = invoke("preflight", "shop.csv", *FAST, *arguments, "--json")
    assert done.exit_code == 1, done.output
    found = json.loads(done.stdout)["checks"][check]
    assert found["status"] == "fail"
    assert cause in found["evidence"]
    assert found["remedy"]


def test_preflight_prints_a_table(place):
    done = invoke("preflight", "shop.csv", *FAST, "--model", "nets.py:Softmax")
    assert done.exit_code == 1
    assert done.stdout.startswith("preflight: ")
    assert "outputs           FAIL  each row" in done.stdout


def test_find_rate_prints_a_range_and_writes_a_picture(place):
    done = invoke("find-rate", "shop.csv", *FAST, "--model", "nets.py:Healthy", "--seeds", "2", "--save", "rate.svg")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("learning rate ")
    assert "2 of 2 sweeps" in done.stdout
    assert Path("rate.svg").read_text().startswith("<svg")
    document = json.loads(invoke("find-rate", "shop.csv", *FAST, "--model", "linear", "--seeds", "1", "--json").stdout)
    assert document["low"] <= document["lr"] <= document["high"]
    assert document["saved"] is None


def test_train_says_what_was_checked_in_one_line_unless_told_not_to(place):
    short = ("train", "shop.csv", *FAST, "--model", "nets.py:Healthy", "--epochs", "2")
    done = invoke(*short, "--name", "with")
    assert done.exit_code == 0, done.output
    lines = [line for line in done.stdout.splitlines() if line.startswith("preflight")]
    assert len(lines) == 1
    assert "checks passed" in lines[0]
    assert "warning" not in done.stdout
    silent = invoke(*short, "--name", "without", "--no-preflight")
    assert "preflight" not in silent.stdout
    assert og.Run.open("without").recipe().train.preflight is False


def test_training_with_the_checks_is_bit_identical_to_training_without_them(place):
    from safetensors.torch import load_file

    for name, more in (("with", ()), ("without", ("--no-preflight",))):
        done = invoke("train", "shop.csv", *FAST, "--epochs", "2", "--name", name, "-q", *more,
                      "--set", "model.options={hidden: [8], dropout: 0.3}")
        assert done.exit_code == 0, done.output
    one, other = (load_file(f"runs/{name}/bundle/model.safetensors") for name in ("with", "without"))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_train_warns_of_a_failure_and_goes_on(place):
    done = invoke("train", "shop.csv", *FAST, "--model", "nets.py:Softmax", "--epochs", "2")
    assert done.exit_code == 0, done.output
    assert "outputs: each row of outputs is positive" in " ".join(done.stdout.split())


def test_train_stops_where_nothing_could_be_learnt(place):
    done = invoke("train", "shop.csv", *FAST, "--model", "nets.py:Frozen", "--epochs", "2")
    assert done.exit_code == 2
    assert "all 4 parameters are frozen" in done.stderr
    assert "requires_grad" in done.stderr
