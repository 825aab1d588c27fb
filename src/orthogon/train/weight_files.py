"""Files of weights: read without running what is in them, brought to our names, kept as .safetensors."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from orthogon.data.digests import remembered_sha256
from orthogon.errors import RecipeError
from orthogon.files import write_atomically
from orthogon.train.weights import NOTE, Weights, check, get, weights_cache

_WRAPPERS = ("state_dict", "model_state_dict", "model")
# Names that torchvision's DenseNets had before a dot in the name of a module was forbidden.
_DENSENET = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\.\w+)$")


def tensors_of(weights: Weights) -> dict[str, Tensor]:
    """The tensors by our names, fetched if need be, verified, and converted once.

    RecipeError: a file of another content than published, one that holds code, one that is damaged.
    """
    path = get(weights.published) if weights.path is None and weights.published else weights.path
    if path is None:
        raise RecipeError("the weights are not here", where=weights.title)
    check(path, weights.sha256)
    if path.suffix == ".safetensors":
        return _loaded(path)
    kept = weights_cache() / f"{path.stem}-{remembered_sha256(path)[:16]}.safetensors"
    written = kept.with_suffix(".sha256")
    if not (kept.is_file() and written.is_file()):
        save_tensors(read_tensors(path, weights.reader), weights, kept)
        write_atomically(written, remembered_sha256(kept))
    check(kept, written.read_text())
    return _loaded(kept)


def save_tensors(tensors: Mapping[str, Tensor], weights: Weights, path: Path) -> None:
    """A .safetensors file that says what it is: model, classes, preprocessing, licence."""
    # Copies, since safetensors refuses tensors that share memory (tied weights, views).
    whole = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    write_atomically(path, save(whole, {NOTE: weights.note()}))


def read_tensors(path: Path, reader: str = "") -> dict[str, Tensor]:
    """The tensors of a file of any sort, by our names; reader: dotted path, for sorts that are not general."""
    if reader:
        module, _, function = reader.partition(":")
        return getattr(import_module(module), function)(path)
    if path.suffix == ".safetensors":
        return renamed(_loaded(path))
    return renamed(_arrays(path) if path.suffix == ".npz" else _unpickled(path))


def renamed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without the "module." that training on several devices puts before each name, and by DenseNet's present names."""
    if tensors and all(name.startswith("module.") for name in tensors):
        tensors = {name.removeprefix("module."): value for name, value in tensors.items()}
    return {_DENSENET.sub(r"\1\2", name): value for name, value in tensors.items()}


def _loaded(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise RecipeError(f"this is no .safetensors file ({error})", where=str(path)) from None


def _arrays(path: Path) -> dict[str, Tensor]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: torch.from_numpy(np.array(arrays[name], order="C")) for name in arrays.files}
    except (OSError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise RecipeError(f"the arrays cannot be read ({error})", where=str(path),
                          remedy="An .npz file holds plain numbers by name, nothing pickled.") from None


def _unpickled(path: Path) -> dict[str, Tensor]:
    """A torch checkpoint. The only place where one is read; `weights_only` admits tensors and plain containers."""
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL (\S+)", str(error))
        raise RecipeError(
            f"this file holds code, not weights alone{f': {named[1]}' if named else ''}", where=str(path),
            remedy="It was not run. Save a plain state_dict where the model was made: "
                   "torch.save(model.state_dict(), FILE).",
        ) from None
    except (OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise RecipeError(f"this is no torch checkpoint ({str(error).splitlines()[0]})", where=str(path)) from None
    return _state(found, path)


def _state(found: Any, path: Path) -> dict[str, Tensor]:
    """The state_dict in what a checkpoint holds, as a plain dict: with the notes on versions that torch keeps in its
    own, files from before batch norm counted its batches could not be loaded strictly."""
    for name in _WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(name), Mapping):
            found = found[name]
            break
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()) or not found:
        raise RecipeError("there are no tensors by name in it", where=str(path),
                          remedy="It should hold a state_dict, or one under the key 'state_dict'.")
    return {str(name): value for name, value in found.items()}
