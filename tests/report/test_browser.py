"""The report in a browser: no sideways scrolling on a phone, nothing fetched. Skipped where there is no Chromium."""

from __future__ import annotations

import re
import shutil
import subprocess
from html import escape
from pathlib import Path

import pytest
from fake_runs import digits_run, regress_run

from orthogon.report.examples import store_examples
from orthogon.report.report import render

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ("--headless", "--hide-scrollbars", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-sync", "--disable-background-networking", "--disable-component-update")
WIDTHS = (390, 1280)
FRAME = '<iframe style="width:{width}px;height:900px;border:0" srcdoc="{page}"></iframe>'
MEASURE = """<script>onload=()=>{document.title=[...document.querySelectorAll('iframe')].map(frame=>{
const page=frame.contentDocument,broken=[...page.images].filter(one=>!one.naturalWidth).length;
return page.documentElement.scrollWidth+'/'+broken}).join(' ')}</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium in the PATH")
@pytest.mark.parametrize("make", [digits_run, regress_run])
def test_nothing_overflows_and_all_pictures_load(tmp_path: Path, make: object) -> None:
    run, data = make(tmp_path / "runs")  # type: ignore[operator]
    store_examples(run, data, run.rows("dev"))
    page = escape(render(run))
    wrapper = tmp_path / "wrapper.html"
    frames = "".join(FRAME.format(width=width, page=page) for width in WIDTHS)
    wrapper.write_text(f"<!doctype html><body>{frames}{MEASURE}", encoding="utf-8")
    command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1400,1000",
               "--dump-dom", wrapper.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout
    found = re.search(r"<title>(.*?)</title>", dom)
    assert found, dom[:300]
    assert found[1].split() == [f"{width}/0" for width in WIDTHS]
