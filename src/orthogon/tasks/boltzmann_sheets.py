"""What a Boltzmann machine has learnt, in pictures: its filters, what it rebuilds, where its chains wander."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from orthogon.draw.mosaic import mosaic
from orthogon.nn.belief_network import DeepBeliefNetwork, Downward
from orthogon.train.randomness import generator
from orthogon.train.task import Sheet

MOST_FILTERS = 64
CHAINS = 8
STOPS = (0, 1, 10, 100, 1000)
"""Gibbs steps after which the chains are shown; those from the pictures also before the first."""

SIDE = 56
"""Pixels that small pictures are enlarged to."""


def all_sheets(network: DeepBeliefNetwork, pictures: Tensor, unit: bool) -> list[Sheet]:
    """Filters of each layer, pictures that are rebuilt, chains from pictures and from noise.

    pictures: N×C×H×W as the network takes them. unit: in 0 … 1; others are drawn from their least to their largest.
    """
    sheets = [
        Sheet(f"filters-{at + 1}", f"Filters of layer {at + 1}", _about(at, shown.shape[1], network), picture)
        for at, (shown, picture) in enumerate(zip(_weights(network), filters(network)))
    ]
    if not len(pictures):
        return sheets
    some = pictures[:CHAINS]
    rebuilt = _values(network, network(some).output)
    sheets.append(Sheet("rebuilt", "Pictures and what is rebuilt of them", "Above as they are, below from the hidden "
                        "probabilities of the uppermost layer alone.", _drawn([some, rebuilt], unit)))
    noise = torch.rand(some.shape, generator=generator(0, "noise", device=some.device), device=some.device)
    for name, start in (("pictures", some), ("noise", noise if unit else 4 * noise - 2)):
        sheets.append(Sheet(f"chains-{name}", f"Gibbs chains that begin at {name}",
                            f"A chain in each column, shown after {', '.join(f'{stop:,}' for stop in STOPS)} steps of "
                            "the uppermost machine. Where chains stay what they began as, or all become alike, the "
                            "machine mixes badly or has learnt little.", _drawn(_chains(network, start), unit)))
    return sheets


def filters(network: DeepBeliefNetwork, most: int = MOST_FILTERS, columns: int = 16) -> list[np.ndarray]:
    """Of each layer a picture of the weights of its first units, seen through the layers below: white excites, black
    inhibits, mid-grey is zero; one scale for all that are shown of a layer."""
    shape, drawn = _shape(network), []
    for weights in _weights(network):
        largest = weights[:, :most].abs().quantile(0.999).clamp(min=1e-12)
        tiles = weights[:, :most].T / largest / 2 + 0.5
        drawn.append(mosaic(tiles.reshape(-1, *shape).cpu().numpy(), columns, side=SIDE))
    return drawn


def _about(at: int, units: int, network: DeepBeliefNetwork) -> str:
    through = " They are products of the weights of all layers up to theirs." if at else ""
    shown = f"All {units}" if units <= MOST_FILTERS else f"The first {MOST_FILTERS} of {units:,}"
    return f"{shown} hidden units: white pixels switch a unit on, black ones off.{through}"


def _weights(network: DeepBeliefNetwork) -> list[Tensor]:
    """Of each layer its weights as seen by the pixels, V×H."""
    seen: list[Tensor] = [network.machines[0].weight]
    for machine in network.machines[1:]:
        seen.append(seen[-1] @ machine.weight)
    return seen


def _chains(network: DeepBeliefNetwork, start: Tensor) -> list[Tensor]:
    """What the pixels are expected to be when the chains of the uppermost machine stand at each of STOPS."""
    *below, machine = network.machines
    state, done, draws = start.flatten(1), 0, generator(0, "chains", device=start.device)
    for each in below:
        state = each(state)
    found = [start]
    for stop in STOPS[1:]:
        state, done = machine.gibbs(state, stop - done, draws), stop
        found.append(_values(network, network.head(machine(state))))
    return found


def _values(network: DeepBeliefNetwork, output: Tensor) -> Tensor:
    return output if network.machines[0].visible == "gaussian" else output.sigmoid()


def _shape(network: DeepBeliefNetwork) -> tuple[int, ...]:
    assert isinstance(network.head, Downward)  # noqa: S101 - machines that are learnt have no other head
    return network.head.shape


def _drawn(rows: list[Tensor], unit: bool) -> np.ndarray:
    """Rows of pictures, N×C×H×W each, below each other."""
    pictures = torch.cat(rows)
    if not unit:
        low, high = rows[0].min(), rows[0].max()
        pictures = (pictures - low) / (high - low).clamp(min=1e-12)
    return mosaic(pictures.cpu().numpy(), columns=len(rows[0]), side=SIDE)
