"""Joey NMT decodes: its own model with the given weights, its own `search`, one batch after another.

The special ids stand in Joey's order (unknown 0, padding 1). Joey's output layer has no bias; where the given weights
hold one it is set as the layer's, which costs both sides the same addition. Sorting by length and the making of its
`Batch` are on the clock, as they belong to its way; reading, tokenizing and joining are not.
"""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from decoding_problem import PAD, Problem, problem, timed
from joeynmt.batch import Batch
from joeynmt.model import build_model
from joeynmt.search import search
from joeynmt.vocabulary import Vocabulary

UNKNOWN_FIRST = np.array([1, 0])
"""Joey's ids of our 0 and 1, and the other way round."""
SPECIAL = ("<unk>", "<pad>", "<s>", "</s>")


def swapped(ids: np.ndarray) -> np.ndarray:
    return np.where(ids < 2, UNKNOWN_FIRST[np.minimum(ids, 1)], ids)


def vocabulary(size: int) -> Vocabulary:
    tokens = dict(zip(("unk_token", "pad_token", "bos_token", "eos_token"), SPECIAL))
    ids = {"unk_id": 0, "pad_id": 1, "bos_id": 2, "eos_id": 3, "sep_id": None}
    return Vocabulary([f"t{place}" for place in range(4, size)],
                      SimpleNamespace(**tokens, **ids, sep_token=None, lang_tags=[]))


def model(given: Problem) -> torch.nn.Module:
    weights = {name: torch.from_numpy(value) for name, value in given.weights().items()}
    source, target = (weights[f"{side}_embedding.weight"] for side in ("source", "target"))
    sizes: dict[str, Any] = {"rnn_type": "gru", "hidden_size": given.units, "num_layers": 1, "dropout": 0.0,
                             "embeddings": {"embedding_dim": given.units}, "type": "recurrent"}
    dot = given.attention == "dot"
    made = build_model({
        "encoder": {**sizes, "bidirectional": True},
        "decoder": {**sizes, "attention": "luong" if dot else "bahdanau", "input_feeding": not dot,
                    "init_hidden": "bridge"},
        "initializer": "xavier_uniform", "embed_initializer": "xavier_uniform",
    }, vocabulary(len(source)), vocabulary(len(target)))
    if dot:
        made.load_state_dict(as_joeys(weights))
        made.decoder.output_layer.bias = torch.nn.Parameter(weights["output_bias"][swapped(np.arange(len(target)))])
    return made.eval().requires_grad_(False)


def as_joeys(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Orthogon's parameters under Joey's names: with attention "dot" both networks are the same function."""
    names = {"source_embedding.weight": "src_embed.lut.weight", "target_embedding.weight": "trg_embed.lut.weight",
             "bridge.0": "decoder.bridge_layer", "attention.keys": "decoder.attention.key_layer",
             "readout": "decoder.att_vector_layer", "encoder.": "encoder.rnn.", "decoder.": "decoder.rnn."}
    found = {}
    for name, value in weights.items():
        old = next((each for each in names if name.startswith(each)), None)
        if old is not None:
            found[names[old] + name.removeprefix(old)] = value
    for table in ("src_embed", "trg_embed"):
        rows = found[f"{table}.lut.weight"]
        found[f"{table}.lut.weight"] = rows[swapped(np.arange(len(rows)))]
    return found | {"decoder.output_layer.weight": found["trg_embed.lut.weight"]}


def main() -> None:
    given = problem()
    logging.disable(logging.INFO)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = model(given)
    forbidden = 0 if given.ends else given.longest + 1

    def decode(ids: np.ndarray) -> np.ndarray:
        lengths = torch.from_numpy((ids != PAD).sum(1))
        batch = Batch(torch.from_numpy(swapped(ids)), lengths, None, None, None, torch.arange(len(ids)),
                      torch.device("cpu"), pad_index=1, eos_index=3, is_train=False)
        back = np.asarray(batch.sort_by_src_length())
        found, _, _ = search(network, batch, given.longest, given.beam, given.exponent, generate_unk=False,
                             min_output_length=forbidden)
        return swapped(found[back])

    timed(decode, given.sources(), given, "joeynmt")


if __name__ == "__main__":
    main()
