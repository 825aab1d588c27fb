"""Checkpoints: a tree of tensors and plain values, as safetensors and JSON. Never pickle.

`00001234.safetensors` holds the tensors, `00001234.json` the plain values and the digest of the tensors. The JSON is
renamed into place last: a checkpoint exists when its JSON does, and is sound when the digest agrees.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from orthogon.errors import RunError
from orthogon.files import write_atomically

Tree = Any
"""Nested dicts and lists whose leaves are tensors or plain values (None, bool, int, float, str)."""


def flatten(tree: Tree, path: str = "") -> tuple[dict[str, Tensor], Any]:
    """(tensors by path, the tree with each tensor replaced by {"tensor": path})."""
    if isinstance(tree, Tensor):
        return {path: tree}, {"tensor": path}
    if isinstance(tree, Mapping):
        pairs = {str(key): flatten(value, f"{path}/{key}") for key, value in tree.items()}
        if len(pairs) != len(tree):
            raise TypeError(f"keys at {path!r} are not distinct as text")
        keys = [[type(key).__name__, str(key)] for key in tree]
        return _merged(t for t, _ in pairs.values()), {"keys": keys, "values": [plain for _, plain in pairs.values()]}
    if isinstance(tree, list | tuple):
        items = [flatten(value, f"{path}/{i}") for i, value in enumerate(tree)]
        return _merged(t for t, _ in items), {"list": [plain for _, plain in items]}
    if tree is None or isinstance(tree, bool | int | float | str):
        return {}, {"plain": tree}
    raise TypeError(f"a checkpoint holds tensors and plain values, not {type(tree).__name__} at {path!r}")


def unflatten(plain: Any, tensors: Mapping[str, Tensor]) -> Tree:
    """The inverse of `flatten`; tuples come back as lists."""
    if "tensor" in plain:
        return tensors[plain["tensor"]]
    if "list" in plain:
        return [unflatten(item, tensors) for item in plain["list"]]
    if "keys" in plain:
        keys = [int(text) if kind == "int" else text for kind, text in plain["keys"]]
        return {key: unflatten(value, tensors) for key, value in zip(keys, plain["values"], strict=True)}
    return plain["plain"]


def _merged(parts: Any) -> dict[str, Tensor]:
    return {path: tensor for part in parts for path, tensor in part.items()}


class Checkpoints:
    """The checkpoints in a folder: the last two are kept, and the best one where one is named.

    folder:  where they lie.
    report:  called with a sentence when a damaged one had to be passed over.
    """

    def __init__(self, folder: Path, report: Callable[[str], None] = print) -> None:
        self.folder, self.report = folder, report

    def save(self, step: int, tree: Tree) -> Path:
        """Write, flush, rename; what was there before stays until the new one is whole."""
        return self._write(f"{step:08d}", tree)

    def save_best(self, step: int, tree: Tree) -> Path:
        """The checkpoint of the best epoch so far; the one before it goes when the new one is whole."""
        written = self._write(f"best-{step:08d}", tree)
        for older in self.folder.glob("best-*.json"):
            if older != written:
                self._remove(older.stem)
        return written

    def prune(self, keep: int = 2) -> None:
        """Remove all numbered checkpoints but the newest ones."""
        for step in self.steps()[:-keep]:
            self._remove(f"{step:08d}")

    def _remove(self, name: str) -> None:
        for ending in ("json", "safetensors"):  # the JSON first: without it the rest does not count
            (self.folder / f"{name}.{ending}").unlink(missing_ok=True)

    def steps(self) -> list[int]:
        """The steps of which there are checkpoints, ascending."""
        return sorted(int(path.stem) for path in self.folder.glob("[0-9]*.json"))

    def load_last(self) -> tuple[int, Tree] | None:
        """(step, tree) of the newest sound checkpoint, or None; damaged ones are reported and passed over."""
        for step in reversed(self.steps()):
            try:
                return step, self._read(f"{step:08d}")
            except RunError as error:
                self.report(f"{error.what} ({error.where}); going back to the checkpoint before it")
        return None

    def load_best(self, step: int) -> Tree:
        """The checkpoint of the best epoch; RunError where it is missing or damaged."""
        return self._read(f"best-{step:08d}")

    def _write(self, name: str, tree: Tree) -> Path:
        tensors, plain = flatten(tree)
        # Copies, since safetensors refuses tensors that share memory (tied weights, views).
        data = save({path: tensor.detach().cpu().contiguous().clone() for path, tensor in tensors.items()})
        document = {"format": 1, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data), "tree": plain}
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            write_atomically(self.folder / f"{name}.safetensors", data)
            write_atomically(self.folder / f"{name}.json", json.dumps(document).encode())
        except OSError as error:
            raise RunError(f"the checkpoint could not be written: {error.strerror}", where=str(self.folder),
                           remedy="The one before it is whole. Make room and continue with --resume.") from error
        return self.folder / f"{name}.json"

    def _read(self, name: str) -> Tree:
        path = self.folder / f"{name}.safetensors"
        try:
            document = json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))
            data = path.read_bytes()
            if hashlib.sha256(data).hexdigest() != document["sha256"]:
                raise RunError("damaged checkpoint: its digest does not agree", where=str(path))
            return unflatten(document["tree"], load(data))
        except (OSError, ValueError, KeyError) as error:
            raise RunError(f"damaged checkpoint: {error}", where=str(path)) from error


def tree_bytes(tree: Tree) -> int:
    """How many bytes of tensors a tree holds."""
    tensors, _ = flatten(tree)
    return sum(tensor.nbytes for tensor in tensors.values())


def copy_tree(tree: Tree) -> Tree:
    """The tree with every tensor copied."""
    if isinstance(tree, Tensor):
        return tree.detach().clone(memory_format=torch.preserve_format)
    if isinstance(tree, Mapping):
        return {key: copy_tree(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [copy_tree(value) for value in tree]
    return tree
