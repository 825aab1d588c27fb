"""Pictures of a translation: what each word that was written attended to (row 28.14)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from orthogon.data.text_encoder import TextEncoder
from orthogon.draw.attention import AttentionMap, attention_maps
from orthogon.nn.spec import PAD
from orthogon.train.task import Sheet

if TYPE_CHECKING:
    from orthogon.text.translate import Translate

SHOWN, MOST = 4, 256
"""Examples that are drawn, and examples that they are chosen from."""

LONGEST = 30
"""Tokens of a source or an output beyond which it would not be read."""


def sheets(task: Translate, model: nn.Module, rows: np.ndarray) -> list[Sheet]:
    """Attention maps of a few of those rows, from short sources to long ones; none where the network has none."""
    maps = [each for each in maps_of(task, model, np.asarray(rows)[:MOST])
            if max(len(each.source), len(each.written)) <= LONGEST]
    if not maps:
        return []
    maps.sort(key=lambda each: len(each.source))
    chosen = [maps[place] for place in np.unique(np.linspace(0, len(maps) - 1, SHOWN).astype(int))]
    return [Sheet("attention", "Attention", "From top to bottom what was written, from left to right the source: the "
                  "darker, the more the step that wrote a token looked at that place. ⏎ is the end.",
                  attention_maps(chosen))]


def maps_of(task: Translate, model: nn.Module, rows: np.ndarray) -> list[AttentionMap]:
    """What was attended to when each of those rows was translated; empty where the network attends to nothing."""
    if not len(rows):
        return []
    maps: list[AttentionMap] = []
    for some in torch.as_tensor(rows, dtype=torch.int64).split(task.most_at_once):
        with torch.no_grad():
            source = task.batch(some).inputs[0]
            written = task.translated(model, source, task.beam, wanted=1, keep_attention=True)
        if written.attention is None:
            return []
        looked = written.attention[:, 0].cpu().numpy()
        for ids, given, weights in zip(written.ids[:, 0].tolist(), source.tolist(), looked):
            made = _shown(task.encoder, ids)
            words = _shown(task.reader, given)
            maps.append(AttentionMap(weights[: len(made), : len(words)], made, words))
    return maps


def _shown(encoder: TextEncoder, ids: list[int]) -> list[str]:
    """Tokens as they are read: the mark of a blank as one, of the end as ⏎."""
    tokens = encoder.vocabulary.tokens(id for id in ids if id != PAD)
    return [{"<end>": "⏎", " ": "␣"}.get(token, token) for token in tokens]
