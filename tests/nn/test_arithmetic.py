"""The arithmetic that is told of a layer, evaluated, against what the layer does."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from orthogon.nn.arithmetic import arithmetic

LAYERS = [
    (nn.Conv2d(1, 6, 5, padding=2), (1, 28, 28), "(28 + 2·2 − 5)/1 + 1 = 28; (5·5·1 + 1)·6"),
    (nn.Conv2d(3, 64, 7, 2, 3, bias=False), (3, 224, 224), "(224 + 2·3 − 7)/2 + 1 = 112; 7·7·3·64"),
    (nn.Conv2d(8, 8, (1, 3), groups=8), (8, 5, 6), "(5 − 1)/1 + 1 = 5 × (6 − 3)/1 + 1 = 4; (1·3·1 + 1)·8"),
    (nn.Conv2d(2, 3, 3, padding="same", dilation=2), (2, 9, 9), "(9 + 2·2 − 2·(3 − 1) − 1)/1 + 1 = 9; (3·3·2 + 1)·3"),
    (nn.Conv2d(2, 3, 3, padding="valid"), (2, 9, 9), "(9 − 3)/1 + 1 = 7; (3·3·2 + 1)·3"),
    (nn.Conv1d(12, 4, 3, stride=2), (12, 100), "(100 − 3)/2 + 1 = 49; (3·12 + 1)·4"),
    (nn.Conv3d(1, 2, 3, padding=1), (1, 4, 4, 4), "(4 + 2·1 − 3)/1 + 1 = 4; (3·3·3·1 + 1)·2"),
    (nn.MaxPool2d(2), (6, 28, 28), "(28 − 2)/2 + 1 = 14"),
    (nn.MaxPool2d(3, 2, ceil_mode=True), (6, 28, 28), "(28 − 3)/2 rounded up + 1 = 14"),
    (nn.MaxPool2d(3, 2, ceil_mode=True), (6, 29, 29), "(29 − 3)/2 + 1 = 14"),
    (nn.AvgPool2d(2, 2, 1), (6, 8, 8), "(8 + 2·1 − 2)/2 + 1 = 5"),
    (nn.Linear(400, 120), (400,), "(400 + 1)·120"),
    (nn.Linear(400, 120, bias=False), (400,), "400·120"),
    (nn.BatchNorm2d(64), (64, 8, 8), "2·64"),
    (nn.BatchNorm2d(64, affine=False), (64, 8, 8), ""),
    (nn.ReLU(), (64, 8, 8), ""),
]


@pytest.mark.parametrize(("layer", "given", "told"), LAYERS)
def test_the_arithmetic_of_a_layer(layer, given, told):
    """Row 16.14: the sizes and the parameters that are told are those of the layer."""
    gives = tuple(layer(torch.zeros(2, *given)).shape[1:])
    assert arithmetic(layer, given, gives) == told
    sides, _, weights = told.rpartition("; ") if ";" in told else (told, "", "") if "=" in told else ("", "", told)
    for sum_ in sides.split(" × ") if sides else []:
        reckoned, _, size = sum_.partition(" = ")
        up = " rounded up" in reckoned
        value = eval(reckoned.replace(" rounded up", "").replace("·", "*").replace("−", "-").replace("/", "//"))  # noqa: S307
        assert value + up == int(size)
    if sides:
        assert int(sides.partition(" = ")[2].partition(" ")[0]) == gives[1]
    if weights:
        assert eval(weights.replace("·", "*")) == sum(p.numel() for p in layer.parameters())  # noqa: S307
