"""`get`: fetch a named public data set, or published weights, and verify them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orthogon.data import public
from orthogon.errors import DataError, nearest
from orthogon.train import weights as weights_by_name
from orthogon.train.published import PUBLISHED, Published


@dataclass(frozen=True)
class Got:
    """A public data set, or published weights, that are here.

    folder: where the files lie; None for sets that come with the software. next: the command that uses it.
    """

    name: str
    title: str
    folder: Path | None
    licence: str
    citation: str
    address: str
    notes: tuple[str, ...]
    next: str

    def to_dict(self) -> dict[str, Any]:
        return {**vars(self), "folder": None if self.folder is None else str(self.folder), "notes": list(self.notes)}

    def __str__(self) -> str:
        from orthogon.verbs.console import labelled

        lines = [
            labelled(self.name, self.title), labelled("folder", str(self.folder or "comes with the software")),
            labelled("licence", self.licence), labelled("cite", self.citation), labelled("address", self.address),
            *(labelled("note", note) for note in self.notes), labelled("next", self.next),
        ]
        return "\n".join(lines)


def get(name: str, *, root: str | Path | None = None) -> Got:
    """The data set ("trashnet") or the weights ("resnet18/imagenet") of that name, verified.

    Fetched into the cache if they are not here. root: a folder that may have the data set; default: $ORTHOGON_DATA.
    DataError for an unknown name, a failed download, and for content other than what was published.
    """
    if name in public.SETS:
        found = public.find(name)
        folder = public.get(name, None if root is None else Path(root))
        return Got(name, found.title, None if found.bundled else folder, found.licence, found.citation, found.address,
                   found.notes, f"orthogon train {name}")
    published = published_weights(name)
    path = weights_by_name.get(published)
    return Got(
        published.title, f"weights of {published.model}, {len(published.classes):,} classes of {published.trained_on}, "
        f"pictures of {published.preprocessing.size} pixels; the file {published.file}", path.parent, published.licence,
        published.citation, published.address, tuple(filter(None, [published.notes])),
        f"orthogon train PHOTOS --model {published.model} --weights {published.name}",
    )


def published_weights(name: str) -> Published:
    """Those meant by "resnet18/imagenet" or "resnet18/imagenet-v1"; DataError naming the nearest."""
    model, _, short = name.partition("/")
    if any(each.model == model and short in (each.name, each.trained_on) for each in PUBLISHED):
        found = weights_by_name.find(name).published
        if found is not None:
            return found
    known = [each.title for each in PUBLISHED] + [f"{each.model}/{each.trained_on}" for each in PUBLISHED]
    raise DataError(f"there is no public data set and there are no weights called {name!r}",
                    remedy=nearest(name, [*public.names(), *known]) if "/" in name else
                    f"{nearest(name, public.names())} Weights are named MODEL/NAME: `orthogon list weights`.")
