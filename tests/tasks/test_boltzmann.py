"""Machines learn by contrastive divergence: one step, a whole distribution, layers in turn, resuming, fine-tuning."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_contract import interrupted_and_resumed
from torch import Tensor
from worlds import recipe

import orthogon as og
from orthogon.data.columns import CategoryColumn, ImageColumn, NumberColumn
from orthogon.data.dataset import Dataset
from orthogon.errors import DataError, Diverged, RecipeError
from orthogon.nn.belief_network import DeepBeliefNetwork, dbn
from orthogon.optim.schedules import Timeline
from orthogon.tasks.boltzmann import Boltzmann, free_energy_gap
from orthogon.tasks.contrastive_divergence import ContrastiveDivergence
from orthogon.train.compute import Compute
from orthogon.train.randomness import Draw
from orthogon.train.rows import Rows
from orthogon.train.sampler import Shuffled
from orthogon.train.settings import DataSettings, TaskSettings
from orthogon.train.trainer import Trainer

CPU = torch.device("cpu")


def bars_and_stripes(side: int = 3, copies: int = 4) -> np.ndarray:
    """All pictures of whole rows or of whole columns: 14 of side 3, each as likely as the other. N×H×W of 0 and 255."""
    codes = (np.arange(2**side)[:, None] >> np.arange(side)) & 1
    rows = np.repeat(codes[:, :, None], side, axis=2)
    every = np.unique(np.concatenate([rows, rows.transpose(0, 2, 1)]), axis=0)
    return np.tile(255 * every, (copies, 1, 1)).astype(np.uint8)


def pictures(pixels: np.ndarray) -> Dataset:
    column = ImageColumn(pixels[:, None])
    kinds = CategoryColumn(np.arange(len(pixels)) % 2, ["one", "other"])
    return Dataset("bars", {"picture": column, "kind": kinds}, "kind", np.array([f"p{i}" for i in range(len(pixels))]))


def numbers(count: int = 60, width: int = 5) -> Dataset:
    table = np.random.default_rng(0).normal(size=(count, width)) * [1, 2, 3, 4, 5][:width]
    return Dataset("table", {"x": NumberColumn(table)}, None, np.array([f"r{i}" for i in range(count)]))


def ready(data: Dataset, settings: dict | None = None, **task_settings: object) -> Boltzmann:
    task = Boltzmann(TaskSettings(**task_settings), DataSettings(**(settings or {})))  # type: ignore[arg-type]
    task.fit(data, np.arange(len(data)))
    task.attach(data, CPU)
    return task


def built(task: Boltzmann, hidden: tuple[int, ...] = (6,), visible: str | None = None) -> DeepBeliefNetwork:
    torch.manual_seed(0)
    return dbn(task.spec, hidden, visible)  # type: ignore[return-value]


def step_of(task: Boltzmann, network: DeepBeliefNetwork, steps: int = 10, **settings: object) -> ContrastiveDivergence:
    values = {f"train__{name}": value for name, value in {
        "optimizer": "sgd", "lr": 0.1, "weight_decay": 0.0, "schedule": "constant", **settings}.items()}
    return task.step(network, recipe(**values).train, Compute(CPU), Timeline(steps, 5))  # type: ignore[return-value]


def draw(step: int = 0) -> Draw:
    return Draw(0, 0, step, CPU)


def values_of(network: DeepBeliefNetwork) -> list[Tensor]:
    return [each.detach().clone() for each in network.parameters()]


BARS = pictures(bars_and_stripes())
ROWS = torch.arange(12)


# --- one step ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cd_steps", [1, 3])
def test_a_step_descends_on_the_contrast_with_what_the_chains_make_of_the_batch(cd_steps):
    task = ready(BARS, cd_steps=cd_steps)
    network = built(task)
    machine, before = network.machines[0], values_of(network)
    data = task.batch(ROWS).inputs[0].flatten(1)
    made = machine.gibbs(data, cd_steps, draw().generator("chains"))
    expected = [value - 0.1 * gradient for value, gradient in zip(before, machine.contrast(data, made))]
    watched = torch.nn.functional.binary_cross_entropy_with_logits(
        machine.visible_input(machine(data)), data, reduction="none").sum(1).mean()
    loss = step_of(task, network)(ROWS, draw())
    for found, wanted in zip(network.parameters(), expected):
        torch.testing.assert_close(found.detach(), wanted)
    torch.testing.assert_close(loss, watched.detach())


def test_momentum_decay_and_schedule_are_the_recipes():
    """Decay is of weights alone; the schedule halves the rate at the second step of two."""
    task = ready(BARS)
    network = built(task)
    step = step_of(task, network, steps=2, optimizer="momentum", momentum=0.5, weight_decay=0.01, schedule="linear")
    twin, moved = built(task), [torch.zeros_like(each) for each in network.parameters()]
    for number, rate in enumerate((0.1, 0.05)):
        data = task.batch(ROWS).inputs[0].flatten(1)
        machine = twin.machines[0]
        made = machine.gibbs(data, 1, draw(number).generator("chains"))
        for value, gradient, velocity in zip(machine.parameters(), machine.contrast(data, made), moved):
            velocity.mul_(0.5).add_(gradient + (0.01 * value if value.ndim == 2 else 0))
            value.data -= rate * velocity
        step(ROWS, draw(number))
    for found, wanted in zip(network.parameters(), twin.parameters()):
        torch.testing.assert_close(found, wanted)


def test_persistent_chains_go_on_where_they_were():
    task = ready(BARS, persistent=True)
    network = built(task)
    step, machine = step_of(task, network), network.machines[0]
    data = task.batch(ROWS).inputs[0].flatten(1)
    first = machine.gibbs(data, 1, draw(0).generator("chains"))
    step(ROWS, draw(0))
    second = machine.gibbs(first, 1, draw(1).generator("chains"))
    assert torch.equal(step.state()["carried"]["made"], first)
    step(ROWS + 12, draw(1))
    assert torch.equal(step.state()["carried"]["made"], second)


def test_chains_of_plain_contrastive_divergence_are_not_kept():
    task = ready(BARS)
    step = step_of(task, built(task))
    step(ROWS, draw())
    assert step.state()["carried"] is None


# --- layer by layer ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [
    {"optimizer": "momentum", "weight_decay": 0.1}, {"optimizer": "adamw", "weight_decay": 0.1},
    {"optimizer": "sgd", "l1": 0.1, "l2": 0.1}], ids=["momentum", "adamw", "penalties"])
def test_each_machine_learns_in_its_share_of_the_steps_and_the_others_stand_still(settings):
    """Rows 23.09 and 23.10: greedy, from the lowest up, also against decay, momentum and penalties."""
    task = ready(BARS)
    network = built(task, (6, 5, 4))
    step = step_of(task, network, steps=7, **settings)
    turns = []
    for number in range(7):
        before = [[each.clone() for each in machine.parameters()] for machine in network.machines]
        step(ROWS, draw(number))
        turns.append([all(torch.equal(*pair) for pair in zip(old, machine.parameters()))
                      for old, machine in zip(before, network.machines)].index(False))
        moved = [not all(torch.equal(*pair) for pair in zip(old, machine.parameters()))
                 for old, machine in zip(before, network.machines)]
        assert sum(moved) == 1
    assert turns == [0, 0, 0, 1, 1, 1, 2]


def test_a_machine_learns_from_the_probabilities_of_the_one_below():
    task = ready(BARS)
    network = built(task, (6, 5))
    step = step_of(task, network, steps=2)
    step(ROWS, draw(0))
    low, high = network.machines
    data = low(task.batch(ROWS).inputs[0].flatten(1)).detach()
    made = high.gibbs(data, 1, draw(1).generator("chains"))
    expected = high.weight.detach() - 0.1 * high.contrast(data, made).weight
    step(ROWS, draw(1))
    torch.testing.assert_close(high.weight.detach(), expected)


def test_the_schedule_begins_anew_with_each_machine():
    task = ready(BARS)
    step = step_of(task, built(task, (6, 5)), steps=8, schedule="linear", lr=0.4)
    rates = []
    for number in range(8):
        step(ROWS, draw(number))
        rates.append(round(step.rate(), 9))
    assert rates == [0.4, 0.3, 0.2, 0.1] * 2


def test_chains_of_the_machine_below_are_not_handed_up():
    task = ready(BARS, persistent=True)
    step = step_of(task, built(task, (6, 5)), steps=2)
    shapes = []
    for number in range(2):
        step(ROWS, draw(number))
        shapes.append((step.state()["carried"]["layer"], step.state()["carried"]["made"].shape[1]))
    assert shapes == [(0, 9), (1, 6)]


# --- a training ----------------------------------------------------------------------------------------------------


def test_a_small_distribution_is_learnt_nearly_as_well_as_can_be():
    """Bars and stripes of side 3: 14 equally likely pictures, log p = −log 14 = −2.639 at best; by chance −6.238."""
    task, whole = ready(BARS, cd_steps=10, binarize=0.5), torch.arange(56)
    network = built(task, (16,))
    step = step_of(task, network, steps=600, lr=0.5, schedule="linear", optimizer="momentum")

    def log_likelihood() -> float:
        return task.results(network, task.batch(whole))["log_likelihood"].mean().item()

    assert log_likelihood() == pytest.approx(9 * np.log(0.5), abs=0.05)
    for number in range(600):
        step(whole, draw(number))
    assert -2.9 < log_likelihood() < -2.639


def test_resuming_is_exact(tmp_path):
    """With persistent chains, across the step at which the second machine begins."""
    task = ready(BARS, persistent=True)

    def make() -> tuple[ContrastiveDivergence, Shuffled]:
        step = step_of(task, built(task, (6, 5)), steps=24, optimizer="momentum", schedule="cosine")
        return step, Shuffled(np.arange(56), 10, 0)

    for stop in (9, 15):
        whole, resumed = interrupted_and_resumed(tmp_path / str(stop), make, 24, stop)
        for one, other in zip(values_of(whole.model()), values_of(resumed.model())):  # type: ignore[arg-type]
            assert torch.equal(one, other)
        assert torch.equal(whole.state()["carried"]["made"], resumed.state()["carried"]["made"])


def test_a_rate_that_is_too_high_is_said(tmp_path):
    data = numbers()
    task = ready(data)
    step = step_of(task, built(task, (8,)), steps=400, lr=50.0)
    settings = recipe(train__steps=400, train__epochs=None).train
    with pytest.raises(Diverged) as caught:
        Trainer(step, Shuffled(np.arange(60), 20, 0), settings).fit()
    assert "no longer" in caught.value.what or "nan" in caught.value.what or "inf" in caught.value.what
    assert "rate 50" in caught.value.what
    assert "a learning rate that is too high" in caught.value.remedy


def test_rates_suit_the_values_and_the_chains():
    chosen = ready(BARS).default_settings(56)
    assert (chosen["optimizer"], chosen["lr"], chosen["momentum"], chosen["batch_size"]) == ("momentum", 0.05, 0.9, 20)
    assert ready(BARS, persistent=True).default_settings(56)["momentum"] == 0.5
    assert ready(numbers()).default_settings(60)["lr"] == 1e-3
    large = ready(BARS).default_settings(54_000)
    assert (large["batch_size"], large["epochs"]) == (100, 15)


def test_only_one_process_and_whole_batches():
    task = ready(BARS)
    assert not ContrastiveDivergence.rank_aware
    assert not ContrastiveDivergence.compilable
    with pytest.raises(RecipeError, match="cannot be split"):
        step_of(task, built(task), batch_size=20, micro_batch_size=10)


# --- what is told --------------------------------------------------------------------------------------------------


def test_results_are_what_the_machine_says_of_each_example():
    task = ready(BARS, binarize=0.5)
    network = built(task)
    machine, batch = network.machines[0], task.batch(ROWS)
    data = batch.inputs[0].flatten(1)
    with torch.no_grad():
        found = task.results(network, batch)
        rebuilt = machine.visible_mean(machine(data))
    torch.testing.assert_close(found["prediction"], machine.free_energy(data).detach())
    torch.testing.assert_close(found["squared_error"], (rebuilt - data).square().mean(1).detach())
    entropy = -(data * rebuilt.log() + (1 - data) * (1 - rebuilt).log()).sum(1)
    torch.testing.assert_close(found["cross_entropy"], entropy.detach())
    torch.testing.assert_close(found["loss"], entropy.detach())
    torch.testing.assert_close(found["log_likelihood"], -found["prediction"] - machine.log_partition())
    exact = machine.pseudo_log_likelihood(data, torch.arange(9).expand(12, 9))
    torch.testing.assert_close(found["pseudo_log_likelihood"].mean(), exact.mean(), rtol=0.02, atol=0)
    again = task.results(network, task.batch(ROWS.flip(0)))["pseudo_log_likelihood"].detach().flip(0)
    torch.testing.assert_close(found["pseudo_log_likelihood"], again)  # each example is asked of the same units


def test_there_is_no_exact_likelihood_of_greys_of_stacks_and_of_large_machines():
    for task, hidden in ((ready(BARS), (6,)), (ready(BARS, binarize=0.5), (6, 4))):
        assert "log_likelihood" not in task.results(built(task, hidden), task.batch(ROWS))
    wide = ready(pictures(bars_and_stripes(5, 1)), binarize=0.5)
    assert "log_likelihood" not in wide.results(built(wide, (17,)), wide.batch(ROWS))
    assert "log_likelihood" in wide.results(built(wide, (16,)), wide.batch(ROWS))


def test_real_values_have_a_likelihood_and_half_the_squared_error_as_loss():
    data = numbers()
    task = ready(data)
    network, batch = built(task, (3,)), task.batch(torch.arange(60))
    with torch.no_grad():
        found = task.results(network, batch)
    assert set(found) == {"prediction", "loss", "squared_error", "log_likelihood"}
    torch.testing.assert_close(found["loss"], found["squared_error"] * 5 / 2)
    # Without connections the machine is a standard normal distribution, as the columns are once standardized.
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)
    normal = torch.distributions.Normal(0, 1).log_prob(batch.inputs[0]).sum(1)
    torch.testing.assert_close(task.results(network, batch)["log_likelihood"].detach(), normal)


def rows_of(free_energy: np.ndarray, part: str) -> Rows:
    ids = np.array([f"{part}{i}" for i in range(len(free_energy))])
    return Rows(part, ids, {"prediction": free_energy, "target": np.zeros(len(ids))})


def test_the_gap_of_free_energies_has_an_interval_and_is_a_sign_where_it_is_not_chance():
    """Against Welch's interval for the difference of two means."""
    from scipy.stats import ttest_ind

    random, task = np.random.default_rng(0), ready(BARS)
    train, dev = random.normal(-50, 4, 800), random.normal(-47, 5, 300)
    parts = {"train": rows_of(train, "train"), "dev": rows_of(dev, "dev")}
    gap, welch = free_energy_gap(parts["dev"], parts["train"]), ttest_ind(dev, train, equal_var=False)
    assert gap.value == pytest.approx(dev.mean() - train.mean())
    assert (gap.low, gap.high) == pytest.approx(tuple(welch.confidence_interval()), abs=0.05)
    assert gap.n == 300
    sign = task.signs([], parts)[0]
    assert sign.kind == "overfitting"
    assert "n = 300 and 800" in sign.what
    alike = {"train": rows_of(train, "train"), "dev": rows_of(train[:300], "dev")}
    assert task.signs([], alike) == []
    assert task.signs([], {"dev": parts["dev"]}) == []


