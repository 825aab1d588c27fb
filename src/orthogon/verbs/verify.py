"""`verify`: whether files of weights are what was published; every byte is read again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from orthogon.data.digests import fresh_sha256
from orthogon.errors import RecipeError
from orthogon.train.published import PUBLISHED, Published
from orthogon.train.weights import SUFFIXES, location, weights_cache
from orthogon.verbs.get import published_weights


@dataclass(frozen=True)
class Checked:
    """One file. name: of the published weights, "" where it is none of them. expected: the SHA-256 that was published,
    or its first digits. state: "sound", "damaged", or "unknown" where nothing says what it should be."""

    name: str
    path: Path
    sha256: str
    expected: str
    state: Literal["sound", "damaged", "unknown"]


@dataclass(frozen=True)
class Verified:
    """The files that were read; true where none is damaged."""

    files: tuple[Checked, ...]

    def __bool__(self) -> bool:
        return all(each.state != "damaged" for each in self.files)

    def to_dict(self) -> dict[str, Any]:
        return {"sound": bool(self), "files": [{**vars(each), "path": str(each.path)} for each in self.files]}

    def __str__(self) -> str:
        from orthogon.draw.tables import text_table

        if not self.files:
            return "no weights are here yet: orthogon get resnet18/imagenet"
        cells = [[each.state, each.name or "-", each.sha256[:16], str(each.path)] for each in self.files]
        return text_table(["", "weights", "SHA-256", "file"], cells, align="llll")

    def __repr__(self) -> str:
        return str(self)


def verify(name: str | Path | None = None) -> Verified:
    """Read files of weights anew and compare their SHA-256 with what was published, or was written here.

    name: "resnet18/imagenet-v1", or a file; left out: all published weights that are here, and what they were converted
    to. RecipeError where it is not here.
    """
    if name is None:
        here = [(each, path) for each in PUBLISHED if (path := location(each))]
        return Verified((*(_published(*pair) for pair in here), *map(_converted, _cached())))
    path = Path(name)
    if path.suffix in SUFFIXES or path.is_file():
        if not path.is_file():
            raise RecipeError("there is no such file", where=str(path))
        return Verified((_file(path),))
    published = published_weights(str(name))
    found = location(published)
    if found is None:
        raise RecipeError("these weights are not here", where=published.title,
                          remedy=f"orthogon get {published.title}")
    return Verified((_published(published, found),))


def _cached() -> list[Path]:
    """What was converted before."""
    return [path for path in sorted(weights_cache().glob("*.safetensors")) if path.with_suffix(".sha256").is_file()]


def _published(published: Published, path: Path) -> Checked:
    digest = fresh_sha256(path)
    sound = digest.startswith(published.sha256)
    return Checked(published.title, path, digest, published.sha256, "sound" if sound else "damaged")


def _converted(path: Path) -> Checked:
    digest, written = fresh_sha256(path), path.with_suffix(".sha256").read_text()
    return Checked("", path, digest, written, "sound" if digest == written else "damaged")


def _file(path: Path) -> Checked:
    """By its content; by its name where a published file is called so and this is not it."""
    digest = fresh_sha256(path)
    if path.with_suffix(".sha256").is_file():
        return _converted(path)
    known = next((each for each in PUBLISHED if digest.startswith(each.sha256)), None)
    if known is not None:
        return Checked(known.title, path, digest, known.sha256, "sound")
    namesake = next((each for each in PUBLISHED if each.file == path.name), None)
    if namesake is not None:
        return Checked(namesake.title, path, digest, namesake.sha256, "damaged")
    return Checked("", path, digest, "", "unknown")
