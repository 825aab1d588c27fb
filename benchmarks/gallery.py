"""How fast a gallery is: 100,000 encodings of 128 numbers are searched within 20 ms, 10,000 added within 5 s.

    nice -n 10 .venv/bin/python benchmarks/gallery.py --json gallery.json

Encodings are drawn, of 2,000 identities; no network runs. A search is that of `identify`: the three nearest identities
of one encoding among all, found by looking at every one. Times are seconds of one core and of the clock.

LanceDB 0.40 was measured first, in the same way and on the same two busy cores. Its search through all encodings took
128 ms of processor time (298 ms by the clock). With an index (IVF-Flat, 256 cells) it took 13 to 23 ms and found the
same ten neighbors, but the index took 12 s to make and has to be made again as the gallery grows. Importing it took
3.0 s of processor time and pandas with it, and the process grew to 660 MB; installed it is 180 MB. One product of
matrices over 100,000 encodings is 13 million multiplications: there is nothing for an index to save. So a gallery is an
SQLite file, which comes with Python, and encodings are searched in memory. Beyond some millions of them that would
change.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from orthogon.serve.gallery_file import Encoder, Entry, GalleryFile

ENCODINGS, ADDED, DIMENSION, IDENTITIES, SEARCHES = 100_000, 10_000, 128, 2_000, 40
GOALS = {"search_s": 0.020, "add_s": 5.0}


def entries(count: int, draw: np.random.Generator, centers: np.ndarray) -> list[Entry]:
    whose = draw.integers(0, IDENTITIES, count)
    values = centers[whose] + 0.5 * draw.standard_normal((count, DIMENSION)).astype(np.float32)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return [Entry(hashlib.sha256(value.tobytes()).digest(), f"p{code}", value) for code, value in zip(whose, values)]


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Seconds of the clock and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - processor


def measure() -> dict[str, Any]:
    """Fill a gallery, add to it, read it, search it; each search is held against a plain one in double precision."""
    draw = np.random.default_rng(0)
    centers = draw.standard_normal((IDENTITIES, DIMENSION)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        file = GalleryFile(Path(folder) / "gallery.sqlite", Encoder("0" * 64, DIMENSION, "benchmark", ""))
        file.write(entries(ENCODINGS - ADDED, draw, centers))
        new = entries(ADDED, draw, centers)
        add = timed(lambda: file.write(new))
        read = timed(file.encodings)
        held = file.encodings()
        size = file.path.stat().st_size
    queries = [each.encoding for each in entries(SEARCHES, draw, centers)]
    held.nearest(queries[0], 3)
    searches = [timed(lambda query=query: held.nearest(query, 3)) for query in queries]
    exact = [held.names[held.codes[np.linalg.norm(held.values - query.astype(float), axis=1).argmin()]]
             for query in queries]
    return {
        "encodings": len(held), "dimension": DIMENSION, "megabytes": size / 1e6,
        "search_s": median(clock for clock, _ in searches), "search_cpu_s": median(each for _, each in searches),
        "nearest_right": float(np.mean([held.nearest(q, 1)[0][0] == name for q, name in zip(queries, exact)])),
        "added": ADDED, "add_s": add[0], "add_cpu_s": add[1], "read_s": read[0], "read_cpu_s": read[1],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    found = measure()
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    print(json.dumps(found, indent=1))
    for name, goal in GOALS.items():
        print(f"{name} {found[name]:.4f} s, goal {goal:g} s: {'met' if found[name] < goal else 'not met'}; "
              f"{found[name.replace('_s', '_cpu_s')]:.4f} s of one core")


if __name__ == "__main__":
    main()
