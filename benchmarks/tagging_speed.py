"""Sentences a second that are tagged, beside flair's SequenceTagger with the same network.

    PEERS=path/to/python python benchmarks/tagging_speed.py [--rounds 7] [--json FILE]

Embeddings of words (100), an LSTM over the characters of each word in both directions (25 each), an LSTM over words in
both directions (200 each), a CRF: 17 universal tags, learnt by Orthogon in some steps from sentences of the train part
of UD English EWT, and given to both. Tagged is its dev part, without sentences that repeat one or hold a word of over
20 characters, which Orthogon shortens; float32, one thread, 32 sentences at once, sorted by length on both sides. A
round runs each once, in a process of its own; clocked are CPU seconds, after 64 sentences to warm up: with Orthogon
from lists of words to tags, with flair from its own `Sentence` objects, whose making is left out, to tags.

The two are one function but for two things. Of the characters read backwards flair takes the state after the first of
them, not after the last; the weights from those to the LSTM over words are 0 here, at the same cost. And where a form
stands twice in a sentence, flair's CharacterEmbeddings gives the first place the characters of another word. So the
tags must be the same in all sentences without a repeated form; the share of their words of which they are stands in
the table. The last row is another network: Orthogon's own defaults (characters by a convolution), with as many
sentences at once as it takes by itself.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, cast

import numpy as np
from harness import HERE, Record, call, ratio, say, seconds_per_step, show_ratio, show_share, table

import orthogon as og
from orthogon.data.text_columns import TokensColumn
from orthogon.data.word_encoders import CharactersEncoder, WordsEncoder
from orthogon.nn.spec import UNKNOWN
from orthogon.text.tag import Tag

sys.path.insert(0, str(HERE / "peers"))

from tagging_problem import backwards_unread

LONGEST, BATCH, LEARNT, STEPS = 20, 32, 2000, 100
SIDES = {"flair": "flair", "orthogon": "Orthogon, the same network", "orthogon-default": "Orthogon, its own defaults"}
MODELS = {"same": {"characters": "recurrent", "character_width": 50}, "default": {}}
"""Bundle -> options of the model."""


def prepare(folder: Path) -> None:
    """The trained bundles, the first one also as flair's script reads it, and the sentences."""
    data = Path(os.environ["ORTHOGON_DATA"]) / "ud_english_ewt"
    train = og.read(data / "en_ewt-ud-train.conllu.xz").take(np.arange(LEARNT))
    for name, options in MODELS.items():
        run = og.train(train, model="tagger", out=folder / "runs", name=name, quiet=True, options={
            "train.steps": STEPS, "train.threads": 1, "task.loss": "crf", "model.options": options})
        (run.path / "bundle").rename(folder / name)
    column = next(each for each in og.read(data / "en_ewt-ud-dev.conllu.xz").columns.values()
                  if isinstance(each, TokensColumn))
    sentences = list(dict.fromkeys(words for words in column.values if all(len(word) <= LONGEST for word in words)))
    write(folder / "sentences.json", sentences)
    for_flair(folder, {word for words in sentences for word in words})


def for_flair(folder: Path, words: set[str]) -> None:
    """Weights and ids, those of the words as they are written."""
    predictor = og.load(folder / "same")
    weights: dict[str, Any] = {name: value.numpy() for name, value in predictor.model.state_dict().items()}
    backwards_unread(weights)
    np.savez(folder / "network.npz", **weights)
    task = cast("Tag", predictor.task)
    of_words, of_characters = cast("tuple[WordsEncoder, CharactersEncoder]", task.inputs.encoders)
    letters = sorted({letter for word in words for letter in word})
    for name, items, ids in (("words", sorted(words), of_words.vocabulary.ids(word.lower() for word in sorted(words))),
                             ("characters", letters, of_characters.vocabulary.ids(letters))):
        write(folder / f"{name}.json", {item: int(row) for item, row in zip(items, ids) if row != UNKNOWN})
    write(folder / "tags.json", list(task.names))


def write(path: Path, what: object) -> None:
    path.write_text(json.dumps(what))


def measure(peers: str, rounds: int) -> Record:
    records = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        for turn in range(rounds):
            for side in [*SIDES][turn % len(SIDES) :] + [*SIDES][: turn % len(SIDES)]:
                records.append({"round": turn, "contender": side, **tagged(side, folder, peers)})
                say(f"round {turn + 1}/{rounds}  {side:16} {records[-1]}")
        return {"records": records, "same": same(folder)}


def tagged(side: str, folder: Path, peers: str) -> Record:
    tool, _, variant = side.partition("-")
    script = str(HERE / "peers" / f"tag_with_{tool}.py")
    ours = tool == "orthogon"
    return call([sys.executable if ours else peers, script, str(folder), str(BATCH), *([variant] if variant else [])],
                ours)


def same(folder: Path) -> list[int]:
    """Of sentences without a repeated form: the words to which both give the same tag, and how many there are."""
    sentences, theirs, ours = (json.loads((folder / f"{name}.json").read_text())
                               for name in ("sentences", "flair", "orthogon"))
    pairs = [pair for words, *tags in zip(sentences, theirs, ours, strict=True) if len(set(words)) == len(words)
             for pair in zip(*tags, strict=True)]
    return [sum(first == second for first, second in pairs), len(pairs)]


def render(found: Record) -> str:
    seconds = {side: seconds_per_step(found["records"], side) for side in SIDES}
    rows = [(name, f"{1 / np.median(list(seconds[side].values())):,.0f}" if seconds[side] else "failed",
             "" if side == "flair" else show_ratio(ratio(seconds["flair"], seconds[side])),
             show_share(found["same"]) if side == "orthogon" else "")
            for side, name in SIDES.items()]
    return table(("", "sentences a CPU second", "times flair's", "same tags"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peers", default=os.environ.get("PEERS"), help="Python of requirements-sequences.txt")
    parser.add_argument("--json", type=Path, help="also write the numbers there")
    asked = parser.parse_args()
    if not asked.peers:
        parser.error("name the peers' Python: PEERS=path/to/python")
    found = measure(asked.peers, asked.rounds)
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n")
    print(render(found))


if __name__ == "__main__":
    main()
