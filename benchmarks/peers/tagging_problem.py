"""What both sides of `benchmarks/tagging_speed.py` are given, and what they leave. No framework is imported here."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Sentences = list[list[str]]
"""Words or tags of each."""
WARM = 64
"""Sentences that are tagged before the clock starts."""
EMBEDDING, CHARACTERS = 100, 25
"""Numbers of a word, and of its characters read from one side."""


def given() -> tuple[Path, Sentences, int]:
    """The folder, the words of each sentence, and how many sentences are tagged together. Of the folder: network.npz
    holds the parameters by Orthogon's names, words.json the row of each word that is known, characters.json likewise,
    tags.json the tags in order, bundle/ Orthogon's own."""
    folder, batch = Path(sys.argv[1]), int(sys.argv[2])
    return folder, json.loads((folder / "sentences.json").read_text()), batch


def backwards_unread(weights: Mapping[str, Any]) -> None:
    """Zeros, in place, where the LSTM over words would take in the characters read backwards."""
    for name in ("recurrent.weight_ih_l0", "recurrent.weight_ih_l0_reverse"):
        weights[name][:, EMBEDDING + CHARACTERS :] = 0


def timed(tagged: Callable[[Sentences], Sentences], sentences: Sentences, folder: Path, name: str) -> None:
    """Warm up, then tag all on the clock, CPU seconds of this process; leave the tags as NAME.json and print the one
    line that the harness reads."""
    tagged(sentences[:WARM])
    began = time.process_time()
    found = tagged(sentences)
    seconds = time.process_time() - began
    (folder / f"{name}.json").write_text(json.dumps(found))
    print("\n" + json.dumps({"seconds": seconds, "steps": len(sentences)}), flush=True)
