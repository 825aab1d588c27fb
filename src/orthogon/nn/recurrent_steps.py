"""Recurrent cells over whole sequences, with back-propagation through time written out.

A step of time is a handful of small operations, and a graph of them costs more than their arithmetic. Here a whole
sequence is one node of the graph: what its backward pass needs stands in one buffer per kind for all T steps, so that
the gradient of a weight is one matrix product over all of them. `equations.recurrent` derives the formulas.

All is T×N×…, time first. `projected` is W_x x + b for all steps, G·H wide for G gates, which the caller computes;
`weight` is W_h, G·H×H, perhaps in a smaller type than the states (bf16), which then is that of its products. A cell
keeps S states, each given at the start as N×H and returned as (T+1)×N×H, with the start at 0.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_aten = torch.ops.aten
_through_sigmoid = _aten.sigmoid_backward.grad_input
_through_tanh = _aten.tanh_backward.grad_input


@dataclass(frozen=True)
class Noise:
    """What regularizes from step to step.

    seen: N×H, what h of the last step is multiplied by before the gates see it (recurrent dropout), or None.
    kept: one T×N×H for each state, the share of the last step's value that stays in place of the new one (zoneout);
    () where nothing stays. In training shares are 0 or 1, in evaluation their expectation.
    """

    seen: Tensor | None = None
    kept: tuple[Tensor, ...] = ()


class Steps(ABC):
    """A cell over T steps: `forward` gives the states and what `backward` is to have, tensors or None.

    `own` are the cell's parameters beside W_x, W_h and their bias. `backward` gives gradients of projected, weight,
    the starts and own, from those of the states, each (T+1)×N×H.
    """

    gates: int
    states: int

    @abstractmethod
    def forward(self, projected: Tensor, weight: Tensor, starts: Sequence[Tensor], own: Sequence[Tensor],
                noise: Noise) -> tuple[list[Tensor], list[Tensor | None]]: ...

    @abstractmethod
    def backward(self, gradients: list[Tensor], saved: Sequence[Tensor], weight: Tensor, own: Sequence[Tensor],
                 noise: Noise) -> tuple[Tensor, Tensor, list[Tensor], list[Tensor]]: ...


def unroll(steps: Steps, projected: Tensor, weight: Tensor, starts: Sequence[Tensor], own: Sequence[Tensor] = (),
           noise: Noise = Noise()) -> tuple[Tensor, ...]:
    """The states of the cell, (T+1)×N×H each, differentiable once."""
    return _Unrolled.apply(steps, noise, projected, weight, *starts, *own)  # pyright: ignore[reportReturnType]


class _Unrolled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, steps: Steps, noise: Noise, projected: Tensor, weight: Tensor, *rest: Tensor,
                ) -> tuple[Tensor, ...]:
        starts, own = rest[: steps.states], rest[steps.states :]
        states, saved = steps.forward(projected, weight, starts, own, noise)
        ctx.steps, ctx.kept, ctx.owned = steps, len(noise.kept), len(own)
        ctx.save_for_backward(weight, noise.seen, *noise.kept, *own, *saved)
        ctx.set_materialize_grads(False)
        return tuple(states)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
        weight, seen, *rest = ctx.saved_tensors
        kept, own, saved = rest[: ctx.kept], rest[ctx.kept : ctx.kept + ctx.owned], rest[ctx.kept + ctx.owned :]
        given = next((each for each in gradients if each is not None), None)
        if given is None:
            return (None,) * len(ctx.needs_input_grad)
        filled = [torch.zeros_like(given) if each is None else each for each in gradients]
        noise = Noise(seen, tuple(kept))
        d_projected, d_weight, d_starts, d_own = ctx.steps.backward(filled, saved, weight, own, noise)
        return None, None, d_projected, d_weight, *d_starts, *d_own


def _buffers(count: int, like: Tensor, starts: Sequence[Tensor]) -> list[Tensor]:
    """States (T+1)×N×H, with the starts in place."""
    shape = (len(like) + 1, *starts[0].shape)
    buffers = [like.new_empty(shape) for _ in range(count)]
    for buffer, start in zip(buffers, starts):
        buffer[0] = start
    return buffers


def _seen(h: Tensor, noise: Noise) -> Tensor:
    return h if noise.seen is None else h * noise.seen


def _product(base: Tensor, h: Tensor, weight: Tensor, out: Tensor) -> None:
    """out ← base + h Wᵀ."""
    if weight.dtype == h.dtype:
        torch.addmm(base, h, weight.t(), out=out)
    else:
        torch.add(base, h.to(weight.dtype) @ weight.t(), out=out)


def _product_backward(base: Tensor, d_z: Tensor, weight: Tensor, noise: Noise, out: Tensor) -> None:
    """out ← base + dz W, the gradient of h where the gates see it."""
    if weight.dtype == d_z.dtype and noise.seen is None:
        torch.addmm(base, d_z, weight, out=out)
    else:
        product = (d_z.to(weight.dtype) @ weight).to(d_z.dtype)
        torch.add(base, _seen(product, noise), out=out)


def _weight_gradient(d_z: Tensor, h: Tensor, weight: Tensor, noise: Noise) -> Tensor:
    """Σ_t dz⟨t⟩ᵀ h⟨t−1⟩ as one product; h is (T+1)×N×H."""
    before = _seen(h[:-1], noise).flatten(0, 1).to(weight.dtype)
    return d_z.flatten(0, 1).to(weight.dtype).t() @ before


def _gates(buffer: Tensor, count: int) -> list[tuple[Tensor, ...]]:
    """For each gate its views N×H, one for each step."""
    return [gate.unbind(0) for gate in buffer.chunk(count, dim=2)]


class _Kept:
    """Zoneout of one state: s ← k ∗ s⟨t−1⟩ + (1 − k) ∗ s, and back."""

    def __init__(self, noise: Noise, state: int) -> None:
        self.shares = noise.kept[state].unbind(0) if noise.kept else None

    def keep(self, step: int, new: Tensor, before: Tensor) -> None:
        if self.shares is not None:
            torch.lerp(new, before, self.shares[step], out=new)

    def split(self, step: int, d_state: Tensor) -> Tensor | None:
        """Leaves in d_state what goes to the new value; gives what goes to the one before."""
        if self.shares is None:
            return None
        past = d_state * self.shares[step]
        d_state.sub_(past)
        return past


class RNN(Steps):
    """h ← g(z), g tanh or ReLU."""

    gates = states = 1

    def __init__(self, relu: bool = False) -> None:
        self.relu = relu

    def forward(self, projected, weight, starts, own, noise):
        (h,) = _buffers(1, projected, starts)
        values = torch.empty_like(projected) if noise.kept else h[1:]
        hs, new, given = h.unbind(0), values.unbind(0), projected.unbind(0)
        for t in range(len(given)):
            _product(given[t], _seen(hs[t], noise), weight, out=new[t])
            new[t].relu_() if self.relu else new[t].tanh_()
            if noise.kept:
                torch.lerp(new[t], hs[t], noise.kept[0][t], out=hs[t + 1])
        return [h], [h, values if noise.kept else None]

    def backward(self, gradients, saved, weight, own, noise):
        h, values = saved
        values = h[1:] if values is None else values
        d_z, kept = torch.empty_like(values), _Kept(noise, 0)
        given, d_zs, new = gradients[0].unbind(0), d_z.unbind(0), values.unbind(0)
        d_h = given[-1].clone()
        for t in reversed(range(len(d_zs))):
            past = kept.split(t, d_h)
            if self.relu:
                torch.mul(d_h, new[t] > 0, out=d_zs[t])
            else:
                _through_tanh(d_h, new[t], grad_input=d_zs[t])
            _product_backward(given[t], d_zs[t], weight, noise, out=d_h)
            if past is not None:
                d_h.add_(past)
        return d_z, _weight_gradient(d_z, h, weight, noise), [d_h], []


class LSTM(Steps):
    """[i, f, g, o] = z        c ← σ(f) ∗ c + σ(i) ∗ tanh(g)        h ← σ(o) ∗ tanh(c)

    With peephole weights P, 3×H for i, f, o, their z grow by P ∗ c⟨t−1⟩.
    """

    gates, states = 4, 2

    def forward(self, projected, weight, starts, own, noise):
        h, c = _buffers(2, projected, starts)
        z, squashed = torch.empty_like(projected), torch.empty_like(h[1:])
        (i, f, g, o), input_and_forget = _gates(z, 4), z[..., : 2 * h.shape[2]].unbind(0)
        hs, cs, zs, tanh_c, given = (each.unbind(0) for each in (h, c, z, squashed, projected))
        looks = _looks(own)
        kept_h, kept_c = _Kept(noise, 0), _Kept(noise, 1)
        for t in range(len(given)):
            _product(given[t], _seen(hs[t], noise), weight, out=zs[t])
            if looks is not None:
                by_gate = zs[t].unflatten(1, (4, -1))
                by_gate.addcmul_(looks, cs[t].unsqueeze(1))
            input_and_forget[t].sigmoid_()
            g[t].tanh_()
            o[t].sigmoid_()
            torch.mul(f[t], cs[t], out=cs[t + 1]).addcmul_(i[t], g[t])
            torch.tanh(cs[t + 1], out=tanh_c[t])
            torch.mul(o[t], tanh_c[t], out=hs[t + 1])
            kept_c.keep(t, cs[t + 1], cs[t])
            kept_h.keep(t, hs[t + 1], hs[t])
        return [h, c], [h, c, z, squashed]

    def backward(self, gradients, saved, weight, own, noise):
        h, c, z, squashed = saved
        d_z = torch.empty_like(z)
        (i, f, g, o), (d_i, d_f, d_g, d_o) = _gates(z, 4), _gates(d_z, 4)
        cs, d_zs, tanh_c, given, given_c = (each.unbind(0) for each in (c, d_z, squashed, *gradients))
        looks = _looks(own)
        kept_h, kept_c = _Kept(noise, 0), _Kept(noise, 1)
        d_h, d_c = given[-1].clone(), given_c[-1].clone()
        part = torch.empty_like(d_h)
        for t in reversed(range(len(d_zs))):
            past_h, past_c = kept_h.split(t, d_h), kept_c.split(t, d_c)
            _through_sigmoid(torch.mul(d_h, tanh_c[t], out=part), o[t], grad_input=d_o[t])
            d_c += _through_tanh(torch.mul(d_h, o[t], out=part), tanh_c[t], grad_input=part)
            _through_sigmoid(torch.mul(d_c, g[t], out=part), i[t], grad_input=d_i[t])
            _through_sigmoid(torch.mul(d_c, cs[t], out=part), f[t], grad_input=d_f[t])
            _through_tanh(torch.mul(d_c, i[t], out=part), g[t], grad_input=d_g[t])
            torch.addcmul(given_c[t], d_c, f[t], out=d_c)
            if looks is not None:
                d_c += (d_zs[t].unflatten(1, (4, -1)) * looks).sum(1)
            if past_c is not None:
                d_c += past_c
            _product_backward(given[t], d_zs[t], weight, noise, out=d_h)
            if past_h is not None:
                d_h += past_h
        d_own = [] if looks is None else [torch.stack([(gate * c[:-1]).sum((0, 1)) for gate in _seeing(d_z)])]
        return d_z, _weight_gradient(d_z, h, weight, noise), [d_h, d_c], d_own


def _looks(own: Sequence[Tensor]) -> Tensor | None:
    """P with a row of zeros for g, which sees no memory."""
    return torch.cat([own[0][:2], torch.zeros_like(own[0][:1]), own[0][2:]]) if own else None


def _seeing(d_z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    i, f, _, o = d_z.chunk(4, dim=2)
    return i, f, o


class GRU(Steps):
    """[r, u] = z_r, z_u        n = tanh(projected_n + σ(r) ∗ (W_n h + b_n))        h ← n + σ(u) ∗ (h − n)

    torch's form: own is b_n, added before the reset. Rows r, u, n; u = 1 − Γ_u.
    """

    gates, states = 3, 1

    def forward(self, projected, weight, starts, own, noise):
        (h,) = _buffers(1, projected, starts)
        units = h.shape[2]
        z, n, inner = torch.empty_like(projected[..., : 2 * units]), torch.empty_like(h[1:]), torch.empty_like(h[1:])
        (r, u), gate_inputs, n_inputs = _gates(z, 2), projected[..., : 2 * units], projected[..., 2 * units :]
        hs, zs, ns, inners, given, given_n = (
            each.unbind(0) for each in (h, z, n, inner, gate_inputs, n_inputs))
        kept = _Kept(noise, 0)
        bias = own[0].expand_as(hs[0])
        for t in range(len(given)):
            seen = _seen(hs[t], noise)
            _product(given[t], seen, weight[: 2 * units], out=zs[t])
            _product(bias, seen, weight[2 * units :], out=inners[t])
            zs[t].sigmoid_()
            torch.addcmul(given_n[t], r[t], inners[t], out=ns[t]).tanh_()
            torch.lerp(ns[t], hs[t], u[t], out=hs[t + 1])
            kept.keep(t, hs[t + 1], hs[t])
        return [h], [h, z, n, inner]

    def backward(self, gradients, saved, weight, own, noise):
        h, z, n, inner = saved
        units = h.shape[2]
        d_projected, d_z = (h.new_empty(*n.shape[:2], 3 * units) for _ in range(2))
        (r, u), (d_r, d_u, d_inner) = _gates(z, 2), _gates(d_z, 3)
        hs, ns, inners, given, d_zs = (each.unbind(0) for each in (h, n, inner, gradients[0], d_z))
        d_n, kept = d_projected[..., 2 * units :].unbind(0), _Kept(noise, 0)
        d_h = given[-1].clone()
        for t in reversed(range(len(d_zs))):
            past = kept.split(t, d_h)
            through = d_h * u[t]
            _through_sigmoid((hs[t] - ns[t]).mul_(d_h), u[t], grad_input=d_u[t])
            _through_tanh(d_h.sub_(through), ns[t], grad_input=d_n[t])
            _through_sigmoid(d_n[t] * inners[t], r[t], grad_input=d_r[t])
            torch.mul(d_n[t], r[t], out=d_inner[t])
            through += given[t]
            _product_backward(through, d_zs[t], weight, noise, out=d_h)
            if past is not None:
                d_h += past
        d_projected[..., : 2 * units] = d_z[..., : 2 * units]
        return d_projected, _weight_gradient(d_z, h, weight, noise), [d_h], [d_z[..., 2 * units :].sum((0, 1))]


class RelevanceGRU(Steps):
    """n = tanh(projected_n + W_n (σ(r) ∗ h)), else as in GRU: the gate acts on h before the matrix product."""

    gates, states = 3, 1

    def forward(self, projected, weight, starts, own, noise):
        (h,) = _buffers(1, projected, starts)
        units = h.shape[2]
        z, n, reset = torch.empty_like(projected[..., : 2 * units]), torch.empty_like(h[1:]), torch.empty_like(h[1:])
        (r, u), gate_inputs, n_inputs = _gates(z, 2), projected[..., : 2 * units], projected[..., 2 * units :]
        hs, zs, ns, resets, given, given_n = (each.unbind(0) for each in (h, z, n, reset, gate_inputs, n_inputs))
        kept = _Kept(noise, 0)
        for t in range(len(given)):
            seen = _seen(hs[t], noise)
            _product(given[t], seen, weight[: 2 * units], out=zs[t])
            zs[t].sigmoid_()
            torch.mul(r[t], seen, out=resets[t])
            _product(given_n[t], resets[t], weight[2 * units :], out=ns[t])
            ns[t].tanh_()
            torch.lerp(ns[t], hs[t], u[t], out=hs[t + 1])
            kept.keep(t, hs[t + 1], hs[t])
        return [h], [h, z, n, reset]

    def backward(self, gradients, saved, weight, own, noise):
        h, z, n, reset = saved
        units = h.shape[2]
        gate_weight, n_weight = weight[: 2 * units], weight[2 * units :]
        d_projected = h.new_empty(*n.shape[:2], 3 * units)
        (r, u), (d_r, d_u, d_n) = _gates(z, 2), _gates(d_projected, 3)
        hs, ns, given, d_zs = (
            each.unbind(0) for each in (h, n, gradients[0], d_projected[..., : 2 * units]))
        kept, plain = _Kept(noise, 0), Noise()
        d_h = given[-1].clone()
        zeros = torch.zeros_like(d_h)
        for t in reversed(range(len(d_zs))):
            past = kept.split(t, d_h)
            through = d_h * u[t]
            _through_sigmoid((hs[t] - ns[t]).mul_(d_h), u[t], grad_input=d_u[t])
            _through_tanh(d_h.sub_(through), ns[t], grad_input=d_n[t])
            _product_backward(zeros, d_n[t], n_weight, plain, out=d_h)
            _through_sigmoid(d_h * _seen(hs[t], noise), r[t], grad_input=d_r[t])
            through += given[t]
            through += _seen(d_h.mul_(r[t]), noise)
            _product_backward(through, d_zs[t], gate_weight, noise, out=d_h)
            if past is not None:
                d_h += past
        d_gates, d_candidate = d_projected.split([2 * units, units], dim=2)
        before_n = reset.flatten(0, 1).to(weight.dtype)
        d_weight = torch.cat([_weight_gradient(d_gates, h, weight, noise),
                              d_candidate.flatten(0, 1).to(weight.dtype).t() @ before_n])
        return d_projected, d_weight, [d_h], []


class LayerNormLSTM(Steps):
    """z = LN(W_x x; γ_x) + LN(W_h h; γ_h) + b        c as in LSTM        h ← σ(o) ∗ tanh(LN(c; γ_c, β_c))

    Ba et al. 2016, arXiv:1607.06450; projected is the normalized one. own: γ_h, γ_c, β_c.
    """

    gates, states = 4, 2
    eps = 1e-5

    def forward(self, projected, weight, starts, own, noise):
        h, c = _buffers(2, projected, starts)
        scale_h, scale_c, shift_c = own
        z, sums, squashed = torch.empty_like(projected), torch.empty_like(projected), torch.empty_like(h[1:])
        plain_c = torch.empty_like(squashed) if noise.kept else c[1:]
        (i, f, g, o), input_and_forget = _gates(z, 4), z[..., : 2 * h.shape[2]].unbind(0)
        hs, cs, new_c, zs, raw, tanh_c, given = (
            each.unbind(0) for each in (h, c, plain_c, z, sums, squashed, projected))
        kept_h, moments_h, moments_c = _Kept(noise, 0), [], []
        for t in range(len(given)):
            raw[t].copy_(_seen(hs[t], noise).to(weight.dtype) @ weight.t())
            normal, *moments = torch.native_layer_norm(raw[t], scale_h.shape, scale_h, None, self.eps)
            moments_h.append(moments)
            torch.add(given[t], normal, out=zs[t])
            input_and_forget[t].sigmoid_()
            g[t].tanh_()
            o[t].sigmoid_()
            torch.mul(f[t], cs[t], out=new_c[t]).addcmul_(i[t], g[t])
            normal, *moments = torch.native_layer_norm(new_c[t], scale_c.shape, scale_c, shift_c, self.eps)
            moments_c.append(moments)
            torch.tanh(normal, out=tanh_c[t])
            torch.mul(o[t], tanh_c[t], out=hs[t + 1])
            if noise.kept:
                torch.lerp(new_c[t], cs[t], noise.kept[1][t], out=cs[t + 1])
            kept_h.keep(t, hs[t + 1], hs[t])
        moments = [torch.stack(each) for pairs in (moments_h, moments_c) for each in zip(*pairs)]
        return [h, c], [h, c, z, sums, squashed, plain_c if noise.kept else None, *moments]

    def backward(self, gradients, saved, weight, own, noise):
        h, c, z, sums, squashed, plain_c, *moments = saved
        plain_c = c[1:] if plain_c is None else plain_c
        scale_h, scale_c, shift_c = own
        d_z, d_sums, d_normal = torch.empty_like(z), torch.empty_like(z), torch.empty_like(squashed)
        (i, f, g, o), (d_i, d_f, d_g, d_o) = _gates(z, 4), _gates(d_z, 4)
        cs, new_c, d_zs, raw, d_raw, d_normals, tanh_c, given, given_c = (
            each.unbind(0) for each in (c, plain_c, d_z, sums, d_sums, d_normal, squashed, *gradients))
        mean_h, scaled_h, mean_c, scaled_c = (each.unbind(0) for each in moments)
        kept_h, kept_c = _Kept(noise, 0), _Kept(noise, 1)
        d_h, d_c = given[-1].clone(), given_c[-1].clone()
        part = torch.empty_like(d_h)
        only_input = [True, False, False]
        for t in reversed(range(len(d_zs))):
            past_h, past_c = kept_h.split(t, d_h), kept_c.split(t, d_c)
            _through_sigmoid(torch.mul(d_h, tanh_c[t], out=part), o[t], grad_input=d_o[t])
            _through_tanh(torch.mul(d_h, o[t], out=part), tanh_c[t], grad_input=d_normals[t])
            d_c += _aten.native_layer_norm_backward(d_normals[t], new_c[t], scale_c.shape, mean_c[t], scaled_c[t],
                                                    scale_c, shift_c, only_input)[0]
            _through_sigmoid(torch.mul(d_c, g[t], out=part), i[t], grad_input=d_i[t])
            _through_sigmoid(torch.mul(d_c, cs[t], out=part), f[t], grad_input=d_f[t])
            _through_tanh(torch.mul(d_c, i[t], out=part), g[t], grad_input=d_g[t])
            torch.addcmul(given_c[t], d_c, f[t], out=d_c)
            if past_c is not None:
                d_c += past_c
            d_raw[t].copy_(_aten.native_layer_norm_backward(d_zs[t], raw[t], scale_h.shape, mean_h[t], scaled_h[t],
                                                            scale_h, None, only_input)[0])
            _product_backward(given[t], d_raw[t], weight, noise, out=d_h)
            if past_h is not None:
                d_h += past_h
        of_h = (sums - moments[0]).mul_(moments[1]).mul_(d_z).sum((0, 1))
        of_c = (plain_c - moments[2]).mul_(moments[3]).mul_(d_normal).sum((0, 1))
        d_own = [of_h, of_c, d_normal.sum((0, 1))]
        return d_z, _weight_gradient(d_sums, h, weight, noise), [d_h, d_c], d_own
