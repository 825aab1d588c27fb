"""Weights by the verbs: trained from, listed, fetched, verified, converted."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import orthogon as og
from orthogon.cli.main import app
from orthogon.errors import DataError, RecipeError
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.train import published
from orthogon.train import weights as by_name
from orthogon.train.build import build_model
from orthogon.train.published import Preprocessing, Published
from orthogon.train.recipe import Recipe
from orthogon.train.settings import ModelSettings
from orthogon.train.weight_files import read_tensors, tensors_of
from orthogon.verbs import get as get_verb
from orthogon.verbs import verify as verify_verb
from orthogon.verbs.compose import compose
from orthogon.verbs.prepare import prepare
from orthogon.verbs.train import explain

FAST = {"train.epochs": 1, "train.preflight": False, "train.health": False, "train.threads": 1}
CIFAR = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def network(seed: int = 5) -> torch.nn.Module:
    spec = ModelSpec((InputSpec("image", (3, 32, 32)),), 10)
    return build_model(spec, ModelSettings(name="resnet20", options={"width": 4}), seed)


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Published weights of a narrow ResNet-20: the file at its address, and the entry of the table."""
    source = tmp_path / "internet" / "toy.pth"
    source.parent.mkdir()
    torch.save(network().state_dict(), source)
    entry = Published(
        "resnet20", "toy", source.as_uri(), hashlib.sha256(source.read_bytes()).hexdigest()[:8], 1.0, "MIT", "nobody",
        Preprocessing(16, (100.0, 110.0, 120.0), (50.0, 60.0, 70.0)), "cifar10", options={"width": 4},
    )
    monkeypatch.delenv("ORTHOGON_DATA", raising=False)
    for module in (published, by_name, get_verb, verify_verb):
        monkeypatch.setattr(module, "PUBLISHED", (entry,))
    return entry, source


@pytest.fixture
def pictures():
    """40 pictures of 20×20, two of whose three classes the toy knows."""
    drawn = np.random.default_rng(0).integers(0, 256, (60, 20, 20, 3), np.uint8)
    return {"image": drawn, "label": np.array(["cat", "moon", "Dog"] * 20)}


def trained(pictures, **more):
    transfer = {"train.transfer": "all"} if "weights" in more else {}
    return og.train(pictures, target="label", quiet=True, options={**FAST, **transfer, **more.pop("options", {})},
                    **more)


# --- training ------------------------------------------------------------------------------------------------


def test_training_starts_from_the_weights_and_sees_pictures_as_they_did(toy, pictures):
    run = trained(pictures, model="resnet20", weights="cifar10", lr=1e-9)
    recipe = run.recipe()
    assert (recipe.model.weights, recipe.model.options) == ("toy", {"width": 4})
    assert (recipe.data.image_size, recipe.data.channels) == (16, 3)
    bundle = json.loads((run.path / "bundle" / "bundle.json").read_text())
    encoder = bundle["task"]["state"]["inputs"]["encoders"][0]
    assert encoder["mean"] == [100.0, 110.0, 120.0]
    assert encoder["std"] == [50.0, 60.0, 70.0]
    assert bundle["classes"] == ["Dog", "cat", "moon"]
    shipped = og.load(run).model
    wanted = network()
    assert torch.allclose(shipped.layer2[0].conv1.weight, wanted.layer2[0].conv1.weight, atol=1e-6)
    assert torch.allclose(shipped.linear.weight[:2], wanted.linear.weight[[5, 3]], atol=1e-6)


def test_what_is_shipped_and_what_is_resumed_need_the_weights_no_more(toy, pictures, tmp_path):
    run = trained(pictures, model="resnet20", weights="toy", options={"train.epochs": 2})
    whole = og.load(run).model.state_dict()
    (run.path / "result.json").unlink()
    toy[1].unlink()
    for path in by_name.weights_cache().glob("*"):
        path.unlink()
    assert og.load(run).classes == ("Dog", "cat", "moon")
    resumed = og.train(pictures, resume=run, quiet=True)
    assert all(torch.equal(value, whole[name]) for name, value in og.load(resumed).model.state_dict().items())


