import base64
import json
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from orthogon.draw import (
    Page,
    Raw,
    contact_sheet,
    format_estimate,
    html_fragment,
    html_table,
    text_table,
    thumbnail,
    to_png_data_uri,
)
from orthogon.errors import DataError

ATTACK = "<img src=x onerror=alert(1)>\"'&</script>"


@dataclass
class Number:
    value: float
    low: float
    high: float
    n: int = 2000
    unit: str = "rate"


class Reader(HTMLParser):
    """Checks nesting and collects what the tests look at."""

    VOID = frozenset({"meta", "img", "br", "link", "path", "use", "image"})

    def __init__(self, html):
        super().__init__()
        self.stack, self.tags, self.texts = [], [], []
        self.feed(html)
        assert self.stack == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def full_page():
    page = Page(ATTACK, subtitle=ATTACK).cards([(ATTACK, ATTACK, ATTACK)]).callout(ATTACK, ATTACK, "bad")
    page.section("One", note=ATTACK, id=ATTACK).text(f"{ATTACK}\n\nsecond")
    page.figure("<svg></svg>", ATTACK, html_table([ATTACK], [[ATTACK]], caption=ATTACK))
    page.section("One").image(to_png_data_uri(np.zeros((4, 4), np.uint8)), ATTACK, ATTACK)
    return page.section("Three").data({"a": ATTACK}).footer(ATTACK)


def test_everything_given_is_escaped():
    read = Reader(full_page().render())
    assert not [attrs for _, attrs in read.tags if "onerror" in attrs]
    assert [attrs["src"][:10] for tag, attrs in read.tags if tag == "img"] == ["data:image"]
    assert sum(ATTACK in text for text in read.texts) >= 10


def test_one_file_without_network_or_running_script():
    html = full_page().render()
    read = Reader(html)
    names = [tag for tag, _ in read.tags]
    assert not {"link", "iframe", "object", "form", "base"} & set(names)
    assert [a.get("type") for tag, a in read.tags if tag == "script"] == ["application/json"]
    policy = next(a["content"] for tag, a in read.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")
    assert not re.search(r"https?://|url\((?!#)|@import", html)


def test_structure_for_those_who_do_not_see_it():
    read = Reader(full_page().render())
    assert next(a for tag, a in read.tags if tag == "html")["lang"] == "en"
    headings = [tag for tag, _ in read.tags if re.fullmatch(r"h\d", tag)]
    assert headings == ["h1", "h2", "h2", "h2"]
    ids = [a["id"] for _, a in read.tags if "id" in a]
    assert len(ids) == len(set(ids))
    links = [a["href"] for tag, a in read.tags if tag == "a"]
    assert links[0] == "#content"
    assert {link[1:] for link in links} <= set(ids)
    assert all(a.get("alt") for tag, a in read.tags if tag == "img")


def test_neighboring_figures_share_a_row():
    page = Page("t").section("s").figure("<svg></svg>").figure("<svg></svg>").text("between").figure("<svg></svg>")
    rows = re.findall(r'<div class="figures">(.*?</figure>)</div>', page.render())
    assert [row.count("<figure") for row in rows] == [2, 1]


VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.text())


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(), st.lists(VALUES, max_size=4), max_size=4))
def test_data_comes_back_as_it_went_in(value):
    html = Page("t").data(value).render()
    text = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)[1]
    assert json.loads(text) == value
    assert not set(text) & set("<>&\u2028\u2029")


def test_data_knows_numpy_dataclasses_and_nan():
    html = Page("t").data({"a": np.arange(2), "b": Number(np.nan, 0, np.inf), 3: np.float32(0.5)}).render()
    text = re.search(r'id="data">(.*?)</script>', html)[1]
    number = {"value": None, "low": 0, "high": None, "n": 2000, "unit": "rate"}
    assert json.loads(text) == {"a": [0, 1], "b": number, "3": 0.5}


def test_page_refuses_addresses_and_tones_it_does_not_know():
    with pytest.raises(DataError):
        Page("t").image("http://example.org/a.png", "a")
    with pytest.raises(DataError):
        Page("t").callout("a", "b", "purple")


