"""What every framework is given: the same arrays, batch, rate, epochs; and one clock. No framework is imported here."""

from __future__ import annotations

import gzip
import json
import os
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

FEATURES, HIDDEN, CLASSES = 784, 128, 10
SIDES = {"resnet18": 32, "mobilenet_v2": 96}
"""Pixels a side of the suites of generated pictures."""


@dataclass(frozen=True)
class Problem:
    """One training job. The first epoch warms up, off the clock; the others are timed.

    suite:   "overhead" (generated rows, a 784-128-10 network), "fashion" (Fashion-MNIST, the convnet), "resnet18" or
             "mobilenet_v2" (generated pictures in colour, of 32 or 96 pixels, 10 classes).
    variant: which way of the framework, as its script says.
    rows:    how many rows to train on; 0 = all.
    schedule: "constant", or "cosine" from lr to zero over all steps.
    folder:  where the IDX files of Fashion-MNIST are.
    test:    whether to predict the test set at the end, off the clock.
    """

    suite: str
    variant: str = "default"
    rows: int = 0
    batch: int = 32
    epochs: int = 2
    lr: float = 1e-3
    schedule: str = "constant"
    seed: int = 0
    folder: str = ""
    test: bool = False

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    def steps_per_epoch(self, rows: int) -> int:
        return -(-rows // self.batch)


def problem() -> Problem:
    """The problem that this process was started with: its one argument, as JSON."""
    return Problem(**json.loads(sys.argv[1]))


class Clock:
    """Ticked at the end of each epoch: what counts is from the end of the first to the end of the last."""

    def __init__(self) -> None:
        self.ticks: list[float] = []

    def tick(self, *_: Any) -> None:
        self.ticks.append(time.perf_counter())


def generated(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Float32 rows × 784, and int64 labels that a linear teacher gives them."""
    random = np.random.default_rng(seed)
    x = random.standard_normal((rows, FEATURES), dtype=np.float32)
    return x, (x @ random.standard_normal((FEATURES, CLASSES), dtype=np.float32)).argmax(1)


def generated_pictures(rows: int, side: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Uint8 rows × 3 × side × side, and int64 labels; noise, since only time is looked at."""
    random = np.random.default_rng(seed)
    pictures = random.integers(0, 256, (rows, 3, side, side), dtype=np.uint8)
    return pictures, random.integers(0, CLASSES, rows)


def fashion(folder: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Train pictures, labels, test pictures, labels: float32 n×1×28×28 standardised by the train pixels, int64."""
    train, test = (_idx(folder, f"{part}-images-idx3")[:, None] for part in ("train", "t10k"))
    mean, std = float(train.mean()), float(train.std())
    x_train, x_test = (_standardised(pixels, mean, std) for pixels in (train, test))
    y_train, y_test = (_idx(folder, f"{part}-labels-idx1").astype(np.int64) for part in ("train", "t10k"))
    return x_train, y_train, x_test, y_test


def training_rows(given: Problem) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """x, y to train on, and the test x where it is asked for."""
    if given.suite == "overhead":
        return *generated(given.rows, given.seed), None
    if given.suite in SIDES:
        x, y = generated_pictures(given.rows, SIDES[given.suite], given.seed)
        return _standardised(x, float(x.mean()), float(x.std())), y, None
    x, y, x_test, _ = fashion(given.folder)
    rows = given.rows or len(x)
    return x[:rows], y[:rows], x_test if given.test else None


def report(clock: Clock, given: Problem, rows: int, parameters: int, predictions: Sequence[int] | None = None,
           **more: Any) -> None:
    """Print the one line of JSON that the harness reads."""
    timed = len(clock.ticks) - 1
    steps = timed * given.steps_per_epoch(rows)
    print("\n" + json.dumps({
        "seconds": clock.ticks[-1] - clock.ticks[0], "steps": steps, "examples": timed * rows, "epochs": timed + 1,
        "parameters": parameters, "peak_rss": peak_rss(), "load": os.getloadavg()[0],
        **({} if predictions is None else {"predictions": "".join(str(int(code)) for code in predictions)}), **more,
    }), flush=True)


def peak_rss() -> int:
    """The largest resident size of this process in bytes; of it alone, where Linux says so (ru_maxrss also remembers
    the process that started it)."""
    try:
        status = Path("/proc/self/status").read_text()
        return 1024 * int(status.split("VmHWM:")[1].split()[0])
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def forget_peak_rss() -> None:
    """Let `peak_rss` count from here on: the largest size so far is forgotten. Linux alone can (else OSError)."""
    Path("/proc/self/clear_refs").write_text("5")


def test_labels(folder: str) -> np.ndarray:
    """Int64: the true labels of the test set."""
    return _idx(folder, "t10k-labels-idx1").astype(np.int64)


def _idx(folder: str, name: str) -> np.ndarray:
    for path in (Path(folder) / f"{name}-ubyte", Path(folder) / f"{name}-ubyte.gz"):
        if path.exists():
            data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            shape = np.frombuffer(data, ">u4", data[3], 4)
            return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(tuple(map(int, shape)))
    raise FileNotFoundError(f"{name}-ubyte(.gz) is not in {folder}")


def _standardised(pixels: np.ndarray, mean: float, std: float) -> np.ndarray:
    scaled = pixels.astype(np.float32)
    scaled -= mean
    scaled /= std
    return scaled
