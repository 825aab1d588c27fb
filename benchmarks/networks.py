"""ResNet-18 with the stem for small pictures at 32 pixels and MobileNet-V2 at 96, batch 64, on generated pictures.

Training: as for Fashion-MNIST, Adam at 1e-3, two epochs of which the second is timed; Orthogon at its defaults (here
bf16 and channels last) beside PyTorch's loop at its defaults and Keras on JAX. Prediction: the network alone on a batch
in memory, plain PyTorch in evaluation mode beside what `og.load` predicts with (batch norms folded, channels last), in
float32 and with precision="bf16"; all three in one process, in turn. Multiply-adds are counted, times 3 in training.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from harness import (
    Contender,
    Problem,
    Record,
    Settings,
    alone,
    call,
    disagreeing,
    errors,
    interleave,
    middle,
    ratio,
    seconds_per_step,
    show_ratio,
    table,
    verdict,
)
from problem import SIDES

NAMES = {"resnet18": "ResNet-18, 32 px", "mobilenet_v2": "MobileNet-V2, 96 px"}
OURS, PLAIN, KERAS = "orthogon", "plain", "keras-jax"
CONTENDERS = (
    Contender(OURS, "**Orthogon** (its defaults)", "orthogon"),
    Contender(PLAIN, "PyTorch: DataLoader and a loop (fp32)", "plain"),
    Contender("tuned", "PyTorch by hand: index, fused, bf16, channels last", "plain", "tuned"),
    Contender(KERAS, "Keras on JAX (fp32)", "keras", "jax"),
)
TRAINING_GOAL = 1.9
PREDICTION_GOALS = {"resnet18": 1.8, "mobilenet_v2": 2.5}
BATCH = 64
PREDICTED = {"eager": "plain PyTorch, evaluation mode", "fp32": "**Orthogon**, fp32", "bf16": "**Orthogon**, bf16"}


def measure(settings: Settings) -> Record:
    """Training and prediction of both networks, and the machine's matrix rates in the same run."""
    steps = 2 if settings.quick else 8
    training, prediction = {}, {}
    for name in NAMES:
        given = Problem(name, rows=steps * BATCH, batch=BATCH, epochs=2)
        training[name] = interleave(CONTENDERS, given, settings)
        prediction[name] = call([sys.executable, __file__, "--child", str(settings.rounds),
                                 str(int(settings.quick)), name], ours=True)
    code = [sys.executable, __file__.replace("networks.py", "machine_rate.py"), "--rates",
            *(["--quick"] if settings.quick else [])]
    return {"training": training, "prediction": prediction, "rates": call(code, ours=True),
            "records": [record for records in training.values() for record in records]}


def child(rounds: int, quick: bool) -> None:
    """Prediction of the network that the command line names last: seconds a batch in each way, in turn."""
    import torch

    from orthogon import registry
    from orthogon.nn.cost import multiply_adds
    from orthogon.nn.fused import fused
    from orthogon.nn.modes import evaluating
    from orthogon.nn.spec import InputSpec, ModelSpec
    from orthogon.train.compute import Compute, Workload, prediction_compute

    name = sys.argv[4]
    side = SIDES[name]
    model = registry.models.load(name)(ModelSpec((InputSpec("image", (3, side, side)),), 10)).eval()
    pictures = torch.randn(BATCH, 3, side, side)
    cost = multiply_adds(model, (pictures[:1],))
    work = Workload(cost, BATCH, pictures=True)

    def timed(network: torch.nn.Module, compute: Any) -> float:
        calls = 0
        with compute.in_force(), evaluating(network), compute.precision():
            given = compute.lay_out((pictures,))
            network(*given)
            began = time.perf_counter()
            while calls < 2 or time.perf_counter() - began < (0.1 if quick else 2.0):
                network(*given)
                calls += 1
            return (time.perf_counter() - began) / calls

    ways = {each: prediction_compute(torch.device("cpu"), each, work) for each in ("fp32", "bf16")}
    light = {each: compute.place(fused(model)) for each, compute in ways.items()}
    plain = Compute(torch.device("cpu"), threads=torch.get_num_threads())
    records = []
    for turn in range(rounds):
        order = list(PREDICTED)
        for key in order[turn % 3 :] + order[: turn % 3]:
            seconds = timed(model, plain) if key == "eager" else timed(light[key], ways[key])
            records.append({"round": turn, "contender": key, "steps": 1, "seconds": seconds})
    print(json.dumps({"records": records, "multiply_adds": cost, "threads": ways["bf16"].threads}))