def test_a_run_serves_as_weights_with_its_preprocessing(pictures):
    first = trained(pictures, model="convnet", options={"data.image_size": 16, "model.options": {"width": 4}})
    second = trained(pictures, weights=str(first.path), lr=1e-9)
    assert second.recipe().model.name == "convnet"
    assert second.recipe().model.options["width"] == 4
    one, other = og.load(first), og.load(second)
    state = other.model.state_dict()
    assert all(torch.allclose(value.float(), state[name].float(), atol=1e-5) for name, value in
               one.model.state_dict().items() if "running" not in name and "num_" not in name)
    encoders = [each.task.inputs.encoders[0] for each in (one, other)]
    assert encoders[0].mean == pytest.approx(encoders[1].mean)


def test_a_head_learns_on_the_stored_features_of_a_run_that_was_trained_by_written_out_gradients(pictures):
    first = trained(pictures, model="mlp", options={"data.image_size": 16, "model.options": {"hidden": [8]}})
    assert first.recipe().train.explicit is True
    second = trained(pictures, weights=str(first.path), options={"train.transfer": "features"})
    assert second.recipe().train.explicit is False
    with pytest.raises(RecipeError, match="stored features"):
        trained(pictures, weights=str(first.path), options={"train.transfer": "features", "train.explicit": True})


def test_explain_says_what_comes_from_the_weights(toy, pictures):
    told = {key: (value, origin) for key, value, origin in
            explain(pictures, target="label", model="resnet20", weights="toy", options={"data.image_size": 24})}
    assert told["data.normalize"] == ({"mean": [100.0, 110.0, 120.0], "std": [50.0, 60.0, 70.0]}, "weights")
    assert told["data.channels"] == (3, "weights")
    assert told["model.options"] == ({"width": 4}, "weights")
    assert told["data.image_size"] == (24, "given")
    assert told["model.weights"] == ("toy", "given")


def test_fitted_normalization_can_be_asked_for(toy, pictures):
    recipe, _ = compose(target="label", model="resnet20", weights="toy", options={"data.normalize": "fitted"})
    encoder = prepare(recipe, pictures).task(np.arange(30)).inputs.encoders[0]
    assert encoder.mean == pytest.approx([127.5] * 3, abs=5)


def test_other_weights_take_what_the_first_ones_filled_with_them(toy, monkeypatch):
    entry, _ = toy
    other = replace(entry, name="other", preprocessing=Preprocessing(16, (1.0,) * 3, (2.0,) * 3))
    monkeypatch.setattr(by_name, "PUBLISHED", (entry, other))
    first, _ = compose(model="resnet20", weights="toy")
    again, _ = compose(recipe=first, weights="other")
    assert again.data.normalize.mean == [1.0] * 3
    assert again.model.weights == "other"


def test_weights_that_changed_since_the_recipe_was_made_are_refused(pictures):
    torch.save(network(seed=1).state_dict(), "mine.pth")
    recipe, _ = compose(target="label", model="resnet20", weights="mine.pth",
                        options={**FAST, "model.options": {"width": 4}})
    torch.save(network(seed=2).state_dict(), "mine.pth")
    with pytest.raises(RecipeError, match="not the weights that the recipe was made with"):
        og.train(pictures, recipe=recipe, quiet=True)


def test_no_folder_is_made_for_weights_that_do_not_exist(pictures):
    with pytest.raises(RecipeError, match="no published weights of resnet20"):
        trained(pictures, model="resnet20", weights="imagnet")
    assert not Path("runs").exists()


def test_normalize_is_held_against_the_channels(pictures):
    with pytest.raises(RecipeError, match="1 channels are normalized, the pictures have 3"):
        trained(pictures, options={"data.normalize": {"mean": [1.0], "std": [2.0]}})
    with pytest.raises(RecipeError, match="equally many"):
        Recipe().with_values({"data.normalize": {"mean": [1.0], "std": [2.0, 1.0]}})
    with pytest.raises(RecipeError, match="greater than 0"):
        Recipe().with_values({"data.normalize": {"mean": [1.0], "std": [0.0]}})


# --- list, get, verify, convert ------------------------------------------------------------------------------


def test_weights_are_listed_with_size_licence_and_whether_they_are_here(toy):
    (found,) = og.list("weights").rows
    assert found["name"] == "resnet20/toy"
    assert (found["classes"], found["pixels"], found["licence"], found["here"]) == (10, 16, "MIT", False)
    og.get("resnet20/toy")
    assert og.list("weights").rows[0]["here"]


