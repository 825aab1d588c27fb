"""The bundle: a trained network as an artifact to ship. Weights as safetensors, all else as one JSON; never pickle.

    bundle/model.safetensors   the weights
    bundle/bundle.json         task, preprocessing, labels, input schema, model, scores, recipe, versions, golden
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from orthogon.data.dataset import Dataset
from orthogon.errors import RecipeError, RunError
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.serve.golden import check_golden, golden_document
from orthogon.serve.predictor import Predictor
from orthogon.serve.schema import Schema, schema_of
from orthogon.train.build import build_model, build_task, source_hash
from orthogon.train.recipe import Recipe
from orthogon.train.run import Run, finite
from orthogon.train.settings import ModelSettings
from orthogon.train.task import Task

FORMAT = 1
JSON, WEIGHTS = "bundle.json", "model.safetensors"


# --- writing -------------------------------------------------------------------------------------------------


def write_bundle(run: Run, task: Task, model: nn.Module, data: Dataset | None = None) -> Path:
    """`bundle/` in the run, replacing an older one as a whole.

    task: fitted. model: trained, on any device; its mode and device stay as they are. data: names the data in the
    bundle. The scores are those of the run's evaluations "dev" and "test". Returns the folder.
    Raises RunError where the disk is full, and where the model keeps more than tensors in its state.
    """
    weights = _weights(model)
    document = {
        "format": FORMAT, **_identity(run, task, data), "model": _model(run.recipe(), task, model),
        "weights": {"sha256": hashlib.sha256(weights).hexdigest(), "bytes": len(weights)},
        "metrics": _metrics(run),
        "golden": golden_document(task.spec, copy.deepcopy(model).cpu()),
        "created_with": {**{name: _version(name) for name in ("orthogon", "torch", "safetensors")},
                         "python": platform.python_version()},
    }
    text = json.dumps(finite(document), indent=1, ensure_ascii=False)
    return _swap_in(run.path / "bundle", {WEIGHTS: weights, JSON: text.encode()})


def _version(package: str) -> str | None:
    """None where the package is used without being installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _identity(run: Run, task: Task, data: Dataset | None) -> dict[str, Any]:
    recipe = run.recipe()
    card = {} if data is None else {"name": data.name, "title": data.card.title, "licence": data.card.licence}
    return {
        "run": run.name, "data": card,
        "task": {"name": task.name, "state": task.state()}, "classes": list(task.classes),
        "schema": schema_of(task).to_dict(), "spec": asdict(task.spec),
        "recipe": recipe.model_dump(), "recipe_sha256": hashlib.sha256(recipe.to_yaml().encode()).hexdigest(),
    }


def _model(recipe: Recipe, task: Task, model: nn.Module) -> dict[str, Any]:
    named, options = recipe.model.name, dict(recipe.model.options)
    if named is None:
        named, options = task.default_model()
    settings = recipe.model.model_copy(update={"name": named, "options": options})
    by_name = _rebuilds(settings, task.spec, model, recipe.train.seed)
    return {"name": named if by_name else None, "options": options,
            "source_sha256": _source_hash(named) if by_name else None,
            "class": f"{type(model).__module__}.{type(model).__qualname__}",
            "parameters": sum(value.numel() for value in model.parameters())}


def _rebuilds(settings: ModelSettings, spec: ModelSpec, model: nn.Module, seed: int) -> bool:
    """Whether the recipe's model has these weights by name and shape; not so where the user gave a module object."""
    try:
        built = build_model(spec, settings, seed).state_dict()
    except RecipeError:
        return False
    shapes = [{name: tuple(value.shape) for name, value in state.items()} for state in (built, model.state_dict())]
    return shapes[0] == shapes[1]


def _source_hash(name: str) -> str | None:
    try:
        return source_hash(name)
    except OSError as error:
        raise RunError(f"the file of the model cannot be read ({error.strerror})", where=name) from None


def _weights(model: nn.Module) -> bytes:
    state = model.state_dict()
    strange = [name for name, value in state.items() if not isinstance(value, Tensor)]
    if strange:
        raise RunError(f"the model keeps {strange[0]!r} in its state, which is not a tensor",
                       remedy="Give it as a buffer (register_buffer), or as an option of the model.")
    # Copies, since safetensors refuses tensors that share memory (tied weights, views).
    return save_tensors({name: value.detach().cpu().contiguous().clone() for name, value in state.items()})


def _metrics(run: Run) -> dict[str, Any]:
    found = {}
    for split in ("dev", "test"):
        document = run.read_json(f"evaluations/{split}.json")
        if document:
            found[split] = {"n": document.get("n"), "metrics": document.get("metrics") or {}}
    return found


