"""A progress bar for work that turns out to be long, when a person looks on."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
_PATIENCE = 1.0


@contextmanager
def bar(what: str, total: int | None, unit: str = "", show: bool | None = None) -> Iterator[Callable[[int], None]]:
    """Gives a function to call with the amount done since the last call; the bar appears after one second.

    show: True, False, or None = where stderr is a terminal. unit "bytes" shows sizes and speed.
    """
    if not (sys.stderr.isatty() if show is None else show):
        yield lambda amount: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    count = DownloadColumn() if unit == "bytes" else MofNCompleteColumn()
    progress = Progress(TextColumn("{task.description}"), BarColumn(), count, TimeRemainingColumn(),
                        console=Console(stderr=True), transient=True)
    task = progress.add_task(what, total=total)
    start = time.monotonic()

    def advance(amount: int) -> None:
        progress.advance(task, amount)
        if not progress.live.is_started and time.monotonic() - start > _PATIENCE:
            progress.start()

    try:
        yield advance
    finally:
        if progress.live.is_started:
            progress.stop()


def track(items: Iterable[T], total: int, what: str, show: bool | None = None) -> Iterator[T]:
    """The items, one step of the bar each."""
    with bar(what, total, show=show) as advance:
        for item in items:
            yield item
            advance(1)
