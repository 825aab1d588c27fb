"""The same convnet on Fashion-MNIST, batch 128, Adam at 1e-3 without decay.

Speed: two epochs at a constant rate on the first `--images` train pictures, the first as warm-up (compilation), the
second timed. Error: all 60,000 pictures, the same epochs for all, the rate falling to zero by a cosine, predictions on
the test set compared picture by picture.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np
from harness import (
    HERE,
    Contender,
    Problem,
    Record,
    Settings,
    arguments,
    call,
    disagreeing,
    errors,
    interleave,
    middle,
    ratio,
    run,
    say,
    seconds_per_step,
    settings_of,
    show_ratio,
    table,
    verdict,
)
from problem import test_labels

from orthogon.stats import compare_paired_values, estimate_score

OURS = Contender("orthogon", "**Orthogon** (its defaults)", "orthogon")
OURS_FP32 = Contender("orthogon-fp32", "**Orthogon**, precision=fp32", "orthogon", "fp32")
PLAIN = Contender("plain", "PyTorch: DataLoader and a loop (fp32)", "plain")
KERAS = Contender("keras-jax", "Keras on JAX (fp32)", "keras", "jax")
CONTENDERS = (
    OURS, OURS_FP32, PLAIN,
    Contender("tuned", "PyTorch by hand: index, fused, bf16, channels last", "plain", "tuned"),
    Contender("skorch", "skorch (fp32)", "skorch"),
    Contender("accelerate", "Accelerate (fp32)", "accelerate"),
    Contender("barebones", "Lightning, barebones (fp32)", "lightning", "barebones"),
    Contender("lightning", "Lightning (fp32)", "lightning"),
    KERAS,
    Contender("keras-torch", "Keras on torch (fp32)", "keras", "torch"),
)
JUDGED = (OURS, OURS_FP32, PLAIN, KERAS)
"""Whose test error is measured; the other peers train the same PyTorch modules as plain PyTorch."""

GOALS = (("plain", 2.0), ("lightning", 2.5), ("barebones", 2.5), ("keras-jax", 2.5), ("keras-torch", 2.5))
LR, BATCH = 1e-3, 128
FEWEST_SEEDS = 3
"""Seeds from which errors are judged: the interval over test pictures does not hold what another seed would change."""


def same_network(settings: Settings) -> dict[str, Any]:
    """What the two checks say: the copies in PyTorch and in Keras are Orthogon's convnet."""
    ours = [sys.executable, str(HERE / "same_network.py")]
    theirs = [settings.peers, str(HERE / "peers" / "same_in_keras.py")]
    said = {"torch": call(ours, True), "keras": call(theirs, False)}
    for name, each in said.items():
        say(f"the network in {name}: {each.get('error') or each['said']}")
    return said


def measure(settings: Settings, epochs: int = 2, seeds: int = 3, images: int = 6400) -> Record:
    """Speed records of all rounds, then the test errors after `epochs` whole epochs with each seed."""
    images, full = (256, 512) if settings.quick else (images, 0)
    seeds = 1 if settings.quick else seeds
    given = Problem("fashion", rows=images, batch=BATCH, epochs=2, lr=LR, folder=settings.folder)
    checks = same_network(settings)
    records = interleave(CONTENDERS, given, settings)
    judged = judge(replace(given, rows=full, epochs=epochs, schedule="cosine", test=True), seeds, settings)
    return {"problem": {**given.__dict__, "folder": ""}, "same_network": checks, "records": records, "error": judged}


# --- test error ---------------------------------------------------------------------------------------------------


def judge(given: Problem, seeds: int, settings: Settings) -> Record:
    """Contender -> error with its interval, and its difference from plain PyTorch's on the same test pictures."""
    labels = test_labels(given.folder)
    wrong: dict[str, list[np.ndarray]] = {}
    records = []
    for seed in range(seeds):
        for contender in JUDGED:
            record = run(contender, replace(given, seed=seed), settings)
            if predictions := record.pop("predictions", None):
                codes = np.frombuffer(predictions.encode(), np.uint8) - ord("0")
                wrong.setdefault(contender.key, []).append((codes != labels).astype(float))
                record["test_error"] = float(wrong[contender.key][-1].mean())
            records.append({"round": seed, **record})
            say(f"seed {seed}  {contender.name:44} test error {record.get('test_error', record.get('error'))}")
    return {"epochs": given.epochs, "rows": given.rows or 60_000, "seeds": seeds, "records": records,
            "summary": {key: _summary(key, wrong) for key in wrong}}


