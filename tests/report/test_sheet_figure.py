"""A picture that a run keeps, as a figure in a notebook."""

from __future__ import annotations

import base64
import re
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from orthogon.draw.images import figure
from orthogon.errors import RunError
from orthogon.report.sheets import FOLDER, KEPT, sheet
from orthogon.train.recipe import Recipe
from orthogon.train.run import Run


def pixels_in(svg: str) -> np.ndarray:
    found = re.search(r'href="data:image/png;base64,([^"]+)"', svg)
    assert found
    return np.asarray(Image.open(BytesIO(base64.b64decode(found[1]))))


def test_a_figure_holds_the_picture_in_its_own_size_and_its_title():
    picture = np.arange(60, dtype=np.uint8).reshape(5, 12)
    found = figure(picture, "Small & gray")
    assert (pixels_in(found) == picture).all()
    assert 'width="12" height="5"' in found
    assert "<title>Small &amp; gray</title>" in found
    assert found._repr_svg_() == found


def test_a_kept_picture_is_found_by_name(tmp_path):
    run = Run.create(Recipe(), tmp_path)
    picture = np.arange(24, dtype=np.uint8).reshape(4, 6)
    (run.path / FOLDER).mkdir()
    Image.fromarray(picture).save(run.path / FOLDER / "samples.png")
    run.write_json(KEPT, [{"name": "samples", "title": "Samples", "line": "Drawn."}])
    assert (pixels_in(sheet(run, "samples")) == picture).all()
    assert f"<title>Samples: {run.name}</title>" in sheet(run, "samples")
    with pytest.raises(RunError, match=r"no picture 'sample'\n.*Did you mean 'samples'"):
        sheet(run, "sample")
