"""Running text: a book as blocks that follow one another, each an example."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from orthogon.data.columns import TextColumn

BLOCK = 1000
"""Characters that a block has at most."""


class RunningText(TextColumn):
    """Blocks of text as they stand, line ends and all.

    follows: bool (n,): whether a block goes on where that of the row before it ended. Rows that are taken follow each
    other where they did and still lie side by side.
    """

    def __init__(self, values: Sequence[str], follows: np.ndarray) -> None:
        super().__init__(values)
        self.follows = np.asarray(follows, dtype=bool)

    @classmethod
    def of(cls, texts: Sequence[str]) -> RunningText:
        """The blocks of several texts, one after the other."""
        pieces = [blocks(text) for text in texts]
        follows = [number > 0 for piece in pieces for number in range(len(piece))]
        return cls([block for piece in pieces for block in piece], np.array(follows, dtype=bool))

    def take(self, rows: np.ndarray) -> RunningText:
        rows = np.arange(len(self))[rows]
        follows = self.follows[rows]
        follows[1:] &= rows[1:] == rows[:-1] + 1
        follows[:1] = False
        return RunningText(self.values[rows].tolist(), follows)


def blocks(text: str, most: int = BLOCK) -> list[str]:
    """The text cut into pieces of at most so many characters, at ends of lines where there are any, else behind
    blanks, else anywhere. Joined, they are the text again."""
    found, start = [], 0
    while len(text) - start > most:
        end = 1 + text.rfind("\n", start, start + most)
        end = end or 1 + text.rfind(" ", start, start + most)
        end = end or start + most
        found.append(text[start:end])
        start = end
    return [*found, text[start:]] if start < len(text) else found
