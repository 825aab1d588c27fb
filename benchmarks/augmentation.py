"""Augmentation of a batch of 64 color pictures in memory, from bytes to the float batch that a network takes: mirrored
with probability one half, a random crop at the size of the whole, turned, sheared and scaled, and brightness, contrast,
saturation and hue changed, each picture by a draw of its own. Pillow does it picture by picture, as a pipeline of
workers would; Kornia and Orthogon do whole batches. Told is the CPU time on one thread, so that other work on the
machine hardly counts; ratios are paired within a round. Kornia is asked for in the peers' Python."""

from __future__ import annotations

import sys
from statistics import median

from harness import HERE, Record, Settings, alone, call, errors, ratio, say, show_ratio, table, verdict

NAMES = {"orthogon": "Orthogon", "pillow": "Pillow, picture by picture", "kornia": "Kornia"}
SIDES = (32, 96, 224)
BATCH, GOAL = 64, 5.0


def measure(settings: Settings) -> Record:
    """Records of all contenders in turn, each in a process of its own."""
    records = []
    for turn in range(settings.rounds):
        for key in (name for name in NAMES if name not in settings.without):
            python = settings.peers if key == "kornia" else sys.executable
            script = str(HERE / "peers" / "augmenting.py")
            found = call([python, script, key, str(int(settings.quick))], key != "kornia")
            records.append({"round": turn, "contender": key, **found})
            say(f"round {turn + 1}/{settings.rounds}  {NAMES[key]:30} {found}")
    return {"records": records}


def goals(found: Record) -> list[tuple[str, str, str]]:
    """(goal, measured, verdict)."""
    shares = {side: _times(found, "pillow", side) for side in SIDES}
    return [(f"Augmentation at {side} px: at least {GOAL:g} times a Pillow pipeline", show_ratio(share, 1),
             verdict(share, GOAL, at_most=False)) for side, share in shares.items()]


def render(found: Record) -> str:
    """The table in Markdown."""
    rows = []
    for key in dict.fromkeys(record["contender"] for record in found["records"]):
        told = [f"{BATCH / median(_seconds(found, key, side).values()):,.0f}" if _seconds(found, key, side) else "–"
                for side in SIDES]
        more = [show_ratio(_times(found, key, side), 1) if key != "orthogon" else "1" for side in SIDES]
        rows.append((NAMES[key], *(f"{each} ({times})" for each, times in zip(told, more))))
    heads = (f"{side} px" for side in SIDES)
    failed = "".join(f"\n\n{NAMES[key]} failed: {why}" for key, why in errors(found["records"]).items())
    about = "Pictures a CPU second, and in brackets how many times as fast Orthogon is."
    return f"{about}\n\n{table(('', *heads), rows)}{failed}"


def _seconds(found: Record, key: str, side: int) -> dict[int, float]:
    """Round -> CPU seconds of a batch."""
    return {each["round"]: each["seconds"][str(side)] for each in found["records"]
            if each["contender"] == key and "seconds" in each}


def _times(found: Record, key: str, side: int) -> Record:
    return ratio(_seconds(found, key, side), _seconds(found, "orthogon", side))


if __name__ == "__main__":
    alone(__doc__, measure, render, lambda rounds, quick: None)
