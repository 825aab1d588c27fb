"""How a probe goes: a bar on a terminal, a line for each rung elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from orthogon.strategy.arms import Arm
from orthogon.verbs.progress import clock


class Progress:
    """Watches arms being trained. quiet: say nothing. seconds: how long all of it is expected to take."""

    def __init__(self, quiet: bool, seconds: float) -> None:
        self.quiet, self.seconds, self.started = quiet, seconds, time.monotonic()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Progress:
        if not self.quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            self._bar = Progress(
                TextColumn("{task.description}"), BarColumn(bar_width=18), TextColumn("{task.completed}/{task.total}"),
                TextColumn("{task.fields[arm]}"), TextColumn("{task.fields[clock]}"),
                console=Console(stderr=True, highlight=False), transient=True,
            )
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def watch(self, arms: Sequence[Arm], done: int) -> None:
        """`arms` are being trained, and so many of them are trained."""
        if self.quiet or not arms:
            return
        if self._bar is not None:
            self._draw(arms, done)
        elif done == 0:
            print(rung(arms), file=sys.stderr, flush=True)

    def _draw(self, arms: Sequence[Arm], done: int) -> None:
        if done == 0:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._task = self._bar.add_task(rung(arms), total=len(arms), arm="", clock="")
        left = self.seconds - (time.monotonic() - self.started)
        self._bar.update(self._task, completed=done, arm=_line(arms[done]) if done < len(arms) else "",
                         clock=f"{clock(left)} left" if left > 0 else "")


def rung(arms: Sequence[Arm]) -> str:
    """"screening 9 remedies at 23 % of the training", "confirming rotate, shift, scale in training"."""
    tried = [arm for arm in arms if arm.remedy is not None]
    if arms[0].budget < 1:
        return f"screening {len(tried)} remed{'y' if len(tried) == 1 else 'ies'} at {100 * arms[0].budget:.0f} % of " \
               "the training"
    return "confirming " + "; ".join(_line(arm) for arm in tried or arms)


def _line(arm: Arm) -> str:
    return arm.remedy.line if arm.remedy else "the recipe as it is"
