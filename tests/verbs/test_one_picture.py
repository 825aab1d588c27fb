"""`stylize` and `restore` as a person calls them: runs, resuming, reports, and bad input."""

from __future__ import annotations

import json
import os
import signal

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import orthogon as og
from orthogon.cli.main import main
from orthogon.errors import DataError, Interrupted, RecipeError, RunError
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.train.observers import Observer
from orthogon.train.weights import NOTE
from orthogon.vision.convnet import convnet

OPTIONS = {"width": 4, "stages": 2}


@pytest.fixture
def world(tmp_path, monkeypatch):
    """content.png, style.png and small.png, and eye.safetensors: a small network with random weights."""
    monkeypatch.chdir(tmp_path)
    draws, (y, x) = np.random.default_rng(0), np.mgrid[:24, :32]
    Image.fromarray(np.stack([8 * x, 10 * y, 4 * (x + y)], -1).astype(np.uint8)).save("content.png")
    Image.fromarray(draws.integers(0, 256, (40, 30, 3), dtype=np.uint8)).save("style.png")
    Image.new("RGB", (20, 20), (1, 200, 7)).save("flat.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG no picture")
    torch.manual_seed(0)
    network = convnet(ModelSpec((InputSpec("image", (3, 32, 32)),), 2), **OPTIONS)
    note = {"title": "a small eye", "model": "convnet", "options": OPTIONS, "classes": ["a", "b"], "licence": "",
            "preprocessing": {"size": 32, "mean": [120.0, 118.0, 104.0], "std": [60.0, 61.0, 62.0], "fit": "crop"}}
    save_file(network.state_dict(), "eye.safetensors", {NOTE: json.dumps(note)})
    return tmp_path


EYE = {"model": "convnet", "weights": "eye.safetensors", "size": [16, 24], "steps": 2, "device": "cpu", "quiet": True}


class StopAfter(Observer):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_epoch(self, event):
        if event["step"] == self.step:
            os.kill(os.getpid(), signal.SIGTERM)


def test_a_picture_is_stylized_into_a_run_with_picture_result_and_report(world, capsys):
    run = og.stylize("content.png", "style.png", **EYE | {"quiet": False})
    assert run.name == "content-1"
    assert Image.open(run.path / "picture.png").size == (24, 18)
    result = run.result
    assert result["task"] == "stylize"
    assert set(result["figures"]) == {"style", "content", "variation"}
    page = (run.path / "report.html").read_text(encoding="utf-8")
    for said in ("content in the style of style", "Style cost", "Variation by step", "orthogon stylize --recipe"):
        assert said.lower() in page.lower(), said
    assert page.count("data:image/") >= 4  # what was made, content, style, the strip
    assert og.report(run) == run.path / "report.html"
    told = capsys.readouterr().out
    assert "style from" in told
    assert "verdict" in told
    assert "content-1" in str(og.list("runs"))


def test_a_stopped_stylization_says_how_to_go_on_and_ends_with_the_same_pixels(world):
    whole = og.stylize("content.png", "style.png", **EYE)
    with pytest.raises(Interrupted) as caught:
        og.stylize("content.png", "style.png", **EYE, observers=[StopAfter(1)], name="cut")
    assert "orthogon stylize --resume runs/cut" in caught.value.remedy
    assert not (world / "runs/cut/result.json").exists()
    run = og.stylize(resume="runs/cut", quiet=True)
    assert (run.path / "picture.png").read_bytes() == (whole.path / "picture.png").read_bytes()
    with pytest.raises(RunError, match="has ended already"):
        og.stylize(resume="runs/cut")
    with pytest.raises(RunError, match="no run of restore") as caught:
        og.restore(resume="runs/cut")
    assert "orthogon stylize --resume" in caught.value.remedy
    with pytest.raises(RunError, match="one picture") as caught:
        og.train(resume="runs/cut", quiet=True)
    assert "orthogon stylize --resume" in caught.value.remedy


