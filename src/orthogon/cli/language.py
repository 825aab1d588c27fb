"""`score`, `write`: language models at work."""

from __future__ import annotations

from typing import Annotated

from typer import Argument, Option

from orthogon.cli import complete
from orthogon.cli.shell import Debug, Json, Root, emit, page, quiet_stdout

ThisRun = Annotated[str, Argument(metavar="RUN", help="A path, a name, last or last~1.", autocompletion=complete.runs)]


def score(
    run: ThisRun,
    texts: Annotated[list[str], Argument(metavar="TEXT...", help="Texts to compare; of one alone, each token.")],
    out: Root = "runs",
    json: Json = False,
    debug: Debug = False,
) -> None:
    """How probable a language model finds texts, the most probable first.

    orthogon score last "Ram ate an apple" "Ram an ate apple"
    """
    with quiet_stdout(json):
        from orthogon.verbs.language import score as verb

        found = verb(run, texts, root=out)
    emit(found.to_dict()) if json else page(str(found))


def write(
    run: ThisRun = "last",
    start: Annotated[str, Option("--start", metavar="TEXT", help="What each text begins with.")] = "",
    count: Annotated[int, Option("--count", metavar="N", min=1, help="How many texts.")] = 1,
    length: Annotated[int | None, Option("--length", metavar="TOKENS", min=1, help="At most.",
                                         show_default="100, of running text 500")] = None,
    temperature: Annotated[float, Option(help="Below 1 likely tokens become likelier; 0 takes the likeliest.")] = 1.0,
    top_k: Annotated[int, Option("--top-k", metavar="K", help="Only the K likeliest tokens; 0 = all.")] = 0,
    top_p: Annotated[float, Option("--top-p", metavar="P",
                                   help="Only the fewest tokens that have this probability together.")] = 1.0,
    unknown: Annotated[bool, Option("--unknown", help="The mark for unknown words may be written too.")] = False,
    seed: Annotated[int, Option(help="The same seed writes the same texts.")] = 0,
    out: Root = "runs",
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Write new texts with a language model, token by token.

    orthogon write last --start "ROMEO:" --temperature 0.8 · orthogon write names-1 --count 20
    """
    with quiet_stdout(json):
        from orthogon.verbs.language import write as verb

        found = verb(run, start, count=count, length=length, temperature=temperature, top_k=top_k, top_p=top_p,
                     unknown=unknown, seed=seed, root=out)
    emit(found.to_dict()) if json else page(str(found))
