"""How the numbers are crunched: device, precision, memory layout, threads. Resolved once, from facts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from orthogon.errors import RecipeError
from orthogon.train.launch import cores
from orthogon.train.optimizer import can_be_fused, is_elementwise
from orthogon.train.settings import TrainSettings

# Below so many multiply-adds a step one thread is used. A second one saves a third at most there (2-core Xeon, 2026),
# and where another program wants a core as well, threads that wait for each other make such a step 50 times slower.
THREADS_FROM = 200_000_000
# Below so many multiply-adds a step, converting to bf16 costs more than its matrix unit saves (same machine).
BF16_FROM = 500_000_000
# From so many tensors on, of so many numbers on average, an optimizer saves more by moving them as one than it costs
# to zero their gradients and add to them (same machine; on a GPU a fused optimizer takes them all at once anyway).
FLAT_FROM, FLAT_FROM_WITHOUT_FUSED, FLAT_NUMBERS = 50, 16, 4_000


@dataclass(frozen=True)
class Compute:
    """A resolved way to compute.

    autocast: the type of matrix work, or None for float32 throughout.
    deterministic: only algorithms that give the same bits each time, also on a GPU.
    """

    device: torch.device
    autocast: torch.dtype | None = None
    channels_last: bool = False
    threads: int = 1
    deterministic: bool = False

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Threads and determinism of this process as here, and as they were after the block; on a CPU
        `denormals_flushed` meanwhile."""
        threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
        on_cpu = self.device.type == "cpu"
        if on_cpu:
            torch.set_num_threads(self.threads)
        if self.deterministic:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            torch.use_deterministic_algorithms(True)
        try:
            with denormals_flushed() if on_cpu else nullcontext():
                yield
        finally:
            torch.set_num_threads(threads)
            if self.deterministic:  # the call imports torch's compiler, which takes seconds
                torch.use_deterministic_algorithms(strict)

    def exact(self) -> Compute:
        """The same in float32: what evaluations that people read are computed in."""
        return replace(self, autocast=None)

    def place(self, model: nn.Module) -> nn.Module:
        """The model on the device, in the layout."""
        if self.channels_last:
            return model.to(self.device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        return model.to(self.device)

    def lay_out(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Pictures in the layout of the model; everything else as it is."""
        if not self.channels_last:
            return inputs
        return tuple(
            each.contiguous(memory_format=torch.channels_last) if each.ndim == 4 else each for each in inputs
        )

    def precision(self) -> AbstractContextManager[object]:
        if self.autocast is None:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.autocast)


@contextmanager
def denormals_flushed() -> Iterator[None]:
    """Numbers too small for full precision (below 1e-38) count as zero in the block: gradients and states that fade
    through many steps come to that, and arithmetic with them is up to a hundred times slower.

    It holds in this thread and in those that torch starts within the block. Threads that torch has started before keep
    their way, so what trains enters it before the first tensor is computed.
    """
    before = flushes_denormals()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def flushes_denormals() -> bool:
    """Whether this thread takes numbers below the smallest normal one for zero."""
    return not bool(torch.full((1,), 1e-40).mul(2).any())


@dataclass(frozen=True)
class Workload:
    """What the choice depends on: multiply-adds of one example forward, examples a step, whether there are pictures,
    and how many trainable tensors of how many numbers in all."""

    multiply_adds: int
    batch_size: int
    pictures: bool
    tensors: int = 0
    numbers: int = 0

    @property
    def per_step(self) -> int:
        return self.multiply_adds * self.batch_size

    def gains_from_flat(self, fused: bool) -> bool:
        """Whether the trainable tensors are many and small enough for the optimizer to move them as one."""
        fewest = FLAT_FROM if fused else FLAT_FROM_WITHOUT_FUSED
        return self.tensors >= fewest and self.numbers <= FLAT_NUMBERS * self.tensors


def resolve_device(name: str) -> torch.device:
    """'auto' -> the GPU where there is one; RecipeError where the named device is not there."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise RecipeError(f"{name!r} is not a device", remedy="Known: cpu, cuda, cuda:1, mps.") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise RecipeError("this machine has no CUDA GPU that torch can use", where="train.device",
                          remedy="Use --device cpu, or install a CUDA build of torch.")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise RecipeError("this machine has no Metal GPU that torch can use", where="train.device",
                          remedy="Use --device cpu.")
    return device


def has_fast_bf16(device: torch.device) -> bool:
    """Whether bf16 matrix work is done by hardware, not emulated."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device)[0] >= 8
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return bool(capabilities.get("amx_bf16") or capabilities.get("amx") or capabilities.get("avx512_bf16"))
    return False


def threads_allowed() -> int:
    """Threads that this process may use: its share of the cores, and no more than torch was told.

    Torch is told by `OMP_NUM_THREADS` or `torch.set_num_threads`; untold, it takes every core.
    """
    share = cores() // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return max(1, min(share, torch.get_num_threads()))


def resolve(settings: TrainSettings, work: Workload) -> tuple[TrainSettings, list[str]]:
    """The settings with device, precision, layout, threads and fusion filled in, and the reasons in words.

    What the user set stays. Decided by facts about hardware and size alone: nothing is timed here.
    """
    device = resolve_device(settings.device)
    resolved: dict[str, object] = {"device": str(device)}
    reasons: list[str] = []
    if settings.precision == "auto":
        fast = has_fast_bf16(device)
        large = work.per_step >= BF16_FROM or device.type == "cuda"
        resolved["precision"] = "bf16" if fast and large else "fp32"
        if fast and not large:
            reasons.append("bf16 does not pay at this size")
        elif not fast:
            reasons.append("no bf16 in this hardware")
    if settings.channels_last is None:
        resolved["channels_last"] = work.pictures and device.type in ("cpu", "cuda")
    if settings.fused is None:
        resolved["fused"] = can_be_fused(settings.optimizer, device.type)
    if settings.flat is None:
        fused = bool(resolved.get("fused", settings.fused))
        known = device.type == "cpu" and is_elementwise(settings.optimizer) and settings.transfer != "gradual"
        resolved["flat"] = known and work.gains_from_flat(fused)
    if settings.threads is None:
        allowed = threads_allowed()
        resolved["threads"] = 1 if work.per_step < THREADS_FROM else allowed
        if resolved["threads"] == 1 and allowed > 1:
            reasons.append("steps this small gain little from more threads")
    return settings.model_copy(update=resolved), reasons


def prediction_compute(device: torch.device, precision: str, work: Workload) -> Compute:
    """For a network that is only to predict: layout and threads by hardware and size, as in training.

    precision: "fp32"; or "bf16", which rounds probabilities in the third digit and is several times faster where the
    hardware has it (RecipeError where it has not, since emulated it is slower).
    """
    if precision not in ("fp32", "bf16"):
        raise RecipeError(f"{precision!r} is no precision of prediction", remedy="Known: fp32, bf16.")
    if precision == "bf16" and not has_fast_bf16(device):
        raise RecipeError(f"no bf16 in the hardware of {device}", remedy="Leave --precision out.")
    settings, _ = resolve(TrainSettings(device=str(device), precision=precision), work)
    return compute_of(settings)


def compute_of(settings: TrainSettings) -> Compute:
    """The Compute that resolved settings describe."""
    autocast = torch.bfloat16 if settings.precision == "bf16" else None
    return Compute(
        resolve_device(settings.device), autocast, bool(settings.channels_last),
        settings.threads or torch.get_num_threads(), settings.deterministic,
    )


def sentence(settings: TrainSettings, reasons: list[str]) -> str:
    """One line for people: what was chosen and why."""
    parts = [str(settings.precision), settings.device if settings.device != "cpu" else
             f"{settings.threads} thread{'s' if settings.threads != 1 else ''}"]
    if settings.channels_last:
        parts.append("channels last")
    if settings.compile:
        parts.append("compiled")
    if settings.explicit:
        parts.append("explicit gradients")
    return ", ".join(parts) + (f" ({'; '.join(reasons)})" if reasons else "")
