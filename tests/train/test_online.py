"""Online learning, one example a step (row 6.14)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from worlds import DEVICE, blobs, recipe, trained

from orthogon.nn.streaming_norm import StreamingNorm
from orthogon.train.compute import Compute
from orthogon.train.evaluate import predict

ROWS, DEV, EPOCHS = 163, 40, 3


def one_at_a_time(norm: str):
    return trained(recipe(model__options={"hidden": [8], "norm": norm}, train__batch_size=1, train__epochs=EPOCHS),
                   blobs(ROWS + DEV), dev=DEV)


def test_a_network_with_streaming_norm_learns_from_one_example_at_a_time():
    fitted, task = one_at_a_time("streaming")
    [norm] = [layer for layer in fitted.model.modules() if isinstance(layer, StreamingNorm)]
    assert norm.updates == EPOCHS * ROWS - 1  # the last has no forward pass after it
    dev = np.arange(ROWS, ROWS + DEV)
    found, true = predict(task, fitted.model, dev, Compute(torch.device(DEVICE)))["prediction"], task.targets(dev)
    commonest = np.bincount(true.astype(int)).max() / DEV
    assert (found == true).mean() > 0.85 > commonest + 0.2


def test_e93_batch_norm_cannot():
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        one_at_a_time("batch")