def test_a_metric_that_a_machine_does_not_have_is_refused_by_name():
    task = ready(BARS, metric="log_likelihood")
    assert task.metrics[0].name == "log_likelihood"
    with pytest.raises(RecipeError, match="no log_likelihood"):
        task.metrics[0].value(rows_of(np.zeros(3), "dev"))


def test_what_is_learnt_is_drawn():
    task = ready(pictures(bars_and_stripes(4, 1)))
    network = built(task, (70, 5))
    with torch.no_grad():
        sheets = task.sheets(network, np.arange(10))
        snapshot = task.snapshot(network)
    assert [sheet.name for sheet in sheets] == ["filters-1", "filters-2", "rebuilt", "chains-pictures", "chains-noise"]
    assert all(sheet.picture.dtype == np.uint8 and sheet.picture.shape[2] == 1 for sheet in sheets)
    assert "The first 64 of 70" in sheets[0].line
    assert "All 5" in sheets[1].line
    assert snapshot is not None
    assert snapshot.shape == (4 * 58, 4 * 58, 1)  # four by four filters of 4 pixels, each 14 wide, with white around
    pixels = sheets[0].picture[8:57:14, 8:57:14, 0].astype(float) / 255  # of the first filter; a pixel is 14 wide
    weight = network.machines[0].weight.detach()[:, 0].reshape(4, 4)
    largest = network.machines[0].weight[:, :64].abs().quantile(0.999).item()
    np.testing.assert_allclose(pixels, (weight / largest / 2 + 0.5).clamp(0, 1), atol=1 / 255)
    assert ready(numbers()).sheets(built(ready(numbers()), (3,)), np.arange(5)) == []


