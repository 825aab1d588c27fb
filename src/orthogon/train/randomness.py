"""Every draw is keyed by (seed, purpose, epoch, step), so that seeking to any step costs nothing.

What Orthogon draws itself comes from generators of its own. For what lies inside modules (dropout), torch's default
generator is seeded with the key before the step and put back afterwards. The default generator object is seeded, not
`torch.manual_seed`: the object costs microseconds, the global call, which walks all devices, a hundred times that.
"""

from __future__ import annotations

from hashlib import blake2b

import torch


def key(seed: int, purpose: str, epoch: int = 0, step: int = 0) -> int:
    """A 63-bit seed for one draw; different for every argument."""
    text = f"{seed}/{purpose}/{epoch}/{step}".encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little") >> 1


def generator(
    seed: int, purpose: str, epoch: int = 0, step: int = 0, device: str | torch.device = "cpu"
) -> torch.Generator:
    """A generator of its own for one draw."""
    return torch.Generator(device=device).manual_seed(key(seed, purpose, epoch, step))


class Draw:
    """The random numbers of one step: one generator per purpose."""

    __slots__ = ("device", "epoch", "seed", "step")

    def __init__(self, seed: int, epoch: int, step: int, device: torch.device) -> None:
        self.seed, self.epoch, self.step, self.device = seed, epoch, step, device

    def generator(self, purpose: str) -> torch.Generator:
        """A generator on the step's device for that purpose ("augment", "negatives", …)."""
        return generator(self.seed, purpose, self.epoch, self.step, self.device)


def _cuda_generator(device: torch.device) -> torch.Generator:
    index = device.index if device.index is not None else torch.cuda.current_device()
    return torch.cuda.default_generators[index]


class ModuleRandomness:
    """Within the block, what modules draw from torch's default generators is keyed; after it, all is as it was.

    draw:  names the step. part: which share of the batch, where it is split.
    """

    __slots__ = ("generators", "seed", "states")

    def __init__(self, draw: Draw, part: str) -> None:
        self.generators = [torch.default_generator]
        if draw.device.type == "cuda":
            self.generators.append(_cuda_generator(draw.device))
        self.seed = key(draw.seed, "modules" + part, draw.epoch, draw.step)

    def __enter__(self) -> None:
        self.states = [each.get_state() for each in self.generators]
        for each in self.generators:
            each.manual_seed(self.seed)

    def __exit__(self, *_: object) -> None:
        for each, state in zip(self.generators, self.states):
            each.set_state(state)
