"""Recurrent cells over whole sequences, with back-propagation through time written out.

A step of time is a handful of small operations, and a graph of them costs more than their arithmetic. Here a whole
sequence is one node of the graph: what its backward pass needs stands in one buffer per kind for all T steps, so that
all that does not wait for the next step, slopes and gradients of weights, is one operation over all of them.
`equations.recurrent` derives the formulas.

All is T×N×…, time first. `projected` is W_x x + b for all steps, G·H wide for G gates, which the caller computes;
`weight` is W_h, G·H×H, perhaps in a smaller type than the states (bf16), which then is that of its products. A cell
keeps S states, each given at the start as N×H and returned as (T+1)×N×H, with the start at 0.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_aten = torch.ops.aten


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

    states = 1

    @abstractmethod
    def forward(self, projected: Tensor, weight: Tensor, starts: Sequence[Tensor], own: Sequence[Tensor],
                noise: Noise) -> tuple[list[Tensor], list[Tensor | None]]: ...

    @abstractmethod
    def backward(self, gradients: list[Tensor], saved: Sequence[Tensor], weight: Tensor, own: Sequence[Tensor],
                 noise: Noise) -> tuple[Tensor, Tensor, list[Tensor], list[Tensor]]: ...


def unroll(steps: Steps, projected: Tensor, weight: Tensor, starts: Sequence[Tensor], own: Sequence[Tensor] = (),
           noise: Noise = Noise()) -> tuple[Tensor, ...]:
    """The states of the cell, (T+1)×N×H each, differentiable once; not while a network is exported, as it is to run."""
    if torch.compiler.is_exporting():  # torch.export takes no autograd.Function, and out= no tensors that learn
        weight, *rest = (each.detach() for each in (weight, *starts, *own))
        return tuple(steps.forward(projected.detach(), weight, rest[: steps.states], rest[steps.states :], noise)[0])
    return cast("tuple[Tensor, ...]", _Unrolled.apply(steps, noise, projected, weight, *starts, *own))


class _Unrolled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, steps: Steps, noise: Noise, projected: Tensor, weight: Tensor, *rest: Tensor,
                ) -> tuple[Tensor, ...]:
        starts, own = rest[: steps.states], rest[steps.states :]
        with torch.autocast(projected.device.type, enabled=False):  # the types of weight and starts say it all
            states, saved = steps.forward(projected, weight, starts, own, noise)
        ctx.steps, ctx.kept, ctx.owned = steps, len(noise.kept), len(own)
        ctx.save_for_backward(weight, noise.seen, *noise.kept, *own, *saved)
        ctx.set_materialize_grads(False)
        return tuple(states)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
        given = next((each for each in gradients if each is not None), None)
        if given is None:
            return (None,) * len(ctx.needs_input_grad)
        filled = [torch.zeros_like(given) if each is None else each for each in gradients]
        weight, seen, *rest = ctx.saved_tensors
        kept, own, saved = rest[: ctx.kept], rest[ctx.kept : ctx.kept + ctx.owned], rest[ctx.kept + ctx.owned :]
        noise = Noise(seen, tuple(kept))
        d_projected, d_weight, d_starts, d_own = ctx.steps.backward(filled, saved, weight, own, noise)
        return None, None, d_projected, d_weight, *d_starts, *d_own


# --- what the cells share -------------------------------------------------------------------------------------------


def with_starts(length: int, starts: Sequence[Tensor]) -> list[Tensor]:
    """Buffers (T+1)×N×H for states, with the starts in place."""
    buffers = [start.new_empty(length + 1, *start.shape) for start in starts]
    for buffer, start in zip(buffers, starts):
        buffer[0] = start
    return buffers


def gates_of(buffer: Tensor, count: int) -> list[tuple[Tensor, ...]]:
    """For each gate its views N×H, one for each step."""
    return [gate.unbind(0) for gate in buffer.chunk(count, dim=2)]


def steps_of(*buffers: Tensor) -> list[tuple[Tensor, ...]]:
    """For each T×… buffer its T views."""
    return [buffer.unbind(0) for buffer in buffers]


class Products:
    """base⟨t⟩ + h Wᵀ at each step, h as the gates see it, computed in the type of W."""

    def __init__(self, weight: Tensor, noise: Noise, base: Tensor | None = None) -> None:
        self.seen_share, self.base = noise.seen, () if base is None else base.to(weight.dtype).unbind(0)
        self.across = weight.t().contiguous()  # float32 products with it are a quarter faster than with the view

    def step(self, t: int, h: Tensor, out: Tensor) -> None:
        if out.dtype == self.across.dtype:
            torch.addmm(self.base[t], self._seen(h), self.across, out=out)
        else:
            out.copy_(torch.addmm(self.base[t], self._seen(h), self.across))

    def alone(self, h: Tensor) -> Tensor:
        """h Wᵀ, in the type of h."""
        return (self._seen(h) @ self.across).to(h.dtype)

    def _seen(self, h: Tensor) -> Tensor:
        return (h if self.seen_share is None else h * self.seen_share).to(self.across.dtype)


class ProductsBack:
    """The way back through `Products`: dz⟨t⟩ W at each step, then the gradient of W from all of them.

    d_z: T×N×K, filled step by step by the caller. lowered: the same in the type of W.
    """

    def __init__(self, weight: Tensor, noise: Noise, d_z: Tensor) -> None:
        self.weight, self.seen_share = weight, noise.seen
        self.lowered = d_z if d_z.dtype == weight.dtype else torch.empty_like(d_z, dtype=weight.dtype)
        self.pairs = tuple(zip(d_z.unbind(0), self.lowered.unbind(0)))

    def step(self, t: int, base: Tensor, out: Tensor) -> None:
        """out ← base + dz⟨t⟩ W, the gradient of the h that was seen."""
        d_z, lowered = self.pairs[t]
        if d_z is not lowered:
            lowered.copy_(d_z)
        if self.seen_share is None and out.dtype == lowered.dtype:
            torch.addmm(base, lowered, self.weight, out=out)
        elif self.seen_share is None:
            torch.add(base, lowered @ self.weight, out=out)
        else:
            torch.addcmul(base, (lowered @ self.weight).to(out.dtype), self.seen_share, out=out)

    def of_weight(self, h: Tensor) -> Tensor:
        """Σ_t dz⟨t⟩ᵀ h⟨t−1⟩ as one product; h: T×N×H, before each step."""
        before = h if self.seen_share is None else h * self.seen_share
        return self.lowered.flatten(0, 1).t() @ before.flatten(0, 1).to(self.weight.dtype)


def sigmoid_slope(d: Tensor, value: Tensor, out: Tensor) -> None:
    """out ← d ∗ σ ∗ (1 − σ)."""
    _aten.sigmoid_backward.grad_input(d, value, grad_input=out)


def tanh_slope(d: Tensor, value: Tensor, out: Tensor) -> None:
    """out ← d ∗ (1 − tanh²)."""
    _aten.tanh_backward.grad_input(d, value, grad_input=out)


class Kept:
    """Zoneout of one state: s⟨t⟩ ← k ∗ s⟨t−1⟩ + (1 − k) ∗ s, and back; nothing where there is none."""

    def __init__(self, noise: Noise, state: int) -> None:
        self.shares = noise.kept[state].unbind(0) if noise.kept else None

    def keep(self, step: int, new: Tensor, before: Tensor, out: Tensor) -> None:
        if self.shares is not None:
            torch.lerp(new, before, self.shares[step], out=out)

    def split(self, step: int, d_state: Tensor) -> Tensor | None:
        """Leaves in d_state what goes to the new value; gives what goes to the one before."""
        if self.shares is None:
            return None
        past = d_state * self.shares[step]
        d_state.sub_(past)
        return past


# --- the cells without a memory -------------------------------------------------------------------------------------


class RNN(Steps):
    """h ← g(z), g tanh or ReLU (row 24.01)."""

    def __init__(self, relu: bool = False) -> None:
        self.relu = relu

    def forward(self, projected, weight, starts, own, noise):
        (h,) = with_starts(len(projected), starts)
        values = torch.empty_like(h[1:]) if noise.kept else h[1:]
        products, hs, new, kept = Products(weight, noise, projected), h.unbind(0), values.unbind(0), Kept(noise, 0)
        for t in range(len(new)):
            products.step(t, hs[t], out=new[t])
            new[t].relu_() if self.relu else new[t].tanh_()
            kept.keep(t, new[t], hs[t], out=hs[t + 1])
        return [h], [h, values if noise.kept else None]

    def backward(self, gradients, saved, weight, own, noise):
        h, values = saved
        values = h[1:] if values is None else values
        d_z = (values > 0).to(h.dtype) if self.relu else values.square().neg_().add_(1)
        back, kept, (d_zs, given) = ProductsBack(weight, noise, d_z), Kept(noise, 0), steps_of(d_z, gradients[0])
        d_h = given[-1].clone()
        for t in reversed(range(len(d_zs))):
            past = kept.split(t, d_h)
            d_zs[t].mul_(d_h)
            back.step(t, given[t], out=d_h)
            if past is not None:
                d_h += past
        return back.lowered, back.of_weight(h[:-1]), [d_h], []


class GRU(Steps):
    """[r, u] = σ(z)        n = tanh(projected_n + r ∗ (W_n h + b_n))        h ← n + u ∗ (h − n)

    torch's form, rows r, u, n, u = 1 − Γ_u. own: b_n, which is added before the reset.
    """

    def forward(self, projected, weight, starts, own, noise):
        (h,) = with_starts(len(projected), starts)
        units = h.shape[2]
        gate_inputs, n_inputs = projected.split([2 * units, units], dim=2)
        z, n, inner = h.new_empty(*projected.shape[:2], 2 * units), torch.empty_like(h[1:]), torch.empty_like(h[1:])
        to_gates = Products(weight[: 2 * units], noise, gate_inputs)
        to_n = Products(weight[2 * units :], noise, own[0].expand_as(n))
        (r, u), kept = gates_of(z, 2), Kept(noise, 0)
        hs, zs, ns, inners, given = steps_of(h, z, n, inner, n_inputs.to(h.dtype))
        for t in range(len(given)):
            to_gates.step(t, hs[t], out=zs[t])
            to_n.step(t, hs[t], out=inners[t])
            zs[t].sigmoid_()
            torch.addcmul(given[t], r[t], inners[t], out=ns[t]).tanh_()
            torch.lerp(ns[t], hs[t], u[t], out=hs[t + 1])
            kept.keep(t, hs[t + 1], hs[t], out=hs[t + 1])
        return [h], [h, z, n, inner]

    def backward(self, gradients, saved, weight, own, noise):
        h, z, n, inner = saved
        units = h.shape[2]
        d_z, of_n = h.new_empty(*n.shape[:2], 3 * units), torch.empty_like(n)
        _update_slopes(h, n, z, d_z[..., units : 2 * units], of_n)
        sigmoid_slope(inner, z[..., :units], out=d_z[..., :units])
        back, (r, u), (d_r, d_u, d_inner) = ProductsBack(weight, noise, d_z), gates_of(z, 2), gates_of(d_z, 3)
        d_n, given, kept = of_n.unbind(0), gradients[0].unbind(0), Kept(noise, 0)
        d_h = given[-1].clone()
        for t in reversed(range(len(d_n))):
            past = kept.split(t, d_h)
            d_u[t].mul_(d_h)
            d_n[t].mul_(d_h)
            d_r[t].mul_(d_n[t])
            torch.mul(d_n[t], r[t], out=d_inner[t])
            back.step(t, torch.addcmul(given[t], d_h, u[t]), out=d_h)
            if past is not None:
                d_h += past
        d_projected = torch.cat([d_z[..., : 2 * units], of_n], dim=2)
        return d_projected, back.of_weight(h[:-1]), [d_h], [d_z[..., 2 * units :].sum((0, 1))]


class RelevanceGRU(Steps):
    """n = tanh(projected_n + W_n (r ∗ h)), else as GRU: the gate acts on h before the matrix product (row 36.02)."""

    def forward(self, projected, weight, starts, own, noise):
        (h,) = with_starts(len(projected), starts)
        units = h.shape[2]
        gate_inputs, n_inputs = projected.split([2 * units, units], dim=2)
        z, n, reset = h.new_empty(*projected.shape[:2], 2 * units), torch.empty_like(h[1:]), torch.empty_like(h[1:])
        to_gates = Products(weight[: 2 * units], noise, gate_inputs)
        to_n = Products(weight[2 * units :], noise, n_inputs)
        (r, u), kept = gates_of(z, 2), Kept(noise, 0)
        hs, zs, ns, resets = steps_of(h, z, n, reset)
        for t in range(len(ns)):
            to_gates.step(t, hs[t], out=zs[t])
            zs[t].sigmoid_()
            torch.mul(r[t], hs[t], out=resets[t])
            to_n.step(t, resets[t], out=ns[t])
            ns[t].tanh_()
            torch.lerp(ns[t], hs[t], u[t], out=hs[t + 1])
            kept.keep(t, hs[t + 1], hs[t], out=hs[t + 1])
        return [h], [h, z, n, reset]

    def backward(self, gradients, saved, weight, own, noise):
        h, z, n, reset = saved
        units = h.shape[2]
        d_z, of_n = torch.empty_like(z), torch.empty_like(n)
        _update_slopes(h, n, z, d_z[..., units:], of_n)
        sigmoid_slope(h[:-1], z[..., :units], out=d_z[..., :units])
        by_gates = ProductsBack(weight[: 2 * units], noise, d_z)
        by_n = ProductsBack(weight[2 * units :], noise, of_n)
        (r, u), (d_r, d_u), kept = gates_of(z, 2), gates_of(d_z, 2), Kept(noise, 0)
        d_n, given = of_n.unbind(0), gradients[0].unbind(0)
        d_h = given[-1].clone()
        zeros = torch.zeros_like(d_h)
        for t in reversed(range(len(d_n))):
            past = kept.split(t, d_h)
            d_u[t].mul_(d_h)
            d_n[t].mul_(d_h)
            through = torch.addcmul(given[t], d_h, u[t])
            by_n.step(t, zeros, out=d_h)
            d_r[t].mul_(d_h)
            through.addcmul_(d_h, r[t])
            by_gates.step(t, through, out=d_h)
            if past is not None:
                d_h += past
        d_weight = torch.cat([by_gates.of_weight(h[:-1]), by_n.of_weight(reset)])
        return torch.cat([by_gates.lowered, by_n.lowered], dim=2), d_weight, [d_h], []


def _update_slopes(h: Tensor, n: Tensor, z: Tensor, of_u: Tensor, of_n: Tensor) -> None:
    """∂h⟨t⟩ by the sums of u and of n, for all steps."""
    u = z[..., z.shape[2] // 2 :]
    sigmoid_slope(h[:-1] - n, u, out=of_u)
    tanh_slope(1 - u, n, out=of_n)