# --- what cannot be ------------------------------------------------------------------------------------------------


def test_units_and_values_must_fit():
    unit, standard, table = ready(BARS), ready(BARS, {"normalize": "fitted"}), ready(numbers())
    with pytest.raises(RecipeError, match="vary far less") as caught:
        step_of(unit, built(unit, visible="gaussian"))
    assert "data.normalize=fitted" in caught.value.remedy
    for task in (standard, table):
        with pytest.raises(RecipeError, match="these are standardized"):
            step_of(task, built(task, visible="bernoulli"))
    step_of(standard, built(standard, visible="gaussian"))
    step_of(table, built(table))


def test_what_the_task_cannot_use_is_refused_by_its_key():
    from dataclasses import replace

    with pytest.raises(RecipeError, match="all examples alike") as caught:
        ready(replace(BARS, weight=np.ones(56)))
    assert caught.value.where == "data.weight"
    with pytest.raises(RecipeError, match="black and white") as caught:
        ready(numbers(), binarize=0.5)
    assert caught.value.where == "task.binarize"
    with pytest.raises(DataError, match="one input of kind image or number"):
        ready(Dataset("both", {**BARS.columns, "x": NumberColumn(np.zeros((56, 1)))}, "kind", BARS.ids))
    task = ready(BARS)
    with pytest.raises(RecipeError, match="no Boltzmann machine"):
        task.check_output(torch.zeros(2, 1, 3, 3))
    with pytest.raises(RecipeError, match="no Boltzmann machine"):
        task.step(torch.nn.Linear(9, 9), recipe().train, Compute(CPU), Timeline(5, 5))
    for key, value in (("max_norm", 3.0), ("precision", "bf16"), ("optimizer", "lbfgs")):
        with pytest.raises(RecipeError) as caught:
            step_of(task, built(task), **{key: value})
        assert caught.value.where == f"train.{key}"


