"""Weights by name: published ones, those of a run, a file. What they were trained with fills what a recipe leaves open.

Nothing here imports torch: where the weights of a recipe come from is known before the folder of its run is made.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orthogon import registry
from orthogon.data.digests import remembered_sha256
from orthogon.data.download import fetch
from orthogon.data.picture_cache import cache_root
from orthogon.errors import RecipeError, RunError, nearest
from orthogon.train.published import PUBLISHED, Preprocessing, Published
from orthogon.train.recipe import Recipe
from orthogon.train.run import Run

SUFFIXES = (".safetensors", ".pth", ".pt", ".th", ".npz")
NOTE = "orthogon"
"""The key under which a .safetensors file of ours says what it is."""


@dataclass(frozen=True)
class Weights:
    """Weights, and what is known of them.

    name:      as a recipe names them. path: of the file; None where a published one is not here yet.
    sha256:    of the file, whole or (of published ones) its first digits. reader: as `Published.reader`.
    model, options: the network that they fit; None where nothing says it. classes: of its outputs, in order.
    origin:    of a file of ours, what it was made of. vocabularies: of a run, as `Task.vocabularies`.
    """

    name: str
    path: Path | None
    sha256: str
    model: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    preprocessing: Preprocessing | None = None
    reader: str = ""
    licence: str = ""
    published: Published | None = None
    origin: str = ""
    vocabularies: tuple[tuple[str, ...], ...] = ()

    @property
    def title(self) -> str:
        return self.published.title if self.published else self.origin or self.name

    def note(self) -> str:
        """What a .safetensors file of ours says of itself, as JSON."""
        pictures = self.preprocessing
        return json.dumps({
            "title": Path(self.name).name if self.title == self.name else self.title, "model": self.model,
            "options": dict(self.options), "classes": list(self.classes),
            "preprocessing": None if pictures is None else vars(pictures), "licence": self.licence,
        }, ensure_ascii=False)


# --- finding -------------------------------------------------------------------------------------------------


def find(name: str, model: str | None = None, options: Mapping[str, Any] | None = None) -> Weights:
    """The weights that a recipe means: a published name ("imagenet", "resnet18/imagenet-v1"), a file, or a run.

    model, options: of the recipe. Of several published files that a name stands for, and whose options do not
    contradict these, the first one that is here counts, else the first of the table. Nothing is fetched.
    RecipeError, with what there is, where it means none of these.
    """
    wanted, _, rest = name.partition("/")
    known = {each.model for each in PUBLISHED}
    model, short = (wanted, rest) if rest and wanted in known else (model, name)
    fitting = [each for each in PUBLISHED if each.model == model and short in (each.name, each.trained_on)]
    if fitting:
        return of_published(_chosen(fitting, model, options or {}))
    if Path(name).is_file() or Path(name).suffix in SUFFIXES:
        return of_file(Path(name))
    try:
        return of_run(Run.open(name))
    except RunError:
        raise _not_found(name, model) from None


def _chosen(fitting: list[Published], model: str | None, options: Mapping[str, Any]) -> Published:
    agreeing = [each for each in fitting
                if all(options.get(key, value) == value for key, value in each.options.items())]
    if not agreeing:
        there_are = "; ".join(f"{each.name} with {dict(each.options)}" for each in fitting)
        raise RecipeError(f"there are no such weights of {model} with these options", where="model.weights",
                          remedy=f"There are: {there_are}. Leave model.options out.")
    return next((each for each in agreeing if location(each)), agreeing[0])


def _not_found(name: str, model: str | None) -> RecipeError:
    names = [each.name for each in PUBLISHED if each.model == model]
    if names:
        remedy = f"{nearest(name, names)} `orthogon list weights` shows them all."
    elif model is None:
        remedy = "Name the model as well: --model resnet18 --weights imagenet. `orthogon list weights` shows them all."
    else:
        having = sorted({each.model for each in PUBLISHED})
        remedy = f"There are none of {model}. There are of: {', '.join(having)}."
    return RecipeError(f"{name!r} is no published weights{f' of {model}' if model else ''}, no file and no run",
                       where="model.weights", remedy=remedy)


def location(published: Published) -> Path | None:
    """Where the file lies: in a folder pretrained_* below $ORTHOGON_DATA, else in the cache; None where it is in none.
    Not verified."""
    given = os.environ.get("ORTHOGON_DATA")
    folders = sorted(Path(given).glob("pretrained_*")) if given else []
    return next((path for folder in [*folders, weights_cache()] if (path := folder / published.file).is_file()), None)


def weights_cache() -> Path:
    return cache_root() / "weights"


def of_published(published: Published) -> Weights:
    return Weights(published.name, location(published), published.sha256, published.model, published.options,
                   published.classes, published.preprocessing, published.reader, published.licence, published)


def of_file(path: Path) -> Weights:
    """Of a published file by its content, whatever it is called; of ours by what it says of itself."""
    if not path.is_file():
        raise RecipeError("there is no such file", where=str(path))
    digest = remembered_sha256(path)
    found = next((each for each in PUBLISHED if digest.startswith(each.sha256)), None)
    if found is not None:
        known = of_published(found)
        return Weights(**{**vars(known), "name": str(path), "path": path, "sha256": digest})
    said = _said(path) if path.suffix == ".safetensors" else {}
    pictures = said.get("preprocessing")
    return Weights(
        str(path), path, digest, said.get("model"), said.get("options", {}), tuple(said.get("classes", ())),
        None if pictures is None else Preprocessing(pictures["size"], tuple(pictures["mean"]), tuple(pictures["std"]),
                                                    pictures["fit"]),
        licence=said.get("licence", ""), origin=said.get("title", ""),
    )


def _said(path: Path) -> dict[str, Any]:
    """What the header of a .safetensors file holds of ours; RecipeError for a file of another sort."""
    try:
        with path.open("rb") as file:
            length = struct.unpack("<Q", file.read(8))[0]
            if length > path.stat().st_size:
                raise ValueError("its header is cut off")
            metadata = json.loads(file.read(length)).get("__metadata__", {})
        return json.loads(metadata.get(NOTE, "{}"))
    except (OSError, ValueError, struct.error, AttributeError) as error:
        raise RecipeError(f"this is no .safetensors file ({error})", where=str(path)) from None


def of_run(run: Run) -> Weights:
    """The weights that a run ships, with the preprocessing that it fitted."""
    bundle = run.read_json("bundle/bundle.json")
    if bundle is None:
        raise RecipeError("this run has no bundle: its training has not ended", where=str(run.path),
                          remedy=f"Finish it: orthogon train --resume {run.path}")
    state = bundle["task"]["state"]
    encoders = state.get("inputs", {}).get("encoders", [])
    written = [state["encoder"]] if "encoder" in state else []  # of a text that is written
    pictures = next((each for each in encoders if each["kind"] == "image"), None)
    return Weights(
        str(run.path), run.path / "bundle" / "model.safetensors", bundle["weights"]["sha256"], bundle["model"]["name"],
        bundle["model"]["options"], tuple(bundle["classes"]),
        None if pictures is None else Preprocessing(pictures["size"][0], tuple(pictures["mean"]),
                                                    tuple(pictures["std"]), pictures["fit"]),
        licence=bundle["data"].get("licence", ""),
        vocabularies=tuple(tuple(each["vocabulary"]["tokens"]) for each in (*encoders, *written)
                           if "vocabulary" in each),
    )


# --- having --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Remote:
    """What is fetched, as `data.download` wants it."""

    name: str
    address: str
    sha256: str
    bytes: None = None


def get(published: Published, progress: bool | None = None) -> Path:
    """The file, fetched into the cache if it is not here, and verified; DataError where that fails."""
    path = location(published)
    if path is None:
        remote = _Remote(published.file, published.address, published.sha256)
        path = fetch(remote, weights_cache(), progress, published.most_bytes)
    check(path, published.sha256)
    return path


def check(path: Path, sha256: str) -> None:
    """RecipeError where the content is not what it should be, also of a file that was here before."""
    found = remembered_sha256(path)
    if not found.startswith(sha256):
        raise RecipeError(f"this is not the file that was published or saved: SHA-256 {found}, expected {sha256}",
                          where=str(path), remedy="It is damaged or was tampered with: get or make it again.")


# --- what they fill ------------------------------------------------------------------------------------------


def left_open(recipe: Recipe) -> dict[str, Any]:
    """Flat key -> value of what the recipe leaves open and its weights say: the model and its options, and how pictures
    are brought to it. `model.weights` becomes exact, and `model.weights_hash` says that this was done.

    RecipeError for weights that do not exist, and for a model or options that they do not fit.
    """
    settings = recipe.model
    weights = find(str(settings.weights), settings.name, settings.options)
    if weights.model is None and settings.name is None:
        raise RecipeError("nothing says which model these weights are of", where="model.weights",
                          remedy="Name it: --model NAME.")
    if settings.name is not None and weights.model not in (None, settings.name):
        raise RecipeError(f"these are weights of {weights.model}, the model is {settings.name}", where="model.weights",
                          remedy=f"--model {weights.model}")
    filled: dict[str, Any] = {"model.weights": weights.name, "model.weights_hash": weights.sha256}
    if settings.name is None:
        filled["model.name"] = weights.model
    free = _regularizing(weights.model)
    contradicting = {key: value for key, value in weights.options.items()
                     if key in settings.options and settings.options[key] != value and key not in free}
    if contradicting:
        raise RecipeError(f"these weights need {contradicting}", where="model.options",
                          remedy="Leave those options out: they come with the weights.")
    if weights.options:
        filled["model.options"] = {**weights.options, **settings.options}
    return filled | (_of_pictures(weights.preprocessing, recipe) if weights.preprocessing else {})


def _regularizing(model: str | None) -> set[str]:
    """Options of the model that change how it learns and not what it is: dropout, whatever the weights were trained
    with."""
    known = registry.models.entry(model).options if model is not None and model in registry.models else ()
    return {option.name for option in known if option.problem == "dev fit"}


def _of_pictures(pictures: Preprocessing, recipe: Recipe) -> dict[str, Any]:
    given = recipe.data.model_fields_set
    if recipe.data.channels not in (None, pictures.channels):
        raise RecipeError(f"these weights see {pictures.channels} channels; got {recipe.data.channels}",
                          where="data.channels", remedy="Leave it out: pictures are turned into what they see.")
    # Networks are published with the score on the middle of each picture; one that is to learn sees all of it.
    fit = "stretch" if pictures.fit == "crop" else pictures.fit
    said = {"image_size": pictures.size, "fit": fit, "channels": pictures.channels,
            "normalize": {"mean": list(pictures.mean), "std": list(pictures.std)}}
    return {f"data.{name}": value for name, value in said.items()
            if name not in given or getattr(recipe.data, name) is None}
