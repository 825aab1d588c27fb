"""`inside`: what a small trained network looks at, in its evidence, its report and at the end of training."""

from __future__ import annotations

import base64
import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from typer.testing import CliRunner

import orthogon as og
from orthogon.cli.main import app
from orthogon.data.encoders import ImageEncoder
from orthogon.errors import RecipeError, RunError
from orthogon.strategy.eyeball import draw_eyeball
from orthogon.train.run import Run
from orthogon.train.settings import DataSettings, TaskSettings
from orthogon.train.task import Task
from orthogon.verbs import inside as verb
from orthogon.vision.generate import Generate
from orthogon.vision.segment import Segment

QUICK = {"train.preflight": False, "train.health": False, "train.steps": 8, "split.train": 0.4, "split.dev": 0.6,
         "split.test": 0.0}


class OwnNet(nn.Module):
    """A module of a user's own: functional pooling, a shortcut, a ReLU in place."""

    def __init__(self, outputs: int = 10) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)
        self.active, self.head = nn.ReLU(inplace=True), nn.Linear(6, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.max_pool2d(self.active(self.first(x)), 2)
        return self.head((x + self.active(self.second(x))).mean((2, 3)))


def photographs(root: Path, n: int = 240) -> Path:
    """Noise of three classes that nobody can tell apart: so many mistakes that part of dev stays unseen."""
    pixels = np.random.default_rng(0).integers(0, 256, (n, 16, 16), dtype=np.uint8)
    for k, each in enumerate(pixels):
        folder = root / f"class {k % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(each).save(folder / f"{k:03d}.png")
    return root


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photographs(tmp_path_factory.mktemp("data") / "noise")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> Run:
    return og.train(pictures, model="lenet5", out=tmp_path_factory.mktemp("runs"), quiet=True, options=QUICK)


def _picture(uri: str) -> Image.Image:
    assert uri.startswith("data:image/")
    return Image.open(BytesIO(base64.b64decode(uri.partition(",")[2])))


def test_a_plain_training_on_pictures_ends_with_a_look_inside(run: Run) -> None:
    found = run.evidence()["inside"]
    assert [each["layer"] for each in found["patches"]][::2] == ["a1", "s4"]
    assert found["examples"][0]["true"] != found["examples"][0]["predicted"]
    assert "What the network looks at" in (run.path / "report.html").read_text()


def test_mistakes_of_dev_are_shown_with_heat_for_both_classes_and_occlusion(run: Run) -> None:
    found = og.inside(run, examples=4)
    examples, rows = found.document["examples"], run.rows("dev")
    assert len(examples) == 4
    place = {identity: k for k, identity in enumerate(rows.ids.tolist())}
    for each in examples:
        row = place[each["id"]]
        assert rows.classes[rows["target"][row]] == each["true"]
        assert rows.classes[rows["prediction"][row]] == each["predicted"]
        assert each["probability_of_predicted"] == pytest.approx(float(rows["probabilities"][row].max()), abs=1e-4)
        assert 0 < each["drop"] <= 1
        for name in ("picture", "true_heat", "predicted_heat", "occlusion"):
            assert _picture(each[name]).size == (160, 160), name
    losses = [rows["loss"][place[each["id"]]] for each in examples]
    assert losses == sorted(losses, reverse=True)


def test_only_the_eyeball_of_dev_and_train_pictures_are_shown(run: Run) -> None:
    found, rows = og.inside(run).document, run.rows("dev")
    seen = draw_eyeball(run, rows)
    assert seen.outside.any()
    assert {each["id"] for each in found["examples"]} <= set(rows.ids[seen.inside].tolist())
    shown = {patch["id"] for each in found["patches"] for unit in each["units"] for patch in unit["patches"]}
    assert not shown & set(rows.ids.tolist())


def test_units_have_nine_patches_with_the_pixels_that_they_see(run: Run) -> None:
    found = og.inside(run, layer="c1", units=[4, 0])
    (layer,) = found.document["patches"]
    assert [unit["unit"] for unit in layer["units"]] == [4, 0]
    for unit in layer["units"]:
        answers = [patch["answer"] for patch in unit["patches"]]
        assert len(answers) == 9
        assert answers == sorted(answers, reverse=True)
        assert all(0 <= left < right <= 16 and right - left <= 5 for left, _, right, _ in
                   (patch["rectangle"] for patch in unit["patches"]))
    sees = {each["name"]: each["sees"] for each in found.document["layers"]}
    assert sees["c1"] == [5, 5]
    assert sees["s2"] == [6, 6]


def test_the_table_and_the_document_without_pictures_are_told(run: Run) -> None:
    found = og.inside(run, layer="s4", examples=1)
    assert "s4" in str(found)
    told = json.dumps(found.to_dict())
    assert "data:image" not in told
    assert json.loads(told)["picture"] == [16, 16]
    assert found.page == run.path / "report.html"


def test_other_pictures_are_drawn_on_a_page_of_their_own_and_leave_the_report_alone(
    run: Run, tmp_path: Path
) -> None:
    before = (run.path / "evidence" / "inside.json").read_bytes()
    found = og.inside(run, photographs(tmp_path / "others", 12), examples=2)
    assert found.page == run.path / "inside.html"
    assert "What the network looks at" in found.page.read_text()
    assert (run.path / "evidence" / "inside.json").read_bytes() == before


def test_a_module_of_the_users_own_is_looked_into(tmp_path: Path, pictures: Path) -> None:
    run = og.train(pictures, model=OwnNet(3), out=tmp_path, quiet=True, options=QUICK)
    found = run.evidence()["inside"]
    assert [each["layer"] for each in found["patches"]] == ["first", "second", "active"]
    assert {each["name"]: each["sees"] for each in found["layers"]}["second"] == [8, 8]
    assert og.inside(run, layer="second", units=[0], model=OwnNet(3)).document["patches"][0]["layer"] == "second"


def test_a_network_without_maps_is_left_out_and_that_is_said(
    tmp_path: Path, pictures: Path, capsys: pytest.CaptureFixture
) -> None:
    run = og.train(pictures, model="mlp", out=tmp_path, options=QUICK)
    assert "inside" not in run.evidence()
    assert "this network has no layers with maps to look into" in " ".join(capsys.readouterr().out.split())
    with pytest.raises(RecipeError, match="no layers with maps"):
        og.inside(run)


def test_too_little_time_is_said_and_still_shows_the_mistakes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from orthogon.serve.bundle import load
    from orthogon.train.compute import Compute
    from orthogon.verbs.prepare import prepare

    monkeypatch.setattr(verb, "LEAST", 0.0)
    predictor, prepared = load(run), prepare(run.recipe(), None, run.path / "passport.json")
    predictor.task.attach(prepared.data, predictor.device)
    said = verb.inside_at_end(run, predictor.task, predictor.model, Compute(predictor.device), prepared, 0.0)
    found = run.evidence()["inside"]
    assert "; cut short for time after 64 of 96 pictures" in said
    assert found["looked_at"] == 64
    assert len(found["examples"]) == 6
    assert "occlusion" not in found["examples"][0]
    assert verb.inside_at_end(run, predictor.task, predictor.model, Compute(predictor.device), prepared, 1e4) == ""


def test_what_a_module_does_not_bear_never_ends_a_training(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from orthogon.serve.bundle import load
    from orthogon.train.compute import Compute
    from orthogon.verbs.prepare import prepare

    def broken(*_: object) -> None:
        raise NotImplementedError("no hooks here")

    monkeypatch.setattr(verb, "patches_document", broken)
    predictor, prepared = load(run), prepare(run.recipe(), None, run.path / "passport.json")
    predictor.task.attach(prepared.data, predictor.device)
    said = verb.inside_at_end(run, predictor.task, predictor.model, Compute(predictor.device), prepared, 10.0)
    assert said == "could not be looked into: NotImplementedError: no hooks here"


def test_what_is_no_classifier_of_pictures_is_refused(tmp_path: Path) -> None:
    table = {"x": np.arange(40.0), "y": np.arange(40.0) * 2}
    run = og.train(table, target="y", out=tmp_path, quiet=True, options={"train.steps": 3, "train.preflight": False})
    told = "only classifiers of pictures are looked into; this is regress of number"
    with pytest.raises(RunError, match=told) as found:
        og.inside(run)
    assert "orthogon mistakes" in found.value.remedy


@pytest.mark.parametrize(("sort", "helps"), [(Segment, "truth and prediction drawn in"), (Generate, "--weights RUN")])
def test_what_helps_instead_is_told_of_other_tasks_with_pictures(sort: type[Task], helps: str) -> None:
    task = sort(TaskSettings(), DataSettings())
    task.inputs.encoders = [ImageEncoder("picture", (8, 8), 1, "crop", [0.0], [255.0])]
    with pytest.raises(RunError, match=f"this is {task.name} of image") as found:
        verb._classifier(task)
    assert helps in found.value.remedy


@pytest.mark.parametrize(("options", "said"), [
    (["--layer", "s3"], "there is no layer 's3' that gives maps"), (["--unit", "0"], "none is named"),
    (["--layer", "s4", "--unit", "16"], "has units 0 to 15, not 16"),
])
def test_mistakes_at_the_command_line_are_told_with_exit_code_2(run: Run, options: list[str], said: str) -> None:
    found = CliRunner().invoke(app, ["inside", str(run.path), *options])
    assert found.exit_code == 2
    assert said in " ".join(found.output.split())


def test_the_command_saves_a_page_and_tells_json(run: Run) -> None:
    found = CliRunner().invoke(app, ["inside", str(run.path), "--layer", "s2", "--unit", "1,3", "--examples", "0",
                                     "--save", "page.html", "--json"])
    assert found.exit_code == 0, found.output
    told = json.loads(found.stdout)
    assert told["page"] == "page.html"
    assert [unit["unit"] for unit in told["patches"][0]["units"]] == [1, 3]
    assert told["examples"] == []
    with open("page.html", encoding="utf-8") as file:
        assert "unit 3" in file.read()
    assert CliRunner().invoke(app, ["inside", str(run.path), "--unit", "a"]).exit_code == 2
