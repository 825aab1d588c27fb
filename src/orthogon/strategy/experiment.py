"""Probes: which remedy helps, found by small paired experiments within a budget, and promised only when confirmed.

Screening trains every remedy and the base for a small share of the base's steps, keeps the better half, and trains
those for a larger share from another seed. Then the best is trained in full from a seed that nothing was chosen on,
against the run itself. Where it looks good it is settled: the base and it are trained from up to three seeds. Then the
next best follow, while the budget lasts. All are scored on the same examples. Anything may run the trainings: the
procedure sees a `Measure` alone.

Sources: successive halving: Jamieson & Talwalkar (2016), arXiv 1502.07943; McNemar (1947); Holm (1979). Rows 14.07 to
14.10.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, nan

from orthogon.errors import Interrupted, RecipeError
from orthogon.stats.estimate import Estimate
from orthogon.stats.multiple import holm
from orthogon.strategy.arms import Arm, Measure, Measured, Remedy
from orthogon.strategy.judgement import SMALLEST, Gain, examples_needed, gain_of, mean_gain, promise, seed_spread
from orthogon.strategy.probes import Probes, Result, in_order
from orthogon.train.rows import Rows
from orthogon.train.task import Metric

BUDGET = 4.0
"""Base trainings that a probe may take, confirmation included."""

SCREENING = 0.4
"""The share of the budget that screening takes, at most; half of it the first rung."""

MEASURABLE = 1.0
"""Seconds that the base must take for times to be compared; in less than that they say more about the machine."""

SEEDS = 3
"""From which a remedy that looks good, and the base, are trained in full, where the budget lasts."""

SHORTEST, LONGEST = 0.125, 0.5
"""Shares of the base's steps at which remedies are screened."""


def probe(
    remedies: Sequence[Remedy], measure: Measure, *, budget: float = BUDGET, seed: int = 0, full: bool = False,
    metric: Metric | None = None,
) -> Probes:
    """Try remedies, the most promising first in the given order, within a budget.

    measure: trains arms; the base at its full length from `seed` is the run that is to be improved, and costs nothing.
    budget:  in trainings of the base. With folds an arm is one training fewer than a run: K folds without the last.
    seed:    of the base. Screening uses the next two, confirmation those after them.
    full:    train every remedy in full from two seeds instead, whatever it costs; all are tested (Holm).
    metric:  what is gained in, where that is not accuracy, rmse or the score.

    Ctrl-C ends it with what is known. RecipeError without remedies, or with one name twice.
    """
    experiment = _Experiment(remedies, measure, inf if full else budget, seed, metric)
    try:
        experiment.measure_all() if full else experiment.search()
    except (KeyboardInterrupt, Interrupted):
        return experiment.judged(complete=False)
    return experiment.judged()


