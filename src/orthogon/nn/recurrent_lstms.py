"""Cells with a memory, over whole sequences: see `recurrent_steps`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from orthogon.nn.recurrent_steps import (
    Kept,
    Products,
    ProductsBack,
    Steps,
    gates_of,
    sigmoid_slope,
    steps_of,
    tanh_slope,
    with_starts,
)


class LSTM(Steps):
    """[i, f, o] = σ(z)    g = tanh(z_g)    c ← f ∗ c + i ∗ g    h ← o ∗ tanh(c), rows i, f, g, o (row 24.19)

    own: () or peephole weights P, 3×H for i, f, o, by which their z grow, P ∗ c⟨t−1⟩ (row 24.20).
    """

    states = 2

    def forward(self, projected, weight, starts, own, noise):
        h, c = with_starts(len(projected), starts)
        z, squashed = torch.empty_like(projected, dtype=h.dtype), torch.empty_like(h[1:])
        (i, f, g, o), input_and_forget = gates_of(z, 4), z[..., : 2 * h.shape[2]].unbind(0)
        products, (hs, cs, zs, tanh_c) = Products(weight, noise, projected), steps_of(h, c, z, squashed)
        kept_h, kept_c, peephole = Kept(noise, 0), Kept(noise, 1), _for_all_gates(own)
        for t in range(len(zs)):
            products.step(t, hs[t], out=zs[t])
            if peephole is not None:
                zs[t].unflatten(1, (4, -1)).addcmul_(peephole, cs[t].unsqueeze(1))
            input_and_forget[t].sigmoid_()
            g[t].tanh_()
            o[t].sigmoid_()
            torch.mul(f[t], cs[t], out=cs[t + 1]).addcmul_(i[t], g[t])
            torch.tanh(cs[t + 1], out=tanh_c[t])
            torch.mul(o[t], tanh_c[t], out=hs[t + 1])
            kept_c.keep(t, cs[t + 1], cs[t], out=cs[t + 1])
            kept_h.keep(t, hs[t + 1], hs[t], out=hs[t + 1])
        return [h, c], [h, c, z, squashed]

    def backward(self, gradients, saved, weight, own, noise):
        h, c, z, squashed = saved
        d_z, to_c = lstm_slopes(z, c, squashed)
        back, d_o, f = ProductsBack(weight, noise, d_z), gates_of(d_z, 4)[3], gates_of(z, 4)[1]
        i_f_g = d_z[..., : 3 * h.shape[2]].unflatten(2, (3, -1)).unbind(0)
        to_cs, d_zs, given, given_c = steps_of(to_c, d_z, *gradients)
        kept_h, kept_c, peephole = Kept(noise, 0), Kept(noise, 1), _for_all_gates(own)
        d_h, d_c = given[-1].clone(), given_c[-1].clone()
        for_each_gate = d_c.unsqueeze(1)
        for t in reversed(range(len(d_zs))):
            past_h, past_c = kept_h.split(t, d_h), kept_c.split(t, d_c)
            d_o[t].mul_(d_h)
            d_c.addcmul_(d_h, to_cs[t])
            i_f_g[t].mul_(for_each_gate)
            torch.addcmul(given_c[t], d_c, f[t], out=d_c)
            if peephole is not None:
                d_c += (d_zs[t].unflatten(1, (4, -1)) * peephole).sum(1)
            if past_c is not None:
                d_c += past_c
            back.step(t, given[t], out=d_h)
            if past_h is not None:
                d_h += past_h
        i, f, _, o = d_z.chunk(4, dim=2)
        d_own = [torch.stack([(gate * c[:-1]).sum((0, 1)) for gate in (i, f, o)])] if own else []
        return back.lowered, back.of_weight(h[:-1]), [d_h, d_c], d_own


def lstm_slopes(z: Tensor, c: Tensor, squashed: Tensor) -> tuple[Tensor, Tensor]:
    """For all steps: ∂h by the sum of o, ∂c by those of i, f and g, each where its gate stands; and ∂h by c."""
    slopes, to_c = torch.empty_like(z), torch.empty_like(squashed)
    (i, f, g, o), (of_i, of_f, of_g, of_o) = z.chunk(4, dim=2), slopes.chunk(4, dim=2)
    sigmoid_slope(g, i, out=of_i)
    sigmoid_slope(c[:-1], f, out=of_f)
    tanh_slope(i, g, out=of_g)
    sigmoid_slope(squashed, o, out=of_o)
    tanh_slope(o, squashed, out=to_c)
    return slopes, to_c


def _for_all_gates(own: Sequence[Tensor]) -> Tensor | None:
    """P with a row of zeros for g, which sees no memory."""
    return torch.cat([own[0][:2], torch.zeros_like(own[0][:1]), own[0][2:]]) if own else None