def _summary(key: str, wrong: dict[str, list[np.ndarray]]) -> Record:
    mean = np.mean(wrong[key], axis=0)
    found: Record = {"error": estimate_score(mean).to_dict()}
    if key != "plain" and len(wrong.get("plain", [])) == len(wrong[key]):
        compared = compare_paired_values(np.mean(wrong["plain"], axis=0), mean, higher_is_better=False, unit="rate")
        found["difference"] = {"value": compared.difference, "low": compared.low, "high": compared.high,
                               "n": compared.n}
    return found


# --- tables -------------------------------------------------------------------------------------------------------


def goals(found: Record) -> list[tuple[str, str, str]]:
    """(goal, measured, verdict)."""
    records = found["records"]
    names = {each.key: each.name for each in CONTENDERS}
    ours, half = seconds_per_step(records, "orthogon-fp32"), seconds_per_step(records, "orthogon")
    rows = []
    for key, goal in GOALS:
        times = ratio(seconds_per_step(records, key), half)
        rows.append((f"Fashion-MNIST: at least {goal} × the images a second of {names[key]}", show_ratio(times),
                     verdict(times, goal, at_most=False)))
    equal = ratio(seconds_per_step(records, "plain"), ours)
    rows.append(("Fashion-MNIST, fp32 both: not slower than plain PyTorch", show_ratio(equal),
                 verdict(equal, 1.0, at_most=False)))
    difference = found["error"]["summary"].get("orthogon", {}).get("difference")
    if difference:
        said = "worse" if difference["low"] > 0 else "better" if difference["high"] < 0 else "no difference shown"
        if found["error"]["seeds"] < FEWEST_SEEDS:
            said = f"open: {found['error']['seeds']} of {FEWEST_SEEDS} seeds, which differ by more than the interval"
        rows.append(("Test error no worse than plain PyTorch's after the same epochs", _points(difference), said))
    return rows


def render(found: Record) -> str:
    """The tables in Markdown."""
    wrong = disagreeing(found["records"])
    checks = [f"{name}: {said.get('error') or said['said']}" for name, said in found["same_network"].items()]
    notes = ["The network is the same: " + "; ".join(checks) + "."]
    if wrong:
        notes.append(f"Not the same number of parameters: {', '.join(wrong)}.")
    return "\n\n".join([_speed(found), _error(found["error"]), *notes])


def _speed(found: Record) -> str:
    records, failed = found["records"], errors(found["records"])
    plain, ours, single = (seconds_per_step(records, key) for key in ("plain", "orthogon", "orthogon-fp32"))
    rows = []
    for each in CONTENDERS:
        own = seconds_per_step(records, each.key)
        if not own:
            rows.append((each.name, f"failed: {failed[each.key]}" if each.key in failed else "not run", *["–"] * 4))
            continue
        images = BATCH / median(own.values())
        rows.append((each.name, show_ratio(ratio(plain, own)), show_ratio(ratio(own, ours)),
                     show_ratio(ratio(own, single)), f"{images:,.0f}",
                     f"{middle(records, each.key, 'peak_rss') / 2**20:.0f}"))
    head = ("", "images a second / plain PyTorch's", "Orthogon's / its", "Orthogon's in fp32 / its",
            "median images a second", "peak MiB")
    return table(head, rows)


def _error(judged: Record) -> str:
    rows = []
    for each in JUDGED:
        summary = judged["summary"].get(each.key)
        if summary is None:
            rows.append((each.name, "failed" if each.key in errors(judged["records"]) else "not run", "–", "–"))
            continue
        error = summary["error"]
        rows.append((each.name, f"{100 * error['value']:.2f} % [{100 * error['low']:.2f}, {100 * error['high']:.2f}]",
                     _points(summary["difference"]) if "difference" in summary else "–",
                     f"{middle(judged['records'], each.key, 'peak_rss') / 2**20:.0f}"))
    head = (f"after {judged['epochs']} epochs of {judged['rows']:,} pictures, {judged['seeds']} seed(s)",
            "test error", "minus plain PyTorch's, paired", "peak MiB")
    return table(head, rows)


def _points(difference: Record) -> str:
    return (f"{100 * difference['value']:+.2f} points [{100 * difference['low']:+.2f}, "
            f"{100 * difference['high']:+.2f}], n = {difference['n']:,}")


if __name__ == "__main__":
    result = measure(settings_of(arguments(__doc__ or "").parse_args()))
    print(render(result), *(f"\n{goal}: {value} – {said}" for goal, value, said in goals(result)))
