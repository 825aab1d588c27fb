"""Transfer on stored features: the frozen trunk sees each example once, and the head learns from what it gives as from
the numbers of a table (row 18.03)."""

from __future__ import annotations

import copy
import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from orthogon.data.picture_cache import ArrayCache, cache_root
from orthogon.data.progress import bar
from orthogon.errors import RecipeError
from orthogon.nn.freeze import head_of
from orthogon.nn.heads import HeadAlone, features_and_outputs
from orthogon.nn.spec import InputSpec
from orthogon.train.compute import Compute
from orthogon.train.randomness import Draw
from orthogon.train.recipe import Recipe
from orthogon.train.task import Batch, Task

LARGEST = 8 << 30
"""Bytes of features that are kept; the oldest are given up for new ones."""

IN_MEMORY = 1 << 30
CHUNK = 64


class Mirrored(NamedTuple):
    """Which examples of a batch are seen in the mirror: bool (n,). Nothing is mixed."""

    which: Tensor
    mix: None = None


class Features:
    """What a task gathers in place of its inputs: rows of stored features.

    stored: float32 (m, …). place: int64 (views, rows of the data set): where in `stored`, or -1. The first view is the
    example as it is, the second, where there is one, its mirror image: in training one of them is drawn.
    """

    kinds = ("number",)

    def __init__(self, stored: Tensor, place: Tensor) -> None:
        self.stored, self.place, self.device = stored, place, stored.device

    def specs(self) -> tuple[InputSpec, ...]:
        return (InputSpec("number", tuple(self.stored.shape[1:])),)

    def lengths(self) -> None:
        """Rows of features are all of one length."""

    def changes(self, count: int, draw: Draw | None) -> tuple[Mirrored, ...]:
        if draw is None or len(self.place) == 1:
            return ()
        return (Mirrored(torch.rand(count, generator=draw.generator("augment"), device=self.device) < 0.5),)

    def gather(self, rows: Tensor, changes: Sequence[Mirrored] = ()) -> tuple[Tensor, ...]:
        place = self.place[0].index_select(0, rows)
        if changes:
            place = torch.where(changes[0].which, self.place[1].index_select(0, rows), place)
        return (self.stored.index_select(0, place),)


def on_features(task: Task, model: nn.Module, recipe: Recipe, rows: np.ndarray, dev_rows: np.ndarray | None,
                compute: Compute) -> tuple[Task, HeadAlone, Compute]:
    """The task on stored features, the head that learns from them, and how to compute that.

    model:   with its trunk frozen; the head is not copied. compute: for the whole model; the features are computed in
    float32, so that the head gives the same on them as the whole model does when it is evaluated.
    Train rows also have the features of their mirror images where `train.augment` holds flip.
    RecipeError where this cannot be done for the task or the model.
    """
    seen = rows if dev_rows is None else np.concatenate([rows, dev_rows])
    mirrored = rows if "flip" in recipe.train.augment else rows[:0]
    model = compute.place(model)
    with compute.in_force():
        stored, place = _stored(task, model, recipe, seen, mirrored, compute)
    features = Features(stored.to(compute.device), place.to(compute.device))
    # A head is small: more threads would wait for each other, and its features are no pictures.
    return _with_inputs(task, features), HeadAlone(model), replace(compute.exact(), threads=1, channels_last=False)


def stand_in(task: Task, model: nn.Module, few: Batch, rows: np.ndarray) -> tuple[Task, HeadAlone, float]:
    """As `on_features`, with the features of one example in place of all, for timing; and the seconds that those of
    one example take."""
    features_and_outputs(model, few.inputs)
    started = time.perf_counter()
    features, _ = features_and_outputs(model, few.inputs)
    seconds = (time.perf_counter() - started) / len(few.rows)
    place = torch.zeros(1, int(rows.max()) + 1, dtype=torch.int64, device=features.device)
    return _with_inputs(task, Features(features[:1], place)), HeadAlone(model), seconds


def _with_inputs(task: Task, features: Features) -> Task:
    if not hasattr(task, "inputs"):
        raise RecipeError(f"{task.name} has no inputs that features could stand for", where="train.transfer",
                          remedy="Take train.transfer=head.")
    learnt = copy.copy(task)
    learnt.inputs = features  # type: ignore[attr-defined]
    return learnt


