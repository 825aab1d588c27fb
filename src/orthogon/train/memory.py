"""When memory runs out: which batch would have fitted."""

from __future__ import annotations

import torch
from torch import Tensor

from orthogon.errors import RunError
from orthogon.train.randomness import Draw, PreservedRandomness
from orthogon.train.sampler import Sampler
from orthogon.train.settings import TrainSettings
from orthogon.train.step import GradientStep


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch failed for want of memory; on the CPU it says so in a plain RuntimeError."""
    return isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator: can't allocate memory" in str(error)


def out_of_memory(step: GradientStep, sampler: Sampler, settings: TrainSettings) -> RunError:
    """The error that names the largest batch, of the halves of the one asked for, whose gradient fits."""
    largest = sampler.batch(len(sampler.lengths(settings.steps or 1)) - 1, 0)  # batches may grow, never shrink
    tried = len(largest) if settings.micro_batch_size is None else settings.micro_batch_size
    size = tried // 2
    while size and not _fits(step, largest[:size]):
        size //= 2
    if not size:
        return RunError(f"out of memory on {settings.device}, even for a batch of one", where="train.batch_size",
                        remedy="Take a smaller model or smaller pictures (data.image_size).")
    return RunError(
        f"out of memory on {settings.device} with {tried} examples at once; {size} would fit", where="train.batch_size",
        remedy=f"Keep the batch and cut it: --set train.micro_batch_size={size}. Or take a smaller one: "
        f"--batch-size {size}.",
    )


def _fits(step: GradientStep, rows: Tensor) -> bool:
    step.clear_gradient()
    if step.compute.device.type == "cuda":
        torch.cuda.empty_cache()
    try:
        with PreservedRandomness(step.compute.device):
            step.gradient(rows, Draw(0, 0, 0, step.compute.device))
    except RuntimeError as error:
        if is_out_of_memory(error):
            return False
        raise
    return True
