"""Start frameworks in turn, each in a process of its own, and compare their times in pairs.

This process stays small: it imports neither torch nor a peer.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from orthogon.stats import bootstrap_mean, wilson

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "peers"))

from problem import Problem  # noqa: E402 - lies in the folder that was just named

Record = dict[str, Any]
TIMEOUT = 3600.0
ENOUGH = 7
"""Rounds from which a goal is judged."""
FEWEST = 5
"""Rounds below which a bootstrap interval would be a pretence."""


@dataclass(frozen=True)
class Contender:
    """A framework in one way of using it.

    name: in tables. script: in peers/, without with_ and .py. variant: see there.
    """

    key: str
    name: str
    script: str
    variant: str = "default"

    @property
    def ours(self) -> bool:
        return self.script == "orthogon"


@dataclass(frozen=True)
class Settings:
    """How to measure.

    peers: the Python of the peers' environment. folder: of Fashion-MNIST's IDX files, or "".
    rounds: how often each contender runs; ratios are paired within a round. quick: tiny sizes, to try the scripts.
    without: keys of contenders to leave out.
    """

    peers: str
    folder: str
    rounds: int = 7
    quick: bool = False
    without: tuple[str, ...] = ()


def environment(ours: bool) -> dict[str, str]:
    """The variables of a child: CPU only, no limit on threads; the project's PYTHONPATH for Orthogon alone."""
    dropped = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PYTHONPATH", "KERAS_BACKEND")
    variables = {name: value for name, value in os.environ.items() if name not in dropped}
    if ours and (paths := os.environ.get("PYTHONPATH")):
        variables["PYTHONPATH"] = os.pathsep.join(os.path.abspath(path) for path in paths.split(os.pathsep))
    return variables | {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu", "TOKENIZERS_PARALLELISM": "false"}


def call(command: Sequence[str], ours: bool, timeout: float = TIMEOUT) -> Record:
    """Run a command in an empty folder; the last JSON object on its standard output, or {"error": what it said}."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", cwd=folder,
                                  timeout=timeout, env=environment(ours), check=False)
        except subprocess.TimeoutExpired:
            return {"error": f"took over {timeout:.0f} s"}
        except OSError as error:
            return {"error": str(error)}
    if done.returncode == 0:
        for line in reversed(done.stdout.splitlines()):
            if line.startswith("{"):
                return json.loads(line)
    said = (done.stderr or done.stdout).strip().splitlines()
    return {"error": said[-1][:300] if said else f"exit code {done.returncode}"}


def run(contender: Contender, given: Problem, settings: Settings) -> Record:
    """One process: train, and what it measured of itself."""
    python = sys.executable if contender.ours else settings.peers
    given = replace(given, variant=contender.variant)
    script = str(HERE / "peers" / f"with_{contender.script}.py")
    elsewhere = Elsewhere()
    record = call([python, script, given.to_json()], contender.ours)
    return {"contender": contender.key, **record, "elsewhere": elsewhere.share()}


class Elsewhere:
    """The share of the machine's cores that other processes used since this was made; None where it is not known."""

    def __init__(self) -> None:
        self.began = self._now()

    def share(self) -> float | None:
        all_cores, busy, own = (now - before for now, before in zip(self._now(), self.began))
        return max(0.0, (busy - own) / all_cores) if all_cores else None

    @staticmethod
    def _now() -> tuple[float, float, float]:
        """Seconds of all cores, seconds in which they were busy, and seconds of this process and its children."""
        try:
            fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
        except OSError:
            return 0.0, 0.0, 0.0
        ticks = [int(field) / os.sysconf("SC_CLK_TCK") for field in fields]
        times = os.times()
        own = times.user + times.system + times.children_user + times.children_system
        return sum(ticks), sum(ticks) - ticks[3] - ticks[4], own


def interleave(contenders: Sequence[Contender], given: Problem, settings: Settings) -> list[Record]:
    """`rounds` runs of each, one at a time; each round starts with another contender and has another seed."""
    records, contenders = [], [each for each in contenders if each.key not in settings.without]
    for turn in range(settings.rounds):
        start = turn % len(contenders)
        for place, contender in enumerate([*contenders[start:], *contenders[:start]]):
            record = run(contender, replace(given, seed=turn), settings)
            records.append({"round": turn, "place": place, **record})
            say(f"round {turn + 1}/{settings.rounds}  {contender.name:44} {_told(record)}")
    return records


def _told(record: Record) -> str:
    if "error" in record:
        return f"failed: {record['error']}"
    return f"{1000 * record['seconds'] / record['steps']:8.3f} ms a step   {record['peak_rss'] / 2**20:6.0f} MiB"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# --- numbers from records -----------------------------------------------------------------------------------------


def seconds_per_step(records: Iterable[Record], key: str) -> dict[int, float]:
    """Round -> seconds a step of that contender, where it succeeded."""
    return {each["round"]: each["seconds"] / each["steps"] for each in records
            if each["contender"] == key and "error" not in each}


def ratio(above: dict[int, float], below: dict[int, float]) -> Record:
    """Geometric mean over rounds of above / below, with its 95 % BCa bootstrap interval over rounds (from 5 on)."""
    logs = [math.log(above[turn] / below[turn]) for turn in sorted(above.keys() & below.keys())]
    if not logs:
        return {"value": math.nan, "low": math.nan, "high": math.nan, "n": 0}
    found = bootstrap_mean(np.array(logs), replicates=10_000)
    low, high = (found.low, found.high) if found.n >= FEWEST else (math.nan, math.nan)
    return {"value": math.exp(found.value), "low": math.exp(low), "high": math.exp(high), "n": found.n}


def middle(records: Iterable[Record], key: str, what: str) -> float:
    """The median of a number over the runs of a contender; NaN where none succeeded."""
    values = [each[what] for each in records if each["contender"] == key and "error" not in each and what in each]
    return float(median(values)) if values else math.nan


def errors(records: Iterable[Record]) -> dict[str, str]:
    """Contender -> what its last failure said."""
    return {each["contender"]: each["error"] for each in records if "error" in each}


def disturbed(records: Iterable[Record]) -> str:
    """How much other processes used the machine meanwhile, in words."""
    shares = [each["elsewhere"] for each in records if each.get("elsewhere") is not None]
    if not shares:
        return "What other processes did meanwhile is not known."
    return (f"Meanwhile other processes used {100 * median(shares):.1f} % of the cores in the median run, "
            f"{100 * max(shares):.1f} % in the worst.")


def disagreeing(records: Iterable[Record]) -> list[str]:
    """Contenders whose network does not have the parameter count of Orthogon's."""
    counts = {each["contender"]: each["parameters"] for each in records if "error" not in each}
    return [key for key, count in counts.items() if count != counts.get("orthogon", count)]


# --- numbers as text ----------------------------------------------------------------------------------------------


def show_ratio(found: Record, digits: int = 2) -> str:
    """1.23 [1.20, 1.26]; without brackets where there is no interval, – where nothing was measured."""
    if not found["n"]:
        return "–"
    if math.isnan(found["low"]):
        return f"{found['value']:.{digits}f}"
    return f"{found['value']:.{digits}f} [{found['low']:.{digits}f}, {found['high']:.{digits}f}]"


def show_share(counts: Sequence[int] | None) -> str:
    """12 of 15 as 80.0 % [54.8, 93.0], n = 15; empty where nothing was counted."""
    if counts is None:
        return ""
    right, n = counts
    low, high = (100 * float(bound) for bound in wilson(right, n))
    return f"{100 * right / n:.1f} % [{low:.1f}, {high:.1f}], n = {n:,}"


def verdict(found: Record, goal: float, at_most: bool) -> str:
    """Whether the whole interval lies on the right side of the goal."""
    if not found["n"]:
        return "not measured"
    if found["n"] < ENOUGH:
        return f"open: {found['n']} of {ENOUGH} rounds"
    low, high = found["low"], found["high"]
    if (high <= goal) if at_most else (low >= goal):
        return "met"
    return "not met" if (low > goal if at_most else high < goal) else "open: the interval holds the goal"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; numbers to the right, the first column to the left."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


# --- the machine and the command line -----------------------------------------------------------------------------


def machine(settings: Settings) -> Record:
    """What was measured on, and with which versions."""
    return {
        "cpu": _cpu(), "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}", "load_before": os.getloadavg()[0],
        "orthogon": _versions(sys.executable, ("torch", "numpy"), True),
        "peers": _versions(settings.peers, ("torch", "keras", "jax", "lightning", "skorch", "accelerate"), False),
    }


def _cpu() -> str:
    try:
        info = dict(line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines())
        fields = {name.strip(): value.strip() for name, value in info.items()}
    except (OSError, ValueError):
        return platform.processor() or platform.machine()
    kinds = [kind for kind in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if kind in fields.get("flags", "").split()]
    name, family, model = (fields.get(key, "?") for key in ("model name", "cpu family", "model"))
    return f"{name} (family {family}, model {model}; {', '.join(kinds) or 'no AVX2'})"


def _versions(python: str, names: Sequence[str], ours: bool) -> Record:
    code = ("import json, sys, platform\nfrom importlib.metadata import version\n"
            "print(json.dumps({'python': platform.python_version()} | {n: version(n) for n in sys.argv[1:]}))")
    return call([python, "-c", code, *names], ours)


def each_seed(about: str | None, names: Iterable[str], measure: Callable[[str, int, int], Record],
              render: Callable[[list[Record]], str]) -> None:
    """The command line of a benchmark that trains each of several named things from several seeds: it prints and keeps
    every figure as soon as it is there. measure: (name, seed, threads) -> figures."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", choices=list(names))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--threads", type=int, default=1, help="of training (1)")
    parser.add_argument("--json", type=Path, help="also write the numbers there")
    asked, found = parser.parse_args(), []
    for name in asked.names:
        for seed in asked.seeds:
            found.append(measure(name, seed, asked.threads))
            print(json.dumps(found[-1], default=float), flush=True)
            if asked.json:
                asked.json.write_text(json.dumps(found, indent=1, default=float) + "\n")
    print(render(found))


def arguments(about: str) -> argparse.ArgumentParser:
    """The options that all scripts share."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--rounds", type=int, default=7, help="runs of each framework (7)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: tries the scripts, measures nothing")
    parser.add_argument("--peers", default=os.environ.get("PEERS") or str(HERE.parent / ".venv-peers/bin/python"),
                        help="Python with requirements-peers.txt installed ($PEERS, or .venv-peers/bin/python)")
    parser.add_argument("--without", nargs="*", default=(), metavar="KEY", help="contenders to leave out, e.g. skorch")
    parser.add_argument("--data", default=os.environ.get("ORTHOGON_DATA", ""),
                        help="folder that holds fashion_mnist/ ($ORTHOGON_DATA)")
    return parser


