"""Breaks each function of equations/, nn/ and optim/ once and sees whether a test notices: `make mutate`.

One change a function, chosen by its name among what its code offers: a sign, a constant, an axis, a comparison, the
order of two arguments, a transpose, a returned value. First every test is run on the sound code while it is noted which
functions it reaches; then those tests, the fastest first, are run on each change, in a forked process that imports the
broken module in place of the sound one. No file is touched.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatch
from importlib import import_module
from importlib.machinery import SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from mutants import Mutant, mutants

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"
FOLDERS = ("equations", "nn", "optim")
TESTS = (*FOLDERS, "docs/test_rows.py", "train/test_step.py")
WANTED = 0.95
LOADED_ONCE = ("numpy", "torch", "scipy.stats", "hypothesis", "pydantic", "sklearn.linear_model", "matplotlib.figure")


class Broken(ast.NodeTransformer, SourceFileLoader):
    """Finds and loads the module of a mutant, with its change, in this process."""

    def __init__(self, mutant: Mutant, name: str) -> None:
        SourceFileLoader.__init__(self, name, str(mutant.path))
        self.mutant = mutant

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        return spec_from_file_location(name, self.path, loader=self) if name == self.name else None

    def get_code(self, fullname: str) -> Any:
        tree = ast.fix_missing_locations(self.visit(self.mutant.tree))
        return compile(tree, self.path, "exec")

    def visit(self, node: ast.AST) -> Any:
        return self.mutant.new if node is self.mutant.old else self.generic_visit(node)


class Reach:
    """A plugin of pytest: which functions below SOURCE each passing test calls, and how long it takes."""

    def __init__(self, source: Path) -> None:
        self.source, self.seen, self.tests = str(source), set(), {}
        self.collecting = self.seen
        sys.setprofile(self.note)

    def note(self, frame: Any, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code not in self.seen:
            self.seen.add(frame.f_code)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.seen = set()
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            found = {(code.co_filename, code.co_qualname.split(".<locals>")[0])
                     for code in self.seen | self.collecting if code.co_filename.startswith(self.source)}
            self.tests[report.nodeid] = (report.duration, sorted(found))


def run_pytest(arguments: list[str], root: Path, plugin: Any = None) -> int:
    with open(os.devnull, "w") as nothing, tempfile.TemporaryDirectory() as scratch:
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
        options = ["-q", "-p", "no:cacheprovider", f"--basetemp={scratch}/tests", f"--rootdir={root}"]
        return int(pytest.main([*options, *arguments], plugins=[plugin] if plugin else None))


def survey(tests: Path, file: Path, source: Path, notes: Path) -> int:
    reach = Reach(source)
    code = run_pytest([str(file)], tests.parent, reach)
    sys.setprofile(None)
    notes.write_text(json.dumps(reach.tests))
    return code


def try_out(mutant: Mutant, source: Path, tests: list[str], root: Path) -> int:
    name = ".".join(mutant.path.relative_to(source).with_suffix("").parts).removesuffix(".__init__")
    sys.meta_path.insert(0, Broken(mutant, name))
    return run_pytest(["-x", *tests], root)


def in_processes(jobs: Iterable[tuple[Any, float, Callable[[], int]]], workers: int) -> Iterator[tuple[Any, int]]:
    """(key, exit code) of each (key, seconds allowed, work), as they end; a code below zero: killed."""
    waiting, running = iter(jobs), {}
    while True:
        while len(running) < workers and (job := next(waiting, None)):
            key, seconds, work = job
            pid = os.fork()
            if pid == 0:
                os.setsid()
                code = 1
                try:
                    code = work()
                finally:
                    os._exit(code)
            running[pid] = (key, time.monotonic() + seconds)
        if not running:
            return
        time.sleep(0.01)
        for pid, (key, deadline) in list(running.items()):
            if time.monotonic() > deadline:
                os.killpg(pid, signal.SIGKILL)
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del running[pid]
                yield key, os.waitstatus_to_exitcode(status)


def mutate(
    source: Path, tests: Path, files: list[Path], chosen: list[Mutant], workers: int
) -> Iterator[tuple[Mutant, str]]:
    """The survivors, each with the reason, as they are found. tests: the folder; files: what of it is run."""
    reached: dict[tuple[str, str], list[tuple[float, str]]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as scratch:
        notes = {file: Path(scratch) / str(k) for k, file in enumerate(files)}
        surveys = [(file, 900.0, lambda f=file: survey(tests, f, source, notes[f])) for file in files]
        for file, code in in_processes(surveys, workers):
            if code:
                print(f"{file.relative_to(tests.parent)} has tests that fail on the sound code: they are left out")
            for test, (duration, found) in json.loads(notes[file].read_text()).items():
                for path, function in found:
                    reached[path, function].append((duration, test))
    print(f"{len(files)} files of tests, {len(chosen)} changes")
    work = []
    for mutant in chosen:
        belonging = sorted(reached[str(mutant.path), mutant.function])
        if belonging:
            allowed = 30 + 5 * sum(duration for duration, _ in belonging)
            ids = [test for _, test in belonging]
            work.append((mutant, allowed, lambda m=mutant, t=ids: try_out(m, source, t, tests.parent)))
        else:
            yield mutant, "no test reaches it"
    for mutant, code in in_processes(work, workers):
        if code == 0:
            yield mutant, "no test notices"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="*", metavar="PATTERN", help="such as 'optim/schedules.py*' or '*::Cosine.*'")
    parser.add_argument("--tests", nargs="*", metavar="FILE", help="run these files alone; default: TESTS")
    parser.add_argument("--list", action="store_true", help="say what would be changed, and end")
    options = parser.parse_args()
    paths = sorted(path for folder in FOLDERS for path in (SOURCE / "orthogon" / folder).rglob("*.py"))
    chosen = [mutant for path in paths for mutant in mutants(path) if fnmatch(mutant.place, options.only)]
    if options.list:
        print("\n".join(f"{mutant.place}:{mutant.change}" for mutant in chosen))
        return 0
    files = [Path(file).resolve() for file in options.tests or ()]
    files = files or sorted(file for file in (ROOT / "tests").rglob("test_*.py")
                            if file.relative_to(ROOT / "tests").as_posix().startswith(TESTS))
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr] - what is printed is not forked along
    os.environ["OMP_NUM_THREADS"] = "1"
    for name in LOADED_ONCE:
        import_module(name)
    began = time.monotonic()
    survivors = []
    for mutant, reason in mutate(SOURCE, ROOT / "tests", files, chosen, len(os.sched_getaffinity(0))):
        print(f"survived: {mutant.place}:{mutant.change}  ({reason})")
        survivors.append(mutant)
    every, missed = (Counter(mutant.path for mutant in each) for each in (chosen, survivors))
    for path in every:
        print(f"{every[path] - missed[path]:4} of {every[path]:4} caught in {path.relative_to(SOURCE)}")
    share = 1 - len(survivors) / max(1, len(chosen))
    print(f"{share:.1%} of {len(chosen)} caught in {time.monotonic() - began:.0f} s; wanted: {WANTED:.0%}")
    return 0 if share >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
