"""Orthogon decodes: its encoder_decoder with the given weights and its beam search, in float32."""

from __future__ import annotations

import numpy as np
import torch
from decoding_problem import BEGIN, END, PAD, UNKNOWN, problem, timed

from orthogon.nn.beam import search
from orthogon.nn.beam_spec import BeamSpec
from orthogon.text.encoder_decoder import EncoderDecoder
from orthogon.train.compute import Compute


def main() -> None:
    given = problem()
    weights = {name: torch.from_numpy(value) for name, value in given.weights().items()}
    source, target = (len(weights[f"{side}_embedding.weight"]) for side in ("source", "target"))
    network = EncoderDecoder(source, target, given.units, given.units, attention=given.attention).eval()
    network.load_state_dict(weights)
    spec = BeamSpec(given.beam, given.exponent, shift=5.0)
    banned = (PAD, UNKNOWN, BEGIN, *(() if given.ends else (END,)))

    @torch.no_grad()
    def decode(ids: np.ndarray) -> np.ndarray:
        sources = torch.from_numpy(ids)
        found = search(network.step, network.start(sources), torch.full((len(ids),), BEGIN), END, given.longest, spec,
                       banned=banned, present=sources != PAD, wanted=1)
        return found.ids[:, 0].numpy()

    with Compute(torch.device("cpu"), threads=1).in_force():
        timed(decode, given.sources(), given, "orthogon")


if __name__ == "__main__":
    main()
