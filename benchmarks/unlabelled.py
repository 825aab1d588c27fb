"""What is learnt without labels, on public data: each figure on test, with its interval, and the minutes that it took.

    python benchmarks/unlabelled.py vae denoise [--seeds 0 1 2] [--threads 2] [--epochs N] [--dev] [--json FILE]

Settings were chosen on parts of the train sets; --dev measures on dev alone, and leaves test unseen. A job is a
function that trains and gives its lines; add yours to JOBS.

vae      −ELBO in nats a picture: MNIST with pixels binarized at ½, and Fashion-MNIST as it is (pixels as chances).
barlow   what encodings learnt without labels are worth with 1 % of the labels: of dev, paired, in points.
style    how long 256 pixels in the style of another take, and by how much the style cost falls.
prior    PSNR gained by the deep image prior on one noisy, holed or small picture.
rbm      free energy of MNIST's test pictures over that of train, and their log-likelihood, by annealing.
dbn      what pre-training without labels gains with 100 labels a class: against the same network from random weights.
denoise  PSNR of pictures with noise of 0.3 (of 0 … 1), rebuilt, over that of what the network was given.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import boltzmann
import one_picture
from harness import table

import orthogon as og

Line = dict[str, Any]
"""One figure: "job", "what", "goal", "seed", "value", "low", "high", "n", "unit", "minutes", "cpu_minutes"."""


@dataclass(frozen=True)
class Asked:
    """What the command line says. epochs: None = each job's own. part: where it is measured, "test" or "dev"."""

    seed: int
    threads: int
    epochs: int | None
    part: str


def vae(asked: Asked) -> list[Line]:
    options = {"model.options": {"hidden": [500, 500], "code": 40}, "train.lr": 1e-3}
    return [
        _trained(asked, "mnist", "nats", "vae, binarized MNIST", "at most 105 nats", model="vae",
                 epochs=asked.epochs or 15, options={**options, "task.binarize": 0.5}),
        _trained(asked, "fashion_mnist", "nats", "vae, Fashion-MNIST, grey", "", model="vae",
                 epochs=asked.epochs or 15, options=options),
    ]


def denoise(asked: Asked) -> list[Line]:
    return [
        _trained(asked, data, "psnr_gain", f"conv_autoencoder, {title}, noise 0.3", "at least 5 dB",
                 model="conv_autoencoder", epochs=asked.epochs or 4,
                 options={"task.noise": 0.3, "task.loss": "squared", "model.options": {"code": 128}, "train.lr": 1e-3})
        for data, title in (("mnist", "MNIST"), ("fashion_mnist", "Fashion-MNIST"))
    ]


def barlow(asked: Asked) -> list[Line]:
    """Of the encodings of dev: test stays unseen, since `features` asks dev."""
    given = {"train.augment": ["flip", "crop", "color"], "train.seed": asked.seed,
             "train.threads": asked.threads}
    with tempfile.TemporaryDirectory() as folder:
        began, cpu = time.monotonic(), time.process_time()
        run = og.train(str(Path(os.environ["ORTHOGON_DATA"]) / "fashion_mnist"), task="barlow_twins", model="convnet",
                       epochs=asked.epochs or 6, options=given, out=folder)
        found = og.features(run, labels=[0.01], processes=1, quiet=False)
        print(found, flush=True)
        spent = {"minutes": (time.monotonic() - began) / 60, "cpu_minutes": (time.process_time() - cpu) / 60,
                 "threads": asked.threads, "part": "dev", "seed": asked.seed, "unit": "points"}
    near, probe, whole = found.uses
    return [{"what": f"Barlow Twins, Fashion-MNIST, {near.labels} labels: {what}", "goal": goal, "n": paired.n,
             "value": 100 * paired.difference, "low": 100 * paired.low, "high": 100 * paired.high, **spent}
            for what, goal, paired in (
                ("nearest neighbors over random first weights", "at least 8 points", near.gain),
                ("linear probe over training from scratch", "better", probe.over_scratch),
                ("the whole network over training from scratch", "", whole.gain))]


JOBS: dict[str, Callable[[Asked], list[Line]]] = {
    "barlow": barlow, "vae": vae, "denoise": denoise,
    "rbm": boltzmann.rbm, "dbn": boltzmann.dbn,
    "style": lambda asked: one_picture.style(asked.seed, asked.threads),
    "prior": lambda asked: one_picture.prior(asked.seed, asked.threads),
}


def _trained(asked: Asked, data: str, metric: str, what: str, goal: str, *, model: str, epochs: int,
             options: dict[str, Any]) -> Line:
    """Reconstruct, trained once, and one of its figures."""
    given = {**options, "train.seed": asked.seed, "train.threads": asked.threads}
    with tempfile.TemporaryDirectory() as folder:
        began, cpu = time.monotonic(), time.process_time()
        run = og.train(str(Path(os.environ["ORTHOGON_DATA"]) / data), task="reconstruct", model=model, epochs=epochs,
                       options=given, out=folder, test=asked.part == "test")
        found = run.result["splits"][asked.part]["metrics"][metric]
        return {"what": what, "goal": goal, "seed": asked.seed, **{key: found[key] for key in (
            "value", "low", "high", "n", "unit")}, "minutes": (time.monotonic() - began) / 60,
            "cpu_minutes": (time.process_time() - cpu) / 60, "threads": asked.threads, "part": asked.part}


def render(lines: list[Line]) -> str:
    """The table in Markdown."""
    return table(("", "goal", "seed", "found", "95 %", "minutes", "CPU minutes"), [
        (line["what"], line["goal"], str(line["seed"]), f"{line['value']:.4g} {line['unit']}",
         interval(line), f"{line['minutes']:.1f}",
         f"{line['cpu_minutes']:.1f}") for line in lines])


def interval(line: Line) -> str:
    """"[0.61, 0.64], n = 10,000"; without ends where there are none, as of one picture."""
    ends = f"[{line['low']:.4g}, {line['high']:.4g}], " if isfinite(line["low"]) and isfinite(line["high"]) else ""
    return f"{ends}n = {line['n']:,}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", choices=list(JOBS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--threads", type=int, default=2, help="of training (2)")
    parser.add_argument("--epochs", type=int, help="in place of each job's own")
    parser.add_argument("--dev", action="store_true", help="measure on dev, and leave test unseen")
    parser.add_argument("--json", type=Path, help="also write the numbers there")
    given = parser.parse_args()
    found: list[Line] = []
    for name in given.names:
        for seed in given.seeds:
            asked = Asked(seed, given.threads, given.epochs, "dev" if given.dev else "test")
            found += [{"job": name, **line} for line in JOBS[name](asked)]
            print(json.dumps(found), flush=True)
            if given.json:
                given.json.write_text(json.dumps(found, indent=1) + "\n")
    print(render(found))


if __name__ == "__main__":
    main()
