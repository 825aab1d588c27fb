"""What a representation is worth: what can be read off it with few labels, against the same network untrained.

Three ways of use, each also with random first weights in place of what was learnt: the k nearest neighbors and a linear
probe on what enters the head, and training of the whole network, which from random weights is training from scratch.
All learn from the very same labelled examples and answer for the same others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from orthogon.errors import RecipeError
from orthogon.nn.neighbors import nearest, vote
from orthogon.stats import Estimate, PairedComparison, estimate_score
from orthogon.strategy.paired import compare_rows
from orthogon.train.rows import Rows

Way = Literal["neighbors", "linear", "whole"]
Start = Literal["learnt", "random"]

WAYS: dict[Way, str] = {"neighbors": "nearest neighbors", "linear": "linear probe", "whole": "whole network trained"}

NEIGHBORS = (1, 5, 20)
"""Of which the number of neighbors is chosen: that with the fewest errors when each labelled example is left out."""

LEFT_OUT = 2_000
"""Labelled examples that are left out in turn for this, at most."""

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Of which the probe's penalty is chosen, on a fifth of the labelled examples: λ/2 × Σ w² beside the mean loss."""

PROBED = 5_000
"""Labelled examples that it is chosen on, at most."""


# --- asking ------------------------------------------------------------------------------------------------------


def label_counts(labels: Sequence[float], n: int, classes: int) -> list[int]:
    """Shares (to 1) and numbers (above 1) of labels as numbers out of n, from small to large.

    RecipeError for what is no share and no number, for more than there are, and for fewer than two of each class.
    """
    counts = []
    for given in labels:
        count = round(given * n) if 0 < given <= 1 else int(given)
        if given <= 0 or (given > 1 and count != given):
            raise RecipeError(f"{given:g} is no share and no number of labels", where="labels",
                              remedy="Give shares, 0.01 to 1, or whole numbers above 1.")
        if count > n:
            raise RecipeError(f"{count:,} labels are asked for, and there are {n:,}", where="labels",
                              remedy="1 means all.")
        if count < 2 * classes:
            raise RecipeError(f"{count:,} labels are fewer than two of each of the {classes:,} classes", where="labels",
                              remedy=f"Give at least {2 * classes / n:.2g}, or {2 * classes}.")
        counts.append(count)
    return sorted(set(counts))


# --- reading off -------------------------------------------------------------------------------------------------


