"""The command line from outside: help, imports, exit codes, JSON purity. No training here."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import orthogon
from orthogon.cli.main import app
from orthogon.train.recipe import flat_fields

ROOT = Path(__file__).parents[2]


def invoke(*arguments):
    return CliRunner().invoke(app, [str(each) for each in arguments])


def python(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "people.csv"
    lines = [f"{20 + i},{'red' if i % 3 else 'blue'},{'yes' if i % 2 else 'no'}" for i in range(60)]
    path.write_text("age,color,bought\n" + "\n".join(lines) + "\n")
    return path


# --- the face ------------------------------------------------------------------------------------------------


def test_importing_orthogon_is_light():
    code = "import sys, orthogon; print([m for m in ('torch', 'numpy', 'pydantic', 'typer') if m in sys.modules])"
    assert python(code).stdout.strip() == "[]"


def test_the_root_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom orthogon.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('torch', 'numpy', 'pydantic', 'polars', 'sklearn') if m in sys.modules], file=sys.stderr)"
    )
    assert python(code).stderr.strip() == "[]"


def test_verbs_that_are_also_folders_stay_callable():
    code = (
        "import orthogon.train.run, orthogon.report\nimport orthogon as og, orthogon.train as room\n"
        "from orthogon import train\nimport inspect\n"
        "assert callable(og.train) and callable(train) and callable(og.report) and room.run.Run is og.Run\n"
        "assert 'epochs' in inspect.signature(og.train).parameters"
    )
    done = python(code)
    assert done.returncode == 0, done.stderr


def test_the_face_has_every_verb_and_no_other_name():
    verbs = {"read", "show", "check", "list", "get", "train", "summary", "evaluate", "predict", "report", "load"}
    assert verbs <= set(dir(orthogon))
    assert all(callable(getattr(orthogon, name)) for name in orthogon.__all__)
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = orthogon.trian


def test_version_is_that_of_the_project():
    assert orthogon.__version__ == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert orthogon.__version__ in invoke("--version").stdout


# --- help ----------------------------------------------------------------------------------------------------


def test_help_groups_the_verbs_in_the_order_of_the_loop():
    text = invoke("--help").stdout
    words = ("look at the data", "│ show ", "│ check ", "2  train", "│ train ", "see what came out", "│ evaluate ")
    places = [text.index(word) for word in words]
    assert places == sorted(places)
    assert "orthogon train" in text
    assert invoke().exit_code == 0


@pytest.mark.parametrize("verb", ["show", "check", "list", "get", "train", "summary", "evaluate", "report", "predict"])
def test_every_verb_has_help_and_json(verb):
    text = invoke(verb, "--help").stdout
    assert "--json" in text
    assert not re.search(r"\{[a-z]+\.", text), "a description was not filled in"


def test_help_of_knobs_is_the_recipes_own(monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    text = " ".join(invoke("train", "--help").stdout.split())
    lines = {key: field.description for key, field in flat_fields()}
    for key in ("train.lr", "train.epochs", "train.batch_size", "split.folds", "data.target", "model.name"):
        assert lines[key] in text, key


def test_each_named_option_is_a_knob():
    from orthogon.cli.train import OPTIONS

    assert set(OPTIONS) <= {key for key, _ in flat_fields()}
    parameters = typer.main.get_command(app).commands["train"].params
    given = {option for parameter in parameters for option in parameter.opts}
    assert {option for option in OPTIONS.values() if option.startswith("--")} <= given
    defaults = {parameter.name: parameter.default for parameter in parameters}
    assert all(defaults[name] is None for name in ("epochs", "lr", "batch_size", "seed", "device", "folds", "task"))


# --- errors --------------------------------------------------------------------------------------------------


def test_an_error_is_one_message_on_standard_error():
    done = invoke("train", "no-such-data")
    assert done.exit_code == 2
    assert done.stderr.startswith("error: there is no file or folder 'no-such-data'")
    assert "\n  " in done.stderr
    assert "Traceback" not in done.stderr


def test_debug_shows_the_traceback(monkeypatch):
    assert "Traceback" in invoke("get", "no-such-data", "--debug").stderr
    assert "Traceback" in invoke("--debug", "get", "no-such-data").stderr
    monkeypatch.setenv("ORTHOGON_DEBUG", "1")
    assert "Traceback" in invoke("get", "no-such-data").stderr


@pytest.mark.parametrize(("arguments", "says"), [
    (["train", "--epochs", "3", "--minutes", "1"], "--minutes"),
    (["train", "--epochs", "0"], "train.epochs"),
    (["train", "--set", "train.learning_rate=1"], "train."),
    (["train", "--set", "nonsense"], "KEY=VALUE"),
    (["train", "--type", "age"], "NAME=VALUE"),
    (["train", "--model", "convnett", "--explain"], "convnet"),
    (["train", "--task", "clasify", "--explain"], "classify"),
    (["train", "--recipe", "none.yaml"], "no such recipe"),
    (["train", "--resume", "nothing"], "there is no run"),
    (["summary", "lenet"], "lenet5"),
    (["list", "model"], "models"),
    (["evaluate", "nothing"], "there is no run"),
    (["evaluate"], "orthogon train"),
    (["report"], "orthogon train"),
    (["predict", "nothing", "a.png"], "there is no run"),
    (["get", "minst"], "mnist"),
    (["check", "nowhere/"], "nowhere"),
])
def test_bad_input_exits_with_2_and_names_the_way_out(arguments, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = invoke(*arguments)
    assert done.exit_code == 2, done.output
    assert says in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("arguments", [["trian"], ["train", "--lr"], ["train", "--lr", "fast"], ["predict"]])
def test_usage_errors_exit_with_2(arguments):
    assert invoke(*arguments).exit_code == 2


def test_a_recipe_from_a_newer_version(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("new.yaml").write_text("version: 99\n")
    done = invoke("train", "--recipe", "new.yaml")
    assert done.exit_code == 2
    assert "newer" in done.stderr


def test_being_interrupted_exits_with_130(monkeypatch):
    from orthogon.errors import Interrupted
    from orthogon.verbs import train as room

    def stop(**_):
        raise Interrupted("stopped after step 7", remedy="Continue with: orthogon train --resume runs/a")

    monkeypatch.setattr(room, "train", stop)
    done = invoke("train")
    assert done.exit_code == 130
    assert "orthogon train --resume runs/a" in done.stderr

    def press(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr(room, "train", press)
    assert invoke("train").exit_code == 130


def test_a_closed_pipe_is_quiet():
    command = f"{sys.executable} -m orthogon list knobs | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)  # noqa: S602 - a pipe
    assert done.stdout.startswith("TRAIN FIT")
    assert done.stderr == ""


# --- JSON ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [
    ["list", "models"], ["list", "knobs"], ["list", "runs"], ["list", "data"], ["get", "digits"], ["show", "digits"],
    ["check", "digits"], ["summary", "convnet"], ["get", "minst"], ["train", "--set", "x=1"],
])
def test_json_is_one_object_and_nothing_else(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = invoke(*arguments, "--json")
    lines = done.stdout.splitlines()
    assert len(lines) == 1, done.stdout
    document = json.loads(lines[0])
    assert isinstance(document, dict)
    assert ("error" in document) == (done.exit_code == 2)


def test_what_is_printed_meanwhile_goes_to_standard_error(monkeypatch):
    from orthogon.verbs import get as room

    class Got:
        def to_dict(self):
            return {"value": float("nan")}

    def chatty(name):
        print("downloading")
        return Got()

    monkeypatch.setattr(room, "get", chatty)
    done = invoke("get", "digits", "--json")
    assert done.stdout == '{"value": null}\n'
    assert "downloading" in done.stderr


# --- explain -------------------------------------------------------------------------------------------------


def test_explain_says_where_each_value_comes_from(table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("recipe.yaml").write_text("train: {lr: 0.5, weight_decay: 0.25, seed: 3}\ndata: {target: age}\n")
    done = invoke("train", table, "--recipe", "recipe.yaml", "--target", "bought", "--lr", "0.1", "--seed", "7",
                  "--set", "train.seed=9", "--type", "color=category", "--explain", "--json")
    assert done.exit_code == 0, done.stderr
    found = {key: (entry["value"], entry["origin"]) for key, entry in json.loads(done.stdout)["recipe"].items()}
    assert found["train.lr"] == (0.1, "option --lr")
    assert found["train.seed"] == (9, "--set")
    assert found["train.weight_decay"] == (0.25, "file recipe.yaml")
    assert found["data.target"] == ("bought", "option --target")
    assert found["data.types"] == ({"color": "category"}, "option --type")
    assert found["data.source"] == (str(table), "option DATA")
    assert found["train.optimizer"][0] == "adamw"
    assert found["train.epochs"][1] == "task default"
    assert found["train.threads"][1] == "resolved from hardware"
    assert found["train.clip_norm"] == (None, "default")
    assert not Path("runs").exists()
    assert {key for key, _ in flat_fields()} == set(found)


def test_explain_for_people(table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = invoke("train", table, "--target", "bought", "--explain", "--epochs", "2")
    assert re.search(r"^train\.epochs +2 +option --epochs$", done.stdout, re.M)
    assert re.search(r"^train\.clip_norm +- +default$", done.stdout, re.M)


# --- check and show ------------------------------------------------------------------------------------------


def test_check_exits_with_1_on_errors_and_0_on_none(table, tmp_path):
    assert invoke("check", table, "--target", "bought").exit_code == 0
    broken = tmp_path / "broken.csv"
    broken.write_text('a,b,b\n1,2,3\n')
    csv = tmp_path / "check.csv"
    done = invoke("check", broken, "--json", "--save", csv)
    assert done.exit_code == 1
    assert json.loads(done.stdout)["errors"] >= 1
    assert csv.read_text().startswith("severity,")


def test_check_names_every_broken_picture(tmp_path):
    from PIL import Image

    for name, color in (("a/1.png", 10), ("a/2.png", 60), ("b/1.png", 110), ("b/2.png", 160)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("L", (16, 16), color).save(tmp_path / name)
    (tmp_path / "b/3.png").write_bytes((tmp_path / "b/1.png").read_bytes()[:40])
    (tmp_path / "b/empty.png").write_bytes(b"")
    document = json.loads(invoke("check", tmp_path, "--json").stdout)
    where = [finding["where"] for finding in document["findings"] if finding["severity"] == "error"]
    assert sorted(name for name in where if name in ("b/3.png", "b/empty.png")) == ["b/3.png", "b/empty.png"]


def test_show_saves_a_contact_sheet(tmp_path):
    sheet = tmp_path / "sheet.png"
    done = invoke("show", "digits", "--save", sheet, "--count", "5")
    assert done.exit_code == 0
    assert sheet.read_bytes().startswith(b"\x89PNG")
    assert str(sheet) in done.stdout


# --- completion ----------------------------------------------------------------------------------------------


def test_names_are_completed(tmp_path, monkeypatch):
    from orthogon.cli import complete

    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits-mine.csv").write_text("a\n1\n")
    (tmp_path / "runs/first").mkdir(parents=True)
    (tmp_path / "runs/first/recipe.yaml").write_text("{}")
    assert [name for name, _ in complete.models("le")] == ["lenet5"]
    assert [name for name, _ in complete.tasks("reg")] == ["regress"]
    assert [name for name, _ in complete.data("digits")] == ["digits", "digits-tilted", "digits-mine.csv"]
    assert [name for name, _ in complete.data("runs/f")] == ["runs/first/"]
    assert [name for name, _ in complete.runs("")] == ["last", "last~1", "first"]
    assert [name for name, _ in complete.knobs("train.weight")] == ["train.weight_decay="]
    assert ("train.optimizer=adamw" in dict(complete.knobs("train.optimizer=a")))
    assert complete.one_of("cpu", "cuda")("cu") == ["cuda"]
