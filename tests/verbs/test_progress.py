"""Progress: a bar, plain lines, a curve in notebooks, TensorBoard."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from orthogon.errors import OrthogonError
from orthogon.train.observers import StepEvent
from orthogon.verbs import progress as module
from orthogon.verbs.progress import Bar, Curve, Lines, Speed, TensorBoard, clock, progress, score_text


def drive(observer, epochs=3, steps_per_epoch=4, dev=lambda epoch: {"accuracy": 0.9 + epoch / 100}, start=0):
    """What the Trainer would say during a run."""
    trainer = SimpleNamespace(steps=epochs * steps_per_epoch, position=SimpleNamespace(step=start))
    observer.on_start(trainer)
    step = 0
    for epoch in range(1, epochs + 1):
        for _ in range(steps_per_epoch):
            step += 1
            observer.on_step(StepEvent(step, trainer.steps, epoch, epochs, 1 / step, 0.01, 32 * step))
        line = {"step": step, "epoch": epoch, "train_loss": 1 / step, "lr": 0.01, "seconds": 0.1}
        if dev:
            line["dev"] = dev(epoch)
            observer.on_evaluation(line)
        observer.on_epoch(line)
    observer.on_end(trainer)


def test_plain_lines_name_epoch_loss_score_speed(capsys):
    drive(Lines("pictures", share=True))
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert len(lines) == 3
    assert "dev error 8.0 %" in lines[1]
    assert "pictures/s" in lines[2]
    assert "left" in lines[1]
    assert "left" not in lines[2]


@pytest.mark.parametrize("epochs", [30, 31, 100, 1000])
def test_never_more_than_about_thirty_lines(capsys, epochs):
    drive(Lines(), epochs=epochs, steps_per_epoch=1)
    lines = capsys.readouterr().err.splitlines()
    assert 15 <= len(lines) <= 31
    assert lines[-1].startswith(f"epoch {epochs}/{epochs}")


def test_lines_without_a_dev_set(capsys):
    drive(Lines(), dev=None)
    assert "dev" not in capsys.readouterr().err


def test_bar_draws_on_standard_error(capsys, monkeypatch):
    monkeypatch.setattr(module, "REFRESH", 0.0)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    bar = Bar("pictures", share=True)
    drive(bar)
    bar.on_message("[red] is not markup here")
    out, err = capsys.readouterr()
    assert out == ""
    assert "epoch 3/3" in err
    assert "dev error 8.0 %" in err
    assert "[red] is not markup here" in err


def test_choice_by_place(monkeypatch):
    assert progress(quiet=True) == []
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    assert type(progress()[0]) is Lines
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert type(progress()[0]) is Bar


@pytest.fixture
def notebook(monkeypatch):
    """A kernel as IPython presents it; gives the list of what was displayed."""
    shown: list[str] = []

    class Handle:
        def update(self, html):
            shown.append(html)

    def display(html, display_id):
        assert display_id is True
        shown.append(html)
        return Handle()

    ipython, screen = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object())
    ipython.version_info = (9, 0)  # what matplotlib asks for
    screen.display, screen.HTML = display, str
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", screen)
    return shown


def test_notebooks_get_a_live_curve(notebook):
    observers = progress()
    assert [type(each) for each in observers] == [Curve]
    drive(observers[0])
    assert notebook[0] == "training …"
    assert "<svg" in notebook[-1]
    assert "dev error" in notebook[-1]
    assert len(notebook) == 3, "a first drawing and a last one; those within a second are left out"


def test_a_terminal_ipython_is_no_notebook(monkeypatch):
    ipython = ModuleType("IPython")
    ipython.get_ipython = lambda: None
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    assert not module.in_notebook()


def test_tensorboard_missing_says_how_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(OrthogonError, match=r"orthogon\[tensorboard\]"):
        TensorBoard(tmp_path)


def test_tensorboard_writes_scalars(monkeypatch, tmp_path):
    written: list[tuple] = []

    class Writer:
        def __init__(self, folder):
            written.append(("folder", folder))

        def add_scalar(self, name, value, step):
            written.append((name, value, step))

        def close(self):
            written.append(("closed",))

    fake = ModuleType("torch.utils.tensorboard")
    fake.SummaryWriter = Writer
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", fake)
    drive(TensorBoard(tmp_path), epochs=1, steps_per_epoch=2)
    assert written[0] == ("folder", str(tmp_path / "tensorboard"))
    assert ("train/loss", 0.5, 2) in written
    assert ("dev/accuracy", 0.91, 2) in written
    assert written[-1] == ("closed",)


def test_speed_and_time_left(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    speed = Speed(step=500)
    now[0] += 2
    event = StepEvent(600, 1000, 1, 2, 0.1, 0.1, 3200)
    speed.note(event)
    assert speed.examples_per_second() == pytest.approx(1600)
    assert speed.seconds_left(event) == pytest.approx(400 * 2 / 100)


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (5.6, "0:06"), (754, "12:34"), (3723, "1:02:03")])
def test_clock(seconds, text):
    assert clock(seconds) == text


def test_score_text():
    assert score_text({}) == ""
    assert score_text({"error": 0.006}, share=True) == "dev error 0.6 %"
    assert score_text({"token_accuracy": 0.95}, share=True) == "dev token error 5.0 %"
    assert score_text({"rmse": 0.62134}) == "dev rmse 0.6213"
    assert score_text({"f1_of_PER": 0.01067}, share=True) == "dev f1_of_PER 1.1 %"
