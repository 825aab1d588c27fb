"""The task reconstruct: its losses against SciPy and sums by hand, its bound against an integral, what it is given and
compared with."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
import torch
from helpers_tasks import CPU, table
from scipy import integrate, special, stats
from sklearn.decomposition import PCA

import orthogon as og
from orthogon.data.columns import NumberColumn
from orthogon.data.dataset import Dataset
from orthogon.errors import DataError, RecipeError
from orthogon.nn.autoencoder import Rebuilt, autoencoder, conv_autoencoder, vae
from orthogon.nn.gaussian import Gaussian
from orthogon.nn.spec import InputSpec
from orthogon.tasks.corruption import Corruption
from orthogon.tasks.reconstruct import Reconstruct
from orthogon.tasks.reconstruct_baselines import GREY, MeanExample, PrincipalComponents
from orthogon.train.compute import Compute
from orthogon.train.evaluate import as_rows, predict
from orthogon.train.randomness import Draw, normal_by_row, uniform_by_row
from orthogon.train.settings import DataSettings, Normalization, TaskSettings

N = 120


@cache
def digits() -> Dataset:
    return og.read("digits").take(np.arange(N))


def task_on(data: Dataset | None = None, settings: DataSettings | None = None, **wanted) -> Reconstruct:
    data = data or digits()
    task = Reconstruct(TaskSettings(**wanted), settings or DataSettings())
    task.fit(data, np.arange(len(data)))
    task.attach(data, CPU)
    return task


def pixels() -> np.ndarray:
    return task_on().batch(torch.arange(N)).target.numpy().astype(np.float64)


def network(task: Reconstruct, make=autoencoder, **options) -> torch.nn.Module:
    torch.manual_seed(0)
    model = make(task.spec, **options).eval()
    with torch.no_grad():
        for each in model.parameters():
            each.mul_(1.3).add_(0.005)
    task.check_output(model(*task.batch(torch.arange(2)).inputs))
    return model


def rows_of(task: Reconstruct, model: torch.nn.Module, data: Dataset | None = None):
    found = predict(task, model, np.arange(N), Compute(CPU))
    return as_rows(task, data or digits(), np.arange(N), "dev", found)


# --- the loss ------------------------------------------------------------------------------------------------------


def test_pixels_are_in_zero_to_one_and_are_their_own_target():
    batch = task_on().batch(torch.arange(N))
    assert (batch.target.min(), batch.target.max()) == (0, 1)
    assert batch.inputs[0] is batch.target


def test_the_loss_is_the_cross_entropy_summed_over_pixels_and_averaged_over_pictures():
    """Rows 3.11, 23.02; complaint 24: a mean over pixels would weigh the divergence 64 times as much."""
    task = task_on()
    model, x = network(task), pixels()
    with torch.no_grad():
        logits = model(torch.from_numpy(x).float()).output.double().numpy()
    p = special.expit(logits)
    each = -(x * np.log(p) + (1 - x) * np.log1p(-p)).reshape(N, -1).sum(axis=1)
    batch = task.batch(torch.arange(N))
    (part,) = task.loss(model, batch).parts
    assert (part.sum / part.count).item() == pytest.approx(each.mean(), rel=1e-5)
    assert task.counts(batch)[part.name] == part.count == N
    rows = rows_of(task, model)
    np.testing.assert_allclose(rows["loss"], each, rtol=1e-4)
    code = model.encoder(batch.inputs[0]).detach().numpy()
    np.testing.assert_allclose(rows["prediction"], code, rtol=1e-4, atol=1e-5)


def test_the_squared_loss_is_summed_over_pixels_of_outputs_as_they_are():
    task = task_on(loss="squared")
    model, x = network(task), pixels()
    with torch.no_grad():
        output = model(torch.from_numpy(x).float()).output.double().numpy()
    rows = rows_of(task, model)
    np.testing.assert_allclose(rows["loss"], ((output - x) ** 2).reshape(N, -1).sum(axis=1), rtol=1e-4)
    np.testing.assert_allclose(rows["squared_error"], rows["loss"] / 64, rtol=1e-5)
    assert task.metrics[0].name == "squared_error"


def test_examples_count_in_the_loss_by_their_weights():
    weight = np.linspace(0, 3, N)
    task = task_on(replace(digits(), weight=weight))
    model, batch = network(task), task.batch(torch.arange(N))
    (part,) = task.loss(model, batch).parts
    each = rows_of(task, model)["loss"]
    assert part.sum.item() == pytest.approx((each * weight).sum(), rel=1e-4)
    assert task.counts(batch)[part.name] == pytest.approx(weight.sum())


@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
def test_a_variational_network_adds_beta_times_the_divergence(beta):
    """Row 23.05."""
    task = task_on(beta=beta)
    model, batch = network(task, vae, hidden=[16], code=3).train(), task.batch(torch.arange(N))
    torch.manual_seed(5)
    parts = {part.name: part for part in task.loss(model, batch).parts}
    torch.manual_seed(5)
    output, mean, log_variance = model(*batch.inputs)
    assert parts["kl"].weight == beta
    assert parts["kl"].sum.item() == pytest.approx(Gaussian(mean, log_variance).divergence().sum().item(), rel=1e-5)
    assert parts["reconstruction"].weight == 1
    assert parts["reconstruction"].sum.item() == pytest.approx(task.costs(output, batch.target).sum().item(), rel=1e-5)
    assert set(task.counts(batch)) == set(parts)


def test_nats_are_the_bound_whatever_beta_was_and_the_loss_is_what_training_lowers():
    task = task_on(beta=4.0)
    rows = rows_of(task, network(task, vae, hidden=[16], code=3))
    found = {metric.name: metric.value(rows) for metric in task.metrics}
    assert found["nats"] == pytest.approx(found["reconstruction"] + found["kl"])
    assert rows["loss"].mean() == pytest.approx(found["reconstruction"] + 4 * found["kl"])
    assert found["bits_per_value"] == pytest.approx(found["nats"] / 64 / np.log(2))


def test_the_bound_is_above_the_likelihood_and_taken_at_the_point_of_the_row():
    """Against −log ∫ p(x|z) N(z; 0, 1) dz by quadrature, for a code of one number (Kingma & Welling 2014, (3))."""
    task, rows = task_on(binarize=0.5), np.arange(5)
    model = network(task, vae, hidden=[], code=1)
    batch, found = task.batch(torch.as_tensor(rows)), predict(task, model, rows, Compute(CPU))
    with torch.no_grad():
        weight, bias = (each.double().numpy() for each in model.head.decoder[0].parameters())
        _, means, log_variances = model(*batch.inputs)
    for k, x in enumerate(batch.target.flatten(1).double().numpy()):
        joint = partial(log_joint, x=x, weight=weight[:, 0], bias=bias)
        q = stats.norm(means[k].item(), np.exp(log_variances[k].item() / 2))
        evidence = integrate.quad(lambda z, joint=joint: np.exp(joint(z)), -12, 12, epsabs=0, epsrel=1e-9)[0]
        bound = integrate.quad(lambda z, q=q, joint=joint: q.pdf(z) * (q.logpdf(z) - joint(z)), -12, 12)[0]
        assert bound > -np.log(evidence)
        divergence = integrate.quad(lambda z, q=q: q.pdf(z) * (q.logpdf(z) - stats.norm.logpdf(z)), -12, 12)[0]
        point = q.mean() + q.std() * normal_by_row(torch.tensor([k]), 1, "code").item()
        assert found["kl"][k] == pytest.approx(divergence, rel=1e-3)
        assert found["reconstruction"][k] == pytest.approx(stats.norm.logpdf(point) - joint(point), rel=1e-4)


def log_joint(z: float, x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> float:
    logits = weight * z + bias
    return float((x * logits - np.logaddexp(0, logits)).sum() + stats.norm.logpdf(z))


def test_results_of_a_row_are_the_same_in_any_batch():
    task = task_on(noise=0.2, mask=0.2)
    model = network(task, vae, hidden=[16], code=3)
    whole = predict(task, model, np.arange(N), Compute(CPU))
    apart = predict(task, model, np.arange(N)[::-1].copy(), Compute(CPU), batch_size=7)
    for name, value in whole.items():
        np.testing.assert_allclose(apart[name][::-1], value, rtol=1e-4, atol=1e-5)


def test_pixels_are_binarized_above_the_threshold():
    x = pixels()
    found = task_on(binarize=0.25).batch(torch.arange(N)).target.numpy()
    np.testing.assert_array_equal(found, (x > 0.25).astype(np.float32))


# --- what is corrupted ---------------------------------------------------------------------------------------------


def test_training_is_given_other_noise_each_time_and_evaluation_the_same_for_a_row():
    """Row 23.04: the input is noisy, the target clean."""
    task = task_on(noise=0.3)
    rows = torch.arange(N)
    one, other = (task.batch(rows, Draw(0, 0, step, CPU)) for step in (0, 1))
    seen, again = task.batch(rows), task.batch(rows.flip(0))
    for batch in (one, other, seen):
        np.testing.assert_array_equal(batch.target.numpy(), pixels().astype(np.float32))
        off = (batch.inputs[0] - batch.target).flatten()
        assert off.std().item() == pytest.approx(0.3, rel=0.05)
        assert off.mean().item() == pytest.approx(0, abs=0.02)
    assert not torch.equal(one.inputs[0], other.inputs[0])
    assert torch.equal(seen.inputs[0], again.inputs[0].flip(0))
    assert torch.equal(task.batch(rows, Draw(0, 0, 0, CPU)).inputs[0], one.inputs[0])


@pytest.mark.parametrize(("side", "cell"), [(8, 1), (28, 4), (56, 8)])
@pytest.mark.parametrize("fixed", [True, False])
def test_a_share_of_the_area_is_masked_in_squares(side, cell, fixed):
    """Row 23.04: areas masked."""
    clean, corruption = torch.ones(400, 2, side, side), Corruption(mask=0.3)
    found = corruption.fixed(clean, torch.arange(400)) if fixed else corruption.drawn(clean, Draw(0, 0, 0, CPU))
    assert found.mean().item() == pytest.approx(0.7, abs=0.01)
    assert torch.equal(found[:, 0], found[:, 1])
    corners = found[:, :1, ::cell, ::cell]
    assert torch.equal(found[:, :1], corners.repeat_interleave(cell, 2).repeat_interleave(cell, 3))
    assert (corners.mean((0, 1)) - 0.7).abs().max() < 0.1


def test_what_is_masked_is_black_also_under_noise_and_numbers_are_masked_one_by_one():
    clean = torch.full((500, 6), 2.0)
    found = Corruption(noise=0.1, mask=0.5).fixed(clean, torch.arange(500))
    masked = found == 0
    assert masked.float().mean().item() == pytest.approx(0.5, abs=0.03)
    assert found[~masked].std().item() == pytest.approx(0.1, rel=0.1)
    assert found[~masked].mean().item() == pytest.approx(2.0, abs=0.02)


def test_new_pictures_are_not_corrupted():
    task = task_on(noise=0.5)
    model = network(task)
    answers = task.answers(model, digits(), Compute(CPU))
    plain = model(torch.from_numpy(pixels()).float())
    np.testing.assert_allclose([each["code"] for each in answers], plain.code.detach().numpy(), rtol=1e-4, atol=1e-5)
    assert not np.allclose(predict(task, model, np.arange(N), Compute(CPU))["prediction"], plain.code.detach().numpy())


def test_numbers_of_rows_are_uniform_and_normal_without_ties_between_rows_columns_or_purposes():
    rows = torch.arange(3000)
    drawn = uniform_by_row(rows, 40, "a")
    assert stats.kstest(drawn.flatten().numpy(), "uniform").pvalue > 0.01
    assert drawn.min() > 0
    assert drawn.max() < 1
    normal = normal_by_row(rows, 40, "a").double()
    assert stats.kstest(normal.flatten().numpy(), "norm").pvalue > 0.01
    assert np.abs(np.corrcoef(normal.T.numpy()) - np.eye(40)).max() < 0.09
    assert np.abs(np.corrcoef(normal[:200].numpy()) - np.eye(200)).max() < 0.75
    assert not torch.equal(drawn, uniform_by_row(rows, 40, "b"))
    assert torch.equal(drawn[[7]], uniform_by_row(torch.tensor([7]), 40, "a"))


# --- metrics and baselines -----------------------------------------------------------------------------------------


def test_psnr_its_gain_and_rounded_accuracy_are_means_over_pictures():
    """Row 12.14."""
    task = task_on(noise=0.3)
    model = network(task)
    batch, rows = task.batch(torch.arange(N)), rows_of(task, model)
    with torch.no_grad():
        values = model(*batch.inputs).output.sigmoid().numpy()
    x, noisy = batch.target.numpy(), batch.inputs[0].numpy()
    found = {metric.name: metric.estimate(rows) for metric in task.metrics if not metric.needs}
    psnr = [-10 * np.log10(np.mean((a - b) ** 2)) for a, b in zip(values, x)]
    before = [-10 * np.log10(np.mean((a - b) ** 2)) for a, b in zip(noisy, x)]
    assert found["psnr"].value == pytest.approx(np.mean(psnr), rel=1e-5)
    assert found["psnr_gain"].value == pytest.approx(np.mean(np.subtract(psnr, before)), rel=1e-4)
    assert np.mean(before) == pytest.approx(-20 * np.log10(0.3), abs=0.2)
    right = np.mean((values >= 0.5) == (x >= 0.5))
    assert found["rounded_accuracy"].value == pytest.approx(right, rel=1e-5)
    for each in found.values():
        assert each.low < each.value < each.high
        assert each.n == N
    better = {metric.name for metric in task.metrics if metric.higher_is_better}
    assert better == {"psnr", "psnr_gain", "rounded_accuracy"}


def test_the_principal_components_are_scikit_learns():
    task = task_on(loss="squared")
    network(task, code=5)
    (mean, components) = task.baselines()
    assert [type(mean), type(components)] == [MeanExample, PrincipalComponents]
    x = pixels().reshape(N, -1)
    for each, wanted in ((mean, np.broadcast_to(x.mean(axis=0), x.shape)),
                         (components, PCA(5).fit(x).inverse_transform(PCA(5).fit_transform(x)))):
        each.fit(task, np.arange(N))
        found = each.results(task, np.arange(N))
        np.testing.assert_allclose(found["squared_error"], ((wanted - x) ** 2).mean(axis=1), rtol=1e-3, atol=1e-6)
    assert found["prediction"].shape == (N, 5)


def test_rebuilt_pixels_of_baselines_stay_a_grey_level_from_black_and_white():
    task = task_on()
    mean = MeanExample()
    mean.fit(task, np.arange(N))
    x = pixels().reshape(N, -1)
    p = np.clip(x.mean(axis=0), GREY, 1 - GREY)
    wanted = -(x * np.log(p) + (1 - x) * np.log1p(-p)).sum(axis=1)
    np.testing.assert_allclose(mean.results(task, np.arange(N))["loss"], wanted, rtol=1e-4)


def test_a_variational_network_is_not_compared_with_codes_that_cost_nothing():
    task = task_on()
    network(task, vae)
    assert [each.name for each in task.baselines()] == ["mean"]


# --- what fits, and what is shipped --------------------------------------------------------------------------------


def test_tables_are_rebuilt_with_the_squared_error_of_encoded_numbers():
    data = Dataset("numbers", {"x": NumberColumn(np.random.default_rng(0).normal(5, 3, (N, 4)))}, None,
                   np.arange(N).astype(str))
    task = task_on(data)
    assert task.default_model()[0] == "autoencoder"
    assert (task.spec.output_shape, task.loss_name) == ((4,), "squared")
    rows = rows_of(task, network(task), data)
    assert {metric.name for metric in task.metrics if not metric.needs} == {"squared_error"}
    assert rows["squared_error"].shape == (N,)


class Plain(torch.nn.Module):
    """A network of the user's own, without a code."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 4 * x - 2


