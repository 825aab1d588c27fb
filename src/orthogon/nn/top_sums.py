"""The best continuations of several beginnings, among all of their tokens."""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 64


def top_sums(totals: Tensor, values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` largest of totals⟨n, w⟩ + values⟨n·W + w, v⟩ for each n, the largest first: N×count, and their places
    w·V + v. Of fewer than `count` all.

    totals: N×W. values: N·W×V. The sum is never made for all V: on the CPU the largest are among the blocks with the
    largest maxima. Which of several equal sums is given first is not said, as with topk.
    """
    (rows, parts), columns = totals.shape, values.shape[1]
    count, blocks = min(count, parts * columns), columns // BLOCK
    if values.device.type != "cpu" or parts * blocks < 4 * count:
        found, column = values.topk(min(count, columns))
        sums, at = (totals.view(-1, 1) + found).view(rows, -1).topk(count)
        return sums, at // found.shape[1] * columns + column.view(rows, -1).gather(1, at)
    maxima = values[:, : blocks * BLOCK].unflatten(1, (blocks, BLOCK)).amax(2).view(rows, parts, blocks)
    best = (maxima + totals.unsqueeze(2)).flatten(1).topk(count).indices
    first = best // blocks * columns + best % blocks * BLOCK
    inside = (first.unsqueeze(2) + torch.arange(BLOCK)).flatten(1)
    behind = torch.arange(parts).unsqueeze(1) * columns + torch.arange(blocks * BLOCK, columns)
    places = torch.cat([inside, behind.flatten().expand(rows, -1)], 1)
    sums, at = (values.reshape(rows, -1).gather(1, places) + totals.gather(1, places // columns)).topk(count)
    return sums, places.gather(1, at)
