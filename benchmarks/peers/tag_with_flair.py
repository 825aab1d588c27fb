"""Flair tags: its SequenceTagger with the given weights.

Its `Sentence` objects are made before the clock starts; `predict` and the reading of the tags from them are on it.
Start and end of the CRF are two more tags with it, of which the network says 0, and which are never given to a word.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

import flair
import numpy as np
import torch
from flair.data import Dictionary, Sentence
from flair.embeddings import CharacterEmbeddings, OneHotEmbeddings, StackedEmbeddings
from flair.models import SequenceTagger
from tagging_problem import Sentences, given, timed


def tagger(folder: Path) -> SequenceTagger:
    with np.load(folder / "network.npz") as found:
        weights = {name: torch.from_numpy(value) for name, value in found.items()}
    words, words_table = looked_up(folder / "words.json", weights["table.weight"])
    characters, characters_table = looked_up(folder / "characters.json", weights["characters.table.weight"])
    tags = Dictionary(add_unk=False)
    for tag in json.loads((folder / "tags.json").read_text()):
        tags.add_item(tag)
    count, units = len(tags), weights["recurrent.weight_hh_l0"].shape[1]
    of_words = OneHotEmbeddings(words, embedding_length=words_table.shape[1])
    of_characters = CharacterEmbeddings(characters, characters_table.shape[1],
                                        weights["characters.recurrent.weight_hh_l0"].shape[1])
    made = SequenceTagger(StackedEmbeddings([of_words, of_characters]), tags, "tag", hidden_size=units, rnn_layers=1,
                          use_crf=True, reproject_embeddings=False)
    of_words.embedding_layer.weight.data = words_table
    of_characters.char_embedding.weight.data = characters_table
    of_characters.char_rnn.load_state_dict(part(weights, "characters.recurrent."))
    made.rnn.load_state_dict(part(weights, "recurrent."))
    made.linear.weight.data = torch.cat([weights["output.weight"], torch.zeros(2, 2 * units)])
    made.linear.bias.data = torch.cat([weights["output.bias"], torch.zeros(2)])
    between = made.crf.transitions.data  # from the column to the row, with start and end behind the tags
    between[:count, :count] = weights["crf.transitions"].t()
    between[:count, count], between[count + 1, :count] = weights["crf.start"], weights["crf.end"]
    return made.eval().requires_grad_(False)


def looked_up(path: Path, table: torch.Tensor) -> tuple[Dictionary, torch.Tensor]:
    """What is known, and the rows of the table in its order, that of the unknown (1 with Orthogon) first."""
    rows = json.loads(path.read_text())
    known = Dictionary(add_unk=True)
    for item in rows:
        known.add_item(item)
    return known, table[torch.tensor([1, *rows.values()])]


def part(weights: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}


def main() -> None:
    folder, words, batch = given()
    logging.disable(logging.INFO)
    flair.device = torch.device("cpu")
    torch.set_num_threads(1)
    network = tagger(folder)
    made = {tuple(each): Sentence(each) for each in words}

    def tagged(some: Sentences) -> Sentences:
        sentences = [made[tuple(each)] for each in some]
        network.predict(sentences, mini_batch_size=batch)
        return [[token.get_label("tag").value for token in sentence] for sentence in sentences]

    timed(tagged, words, folder, "flair")


if __name__ == "__main__":
    main()
