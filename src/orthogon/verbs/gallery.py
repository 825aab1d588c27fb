"""`gallery`: know again whom or what a picture shows, among those that were put in."""

from __future__ import annotations

from pathlib import Path

from orthogon.serve.gallery import Gallery
from orthogon.train.run import Run


def gallery(
    path: str | Path = "gallery.sqlite", run: str | Path | Run | None = None, *, root: str | Path = "runs",
    device: str = "cpu",
) -> Gallery:
    """The gallery in that file, or a new one, which is written when the first pictures are added.

    >>> people = og.gallery("people.sqlite", run="last")
    >>> people.add("faces/")                      # faces/anna/1.jpg, faces/ben/1.jpg, ...
    >>> people.identify("door.jpg")               # who is it, or unknown (1:K)
    >>> people.verify("door.jpg", "anna")         # is it she? (1:1)

    run: whose network encodes the pictures: one of the task verify, or any classifier. Left out: the one that the
    gallery was begun with, or the last run where there is no gallery yet.
    """
    return Gallery(path, run, root=root, device=device)
