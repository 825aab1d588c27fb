"""Small language tasks that tests share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from orthogon.data.columns import TextColumn
from orthogon.data.dataset import Dataset
from orthogon.data.running_text import RunningText
from orthogon.text.language import Language
from orthogon.train.settings import DataSettings, TaskSettings


def dataset(column: TextColumn) -> Dataset:
    return Dataset("texts", {"text": column}, None, np.array([f"{row:04d}" for row in range(len(column))]))


def fitted(data: Dataset, rows: Sequence[int] | None = None, tokens: Any = None, **settings: Any) -> Language:
    task = Language(TaskSettings(**settings), DataSettings(tokens=tokens))
    task.fit(data, np.arange(len(data)) if rows is None else np.array(rows))
    task.attach(data, torch.device("cpu"))
    return task


def sequences_task(texts: Sequence[str], rows: Sequence[int] | None = None, **settings: Any) -> Language:
    return fitted(dataset(TextColumn(list(texts))), rows, **settings)


def running_task(blocks: Sequence[str], rows: Sequence[int] | None = None, **settings: Any) -> Language:
    """The blocks as one text."""
    column = RunningText(list(blocks), np.arange(len(blocks)) > 0)
    return fitted(dataset(column), rows, **settings)
