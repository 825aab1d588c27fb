"""The page of advice: every command that it names is understood, with its options, by the command line as it is."""

from __future__ import annotations

import re
import shlex

import pytest
from scripts import DOCS
from typer import BadParameter
from typer.main import get_command

TEXT = re.sub(r"\s+", " ", (DOCS / "advice.md").read_text(encoding="utf-8"))
COMMANDS = list(dict.fromkeys(re.findall(r"`(orthogon [^`]+)`", TEXT)))
USAGE_ERROR = BadParameter.__mro__[1]
STAND_INS = {"DATA": "digits", "COLUMN=ignore": "image=ignore"}


def test_the_page_names_commands():
    assert len(COMMANDS) > 10


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_of_the_advice_are_understood(command):
    from orthogon.cli.main import app

    verb, *arguments = shlex.split(command)[1:]
    group = get_command(app)
    found = group.get_command(None, verb)  # type: ignore[attr-defined]
    assert found is not None, verb
    if not arguments:
        return
    with found.make_context(verb, [STAND_INS.get(each, each) for each in arguments]):
        pass  # a usage error is raised for options and values that are not understood


@pytest.mark.parametrize("wrong", ["orthogon train --satisfy x", "orthogon learn", "orthogon mistakes a b"])
def test_a_command_that_is_not_understood_is_noticed(wrong):
    with pytest.raises((AssertionError, USAGE_ERROR)):
        test_commands_of_the_advice_are_understood(wrong)
