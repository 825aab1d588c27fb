"""Losses by which encodings of one identity come to lie close together and those of others apart (rows 21.03-21.11).

All take a batch of encodings with the code of the identity of each, look at all pairs or triplets within it, and give
the sum and the number of what counts (`Total`), or two of these. A batch is best drawn as P identities × K examples.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.nn.total import Total, total

Mining = Literal["semi-hard", "hard", "random"]
MINING: tuple[Mining, ...] = get_args(Mining)

Similarity = Literal["absolute", "chi_square"]
SIMILARITIES: tuple[Similarity, ...] = get_args(Similarity)


class PairTotals(NamedTuple):
    """The losses of the pairs of a batch, each pair once: those of one identity, and those of two.

    The cost is the mean of the two means: without that the many pairs of two identities would drown the few of one.
    """

    same: Total
    different: Total


def squared_distances(first: Tensor, second: Tensor) -> Tensor:
    """d(x¹, x²) = ‖f(x¹) − f(x²)‖² of every encoding of the first (n, D) from every one of the second (m, D): (n, m).

    Row 21.05; of two encodings, not of one with itself (E40).
    """
    lengths = first.square().sum(1, keepdim=True) + second.square().sum(1)
    return (lengths - 2 * first @ second.mT).clamp(min=0)


def contrastive_loss(encodings: Tensor, identities: Tensor, margin: float = 1.0) -> PairTotals:
    """½d² of a pair of one identity, ½max(margin − d, 0)² of a pair of two, with the Euclidean distance d.

    encodings: (n, D). identities: int64 (n,). Hadsell, Chopra & LeCun 2006, doi 10.1109/CVPR.2006.100.
    """
    _check(encodings, identities)
    squared, same = _pairs(squared_distances(encodings, encodings), identities)
    distance = squared.clamp(min=1e-12).sqrt()  # the root has no slope at 0
    return _pair_totals(squared / 2, (margin - distance).clamp(min=0).square() / 2, same)


def pair_loss(logits: Tensor, identities: Tensor) -> PairTotals:
    """Binary cross-entropy of "of one identity" for every pair (row 21.10). logits: (n, n), of which the upper triangle
    is read; identities: int64 (n,)."""
    _check(logits, identities)
    of_pairs, same = _pairs(logits, identities)
    return _pair_totals(F.softplus(-of_pairs), F.softplus(of_pairs), same)


def triplet_loss(
    encodings: Tensor, identities: Tensor, margin: float = 0.2, mining: Mining = "semi-hard", squared: bool = True,
    generator: torch.Generator | None = None,
) -> Total:
    """max(d(A, P) − d(A, N) + margin, 0) over triplets of an anchor, another of its identity, and one of another.

    Every ordered pair (A, P) of one identity is taken; mining says with which N (rows 21.07, 21.08):
    semi-hard: all that are farther than P but by less than the margin, d_ap < d_an < d_ap + margin (Schroff et al.
        2015, arXiv:1503.03832). Pairs without such an N do not count. What is nearer than P is left out, since it can
        drive all encodings into one point.
    hard: the nearest one. random: any one, each as likely; most of these are too easy to teach anything.
    squared: d is the squared Euclidean distance, else the Euclidean one. The margin is in its unit; 0.2 is usual for
    squared distances of encodings of length 1, which are at most 4.
    generator: of the random ones; left out: torch's own.
    Sum and count are of the triplets that are taken: the mean is 0 where every N is far enough, and the margin where
    all encodings are one point.
    """
    _check(encodings, identities)
    if mining not in MINING:
        raise ValueError(f"unknown mining {mining!r}; take one of {', '.join(MINING)}")
    distance = squared_distances(encodings, encodings)
    distance = distance if squared else distance.clamp(min=1e-12).sqrt()
    same = identities.unsqueeze(1) == identities
    anchor, positive = (same & ~torch.eye(len(same), dtype=torch.bool, device=same.device)).nonzero(as_tuple=True)
    near, far, other = distance[anchor, positive].unsqueeze(1), distance[anchor], ~same[anchor]
    taken = _mined(near.detach(), far.detach(), other, margin, mining, generator)
    return total((near - far + margin)[taken].clamp(min=0), None)


def _mined(near: Tensor, far: Tensor, other: Tensor, margin: float, mining: Mining,
           generator: torch.Generator | None) -> Tensor:
    """Bool (pairs, n): which examples each pair (anchor, positive) is taken with."""
    if mining == "semi-hard":
        return other & (far > near) & (far < near + margin)
    if mining == "hard":
        key = far.masked_fill(~other, torch.inf)
    else:
        key = torch.rand(far.shape, generator=generator, device=far.device).masked_fill(~other, torch.inf)
    first = F.one_hot(key.argmin(1), far.shape[1]).bool() if len(key) else torch.zeros_like(other)
    return first & other


def prototypical_loss(encodings: Tensor, identities: Tensor, shots: int = 1) -> Total:
    """−log softmax of −‖f(x) − c‖² over the prototypes c of all identities of the batch, for the example's own.

    A prototype is the mean of `shots` support examples of its identity. The examples of each identity take turns in
    the support, in the order of the batch, as many times as the largest identity has examples; those that are not in
    it are the queries. So every example serves as both, and none is compared with a mean that it is part of.
    Snell, Swersky & Zemel 2017, arXiv:1703.05175, with distances that are not normalized, as there.
    """
    _check(encodings, identities)
    if shots < 1:
        raise ValueError(f"a prototype is the mean of at least 1 example; got shots={shots}")
    names, codes = identities.unique(return_inverse=True)
    membership = F.one_hot(codes, len(names)).T  # (identities, n)
    size, place = membership.sum(1)[codes], (membership.cumsum(1) - 1).gather(0, codes.unsqueeze(0)).squeeze(0)
    turns = torch.arange(int(size.max()), device=codes.device).unsqueeze(1)
    supports = (place - turns) % size < shots  # (turns, n)
    weight = (supports.unsqueeze(1) * membership).to(encodings.dtype)  # (turns, identities, n)
    prototypes = (weight / weight.sum(2, keepdim=True)) @ encodings
    logits = -squared_distances(encodings, prototypes.flatten(0, 1)).unflatten(1, (len(turns), len(names)))
    turn, query = (~supports).nonzero(as_tuple=True)
    return total(F.cross_entropy(logits[query, turn], codes[query], reduction="none"), None)


class PairHead(nn.Module):
    """Two encodings to the logit of their being of one identity: Σ_k w_k s_k + b, one weight for each number k (E41).

    absolute: s_k = |f_k(x¹) − f_k(x²)| (row 21.10; Taigman et al. 2014, DeepFace). chi_square: s_k = (f_k(x¹) −
    f_k(x²))² / (f_k(x¹) + f_k(x²)), for encodings without negative numbers, 0 where both are 0 (row 21.11).
    ŷ is the sigmoid of the logit. Before training the weights are all −1/D and b is 1.
    """

    def __init__(self, features: int, similarity: Similarity = "absolute") -> None:
        super().__init__()
        if similarity not in SIMILARITIES:
            raise ValueError(f"unknown similarity {similarity!r}; take one of {', '.join(SIMILARITIES)}")
        self.similarity = similarity
        self.weight = nn.Parameter(torch.full((features,), -1 / features))
        self.bias = nn.Parameter(torch.ones(()))

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """(n, D) and (m, D) to (n, m): every one of the first with every one of the second."""
        first, second = first.unsqueeze(1), second.unsqueeze(0)
        gap = first - second
        if self.similarity == "absolute":
            return gap.abs() @ self.weight + self.bias
        return gap.square() / (first + second).clamp(min=1e-12) @ self.weight + self.bias


def _pairs(table: Tensor, identities: Tensor) -> tuple[Tensor, Tensor]:
    """The entries above the diagonal of an n×n table, and which of them are of one identity."""
    first, second = torch.triu_indices(len(table), len(table), offset=1, device=table.device)
    return table[first, second], identities[first] == identities[second]


def _pair_totals(if_same: Tensor, if_different: Tensor, same: Tensor) -> PairTotals:
    return PairTotals(total(if_same[same], None), total(if_different[~same], None))


def _check(table: Tensor, identities: Tensor) -> None:
    if table.ndim != 2 or tuple(identities.shape) != (len(table),):
        raise ValueError(f"{tuple(table.shape)} with identities {tuple(identities.shape)}; give n×D encodings and the "
                         "code of the identity of each")