def test_the_recipe_of_a_run_makes_the_same_picture_again(world):
    first = og.stylize("content.png", "style.png", **EYE)
    again = og.stylize(recipe=first.path / "recipe.yaml", quiet=True)
    assert (again.path / "picture.png").read_bytes() == (first.path / "picture.png").read_bytes()
    options = first.recipe().task.options
    assert options["sizes"] == [16, 24]
    assert sum(options["style_layers"].values()) == pytest.approx(1)


def test_a_picture_is_restored_into_a_run(world):
    given = np.asarray(Image.open("content.png")).astype(int)
    noisy = np.clip(given + np.random.default_rng(1).normal(0, 25, given.shape), 0, 255)
    Image.fromarray(noisy.astype(np.uint8)).save("noisy.png")
    run = og.restore("noisy.png", truth="content.png", steps=10, quiet=True, device="cpu",
                     options={"train.threads": 1})
    assert Image.open(run.path / "picture.png").size == (32, 24)
    assert set(run.result["figures"]) == {"psnr", "gain", "variance"}
    assert "dB over the given picture" in run.result["verdict"]
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert "noisy, without noise" in page
    assert "Psnr by step" in page or "psnr by step" in page


# --- bad input ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("pair", "kind", "what"), [
    (("content.png", "flat.png"), DataError, "the style picture has no contrast"),
    (("flat.png", "style.png"), DataError, "the content picture has no contrast"),
    (("content.png", "broken.png"), DataError, "not a readable JPEG, PNG or WEBP"),
    (("content.png", "nowhere.png"), DataError, "there is no such file"),
    (("content.png", None), RecipeError, "two pictures are needed"),
])
def test_pictures_that_cannot_be_used_are_named_before_a_run_is_made(world, pair, kind, what):
    with pytest.raises(kind, match=what) as caught:
        og.stylize(*pair, **EYE)
    assert caught.value.where
    assert not (world / "runs").exists()


@pytest.mark.parametrize(("options", "what", "remedy"), [
    ({"layers": "features.99"}, "no layer 'features.99'", "Layers with maps:"),
    ({"layers": {"a": -1.0}}, "weights of layers", "features.1=1"),
    ({"optimizer": "sgd"}, "not painted by 'sgd'", "lbfgs, adam"),
    ({"model": "convnetz"}, "no model called", "convnet"),
    ({"start": "middle"}, "cannot start from", "content"),
    ({"size": 4}, "sizes are", "16 or more"),
    ({"options": {"train.stepz": 3}}, "no key 'train.stepz'", "train.steps"),
])
def test_what_does_not_exist_is_refused_with_what_does(world, options, what, remedy):
    with pytest.raises(RecipeError, match=what) as caught:
        og.stylize("content.png", "style.png", **EYE | options)
    assert remedy in str(caught.value)


def test_a_style_picture_smaller_than_what_a_unit_sees_is_said(world, capsys):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)).save("style.png")
    og.stylize("content.png", "style.png", **EYE | {"quiet": False, "steps": 1, "size": [24]})
    assert "all of the style picture (9×9)" in " ".join(capsys.readouterr().out.split())


def test_other_verbs_say_that_such_a_run_is_not_theirs(world):
    run = og.stylize("content.png", "style.png", **EYE | {"steps": 1, "size": [24]})
    with pytest.raises(RunError, match="stylize makes one picture") as caught:
        og.evaluate(run)
    assert "orthogon report" in caught.value.remedy
    for verb in (og.diagnose, lambda run: og.predict(run, ["content.png"])):
        with pytest.raises((RunError, RecipeError)):
            verb(run)


def test_the_command_line_takes_weights_of_layers_and_sizes(world, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["stylize", "content.png", "style.png", "--model", "convnet", "--weights", "eye.safetensors", "--size",
              "16,24", "--steps", "2", "--layers", "stages.0=3,stages.1", "--json"])
    assert ended.value.code in (0, None), capsys.readouterr().err
    found = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert found["picture"] == "runs/content-1/picture.png"
    layers = og.Run("runs/content-1").recipe().task.options["style_layers"]
    assert layers == {"stages.0": 0.75, "stages.1": 0.25}
