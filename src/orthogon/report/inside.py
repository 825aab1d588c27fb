"""What the network looks at: where it sees classes in its mistakes, and the patches its units answer to."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from orthogon.draw.page import Page
from orthogon.report.view import View
from orthogon.report.words import first_upper

STYLE = """<style>
.looks{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,17rem),1fr));gap:.9rem;list-style:none;
margin:.6rem 0 1.2rem;padding:0;max-width:none}
.looks>li{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:.7rem;font-size:.88rem;
line-height:1.35;overflow-wrap:anywhere;break-inside:avoid}
.looks .row{display:grid;grid-template-columns:repeat(2,1fr);gap:.5rem;margin:.5rem 0 0}
.looks figure{border:0;background:none;border-radius:0;margin:0;overflow:visible}
.looks img{width:100%;aspect-ratio:1;object-fit:contain;border-radius:6px;display:block}
.looks figcaption{color:var(--muted);font-size:.8rem;line-height:1.3;padding:.25rem 0 0;margin:0}
.looks b{font-weight:620}
.looks .id{color:var(--muted);font-size:.78rem;display:block}
.units{display:grid;grid-template-columns:repeat(auto-fill,minmax(8.2rem,1fr));gap:.9rem;list-style:none;
margin:.6rem 0 1.2rem;padding:0;max-width:none}
.units li{font-size:.85rem;line-height:1.3;break-inside:avoid}
.units img{width:100%;display:block;border-radius:6px}
.units span{color:var(--muted)}
</style>""".replace("\n", "")


def inside(page: Page, view: View) -> None:
    """The section of the report; nothing where no network was looked into."""
    section(page, view.evidence.get("inside") or {})


def section(page: Page, found: Mapping[str, Any]) -> None:
    """The evidence "inside" as a section of any page."""
    if not found.get("examples") and not found.get("patches"):
        return
    page.section("What the network looks at", note=str(found["sentence"]), id="inside")
    page.html(STYLE)
    if found["examples"]:
        page.html(f"<h3>{escape(first_upper(found['about_examples']))}</h3>")
        page.html(f'<p class="note">{escape(_about_heat(found))}</p>')
        page.html('<ul class="looks">' + "".join(map(_example, found["examples"])) + "</ul>")
    sees = {layer["name"]: layer for layer in found["layers"]}
    for each in found["patches"]:
        page.html(f"<h3>Units of {escape(each['layer'])}</h3>")
        page.html(f'<p class="note">{escape(_about_units(sees[each["layer"]], found))}</p>')
        page.html('<ul class="units">' + "".join(map(_unit, each["units"])) + "</ul>")


def _about_heat(found: Mapping[str, Any]) -> str:
    text = (f"Grad-CAM at {found['heat_layer']}: warm places speak for the class; both classes of an example are drawn "
            "to one scale, so a cold picture means that nothing spoke for it.")
    if any("occlusion" in example for example in found["examples"]):
        text += (" Covered: a grey square is moved over the picture, and warm is where the predicted class loses "
                 "probability under it; told is the most that it loses.")
    return text


def _about_units(layer: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    high, wide = layer["sees"]
    whole = found["picture"]
    what = "the whole picture" if [high, wide] == whole else f"{high}×{wide} of {whole[0]}×{whole[1]} pixels"
    return (f"A unit sees {what}. For each unit shown, the nine patches to which it answers most, of "
            f"{found['looked_at']:,} pictures, one of each; the crop is exactly what the unit sees.")


def _example(example: Mapping[str, Any]) -> str:
    pictures = [("picture", "picture"), ("true_heat", f"for {example['true']}"),
                ("predicted_heat", f"for {example['predicted']}"),
                ("occlusion", f"covered: −{100 * example.get('drop', 0):.0f} points for {example['predicted']}")]
    if example["true"] == example["predicted"]:
        del pictures[2]
    shown = "".join(_figure(example[key], caption) for key, caption in pictures if key in example)
    return (f"<li><b>{escape(example['true'])}</b> → <b>{escape(example['predicted'])}</b>, "
            f"{100 * example['probability_of_predicted']:.0f} % sure"
            f'<span class="id">{escape(example["id"])}</span><div class="row">{shown}</div></li>')


def _figure(picture: str, caption: str) -> str:
    return f'<figure><img src="{escape(picture)}" alt=""><figcaption>{escape(caption)}</figcaption></figure>'


def _unit(unit: Mapping[str, Any]) -> str:
    strongest = max(patch["answer"] for patch in unit["patches"])
    return (f'<li><img src="{escape(unit["picture"])}" alt="patches of unit {unit["unit"]}">unit {unit["unit"]} '
            f"<span>up to {strongest:.3g}</span></li>")
