"""`ensemble`: stored predictions of several runs, and views of pictures, averaged on dev."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import orthogon as og
from orthogon.cli.main import app
from orthogon.errors import RecipeError, RunError
from orthogon.stats import compare_paired
from orthogon.strategy.ensemble import averaged
from orthogon.train.run import Run

QUICK = {"train.preflight": False, "train.health": False, "train.steps": 8}
N = 120
TARGET = np.arange(N) % 2
IDS = np.array([f"e{k:03d}" for k in range(N)])


def foreign(name: str, seed: int, ids: np.ndarray = IDS) -> Run:
    """Predictions with probabilities that lean to the truth."""
    p = np.clip(0.5 + 0.25 * (2 * TARGET - 1) + np.random.default_rng(seed).normal(0, 0.35, N), 0.01, 0.99)
    table = {"id": ids, "split": np.repeat(["train", "dev"], N // 2), "target": TARGET, "p_0": 1 - p, "p_1": p}
    return og.read_predictions(table, name=name, quiet=True)


@pytest.fixture(scope="module")
def pictured(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder, draw = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    for k in range(90):
        pixels = draw.integers(0, 120, (12, 12), dtype=np.uint8)
        pixels[:, : 6 if k % 2 else 12] += 60
        place = folder / f"class {k % 2}"
        place.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(place / f"{k:02d}.png")
    return og.train(folder, model="convnet", out=tmp_path_factory.mktemp("runs"), quiet=True, options=QUICK)


def test_stored_predictions_of_several_runs_are_averaged_without_a_network() -> None:
    runs = [foreign(f"model-{seed}", seed) for seed in range(3)]
    found = og.ensemble(*runs)
    whole = averaged([run.rows("dev") for run in runs])
    assert found.gain == compare_paired(runs[0].rows("dev")["score"], whole["score"])
    assert found.together.value == pytest.approx(1 - whole["score"].mean())
    assert (found.metric, found.n, found.members) == ("error", 60, ("model-0", "model-1", "model-2"))


def test_what_was_found_stands_in_the_evidence_the_report_and_the_work_list() -> None:
    run = foreign("model-0", 0)
    found = og.ensemble(run, foreign("model-1", 1))
    kept = run.evidence()["ensemble"]
    assert kept["gain"]["difference"] == found.gain.difference
    assert kept["work"][0]["action"] == "average 2 networks"
    report = (run.path / "report.html").read_text(encoding="utf-8")
    assert ">Together</h2>" in report
    assert "average 2 networks" in report
    assert "ensemble" not in Run.open("model-1").evidence()


def test_views_of_one_run_are_its_network_on_each_view_averaged(pictured: Run) -> None:
    from orthogon.serve.bundle import load
    from orthogon.verbs.prepare import prepare
    from orthogon.vision.views import VIEWS

    found = og.ensemble(pictured, views="flip")
    prepared, predictor = prepare(pictured.recipe(), None, pictured.path / "passport.json"), load(pictured)
    predictor.task.attach(prepared.data, predictor.device)
    batch = predictor.task.batch(torch.as_tensor(prepared.passport.rows("dev")))
    shares = [predictor.model(view.of(batch.inputs[0])).softmax(1).detach().numpy() for view in VIEWS["flip"]]
    wrong = np.mean(shares, axis=0).argmax(axis=1) != batch.target.numpy()
    assert found.together.value == pytest.approx(wrong.mean())
    assert (found.what, found.computation, found.parameters) == ("flip", 2.0, 1.0)
    assert found.single.value == pytest.approx(1 - pictured.rows("dev")["score"].mean())


def test_the_test_set_is_not_touched(pictured: Run) -> None:
    ledger = (pictured.path.parent / "test-ledger.jsonl").read_bytes()
    before = (pictured.path / "evaluations" / "dev.json").read_bytes()
    og.ensemble(pictured, views="5-crop")
    assert (pictured.path.parent / "test-ledger.jsonl").read_bytes() == ledger
    assert (pictured.path / "evaluations" / "dev.json").read_bytes() == before


def test_runs_that_do_not_share_their_dev_examples_are_refused(pictured: Run) -> None:
    one = foreign("model-0", 0)
    with pytest.raises(RunError, match="its dev examples are not those of model-0"):
        og.ensemble(one, foreign("model-1", 1, ids=np.char.add(IDS, "x")))
    with pytest.raises(RunError, match="its dev examples are not those of"):
        og.ensemble(pictured, _copied(pictured, {"hashes": {"dev": "another"}}))


def _copied(run: Run, passport: dict) -> Run:
    import shutil

    path = Path("runs") / "copied"
    shutil.copytree(run.path, path)
    document = json.loads((path / "passport.json").read_text())
    (path / "passport.json").write_text(json.dumps({**document, **passport}))
    return Run(path)


@pytest.mark.parametrize(("runs", "views", "error", "said"), [
    (1, None, RunError, "one run, seen once"), (0, "flip", RunError, "nothing to average"),
    (1, "flop", RecipeError, "there are no views 'flop'"), (1, "flip", RunError, "no network to load"),
])
def test_what_cannot_be_averaged_is_refused(
    runs: int, views: str | None, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=f"(?i){said}"):
        og.ensemble(*[foreign(f"model-{seed}", seed) for seed in range(runs)], views=views)


def test_views_of_a_network_that_learnt_from_dev_are_refused(pictured: Run) -> None:
    run = _copied(pictured, {})
    run.save_recipe(run.recipe().with_values({"train.refit": True}))
    with pytest.raises(RunError, match="has learnt from the examples of dev"):
        og.ensemble(run, views="flip")


def test_views_of_a_table_and_ensembles_of_numbers_are_refused(tmp_path: Path) -> None:
    x = np.arange(80.0)
    numbers = og.train({"x": x, "y": x * 2}, target="y", out=tmp_path, quiet=True, options=QUICK)
    with pytest.raises(RunError, match="only classifiers of one label are averaged; this is regress"):
        og.ensemble(numbers, views="flip")


def test_the_command_tells_table_sentence_and_json(pictured: Run) -> None:
    for seed in (0, 1):
        foreign(f"model-{seed}", seed)
    found = CliRunner().invoke(app, ["ensemble", "model-0", "model-1"])
    assert found.exit_code == 0, found.output
    assert "2 networks, averaged:" in found.stdout
    told = json.loads(CliRunner().invoke(app, ["ensemble", str(pictured.path), "--views", "scales", "--json"]).stdout)
    assert told["computation"] == 3.0
    assert CliRunner().invoke(app, ["ensemble", "model-0"]).exit_code == 2
