"""The way of photographs alone, from files to batches: 10,000 JPEGs of mixed sizes, to 64 pixels, batch 64.

The files are generated: smooth colours with noise, sides from 160 to 640 pixels. "Decoding each time" reads, decodes
and resizes every picture in every epoch with the same functions, in as many threads as there are cores, which is what a
loader without a store does. Orthogon decodes once, into a store keyed by content; its first epoch holds that, the later
ones read the store. Peak memory is that of the process above what it had before the first picture.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from harness import Record, Settings, alone, call, show_ratio, table, verdict
from problem import peak_rss

SIDE, BATCH, GOAL = 64, 64, 8.0


def measure(settings: Settings) -> Record:
    """Seconds of each epoch in each way, from one process for each."""
    count = 200 if settings.quick else 10_000
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder), count)
        own = [str(settings.rounds), str(int(settings.quick)), folder]
        found = call([sys.executable, __file__, "--child", *own], ours=True)
    return {"count": count, **found}


def generate(folder: Path, count: int) -> None:
    """JPEGs in two class folders."""
    from PIL import Image

    def one(k: int) -> None:
        random = np.random.default_rng(k)
        height, width = random.integers(160, 641, 2)
        coarse = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC), np.int16)
        noisy = smooth + random.integers(-12, 13, smooth.shape, dtype=np.int16)
        path = folder / ("a" if k % 2 else "b") / f"{k}.jpg"
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path, quality=90)

    for name in "ab":
        (folder / name).mkdir()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, range(count)))


def child(rounds: int, quick: bool) -> None:
    """What the folder that the command line names last costs, epoch by epoch."""
    import torch  # noqa: F401 - before the memory is looked at

    import orthogon.tasks.classify  # noqa: F401
    from orthogon.data.pictures import decode, resize

    folder = Path(sys.argv[4])
    files = sorted(folder.rglob("*.jpg"))

    def decoded(path: Path) -> np.ndarray:
        return resize(decode(path, 3, hint=(SIDE, SIDE)), (SIDE, SIDE))

    def each_time() -> float:
        began = time.perf_counter()
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for start in range(0, len(files), BATCH):
                np.stack(list(pool.map(decoded, files[start : start + BATCH])))
        return time.perf_counter() - began

    before = peak_rss()
    ours, reading = from_store(folder, max(3, rounds))
    memory = peak_rss() - before
    print(json.dumps({"each_time": [each_time() for _ in range(2)], "first": reading + ours[0], "later": ours[1:],
                      "memory": memory, "store": len(files) * SIDE * SIDE * 3}))


def from_store(folder: Path, epochs: int) -> tuple[list[float], float]:
    """Seconds of each epoch of batches, and of what comes before the first: reading and decoding."""
    import torch

    from orthogon.data.read import read
    from orthogon.tasks.classify import Classify
    from orthogon.train.settings import DataSettings, TaskSettings

    os.environ["ORTHOGON_CACHE"] = str(folder / ".cache")
    began = time.perf_counter()
    data = read(folder)
    task = Classify(TaskSettings(), DataSettings(image_size=SIDE))
    task.fit(data, np.arange(len(data)))
    task.attach(data, torch.device("cpu"))
    reading = time.perf_counter() - began
    seconds = []
    for epoch in range(epochs):
        began = time.perf_counter()
        order = torch.randperm(len(data), generator=torch.Generator().manual_seed(epoch))
        for rows in order.split(BATCH):
            task.batch(rows)
        seconds.append(time.perf_counter() - began)
    return seconds, reading


def _times(found: Record) -> Record:
    """How many times faster a later epoch is: the slowest later one against the fastest decoding."""
    if "error" in found:
        return {"value": float("nan"), "low": float("nan"), "high": float("nan"), "n": 0}
    slow, fast = min(found["each_time"]), found["later"]
    return {"value": slow / float(np.median(fast)), "low": slow / max(fast), "high": slow / min(fast), "n": len(fast)}


def goals(found: Record) -> list[tuple[str, str, str]]:
    """(goal, measured, verdict)."""
    times = _times(found)
    return [(f"Photographs: a later epoch at least {GOAL:g} × faster than decoding each time; the range over epochs",
             show_ratio(times, 0), verdict(times, GOAL, at_most=False))]


def render(found: Record) -> str:
    """The table in Markdown."""
    if "error" in found:
        return f"Not measured: {found['error']}"
    count = found["count"]
    rows = [("decoding each time, any epoch", min(found["each_time"])), ("**Orthogon**, reading and first epoch",
            found["first"]), ("**Orthogon**, a later epoch", float(np.median(found["later"])))]
    shown = [(name, f"{seconds:.2f}", f"{count / seconds:,.0f}") for name, seconds in rows]
    return table((f"{count:,} JPEGs", "seconds", "pictures a second"), shown) + (
        f"\n\nPeak memory above the start: {found['memory'] / 2**20:,.0f} MiB, of which the pictures themselves are "
        f"{found['store'] / 2**20:,.0f} MiB.")


if __name__ == "__main__":
    alone(__doc__, measure, render, child)
