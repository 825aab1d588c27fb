"""From training to masks of new pictures in their own size; a run of segmentation is a run like any other."""

import json
from io import BytesIO

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from typer.testing import CliRunner

import orthogon as og
from orthogon.cli.main import app
from orthogon.data.cells import cells
from orthogon.errors import DataError
from orthogon.train.settings import DataSettings, TaskSettings
from orthogon.vision.segment import Segment
from orthogon.vision.segment_pictures import enlarged_codes, mask_of, scaled_size

PICTURES, MASKS = (each[:, ::2, ::2].copy() for each in cells(40, side=64, seed=4))
OPTIONS = {"model.options": {"width": 8, "depth": 2}, "train.preflight": False, "train.health": False,
           "train.threads": 1, "train.lr": 0.01}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    folder = root / "cells"
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for row in range(40):
        Image.fromarray(PICTURES[row]).save(folder / "images" / f"{row:02d}.png")
        Image.fromarray(MASKS[row] * np.uint8(255)).save(folder / "masks" / f"{row:02d}.png")
    return og.train(folder, options=OPTIONS, epochs=8, batch_size=4, out=root, quiet=True)


@pytest.fixture
def folder(tmp_path):
    """A larger picture, one of odd size, one in color, one that is none."""
    made = cells(3, side=70, seed=9)[0]
    Image.fromarray(made[0]).save(tmp_path / "large.png")
    (tmp_path / "sub").mkdir()
    Image.fromarray(made[1][:33, :51]).save(tmp_path / "sub" / "odd.png")
    Image.fromarray(np.stack([made[2][:32, :32]] * 3, axis=-1)).save(tmp_path / "color.jpg")
    (tmp_path / "none.png").write_bytes(b"no picture")
    return tmp_path


def test_a_run_beats_the_commonest_class_and_tells_its_figures(run):
    result = run.result
    assert (result["task"], result["metric"]) == ("segment", "mean_iou")
    dev = result["splits"]["dev"]["metrics"]
    assert list(dev) == ["mean_iou", "pixel_accuracy", "dice", "picture_iou", "iou_of_background", "iou_of_foreground"]
    assert dev["mean_iou"]["value"] > result["baseline"]["majority"]["dev"]["metrics"]["mean_iou"]["value"] + 0.1
    assert {(one["baseline"], one["metric"]) for one in result["comparisons"]} == {
        ("majority", "score"), ("linear", "score")}
    rows = run.rows("dev")
    assert rows["union"].shape == (len(rows), 2)


def test_the_report_shows_picture_truth_and_prediction_in_a_strip(run):
    shown = json.loads((run.path / "shown.json").read_text())
    import base64

    picture = next(iter(shown.values()))["picture"]
    image = Image.open(BytesIO(base64.b64decode(picture.partition(",")[2])))
    assert image.size == (32 * 3 + 2, 32)
    page = (run.path / "report.html").read_text()
    assert '<li class="strip">' in page
    assert "IoU of foreground" in page
    assert "its true mask and the predicted one" in page


def test_what_comes_after_training_works_as_for_any_task(run):
    again = og.evaluate(run)
    assert again.metric == "mean_iou"
    other = og.evaluate(run, (PICTURES[:9], MASKS[:9] * np.uint8(255)))
    assert other.splits["data"]["n"] == 9
    assert "mean IoU" in str(og.diagnose(run))
    page = og.mistakes(run)
    assert page.in_eyeball == int((~run.rows("dev")["right"].astype(bool)).sum())
    with pytest.raises(DataError, match="the class 'class 2' is not one"):
        og.evaluate(run, (PICTURES[:9], MASKS[:9] * np.uint8(2)))


def test_new_pictures_get_masks_in_their_own_size(run, folder):
    found = {item["id"]: item for item in og.predict(run, folder)}
    assert found["none.png"].keys() == {"id", "error"}
    sizes = {"large.png": (70, 70), "sub/odd.png": (33, 51), "color.jpg": (32, 32)}
    for name, size in sizes.items():
        codes = found[name]["mask"].codes
        assert codes.shape == size
        assert found[name]["shares"]["foreground"] == pytest.approx((codes == 1).mean())


