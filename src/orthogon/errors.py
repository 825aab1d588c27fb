"""The errors a person sees. Each says what happened, where, and what to do about it."""

from __future__ import annotations


class OrthogonError(Exception):
    """A mistake in what was given (data, recipe, command): the command line exits with code 2.

    what:   what happened and what was expected, in one sentence.
    remedy: what to do about it.
    where:  the file, row, column or key.
    """

    def __init__(self, what: str, *, remedy: str = "", where: str = "") -> None:
        self.what, self.remedy, self.where = what, remedy, where
        text = f"{where}: {what}" if where else what
        super().__init__(f"{text}\n  {remedy}" if remedy else text)


class DataError(OrthogonError):
    """The data cannot be read or cannot be learnt from."""


class RecipeError(OrthogonError):
    """The recipe asks for something that does not exist or does not fit."""


class RunError(OrthogonError):
    """A run folder is missing, in use, damaged, or written by a newer version."""


class Diverged(OrthogonError):
    """Training was stopped because the loss became NaN or infinite."""


class Interrupted(OrthogonError):
    """Training was stopped on request, after the step in hand was finished and saved."""


def nearest(name: str, known: list[str] | tuple[str, ...]) -> str:
    """A sentence that names the nearest known name, or lists them all."""
    import difflib

    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"Did you mean {close[0]!r}?" if close else "Known: " + ", ".join(sorted(known)) + "."
