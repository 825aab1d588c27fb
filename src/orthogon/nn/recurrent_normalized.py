"""The LSTM with normalized sums and memory, over whole sequences: see `recurrent_steps`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import chain

import torch
from torch import Tensor, nn

from orthogon.nn.recurrent_lstms import lstm_slopes
from orthogon.nn.recurrent_norms import StepBatchNorm
from orthogon.nn.recurrent_steps import (
    Kept,
    Products,
    ProductsBack,
    Steps,
    gates_of,
    steps_of,
    with_starts,
)


class NormOver(ABC):
    """A norm of S steps at once, S×N×K, the first of them step `first` of the sequence; and its way back."""

    saves: int

    @abstractmethod
    def forward(self, first: int, x: Tensor, scale: Tensor, shift: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        """The normalized x, and as many tensors as it saves."""

    @abstractmethod
    def backward(self, first: int, d: Tensor, saved: Sequence[Tensor], scale: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of x, scale and shift."""

    @abstractmethod
    def finish(self) -> None:
        """All steps have gone forward."""


class LayerNormOver(NormOver):
    """Of each row."""

    saves = 3

    def __init__(self, norm: nn.LayerNorm) -> None:
        self.eps = norm.eps

    def forward(self, first, x, scale, shift):
        out, mean, inverse = torch.native_layer_norm(x, list(scale.shape), scale, shift, self.eps)
        return out, [x, mean, inverse]

    def backward(self, first, d, saved, scale):
        shape, all_three = list(scale.shape), [True, True, True]
        return torch.ops.aten.native_layer_norm_backward(d, saved[0], shape, *saved[1:], scale, scale, all_three)

    def finish(self):
        """A row needs no other."""


class BatchNormOver(NormOver):
    """Of each column, at each step over the rows that are there; by stored statistics in evaluation, and where fewer
    than two rows are there, which can only be at the last steps."""

    saves = 2

    def __init__(self, norm: StepBatchNorm, x: Tensor, present: Tensor | None) -> None:
        """x: T×N×…, for its sizes alone; present: N×T."""
        there = norm.weight.new_ones(x.shape[:2]) if present is None else present.t().to(norm.weight.dtype)
        self.norm, self.counts = norm, there.sum(1)
        self.weights = (there / self.counts.clamp(min=1).unsqueeze(1)).unsqueeze(1)
        self.steps = 0
        self.seen: list[tuple[Tensor, Tensor]] = []
        if norm.training:
            norm.check_rows(x.shape[1])
            self.steps = int((self.counts > 1).sum())

    def forward(self, first, x, scale, shift):
        fresh = min(max(self.steps - first, 0), len(x))
        if 0 < fresh < len(x):
            parts = [self.forward(first, x[:fresh], scale, shift),
                     self.forward(first + fresh, x[fresh:], scale, shift)]
            return torch.cat([out for out, _ in parts]), [torch.cat(each) for each in zip(*(kept for _, kept in parts))]
        if fresh:
            weights = self.weights[first : first + fresh]
            mean = weights @ x
            normal = x - mean
            variance = weights @ normal.square()
            self.seen.append((mean, variance))
        else:
            self.finish()
            mean, variance = (each.to(x.dtype).unsqueeze(1) for each in self.norm.stored(first, len(x)))
            normal = x - mean
        inverse = (variance + self.norm.eps).rsqrt_()
        normal *= inverse
        out = normal * scale if shift is None else torch.addcmul(shift, normal, scale)
        return out, [normal, inverse]

    def finish(self):
        """The statistics of all steps so far go into the stored ones, at once."""
        if self.seen:
            mean, variance = (torch.cat(each).squeeze(1) for each in zip(*self.seen))
            self.norm.remember(0, mean, variance, self.counts[: len(mean)])
            self.seen = []

    def backward(self, first, d, saved, scale):
        normal, inverse = saved
        d_shift, d_scale = d.sum(1, keepdim=True), (d * normal).sum(1, keepdim=True)
        by_statistics = torch.addcmul(d_shift, normal, d_scale).mul_(self.weights[first : first + len(d)].mT)
        if first + len(d) > self.steps:
            by_statistics[max(self.steps - first, 0) :] = 0
        return (d - by_statistics).mul_(inverse * scale), d_scale.sum((0, 1)), d_shift.sum((0, 1))


