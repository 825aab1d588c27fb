"""What a language model writes, as pictures for the report."""

from __future__ import annotations

import numpy as np
from torch import nn

from orthogon.draw.words import text_picture
from orthogon.text.language import Language
from orthogon.text.writing import write
from orthogon.train.task import Sheet

TEMPERATURES = (0.5, 0.8, 1.0)


def sheets(task: Language, model: nn.Module) -> list[Sheet]:
    """Samples at three temperatures."""
    found = []
    for temperature in TEMPERATURES:
        count, length = (1, 600) if task.running else (24, None)
        texts = [each.text for each in write(task, model, count, at_most=length, temperature=temperature)]
        lines = texts[0].split("\n") if task.running else texts
        found.append(Sheet(
            f"samples-{temperature:g}", f"Written at temperature {temperature:g}",
            "Each token is drawn from what the network says comes next, and read next. A low temperature prefers what "
            "is likely; at 1 the network writes as it thinks the data is.", text_picture(lines)))
    return found


def snapshot(task: Language, model: nn.Module) -> np.ndarray:
    """A few lines, always of the same random numbers."""
    count, length = (1, 160) if task.running else (6, 30)
    texts = [each.text for each in write(task, model, count, at_most=length, temperature=0.8)]
    return text_picture(texts[0].split("\n") if task.running else texts, columns=30, most=8)
