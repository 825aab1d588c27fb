"""One process or several: the same loop for both, on torch's own distributed engine."""

from __future__ import annotations

import os
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


class Ranks:
    """This process among its fellows.

    rank:  0 … world − 1; the first one writes files and talks.
    world: how many processes train together; 1 without torchrun.
    """

    def __init__(self, rank: int = 0, world: int = 1) -> None:
        self.rank, self.world = rank, world

    @classmethod
    def join(cls) -> Ranks:
        """The group that torchrun started, or this process alone."""
        world = int(os.environ.get("WORLD_SIZE", "1"))
        if world == 1:
            return cls()
        if not dist.is_initialized():
            if torch.cuda.is_available():
                torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
            dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        return cls(dist.get_rank(), dist.get_world_size())

    @property
    def first(self) -> bool:
        return self.rank == 0

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model such that gradients are averaged over the ranks during the backward pass."""
        if self.world == 1:
            return model
        return nn.parallel.DistributedDataParallel(model)

    def sum(self, values: Tensor) -> Tensor:
        """The sum over all ranks; in place."""
        if self.world > 1:
            dist.all_reduce(values)
        return values

    def share(self, value: Any) -> Any:
        """The first rank's value, on every rank; a plain value."""
        if self.world == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def leave(self) -> None:
        """End together.

        The last thing that gloo's threads did must hold no tensor of Python: a thread that still lets one go while the
        interpreter ends aborts the process, although its work is done. So the last thing is a barrier.
        """
        if self.world > 1 and dist.is_initialized():
            dist.barrier()
            dist.destroy_process_group()
