"""What is known of the labels as one document: the evidence "labels", its sentences and its lines of the work list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from orthogon.stats import rate
from orthogon.strategy.label_review import NoiseInError, Review, Version, noise_in_error, shown
from orthogon.strategy.labels import LabelQueue
from orthogon.strategy.work_list import Work

SHOWN = 50
AUDIT = 200
"""Examples of an audit: 6 wrong ones of 200 are 3 % [1.4, 6.4]."""


def document_of(
    queue: LabelQueue, reviewed: Review | None = None, audited: Review | None = None, versions: Sequence[Version] = ()
) -> dict[str, Any]:
    """The evidence document; every figure an Estimate's dict.

    n, models, parts, error (out of sample, with the labels as given), doubted, flagged (neither is an estimate of the
    rate), queue (its first 50), reviewed, audit, noise, versions, sentences, work.
    """
    doubted = queue.predicted != queue.given
    error = rate(doubted)
    audit = None if audited is None else _audit(queue, audited)
    noise = None if audited is None or not doubted.any() else _noise(audited, error.value)
    sentences = [f"{int(doubted.sum()):,} of {len(queue):,} labels are not what held-out models would say; so many are "
                 "doubted, not wrong"]
    sentences += [] if reviewed is None else [reviewed.sentence()]
    sentences += [] if audit is None else [f"audit of {audit['n']} at random: {audit['wrong']} wrong labels, "
                                           f"{shown(rate(audited.wrong))}"]  # type: ignore[union-attr]
    sentences += [] if noise is None else [noise.sentence()]
    return {
        "n": len(queue), "models": queue.models, "classes": list(queue.classes),
        "parts": {str(part): int((queue.part == part).sum()) for part in np.unique(queue.part)},
        "error": error.to_dict(), "doubted": int(doubted.sum()), "flagged": int(queue.flagged.sum()),
        "queue": _first(queue), "reviewed": None if reviewed is None else reviewed.to_dict(), "audit": audit,
        "noise": None if noise is None else noise.to_dict(), "versions": [each.to_dict() for each in versions],
        "sentences": sentences, "work": [_work(noise, reviewed).to_dict()],
    }


def _audit(queue: LabelQueue, audited: Review) -> dict[str, Any]:
    parts = queue.part[audited.places]
    return {"n": len(audited.wrong), "wrong": int(audited.wrong.sum()), "unsure": audited.unsure,
            "rate": rate(audited.wrong).to_dict(),
            "by_part": {str(part): rate(audited.wrong[parts == part]).to_dict() for part in np.unique(parts)}}


def _noise(audited: Review, error: float) -> NoiseInError:
    return noise_in_error(int((audited.wrong & audited.doubted).sum()), len(audited.wrong), error)


def _first(queue: LabelQueue) -> list[dict[str, Any]]:
    given, suggested = queue.names(queue.given), queue.names(queue.suggested)
    return [
        {"id": str(queue.ids[i]), "part": str(queue.part[i]), "given": str(given[i]), "suggested": str(suggested[i]),
         "confidence": float(queue.confidence[i]), "flagged": bool(queue.flagged[i])}
        for i in range(min(SHOWN, len(queue)))
    ]


def _work(noise: NoiseInError | None, reviewed: Review | None) -> Work:
    """A ceiling where an audit was made: all that mending every wrong label could buy. Otherwise the audit itself."""
    if noise is None:
        return Work(f"audit {AUDIT} labels at random", "labels", "not known", None, f"{AUDIT} labels to look at",
                    "labels", note="The rate of wrong labels comes from an audit; the queue only finds them.")
    done = 0 if reviewed is None else len(reviewed.wrong)
    note = noise.sentence() + (f"; {done} are reviewed" if done else "")
    return Work("mend wrong labels, in dev and test alike", "labels", "no" if noise.matters == "no" else "at most",
                noise.points, "review of the queue", "labels", note=note)


def text_of(document: dict[str, Any], name: str) -> str:
    """The document as a person reads it on a screen."""
    from orthogon.draw.tables import text_table

    lines = [f"{'labels':<12}{sentence}" if not i else f"{'':<12}{sentence}"
             for i, sentence in enumerate(document["sentences"])]
    rows = [[each["id"], each["part"], each["given"], each["suggested"], f"{each['confidence']:.3f}"]
            for each in document["queue"][:10]]
    table = text_table(["the label believed least", "part", "given", "suggested", "belief in it"], rows, align="llllr")
    if document["versions"]:
        cells = [[each["part"], f"{each['changed']:,}", *(_percent(each[key]) for key in ("before", "after"))]
                 for each in document["versions"]]
        heads = ["part", "labels changed", "error as given, %", "error as corrected, %"]
        table = text_table(heads, cells, align="lrll")
    return "\n".join([*lines, "", table])


def _percent(estimate: dict[str, Any]) -> str:
    return f"{100 * estimate['value']:.1f} [{100 * estimate['low']:.1f}, {100 * estimate['high']:.1f}]"
