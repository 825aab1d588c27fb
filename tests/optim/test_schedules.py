"""Schedules against the equations and torch's own; places, warm-up, bad values."""

from __future__ import annotations

import math
import warnings

import pytest
import torch

from orthogon import registry
from orthogon.equations import schedules as equations
from orthogon.optim.schedules import (
    Constant,
    Cosine,
    Exponential,
    InverseTime,
    Linear,
    Manual,
    OneCycle,
    Plateau,
    Root,
    Schedule,
    Staircase,
    Timeline,
)

RUN = Timeline(steps=300, epoch_steps=10)


def rates(schedule: Schedule, steps: int = 300) -> list[float]:
    return [schedule(step) for step in range(steps)]


def by_torch(make, steps: int = 300) -> list[float]:
    """What a scheduler of torch makes of the rate 1, asked before each step."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler, found = make(optimizer), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(steps):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
    return found


EQUATIONS = {
    "inverse_time": (InverseTime, lambda k: equations.inverse_time(k // 10, 1.0)),
    "exponential": (Exponential, lambda k: equations.exponential(k // 10, 1.0)),
    "root": (Root, lambda k: equations.inverse_square_root(k // 10 + 1, 1.0)),
    "step": (Staircase, lambda k: equations.staircase(k // 10, 1.0)),
    "linear": (Linear, lambda k: equations.linear_to_zero(k, 1.0, 300)),
    "cosine": (Cosine, lambda k: equations.cosine(k, 1.0, 300)),
    "constant": (Constant, lambda k: 1.0),
}


@pytest.mark.parametrize("name", EQUATIONS)
def test_a_schedule_is_its_equation(name):
    cls, equation = EQUATIONS[name]
    assert rates(cls(RUN)) == pytest.approx([equation(k) for k in range(300)], rel=1e-13)


def test_one_cycle_is_its_equation():
    cycle = OneCycle(Timeline(300, 10, warmup=OneCycle.default_warmup))
    assert rates(cycle) == pytest.approx([equations.one_cycle(k, 1.0, 300) for k in range(300)], rel=1e-13)


def test_decays_multiply_the_rate_and_start_from_it():
    """E15, E16 and E29: each is a factor of α₀, 1 in the first epoch; the root counts epochs from 1."""
    for cls in (InverseTime, Exponential, Root):
        assert [cls(RUN)(k) for k in (0, 9)] == [1.0, 1.0]
    assert InverseTime(RUN)(10) == pytest.approx(1 / 2)
    assert InverseTime(Timeline(300, 10, factor=3.0))(20) == pytest.approx(1 / 7)
    assert Exponential(RUN)(20) == pytest.approx(0.95**2)
    assert Exponential(Timeline(300, 10, factor=0.5))(30) == pytest.approx(1 / 8)
    assert Root(RUN)(30) == pytest.approx(1 / 2)
    assert Root(Timeline(300, 10, factor=2.0))(0) == 2.0


TORCH = {
    "step": (Staircase(Timeline(300, 10, factor=0.5, every=7)),
             lambda o: torch.optim.lr_scheduler.StepLR(o, step_size=70, gamma=0.5)),
    "manual": (Manual(Timeline(300, 10, table={6: 0.3, 21: 0.09})),
               lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [50, 200], gamma=0.3)),
    "exponential": (Exponential(Timeline(300, 1, factor=0.99)),
                    lambda o: torch.optim.lr_scheduler.ExponentialLR(o, gamma=0.99)),
    "cosine": (Cosine(RUN), lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=300)),
    "linear": (Linear(RUN), lambda o: torch.optim.lr_scheduler.LinearLR(o, 1.0, 0.0, total_iters=300)),
    "warm-up": (Constant(Timeline(300, 10, warmup=0.2)),
                lambda o: torch.optim.lr_scheduler.LinearLR(o, 1 / 60, 1.0, total_iters=59)),
}


@pytest.mark.parametrize("name", TORCH)
def test_a_schedule_is_that_of_torch_where_torch_has_it(name):
    schedule, make = TORCH[name]
    assert rates(schedule) == pytest.approx(by_torch(make), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("patience", [1, 2, 4])
def test_plateau_is_that_of_torch_and_of_the_equation(patience):
    """torch waits for more than `patience` bad epochs, Orthogon for so many."""
    scores = [0.1, 0.3, 0.3, 0.2, 0.4, 0.4, 0.35, 0.39, 0.5, 0.1, 0.1, 0.1, 0.1, 0.1, 0.6, 0.6, 0.6]
    schedule = Plateau(Timeline(300, 10, factor=0.5, every=patience))
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, "max", 0.5, patience - 1, threshold=0.0, eps=0.0)
    for n, score in enumerate(scores, 1):
        schedule.observe(score)
        theirs.step(score)
        assert schedule(0) == optimizer.param_groups[0]["lr"]
        assert schedule(0) == equations.plateau(scores[:n], 1.0, 0.5, patience)
    again = Plateau(Timeline(300, 10, factor=0.5, every=patience))
    again.load_state(schedule.state())
    for score in (0.2, 0.2, 0.7, 0.1):
        schedule.observe(score)
        again.observe(score)
        assert again(0) == schedule(0)
    assert Plateau(Timeline(300, 10, every=1)).factor == 0.1


def test_warm_up_rises_and_decays_count_from_its_end():
    warm = Timeline(steps=200, epoch_steps=10, warmup=0.2, every=3)
    for cls in (Constant, Linear, Cosine, InverseTime, Exponential, Root, Staircase):
        schedule = cls(warm)
        assert [schedule(k) for k in (0, 19, 39, 40)] == pytest.approx([1 / 40, 0.5, 1.0, 1.0])
    assert InverseTime(warm)(50) == pytest.approx(0.5)
    assert [Staircase(warm)(k) for k in (69, 70)] == pytest.approx([1.0, 0.1])
    assert Linear(warm)(120) == pytest.approx(0.5)
    assert Cosine(warm)(120) == pytest.approx(0.5)
    assert Manual(Timeline(200, 10, warmup=0.2, table={6: 0.5}))(49) == 1.0
    assert Manual(Timeline(200, 10, warmup=0.2, table={6: 0.5}))(50) == 0.5


def test_only_one_cycle_warms_up_by_itself():
    found = {entry.name: entry.load().default_warmup for entry in registry.schedules}
    assert {name: share for name, share in found.items() if share} == {"one_cycle": 0.25}


def test_the_table_says_what_holds_from_an_epoch_on():
    """Row 8.05: epochs count from 1, in any order; before the first entry the rate is whole."""
    schedule = Manual(Timeline(60, 10, table={5: 0.1, 2: 0.5, 4: 0}))
    assert [schedule(k) for k in range(0, 60, 10)] == [1.0, 0.5, 0.5, 0.0, 0.1, 0.1]
    assert [schedule(k) for k in (9, 10, 39, 40)] == [1.0, 0.5, 0.0, 0.1]
    assert Manual(Timeline(60, 10, table={1: 0.25}))(0) == 0.25


@pytest.mark.parametrize(("table", "what"), [
    ({7: 0.1}, "names epoch 7, and the run has epochs 1 to 6"), ({0: 0.1}, "names epoch 0"), ({}, "there is no table"),
    ({3: -0.1}, "must be 0 or above"), ({2: math.nan}, "must be 0 or above")])
def test_a_table_that_does_not_fit_the_run_is_refused(table, what):
    with pytest.raises(ValueError, match=what):
        Manual(Timeline(55, 10, table=table))
    Manual(Timeline(55, 10, table={6: 0.1}))


@pytest.mark.parametrize("cls", [Staircase, Plateau, Exponential])
def test_factors_that_would_raise_the_rate_are_refused(cls):
    for factor in (0.0, 1.1, -0.5, math.nan):
        with pytest.raises(ValueError, match="must lie above 0 and not above 1"):
            cls(Timeline(300, 10, factor=factor))
    assert cls(Timeline(300, 10, factor=1.0))(299) == 1.0
    for unbounded in (InverseTime, Root):
        assert unbounded(Timeline(300, 10, factor=1e6)).factor == 1e6


def test_a_schedule_that_the_run_is_too_short_for_says_so():
    assert Staircase(Timeline(300, 10, every=30)).never_acts() == \
        "the rate would first drop after epoch 30, and the run has 30"
    assert Staircase(Timeline(300, 10, every=29)).never_acts() == ""
    assert "after epoch 33" in Staircase(Timeline(300, 10, warmup=0.1, every=30)).never_acts()
    assert "after epoch 30 at the earliest, and the run has 30" in Plateau(Timeline(300, 10, every=29)).never_acts()
    assert Plateau(Timeline(300, 10, every=28)).never_acts() == ""
    for entry in registry.schedules:
        if entry.name not in ("step", "plateau", "manual"):
            assert entry.load()(Timeline(3, 3)).never_acts() == ""


def test_steps_lie_in_the_epochs_that_they_are_counted_to():
    even, uneven = Timeline(35, 10), Timeline(35, (10, 5, 2))
    assert [even.epoch(k) for k in (0, 9, 10, 29, 30, 1000)] == [0, 0, 1, 2, 3, 100]
    assert [uneven.epoch(k) for k in (0, 9, 10, 14, 15, 16, 17, 18, 19, 21)] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 5]
    assert (even.epochs, uneven.epochs, Timeline(30, 10).epochs, Timeline(31, (10, 5)).epochs) == (4, 12, 3, 6)
    assert Exponential(Timeline(35, (10, 5, 2)))(15) == pytest.approx(0.95**2)


def test_a_run_that_is_all_warm_up_keeps_its_rate_after_it():
    for kind in (Cosine, Linear):
        schedule = kind(Timeline(steps=1, epoch_steps=1, warmup=0.9))
        assert [schedule(0), schedule(1)] == [1.0, 1.0]


def test_only_the_plateau_has_a_state():
    assert Cosine(Timeline(10, 5)).state() == {}
    assert Plateau(Timeline(10, 5)).state() != {}
