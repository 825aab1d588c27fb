"""`report`: the one-file report of a run, written again."""

from __future__ import annotations

from pathlib import Path

from orthogon.train.run import Run


def report(run: str | Path | Run = "last", *, open: bool = False, root: str | Path = "runs") -> Path:
    """Write `report.html` of a finished run, and say where it is.

    run:  a path, a name under `root`, "last" or "last~1". open: show it in the browser.
    RunError where there is no such run, or it has not ended.
    """
    found = Run.open(run, root)
    _ = found.result  # says so where it has not ended
    from orthogon.report.report import write

    path = write(found)
    if open:
        import webbrowser

        webbrowser.open(path.resolve().as_uri())
    return path
