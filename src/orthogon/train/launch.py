"""Many trainings side by side, each in a process of its own. Which ones, probes and searches choose."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import ModuleType
from typing import Any, Generic, TypeVar

from orthogon.errors import RunError

Job = TypeVar("Job")
Result = TypeVar("Result")


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Workers(Generic[Job, Result]):
    """Processes that do jobs; with one, the jobs are done in this process, in turn.

    opening:   called once in each process: gives the function that does one job. It, the jobs and the results travel
               between processes, so with several they are such as can be pickled (functions by their names).
    processes: how many. They start when there is work for them, use one thread of torch each, and end with the `with`
               block.
    """

    def __init__(self, opening: Callable[[], Callable[[Job], Result]], processes: int = 1) -> None:
        self.opening, self.processes = opening, processes
        self._work: Callable[[Job], Result] | None = None
        self._started: list[tuple[SpawnProcess, Connection]] = []

    def __enter__(self) -> Workers[Job, Result]:
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the processes at once: whatever they are at is given up."""
        for process, connection in self._started:
            process.terminate()
            connection.close()
        for process, _connection in self._started:
            process.join()
        self._started = []

    def results(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Result]]:
        """(place of the job, its result), each as soon as it is there. What a job raises is raised here."""
        if self.processes > 1:
            yield from self._side_by_side(jobs)
        elif jobs:
            self._work = self._work or self.opening()
            yield from enumerate(map(self._work, jobs))

    def _side_by_side(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Result]]:
        while len(self._started) < min(self.processes, len(jobs)):
            self._started.append(_start(self.opening))
        waiting = list(enumerate(jobs))[::-1]
        idle = [connection for _, connection in self._started]
        busy: dict[Connection, int] = {}
        while waiting or busy:
            while waiting and idle:
                place, job = waiting.pop()
                connection = idle.pop(0)
                connection.send(job)
                busy[connection] = place
            for connection in wait(list(busy)):
                assert isinstance(connection, Connection)  # noqa: S101 - for the type checker
                done, result = self._receive(connection)
                place = busy.pop(connection)
                idle.append(connection)
                if not done:
                    raise result
                yield place, result

    def _receive(self, connection: Connection) -> tuple[bool, Any]:
        try:
            return connection.recv()
        except (EOFError, ConnectionResetError):
            process = next(process for process, its in self._started if its is connection)
            process.join()
            raise RunError(f"a process that trained has ended (exit code {process.exitcode})",
                           remedy="Exit code -9 means too little memory: use fewer processes.") from None


def _start(opening: Callable[[], Callable[[Job], Result]]) -> tuple[SpawnProcess, Connection]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, opening), daemon=True)
    with _nameless_main():
        process.start()
    there.close()
    return process, here


@contextmanager
def _nameless_main() -> Iterator[None]:
    """A new process imports the script that the user runs, unless that has no file: without this, a script that probes
    and has no `if __name__ == "__main__"` would run again in every worker."""
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script


def _serve(connection: Connection, opening: Callable[[], Callable[[Any], Any]]) -> None:
    """What a worker does: job after job, until the other end is closed. Ctrl-C is the first process's to handle."""
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    work: Callable[[Any], Any] | None = None
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        try:
            work = work or opening()
            answer = (True, work(job))
        except Exception as error:
            answer = (False, _portable(error))
        connection.send(answer)


def _portable(error: Exception) -> Exception:
    """The error, or one with its text where it cannot travel between processes."""
    try:
        return pickle.loads(pickle.dumps(error))  # noqa: S301 - what was dumped a moment ago
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
