"""Sentences a second of beam search with k = 5, beside Joey NMT's on the same network (goal: 3 times as many).

    PEERS=path/to/python python benchmarks/decoding.py [--rounds 7] [--trained FOLDER] [--json FILE]

One layer of 256 units: a bidirectional GRU reads, a GRU with attention writes, embeddings of 256 are shared with the
output, 4,000 subwords a language; float32, one thread, batches of 64 in the same order. A round runs each side once, in
a process of its own; clocked are CPU seconds from batches of source ids to output ids, after one batch to warm up.

Equal: sizes, sources, batches, beam, the longest output, the score S / ((5 + T)/6), and what is never written (padding,
unknown, the begin). With attention by products both are the same function with the same weights, and outputs must be
the same but where sums of float32 differ in their last digits: the share that is the same stands in the table. With
that of Bahdanau they are the same in size, and not the same function: Joey feeds back what it attended to before (256
numbers), Orthogon what it finds now (512).

Random weights: sources of 10 to 40 tokens, as sentences of news have, and outputs of exactly 30, since the end is never
written; both take the same steps. --trained takes FOLDER/dot.safetensors and dot.task.json, which
`benchmarks/translation.py train dot --out FOLDER --most-words 7` leaves: short sentences of Tatoeba, which each side
ends by its own rule. Joey goes on until all of its five beams have ended; Orthogon, which is asked for the best
sentence, until no length that is left could still make another one the best.

Not equal: Joey multiplies the values of the attention by its matrix for keys at every step, for each beam; Orthogon
does so once for each sentence. Its rows of ended sentences stay until all beams of their sentence have ended.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness import HERE, Record, call, ratio, say, seconds_per_step, show_ratio, show_share, table
from safetensors.torch import load_file

from orthogon.text.encoder_decoder import EncoderDecoder
from orthogon.text.translate import Translate
from orthogon.train.settings import DataSettings, TaskSettings

sys.path.insert(0, str(HERE / "peers"))

from decoding_problem import PAD, Problem

UNITS, IDS, LENGTHS, WRITTEN = 256, 4000, (10, 40), 30
MOST_WORDS = 7
"""Of the sources of Tatoeba."""
SIDES = {"joeynmt": "Joey NMT", "orthogon": "Orthogon"}
ATTENTION = {"dot": "attention by products", "bahdanau": "attention of Bahdanau"}


def drawn(folder: str, attention: str, sentences: int) -> Problem:
    """Random weights and sources."""
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    network = EncoderDecoder(IDS, IDS, UNITS, UNITS, attention=attention)
    lengths = np.sort(random.integers(LENGTHS[0], LENGTHS[1] + 1, sentences))[::-1]
    sources = random.integers(4, IDS, (sentences, LENGTHS[1]))
    sources[np.arange(LENGTHS[1]) >= lengths[:, None]] = PAD
    return kept(Problem(folder, attention, UNITS, WRITTEN, ends=False), network.state_dict(), sources)


def learnt(folder: str, trained: Path, sentences: int) -> Problem:
    """A translator and pairs of Tatoeba, the longest source first."""
    from translation import data_of

    weights = load_file(trained / "dot.safetensors")
    task = Translate(TaskSettings(), DataSettings())
    task.load_state(json.loads((trained / "dot.task.json").read_text()))
    data = data_of(MOST_WORDS)
    rows = np.random.default_rng(0).choice(len(data), sentences, replace=False)
    task.attach(data.take(rows), torch.device("cpu"))
    sources = task.inputs.stored[0].numpy().astype(np.int64)
    lengths = (sources != PAD).sum(1)
    sources = sources[np.argsort(-lengths, kind="stable"), : lengths.max()]
    return kept(Problem(folder, "dot", UNITS, task.encoder.most - 1, ends=True), weights, sources)


def kept(problem: Problem, weights: dict[str, torch.Tensor], sources: np.ndarray) -> Problem:
    Path(problem.folder).mkdir()
    np.savez(Path(problem.folder) / "weights.npz", **{name: value.numpy() for name, value in weights.items()})
    np.save(Path(problem.folder) / "sources.npy", sources)
    return problem


def problems(folder: Path, trained: Path | None, sentences: int) -> Iterator[tuple[str, Problem]]:
    for attention, name in ATTENTION.items():
        yield f"random weights, {name}", drawn(str(folder / attention), attention, sentences)
    if trained:
        yield "Tatoeba, trained, attention by products", learnt(str(folder / "trained"), trained, 4 * sentences)


def measure(peers: str, rounds: int, trained: Path | None, sentences: int) -> Record:
    found: Record = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, problem in problems(Path(folder), trained, sentences):
            records = []
            for turn in range(rounds):
                sides = [*SIDES][turn % len(SIDES) :] + [*SIDES][: turn % len(SIDES)]
                for side in sides:
                    record = {"round": turn, "contender": side, **decoded(side, problem, peers)}
                    records.append(record)
                    say(f"{name}, round {turn + 1}/{rounds}  {side:9} {record}")
            found[name] = {"records": records, "same": same(problem)}
    return found


def decoded(side: str, problem: Problem, peers: str) -> Record:
    ours = side == "orthogon"
    script = str(HERE / "peers" / f"decode_with_{side}.py")
    return call([sys.executable if ours else peers, script, problem.to_json()], ours)


def same(problem: Problem) -> list[int] | None:
    """How many outputs both give, and of how many, where both networks are the same function."""
    paths = [Path(problem.folder) / f"{side}.npy" for side in SIDES]
    if problem.attention != "dot" or not all(path.exists() for path in paths):
        return None
    theirs, ours = map(np.load, paths)
    return [int((theirs == ours).all(1).sum()), len(ours)]


def render(found: Record) -> str:
    rows = []
    for name, of in found.items():
        theirs, ours = (seconds_per_step(of["records"], side) for side in SIDES)
        speeds = [f"{1 / np.median(list(each.values())):,.0f}" if each else "failed" for each in (theirs, ours)]
        rows.append((name, *speeds, show_ratio(ratio(theirs, ours)), show_share(of["same"])))
    return table(("sentences a CPU second", *SIDES.values(), "times as many", "same outputs"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--sentences", type=int, default=128, help="with random weights (128); of Tatoeba 4 times that")
    parser.add_argument("--trained", type=Path, help="folder of benchmarks/translation.py with a network dot")
    parser.add_argument("--peers", default=os.environ.get("PEERS"), help="Python of requirements-sequences.txt")
    parser.add_argument("--json", type=Path, help="also write the numbers there")
    asked = parser.parse_args()
    if not asked.peers:
        parser.error("name the peers' Python: PEERS=path/to/python")
    found: dict[str, Any] = measure(asked.peers, asked.rounds, asked.trained, asked.sentences)
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n")
    print(render(found))


if __name__ == "__main__":
    main()
