"""Writes docs/intervals.md: how often each interval holds the truth (part of `make docs`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from scipy.stats import beta, norm

from orthogon import stats
from orthogon.stats.coverage import difference_coverage, paired_coverage, rate_coverage

HERE = Path(__file__).parent
PAGE = HERE / "intervals.md"
NOTICE = "<!-- Written by docs/intervals_page.py; `make docs`. -->\n"
INTRODUCTION = """Every figure of Orthogon comes with a 95 % interval. This page says how often these intervals hold the
truth: the share of samples, in percent, in which they do. 95 is the aim; 99 is wider than it need be; 63 is a promise
broken. **Wald** is the textbook's value ± 1.96 standard errors. Orthogon does not use it; it stands beside the others
so that one sees why.

The first four tables are exact: a sum over all outcomes of the sampling, weighted by their chance
(`orthogon.stats.coverage`). The tests hold simulations against them. The last is simulated, where there is no such sum.
Counts are whole numbers, so that no interval holds the truth in exactly 95 % everywhere: it saws about it.
"""

RATES = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 0.5)
SIZES = (50, 100, 200, 500, 1000, 5000)
DIFFERENCES = ((0.001, 0.005), (0.01, 0.01), (0.01, 0.02), (0.02, 0.05), (0.05, 0.05), (0.05, 0.1), (0.1, 0.1),
               (0.1, 0.3))
PAIRS_OF_SIZES = ((50, 50), (200, 200), (1000, 1000), (100, 1000), (5000, 500))
CHANGES = ((0.0, 0.02), (0.01, 0.01), (0.02, 0.01), (0.05, 0.03), (0.05, 0.05), (0.1, 0.05))
PAIRED_SIZES = (50, 200, 1000)
POSTERIOR_DRAWS = 4000
SAMPLES = 2000

Z = 1.959964
Interval = Callable[..., tuple]


def wald(k, n):
    p = k / n
    half = Z * np.sqrt(p * (1 - p) / n)
    return p - half, p + half


def wald_difference(k1, n1, k2, n2):
    p1, p2 = k1 / n1, k2 / n2
    half = Z * np.sqrt(p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2)
    return p2 - p1 - half, p2 - p1 + half


def wald_paired(b, c, n):
    half = Z * np.sqrt(np.maximum(b + c - (b - c) ** 2 / n, 0)) / n
    return (b - c) / n - half, (b - c) / n + half


def jeffreys(k, n):
    """The equal-tailed interval of the posterior that `beta_draws` draws from."""
    return beta.ppf(0.025, k + 0.5, n - k + 0.5), beta.ppf(0.975, k + 0.5, n - k + 0.5)


def posterior_difference(k1, n1, k2, n2):
    """As `gap_probabilities` gives it, from draws of both rates; k1 along the first axis, k2 along the second."""
    rows, columns = k1[:, 0], k2[0]
    first = stats.beta_draws(rows, np.full(len(rows), n1), POSTERIOR_DRAWS, seed=1)
    second = stats.beta_draws(columns, np.full(len(columns), n2), POSTERIOR_DRAWS, seed=2)
    found = [stats.gap_probabilities({str(k): drawn for k, drawn in enumerate(second - one)}, 0) for one in first]
    low, high = (np.array([[getattr(gap, end) for gap in row.values()] for row in found]) for end in ("low", "high"))
    return low, high


tango = np.vectorize(stats.tango)


def share(value: float) -> str:
    return f"{100 * value:.1f}"


def percent(rate: float) -> str:
    return f"{100 * rate:g} %"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---:"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def mean_line(columns: Sequence[Sequence[float]], names: Sequence[str]) -> str:
    said = ", ".join(f"{name} {share(float(np.mean(column)))} (lowest {share(min(column))})"
                     for name, column in zip(names, columns))
    return f"Mean over the grid: {said}.\n"


def grid(head: Sequence[str], labels: Sequence[Sequence[str]], columns: Sequence[Sequence[float]],
         names: Sequence[str]) -> str:
    rows = [[*label, *map(share, cells)] for label, cells in zip(labels, zip(*columns))]
    return table([*head, *names], rows) + "\n" + mean_line(columns, names)


def rates_table() -> str:
    cells = [(p, n) for p in RATES for n in SIZES]
    columns = [[rate_coverage(interval, n, p) for p, n in cells] for interval in (stats.wilson, jeffreys, wald)]
    labels = [(percent(p), f"{n:,}") for p, n in cells]
    return grid(["true rate", "n"], labels, columns, ["Wilson", "posterior", "Wald"])


def differences_table() -> str:
    cells = [(*rates, *sizes) for rates in DIFFERENCES for sizes in PAIRS_OF_SIZES]
    columns = [[difference_coverage(interval, n1, p1, n2, p2) for p1, p2, n1, n2 in cells]
               for interval in (stats.newcombe, wald_difference)]
    labels = [(percent(p1), percent(p2), f"{n1:,}", f"{n2:,}") for p1, p2, n1, n2 in cells]
    return grid(["rate 1", "rate 2", "n 1", "n 2"], labels, columns, ["Newcombe", "Wald"])


def pairs_table() -> str:
    cells = [(*changed, n) for changed in CHANGES for n in PAIRED_SIZES]
    columns = [[paired_coverage(interval, n, b, c) for b, c, n in cells] for interval in (tango, wald_paired)]
    labels = [(percent(b), percent(c), f"{n:,}") for b, c, n in cells]
    return grid(["put right", "broken", "n"], labels, columns, ["Tango", "Wald"])


def posterior_table() -> str:
    cells = [(*rates, n) for rates in DIFFERENCES for n in (50, 200, 500)]
    column = [difference_coverage(posterior_difference, n, p1, n, p2) for p1, p2, n in cells]
    labels = [(percent(p1), percent(p2), f"{n:,}") for p1, p2, n in cells]
    return grid(["rate 1", "rate 2", "n each"], labels, [column], ["posterior"])


def simulated_table() -> str:
    held = [(name, method, np.mean([one(np.random.default_rng([7, k])) for k in range(SAMPLES)]))
            for name, method, one in SIMULATED]
    head = ["what", "interval", "held", "± of the simulation"]
    return table(head, [[name, method, share(float(p)), share(2 * np.sqrt(p * (1 - p) / SAMPLES))]
                        for name, method, p in held])


def _holds(found: stats.Estimate, truth: float) -> bool:
    return found.low <= truth <= found.high


def _mismatch(n: int) -> Callable[[np.random.Generator], bool]:
    """(dev - train-dev) - (human B - human A), of 10, 6, 3 and 2 %."""
    def one(random: np.random.Generator) -> bool:
        sizes = np.array([n, n, 300, 300])
        wrong = random.binomial(sizes, [0.10, 0.06, 0.03, 0.02])
        dev, train_dev, human_b, human_a = stats.beta_draws(wrong, sizes, POSTERIOR_DRAWS, int(random.integers(2**31)))
        found = stats.gap_probabilities({"mismatch": dev - train_dev - human_b + human_a}, 0)["mismatch"]
        return found.low <= 0.03 <= found.high

    return one


def _skewed_mean(n: int) -> Callable[[np.random.Generator], bool]:
    return lambda random: _holds(stats.bootstrap_mean(random.exponential(size=n)), 1.0)


def _mean_over_groups(random: np.random.Generator) -> bool:
    values = np.repeat(random.normal(size=40), 10) + random.normal(size=400)
    return _holds(stats.bootstrap_mean(values, groups=np.arange(400) // 10), 0.0)


def _rate_over_groups(random: np.random.Generator) -> bool:
    right = random.random(600) < np.repeat(random.beta(8, 2, size=60), 10)
    return _holds(stats.rate(right, groups=np.arange(600) // 10), 0.8)


def _f1(random: np.random.Generator) -> bool:
    """Of a class of 20 %, found with 80 % and 90 % of the others left alone: F1 = 2 × 0.16 / (0.2 + 0.24)."""
    counts = random.multinomial(300, [0.72, 0.08, 0.04, 0.16]).reshape(2, 2)
    return _holds(stats.bootstrap_confusion(counts, lambda m: stats.f1(m)[:, 1]), 0.32 / 0.44)


def _auc(positives: int, negatives: int, distance: float) -> Callable[[np.random.Generator], bool]:
    label, truth = np.arange(positives + negatives) < positives, float(norm.cdf(distance / np.sqrt(2)))
    return lambda random: _holds(stats.roc_auc(random.normal(size=len(label)) + distance * label, label), truth)


def _auc_difference(random: np.random.Generator) -> bool:
    label = np.arange(120) < 40
    shared = random.normal(size=120) + 1.5 * label
    a, b = shared + random.normal(size=(2, 120)) * [[1.0], [0.5]]
    found = stats.compare_roc_auc(a, b, label)
    return found.low <= norm.cdf(1.5 / np.sqrt(2 * 1.25)) - norm.cdf(1.5 / np.sqrt(2 * 2)) <= found.high


SIMULATED = (
    ("mismatch of four sets, 200 and 300 each", "posterior", _mismatch(200)),
    ("mismatch of four sets, 2,000 and 300 each", "posterior", _mismatch(2000)),
    ("rate, 60 groups of 10 that differ", "Wilson, Rao-Scott", _rate_over_groups),
    ("mean of 30 skewed (exponential) values", "BCa bootstrap", _skewed_mean(30)),
    ("mean of 100 skewed values", "BCa bootstrap", _skewed_mean(100)),
    ("mean, 40 groups of 10 that differ", "BCa bootstrap over groups", _mean_over_groups),
    ("F1 of a class of 20 %, n = 300", "BCa bootstrap", _f1),
    ("ROC AUC 0.84, 40 against 80", "DeLong, logit", _auc(40, 80, np.sqrt(2))),
    ("ROC AUC 0.96, 20 against 100", "DeLong, logit", _auc(20, 100, 2.5)),
    ("two ROC AUC on the same 40 against 80", "DeLong, paired", _auc_difference),
)
TABLES: tuple[tuple[str, str, Callable[[], str]], ...] = (
    ("One rate", "`rate`, `wilson`; the posterior is that of `beta_draws`.", rates_table),
    ("Two rates, of different examples", "`newcombe`: gaps between sets.", differences_table),
    ("Two models on the same examples", "`compare_paired`, `tango`: the shares that the second puts right and breaks.",
     pairs_table),
    ("A gap by its posterior", "`gap_probabilities` on `beta_draws` of both sets.", posterior_table),
    ("Simulated", f"{SAMPLES:,} samples each.", simulated_table),
)


def page() -> str:
    sections = [f"## {title}\n\n{line}\n\n{make()}" for title, line, make in TABLES]
    return "\n".join([NOTICE, "# Intervals that hold the truth\n", INTRODUCTION, *sections])


def write() -> Path:
    PAGE.write_text(page(), encoding="utf-8")
    return PAGE


if __name__ == "__main__":
    print(write())
