"""Bundles: what is loaded gives what was saved, and anything damaged, changed or newer is refused by name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from orthogon import stats
from orthogon.data.columns import CategoryColumn, Column, ImageColumn, LabelsColumn, NumberColumn
from orthogon.data.dataset import Dataset
from orthogon.errors import DataError, RunError
from orthogon.serve.bundle import load, write_bundle
from orthogon.serve.golden import golden_inputs
from orthogon.train.build import build_model, build_task, source_hash
from orthogon.train.compute import Compute
from orthogon.train.evaluate import evaluate, metrics_document, predict
from orthogon.train.recipe import Recipe
from orthogon.train.run import Run
from orthogon.train.task import Task

DRAW = np.random.default_rng(0)
CPU = torch.device("cpu")
FILE_MODEL = """from torch import nn
class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(1, width), nn.Tanh(), nn.Linear(width, 2))
    def forward(self, numbers):
        return self.body(numbers)
"""


def table(target: Column, n: int = 60, category: bool = True) -> Dataset:
    columns: dict[str, Column] = {"age": NumberColumn(DRAW.normal(40, 10, n))}
    if category:
        columns["job"] = CategoryColumn.from_values(DRAW.choice(["clerk", "smith", "baker"], n).tolist())
    return Dataset("people", {**columns, "y": target}, "y", np.arange(n).astype(str))


def labels(n: int = 60, names: tuple[str, ...] = ("no", "yes")) -> CategoryColumn:
    return CategoryColumn(np.arange(n) % len(names), names)


def shipped(root: Path, data: Dataset, task_name: str, model_name: str, **more: Any) -> tuple[Run, Task, nn.Module]:
    """A run whose model has drawn, not trained, weights: what is shipped does not depend on how they came about."""
    named = {"task.name": task_name, "model.name": model_name, "data.target": data.target}
    recipe = Recipe().with_values({**named, **more})
    run = Run.create(recipe, root)
    task = build_task(recipe)
    rows = np.arange(len(data))
    task.fit(data, rows)
    task.attach(data, CPU)
    model = build_model(task.spec, recipe.model, 0)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    scored = evaluate(task, model, data, rows, "dev", Compute(CPU))
    run.write_evaluation("dev", scored, {"model": "network", "metrics": metrics_document(task, scored)})
    write_bundle(run, task, model, data)
    return run, task, model


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Task, nn.Module, Dataset]:
    data = table(labels())
    return *shipped(tmp_path_factory.mktemp("people"), data, "classify", "mlp"), data


@pytest.mark.parametrize(("task_name", "target"), [
    ("classify", labels()),
    ("regress", NumberColumn(DRAW.normal(5, 2, 60))),
    ("multilabel", LabelsColumn((DRAW.random((60, 3)) < 0.5).astype(np.float32), ("a", "b", "c"))),
])
def test_what_is_loaded_predicts_what_was_saved(tmp_path: Path, task_name: str, target: Column) -> None:
    data = table(target)
    run, task, model = shipped(tmp_path, data, task_name, "mlp")
    expected = task.decode(predict(task, model, np.arange(len(data)), Compute(CPU)))
    found = load(run).predict(data, batch_size=7)
    assert len(found) == len(data)
    for one, other in zip(found, expected):
        assert one.pop("id").isdigit()
        assert one.keys() == other.keys()
        for key, value in other.items():
            exact = key in ("label", "labels")
            assert one[key] == value if exact else one[key] == pytest.approx(value, rel=1e-5, abs=1e-6)


def test_pictures_and_a_convnet(tmp_path: Path) -> None:
    pixels = DRAW.integers(0, 256, (40, 1, 8, 8), dtype=np.uint8)
    data = Dataset("digits", {"picture": ImageColumn(pixels), "y": labels(40)}, "y", np.arange(40).astype(str))
    run, task, model = shipped(tmp_path, data, "classify", "convnet")
    expected = task.decode(predict(task, model, np.arange(40), Compute(CPU)))
    predictor = load(run.path / "bundle")
    for inputs in (data, pixels, torch.from_numpy(pixels)):
        found = [one["probability"] for one in predictor.predict(inputs)]
        assert found == pytest.approx([one["probability"] for one in expected], rel=1e-4)


def test_scores_travel_with_it(people: tuple[Run, Task, nn.Module, Dataset]) -> None:
    run, task, model, data = people
    found = load(run).metrics["dev"]["accuracy"]
    right = predict(task, model, np.arange(len(data)), Compute(CPU))["score"]
    assert found == stats.rate(right)


def test_loading_by_name_and_from_a_copied_folder(people: Any, tmp_path: Path) -> None:
    run = people[0]
    copied = shutil.copytree(run.path / "bundle", tmp_path / "elsewhere")
    assert sorted(path.name for path in copied.iterdir()) == ["bundle.json", "model.safetensors"]
    inputs = {"age": 30, "job": "clerk"}
    assert load(copied).predict(inputs)[0] == load(run.name, root=run.path.parent).predict(inputs)[0]


def test_writing_again_replaces_the_whole(people: Any, tmp_path: Path) -> None:
    run, task, model, data = people
    (run.path / "bundle" / "stale").touch()
    write_bundle(run, task, model, data)
    assert sorted(path.name for path in (run.path / "bundle").iterdir()) == ["bundle.json", "model.safetensors"]
    assert not [path for path in run.path.iterdir() if path.name.startswith(".bundle")]


def test_the_model_keeps_its_mode(people: Any) -> None:
    run, task, model, data = people
    model.train()
    write_bundle(run, task, model, data)
    assert model.training
    model.eval()


@pytest.fixture
def copied(people: Any, tmp_path: Path) -> Path:
    return shutil.copytree(people[0].path / "bundle", tmp_path / "bundle")


def rewrite(folder: Path, **values: Any) -> None:
    path = folder / "bundle.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_damaged_weights_are_refused(copied: Path) -> None:
    weights = bytearray((copied / "model.safetensors").read_bytes())
    weights[-3] ^= 1
    (copied / "model.safetensors").write_bytes(weights)
    with pytest.raises(RunError, match="damaged weights"):
        load(copied)


def test_missing_weights_are_refused(copied: Path) -> None:
    (copied / "model.safetensors").unlink()
    with pytest.raises(RunError, match="weights are missing"):
        load(copied)


def swap_weights(folder: Path, tensors: dict[str, torch.Tensor]) -> None:
    import hashlib

    save_file(tensors, folder / "model.safetensors")
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    rewrite(folder, weights={"sha256": digest, "bytes": 0})


def test_weights_of_another_model_are_refused(copied: Path) -> None:
    tensors = load_file(copied / "model.safetensors")
    name = next(iter(tensors))
    swap_weights(copied, {key: value for key, value in tensors.items() if key != name})
    with pytest.raises(RunError, match="not those of this model"):
        load(copied)


def test_weights_that_give_other_outputs_are_refused(copied: Path) -> None:
    tensors = load_file(copied / "model.safetensors")
    swap_weights(copied, {key: value * 1.01 for key, value in tensors.items()})
    with pytest.raises(RunError, match="other outputs than when it was saved"):
        load(copied)


def test_a_newer_format_is_refused(copied: Path) -> None:
    rewrite(copied, format=99)
    with pytest.raises(RunError, match="format 99"):
        load(copied)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 1}', '{"format": 1, "recipe": {}, "task": 3}'])
def test_a_damaged_document_is_refused(copied: Path, text: str) -> None:
    (copied / "bundle.json").write_text(text)
    with pytest.raises(RunError, match=r"damaged bundle|the recipe of the bundle"):
        load(copied)


def test_a_run_without_a_bundle_says_so(tmp_path: Path) -> None:
    run = Run.create(Recipe(), tmp_path)
    with pytest.raises(RunError, match="no bundle"):
        load(run)


def test_a_changed_file_of_the_model_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text(FILE_MODEL)
    name = f"{file}:Net"
    data = table(labels(), category=False)
    run, _, _ = shipped(tmp_path / "runs", data, "classify", name, **{
        "model.options": {"width": 3}, "model.source_hash": source_hash(name)})
    assert load(run).predict({"age": 3})[0]["label"] in ("no", "yes")
    file.write_text(FILE_MODEL + "# other\n")
    with pytest.raises(RunError, match=r"net\.py:Net' has changed"):
        load(run)
    file.unlink()
    with pytest.raises(RunError, match=r"cannot be read"):
        load(run)


def test_an_object_of_ones_own_is_given_again(tmp_path: Path) -> None:
    data = table(labels(), category=False)
    run, task, _ = shipped(tmp_path, data, "classify", "mlp")
    own = nn.Linear(1, 2)
    write_bundle(run, task, own, data)
    with pytest.raises(RunError, match=r"class torch\.nn\.modules\.linear\.Linear"):
        load(run)
    assert load(run, model=nn.Linear(1, 2)).predict({"age": 3})[0]["label"] in ("no", "yes")


def test_state_that_is_not_a_tensor_is_refused(people: Any) -> None:
    class Strange(nn.Linear):
        def get_extra_state(self) -> Any:
            return {"a": 1}

        def set_extra_state(self, state: Any) -> None: ...

    run, task, _, data = people
    with pytest.raises(RunError, match="not a tensor"):
        write_bundle(run, task, Strange(1, 2), data)


def test_tied_weights_are_shipped(tmp_path: Path) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(1, 2)
            self.b = nn.Linear(1, 2)
            self.b.weight = self.a.weight

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.a(x) + self.b(x)

    data = table(labels(), category=False)
    run, task, _ = shipped(tmp_path, data, "classify", "mlp")
    write_bundle(run, task, Tied(), data)
    load(run, model=Tied())


def test_golden_inputs_are_a_formula(people: Any) -> None:
    spec = people[1].spec
    numbers, codes = golden_inputs(spec, 500)
    assert numbers.dtype == torch.float32
    assert abs(float(numbers.mean())) < 0.1
    assert float(numbers.std()) == pytest.approx(1, abs=0.1)
    assert codes.dtype == torch.int64
    assert set(codes.unique().tolist()) == set(range(spec.inputs[1].levels[0]))


def test_a_batch_of_none_is_refused(people: Any) -> None:
    with pytest.raises(DataError, match="at least one"):
        load(people[0]).predict({"age": 1, "job": "clerk"}, batch_size=0)