def test_a_network_of_the_users_own_need_not_have_a_code():
    task = task_on()
    task.check_output(Plain()(torch.zeros(2, 1, 8, 8)))
    found = predict(task, Plain(), np.arange(N), Compute(CPU))
    np.testing.assert_allclose(found["prediction"], (4 * pixels() - 2).reshape(N, -1).mean(axis=1), rtol=1e-4)
    assert [each.name for each in task.baselines()] == ["mean"]
    with pytest.raises(RecipeError, match=r"the model gives \(3, 8, 8\) for each example, and is to give \(1, 8, 8\)"):
        task.check_output(torch.zeros(2, 3, 8, 8))


def test_the_state_brings_back_loss_and_size_of_the_code():
    task = task_on(loss="squared")
    network(task, code=7)
    other = Reconstruct(TaskSettings(), DataSettings())
    other.load_state(task.state())
    assert (other.loss_name, other.code_size, other.spec) == ("squared", 7, task.spec)
    assert other.labels == tuple("0123456789")


@pytest.mark.parametrize(("wanted", "settings", "where"), [
    ({}, DataSettings(normalize="fitted"), "data.normalize"),
    ({}, DataSettings(normalize=Normalization(mean=[128.0], std=[64.0])), "data.normalize"),
    ({"loss": "huber"}, DataSettings(), "task.loss"),
    ({"metric": "accuracy"}, DataSettings(), "task.metric"),
])
def test_what_does_not_fit_is_refused_by_its_key(wanted, settings, where):
    with pytest.raises(RecipeError) as caught:
        assert task_on(settings=settings, **wanted).metrics
    assert caught.value.where == where


@pytest.mark.parametrize(("key", "value"), [("loss", "bernoulli"), ("binarize", 0.5)])
def test_numbers_are_no_chances(key, value):
    data = Dataset("numbers", {"x": NumberColumn(np.zeros((N, 4)))}, None, np.arange(N).astype(str))
    with pytest.raises(RecipeError, match="no probabilities") as caught:
        task_on(data, **{key: value})
    assert caught.value.where == f"task.{key}"


def test_pixels_of_weights_that_were_trained_in_zero_to_one_are_taken():
    unit = DataSettings(normalize=Normalization(mean=[0.0], std=[255.0]))
    assert task_on(settings=unit).batch(torch.arange(N)).target.max() == 1


def test_several_inputs_are_refused():
    with pytest.raises(DataError, match="one input of kind image or number"):
        task_on(table(NumberColumn(np.arange(50.0))))


def test_the_default_for_pictures_is_convolutional():
    task = task_on()
    assert task.default_model()[0] == "conv_autoencoder"
    rebuilt = conv_autoencoder(task.spec)(*task.batch(torch.arange(2)).inputs)
    assert isinstance(rebuilt, Rebuilt)
    assert task.spec.inputs == (InputSpec("image", (1, 8, 8)),)
