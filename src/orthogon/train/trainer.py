"""The loop: for every batch of the sampler, a step; with evaluation, checkpoints and progress around it."""

from __future__ import annotations

import math
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from orthogon.errors import Diverged, Interrupted, RunError
from orthogon.train.checkpoint import Checkpoints, Tree, copy_tree, tree_bytes
from orthogon.train.health import Health
from orthogon.train.observers import Observer, StepEvent
from orthogon.train.randomness import Draw, PreservedRandomness
from orthogon.train.ranks import Ranks
from orthogon.train.run import Run
from orthogon.train.sampler import Sampler
from orthogon.train.settings import TrainSettings
from orthogon.train.step import Step

DRAIN = 16
"""Steps between looks at the losses: reading a loss from a GPU waits for it."""

CHECKPOINT_SECONDS = 60.0


@dataclass
class Position:
    """Where training stands: `step` steps done, the next batch is k of `epoch`; and what is remembered of scores."""

    step: int = 0
    epoch: int = 0
    k: int = 0
    loss_sum: float = 0.0
    loss_count: float = 0.0
    window_sum: float = 0.0
    window_count: float = 0.0
    best_score: float = -math.inf
    best_step: int = -1
    epochs_without_gain: int = 0


class Trainer:
    """Trains until `settings.steps` steps are done.

    step:     changes the parameters by a batch. sampler: which rows make a batch.
    evaluate: None, or a function that looks at dev and gives {metric: value}.
    score:    of what it gave, the number by which epochs are ranked, more is better; default: the first value.
    run:      where checkpoints and metrics go; None: nowhere (then there is nothing to resume).
    ids:      rows -> ids, to name the examples of a batch that broke the loss.
    """

    def __init__(
        self, step: Step, sampler: Sampler, settings: TrainSettings, *, device: torch.device | None = None,
        evaluate: Callable[[], dict[str, float]] | None = None,
        score: Callable[[Mapping[str, float]], float] = lambda found: next(iter(found.values())),
        run: Run | None = None, ranks: Ranks | None = None, observers: Sequence[Observer] = (),
        ids: Callable[[Tensor], list[str]] = lambda rows: [str(row) for row in rows.tolist()],
    ) -> None:
        if settings.steps is None:
            raise ValueError("the number of steps is resolved before training starts")
        self.step, self.sampler, self.settings, self.evaluate = step, sampler, settings, evaluate
        self.device = device or torch.device("cpu")
        self.score = score
        self.steps, self.epochs = settings.steps, len(sampler.lengths(settings.steps))
        self.run, self.ranks, self.ids = run, ranks or Ranks(), ids
        self.observers = list(observers) if self.ranks.first else []
        self.health = Health(step, self.steps) if settings.health and run and self.ranks.first else None
        self.position = Position()
        self.checkpoints = Checkpoints(run.path / "checkpoints", self._say) if run else None
        self._stop_signal: int | None = None
        self._pending: list[tuple[int, Tensor, Tensor, float]] = []
        self._randomness = PreservedRandomness(self.device)
        self._best: Tree = None
        self._last_saved = -1
        self._saved_at = time.monotonic()
        self.examples = 0

    # --- the loop --------------------------------------------------------------------------------------------

    def fit(self) -> None:
        """Train from where the last sound checkpoint stands, or from the start, to the last step.

        Raises Interrupted when asked to stop (the step in hand is finished and saved), Diverged when the loss is no
        longer a number. Where best weights are kept, they are in the model on every exit path.
        """
        self._resume()
        self._check_disk()
        if self.sampler.learnt:
            self.sampler.watch(self.step.model())
        if not self.step.exact:
            self._say("this step does not repeat bit for bit, so resuming will not either")
        self._tell("on_start", self)
        try:
            with self._stop_on_request():
                while self.position.step < self.steps and not self._exhausted():
                    self._epoch()
            self._save()
        finally:
            self._randomness.restore()
            self._restore_best()
            self._tell("on_end", self)

    def _epoch(self) -> None:
        position, started = self.position, time.monotonic()
        batches = self.sampler.batches(position.epoch)
        self.step.evaluation_model().train()
        self.step.model().train()
        while position.k < batches and position.step < self.steps:
            rows = self.sampler.batch(position.epoch, position.k)
            self._randomness.save()
            share = rows if self.ranks.world == 1 else self.sampler.share(rows, self.ranks.rank, self.ranks.world)
            loss = self._step(share, Draw(self.settings.seed, position.epoch, position.step, self.device))
            position.k += 1
            position.step += 1
            self._pending.append((position.step, rows, loss, self.step.count))
            if len(self._pending) >= DRAIN or self._cannot_wait():
                self._drain()
        self._drain()
        self._end_epoch(batches, time.monotonic() - started)

    def _step(self, rows: Tensor, draw: Draw) -> Tensor:
        """The loss of one step; where it is due, the health of the step is logged."""
        number = self.position.step + 1
        if self.health is None or number not in self.health.steps:
            return self.step(rows, draw)
        before = self.health.weights()
        loss = self.step(rows, draw)
        with PreservedRandomness(self.device):
            self._log("health", number, **self.health.record(before, rows))
        return loss

    def _end_epoch(self, batches: int, seconds: float) -> None:
        position = self.position
        line: dict[str, Any] = {
            "epoch": position.epoch + 1, "train_loss": position.loss_sum / (position.loss_count or 1.0),
            "lr": self.step.rate(), "seconds": round(seconds, 3),
        }
        position.epoch, position.k, position.loss_sum, position.loss_count = position.epoch + 1, 0, 0.0, 0.0
        last = position.step >= self.steps
        if self.evaluate is not None and (last or position.epoch % self.settings.evaluate_every == 0):
            line["dev"] = self.ranks.share(self.evaluate() if self.ranks.first else None)
            self._score(self.score(line["dev"]))
            self._tell("on_evaluation", {"step": position.step, **line})
        self._log("epoch", position.step, **line)
        self._tell("on_epoch", {"step": position.step, **line})

    def _score(self, score: float) -> None:
        position = self.position
        self.step.observe(score)
        if score > position.best_score:
            position.best_score, position.best_step, position.epochs_without_gain = score, position.step, 0
            if self.settings.keep_best:
                self._keep_best()
        else:
            position.epochs_without_gain += 1

    def _keep_best(self) -> None:
        if self.checkpoints is None:
            self._best = copy_tree(self.step.state())
        elif self.ranks.first:
            self.checkpoints.save_best(self.position.step, self._tree())

    def _exhausted(self) -> bool:
        patience = self.settings.early_stopping
        return patience is not None and self.position.epochs_without_gain >= patience

    # --- losses: read a few at a time ------------------------------------------------------------------------

    def _drain(self) -> None:
        """Read the losses since the last time; stop where one is no number; then save or stop if it is time."""
        self._randomness.restore()
        if self._pending:
            losses = self.ranks.sum(torch.stack([loss for _, _, loss, _ in self._pending])).tolist()
            for (step, rows, _, count), loss in zip(self._pending, losses):
                if not math.isfinite(loss):
                    self._diverged(step, rows, loss)
                self.examples += len(rows)
                self._note(step, loss, count)
            self._report(sum(losses) / len(losses))
            self._pending.clear()
        stop = self._agreed_stop()
        if stop is not None:
            self._save()
            raise Interrupted(
                f"interrupted ({signal.Signals(stop).name}) after step {self.position.step:,} of {self.steps:,}",
                remedy=f"Continue with: orthogon train --resume {self.run.path}" if self.run else "",
            )
        if self._save_is_due():
            self._save()

    def _note(self, step: int, loss: float, count: float) -> None:
        """Add one loss to the sums; at most a thousand lines a run, at steps that depend on its length alone."""
        position = self.position
        position.loss_sum += count * loss  # one by one: the sum must not depend on where losses were read
        position.loss_count += count
        position.window_sum += count * loss
        position.window_count += count
        if step % max(DRAIN, self.steps // 1000) == 0:
            mean = position.window_sum / (position.window_count or 1.0)
            self._log("step", step, epoch=position.epoch + 1, loss=mean)
            position.window_sum, position.window_count = 0.0, 0.0

    def _report(self, mean: float) -> None:
        position = self.position
        self._tell("on_step", StepEvent(position.step, self.steps, position.epoch + 1, self.epochs, mean,
                                        self.step.rate(), self.examples))

    def _diverged(self, step: int, rows: Tensor, loss: float) -> None:
        ids = self.ids(rows)
        shown = ", ".join(ids[:8]) + (f" and {len(ids) - 8} more" if len(ids) > 8 else "")
        self._log("diverged", step, loss=str(loss), ids=ids)
        saved = self.checkpoints.steps() if self.checkpoints else []
        kept = f"The last good checkpoint is at step {saved[-1]:,}." if saved else "There is no checkpoint before it."
        raise Diverged(
            f"the loss became {loss} at step {step:,} (rate {self.step.rate():.3g})"
            + (f"; the batch held {shown}" if ids else ""),
            where=str(self.run.path) if self.run else "",
            remedy=f"{kept} Likely causes, in order: a learning rate that is too high (try a third), no gradient "
            "clipping (train.clip_norm=1), extreme values in these examples (orthogon check), a loss of log 0.",
        )

    # --- checkpoints -----------------------------------------------------------------------------------------

    def _cannot_wait(self) -> bool:
        """Whether to stop or save right after this step. Ranks must agree, so several look at the step alone."""
        if self.ranks.world > 1 or self.settings.checkpoint_steps is not None:
            every = self.settings.checkpoint_steps
            due = every is not None and self.position.step % every == 0
            return due or (self.ranks.world == 1 and self._stop_signal is not None)
        return self._stop_signal is not None or self._save_is_due()

    def _save_is_due(self) -> bool:
        if self.checkpoints is None or self.position.step == self._last_saved:
            return False
        if self.settings.checkpoint_steps is not None:
            return self.position.step % self.settings.checkpoint_steps == 0
        return time.monotonic() - self._saved_at > CHECKPOINT_SECONDS

    def _save(self) -> None:
        if self.checkpoints is None or self.position.step == self._last_saved:
            return
        if self.ranks.first:
            self.checkpoints.save(self.position.step, self._tree())
            self.checkpoints.prune()
        self._last_saved, self._saved_at = self.position.step, time.monotonic()

    def _check_disk(self) -> None:
        """Say what the checkpoints will take; refuse to start where they cannot fit."""
        if self.checkpoints is None or not self.ranks.first:
            return
        kept = 3 + self.settings.keep_best  # the last two, and the one that is being written
        needed, free = kept * tree_bytes(self._tree()), shutil.disk_usage(self.checkpoints.folder).free
        if needed > free:
            raise RunError(
                f"checkpoints need {needed / 1e6:,.1f} MB, {free / 1e6:,.1f} MB are free",
                where=str(self.checkpoints.folder), remedy="Make room, or write elsewhere with --out.",
            )
        self._say(f"checkpoints take up to {needed / 1e6:,.1f} MB; {free / 1e9:,.0f} GB are free")

    def _tree(self) -> Tree:
        return {"position": asdict(self.position), "step": self.step.state(), "sampler": self.sampler.state()}

    def _resume(self) -> None:
        found = self.checkpoints.load_last() if self.checkpoints else None
        if found is None:
            return
        step, tree = found
        self.position = Position(**tree["position"])
        self.step.load_state(tree["step"])
        self.sampler.load_state(tree["sampler"])
        self._last_saved = step
        self._log("resume", step, epoch=self.position.epoch)
        self._say(f"going on after step {step:,} of {self.steps:,}")

    def _restore_best(self) -> None:
        if not self.settings.keep_best or self.position.best_step in (-1, self.position.step):
            return
        best = self.checkpoints.load_best(self.position.best_step)["step"] if self.checkpoints else self._best
        self.step.load_state(best)

    # --- stopping, telling -----------------------------------------------------------------------------------

    @contextmanager
    def _stop_on_request(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM set a flag that is looked at after each step; a second one ends the process at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(number: int, _frame: Any) -> None:
            if self._stop_signal is not None:
                raise KeyboardInterrupt
            self._stop_signal = number

        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _agreed_stop(self) -> int | None:
        """The signal to stop by, the same on all ranks."""
        if self.ranks.world == 1:
            return self._stop_signal
        total = int(self.ranks.sum(torch.tensor(float(self._stop_signal or 0), device=self.device)).item())
        return None if total == 0 else signal.SIGTERM

    def _log(self, event: str, step: int, **values: Any) -> None:
        if self.run and self.ranks.first:
            self.run.log(event, step, **values)

    def _say(self, text: str) -> None:
        self._tell("on_message", text)

    def _tell(self, what: str, *arguments: Any) -> None:
        for observer in self.observers:
            getattr(observer, what)(*arguments)
