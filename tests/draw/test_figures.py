import re
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orthogon.draw import bars, calibration, confusion, curves, dots, histogram, scatter
from orthogon.draw.curves import apart, downsample
from orthogon.errors import DataError

SVG = "{http://www.w3.org/2000/svg}"


@dataclass
class Number:
    value: float
    low: float
    high: float
    n: int = 100
    unit: str = "rate"


random = np.random.default_rng(0)
NORMAL, OTHER, COUNTS = random.normal(size=5000), random.normal(size=5000), random.integers(0, 60, (20, 20)) + 1
X = np.arange(5000.0)
HOSTILE = '<script>"&$x^2$'
FIGURES = {
    "dots": lambda title: dots(
        [(HOSTILE, Number(0.9, 0.85, 0.93)), ("dev", Number(0.8, np.nan, np.nan))], title=title, connect=True
    ),
    "bars": lambda title: bars([HOSTILE, "b"], [0.5, -0.2], [0.4, -0.3], [0.6, -0.1], title=title),
    "curves": lambda title: curves(
        {HOSTILE: (X, np.sin(X / 300)), "b": (X, np.cos(X), np.cos(X) - 1, np.cos(X) + 1)}, title=title
    ),
    "log": lambda title: curves({"a": (X, np.exp(-X / 500)), "b": (X, X)}, title=title, log=True),
    "histogram": lambda title: histogram(NORMAL, title=title, x_label=HOSTILE),
    "scatter": lambda title: scatter(NORMAL, OTHER, title=title),
    "calibration": lambda title: calibration([(0.6, Number(0.5, 0.4, 0.6)), (0.9, Number(1, 0.8, 1))], title=title),
    "confusion": lambda title: confusion(COUNTS, [HOSTILE] + [str(i) for i in range(19)], title=title),
    "many classes": lambda title: confusion(np.eye(300), [str(i) for i in range(300)], title=title),
}


def parse(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # noqa: S314 - our own figure


def texts(svg: str) -> list[str]:
    root = parse(svg)
    return ["".join(node.itertext()) for node in root.iter(f"{SVG}text")]


@pytest.fixture(scope="module", params=FIGURES)
def figure(request):
    return request.param, FIGURES[request.param]("A <title> & more")


def test_small_named_and_self_contained(figure):
    _, svg = figure
    root = parse(svg)
    assert len(svg.encode()) < 25_000
    assert root.get("aria-label") == "A <title> & more"
    assert root.findtext(f"{SVG}title") == "A <title> & more"
    assert not re.search(r"<!|<\?|<style|<metadata|<script|style=|http://(?!www\.w3\.org/2000/svg)", svg)
    used = set(re.findall(r'(?:href="#|url\(#)([\w-]+)', svg))
    assert used == set(re.findall(r' id="([\w-]+)"', svg))


def test_text_lies_inside(figure):
    _, svg = figure
    root = parse(svg)
    width, height = float(root.get("width")), float(root.get("height"))
    placed = [node for node in root.iter(f"{SVG}text") if node.get("x")]
    assert placed
    for node in placed:
        assert -1 <= float(node.get("x")) <= width + 1
        assert 0 <= float(node.get("y")) <= height + 1


def test_same_bits_again(figure):
    name, svg = figure
    assert FIGURES[name]("A <title> & more") == svg


def test_names_and_numbers_are_text():
    found = texts(FIGURES["dots"]("t"))
    assert {HOSTILE, "dev", "90.0 %", "80.0 %"} <= set(found)
    assert "1,234" in texts(confusion([[1234, 1], [0, 7]], ["cat", "dog"], title="t"))
    assert "0" not in texts(confusion([[1234, 1], [0, 7]], ["cat", "dog"], title="t"))


def test_dots_lie_in_the_order_of_their_values():
    rows = [("a", Number(0.9, 0.8, 0.95)), ("b", Number(0.5, 0.4, 0.6)), ("c", Number(0.7, 0.6, 0.8))]
    svg = dots(rows, title="t")
    places = [float(x) for x in re.findall(r'<use [^>]*x="([\d.]+)"', svg)]
    assert len(places) == 3
    assert places[1] < places[2] < places[0]


def test_global_style_of_matplotlib_is_left_alone():
    import matplotlib

    before = dict(matplotlib.rcParams)
    FIGURES["dots"]("t")
    assert dict(matplotlib.rcParams) == before


@settings(max_examples=30, deadline=None)
@given(st.integers(10, 3000), st.integers(10, 400))
def test_downsample_keeps_ends_and_extremes(n, points):
    y = np.random.default_rng(n).normal(size=n)
    kept = downsample(np.stack([np.arange(n), y]), points)
    assert kept.shape[1] <= max(points, 10)
    assert (kept[0, 0], kept[0, -1]) == (0, n - 1)
    assert (kept[1].min(), kept[1].max()) == (y.min(), y.max())
    assert (np.diff(kept[0]) > 0).all()


@given(st.lists(st.floats(0, 100), min_size=1, max_size=8))
def test_names_never_touch(wanted):
    sizes = np.full(len(wanted), 15.0)
    found = np.sort(apart(wanted, sizes, 100.0))
    assert (np.diff(found) >= 15 - 1e-9).all()
    assert found.max() <= 100


def test_curves_leave_out_what_cannot_be_drawn():
    svg = curves({"a": ([0, 1, 2], [1, np.nan, -3]), "gone": ([0], [np.nan])}, title="t", log=True)
    assert "gone" not in texts(svg)
    with pytest.raises(DataError, match="nothing to draw"):
        curves({"a": ([0], [np.nan])}, title="t")
    with pytest.raises(DataError, match="one length"):
        curves({"a": ([0, 1], [1])}, title="t")


def test_empty_and_mismatched_input_is_refused():
    for call in (
        lambda: dots([], title="t"),
        lambda: histogram([np.nan], title="t"),
        lambda: scatter([1.0], [1.0, 2.0], title="t"),
        lambda: confusion([[1, 2]], ["a"], title="t"),
        lambda: calibration([(0.5, Number(0, 0, 1, n=0))], title="t"),
    ):
        with pytest.raises(DataError):
            call()


@pytest.mark.parametrize("values", [[3.0], [1.0, 1.0], [1e-300, 1e300, 5.0], [0.0] * 50 + [1e9]])
def test_histogram_survives_odd_values(values):
    assert "examples" in texts(histogram(values, title="t"))


def test_a_notebook_shows_a_figure():
    svg = histogram([1.0, 2.0], title="t")
    assert isinstance(svg, str)
    assert svg._repr_svg_() == svg
