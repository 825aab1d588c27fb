"""How many examples a forward pass takes at once in evaluation."""

from __future__ import annotations

import pytest

from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.train.evaluate import examples_at_once


@pytest.mark.parametrize(
    ("shape", "examples"), [((3, 224, 224), 55), ((3, 1024, 1024), 16), ((1, 28, 28), 512), ((14,), 512), ((), 512)]
)
def test_as_many_as_32_megabytes_hold_from_16_to_512(shape, examples):
    inputs = (InputSpec("image", shape),) if shape else ()
    assert examples_at_once(ModelSpec(inputs, 10)) == examples


def test_all_inputs_count():
    pictures = InputSpec("image", (3, 112, 112))
    assert examples_at_once(ModelSpec((pictures, pictures), 10)) == (32 << 20) // (4 * 2 * 3 * 112 * 112)
