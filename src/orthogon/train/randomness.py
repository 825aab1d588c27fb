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
    """The random numbers of one step: one generator per purpose.

    part: which share of the batch is drawn for, where a batch is cut into micro-batches or shared among ranks.
    """

    __slots__ = ("device", "epoch", "part", "seed", "step")

    def __init__(self, seed: int, epoch: int, step: int, device: torch.device, part: str = "") -> None:
        self.seed, self.epoch, self.step, self.device, self.part = seed, epoch, step, device, part

    def generator(self, purpose: str) -> torch.Generator:
        """A generator on the step's device for that purpose ("augment", "negatives", …)."""
        return generator(self.seed, purpose + self.part, self.epoch, self.step, self.device)

    def of_part(self, part: str) -> Draw:
        """The draw for one share of the batch."""
        return Draw(self.seed, self.epoch, self.step, self.device, part)

    def seed_modules(self) -> None:
        """Key what modules draw from torch's default generators. Call it within `preserved_randomness`."""
        seed = key(self.seed, "modules" + self.part, self.epoch, self.step)
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            _cuda_generator(self.device).manual_seed(seed)


class PreservedRandomness:
    """Saves the states of torch's default generators, and puts them back: outside a step they are the user's.

    Saved once for a stretch of steps rather than for each: between the steps of a stretch nobody else draws.
    """

    def __init__(self, device: torch.device) -> None:
        self.generators = [torch.default_generator]
        if device.type == "cuda":
            self.generators.append(_cuda_generator(device))
        self.states: list[torch.Tensor] | None = None

    def save(self) -> None:
        """Nothing happens where a state is saved already."""
        if self.states is None:
            self.states = [each.get_state() for each in self.generators]

    def restore(self) -> None:
        """Nothing happens where no state is saved."""
        if self.states is not None:
            for each, state in zip(self.generators, self.states):
                each.set_state(state)
            self.states = None

    def __enter__(self) -> None:
        self.save()

    def __exit__(self, *_: object) -> None:
        self.restore()


def _cuda_generator(device: torch.device) -> torch.Generator:
    index = device.index if device.index is not None else torch.cuda.current_device()
    return torch.cuda.default_generators[index]


def uniform_by_row(rows: torch.Tensor, width: int, purpose: str) -> torch.Tensor:
    """Numbers in (0, 1), float32 n×width, of which each row has its own, always the same: what evaluation draws.

    rows: int64 (n,). A counter through the finalizer of SplitMix64 (Steele, Lea & Flood 2014, OOPSLA), so that neither
    the batch nor the order of the rows matters.
    """
    places = torch.arange(1, width + 1, device=rows.device)
    x = key(0, purpose) + (rows.unsqueeze(1) * (width + 1) + places) * _signed(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ _shifted(x, shift)) * _signed(factor)
    x = x ^ _shifted(x, 31)
    return (_shifted(x, 41).float() + 0.5) / 2**23  # as many bits as float32 keeps below 1


def normal_by_row(rows: torch.Tensor, width: int, purpose: str) -> torch.Tensor:
    """The same of N(0, 1)."""
    return torch.special.ndtri(uniform_by_row(rows, width, purpose))


def _signed(word: int) -> int:
    """A 64-bit word as torch's signed integers have it."""
    return word - 2**64 if word >= 2**63 else word


def _shifted(x: torch.Tensor, bits: int) -> torch.Tensor:
    """Shifted to the right, with zeros from the left."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)