def _swap_in(folder: Path, files: Mapping[str, bytes]) -> Path:
    """The files as one new folder under the name of the old one."""
    fresh, old = (folder.with_name(f".{folder.name}.{word}.{os.getpid()}") for word in ("new", "old"))
    for left in (fresh, old):
        shutil.rmtree(left, ignore_errors=True)
    try:
        fresh.mkdir()
        for name, data in files.items():
            with open(fresh / name, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        if folder.exists():
            os.replace(folder, old)
        os.replace(fresh, folder)
    except OSError as error:
        shutil.rmtree(fresh, ignore_errors=True)
        raise RunError(f"the bundle could not be written: {error.strerror}", where=str(folder),
                       remedy="Make room; the run itself is whole.") from error
    shutil.rmtree(old, ignore_errors=True)
    return folder


# --- loading -------------------------------------------------------------------------------------------------


def load(
    run: str | Path | Run = "last", *, model: nn.Module | None = None, device: str = "cpu", root: str | Path = "runs",
    precision: str = "fp32",
) -> Predictor:
    """The trained network of a run, ready to predict; its weights and code are held against golden outputs first.

    run:    a run (a path, a name under `root`, "last", "last~1"), or the folder of a bundle.
    model:  an untrained module of the user's own class, where the run was trained on such an object.
    device: "cpu", "cuda", "mps".
    precision: "fp32", or "bf16": several times faster on pictures where the hardware has it; probabilities then differ
            in the third digit.
    Raises RunError: no bundle; one from a newer version; damaged or other weights; a `file.py:Class` that changed.
    Code of the bundle's own is never run: only the model that its recipe names.
    """
    folder = bundle_folder(run, root)
    document = _document(folder)
    try:
        recipe = Recipe.from_dict(document["recipe"], where=str(folder / JSON))
        task = build_task(recipe)
        task.load_state(document["task"]["state"])
        spec, schema = _spec(document["spec"]), Schema.from_dict(document["schema"])
    except RecipeError as error:
        raise RunError(f"the recipe of the bundle: {error.what}", where=str(folder / JSON),
                       remedy=error.remedy) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"damaged bundle: {type(error).__name__} {error}", where=str(folder / JSON)) from error
    tensors = _tensors(folder, document)
    network = model if model is not None else _network(spec, recipe, document["model"], folder)
    _fill(network, tensors, folder)
    check_golden(document["golden"], spec, network.cpu(), str(folder))
    return Predictor(task, network.to(device), schema, document, torch.device(device), precision)


def bundle_folder(run: str | Path | Run, root: str | Path = "runs") -> Path:
    """Where the bundle of a run lies; a folder with a bundle in it is taken as it is. RunError where there is none."""
    if not isinstance(run, Run) and (Path(run) / JSON).is_file():
        return Path(run)
    found = Run.open(run, root)
    found.refuse_foreign("There is no network to load")
    if not (found.path / "bundle" / JSON).is_file():
        raise RunError("this run has no bundle: its training has not ended", where=str(found.path),
                       remedy=f"Finish it: orthogon train --resume {found.path}")
    return found.path / "bundle"


def _document(folder: Path) -> dict[str, Any]:
    try:
        document = json.loads((folder / JSON).read_text(encoding="utf-8"))
        found = int(document["format"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"damaged bundle: {error}", where=str(folder / JSON)) from error
    if found > FORMAT:
        raise RunError(f"this bundle has format {found}, this Orthogon reads up to {FORMAT}",
                       where=str(folder / JSON), remedy="Install a newer Orthogon: pip install --upgrade orthogon")
    return document


def _spec(saved: Mapping[str, Any]) -> ModelSpec:
    inputs = tuple(InputSpec(each["kind"], tuple(each["shape"]), tuple(each["levels"])) for each in saved["inputs"])
    return ModelSpec(inputs, int(saved["outputs"]), bool(saved.get("rebuilds")), saved.get("compares", ""),
                     bool(saved.get("chained")))


def _tensors(folder: Path, document: Mapping[str, Any]) -> dict[str, Tensor]:
    path = folder / WEIGHTS
    try:
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != document["weights"]["sha256"]:
            raise RunError("damaged weights: their digest is not the one in bundle.json", where=str(path),
                           remedy="Copy the bundle again, both files together.")
        return load_tensors(data)
    except FileNotFoundError:
        raise RunError("the weights are missing", where=str(path),
                       remedy="A bundle is two files: copy both.") from None
    except (OSError, SafetensorError, KeyError) as error:
        raise RunError(f"the weights cannot be read: {error}", where=str(path)) from error


def _network(spec: ModelSpec, recipe: Recipe, saved: Mapping[str, Any], folder: Path) -> nn.Module:
    name, expected = saved["name"], saved.get("source_sha256")
    if name is None:
        raise RunError(f"this network was trained as an object of class {saved['class']}", where=str(folder),
                       remedy="Give an untrained one of that class: og.load(run, model=YourModule()).")
    if expected is not None and _source_hash(name) != expected:
        raise RunError(f"the file of the model {name!r} has changed since it was trained", where=str(folder),
                       remedy="Restore the file (its SHA-256 is in bundle.json), or train again.")
    settings = recipe.model.model_copy(update={"name": name, "options": saved["options"]})
    try:
        return build_model(spec, settings, recipe.train.seed)
    except RecipeError as error:
        raise RunError(f"the model {name!r} cannot be built here: {error.what}", where=str(folder),
                       remedy=error.remedy) from error


def _fill(network: nn.Module, tensors: dict[str, Tensor], folder: Path) -> None:
    try:
        network.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        first = str(error).strip().splitlines()[-1].strip()
        raise RunError(f"these weights are not those of this model: {first}", where=str(folder / WEIGHTS),
                       remedy="Copy the bundle again, both files together.") from error


