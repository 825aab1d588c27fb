"""Batch normalization in recurrent networks: with statistics per time step, and of the inputs alone.

Sequences are N×T×D, batch first; `lengths` (N,) are theirs without padding: what lies behind enters no statistics,
leaves the state as it was, and gives zeros.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.nn.padding import without_padding, zero_padding


class StepBatchNorm(nn.Module):
    """Batch normalization of N×C with statistics of its own for each time step; scale and shift serve all steps.

    Cooijmans et al. 2016, arXiv:1603.09025 (row 9.08). steps: for how many steps statistics are stored; training may
    go on beyond them (by the batch's statistics), evaluation then takes those of the last step that was stored.
    scale: the initial γ, 0.1 so that tanh and σ are not driven into saturation. shift: whether there is a β.
    momentum: running ← (1 − momentum) running + momentum batch, with the unbiased variance, as in torch.

    In training there must be two rows or more (ValueError): one has no variance. `present` (N,) tells which rows count;
    where fewer than two do, the stored statistics are used and stay as they are.
    """

    running_mean: Tensor
    running_var: Tensor
    steps_seen: Tensor

    def __init__(self, features: int, steps: int, scale: float = 0.1, shift: bool = False, momentum: float = 0.1,
                 eps: float = 1e-5) -> None:
        super().__init__()
        if steps < 1:
            raise ValueError(f"statistics are stored for at least 1 step; got {steps}")
        self.features, self.steps, self.momentum, self.eps = features, steps, momentum, eps
        self.weight = nn.Parameter(torch.full((features,), scale))
        self.bias = nn.Parameter(torch.zeros(features)) if shift else None
        self.register_buffer("running_mean", torch.zeros(steps, features))
        self.register_buffer("running_var", torch.ones(steps, features))
        self.register_buffer("steps_seen", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor, step: int, present: Tensor | None = None) -> Tensor:
        if not self.training:
            mean, variance = self.stored(step, 1)
            return F.batch_norm(x, mean[0], variance[0], self.weight, self.bias, eps=self.eps)
        self.check_rows(len(x))
        if present is not None:
            return self._normalize_present(x, step, present)
        running = (self.running_mean[step], self.running_var[step]) if step < self.steps else (None, None)
        self.steps_seen.clamp_(min=min(step + 1, self.steps))
        return F.batch_norm(x, *running, self.weight, self.bias, True, self.momentum, self.eps)

    def check_rows(self, rows: int) -> None:
        """ValueError where training would have nothing to take a variance of."""
        if rows < 2:
            raise ValueError("batch normalization needs at least 2 rows in training, since one has no variance; got "
                             f"{rows}. Use larger batches, or StreamingNorm, which learns from single examples")

    def stored(self, first: int, length: int) -> tuple[Tensor, Tensor]:
        """Mean and variance, length×C each, for the steps from `first` on; of the last step seen for all later ones."""
        steps = torch.arange(first, first + length, device=self.steps_seen.device)
        slots = torch.minimum(steps, (self.steps_seen - 1).clamp(min=0))
        return self.running_mean[slots], self.running_var[slots]

    def remember(self, first: int, mean: Tensor, variance: Tensor, counts: Tensor) -> None:
        """Take in what batches had at the steps from `first` on, S×C each, over counts (S,) rows, where two or more."""
        kept = slice(first, min(first + len(mean), self.steps))
        counts = counts[: max(kept.stop - first, 0), None]
        enough = counts > 1
        unbiased = variance[: len(counts)] * counts / (counts - 1).clamp(min=1)
        rate = (self.momentum * enough).to(self.running_mean.dtype)
        self.running_mean[kept].lerp_(mean[: len(counts)].to(rate.dtype), rate)
        self.running_var[kept].lerp_(unbiased.to(rate.dtype), rate)
        steps = torch.arange(kept.start + 1, kept.start + 1 + len(counts), device=enough.device)
        if len(steps):
            self.steps_seen.copy_(torch.maximum(self.steps_seen, (steps * enough.squeeze(1)).max()))

    def _normalize_present(self, x: Tensor, step: int, present: Tensor) -> Tensor:
        values = x if x.dtype == torch.float64 else x.float()
        rows = present.to(values.dtype).unsqueeze(1)
        count = rows.sum()
        mean = (values * rows).sum(0) / count.clamp(min=1)
        variance = ((values - mean) ** 2 * rows).sum(0) / count.clamp(min=1)
        (stored_mean,), (stored_variance,) = self.stored(step, 1)
        self.remember(step, mean.detach().unsqueeze(0), variance.detach().unsqueeze(0), count.unsqueeze(0))
        mean = torch.where(count > 1, mean, stored_mean)
        variance = torch.where(count > 1, variance, stored_variance)
        out = (values - mean) * torch.rsqrt(variance + self.eps) * self.weight
        return (out if self.bias is None else out + self.bias).to(x.dtype)

    def extra_repr(self) -> str:
        return f"{self.features}, steps={self.steps}, momentum={self.momentum}"


class InputBatchNormRNN(nn.Module):
    """A recurrent network with batch normalization on its inputs alone: h ← tanh(BN(W_x x) + W_h h).

    Laurent et al. 2015, arXiv:1510.01378 (row 9.09); β stands for the bias. Statistics are the paper's sequence-wise
    ones, one mean and variance per feature over the batch and all its time steps, so that the norm of a whole sequence
    is taken at once and lengths may differ freely. (Its frame-wise ones, per time step, are those of StepBatchNorm.)
    N×T×D, from h, by default zeros, to the outputs N×T×H and the last h.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.weight_ih = nn.Parameter(nn.init.xavier_uniform_(torch.empty(hidden_size, input_size)))
        self.weight_hh = nn.Parameter(nn.init.orthogonal_(torch.empty(hidden_size, hidden_size)))
        self.norm = StepBatchNorm(hidden_size, steps=1, scale=1.0, shift=True)

    def forward(self, x: Tensor, lengths: Tensor | None = None, h: Tensor | None = None) -> tuple[Tensor, Tensor]:
        x, present = without_padding(x, lengths)
        from_input = F.linear(x.flatten(0, 1), self.weight_ih)
        from_input = self.norm(from_input, 0, None if present is None else present.flatten())
        from_input = from_input.unflatten(0, x.shape[:2])
        h = x.new_zeros(x.shape[0], self.weight_hh.shape[0]) if h is None else h
        outputs = []
        for step in range(x.shape[1]):
            after = torch.tanh(from_input[:, step] + F.linear(h, self.weight_hh))
            h = after if present is None else torch.where(present[:, step, None], after, h)
            outputs.append(h)
        return zero_padding(torch.stack(outputs, dim=1), present), h