class _Experiment:
    """The arms that were trained, and what they say of the remedies."""

    def __init__(
        self, remedies: Sequence[Remedy], measure: Measure, budget: float, seed: int, metric: Metric | None
    ) -> None:
        names = [remedy.name for remedy in remedies]
        if not names or len(set(names)) < len(names):
            raise RecipeError("there is nothing to try" if not names else f"a name occurs twice among {sorted(names)}",
                              where="probe", remedy="Give remedies, each with a name of its own.")
        self.remedies, self.measure, self.budget, self.metric = tuple(remedies), measure, budget, metric
        self.seed, self.fresh = seed, seed + 3
        self.found: dict[str, tuple[Arm, Measured]] = {}

    # --- what is trained -------------------------------------------------------------------------------------

    def search(self) -> None:
        """Screening where there is a choice, then the best in full."""
        self._train([Arm(None, 1.0, self.seed)])
        self._screen(self._affordable(), self.seed + 1, SCREENING / 2 * self.budget)
        survivors = self._by_screening()
        if survivors := survivors[: (len(survivors) + 1) // 2]:
            left = min(SCREENING * self.budget, self.budget - self.cost(survivors[0])) - self.spent
            self._screen(survivors, self.seed + 2, left)
        for finalist in self._by_screening() or self.remedies[:1]:
            if not self._hopeless(finalist):
                self._train_if_affordable(Arm(finalist, 1.0, self.fresh))
                if self._looks_good(finalist):
                    self._settle(finalist)

    def _settle(self, finalist: Remedy) -> None:
        """More networks of the base and of the remedy in turn, so that the spread of seeds is seen and averaged."""
        for seed in range(self.fresh, self.fresh + SEEDS):
            for remedy in (None, finalist):
                self._train_if_affordable(Arm(remedy, 1.0, seed))

    def measure_all(self) -> None:
        """Every remedy in full, from two seeds."""
        self._train([Arm(None, 1.0, self.seed)])
        for seed in (self.fresh, self.fresh + 1):
            self._train([Arm(remedy, 1.0, seed) for remedy in (None, *self.remedies)])

    def _train(self, arms: Sequence[Arm]) -> None:
        new = [arm for arm in arms if arm.name not in self.found]
        self.found |= {arm.name: (arm, measured) for arm, measured in zip(new, self.measure(new), strict=True)}

    def _train_if_affordable(self, arm: Arm) -> None:
        if self.spent + (self.cost(arm.remedy) if arm.remedy else 1.0) <= self.budget:
            self._train([arm])

    def _affordable(self) -> list[Remedy]:
        """Of the remedies, in their order, those that the first rung can train for the shortest share."""
        chosen: list[Remedy] = []
        for remedy in self.remedies:
            if SHORTEST * (1 + sum(map(self.cost, [*chosen, remedy]))) <= SCREENING / 2 * self.budget:
                chosen.append(remedy)
        return chosen

    def _screen(self, remedies: Sequence[Remedy], seed: int, budget: float) -> None:
        """Where there is a choice: train base and remedies for the share of the base's steps that the budget pays."""
        share = min(LONGEST, budget / (1 + sum(map(self.cost, remedies))))
        if len(remedies) > 1 and share >= SHORTEST:
            self._train([Arm(remedy, round(share - 0.005, 2), seed) for remedy in (None, *remedies)])

    # --- what it costs ---------------------------------------------------------------------------------------

    @property
    def spent(self) -> float:
        """In trainings of the base; the run that is to be improved was there before."""
        return sum(arm.budget * (self.cost(arm.remedy) if arm.remedy else 1.0) for arm, _ in self.found.values()
                   if not self._is_run(arm))

    def _is_run(self, arm: Arm) -> bool:
        return arm.name == Arm(None, 1.0, self.seed).name

    def cost(self, remedy: Remedy) -> float:
        """Of a training with it, relative to the base: as measured at the largest share of screening, or expected."""
        screened = [(arm, got) for arm, got in self._arms_of(remedy) if arm.budget < 1]
        if not screened:
            return remedy.cost
        arm, measured = max(screened, key=lambda each: each[0].budget)
        base = self.found[Arm(None, arm.budget, arm.seed).name][1]
        return measured.seconds / base.seconds if base.seconds >= MEASURABLE else remedy.cost

    # --- what it says ----------------------------------------------------------------------------------------

    def _arms_of(self, remedy: Remedy | None) -> list[tuple[Arm, Measured]]:
        name = remedy.name if remedy else None
        return [(arm, got) for arm, got in self.found.values() if (arm.remedy.name if arm.remedy else None) == name]

    def _in_full(self, remedy: Remedy | None) -> list[Rows]:
        """Of its networks that were trained in full, one for each seed; of the base the run is the first."""
        return [got.rows for arm, got in self._arms_of(remedy) if arm.budget == 1 and not got.failure]

    def _seen(self, remedy: Remedy) -> tuple[float, Gain] | None:
        """The share of training at which the remedy was seen for longest, and what it gained there."""
        found = [(arm, got) for arm, got in self._arms_of(remedy) if not got.failure]
        if not found:
            return None
        arm, measured = max(found, key=lambda each: (each[0].budget, each[0].seed))
        if arm.budget < 1:
            base = self.found[Arm(None, arm.budget, arm.seed).name][1]
            return None if base.failure else (arm.budget, gain_of(base.rows, measured.rows, self.metric))
        return 1.0, mean_gain([gain_of(base, rows, self.metric) for base in self._in_full(None)
                               for rows in self._in_full(remedy)])

    def _by_screening(self) -> list[Remedy]:
        """What was screened, furthest and best first; the best against each gap before all others, in the order in
        which gaps were given: a short training compares remedies against one gap, not the gaps."""
        seen = [(found[0], found[1].value, remedy) for remedy in self.remedies if (found := self._seen(remedy))]
        ranked = [remedy for _, _, remedy in sorted(seen, key=lambda each: (-each[0], -each[1]))]
        gaps = dict.fromkeys(remedy.problems[:1] for remedy in self.remedies)
        ahead = [next(remedy for remedy in ranked if remedy.problems[:1] == gap) for gap in gaps
                 if any(remedy.problems[:1] == gap for remedy in ranked)]
        return ahead + [remedy for remedy in ranked if remedy not in ahead]

    def _hopeless(self, remedy: Remedy) -> bool:
        """Screened, and for sure no better."""
        found = self._seen(remedy)
        return found is not None and found[1].estimate.high <= 0

    def _looks_good(self, remedy: Remedy) -> bool:
        """Trained in full, and better than the run by more than chance."""
        found = self._seen(remedy)
        return found is not None and found[0] == 1 and found[1].estimate.low > 0

    def _spread(self, disagreement: float) -> Estimate:
        networks = [self._in_full(remedy) for remedy in (None, *self.remedies)]
        pairs = [gain_of(same[0], other, self.metric) for same in networks for other in same[1:]]
        return seed_spread(pairs, disagreement)

    def judged(self, complete: bool = True) -> Probes:
        """What is known by now."""
        seen = {remedy.name: found for remedy in self.remedies if (found := self._seen(remedy))}
        in_full = [name for name, (share, _) in seen.items() if share == 1]
        adjusted = dict(zip(in_full, holm([seen[name][1].p_value for name in in_full]).tolist())) if in_full else {}
        results = [self._result(remedy, seen, adjusted) for remedy in self.remedies]
        bases = self._in_full(None)
        spread = self._spread(0.0) if len(bases) > 1 else None
        return Probes(in_order(results), spread, self.spent, len(bases[0]) if bases else 0,
                      len({arm.seed for arm, _ in self.found.values()}), complete)

    def _result(self, remedy: Remedy, seen: dict[str, tuple[float, Gain]], adjusted: dict[str, float]) -> Result:
        if remedy.name not in seen:
            return self._unseen(remedy)
        share, gain = seen[remedy.name]
        if share < 1:
            return self._screened(remedy, share, gain)
        seeds = len(self._in_full(None)), len(self._in_full(remedy))
        promised = promise(gain, self._spread(gain.disagreement), seeds, len(seen), len(adjusted))
        return self._confirmed(remedy, gain, promised, adjusted[remedy.name])

    def _unseen(self, remedy: Remedy) -> Result:
        failure = next((got.failure for _, got in self._arms_of(remedy) if got.failure), "")
        return Result(remedy, "no" if failure else "not known", None, nan, 0.0, remedy.cost,
                      note=failure or "not tried within the budget")

    def _confirmed(self, remedy: Remedy, gain: Gain, promised: Estimate, p_value: float) -> Result:
        smallest = SMALLEST.get(promised.unit, 0.0)
        decision, needed = "not known", None
        if promised.low > 0 and promised.value >= smallest and p_value <= 0.05:
            decision = "adopt"
        elif promised.high <= smallest:
            decision = "no"
        else:
            needed = examples_needed(gain, smallest)
        return Result(remedy, decision, promised, p_value, 1.0, self.cost(remedy), needed)

    def _screened(self, remedy: Remedy, share: float, gain: Gain) -> Result:
        note = f"seen at {100 * share:.0f} % of the training"
        decision = "promising" if gain.estimate.low > 0 else "no" if gain.estimate.high <= 0 else "not known"
        needed = examples_needed(gain, SMALLEST.get(gain.estimate.unit, 0.0)) if decision == "not known" else None
        return Result(remedy, decision, gain.estimate, nan, share, self.cost(remedy), needed, note)
