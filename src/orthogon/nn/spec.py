"""What a model is built for: the shapes that go in and the number of values that come out."""

from __future__ import annotations

from dataclasses import dataclass

PAD, UNKNOWN, BEGIN, END = range(4)
"""Ids of no word: what fills a sequence up, a token that is not in the vocabulary, where a sequence begins and ends."""

FIRST_TOKEN = 4
"""The id of the first token of a vocabulary."""

SEQUENCES = ("text", "characters")
"""Kinds of inputs whose first axis is as long as the longest of a batch."""


@dataclass(frozen=True)
class InputSpec:
    """One tensor that the model is given.

    kind:   "image" (float N×C×H×W), "number" (float N×D), "category" (int64 N×K), "text" (int64 N×T: ids of tokens,
            filled up on the right with `PAD`; a batch is cut to its longest), "characters" (int64 N×T×C: ids of the
            characters of each token, filled up in the same way).
    shape:  its shape without the batch; of text the longest that is stored.
    levels: for categories, how many codes each of the K columns has, code 0 is "unknown"; for text and characters, how
            many ids.
    """

    kind: str
    shape: tuple[int, ...]
    levels: tuple[int, ...] = ()


@dataclass(frozen=True)
class ModelSpec:
    """The inputs, in the order in which the model takes them, and how many outputs (logits, values) it gives.

    rebuilds: whether its outputs are the values of its one input again, in that shape (autoencoders).
    compares: where its outputs are encodings that a head learns to compare: by what (`PairHead`); "" = none does.
    chained: whether it gives a `Chain`: beside the outputs of each token, what it is worth that two follow each other.
    """

    inputs: tuple[InputSpec, ...]
    outputs: int
    rebuilds: bool = False
    compares: str = ""
    chained: bool = False

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Of one example."""
        return self.inputs[0].shape if self.rebuilds else (self.outputs,)

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(item.kind for item in self.inputs)
