"""What it costs to begin: importing each library, `orthogon --help`, and the whole main job on the digits.

CPU seconds and peak memory are the child's own, wall seconds are from its start to its end; files are in the cache.
"""

from __future__ import annotations

import math
import sys
import time
from statistics import median
from typing import Any

from harness import HERE, Record, Settings, arguments, call, say, settings_of, table

IMPORTS = (("orthogon", True, ""), ("torch", False, ""), ("accelerate", False, ""), ("skorch", False, ""),
           ("keras", False, "jax"), ("keras", False, "torch"), ("lightning", False, ""))
"""(module, whether in the project's Python, Keras backend)."""

CODE = """
import os, sys
sys.path.insert(0, sys.argv[1])
os.environ["KERAS_BACKEND"] = sys.argv[3]
__import__(sys.argv[2])
import time
cpu = time.process_time()
import json
from problem import peak_rss
print(json.dumps({"cpu": cpu, "peak_rss": peak_rss()}))
"""
# Runs the command line as its script does, then says so, since its own output is no JSON.
HELP = """
import sys
from orthogon.cli.main import main
sys.argv = ["orthogon", "--help"]
try:
    main()
finally:
    print('\\n{"help": true}')
"""
MAIN_GOAL, HELP_GOAL = 60.0, 0.5


def measure(settings: Settings) -> Record:
    """Import costs of `rounds` processes each, help likewise, and the main job once."""
    rounds = settings.rounds
    records: list[Record] = []
    for turn in range(rounds + 1):  # the first only brings files into the cache
        for module, ours, backend in IMPORTS:
            python = sys.executable if ours else settings.peers
            command = [python, "-c", CODE, str(HERE / "peers"), module, backend]
            record = {"what": f"import {module}" + (f" ({backend})" if backend else ""), **_timed(command, ours)}
            records += [record] * (turn > 0)
        record = {"what": "orthogon --help", **_timed([sys.executable, "-c", HELP], True)}
        records += [record] * (turn > 0)
        say(f"start, round {turn}/{rounds}")
    main = [sys.executable, "-m", "orthogon", "train", "--json", "--out", "runs"]
    records.append({"what": "orthogon train", **_timed([*main, *(["--epochs", "1"] * settings.quick)], True)})
    return {"records": records}


def _timed(command: list[str], ours: bool) -> Record:
    started = time.perf_counter()
    record: dict[str, Any] = call(command, ours)
    kept = {name: record[name] for name in ("cpu", "peak_rss", "error", "splits") if name in record}
    return {"wall": time.perf_counter() - started, **kept}


def goals(found: Record) -> list[tuple[str, str, str]]:
    """(goal, measured, verdict)."""
    rows = []
    for what, goal, named in (
        ("orthogon --help", HELP_GOAL, "`orthogon --help` answers within"),
        ("orthogon train", MAIN_GOAL, "`orthogon train` on the digits, from process start, under"),
    ):
        wall = _middle(found["records"], what, "wall")
        said = "not measured" if math.isnan(wall) else "met" if wall <= goal else "not met"
        rows.append((f"{named} {goal:g} s", "–" if math.isnan(wall) else f"{wall:.2f} s", said))
    return rows


def render(found: Record) -> str:
    """The table in Markdown."""
    records = found["records"]
    base = _middle(records, "import torch", "cpu")
    rows = []
    for what in dict.fromkeys(each["what"] for each in records):
        wall, cpu, memory = (_middle(records, what, name) for name in ("wall", "cpu", "peak_rss"))
        failed = [each["error"] for each in records if each["what"] == what and "error" in each]
        rows.append((f"`{what}`" + (f" failed: {failed[-1]}" if failed else ""), _number(cpu / base), _number(cpu),
                     _number(wall), _number(memory / 2**20, 0)))
    return table(("median", "CPU s / `import torch`", "CPU s", "wall s", "peak MiB"), rows)


def _middle(records: list[Record], what: str, name: str) -> float:
    values = [each[name] for each in records if each["what"] == what and "error" not in each and name in each]
    return float(median(values)) if values else math.nan


def _number(value: float, digits: int = 2) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


if __name__ == "__main__":
    result = measure(settings_of(arguments(__doc__ or "").parse_args()))
    print(render(result), *(f"\n{goal}: {value} – {said}" for goal, value, said in goals(result)))