def test_notebook_frame_keeps_the_page_inside():
    read = Reader(html_fragment(full_page()))
    [(tag, attributes)] = read.tags
    assert (tag, attributes["sandbox"]) == ("iframe", "")
    assert attributes["srcdoc"] == full_page().render()
    assert full_page()._repr_html_() == html_fragment(full_page())


def test_estimates_are_written_with_interval_and_n():
    assert format_estimate(Number(0.941, 0.93, 0.951)) == "94.1 % [93.0, 95.1], n = 2,000"
    assert format_estimate(Number(0.1234567, 0.1, 0.15, unit="m")) == "0.1235 m [0.1, 0.15], n = 2,000"
    assert format_estimate(Number(0.5, 0.4, 0.6, unit=""), percent=True).startswith("50.0 %")
    assert format_estimate(Number(0.5, np.nan, np.nan, n=1)) == "50.0 %, n = 1 (no interval)"
    assert format_estimate(Number(np.nan, 0, 1, n=0)).startswith("–")


def test_text_table_is_aligned():
    found = text_table(["class", "n"], [["cat\n\x1b[31m", 12345], ["mouse", None]]).split("\n")
    assert found == ["class          n", "────────  ──────", "cat [31m  12,345", "mouse          –"]


def test_html_table_aligns_escapes_and_counts():
    html = html_table(["a", "b"], [["<x>", 1.5], [Raw("<b>y</b>"), 2]])
    assert "&lt;x&gt;" in html
    assert "<b>y</b>" in html
    assert '<td class="r">1.5</td>' in html
    with pytest.raises(DataError, match="row 0"):
        html_table(["a", "b"], [["only one"]])
    with pytest.raises(DataError):
        html_table(["a"], [], align="lr")


def decode(uri):
    return np.asarray(Image.open(BytesIO(base64.b64decode(uri.partition(",")[2])), formats=["PNG"]))


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 3), (5, 7, 4)])
def test_pictures_survive_the_address(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    assert np.array_equal(decode(to_png_data_uri(pixels)), pixels[:, :, 0] if shape[2:] == (1,) else pixels)


def test_small_pictures_grow_by_whole_factors():
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    grown = decode(to_png_data_uri(pixels, min_size=10))
    assert np.array_equal(grown, np.kron(pixels, np.ones((3, 3), np.uint8)))


def test_thumbnail_shrinks_and_keeps_proportions():
    assert thumbnail(np.zeros((100, 50, 3), np.uint8), 20).shape == (20, 10, 3)
    assert thumbnail(np.zeros((5, 5), np.uint8), 20).shape == (5, 5)


@pytest.mark.parametrize("bad", [np.zeros((3, 3)), np.zeros((3, 3, 2), np.uint8), np.zeros((0, 3), np.uint8)])
def test_what_is_no_picture_is_refused(bad):
    with pytest.raises(DataError):
        to_png_data_uri(bad)


def test_contact_sheet_places_pictures_in_reading_order():
    shades = [np.full((28, 28), 40 * i, np.uint8) for i in range(5)]
    sheet = contact_sheet(shades, [f"a long caption {i}" * 5 for i in range(5)], columns=3, cell=60)
    assert sheet.size == (3 * 70 + 10, 2 * (70 + 16) + 10)
    centers = [sheet.getpixel((40 + 70 * (i % 3), 40 + 86 * (i // 3))) for i in range(5)]
    assert centers == [(40 * i,) * 3 for i in range(5)]
    assert sheet.getpixel((180, 126)) == (255, 255, 255)


def test_contact_sheet_shrinks_blends_and_checks():
    clear = np.zeros((200, 100, 4), np.uint8)
    assert contact_sheet([clear], cell=50).getpixel((35, 35)) == (255, 255, 255)
    with pytest.raises(DataError):
        contact_sheet([])
    with pytest.raises(DataError):
        contact_sheet([clear], ["a", "b"])