def alone(about: str | None, measure: Callable[[Settings], Record], render: Callable[[Record], str],
          child: Callable[[int, bool], None]) -> None:
    """What a script does that is run by itself: measure and print its table, or be the child that `measure` starts."""
    if "--child" in sys.argv:
        child(int(sys.argv[2]), sys.argv[3] == "1")
    else:
        print(render(measure(settings_of(arguments(about or "").parse_args()))))


def settings_of(options: argparse.Namespace) -> Settings:
    """Checked settings; exits with 2 where the peers' Python is not there."""
    peers = os.path.abspath(options.peers)
    if not os.access(peers, os.X_OK):
        say(f"there is no Python of the peers at {peers}\n"
            f"make one: python -m venv .venv-peers && .venv-peers/bin/pip install -r {HERE / 'requirements-peers.txt'}"
            "\nor name one: PEERS=path/to/python")
        sys.exit(2)
    return Settings(peers, _fashion_folder(options.data), max(1, options.rounds), options.quick,
                    tuple(options.without))


def _fashion_folder(data: str) -> str:
    for name in ("fashion_mnist", "fashion-mnist", "."):
        folder = Path(data or "absent") / name
        if any(folder.glob("t10k-images-idx3-ubyte*")):
            return str(folder.resolve())
    return ""
