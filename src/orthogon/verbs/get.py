"""`get`: fetch a named public data set and verify it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orthogon.data import public


@dataclass(frozen=True)
class Got:
    """A public data set that is here.

    folder: where its files lie; None for sets that come with the software.
    """

    name: str
    title: str
    folder: Path | None
    licence: str
    citation: str
    address: str
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {**vars(self), "folder": None if self.folder is None else str(self.folder), "notes": list(self.notes)}

    def __str__(self) -> str:
        from orthogon.verbs.console import labelled

        lines = [
            labelled(self.name, self.title), labelled("folder", str(self.folder or "comes with the software")),
            labelled("licence", self.licence), labelled("cite", self.citation), labelled("address", self.address),
            *(labelled("note", note) for note in self.notes),
            labelled("next", f"orthogon train {self.name}"),
        ]
        return "\n".join(lines)


def get(name: str, *, root: str | Path | None = None) -> Got:
    """The data set of that name, fetched into the cache if it is not here, and verified.

    root: a folder that may have it; default: $ORTHOGON_DATA. DataError for an unknown name, a failed download, and
    for content other than what was published.
    """
    found = public.find(name)
    folder = public.get(name, None if root is None else Path(root))
    here = None if found.bundled else folder
    return Got(name, found.title, here, found.licence, found.citation, found.address, found.notes)