def by_neighbors(features: Tensor, codes: np.ndarray, asked: Tensor, classes: int) -> tuple[np.ndarray, int]:
    """The commonest label of the k nearest by cosine, for each row of `asked`; and k, chosen on the labelled alone.

    features: (n, D) of the labelled examples. codes: int (n,). asked: (m, D).
    """
    labels = torch.as_tensor(codes, dtype=torch.int64)
    tried = [k for k in NEIGHBORS if k < len(labels)]
    some = torch.arange(len(labels))[:: -(-len(labels) // LEFT_OUT)]
    around = _others_of(features, some, max(tried))
    right = [int((vote(labels[around[:, :k]], classes) == labels[some]).sum()) for k in tried]
    k = tried[int(np.argmax(right))]
    return vote(labels[nearest(asked, features, k)], classes).numpy(), k


def _others_of(features: Tensor, some: Tensor, k: int) -> Tensor:
    """The k nearest of those rows that are not the row itself."""
    found = nearest(features[some], features, k + 1)
    own = found == some[:, None]
    own[:, -1] |= ~own.any(1)  # a copy of the example may stand in its place
    return found[~own].view(len(some), k)


def by_linear_probe(features: Tensor, codes: np.ndarray, asked: Tensor) -> tuple[np.ndarray, float]:
    """What a softmax regression on the features says of each row of `asked`; and its penalty, chosen on the labelled.

    Features are standardized by those of the labelled examples.
    """
    mean, deviation = features.mean(0), features.std(0, correction=0)
    scale = torch.where(deviation > 0, deviation, 1)
    inputs, queries = (((each - mean) / scale).double().numpy() for each in (features, asked))
    penalty = _penalty(inputs, codes)
    return _probe(inputs, codes, penalty).predict(queries), penalty


def _penalty(inputs: np.ndarray, codes: np.ndarray) -> float:
    """That with the fewest errors on a fifth, the others learnt; of several as good the strongest."""
    order = np.random.default_rng(0).permutation(len(codes))[:PROBED]
    held, kept = order[: len(order) // 5], order[len(order) // 5 :]
    if not len(held) or len(np.unique(codes[kept])) < 2:
        return PENALTIES[len(PENALTIES) // 2]
    right = [_probe(inputs[kept], codes[kept], each).score(inputs[held], codes[held]) for each in PENALTIES[::-1]]
    return PENALTIES[::-1][int(np.argmax(right))]


def _probe(inputs: np.ndarray, codes: np.ndarray, penalty: float) -> Any:
    """scikit-learn's, by L-BFGS. Its C is one over the penalty on the sum of the losses."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=1 / (penalty * len(codes)), max_iter=200, tol=1e-3).fit(inputs, codes)


# --- saying ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Use:
    """One way of use with so many labels.

    learnt, random: the share of the asked that is right, from what was learnt and from random first weights.
    gain:         learnt against random. over_scratch: learnt against training the whole network from scratch.
    chosen:       what was chosen on the labelled alone ("k = 5").
    """

    way: Way
    labels: int
    learnt: Estimate
    random: Estimate
    gain: PairedComparison
    over_scratch: PairedComparison
    chosen: str = ""


@dataclass(frozen=True)
class Worth:
    """What the representation of a run is worth. asked: how many examples were asked for, of `part`; of: how many
    labels there are in all."""

    run: str
    data: str
    part: str
    asked: int
    of: int
    uses: tuple[Use, ...]
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """Headers and rows of a table."""
        headers = ["labels", "used by", "right %", "random first weights", "gain", "over training from scratch"]
        return headers, [
            [f"{use.labels:,}", WAYS[use.way], _rate(use.learnt), _rate(use.random), _points(use.gain),
             "the same" if use.way == "whole" else _points(use.over_scratch)] for use in self.uses
        ]

    def __str__(self) -> str:
        from orthogon.draw.tables import text_table

        return f"{text_table(*self.cells(), align='rlrrrr')}\n\n{self.sentence}"

    def _repr_html_(self) -> str:
        from orthogon.draw.tables import html_table

        return html_table(*self.cells(), align="rlrrrr", caption=self.sentence)


def worth(run: str, data: str, of: int, answers: Mapping[tuple[int, Way, Start], Rows],
          chosen: Mapping[tuple[int, Way], str]) -> Worth:
    """From the rows of each way with each number of labels, learnt and random, on the same examples.

    chosen: what was chosen for what was learnt.
    """
    counts = sorted({count for count, *_ in answers})
    uses = [_use(count, way, answers, chosen.get((count, way), "")) for count in counts for way in WAYS]
    first = next(iter(answers.values()))
    return Worth(run, data, first.split, len(first), of, tuple(uses), _sentence(uses, first.split, of))


def _use(count: int, way: Way, answers: Mapping[tuple[int, Way, Start], Rows], chosen: str) -> Use:
    learnt, random = answers[count, way, "learnt"], answers[count, way, "random"]
    scratch = answers[count, "whole", "random"]
    right, plain = (estimate_score(rows["score"], groups=rows.group) for rows in (learnt, random))
    return Use(way, count, right, plain, compare_rows(random, learnt).paired, compare_rows(scratch, learnt).paired,
               chosen)


def _sentence(uses: Sequence[Use], part: str, of: int) -> str:
    """Of the fewest labels, each use against its opposite."""
    few = {use.way: use for use in uses if use.labels == uses[0].labels}
    near, probe, whole = few["neighbors"], few["linear"], few["whole"]
    return (f"With {near.labels:,} of {of:,} labels training from scratch is right in {_rate(whole.random)} % of "
            f"{near.learnt.n:,} of {part}; a linear probe on what was learnt {_told(probe.over_scratch)}, the whole "
            f"network trained from it {_told(whole.gain)}. Nearest neighbors gain {_told(near.gain)} over random first "
            "weights.")


def _told(paired: PairedComparison) -> str:
    """"+4.1 [2.0, 6.2] points (better)"."""
    words = {"better": "better", "worse": "worse", "tied": "no difference that could be seen"}
    return f"{_points(paired)} points ({words[paired.verdict]})"


def _rate(estimate: Estimate) -> str:
    """"71.2 [69.0, 73.3]"."""
    return f"{100 * estimate.value:.1f} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"


def _points(paired: PairedComparison) -> str:
    """"+4.1 [2.0, 6.2]", in points."""
    return f"{100 * paired.difference:+.1f} [{100 * paired.low:.1f}, {100 * paired.high:.1f}]"
