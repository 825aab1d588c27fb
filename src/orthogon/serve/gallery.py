"""A gallery: encodings of pictures by whose they are, to know the same again (rows 21.01, 21.03, 21.04, 21.12).

No picture is kept, only its hash, its encoding, whose it is and when it came. A gallery belongs to the network that
made its encodings: those of another are refused.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from orthogon.errors import DataError, RunError, nearest
from orthogon.serve.bundle import bundle_folder, load
from orthogon.serve.encode import dimension, fingerprint, shipped_threshold, unlike
from orthogon.serve.gallery_answers import Answers, Change, Elsewhere, Listing, Unusable
from orthogon.serve.gallery_file import Encoder, Entry, GalleryFile
from orthogon.serve.gallery_pictures import Pictures, pictures_of
from orthogon.serve.gallery_reading import Known, encoded, read_pictures, slabs
from orthogon.serve.neighbors import Encodings
from orthogon.serve.predictor import Predictor
from orthogon.serve.thresholds import LeftOut, Threshold
from orthogon.train.run import Run

FALSE_ACCEPTS = 0.01
"""The share of strangers that may be taken for somebody, where nothing else is asked for."""

SHIPPED = "shipped with the network, which chose it on pairs of its dev set"


class Gallery:
    """A gallery on disk.

    path: its file, made when the first pictures are added. run: whose network encodes; left out: the one that the
    gallery was begun with, or the last run where there is no gallery yet. root: the folder of the runs.
    """

    def __init__(self, path: str | Path = "gallery.sqlite", run: str | Path | Run | None = None, *,
                 root: str | Path = "runs", device: str = "cpu") -> None:
        self.path, self._run, self._root, self._device = Path(path), run, root, device
        self._left_out: tuple[Encodings, bool, LeftOut] | None = None

    @cached_property
    def network(self) -> Predictor:
        """The encoder. RunError where it is not the network that the gallery's encodings are of."""
        if not self.path.exists():
            return load(self._bundle, device=self._device)
        held = self._file.encoder
        if self._run is None and not self._bundle.is_dir():
            raise RunError(f"the network of this gallery, that of the run {held.run!r}, is no longer at {held.bundle}",
                           where=str(self.path), remedy="Say where it is: --run RUN, or the folder of its bundle.")
        network = load(self._bundle, device=self._device)
        if fingerprint(network) != held.fingerprint:
            raise RunError(
                f"the encodings in this gallery are by the network {held.fingerprint[:8]} of the run {held.run!r}, and "
                f"this is {fingerprint(network)[:8]} of {network.about['run']!r}; those of two networks cannot be "
                "compared", where=str(self.path),
                remedy="Leave --run out to take the gallery's own; or begin another gallery and add its pictures.")
        return network

    @property
    def _bundle(self) -> Path:
        if self._run is None and self.path.exists():
            return Path(self._file.encoder.bundle)
        return bundle_folder("last" if self._run is None else self._run, self._root).absolute()

    @cached_property
    def _file(self) -> GalleryFile:
        return GalleryFile(self.path)

    # What is in it.

    def list(self, identity: str | None = None) -> Listing:
        """The identities by name, how many pictures each has, and when they came; or the pictures of one by hash.

        DataError where there is no such identity.
        """
        if identity is None:
            return Listing(self._file.identities())
        self._must_know(identity)
        return Listing(self._file.pictures(identity))

    def _must_know(self, identity: str) -> None:
        names = [each.identity for each in self._file.identities()]
        if identity not in names:
            raise DataError(f"there is no {identity!r} in the gallery", where=str(self.path),
                            remedy=nearest(identity, names) if names else "It is empty: orthogon gallery add FOLDER")

    # Changing it.

    def add(self, inputs: Any, identity: str | None = None) -> Change:
        """Add pictures: files, a folder with one folder for each identity, a data set, or the name of a public one.

        identity: whose all of them are; left out, the first folder below the one that is given, or the data's target.
        A picture whose content is there already is not added again. They are added some hundreds at a time: what was
        added before an interruption stays, and the same call goes on with the rest. DataError where a picture is
        nobody's.
        """
        pictures = self._owned(inputs, identity)
        file, change = self._begun(), Change()
        for read in read_pictures(pictures, self.network, file.held):
            file.write(read.new)
            change.added += len(read.new)
            change.already += sum(each.given == each.held for each in read.known)
            change.elsewhere += [Elsewhere(each.name, each.given, each.held) for each in read.known
                                 if each.given != each.held]
            change.unusable += read.unusable
        return self._counted(change)

    def update(self, inputs: Any, identity: str | None = None) -> Change:
        """Let each identity that is given hold these pictures and no others, all in one step.

        As `add`; but what it held and is not given is removed, and a picture that is there as another identity's moves
        to this one. An identity of which no picture can be used stays as it is.
        """
        pictures = self._owned(inputs, identity)
        file = self._begun()
        new: list[Entry] = []
        known: list[Known] = []
        unusable: list[Unusable] = []
        for read in read_pictures(pictures, self.network, file.held):
            new, known, unusable = new + read.new, known + read.known, unusable + read.unusable
        wanted = {each.hash: each.given for each in known} | {each.hash: each.identity for each in new}
        move = {each.hash: each.given for each in known if wanted[each.hash] != each.held}
        gone = [each.hash for name in sorted(set(wanted.values())) for each in file.pictures(name)
                if each.hash not in wanted]
        file.write(new, remove=gone, assign=move)
        return self._counted(Change(added=len(new), removed=len(gone), moved=len(move), already=len(known) - len(move),
                                    unusable=unusable))

    def remove(self, *what: str) -> Change:
        """Remove identities with all their pictures, or single pictures by hash (or its first digits, at least 8).

        What is removed is overwritten in the file. DataError where one is not there; then nothing is removed.
        """
        file = self._file
        names = {each.identity for each in file.identities()}
        gone: dict[bytes, None] = {}
        for each in what:
            if each in names:
                gone |= dict.fromkeys(picture.hash for picture in file.pictures(each))
                continue
            found = file.find(each) if len(each) >= 8 else []
            if len(found) != 1:
                raise DataError(f"{len(found)} pictures have a hash that begins with {each!r}" if found else
                                f"there is neither an identity nor the hash of a picture {each!r}",
                                where=str(self.path), remedy=nearest(each, sorted(names)) if names else "It is empty.")
            gone[found[0]] = None
        file.write(remove=gone)
        return self._counted(Change(removed=len(gone)))

    def _counted(self, change: Change) -> Change:
        held = self._file.identities()
        change.identities, change.pictures = len(held), sum(each.pictures for each in held)
        return change

    def _owned(self, inputs: Any, identity: str | None) -> Pictures:
        pictures = pictures_of(inputs, self.network, identity)
        if None in pictures.identities:
            raise DataError("whose picture is this?", where=pictures.names[pictures.identities.index(None)],
                            remedy="Say it: --identity NAME. Or give a folder in which each identity has a folder.")
        return pictures

    def _begun(self) -> GalleryFile:
        if not self.path.exists():
            network, bundle = self.network, str(self._bundle)
            GalleryFile(self.path, Encoder(fingerprint(network), dimension(network), network.about["run"], bundle))
        return self._file

    # Asking it.

    def identify(self, inputs: Any, *, threshold: float | None = None, false_accepts: float | None = None,
                 most: int = 3) -> Answers:
        """Whose pictures these are: of each the nearest identity, or unknown where that is beyond the threshold (1:K).

        threshold: a distance; left out, the largest at which this gallery takes no more than the share `false_accepts`
        (1 %) of strangers for somebody, each picture left out in turn with all of its identity; and where the network
        ships a threshold and no share is given, no more than that. most: how many identities are named.
        DataError where the gallery is empty, and where it holds one identity alone and no threshold is given.
        """
        held = self._held()
        chosen = self._threshold(held, threshold, false_accepts, one=False)

        def answer(value: np.ndarray) -> dict[str, Any]:
            near = held.nearest(value, most)
            (name, far) = near[0]
            return {"identity": name if far <= chosen.value else None, "distance": far,
                    "nearest": [{"identity": each, "distance": distance} for each, distance in near]}

        return self._answers(inputs, chosen, answer)

    def verify(self, inputs: Any, identity: str, *, threshold: float | None = None,
               false_accepts: float | None = None) -> Answers:
        """Whether these are pictures of that identity: whether the nearest of its own is within the threshold (1:1).

        threshold: a distance; left out, that which the network ships, where it does and no share is given; otherwise
        the largest at which this gallery takes no more than the share `false_accepts` (1 %) of strangers for the one
        whom they claim to be. That is easier than not to be taken for anybody, so it may be larger than `identify`'s.
        """
        self._must_know(identity)
        held = self._held()
        chosen = self._threshold(held, threshold, false_accepts, one=True)
        code = held.names.index(identity)

        def answer(value: np.ndarray) -> dict[str, Any]:
            far = held.distance(value, code)
            return {"same": far <= chosen.value, "distance": far}

        return self._answers(inputs, chosen, answer)

    def _answers(self, inputs: Any, threshold: Threshold, answer: Callable[[np.ndarray], dict[str, Any]]) -> Answers:
        pictures = pictures_of(inputs, self.network)
        items: list[dict[str, Any]] = []
        for rows in slabs(pictures):
            found, why = encoded(pictures, rows, self.network)
            items += [{"id": pictures.names[row], **(answer(found[row]) if row in found else {"error": why[row]})}
                      for row in rows]
        return Answers(items, threshold)

    def _held(self) -> Encodings:
        found = self._file.encodings(unlike(self.network))
        if not len(found):
            raise DataError("the gallery is empty: there is nobody to know again", where=str(self.path),
                            remedy="orthogon gallery add FOLDER, with a folder of pictures for each identity.")
        return found

    def _threshold(self, held: Encodings, given: float | None, share: float | None, *, one: bool) -> Threshold:
        """What is given; for one identity what the network ships; for several, among whom a stranger has as many more
        chances, what the gallery shows, but no more than what the network ships."""
        shipped = shipped_threshold(self.network) if share is None else None
        if given is not None:
            return self._at(held, given, "as given", one)
        if shipped is not None and (one or len(held.names) == 1):
            return self._at(held, shipped, SHIPPED, one)
        share = FALSE_ACCEPTS if share is None else share
        shown = self._without_each(held, one).threshold_at(share)
        if shipped is not None and shipped < shown:
            return self._at(held, shipped, SHIPPED, one)
        return self._at(held, shown, f"the largest at which this gallery takes at most {100 * share:g} % of strangers "
                                     f"for {'a certain one' if one else 'somebody'}", one)

    def _at(self, held: Encodings, value: float, origin: str, one: bool) -> Threshold:
        if len(held.names) == 1:
            return Threshold(value, origin)
        return self._without_each(held, one).at(value, origin)

    def _without_each(self, held: Encodings, one: bool) -> LeftOut:
        """Reckoned once, as long as nothing changes."""
        if self._left_out is None or self._left_out[0] is not held or self._left_out[1] != one:
            self._left_out = held, one, LeftOut.of(held, one=one)
        return self._left_out[2]
