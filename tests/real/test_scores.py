"""Scores on real data, through the command line, as a user gets them. Slow: about half an hour in all on two cores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

DATA = os.environ.get("ORTHOGON_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="set ORTHOGON_DATA to the folder of public data sets")
pytestmark = pytest.mark.real


def orthogon(folder: Path, *arguments: str) -> dict[str, Any]:
    """The JSON that a command prints."""
    done = subprocess.run([sys.executable, "-m", "orthogon", *arguments, "--json"], cwd=folder, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def mean_over_seeds(folder: Path, seeds: int, *arguments: str) -> float:
    """Mean test accuracy; every seed looks at the same test set, and says so."""
    results = [orthogon(folder, *arguments, "--seed", str(seed), "--test") for seed in range(seeds)]
    return float(np.mean([result["splits"]["test"]["metrics"]["accuracy"]["value"] for result in results]))


@pytest.mark.timeout(600)
def test_digits(tmp_path):
    assert mean_over_seeds(tmp_path, 5, "train") >= 0.99


@needs_data
@pytest.mark.timeout(2400)
def test_fashion_mnist_in_six_minutes(tmp_path):
    assert mean_over_seeds(tmp_path, 3, "train", "fashion-mnist", "--model", "convnet", "--minutes", "6") >= 0.93


@needs_data
@pytest.mark.timeout(2400)
def test_mnist_with_lenet5(tmp_path):
    assert mean_over_seeds(tmp_path, 3, "train", "mnist", "--model", "lenet5") >= 0.99


@needs_data
@pytest.mark.timeout(600)
def test_adult_and_an_honest_verdict(tmp_path):
    result = orthogon(tmp_path, "train", "adult")
    test = result["splits"]["test"]
    assert test["n"] == 16_281
    assert test["metrics"]["accuracy"]["value"] >= 0.85
    assert test["metrics"]["roc_auc"]["value"] >= 0.905
    boosted = result["baseline"]["boosted trees"]["test"]["metrics"]
    assert boosted["accuracy"]["value"] == pytest.approx(0.871, abs=0.005)
    assert boosted["roc_auc"]["value"] == pytest.approx(0.927, abs=0.004)
    if boosted["accuracy"]["low"] > test["metrics"]["accuracy"]["value"]:
        assert result["verdict"].startswith("The baseline wins")


@needs_data
@pytest.mark.timeout(600)
def test_wine_quality_as_a_number(tmp_path):
    result = orthogon(tmp_path, "train", "wine-quality")
    assert result["splits"]["test"]["metrics"]["r2"]["low"] > 0.3
    assert result["splits"]["test"]["metrics"]["rmse"]["value"] < 0.75


@needs_data
@pytest.mark.timeout(900)
def test_photographs_of_mixed_sizes(tmp_path):
    result = orthogon(tmp_path, "train", "trashnet", "--epochs", "20")
    majority = result["baseline"]["majority"]["dev"]["metrics"]["accuracy"]
    assert result["splits"]["dev"]["metrics"]["accuracy"]["low"] > majority["high"]