# --- and then with labels ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> og.Run:
    return og.train("digits", task="boltzmann", model="dbn", epochs=2, quiet=True, out=tmp_path_factory.mktemp("runs"),
                    options={"model.options": {"hidden": [20, 12]}, "train.lr": 0.1, "train.preflight": False})


def test_it_runs_to_the_report_without_a_look_at_labels(pretrained):
    result = pretrained.result
    assert result["metric"] == "squared_error"
    assert 0 < result["splits"]["dev"]["metrics"]["squared_error"]["value"] < 0.2
    assert set(result["splits"]["dev"]["metrics"]) == {
        "squared_error", "cross_entropy", "pseudo_log_likelihood", "free_energy"}
    report = (pretrained.path / "report.html").read_text()
    assert "Filters of layer 2" in report
    assert "Gibbs chains that begin at noise" in report
    answers = og.load(pretrained).predict(np.zeros((1, 8, 8), np.uint8))
    assert set(answers[0]) >= {"free_energy", "squared_error"}


def test_fine_tuning_starts_with_the_weights_and_learns_from_the_labelled_train_set(pretrained, tmp_path):
    """E52: with a labelled training set, not with a test set: no example of dev or test is among those learnt from."""
    from safetensors.torch import load_file

    options = {"model.options": {"hidden": [20, 12]}, "train.transfer": "features", "train.preflight": False}
    run = og.train("digits", task="classify", weights=str(pretrained.path), model="dbn", epochs=1, quiet=True,
                   out=tmp_path, options=options)
    before, after = (load_file(each.path / "bundle" / "model.safetensors") for each in (pretrained, run))
    for name, value in before.items():
        assert torch.equal(after[name], value), name
    assert set(after) - set(before) == {"head.weight", "head.bias"}
    learnt = set(run.rows("train").ids)
    assert len(learnt) == 1079
    assert not learnt & {*run.rows("dev").ids, *run.rows("test").ids}
