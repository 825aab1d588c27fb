"""What was asked of a run after training: targets, more data, kinds of mistakes, labels, mismatch, calibration.

Each stands here only where it was asked; the answers are the documents in `evidence/`.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from orthogon.draw.curves import curves
from orthogon.draw.learning_curve import learning_curve as learning_figure
from orthogon.draw.page import Page
from orthogon.draw.tables import format_number, html_table
from orthogon.report.view import View, estimate
from orthogon.report.words import first_upper, interval_cell
from orthogon.stats.estimate import Estimate
from orthogon.strategy.blame import Blame

MOST = 10
"""Lines of a table of features or labels; all stand in the evidence."""


def targets(page: Page, view: View) -> None:
    """The thresholds that a run must keep, and whether it is known to keep them."""
    found = view.evidence.get("targets") or {}
    kept = found.get("satisficing") or []
    if not kept:
        return
    page.section("Targets", note=first_upper(str(found["sentence"])))
    rows = [[each["name"], f"{'at least' if each['at_least'] else 'at most'} {each['threshold']:g}",
             interval_cell(estimate(each["estimate"])), each["state"], each["needed"] or ""] for each in kept]
    page.html(html_table(["", "wanted", "measured", "state", "examples that would decide"], rows, align="llrlr"))


def learning_curve(page: Page, view: View) -> None:
    """Error by the number of training examples, with its law and what twice the data would buy."""
    found = view.evidence.get("learning-curve")
    if not found:
        return
    page.section("More data", note=first_upper(str(found["sentence"])))
    points, dev = found["points"], [estimate(point["dev"]) for point in found["points"]]
    rate = all(one is not None and one.unit == "rate" for one in dev)
    rows = [[point["size"], interval_cell(one), format_number(point["train"], rate), len(point["draws"])]
            for point, one in zip(points, dev, strict=True)]
    svg = learning_figure(
        [point["size"] for point in points],
        [[point["dev"][key] for point in points] for key in ("value", "low", "high")],
        [point["train"] for point in points], y_label=found["metric"] + (", %" if rate else ""), band=found.get("band"),
        scale=100.0 if rate else 1.0,
    )
    page.figure(svg, "Error on dev and on the examples learnt, by how many were learnt.",
                html_table(["trained on", "dev", "train", "draws"], rows, align="rrrr"))


def mistakes(page: Page, view: View) -> None:
    """Tags of mistakes with their ceilings, and slices that do worse."""
    tags, slices = view.evidence.get("tags") or {}, view.evidence.get("slices") or {}
    confirmed = [one for one in slices.get("slices") or [] if one["state"] == "confirmed"]
    if not (tags.get("tags") or confirmed):
        return
    page.section("Kinds of mistakes", note=_examined(tags))
    if tags.get("tags"):
        rows = [[one["name"], one["count"], interval_cell(estimate(one["share"])),
                 interval_cell(estimate(one["ceiling"]))] for one in tags["tags"]]
        page.html(html_table(["tag", "mistakes", "share of mistakes", "mending all buys at most"], rows, align="lrrr"))
    for said in (tags.get("retire"), *(tags.get("notes") or [])):
        page.text(first_upper(str(said)) if said else "")
    if confirmed:
        rows = [[one["name"], *(interval_cell(estimate(one[key])) for key in ("eyeball", "blackbox", "elsewhere"))]
                for one in confirmed]
        page.html(html_table(["slice", "error, Eyeball", "error, Blackbox", "error elsewhere"], rows, align="lrrr",
                             caption=f"Slices that do worse: {slices['tried']} were tried on examples that were looked "
                             "at, and these confirmed once on those that were not"))


def _examined(tags: dict[str, Any]) -> str:
    if not tags.get("tags"):
        return ""
    return f"{tags['examined']:,} of {tags['mistakes']:,} mistakes were looked at: {tags['reliability']}."


def blame(page: Page, view: View) -> None:
    """Whether wrong outputs are the search's fault or the model's, by length."""
    document = view.evidence.get("blame")
    if not document:
        return
    found = Blame.from_dict(document)
    page.section("Search or model?", note=f"{first_upper(found.sentence)}.")
    headers, rows = found.cells()
    page.html(html_table(headers, [[interval_cell(cell) if isinstance(cell, Estimate) else cell for cell in row]
                                   for row in rows], align="rrrr"))
    beside = [[title, interval_cell(one)] for title, one in found.beside()]
    if beside:
        page.html(html_table(["", "95 % interval below"], beside, align="lr"))


def labels(page: Page, view: View) -> None:
    """What review and audit say of the labels, and those that are believed least."""
    found = view.evidence.get("labels")
    if not found:
        return
    page.section("Labels", note=" ".join(f"{first_upper(str(each))}." for each in found["sentences"]))
    rows = [[each["id"], each["part"], each["given"], each["suggested"], f"{each['confidence']:.3f}"]
            for each in found["queue"][:MOST]]
    page.html(html_table(["the labels believed least", "part", "given", "suggested", "belief in it"], rows,
                         align="llllr"))
    if found["versions"]:
        rows = [[each["part"], each["changed"], *(interval_cell(estimate(each[key])) for key in ("before", "after"))]
                for each in found["versions"]]
        page.html(html_table(["part", "labels changed", "error as given", "error as corrected"], rows, align="lrrr"))


def mismatch(page: Page, view: View) -> None:
    """Whether dev looks different from train, in what, and the pictures that differ most."""
    found = view.evidence.get("mismatch")
    if not found:
        return
    page.section("What differs", note=first_upper(str(found["sentence"])) + ".")
    differing = [each for each in found["features"] if each["differs"]]
    if differing:
        rows = [[each["name"], each["question"], interval_cell(estimate(each["auc"])), each["how"]]
                for each in differing[:MOST]]
        page.html(html_table(["feature", "", "told apart, AUC", f"{found['first']} to {found['second']}"], rows,
                             align="llrl"))
    sheet = view.run.path / str(found.get("sheet") or "")
    if found.get("sheet") and sheet.is_file():
        data = "data:image/png;base64," + b64encode(sheet.read_bytes()).decode("ascii")
        page.image(data, f"pictures of {found['first']} beside pictures of {found['second']}",
                   f"The pictures most like {found['first']}, and those most like {found['second']}.")


def overfitting(page: Page, view: View) -> None:
    """How much the best of all runs on this dev set owes to having been chosen by it."""
    found = view.evidence.get("overfitting") or {}
    if found.get("alarm"):
        page.callout("Dev has been chosen by too often", str(found["sentence"]), "warning")
    elif (found.get("models") or 0) > 1:
        page.text(str(found["sentence"]))


def calibration(page: Page, view: View) -> None:
    """The curve that needs no bins, its parts of the Brier score, and what a temperature changes."""
    found = view.evidence.get("calibration")
    if not found:
        return
    curve, parts = found["curve"], found["brier"]
    page.text(f"{first_upper(str(found['sentence']))}. {first_upper(str(found['mended']['sentence']))}."
              if found.get("mended") else f"{first_upper(str(found['sentence']))}.")
    line = [[100 * value for value in curve[key]] for key in ("stated", "true", "low", "high")]
    page.figure(
        curves({"came true": tuple(line)}, title=f"reliability on {found['part']}, without bins",
               x_label="stated confidence, %", y_label="share that came true, %"),
        f"Isotonic reliability with the band that calibrated probabilities would keep to, n = {curve['n']:,}. Parts of "
        f"the Brier score {parts['score']:.4f}: miscalibration {parts['miscalibration']:.4f}, discrimination "
        f"{parts['discrimination']:.4f}, uncertainty {parts['uncertainty']:.4f}.",
    )
