"""What is said of many inputs: one plain dict per item, in their order."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any, Self, overload


class Items(Sequence[dict[str, Any]]):
    """`items[0]`, `items[:10]`, `len(items)`, `for one in items`; an item that could not be used has an "error"."""

    def __init__(self, items: Sequence[dict[str, Any]]) -> None:
        self.items = list(items)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> dict[str, Any] | Self:
        if not isinstance(index, slice):
            return self.items[index]
        some = copy.copy(self)
        some.items = self.items[index]
        return some

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.items)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(n={len(self)}, errors={len(self.errors)})"

    @property
    def errors(self) -> list[dict[str, Any]]:
        """The items that could not be used."""
        return [item for item in self.items if "error" in item]
