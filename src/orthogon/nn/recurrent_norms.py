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
            return F.batch_norm(x, *self._stored(step), self.weight, self.bias, eps=self.eps)
        if len(x) < 2:
            raise ValueError("batch normalization needs at least 2 rows in training, since one has no variance; got "
                             f"{len(x)}. Use larger batches, or StreamingNorm, which learns from single examples")
        if present is not None:
            return self._normalize_present(x, step, present)
        running = (self.running_mean[step], self.running_var[step]) if step < self.steps else (None, None)
        self.steps_seen.clamp_(min=min(step + 1, self.steps))
        return F.batch_norm(x, *running, self.weight, self.bias, True, self.momentum, self.eps)

    def _stored(self, step: int) -> tuple[Tensor, Tensor]:
        slot = (self.steps_seen - 1).clamp(0, step).view(1)
        return self.running_mean.index_select(0, slot)[0], self.running_var.index_select(0, slot)[0]

    def _normalize_present(self, x: Tensor, step: int, present: Tensor) -> Tensor:
        values = x if x.dtype == torch.float64 else x.float()
        rows = present.to(values.dtype).unsqueeze(1)
        count = rows.sum()
        mean = (values * rows).sum(0) / count.clamp(min=1)
        variance = ((values - mean) ** 2 * rows).sum(0) / count.clamp(min=1)
        stored_mean, stored_variance = self._stored(step)
        if step < self.steps:
            self._remember(step, mean.detach(), variance.detach(), count)
        mean = torch.where(count > 1, mean, stored_mean)
        variance = torch.where(count > 1, variance, stored_variance)
        out = (values - mean) * torch.rsqrt(variance + self.eps) * self.weight
        return (out if self.bias is None else out + self.bias).to(x.dtype)

    def _remember(self, step: int, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        enough = count > 1
        unbiased = variance * count / (count - 1).clamp(min=1)
        rate = (self.momentum * enough).to(self.running_mean.dtype)
        self.running_mean[step].lerp_(mean.to(rate.dtype), rate)
        self.running_var[step].lerp_(unbiased.to(rate.dtype), rate)
        self.steps_seen.copy_(torch.maximum(self.steps_seen, (step + 1) * enough))

    def extra_repr(self) -> str:
        return f"{self.features}, steps={self.steps}, momentum={self.momentum}"


class BatchNormLSTMCell(nn.Module):
    """One step of an LSTM whose three sums are batch-normalized, each with statistics per time step (row 9.08).

        [i, f, g, o] = BN(W_x x; γ_x) + BN(W_h h; γ_h) + b
        c ← σ(f) ∗ c + σ(i) ∗ tanh(g)        h ← σ(o) ∗ tanh(BN(c; γ_c, β_c))

    Cooijmans et al. 2016, arXiv:1603.09025; the memory c itself is left alone. Rows of W and b in torch's order. All γ
    start at 0.1; W_h orthogonal per gate, W_x by Glorot, b at 0. x: N×D; state: (h, c), N×H each; step: from 0.
    """

    def __init__(self, input_size: int, hidden_size: int, steps: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.weight_ih = nn.Parameter(nn.init.xavier_uniform_(torch.empty(4 * hidden_size, input_size)))
        gates = [nn.init.orthogonal_(torch.empty(hidden_size, hidden_size)) for _ in range(4)]
        self.weight_hh = nn.Parameter(torch.cat(gates))
        self.bias = nn.Parameter(torch.zeros(4 * hidden_size))
        self.norm_input = StepBatchNorm(4 * hidden_size, steps)
        self.norm_hidden = StepBatchNorm(4 * hidden_size, steps)
        self.norm_cell = StepBatchNorm(hidden_size, steps, shift=True)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor], step: int,
                present: Tensor | None = None) -> tuple[Tensor, Tensor]:
        h, c = state
        gates = self.norm_input(F.linear(x, self.weight_ih), step, present) + self.bias
        gates = gates + self.norm_hidden(F.linear(h, self.weight_hh), step, present)
        i, f, g, o = gates.chunk(4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(self.norm_cell(c, step, present))
        if present is None:
            return h, c
        return torch.where(present.unsqueeze(1), h, state[0]), torch.where(present.unsqueeze(1), c, state[1])


class BatchNormLSTM(nn.Module):
    """A BatchNormLSTMCell over N×T×D, from (h, c), by default zeros, to the outputs N×T×H and the last (h, c).

    steps: the longest sequence for whose every step statistics are stored; see StepBatchNorm for longer ones.
    """

    def __init__(self, input_size: int, hidden_size: int, steps: int) -> None:
        super().__init__()
        self.cell = BatchNormLSTMCell(input_size, hidden_size, steps)

    def forward(self, x: Tensor, lengths: Tensor | None = None, state: tuple[Tensor, Tensor] | None = None,
                ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        x, present = without_padding(x, lengths)
        zeros = x.new_zeros(x.shape[0], self.cell.hidden_size)
        h, c = (zeros, zeros) if state is None else state
        outputs = []
        for step in range(x.shape[1]):
            h, c = self.cell(x[:, step], (h, c), step, None if present is None else present[:, step])
            outputs.append(h)
        return zero_padding(torch.stack(outputs, dim=1), present), (h, c)


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