def test_a_mask_is_what_the_network_says_of_the_standardized_picture(run, folder):
    network = og.load(run)
    picture = np.array(Image.open(folder / "large.png"))
    stored = torch.from_numpy(picture)[None, None]
    with torch.no_grad():
        said = network.model(network.task.encoder.prepare(stored))[0].argmax(0).numpy()
    assert (network.predict(folder / "large.png")[0]["mask"].codes == said).mean() > 0.999  # of fused batch norms
    assert (network.predict(picture[None])[0]["mask"].codes == said).mean() > 0.999


def test_masks_are_saved_as_palette_pngs_beside_the_table(run, folder, tmp_path):
    table = tmp_path / "out" / "table.csv"
    table.parent.mkdir()
    ran = CliRunner().invoke(app, ["predict", str(run.path), str(folder), "--csv", str(table)])
    assert ran.exit_code == 0, ran.output
    assert "table-masks" in ran.output
    assert "share of foreground" in table.read_text()
    mask = Image.open(table.parent / "table-masks" / "sub" / "odd.png")
    assert mask.mode == "P"
    assert mask.size == (51, 33)
    ran = CliRunner().invoke(app, ["predict", str(run.path), str(folder), "--save", str(tmp_path / "here"), "--json"])
    document = json.loads(ran.output)
    by_id = {item["id"]: item for item in document["predictions"]}
    assert by_id["large.png"]["mask_file"] == str(tmp_path / "here" / "large.png")
    assert "mask" not in by_id["large.png"]
    assert Image.open(tmp_path / "here" / "color.png").size == (32, 32)


def test_masks_of_paths_outside_stay_in_the_folder(run, folder, tmp_path):
    found = og.predict(run, [folder / "large.png", folder / "color.jpg"])
    saved = found.save_masks(tmp_path / "there")
    assert [path.relative_to(tmp_path / "there").as_posix() for path in saved] == ["large.png", "color.png"]


def test_where_there_are_no_masks_none_are_saved(tmp_path):
    from orthogon.serve.predictions import Predictions

    with pytest.raises(DataError, match="there are no masks to save"):
        Predictions([{"id": "a", "label": "cat"}]).save_masks(tmp_path)


# --- scale -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fit", "expected"), [("crop", (64, 96)), ("letterbox", (43, 64)), ("stretch", (64, 64))])
def test_pictures_are_seen_in_the_scale_of_training_and_whole(fit, expected):
    assert scaled_size((200, 300), (64, 64), fit) == expected


class Bright(torch.nn.Module):
    """Logits by brightness alone: what is above the mean is of class 1."""

    def forward(self, picture):
        return torch.cat([-picture, picture], dim=1)


def test_a_network_of_fitted_pictures_gives_masks_of_the_original_size():
    y, x = np.mgrid[:150, :210]
    disk = ((x - 90) ** 2 + (y - 70) ** 2 < 45**2).astype(np.uint8)
    pictures = np.stack([disk * np.uint8(200)] * 4)
    data = og.read((pictures, np.stack([disk] * 4)))
    task = Segment(TaskSettings(name="segment"), DataSettings(image_size=64))
    task.fit(data, np.arange(4))
    assert not task.native
    found = mask_of(task, Bright().eval(), pictures[0][:, :, None], torch.device("cpu"))
    assert found.shape == (150, 210)
    overlap = (found & disk).sum() / (found | disk).sum()
    assert overlap > 0.95


@pytest.mark.parametrize("size", [(7, 5), (40, 33), (3, 90)])
def test_logits_are_enlarged_as_torch_does_it_bilinearly(size, monkeypatch):
    monkeypatch.setattr("orthogon.vision.segment_pictures.STRIP", 200)
    logits = torch.randn(3, 6, 9)
    whole = F.interpolate(logits[None], size=size, mode="bilinear", align_corners=False)[0]
    assert (enlarged_codes(logits, size) == whole.argmax(0).numpy()).mean() > 0.999
