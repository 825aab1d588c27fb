"""What a model is built for: the shapes that go in and the number of values that come out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class InputSpec:
    """One tensor that the model is given.

    kind:   "image" (float N×C×H×W), "number" (float N×D), "category" (int64 N×K).
    shape:  its shape without the batch.
    levels: for categories, how many codes each of the K columns has; code 0 is "unknown".
    """

    kind: str
    shape: tuple[int, ...]
    levels: tuple[int, ...] = ()


@dataclass(frozen=True)
class ModelSpec:
    """The inputs, in the order in which the model takes them, and how many outputs (logits, values) it gives.

    rebuilds: whether its outputs are the values of its one input again, in that shape (autoencoders).
    compares: where its outputs are encodings that a head learns to compare: by what (`PairHead`); "" = none does.
    """

    inputs: tuple[InputSpec, ...]
    outputs: int
    rebuilds: bool = False
    compares: str = ""

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Of one example."""
        return self.inputs[0].shape if self.rebuilds else (self.outputs,)

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(item.kind for item in self.inputs)
