"""`convert`: a file of weights of any sort, held against a model, becomes a .safetensors file that says what it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orthogon import registry
from orthogon.errors import RecipeError
from orthogon.train.published import Preprocessing
from orthogon.train.weights import Weights, find

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Converted:
    """What was written. classes: their names where they are known."""

    path: Path
    source: str
    model: str
    parameters: int
    classes: tuple[str, ...]
    preprocessing: Preprocessing | None
    licence: str

    def to_dict(self) -> dict[str, Any]:
        pictures = None if self.preprocessing is None else vars(self.preprocessing)
        return {**vars(self), "path": str(self.path), "classes": list(self.classes), "preprocessing": pictures}

    def __str__(self) -> str:
        from orthogon.verbs.console import labelled

        said = [f"{len(self.classes):,} classes" if self.classes else "", self.licence and f"licence {self.licence}"]
        return "\n".join([
            labelled(self.model, f"{self.parameters:,} parameters, from {self.source}"
                     + "".join(f"; {each}" for each in said if each)),
            labelled("written", str(self.path)),
            labelled("next", f"orthogon train PHOTOS --weights {self.path}"),
        ])


def convert(weights: str | Path, *, model: str | None = None, out: str | Path | None = None) -> Converted:
    """Write weights as .safetensors, by the names of torchvision, with model, classes, preprocessing and licence.

    weights: a file (.pth, .pt, .th, .npz, .safetensors, or a published one of another sort), published weights
             ("resnet18/imagenet"), or a run. model: left out: what they say, or the model whose tensors they have.
    out:     the file to write; default: beside the source, or here.

    Nothing in a file is run. RecipeError where the tensors are not the model's, one by one by name and shape.
    """
    found = find(str(weights), model)
    from orthogon.train.pretrained import likely_model
    from orthogon.train.weight_files import save_tensors, tensors_of

    tensors = tensors_of(found)
    name = model or found.model or likely_model(tensors)
    if name is None:
        raise RecipeError("nothing says which model these weights are of", where=str(weights),
                          remedy="Name it: --model NAME (`orthogon list models`).")
    named = replace(found, model=name)
    network = _filled(named, tensors)
    path = Path(out) if out is not None else _beside(found)
    if path.suffix != ".safetensors":
        raise RecipeError("what is written is a .safetensors file", where=str(path),
                          remedy=f"--out {path.with_suffix('.safetensors')}")
    save_tensors(network.state_dict(), named, path)
    parameters = sum(each.numel() for each in network.parameters())
    return Converted(path, found.title, name, parameters, named.classes, named.preprocessing, named.licence)


def _beside(found: Weights) -> Path:
    path = Path(found.name)
    if path.is_file():
        return path.with_suffix(".safetensors")
    stem = f"{found.published.model}-{found.published.name}" if found.published else path.name
    return Path(f"{stem}.safetensors")


def _filled(weights: Weights, tensors: dict[str, Tensor]) -> nn.Module:
    """The model with exactly these tensors, for as many outputs as they have."""
    from orthogon.nn.spec import InputSpec, ModelSpec
    from orthogon.train.build import build_model
    from orthogon.train.pretrained import load_weights
    from orthogon.train.settings import ModelSettings

    entry = registry.models.entry(str(weights.model))
    if not entry.published:
        raise RecipeError(f"{entry.name} has no published form to hold the weights against", where="--model",
                          remedy="Its runs can be started from as they are: --weights RUN.")
    *shape, outputs = entry.published
    settings = ModelSettings(name=entry.name, options=dict(weights.options))
    model = build_model(ModelSpec((InputSpec("image", tuple(shape)),), outputs), settings, 0)
    last = tensors.get(f"{getattr(model, 'output_name', '')}.weight")
    if last is not None and len(last) != outputs:
        model = build_model(ModelSpec((InputSpec("image", tuple(shape)),), len(last)), settings, 0)
    load_weights(model, weights, weights.classes)
    return model