class NormalizedLSTM(Steps):
    """z = N(W_x x; γ_x) + N(W_h h; γ_h) + b        c as in LSTM        h ← σ(o) ∗ tanh(N(c; γ_c, β_c))

    projected is W_x x alone; own: γ_x, b, γ_h, γ_c, β_c. The memory itself is left as it is. The norms are of one kind.
    """

    states = 2

    def __init__(self, of_inputs: NormOver, of_hidden: NormOver, of_memory: NormOver) -> None:
        self.of_inputs, self.of_hidden, self.of_memory = of_inputs, of_hidden, of_memory

    def forward(self, projected, weight, starts, own, noise):
        h, c = with_starts(len(projected), starts)
        scale_x, bias, scale_h, scale_c, shift_c = own
        given, saved_x = self.of_inputs.forward(0, projected.to(h.dtype), scale_x, bias)
        z, squashed = torch.empty_like(given), torch.empty_like(h[1:])
        (i, f, g, o), input_and_forget = gates_of(z, 4), z[..., : 2 * h.shape[2]].unbind(0)
        products, kept_h, kept_c = Products(weight, noise), Kept(noise, 0), Kept(noise, 1)
        hs, cs, zs, tanh_c, bases = steps_of(h, c, z, squashed, given)
        saved_h, saved_c = [], []
        for t in range(len(zs)):
            normal, saved = self.of_hidden.forward(t, products.alone(hs[t]).unsqueeze(0), scale_h, None)
            saved_h.append(saved)
            torch.add(bases[t], normal[0], out=zs[t])
            input_and_forget[t].sigmoid_()
            g[t].tanh_()
            o[t].sigmoid_()
            torch.mul(f[t], cs[t], out=cs[t + 1]).addcmul_(i[t], g[t])
            normal, saved = self.of_memory.forward(t, cs[t + 1].clone().unsqueeze(0), scale_c, shift_c)
            saved_c.append(saved)
            torch.tanh(normal[0], out=tanh_c[t])
            torch.mul(o[t], tanh_c[t], out=hs[t + 1])
            kept_c.keep(t, cs[t + 1], cs[t], out=cs[t + 1])
            kept_h.keep(t, hs[t + 1], hs[t], out=hs[t + 1])
        for norm in (self.of_inputs, self.of_hidden, self.of_memory):
            norm.finish()
        return [h, c], [h, c, z, squashed, *saved_x, *chain(*saved_h), *chain(*saved_c)]

    def backward(self, gradients, saved, weight, own, noise):
        h, c, z, squashed, *rest = saved
        scale_x, _, scale_h, scale_c, _ = own
        saves = self.of_inputs.saves
        saved = [rest[start : start + saves] for start in range(0, len(rest), saves)]
        saved_x, saved_h, saved_c = saved[0], saved[1 : 1 + len(z)], saved[1 + len(z) :]
        d_z, to_normal = lstm_slopes(z, c, squashed)
        d_sums, d_scale_h, d_scale_c, d_shift_c = torch.empty_like(z), *(torch.zeros_like(each) for each in own[2:])
        back, d_o, f = ProductsBack(weight, noise, d_sums), gates_of(d_z, 4)[3], gates_of(z, 4)[1]
        i_f_g = d_z[..., : 3 * h.shape[2]].unflatten(2, (3, -1)).unbind(0)
        to_normals, d_zs, d_raw, given, given_c = steps_of(to_normal, d_z, d_sums, *gradients)
        kept_h, kept_c = Kept(noise, 0), Kept(noise, 1)
        d_h, d_c = given[-1].clone(), given_c[-1].clone()
        for_each_gate = d_c.unsqueeze(1)
        for t in reversed(range(len(d_zs))):
            past_h, past_c = kept_h.split(t, d_h), kept_c.split(t, d_c)
            d_o[t].mul_(d_h)
            d_normal = (d_h * to_normals[t]).unsqueeze(0)
            d_new, d_scale, d_shift = self.of_memory.backward(t, d_normal, saved_c[t], scale_c)
            d_c += d_new[0]
            d_scale_c += d_scale
            d_shift_c += d_shift
            i_f_g[t].mul_(for_each_gate)
            torch.addcmul(given_c[t], d_c, f[t], out=d_c)
            if past_c is not None:
                d_c += past_c
            d_new, d_scale, _ = self.of_hidden.backward(t, d_zs[t].unsqueeze(0), saved_h[t], scale_h)
            d_scale_h += d_scale
            d_raw[t].copy_(d_new[0])
            back.step(t, given[t], out=d_h)
            if past_h is not None:
                d_h += past_h
        d_projected, d_scale_x, d_bias = self.of_inputs.backward(0, d_z, saved_x, scale_x)
        d_own = [d_scale_x, d_bias, d_scale_h, d_scale_c, d_shift_c]
        return d_projected, back.of_weight(h[:-1]), [d_h, d_c], d_own
