"""The machine's own rates, and how near the convnet's training steps come to them.

Matrix products: the best of several sizes and repetitions, in 10⁹ multiply-adds a second (one multiply-add = 2 FLOP).
Memory: c = a + 3 b on arrays of 256 MB, three of them moved. A training step counts 3 × the multiply-adds of a forward
pass (forward, gradient to the inputs, gradient to the weights); batch norm, ReLU, pooling, optimizer, gathering count
as nothing, though they take time.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from fashion import BATCH, LR, OURS, OURS_FP32
from harness import Elsewhere, Problem, Record, Settings, arguments, call, run, say, settings_of, table

SIZES = (512, 1024, 2048, 3072)


def best(work: Callable[[], Any], seconds: float) -> float:
    """The shortest time that the work takes, in repetitions over `seconds`."""
    work()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def rates(quick: bool) -> Record:
    """Measured in this process, which must be free to load torch: "kind/threads" -> multiply-adds or bytes a second."""
    import torch

    cores = torch.get_num_threads()
    sizes, seconds, numbers = ((256,), 0.05, 1 << 20) if quick else (SIZES, 1.0, 1 << 26)
    found: Record = {"threads": cores, "matrix": {}, "memory": {}}
    for threads in sorted({1, cores}):
        torch.set_num_threads(threads)
        for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
            found["matrix"][f"{name}/{threads}"] = max(_products(torch, n, dtype, seconds) for n in sizes)
        a, b, c = (torch.zeros(numbers) for _ in range(3))
        found["memory"][str(threads)] = 3 * 4 * numbers / best(lambda: torch.add(a, b, alpha=3, out=c), seconds)  # noqa: B023
    return found


def _products(torch: Any, n: int, dtype: Any, seconds: float) -> float:
    """Multiply-adds a second of an n×n by n×n product."""
    a, b = torch.randn(n, n).to(dtype), torch.randn(n, n).to(dtype)
    out = torch.empty(n, n, dtype=dtype)
    return n**3 / best(lambda: torch.mm(a, b, out=out), seconds)


def measure(settings: Settings) -> Record:
    """The rates, and one run of Orthogon's convnet in each precision (the median of 3)."""
    code = [sys.executable, __file__, "--rates", *(["--quick"] if settings.quick else [])]
    elsewhere = Elsewhere()
    found: Record = {"rates": call(code, ours=True), "runs": []}
    found["rates_elsewhere"] = elsewhere.share()
    say(f"rates: {json.dumps(found['rates'])}; other processes used {found['rates_elsewhere']} of the cores")
    if settings.folder:
        given = Problem("fashion", rows=256 if settings.quick else 6400, batch=BATCH, lr=LR, folder=settings.folder)
        for turn in range(1 if settings.quick else 3):
            for contender in (OURS, OURS_FP32):
                found["runs"].append({"round": turn, **run(contender, given, settings)})
    return found


def nearness(found: Record) -> list[Record]:
    """For each run that succeeded: its precision, multiply-adds a second, and the share of the matrix rate."""
    rows = []
    for each in found["runs"]:
        if "error" in each or "error" in found["rates"]:
            continue
        done = 3 * each["multiply_adds"] * each["examples"] / each["seconds"]
        peak = found["rates"]["matrix"].get(f"{each['precision']}/{each['threads']}")
        if peak:
            rows.append({"contender": each["contender"], "precision": each["precision"], "threads": each["threads"],
                         "rate": done, "share": done / peak})
    return rows


def render(found: Record) -> str:
    """The tables in Markdown."""
    measured = found["rates"]
    if "error" in measured:
        return f"The rates were not measured: {measured['error']}"
    threads = sorted({int(key.split("/")[1]) for key in measured["matrix"]})
    rows = [[f"matrix product, {kind}, 10⁹ multiply-adds/s"]
            + [f"{measured['matrix'][f'{kind}/{count}'] / 1e9:,.0f}" for count in threads] for kind in ("fp32", "bf16")]
    rows.append(["memory, GB/s", *(f"{measured['memory'][str(count)] / 1e9:,.1f}" for count in threads)])
    head = ("the machine", *(f"{count} thread{'s' if count > 1 else ''}" for count in threads))
    near = {}
    for each in nearness(found):
        near.setdefault(each["contender"], []).append(each)
    shown = []
    for runs in near.values():
        middle = sorted(runs, key=lambda each: each["share"])[len(runs) // 2]
        shown.append([f"training the convnet, {middle['precision']}, {middle['threads']} thread(s)",
                      f"{middle['rate'] / 1e9:,.0f}", _share(middle["share"])])
    near_head = ("Orthogon", "10⁹ multiply-adds/s, counted", "of the measured matrix rate")
    return table(head, rows) + ("\n\n" + table(near_head, shown) if shown else "")


def _share(value: float) -> str:
    return f"{100 * value:.0f} %" if value <= 1 else "– (the machine was busy when its rate was measured)"


if __name__ == "__main__":
    parser = arguments(__doc__ or "")
    parser.add_argument("--rates", action="store_true", help="print the rates alone, as JSON")
    options = parser.parse_args()
    print(json.dumps(rates(options.quick)) if options.rates else render(measure(settings_of(options))))
