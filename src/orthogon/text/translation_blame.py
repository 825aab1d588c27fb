"""What a translation's search found beside the reference and beside a wider search: what blame is told from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from orthogon.nn.beam import Hypotheses
from orthogon.nn.spec import PAD
from orthogon.text.bleu import ChrF
from orthogon.train.searched import Searched, WideBeam

if TYPE_CHECKING:
    from orthogon.text.translate import Translate


def searched(task: Translate, model: nn.Module, rows: np.ndarray, wide: int) -> Searched:
    """Of those rows of the attached data, in evaluation mode. Quality is a right answer where the target is written
    letter by letter, else the sentence's own chrF."""
    found: dict[str, list[np.ndarray]] = {}
    wider = replace(task.beam, width=wide)
    for some in np.array_split(rows, -(-len(rows) * wide // 512)):
        with torch.no_grad():
            batch = task.batch(torch.as_tensor(some, dtype=torch.int64))
            known = task.teacher_forced(model, batch, task.beam)
            own = task.translated(model, batch.inputs[0], task.beam, keep_attention=True)
            other = task.translated(model, batch.inputs[0], wider)
        truth = task.targets(some)
        pieces = {
            "reference": known["reference_objective"].cpu().numpy(), "found": own.scores[:, 0].cpu().numpy(),
            "reference_length": known["tokens"].cpu().numpy(), "found_length": own.lengths[:, 0].cpu().numpy(),
            "right": _written(task, own, 0) == truth, "quality": _quality(task, own, truth),
            "wide": other.scores[:, 0].cpu().numpy(), "wide_length": other.lengths[:, 0].cpu().numpy(),
            "wide_quality": _quality(task, other, truth)[:, 0],
        }
        if own.attention is not None:
            pieces["coverage"] = _coverage(own, batch.inputs[0] != PAD)
        for name, value in pieces.items():
            found.setdefault(name, []).append(value)
    all_of = {name: np.concatenate(values) for name, values in found.items()}
    beside = WideBeam(wide, all_of.pop("wide"), all_of.pop("wide_length"), all_of.pop("wide_quality"))
    return Searched(**all_of, unit="rate" if task.characters else ChrF.unit, wide=beside)


def _written(task: Translate, found: Hypotheses, k: int) -> np.ndarray:
    """Objects of str (N,): the k-th texts."""
    return np.array([task.plain(task.encoder.text(ids)) for ids in found.ids[:, k].tolist()], dtype=object)


def _quality(task: Translate, written: Hypotheses, truth: np.ndarray) -> np.ndarray:
    """N×k; of outputs that were not found, the worst."""
    columns = []
    for k in range(written.ids.shape[1]):
        texts = _written(task, written, k)
        if task.characters:
            value = (texts == truth).astype(float)
        else:
            chrf = ChrF()
            value = chrf.value(chrf.statistics(texts.tolist(), [[each] for each in truth]))
        columns.append(np.where(written.scores[:, k].isfinite().cpu().numpy(), value, 0.0))
    return np.stack(columns, axis=1)


def _coverage(written: Hypotheses, present: Tensor) -> np.ndarray:
    """N: the mean over the source's tokens of what was attended to of each, 1 at most."""
    assert written.attention is not None  # noqa: S101 - asked before
    covered = written.attention[:, 0].sum(1).clamp(max=1) * present
    return (covered.sum(1) / present.sum(1)).cpu().numpy().astype(float)
