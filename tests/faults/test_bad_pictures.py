"""Bad pictures and weights from the outside: what is said of them, and that nothing else is lost."""

from __future__ import annotations

import os
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import orthogon as og
from orthogon.cli.main import app
from orthogon.data.columns import ImageColumn
from orthogon.data.picture_files import MOST_PIXELS
from orthogon.data.pictures import FITS, materialize
from orthogon.data.read import read
from orthogon.train.run import Run

QUICK = {"train.epochs": 1, "train.preflight": False, "train.threads": 1, "split.dev": 6, "split.test": 6}


def invoke(*arguments: object) -> tuple[int, str]:
    """Exit code, and what was printed with breaks of lines taken out."""
    found = CliRunner().invoke(app, [str(each) for each in arguments])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found.exit_code, " ".join(found.output.split())


def picture(path: Path, seed: int = 0, side: int = 24) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(drawn).save(path)
    return path


def hundred_megapixels(path: Path) -> Path:
    """A file of a few kilobytes that says it is 12,000 × 9,000 pixels, and is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("1", (12_000, 9_000)).save(path)
    return path


def cut(path: Path) -> Path:
    data = picture(path, side=80).read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


def odd_ones(folder: Path) -> Path:
    """What may be strange and is still a picture: for printing, of 16 bits, of one pixel, of one row of them."""
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("CMYK", (30, 20), (0, 255, 255, 0)).save(folder / "print.jpg")
    Image.fromarray(np.linspace(0, 65535, 400).reshape(20, 20).astype(np.uint16)).save(folder / "deep.png")
    Image.new("RGB", (1, 1), (255, 0, 0)).save(folder / "pixel.png")
    Image.new("L", (300, 1), 90).save(folder / "line.png")
    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two classes, with strange pictures among them."""
    root = tmp_path_factory.mktemp("data") / "photos"
    for number in range(36):
        picture(root / "ab"[number % 2] / f"{number}.png", number)
    odd_ones(root / "a")
    return root


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Run:
    return og.train(photos, model="convnet", out=tmp_path_factory.mktemp("runs"), quiet=True,
                    options={**QUICK, "model.options": {"width": 4}})


# --- pictures ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fit", FITS)
def test_strange_pictures_are_brought_to_the_size_of_the_network(fit, tmp_path):
    data = read(odd_ones(tmp_path / "odd"))
    column = data.columns["image"]
    assert isinstance(column, ImageColumn)
    pixels = materialize(column, (16, 16), fit)
    seen = dict(zip(data.ids.tolist(), pixels))
    assert pixels.shape == (4, 3, 16, 16)
    assert seen["pixel.png"][0].min() == 255  # red, whatever the fit
    assert seen["pixel.png"][1:].max() == 0
    assert seen["print.jpg"][0, 8, 8] > 200 > 60 > seen["print.jpg"][1, 8, 8]
    assert np.ptp(seen["deep.png"]) > 200  # not cut at 255
    assert seen["line.png"].max() == 90


def test_training_goes_on_over_strange_pictures(run):
    sizes = run.read_json("passport.json")["sizes"]
    assert sizes == {"train": 28, "dev": 6, "test": 6}
    assert (run.path / "report.html").exists()


def test_what_is_no_whole_picture_is_named_and_nothing_is_trained(tmp_path):
    folder = odd_ones(tmp_path / "photos")
    cut(folder / "cut.png")
    hundred_megapixels(folder / "huge.png")
    (folder / "text.jpg").write_text("no picture")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Pillow would warn of many pixels
        code, said = invoke("train", tmp_path, "--target", "x")
    assert code == 2
    assert "3 pictures cannot be read" in said
    assert "cut.png: cannot be decoded to its end" in said
    assert f"huge.png: 108,000,000 pixels, more than the {MOST_PIXELS:,} allowed" in said
    assert "text.jpg: not a readable JPEG, PNG or WEBP picture" in said
    assert "--skip-bad" in said
    assert not list(Path("runs").glob("*/checkpoints/*"))


def test_a_bad_picture_to_predict_on_is_one_error_and_the_others_are_predicted(run, tmp_path):
    new = odd_ones(tmp_path / "new")
    cut(new / "cut.png")
    hundred_megapixels(new / "huge.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = {each["id"]: each for each in og.load(run).predict(new)}
    assert set(found) == {"cut.png", "huge.png", "print.jpg", "deep.png", "pixel.png", "line.png"}
    assert "108,000,000 pixels" in found["huge.png"]["error"]
    assert "cannot be decoded to its end" in found["cut.png"]["error"]
    assert all(each["label"] in ("a", "b") for name, each in found.items() if name not in ("cut.png", "huge.png"))
    code, said = invoke("predict", run.path, new, "--csv", "out.csv")
    assert (code, said) == (0, "4 predictions in out.csv; 2 could not be used, their lines say why")


# --- weights -------------------------------------------------------------------------------------------------


class Code:
    def __reduce__(self):
        return os.system, ("touch was-run",)


def train_with(weights: Path, photos: Path, model: str = "resnet20") -> str:
    """What is said where these weights are refused."""
    code, said = invoke("train", photos, "--model", model, "--weights", weights, "-q",
                        *(f"--set={key}={value}" for key, value in QUICK.items()))
    assert code == 2, said
    assert str(weights) in said.replace(" ", "")
    assert not list(Path("runs").glob("*/bundle"))
    return said


def test_code_in_a_file_of_weights_is_not_run(photos, tmp_path):
    torch.save({"a": Code()}, tmp_path / "a.pth")
    said = train_with(tmp_path / "a.pth", photos)
    assert "holds code, not weights alone" in said
    assert "torch.save(model.state_dict(), FILE)" in said
    assert not Path("was-run").exists()


def test_weights_of_a_run_that_were_changed_since_are_refused(run, photos, tmp_path):
    copied = shutil.copytree(run.path, tmp_path / "given")
    weights = copied / "bundle" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    said = train_with(copied, photos, "convnet")
    assert "given/bundle/model.safetensors: this is not the file that was published or saved: SHA-256 " in said
    assert "damaged or was tampered with" in said