def goals(found: Record) -> list[tuple[str, str, str]]:
    """(goal, measured, verdict)."""
    rows = []
    for name, shown in NAMES.items():
        records = found["training"][name]
        for key, against in ((PLAIN, "plain PyTorch's (fp32)"), (KERAS, "Keras on JAX's")):
            times = ratio(seconds_per_step(records, key), seconds_per_step(records, OURS))
            rows.append((f"Training {shown}: at least {TRAINING_GOAL} × {against} pictures a second", show_ratio(times),
                         verdict(times, TRAINING_GOAL, at_most=False)))
        predicted = found["prediction"][name].get("records", [])
        times = ratio(seconds_per_step(predicted, "eager"), seconds_per_step(predicted, "bf16"))
        rows.append((f"Prediction, {shown}: at least {PREDICTION_GOALS[name]} × plain eager", show_ratio(times),
                     verdict(times, PREDICTION_GOALS[name], at_most=False)))
    return rows


def render(found: Record) -> str:
    """The tables in Markdown."""
    return "\n\n".join(part for name in NAMES for part in (_training(found, name), _prediction(found, name)))


def _training(found: Record, name: str) -> str:
    records = found["training"][name]
    plain, failed = seconds_per_step(records, PLAIN), errors(records)
    rows = []
    for each in CONTENDERS:
        own = seconds_per_step(records, each.key)
        if not own:
            rows.append((each.name, f"failed: {failed.get(each.key, 'not run')}", "–", "–"))
            continue
        seconds = middle(records, each.key, "seconds") / middle(records, each.key, "steps")
        share = _share(found, records, each.key, seconds) if each.ours else "–"
        rows.append((each.name, show_ratio(ratio(plain, own)), f"{BATCH / seconds:,.0f}", share))
    wrong = disagreeing(records)
    head = (f"training {NAMES[name]}", "pictures a second / plain PyTorch's", "pictures a second", "of the matrix rate")
    return table(head, rows) + (f"\n\nNot the same number of parameters: {', '.join(wrong)}." if wrong else "")


def _share(found: Record, records: list[Record], key: str, seconds: float) -> str:
    """Of the machine's measured rate of matrix products in the precision and with the threads of the training."""
    ours = next(each for each in records if each["contender"] == key and "error" not in each)
    return _of_rate(found, 3 * ours["multiply_adds"] * BATCH / seconds, ours["precision"], ours["threads"])


def _of_rate(found: Record, done: float, precision: str, threads: int) -> str:
    peak = found["rates"].get("matrix", {}).get(f"{precision}/{threads}")
    return f"{100 * done / peak:.0f} %" if peak else "–"


def _prediction(found: Record, name: str) -> str:
    said = found["prediction"][name]
    if "error" in said:
        return f"Prediction with {NAMES[name]} was not measured: {said['error']}"
    eager = seconds_per_step(said["records"], "eager")
    rows = []
    for key, shown in PREDICTED.items():
        seconds = middle(said["records"], key, "seconds")
        done = said["multiply_adds"] * BATCH / seconds
        rows.append((shown, show_ratio(ratio(eager, seconds_per_step(said["records"], key))), f"{BATCH / seconds:,.0f}",
                     _of_rate(found, done, "bf16" if key == "bf16" else "fp32", said["threads"])))
    return table((f"prediction, {NAMES[name]}", "pictures a second / plain", "pictures a second", "of the matrix rate"),
                 rows)


if __name__ == "__main__":
    alone(__doc__, measure, render, child)
