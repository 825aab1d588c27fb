"""The page of questions: what stands in it, what comes back, and what it does in a real browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from html import escape, unescape
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from orthogon.draw import thumbnails
from orthogon.draw.questionnaire import Item, Questionnaire, read_answers, unknown_ids
from orthogon.errors import DataError

ATTACK = "<img src=x onerror=alert(1)>\"'&</script><!--"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ("--headless", "--hide-scrollbars", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-sync", "--disable-background-networking", "--disable-component-update",
         "--virtual-time-budget=20000")


def page(choices=("cat", "dog"), count=4, **more) -> Questionnaire:
    items = tuple(Item(f"id {k}", text=f"text {k}") for k in range(count))
    return Questionnaire("Questions", items, choices, "answers.csv", **more)


# --- what stands in the page ---------------------------------------------------------------------------------


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def hostile() -> str:
    item = Item(ATTACK, thumbnails_of(1), ATTACK, ((ATTACK, ATTACK),), ATTACK, ATTACK)
    return Questionnaire(ATTACK, (item,), (ATTACK, "dog"), "answers.csv", ATTACK, True, ATTACK, ATTACK).render()


def thumbnails_of(count: int) -> tuple[str, ...]:
    return tuple(thumbnails([np.full((4, 4), 50 * k, np.uint8) for k in range(count)]))


def test_what_users_named_is_text_and_never_markup():
    tags = Tags(hostile()).found
    assert not [attributes for _, attributes in tags if "onerror" in attributes]
    assert [attributes["src"][:10] for tag, attributes in tags if tag == "img"] == ["data:image"]
    assert [attributes.get("type") for tag, attributes in tags if tag == "script"] == ["application/json", None]
    setup = json.loads(re.findall(r'id="setup">(.*?)</script>', hostile())[0])
    assert setup["choices"] == [ATTACK, "dog"]
    assert setup["column"] == ATTACK


def test_the_policy_allows_the_one_script_by_its_hash_and_nothing_else():
    html = page().render()
    script = re.findall(r"<script>(.*?)</script>", html, re.S)
    assert len(script) == 1
    digest = base64.b64encode(hashlib.sha256(script[0].encode()).digest()).decode()
    policy = re.findall(r'Content-Security-Policy" content="(.*?)"', html)[0]
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert len(script[0]) < 15_000
    assert not re.search(r"https?://|fetch\(|XMLHttp|import\(|innerHTML|outerHTML|insertAdjacent|eval", script[0])


def test_without_script_the_examples_and_the_way_by_hand_are_there():
    html = page(column="tag", tags=True).render()
    said = re.findall(r"<noscript>(.*?)</noscript>", html)[0]
    assert "id,tag" in said
    assert "cat, dog" in said
    assert "none" in said
    assert html.count('<li class="item" data-id=') == 4
    assert '<div id="desk" hidden>' in html


def test_a_page_of_nothing_and_equal_ids_are_refused():
    with pytest.raises(DataError, match="nothing to ask"):
        Questionnaire("x", (), ("a",), "f.csv")
    with pytest.raises(DataError, match="same id"):
        Questionnaire("x", (Item("a"), Item("a")), ("a",), "f.csv")


def test_thumbnails_keep_to_their_budget_and_small_pictures_stay_sharp():
    rng = np.random.default_rng(0)
    photos = [rng.integers(0, 256, (500, 400, 3), dtype=np.uint8) for _ in range(6)]
    roomy, tight = thumbnails(photos, budget=4_000_000), thumbnails(photos, budget=60_000)
    assert all(one.startswith("data:image/jpeg") for one in roomy)
    assert [decoded(one).size for one in roomy] == [(256, 320)] * 6
    assert sum(map(len, tight)) <= 60_000
    small = decoded(thumbnails([np.array([[0, 255], [255, 0]], np.uint8)])[0])
    assert small.size == (192, 192)
    assert sorted(set(np.asarray(small).ravel().tolist())) == [0, 255]
    assert decoded(thumbnails([np.zeros((300, 300, 4), np.uint8)])[0]).mode == "RGBA"


def decoded(uri: str) -> Image.Image:
    return Image.open(BytesIO(base64.b64decode(uri.partition(",")[2])))


# --- what comes back -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "found"), [
    ("id,answer\na,cat\nb,\n", {"a": ("cat",), "b": ()}),
    ("\ufeffid,answer\r\na,cat\r\na,dog\r\na,cat\r\n", {"a": ("cat", "dog")}),
    ("id;answer\na;cat\n", {"a": ("cat",)}),
    ('answer,id,more\n"a ""b"", c\nd",x,1\n', {"x": ('a "b", c\nd',)}),
    ("id,answer\na\n", {"a": ()}),
])
def test_answers_are_read_as_pages_and_spreadsheets_write_them(tmp_path, text, found):
    path = tmp_path / "answers.csv"
    path.write_bytes(text.encode())
    assert read_answers(path) == found


@pytest.mark.parametrize(("content", "says"), [
    (b"", "no column 'id'"), (b"id,answer\n", "no answer"), (b"id,tag\na,b\n", "no column 'answer'"),
    (b"\xff\xfe\x00", "UTF-8"),
])
def test_files_that_hold_no_answers_say_so(tmp_path, content, says):
    path = tmp_path / "answers.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=says) as caught:
        read_answers(path)
    assert "answers.csv" in str(caught.value)


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(DataError, match="No such file"):
        read_answers("nowhere.csv")


def test_unknown_ids_are_named_the_first_five():
    assert unknown_ids(["a", "b"], ["b", "a", "c"]) == ""
    assert unknown_ids(["z"], ["a"]) == "1 id not among the examples asked about: 'z'"
    assert unknown_ids("qwertz", ["a"]) == (
        "6 ids not among the examples asked about: 'e', 'q', 'r', 't', 'w', …")


# --- in a browser --------------------------------------------------------------------------------------------

FRAME = '<iframe style="width:390px;height:800px" srcdoc="{}"></iframe>'
DRIVE = """<script>
async function drive(frame, keys) {
  const page = frame.contentDocument, view = frame.contentWindow, out = {};
  let blob;
  view.URL.createObjectURL = made => { blob = made; return '#'; };
  view.HTMLAnchorElement.prototype.click = function () { out.file = this.download; };
  const press = key => (page.activeElement || page.body).dispatchEvent(
    new view.KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
  const type = text => {
    const field = page.getElementById('typed');
    field.focus();
    field.value = text;
    field.dispatchEvent(new view.Event('input'));
  };
  try {
    await keys({page, view, frame, out, press, type});
    out.shown = [...page.querySelectorAll('.item')].findIndex(item => !item.hidden);
    out.count = page.getElementById('count').textContent;
    out.done = !page.getElementById('done').hidden;
    out.alien = page.querySelectorAll('[onerror]').length;
    out.width = page.documentElement.scrollWidth;
    page.getElementById('save').click();
    out.csv = await new Response(blob).text();
  } catch (error) { out.error = String(error); }
  return out;
}
addEventListener('load', async () => {
  const frames = [...document.querySelectorAll('iframe')], said = [];
  for (const [place, keys] of KEYS.entries()) said.push(await drive(frames[place], keys));
  const told = document.createElement('pre');
  told.id = 'told';
  told.textContent = JSON.stringify(said);
  document.body.append(told);
});</script>"""

WORDS = tuple(f"{word} {k}" for k in range(6) for word in ("card", "loan"))
HOSTILE = Questionnaire(ATTACK, tuple(Item(id, text=ATTACK) for id in (ATTACK, "__proto__", 'a,"b"\nc')),
                        (ATTACK, "; = x", "a class with a very long name" * 4), "a.csv")
SCENARIOS = {
    "one": (page(), "press('1'); press('2'); press('u'); press('1'); press('ArrowRight'); press('2');"),
    "tags": (page(column="tag", tags=True), """press('1'); press('2'); press('2'); press('/'); type('too dark');
        press('Enter'); press('Enter'); press('ArrowRight'); press('3'); press('ArrowLeft'); press('ArrowRight');
        press('ArrowRight');"""),
    "typing": (page(WORDS), """type('loan 4'); press('Enter'); type('an 5'); press('Enter'); type('nothing');
        press('Enter'); out.left = [...page.querySelectorAll('#picks button')].filter(one => !one.hidden).length;"""),
    "hostile": (HOSTILE, "press('1'); press('2'); press('1');"),
    "digits": (page(tuple("0123456789")), "press('0'); press('9');"),
    "kept": (page(("yes", "no")), """press('2'); press('ArrowRight');
        out.warns = !view.dispatchEvent(new view.Event('beforeunload', {cancelable: true}));
        const again = document.createElement('iframe');
        again.srcdoc = frame.srcdoc;
        await new Promise(done => { again.onload = done; document.body.append(again); });
        out.kept = again.contentDocument.getElementById('count').textContent;
        out.place = again.contentDocument.getElementById('place').textContent;"""),
}


@pytest.fixture(scope="module")
def driven(tmp_path_factory) -> dict[str, dict]:
    """What each page holds after its keys were pressed, in one start of Chromium."""
    if CHROMIUM is None:
        pytest.skip("no Chromium in the PATH")
    folder = tmp_path_factory.mktemp("browser")
    frames = "".join(FRAME.format(escape(asked.render())) for asked, _ in SCENARIOS.values())
    keys = ",".join(f"async ({{page, view, frame, out, press, type}}) => {{{keys}}}" for _, keys in SCENARIOS.values())
    wrapper = folder / "wrapper.html"
    script = DRIVE.replace("KEYS", f"[{keys}]")
    wrapper.write_text(f"<!doctype html><meta charset=utf-8><body>{frames}{script}", "utf-8")
    told = re.findall(r'<pre id="told">(.*?)</pre>', dom(wrapper, folder), re.S)
    assert told
    return dict(zip(SCENARIOS, json.loads(unescape(told[0])), strict=True))


def dom(path: Path, folder: Path) -> str:
    """The page as Chromium holds it after its scripts have run."""
    command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={folder / 'profile'}", "--dump-dom", path.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False).stdout


def csv_of(found: dict) -> str:
    assert "error" not in found, found["error"]
    assert found["width"] <= 390, "a phone scrolls downward only"
    return found["csv"]


def test_one_answer_each_goes_on_by_itself_and_can_be_undone(driven):
    found = driven["one"]
    assert csv_of(found) == "id,answer\r\nid 0,cat\r\nid 1,cat\r\nid 2,\r\nid 3,dog\r\n"
    assert found["shown"] == 2, "what was left out is asked next"
    assert found["count"] == "3 answered"
    assert found["file"] == "answers.csv"
    assert not found["done"]


def test_several_tags_new_ones_and_none(driven):
    found = driven["tags"]
    assert csv_of(found) == "id,tag\r\nid 0,cat\r\nid 0,too dark\r\nid 1,none\r\nid 2,too dark\r\nid 3,\r\n"
    assert found["count"] == "3 looked at"


def test_many_classes_are_found_by_typing(driven):
    assert csv_of(driven["typing"]).split("\r\n")[1:4] == ["id 0,loan 4", "id 1,loan 5", "id 2,"]
    assert driven["typing"]["left"] == 0


def test_hostile_names_and_ids_come_back_as_they_were(driven, tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(csv_of(driven["hostile"]).encode())
    assert driven["hostile"]["alien"] == 0
    assert driven["hostile"]["done"]
    assert read_answers(path) == {ATTACK: (ATTACK,), "__proto__": ("; = x",), 'a,"b"\nc': (ATTACK,)}


def test_ten_digits_are_their_own_keys(driven):
    assert csv_of(driven["digits"]).split("\r\n")[1:4] == ["id 0,0", "id 1,9", "id 2,"]


def test_answers_survive_a_closed_page_and_closing_warns(driven):
    csv_of(driven["kept"])
    assert driven["kept"]["warns"]
    assert driven["kept"]["kept"] == "1 answered"
    assert driven["kept"]["place"] == "3 of 4"


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium in the PATH")
def test_the_policy_lets_the_script_run_from_the_file_itself(tmp_path):
    path = tmp_path / "page.html"
    path.write_text(page().render(), encoding="utf-8")
    found = dom(path, tmp_path)
    assert '<html lang="en" class="asking">' in found
    assert "0 answered" in found
