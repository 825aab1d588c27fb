"""The health of the layers: gradients over the course of training, dead and saturated units, and what is wrong."""

from __future__ import annotations

from math import inf, nan
from typing import Any

from orthogon.draw.health import layer_map
from orthogon.draw.page import Page
from orthogon.draw.tables import html_table
from orthogon.report.view import View
from orthogon.report.words import first_upper
from orthogon.strategy.health import health_findings

MOST_LAYERS = 60
Record = dict[str, Any]


def health(page: Page, view: View) -> None:
    """What the task found, what the layers show, the gradient of each layer, and its dead or saturated units; nothing
    where none is recorded."""
    records, signs = view.health, view.result.get("signs") or []
    if not records and not signs:
        return
    page.section("Health", note=f"Gradients and units of each layer, recorded at {len(records)} steps of the run.")
    for sign in signs:
        page.callout(first_upper(sign["kind"]), f"{first_upper(sign['what'])}. {sign['remedy']}", "warning")
    if records:
        _layers(page, view, records)


def _layers(page: Page, view: View, records: list[Record]) -> None:
    found = health_findings(records)
    for finding in found:
        page.callout(first_upper(finding.kind), f"{first_upper(finding.what)}. {finding.remedy}", "warning")
    if not found:
        page.text("No gradient vanishes or explodes, few units are dead or saturated, activations keep their scale.")
    page.text(_about_clipping(view, records))
    layers, steps = shown_layers(records), [int(record["step"]) for record in records]
    numbers = _last_record(records[-1])
    gradients = _table(records, layers, "gradient")
    if any(value == value for row in gradients for value in row):
        about = f"Norm of the gradient of each layer's weights{_of_all(records, layers)}; zero has the palest color."
        page.figure(layer_map(gradients, layers, steps, title="norm of each layer's gradient by step", log=True),
                    about, numbers)
    silent, what = _silent(records, layers)
    if what:
        page.figure(layer_map(silent, layers, steps, title=f"share of {what} units by layer and step"),
                    f"Share of {what} units behind each layer; grey: {_grey(what)}.", numbers)


def numbers(view: View) -> dict[str, Any]:
    """What the section draws, as plain values: a list for each shown layer, with a value for each recorded step."""
    records = view.health
    if not records:
        return {}
    layers = shown_layers(records)
    columns = {name: _table(records, layers, name) for name in ("gradient", "dead", "saturated") if name in records[0]}
    return {"findings": [vars(finding) for finding in health_findings(records)],
            "steps": [record["step"] for record in records], "layers": layers, **columns}


def shown_layers(records: list[Record]) -> list[str]:
    """All layers in forward order, or 60 evenly chosen ones."""
    layers = list(records[-1]["layers"])
    if len(layers) <= MOST_LAYERS:
        return layers
    return [layers[round(at * (len(layers) - 1) / (MOST_LAYERS - 1))] for at in range(MOST_LAYERS)]


def _of_all(records: list[Record], layers: list[str]) -> str:
    count = len(records[-1]["layers"])
    return f", {len(layers)} of {count} layers" if len(layers) < count else ""


def _table(records: list[Record], layers: list[str], column: str) -> list[list[float]]:
    """layers × records; NaN where there is no value, infinity where a gradient was not finite."""
    columns = []
    for record in records:
        values = dict(zip(record["layers"], record.get(column) or []))
        if column == "gradient":
            values |= dict.fromkeys(record.get("not_finite", ()), inf)
        columns.append([nan if values.get(layer) is None else float(values[layer]) for layer in layers])
    return [list(row) for row in zip(*columns)]


def _silent(records: list[Record], layers: list[str]) -> tuple[list[list[float]], str]:
    """Dead or saturated, whichever a layer can be; and which of the two there are, "" for neither."""
    dead, saturated = (_table(records, layers, name) for name in ("dead", "saturated"))
    both = [[b if a != a else a for a, b in zip(*rows)] for rows in zip(dead, saturated)]
    kinds = [name for name, table in (("dead", dead), ("saturated", saturated))
             if any(value == value for row in table for value in row)]
    return both, " or ".join(kinds)


def _grey(what: str) -> str:
    return {"dead": "no rectifier behind it", "saturated": "no tanh or sigmoid behind it"}.get(
        what, "no rectifier, tanh or sigmoid behind it")


def _about_clipping(view: View, records: list[Record]) -> str:
    limit = view.run.recipe().train.clip_norm
    norms = [record["norm_before_clipping"] for record in records if record.get("norm_before_clipping") is not None]
    if limit is None or not norms:
        return ""
    cut = sum(norm > limit for norm in norms)
    return (f"Clipping at norm {limit:g} cut the gradient at {cut} of {len(norms)} recorded steps; "
            f"the longest was {max(norms):.3g}.")


def _last_record(record: Record) -> str:
    columns = [name for name in ("gradient", "weight", "update", "scale", "dead", "saturated") if name in record]
    rows = [[layer, *values] for layer, *values in zip(record["layers"], *(record[name] for name in columns))]
    return html_table(["layer", *columns], [[_short(cell) for cell in row] for row in rows[:MOST_LAYERS]],
                      caption=f"At step {record['step']:,}. weight: norm of the weights; update: norm of their change "
                      "over it; scale: standard deviation of what enters the layer", align="l" + "r" * len(columns))


def _short(cell: Any) -> Any:
    return f"{cell:.3g}" if isinstance(cell, float) else cell