def _stored(task: Task, model: nn.Module, recipe: Recipe, rows: np.ndarray, mirrored: np.ndarray,
            compute: Compute) -> tuple[Tensor, Tensor]:
    shape = _checked(task, model, rows[:2], compute)
    folder = cache_root() / "features"
    cache = ArrayCache(folder / _name(model, recipe), shape, np.float32)
    views = [(rows, False), (mirrored, True)] if len(mirrored) else [(rows, False)]
    digests = [[each for inputs in _batches(task, which, flipped, compute) for each in _digests(inputs)]
               for which, flipped in views]
    missing = [np.array([each not in cache for each in found]) for found in digests]
    needed = sum(int(each.sum()) for each in missing)
    if needed:
        _make_room(folder, 4 * needed * int(np.prod(shape)))
        with cache.new_pack(needed) as pack, bar("features of the frozen layers", needed) as advance:
            for (which, flipped), new in zip(views, missing):
                for inputs in _batches(task, which[new], flipped, compute):
                    features, _ = features_and_outputs(model, inputs)
                    for digest, each in zip(_digests(inputs), features.float().cpu().numpy()):
                        pack.add(digest, each)
                    advance(len(features))
    stored = torch.from_numpy(cache.gather([each for found in digests for each in found], IN_MEMORY))
    place = torch.full((len(views), int(rows.max()) + 1), -1)
    start = 0
    for view, (which, _) in enumerate(views):
        place[view, torch.as_tensor(which)] = torch.arange(start, start + len(which))
        start += len(which)
    return stored, place


def _checked(task: Task, model: nn.Module, rows: np.ndarray, compute: Compute) -> tuple[int, ...]:
    """The shape of the features of one example; RecipeError where the head on them is not the whole model's output."""
    [inputs] = _batches(task, rows, False, compute)
    try:
        features, outputs = features_and_outputs(model, inputs)
    except ValueError as error:
        raise RecipeError(str(error), where="train.transfer", remedy="Take train.transfer=head.") from None
    with torch.no_grad():
        alone = HeadAlone(model).eval()(features)
    if alone.shape != outputs.shape or not torch.allclose(alone, outputs, rtol=1e-4, atol=1e-5):
        raise RecipeError(f"the model does more after its head {head_of(model)!r}, so the head cannot learn alone",
                          where="train.transfer", remedy="Take train.transfer=head.")
    return tuple(features.shape[1:])


def _batches(task: Task, rows: np.ndarray, flipped: bool, compute: Compute) -> Iterator[tuple[Tensor, ...]]:
    """The inputs of the model, a few rows at a time."""
    for chunk in torch.as_tensor(rows, dtype=torch.int64).split(CHUNK):
        inputs = compute.lay_out(task.batch(chunk.to(compute.device)).inputs)
        if flipped:
            inputs = tuple(each.flip(-1) if each.ndim == 4 else each for each in inputs)
        yield inputs


def _digests(inputs: Sequence[Tensor]) -> list[bytes]:
    """16 bytes for each example: of what the model is given, preprocessing included."""
    arrays = [np.ascontiguousarray(each.cpu().numpy()) for each in inputs]
    found = []
    for example in zip(*arrays):
        digest = hashlib.blake2b(digest_size=16)
        for each in example:
            digest.update(each)
        found.append(digest.digest())
    return found


def _name(model: nn.Module, recipe: Recipe) -> str:
    """Of the folder of what this trunk gives: by its weights, and by all that says how it computes."""
    digest = hashlib.blake2b(digest_size=12)
    settings = recipe.model
    trunk = [(name, each) for name, each in model.named_modules() if not f"{name}.".startswith(f"{head_of(model)}.")]
    known = [settings.name, settings.options, settings.source_hash, version("orthogon"),
             *((name, type(each).__qualname__, each.extra_repr()) for name, each in trunk)]
    digest.update(json.dumps(known, sort_keys=True, default=str).encode())
    for _, module in trunk:
        for value in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _make_room(folder: Path, needed: int) -> None:
    """Remove the oldest packs until the new one fits; RecipeError where it is too large by itself."""
    if needed > LARGEST:
        raise RecipeError(f"the features take {needed / 1e9:,.1f} GB; {LARGEST / 1e9:,.1f} GB are kept at most",
                          where="train.transfer", remedy="Take train.transfer=head.")
    packs = sorted(folder.glob("*/*.npy"), key=lambda path: path.stat().st_mtime)
    over = sum(path.stat().st_size for path in packs) + needed - LARGEST
    for path in packs:
        if over <= 0:
            break
        over -= path.stat().st_size
        path.with_suffix(".idx").unlink(missing_ok=True)
        path.unlink()
