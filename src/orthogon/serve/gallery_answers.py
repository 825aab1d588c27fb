"""What a gallery says: how it was changed, and who is in a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from orthogon.draw.tables import html_table, text_table
from orthogon.serve.gallery_file import Held, Picture
from orthogon.serve.items import Items
from orthogon.serve.thresholds import Threshold

SHOWN, SHOWN_DIGITS = 10, 16
"""Lines that are told one by one, and digits of a hash."""


class Elsewhere(NamedTuple):
    """A picture that was given as one identity's and is in the gallery as another's."""

    picture: str
    given: str
    held: str


class Unusable(NamedTuple):
    picture: str
    why: str


@dataclass
class Change:
    """What `add`, `update` or `remove` did.

    added, removed, moved (to the identity that was given): pictures. already: the same content was there, under the
    same identity. elsewhere: the same content is there under another identity, and stayed there. unusable: could not be
    read or encoded. identities, pictures: how many there are now.
    """

    added: int = 0
    removed: int = 0
    moved: int = 0
    already: int = 0
    elsewhere: list[Elsewhere] = field(default_factory=list)
    unusable: list[Unusable] = field(default_factory=list)
    identities: int = 0
    pictures: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "elsewhere": [each._asdict() for each in self.elsewhere],
                "unusable": [each._asdict() for each in self.unusable]}

    def __str__(self) -> str:
        counted = {"added": self.added, "moved": self.moved, "removed": self.removed, "there already": self.already}
        said = ", ".join(f"{number:,} {word}" for word, number in counted.items() if number) or "nothing changed"
        now = f"{_of(self.pictures, 'picture')} of {_of(self.identities, 'identity')}"
        lines = [f"{said}; the gallery now holds {now}"]
        lines += _first([f"{each.picture} was given as {each.given!r} and is there as {each.held!r}: left as it is"
                         for each in self.elsewhere])
        lines += ["  To move a picture to another identity: orthogon gallery update"] if self.elsewhere else []
        lines += _first([f"{each.picture} could not be used: {each.why}" for each in self.unusable])
        return "\n".join(lines)


def _of(number: int, noun: str) -> str:
    many = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number:,} {noun if number == 1 else many}"


def _first(lines: list[str]) -> list[str]:
    rest = len(lines) - SHOWN
    return lines[:SHOWN] + ([f"… and {rest:,} more"] if rest > 0 else [])


@dataclass(frozen=True)
class Listing:
    """What `list` found: identities, or the pictures of one."""

    rows: Sequence[Held] | Sequence[Picture]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Held | Picture]:
        return iter(self.rows)

    def to_dict(self) -> dict[str, Any]:
        return {"n": len(self), "rows": [_plain(each) for each in self]}

    def __str__(self) -> str:
        return text_table(*self._table()) if self.rows else "nobody is in the gallery"

    def _repr_html_(self) -> str:
        return html_table(*self._table())

    def _table(self) -> tuple[list[str], list[list[Any]]]:
        rows = [[value[:SHOWN_DIGITS] if key == "hash" else value for key, value in _plain(each).items()]
                for each in self]
        return list(self.rows[0]._fields) if self.rows else [], rows


def _plain(row: Held | Picture) -> dict[str, Any]:
    return {key: value.hex() if isinstance(value, bytes) else value for key, value in row._asdict().items()}


class Answers(Items):
    """An answer for each picture, in their order; `answers[0]`, `len(answers)`, `for one in answers`.

    Of `identify`: "id", "identity" (None = unknown), "distance" and "nearest", identities with their distances. Of
    `verify`: "id", "same", "distance". A picture that could not be used has "id" and "error" instead.
    threshold: the distance up to which a picture is taken for an identity, and how it was come by.
    """

    def __init__(self, items: Sequence[dict[str, Any]], threshold: Threshold) -> None:
        super().__init__(items)
        self.threshold = threshold

    def to_dict(self) -> dict[str, Any]:
        return {"n": len(self), "errors": len(self.errors), "threshold": self.threshold.to_dict(),
                "answers": self.items}

    def __str__(self) -> str:
        return f"{text_table(*self._table())}\n\n{self.threshold}"

    def _repr_html_(self) -> str:
        return html_table(*self._table(), caption=str(self.threshold))

    def _table(self) -> tuple[list[str], list[list[Any]]]:
        remarked = any(_remark(item) for item in self.items)
        rows = [[item["id"], _answer(item), item.get("distance"), *([_remark(item)] if remarked else [])]
                for item in self.items]
        return ["picture", "answer", "distance", *([""] if remarked else [])], rows


def _answer(item: Mapping[str, Any]) -> str | None:
    if "error" in item:
        return None
    if "same" in item:
        return "the same" if item["same"] else "another"
    return "unknown" if item["identity"] is None else item["identity"]


def _remark(item: Mapping[str, Any]) -> str:
    """The error; or the identities that are next."""
    near = item.get("nearest", ())[0 if item.get("identity") is None else 1 :]
    next_ = ", ".join(f"{each['identity']} {each['distance']:.3g}" for each in near)
    return item.get("error") or (f"next: {next_}" if next_ else "")
