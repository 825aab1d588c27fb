"""What a check before training says."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Outcome(NamedTuple):
    """The evidence of one check, and what to do where it fails.

    status:   "skip" where there was nothing to look at; the evidence says why.
    hopeless: the training cannot succeed.
    """

    status: Literal["pass", "fail", "skip"]
    evidence: str
    remedy: str = ""
    hopeless: bool = False


def passed(evidence: str) -> Outcome:
    return Outcome("pass", evidence)


def failed(evidence: str, remedy: str, *, hopeless: bool = False) -> Outcome:
    return Outcome("fail", evidence, remedy, hopeless)


def skipped(why: str) -> Outcome:
    return Outcome("skip", why)
