"""matplotlib's SVG made small and fit to stand inside a page: no prolog, no leaking styles, no idle groups."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import escape
from itertools import groupby
from xml.etree import ElementTree
from zlib import crc32

FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"
_NUMBER = re.compile(r"-?\d+\.\d+")
_FONT_SIZE = re.compile(r"([\d.]+)px")
_SHARED = {"text", "use", "path"}
_OWN = {"x", "y", "d", "transform", "href", "id"}


class Svg(str):
    """A figure as SVG source; a notebook shows the figure."""

    def _repr_svg_(self) -> str:
        return str(self)


@dataclass
class Node:
    tag: str
    attributes: dict[str, str]
    text: str = ""
    children: list[Node] = field(default_factory=list)


def compact(raw: str, title: str, *, dense: bool = False) -> Svg:
    """The SVG of one figure as a short string, named by `title` for those who do not see it.

    raw:   what matplotlib wrote with `svg.fonttype: none`. Ids are kept only where something refers to them.
    dense: the figure is kept wide enough to read on a phone, and scrolls there.
    """
    root = ElementTree.fromstring(raw)  # noqa: S314 - written by matplotlib a moment ago
    node = _convert(root)
    _, _, width, height = (float(x) for x in node.attributes["viewBox"].split())
    kind = ' class="dense"' if dense else ""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" role="img" aria-label="{escape(title)}"{kind} font-family="{escape(FONT)}" '
        f'stroke-linejoin="round" stroke-linecap="butt"><title>{escape(title)}</title>'
    )
    body = "".join(_write(child) for child in _unwrap(node.children))
    return Svg(head + _short_ids(body, title) + "</svg>")


def _convert(element: ElementTree.Element) -> Node:
    tag = element.tag.rpartition("}")[2]
    attributes = {}
    for name, value in element.attrib.items():
        attributes[name.rpartition("}")[2]] = value
    attributes = {**_presentation(attributes.pop("style", "")), **attributes}
    keep = [child for child in element if child.tag.rpartition("}")[2] not in {"metadata", "style"}]
    text = (element.text or "") if tag in {"text", "tspan"} else ""
    return Node(tag, {k: _short(k, v) for k, v in attributes.items()}, text, [_convert(c) for c in keep])


def _presentation(style: str) -> dict[str, str]:
    """Inline style as attributes, with the font reduced to what differs from the root's."""
    found = {}
    for part in filter(None, (p.strip() for p in style.split(";"))):
        name, _, value = part.partition(":")
        found[name.strip()] = value.strip()
    font = found.pop("font", "")
    size = _FONT_SIZE.search(font)
    if size:
        found["font-size"] = size[1]
        found |= {"font-weight": "600"} if re.match(r"(bold|[6-9]00)\b", font) else {}
    found.pop("font-family", None)
    if found.get("text-anchor") == "start":
        del found["text-anchor"]
    return found


def _short(name: str, value: str) -> str:
    if name in {"d", "x", "y", "transform", "width", "height", "points"}:
        value = _NUMBER.sub(lambda match: f"{float(match[0]):.1f}".removesuffix(".0"), value)
    if name == "d":
        value = re.sub(r"\s*([MLQCz])\s*", r"\1", value).strip()
    if name == "transform" and value.startswith("rotate(-0 ") | value.startswith("rotate(0 "):
        return ""
    return "\n".join(line.strip() for line in value.splitlines()) if name == "href" else value


def _unwrap(nodes: list[Node]) -> list[Node]:
    """Groups that carry nothing give way to their children; neighbors that look alike share one group."""
    flat: list[Node] = []
    for node in nodes:
        node.children = _unwrap(node.children)
        idle = node.tag == "g" and not (set(node.attributes) - {"id"})
        flat += node.children if idle else [node]
    return [one for _, run in groupby(flat, _looks) for one in _merge(list(run))]


def _looks(node: Node) -> tuple:
    common = tuple(sorted((k, v) for k, v in node.attributes.items() if k not in _OWN and v))
    return (node.tag, common) if node.tag in _SHARED else (id(node),)


def _merge(run: list[Node]) -> list[Node]:
    if len(run) < 2:
        return run
    common = {k: v for k, v in run[0].attributes.items() if k not in _OWN and v}
    if not common:
        return run
    for node in run:
        node.attributes = {k: v for k, v in node.attributes.items() if k in _OWN}
    return [Node("g", common, children=run)]


def _write(node: Node) -> str:
    if node.tag == "defs" and not node.children:
        return ""
    attributes = "".join(f' {k}="{escape(v)}"' for k, v in node.attributes.items() if v)
    inside = escape(node.text, quote=False) + "".join(_write(child) for child in node.children)
    return f"<{node.tag}{attributes}>{inside}</{node.tag}>" if inside else f"<{node.tag}{attributes}/>"


def _short_ids(body: str, title: str) -> str:
    """Ids that nothing refers to go; the others become short, with a prefix that keeps figures of a page apart."""
    used = dict.fromkeys(re.findall(r'(?:href="#|url\(#)([\w-]+)', body))
    prefix = f"f{crc32((title + body).encode()) % 2**20:x}_"
    names = {old: f"{prefix}{number}" for number, old in enumerate(used)}
    body = re.sub(r' id="([^"]*)"', lambda m: f' id="{names[m[1]]}"' if m[1] in names else "", body)
    return re.sub(r'(href="#|url\(#)([\w-]+)', lambda m: m[1] + names[m[2]], body)
