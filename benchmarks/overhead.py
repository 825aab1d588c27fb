"""What a step costs beside the mathematics: a small network on rows in memory.

784-128-10, ReLU, Adam at 1e-3 without decay, batch 32, 16,384 generated float32 rows. One epoch warms up; the next
three are timed from the end of the first to the end of the last, everything between epochs included.
"""

from __future__ import annotations

from statistics import median

from harness import (
    Contender,
    Problem,
    Record,
    Settings,
    arguments,
    disagreeing,
    errors,
    interleave,
    middle,
    ratio,
    seconds_per_step,
    settings_of,
    show_ratio,
    table,
    verdict,
)

PLAIN = Contender("plain", "PyTorch: DataLoader and a loop", "plain")
CONTENDERS = (
    Contender("orthogon", "**Orthogon**", "orthogon"),
    PLAIN,
    Contender("single", "the same on 1 thread", "plain", "single"),
    Contender("index", "PyTorch, batches by index", "plain", "index"),
    Contender("tuned", "PyTorch by hand: index, fused Adam, 1 thread", "plain", "tuned"),
    Contender("skorch", "skorch", "skorch"),
    Contender("accelerate", "Accelerate", "accelerate"),
    Contender("barebones", "Lightning, barebones", "lightning", "barebones"),
    Contender("lightning", "Lightning", "lightning"),
    Contender("keras-jax", "Keras on JAX", "keras", "jax"),
    Contender("keras-torch", "Keras on torch", "keras", "torch"),
)
GOAL = 0.75


def measure(settings: Settings) -> Record:
    """Records of all runs."""
    given = Problem("overhead", rows=256, epochs=2) if settings.quick else Problem("overhead", rows=16_384, epochs=4)
    return {"problem": given.__dict__, "records": interleave(CONTENDERS, given, settings)}


def goals(found: Record) -> list[tuple[str, str, str]]:
    """(goal, measured, verdict)."""
    records = found["records"]
    share = ratio(seconds_per_step(records, "orthogon"), seconds_per_step(records, "plain"))
    return [(f"Overhead: at most {GOAL} of plain PyTorch's time a step", show_ratio(share),
             verdict(share, GOAL, at_most=True))]


def render(found: Record) -> str:
    """The table in Markdown."""
    records, failed = found["records"], errors(found["records"])
    plain, ours = seconds_per_step(records, "plain"), seconds_per_step(records, "orthogon")
    rows = []
    for each in CONTENDERS:
        own = seconds_per_step(records, each.key)
        if not own:
            rows.append((each.name, f"failed: {failed.get(each.key, 'not run')}", "–", "–", "–"))
            continue
        rows.append((
            each.name, show_ratio(ratio(own, plain)), "1" if each.key == "orthogon" else show_ratio(ratio(own, ours)),
            f"{1000 * median(own.values()):.3f}", f"{middle(records, each.key, 'peak_rss') / 2**20:.0f}",
        ))
    head = ("", "time a step / plain PyTorch's", "/ Orthogon's", "median ms a step", "peak MiB")
    wrong = disagreeing(records)
    return table(head, rows) + (f"\n\nNot the same number of parameters: {', '.join(wrong)}." if wrong else "")


if __name__ == "__main__":
    result = measure(settings_of(arguments(__doc__ or "").parse_args()))
    print(render(result), *(f"\n{goal}: {value} – {said}" for goal, value, said in goals(result)))
