"""Observers that show how training goes: a live bar, plain lines, a curve in notebooks, TensorBoard."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orthogon.errors import OrthogonError
from orthogon.train.observers import Observer, StepEvent
from orthogon.train.titles import error_name, is_accuracy

if TYPE_CHECKING:
    from orthogon.train.run import Run
    from orthogon.train.trainer import Trainer

REFRESH = 0.1
"""Seconds between two drawings of the bar."""
CURVE_REFRESH = 1.0
MOST_LINES = 30
WINDOW = 10.0
"""Seconds over which speed is averaged."""


def progress(quiet: bool = False, noun: str = "examples", judged: str = "dev", share: bool = False) -> list[Observer]:
    """What suits the place: nothing when quiet, a curve in a notebook, a bar on a terminal, else plain lines.

    noun: what is counted, e.g. "pictures". judged: the examples whose score is shown; "" for tasks without examples.
    share: whether that score is one, and is shown in percent.
    """
    if quiet:
        return []
    if in_notebook():
        return [Curve()]
    return [(Bar if sys.stderr.isatty() else Lines)(noun, judged, share)]


def in_notebook() -> bool:
    """Whether this process is a notebook's kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


class Speed:
    """Examples a second and the seconds that are left, from the events of the last ten seconds.

    step: where training starts; not 0 for a resumed run.
    """

    def __init__(self, step: int = 0) -> None:
        self.started = time.monotonic()
        self._seen: deque[tuple[float, int, int]] = deque([(self.started, 0, step)])

    def note(self, event: StepEvent) -> None:
        now = time.monotonic()
        self._seen.append((now, event.examples, event.step))
        while len(self._seen) > 2 and now - self._seen[0][0] > WINDOW:
            self._seen.popleft()

    def examples_per_second(self) -> float:
        (start, before, _), (now, after, _) = self._seen[0], self._seen[-1]
        return (after - before) / max(now - start, 1e-9)

    def seconds_left(self, event: StepEvent) -> float:
        (start, _, before), (now, _, after) = self._seen[0], self._seen[-1]
        return (event.steps - event.step) * (now - start) / max(after - before, 1)

    def elapsed(self) -> float:
        return time.monotonic() - self.started


class Watching(Observer):
    """Keeps what a line about training needs: the last event, the last dev score, the speed."""

    def __init__(self, noun: str = "examples", judged: str = "dev", share: bool = False) -> None:
        self.noun, self.judged, self.share, self.speed = noun, judged, share, Speed()
        self.event: StepEvent | None = None
        self.dev: Mapping[str, float] = {}

    def on_start(self, trainer: Trainer) -> None:
        self.speed = Speed(trainer.position.step)

    def on_step(self, event: StepEvent) -> None:
        self.event = event
        self.speed.note(event)

    def on_evaluation(self, event: dict[str, Any]) -> None:
        self.dev = event["dev"]

    def status(self, loss: float | None = None) -> str:
        """`loss 0.02   dev error 0.6 %   5,400 pictures/s`; loss: instead of the mean since the last event."""
        if self.event is None:
            return ""
        loss = self.event.loss if loss is None else loss
        score = score_text(self.dev, self.judged, self.share)
        pace = f"{self.speed.examples_per_second():,.0f} {self.noun}/s" if self.event.examples else ""
        return "   ".join(part for part in (f"loss {loss:.3g}", score, pace) if part)


class Bar(Watching):
    """One live line on a terminal: epoch, bar, loss, dev score, speed, time left; the time taken at its end."""

    def __init__(self, noun: str = "examples", judged: str = "dev", share: bool = False) -> None:
        super().__init__(noun, judged, share)
        self._bar: Any = None
        self._task: Any = None
        self._drawn = 0.0

    def on_start(self, trainer: Trainer) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        super().on_start(trainer)
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=18), TextColumn("{task.fields[status]}"),
            TextColumn("{task.fields[clock]}"), console=Console(stderr=True, highlight=False), auto_refresh=False,
        )
        self._task = self._bar.add_task("starting", total=trainer.steps, completed=trainer.position.step,
                                        status="", clock="")
        self._bar.start()
        self._bar.refresh()

    def on_step(self, event: StepEvent) -> None:
        super().on_step(event)
        if time.monotonic() - self._drawn >= REFRESH:
            self._draw(event, clock(self.speed.seconds_left(event)))

    def on_message(self, text: str) -> None:
        if self._bar is None:
            print(text, file=sys.stderr, flush=True)
        else:
            self._bar.console.print(text, markup=False)

    def on_end(self, trainer: Trainer) -> None:
        if self._bar is not None:
            if self.event is not None:
                self._draw(self.event, clock(self.speed.elapsed()))
            self._bar.stop()

    def _draw(self, event: StepEvent, shown: str) -> None:
        self._bar.update(self._task, completed=event.step, description=f"epoch {event.epoch}/{event.epochs}",
                         status=self.status(), clock=shown)
        self._bar.refresh()
        self._drawn = time.monotonic()


