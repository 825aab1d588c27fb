"""Autoencoders from data to report, and what becomes of them: features of a classifier, codes of new pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import orthogon as og
from orthogon.data.columns import CategoryColumn, NumberColumn
from orthogon.data.dataset import Dataset
from orthogon.errors import RecipeError
from orthogon.nn.autoencoder import autoencoder, conv_autoencoder
from orthogon.nn.heads import new_head
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.train import recipes
from orthogon.train.pretrained import load_weights, sentence
from orthogon.train.weights import find, of_run

QUICK: dict[str, Any] = {"train.threads": 1, "train.preflight": False, "train.health": False}


def digits(count: int = 300) -> Dataset:
    return og.read("digits").take(np.arange(count))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    options = {**QUICK, "model.options": {"code": 8, "width": 8}, "task.noise": 0.2}
    return og.train(digits(), task="reconstruct", epochs=4, options=options, out=tmp_path_factory.mktemp("runs"),
                    quiet=True)


def test_a_run_without_a_target_goes_from_data_to_verdict_report_and_bundle(run):
    result = run.result
    assert (result["task"], result["metric"]) == ("reconstruct", "nats")
    assert set(result["splits"]["dev"]["metrics"]) == {
        "nats", "bits_per_value", "squared_error", "psnr_gain", "psnr", "rounded_accuracy"}
    compared = {(each["baseline"], each["metric"]) for each in result["comparisons"]}
    assert compared == {("mean", "nats"), ("principal components", "nats")}
    assert all(each["low"] <= each["difference"] <= each["high"] for each in result["comparisons"])
    assert result["verdict"]
    assert (run.path / "report.html").exists()
    assert run.rows("dev")["prediction"].shape == (60, 8)


def test_a_run_can_be_asked_again(run):
    """evaluate, diagnose, predict."""
    again = og.evaluate(run, digits(50))
    assert "nats" in str(again)
    assert og.diagnose(run).sentence
    answers = og.load(run).predict(digits(5))
    assert [len(each["code"]) for each in answers] == [8] * 5
    assert all(each["squared_error"] >= 0 for each in answers)


def test_the_encoder_begins_a_classifier(run):
    """Row 23.01: the decoder is dropped, the encoder used for classification."""
    found = og.train(digits(), task="classify", weights=str(run.path), epochs=1, out=run.path.parent, quiet=True,
                     options={**QUICK, "train.transfer": "features", "model.options": {"code": 8, "width": 8}})
    assert found.recipe().model.name == "conv_autoencoder"
    own, given = (og.load(each).model.state_dict() for each in (found, run))
    trunk = [name for name in own if name.startswith("encoder.")]
    assert trunk
    assert all(torch.equal(own[name], given[name]) for name in trunk)
    assert own["head.weight"].shape == (10, 8)


def test_a_head_of_another_kind_is_let_go_either_way(run):
    weights = of_run(run)
    spec = ModelSpec((InputSpec("image", (1, 8, 8)),), 10)
    classifier = conv_autoencoder(spec, code=8, width=8)
    before = classifier.head.weight.clone()
    load_weights(classifier, weights, tuple("0123456789"))
    assert torch.equal(classifier.head.weight, before)
    assert torch.equal(classifier.encoder.code.weight, og.load(run).model.encoder.code.weight)
    assert "the head as well, where it is of the same kind" in sentence(weights, ())

    projector = conv_autoencoder(spec, code=8, width=8)
    new_head(projector, [torch.zeros(2, 1, 8, 8)], [16], 4)
    load_weights(projector, weights, ())
    assert torch.equal(projector.encoder.code.weight, classifier.encoder.code.weight)


def test_a_head_of_the_same_kind_is_taken(run):
    spec = ModelSpec((InputSpec("image", (1, 8, 8)),), 1, rebuilds=True)
    same = conv_autoencoder(spec, code=8, width=8)
    load_weights(same, of_run(run), ())
    wanted = og.load(run).model.state_dict()
    assert all(torch.equal(value, wanted[name]) for name, value in same.state_dict().items())


def test_training_goes_on_from_an_autoencoder(run):
    """The pixels of its weights are in 0 … 1, as numbers of mean and deviation."""
    found = og.train(digits(), task="reconstruct", weights=str(run.path), epochs=1, out=run.path.parent, quiet=True,
                     options={**QUICK, "train.transfer": "all"})
    assert found.result["splits"]["dev"]["n"] == 60
    assert find(str(run.path)).model == "conv_autoencoder"


def test_a_table_is_rebuilt_better_than_by_its_mean(tmp_path):
    draw = np.random.default_rng(0)
    factors = draw.normal(size=(300, 2))
    values = np.tanh(factors @ draw.normal(size=(2, 6))) + 0.05 * draw.normal(size=(300, 6))
    data = Dataset("factors", {"x": NumberColumn(values), "y": CategoryColumn((factors[:, 0] > 0).astype(int), "ab")},
                   "y", np.arange(300).astype(str))
    run = og.train(data, task="reconstruct", epochs=10, options={**QUICK, "model.options": {"code": 2}}, out=tmp_path,
                   quiet=True)
    assert (run.result["metric"], run.recipe().model.name) == ("squared_error", "autoencoder")
    against = {each["baseline"]: each["verdict"] for each in run.result["comparisons"] if each["split"] == "dev"}
    assert against["mean"] == "better"
    assert [each["name"] for each in run.read_json("sheets.json")] == ["codes"]


def test_the_stacked_autoencoder_of_the_course_runs_by_name(tmp_path):
    """Row 23.02, one epoch on the bundled digits: Adam at 0.01, seed 42, judged by rounded accuracy."""
    recipe = recipes.read("classic/stacked-autoencoder")
    assert (recipe.train.optimizer, recipe.train.lr, recipe.train.epochs, recipe.train.seed) == ("adam", 0.01, 20, 42)
    model = autoencoder(ModelSpec((InputSpec("image", (1, 28, 28)),), 1, rebuilds=True), **recipe.model.options)
    assert sum(each.numel() for each in model.parameters()) == 78_500 + 3_030 + 3_100 + 79_184
    run = og.train(digits(), recipe="classic/stacked-autoencoder", epochs=1, options=QUICK, out=tmp_path, quiet=True)
    assert run.result["metric"] == "rounded_accuracy"
    assert {each["metric"] for each in run.result["comparisons"]} == {"rounded_accuracy"}


def test_a_latent_of_size_zero_is_refused_before_training(tmp_path):
    with pytest.raises(RecipeError, match="code") as caught:
        og.train(digits(), task="reconstruct", model="vae", options={**QUICK, "model.options": {"code": 0}},
                 out=tmp_path, quiet=True)
    assert "code" in caught.value.where


def test_checks_before_training_know_outputs_that_are_pictures():
    found = og.preflight(digits(), task="reconstruct", model="vae", options={"model.options": {"hidden": [16]}})
    assert found.passed
    assert found.outcomes["initial loss"].status == "pass"
    assert found.outcomes["one batch"].evidence == "the loss of reconstruct does not come to zero where all is learnt"