def test_get_fetches_verifies_and_says_how_to_use_them(toy):
    got = og.get("resnet20/cifar10")
    assert (got.folder / "toy.pth").is_file()
    assert "--model resnet20 --weights toy" in str(got)
    assert "MIT" in str(got)


def test_get_refuses_another_content_and_keeps_nothing_of_it(toy):
    toy[1].write_bytes(toy[1].read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match="not what was expected"):
        og.get("resnet20/toy")
    assert not list(by_name.weights_cache().glob("toy*"))


def test_get_refuses_more_than_there_should_be(toy):
    with toy[1].open("ab") as file:
        file.write(bytes(4 << 20))
    with pytest.raises(DataError, match="longer"):
        og.get("resnet20/toy")


@pytest.mark.parametrize(("name", "told"), [("resnet20/tyo", "resnet20/toy"), ("resnet18", "MODEL/NAME")])
def test_get_names_the_nearest(toy, name, told):
    with pytest.raises(DataError, match=told):
        og.get(name)


def test_verify_reads_every_byte_again(toy):
    got = og.get("resnet20/toy")
    assert og.verify("resnet20/toy")
    path = got.folder / "toy.pth"
    damaged = bytearray(path.read_bytes())
    damaged[-5] ^= 1
    path.write_bytes(damaged)
    found = og.verify()
    assert not found
    assert [each.state for each in found.files] == ["damaged"]
    assert og.verify(path).files[0].name == "resnet20/toy"
    assert not og.verify(path)


def test_verify_knows_what_was_converted_and_what_it_does_not_know(toy, tmp_path):
    tensors_of(by_name.find("resnet20/toy"))
    found = og.verify()
    assert [each.state for each in found.files] == ["sound", "sound"]
    (tmp_path / "mine.pth").write_bytes(b"mine")
    assert og.verify("mine.pth").files[0].state == "unknown"
    with pytest.raises(RecipeError, match="no such file"):
        og.verify("none.pth")
    found.files[1].path.write_bytes(b"x")
    assert not og.verify()


def test_convert_writes_what_the_model_has_and_what_the_file_is(toy):
    og.get("resnet20/toy")
    written = og.convert("resnet20/toy")
    assert written.path == Path("resnet20-toy.safetensors")
    found = by_name.find(str(written.path))
    assert (found.model, found.licence, found.classes, found.options) == ("resnet20", "MIT", CIFAR, {"width": 4})
    assert found.preprocessing == toy[0].preprocessing
    assert all(torch.equal(value, network().state_dict()[name]) for name, value in
               read_tensors(written.path).items())
    again = og.convert(written.path, out="again.safetensors")
    assert again.path.read_bytes() == written.path.read_bytes()


def test_convert_finds_the_model_by_its_tensors_and_refuses_another(tmp_path):
    spec = ModelSpec((InputSpec("image", (3, 32, 32)),), 7)
    state = build_model(spec, ModelSettings(name="resnet32"), 0).state_dict()
    np.savez("mine.npz", **{name: value.numpy() for name, value in state.items()})
    written = og.convert("mine.npz")
    assert written.model == "resnet32"
    assert by_name.find("mine.safetensors").model == "resnet32"
    with pytest.raises(RecipeError, match="not of this model"):
        og.convert("mine.npz", model="resnet20")
    with pytest.raises(RecipeError, match=r"a \.safetensors file"):
        og.convert("mine.npz", out="mine.pth")


def test_the_commands_say_the_same_as_json(toy):
    run = CliRunner().invoke
    assert json.loads(run(app, ["get", "resnet20/toy", "--json"]).stdout)["licence"] == "MIT"
    verified = run(app, ["verify", "--json"])
    assert verified.exit_code == 0
    assert json.loads(verified.stdout)["sound"] is True
    (by_name.weights_cache() / "toy.pth").write_bytes(b"x")
    assert run(app, ["verify"]).exit_code == 1
    assert run(app, ["convert", "resnet20/toy"]).exit_code == 2
    assert "resnet20/toy" in run(app, ["list", "weights"]).stdout


def test_completion_knows_weights(toy):
    from orthogon.cli import complete

    assert "toy" in [name for name, _ in complete.weights("to")]