class Lines(Watching):
    """A line an epoch on standard error, at most thirty in all: for logs."""

    def on_epoch(self, event: dict[str, Any]) -> None:
        last = self.event
        if last is None:
            return
        epoch, every = event["epoch"], -(-last.epochs // MOST_LINES)
        if epoch % every == 0 or last.step >= last.steps:
            done = last.step >= last.steps
            left = clock(self.speed.elapsed()) if done else f"{clock(self.speed.seconds_left(last))} left"
            count = f"epoch {epoch:>{len(str(last.epochs))}}/{last.epochs}"
            print(f"{count}   {self.status(event['train_loss'])}   {left}", file=sys.stderr, flush=True)

    def on_message(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


class Curve(Observer):
    """A curve of loss and dev score in a notebook, drawn again after an epoch, once a second at most."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._drawn = -CURVE_REFRESH
        self._losses: list[tuple[int, float]] = []
        self._scores: list[tuple[int, float]] = []
        self._score = ""

    def on_start(self, trainer: Trainer) -> None:
        from IPython.display import HTML, display  # pyright: ignore[reportMissingImports]

        self._handle = display(HTML("training …"), display_id=True)

    def on_epoch(self, event: dict[str, Any]) -> None:
        self._losses.append((event["epoch"], event["train_loss"]))
        if event.get("dev"):
            name, value = dev_score(event["dev"])
            self._score = name
            self._scores.append((event["epoch"], value))
        if time.monotonic() - self._drawn >= CURVE_REFRESH:
            self._draw()

    def on_message(self, text: str) -> None:
        print(text)

    def on_end(self, trainer: Trainer) -> None:
        if self._losses:
            self._draw()

    def _draw(self) -> None:
        from IPython.display import HTML  # pyright: ignore[reportMissingImports]

        from orthogon.draw.curves import curves

        series = {"train loss": tuple(zip(*self._losses))}
        if self._scores:
            series[f"dev {self._score}"] = tuple(zip(*self._scores))
        self._handle.update(HTML(curves(series, title="Loss and dev score by epoch", x_label="epoch")))
        self._drawn = time.monotonic()


class TensorBoard(Observer):
    """Scalars for TensorBoard in the run's folder `tensorboard/`.

    OrthogonError where TensorBoard is not installed.
    """

    def __init__(self, run: Run | str | Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise OrthogonError("TensorBoard is not installed", remedy="pip install 'orthogon[tensorboard]'") from None
        self.writer = SummaryWriter(str(Path(run) / "tensorboard"))

    def on_step(self, event: StepEvent) -> None:
        self.writer.add_scalar("train/loss", event.loss, event.step)
        self.writer.add_scalar("train/lr", event.lr, event.step)

    def on_evaluation(self, event: dict[str, Any]) -> None:
        for name, value in event["dev"].items():
            self.writer.add_scalar(f"dev/{name}", value, event["step"])

    def on_end(self, trainer: Trainer) -> None:
        self.writer.close()


def dev_score(dev: Mapping[str, float]) -> tuple[str, float]:
    """The figure to watch: the first metric, an accuracy as error, so that small is good and small gains show."""
    name = next(iter(dev))
    return error_name(name), 1 - dev[name] if is_accuracy(name) else dev[name]


def score_text(dev: Mapping[str, float], judged: str = "dev", share: bool = False) -> str:
    """`dev error 0.6 %`; empty before the first evaluation. share: whether the first metric is one."""
    if not dev:
        return ""
    name, value = dev_score(dev)
    return f"{judged} {name} {f'{100 * value:.1f} %' if share else f'{value:.4g}'}".strip()


def clock(seconds: float) -> str:
    """0:06, 12:34, 1:02:03."""
    whole = int(seconds + 0.5)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
