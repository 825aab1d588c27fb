"""Time functions of one process in turn: for pieces so small that a process each would measure its start."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from harness import Record


def in_turn(contenders: Mapping[str, Callable[[], Any]], rounds: int, seconds: float = 0.2,
            clock: Callable[[], float] = time.process_time) -> list[Record]:
    """`rounds` records of each contender, one after another, each round beginning with another one.

    In a round each is called for about `seconds`. Counted are CPU seconds of this process, so that what other
    processes do disturbs little; so the functions must use one thread, or the clock be another one, on a quiet machine.
    """
    calls = {key: _calls_in(function, seconds, clock) for key, function in contenders.items()}
    names, records = list(contenders), []
    for turn in range(rounds):
        start = turn % len(names)
        for key in [*names[start:], *names[:start]]:
            function, began = contenders[key], clock()
            for _ in range(calls[key]):
                function()
            records.append({"round": turn, "contender": key, "steps": calls[key],
                            "seconds": clock() - began})
    return records


def _calls_in(function: Callable[[], Any], seconds: float, clock: Callable[[], float]) -> int:
    """How many calls take so long; the function is warm afterwards."""
    for _ in range(3):
        function()
    began = clock()
    function()
    return max(3, round(seconds / max(clock() - began, 1e-7)))
