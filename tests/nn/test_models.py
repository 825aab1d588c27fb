"""The models of this project's own making: shapes, live gradients, and the capacity to learn eight examples by heart.

Published networks for pictures have tests/vision/test_contract.py.
"""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from orthogon.errors import RecipeError
from orthogon.nn.activations import ACTIVATIONS, activation
from orthogon.nn.initializers import initialize
from orthogon.nn.models import Embeddings, MeanEmbedding, OneHot, TokenShares, embedding_width, linear, mlp
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.registry import models

PICTURE = InputSpec("image", (1, 28, 28))
NUMBERS, CATEGORIES = InputSpec("number", (20,)), InputSpec("category", (2,), (4, 7))


@pytest.fixture(autouse=True)
def _one_thread():
    """These networks are too small to share out: more threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def example(item: InputSpec, count: int) -> torch.Tensor:
    if item.kind == "category":
        return torch.stack([torch.randint(0, codes, (count,)) for codes in item.levels], dim=1)
    return torch.randn(count, *item.shape)


def own() -> list:
    return [entry for entry in models if entry.name in ("linear", "mlp", "plain", "lenet5", "convnet", "gmlp")]


def variants() -> list:
    shown = []
    for entry in own():
        inputs = (PICTURE,) if "image" in entry.kinds else (NUMBERS, CATEGORIES)
        shown.append(pytest.param(entry.name, inputs, {}, id=entry.name))
    for output in ("rbf", "linear"):
        shown.append(pytest.param("lenet5", (PICTURE,), {"variant": "paper", "output": output}, id=f"paper-{output}"))
    shown.append(pytest.param("mlp", (PICTURE,), {"norm": "batch", "activation": "gelu"}, id="mlp-picture"))
    shown.append(pytest.param("convnet", (PICTURE, NUMBERS, CATEGORIES), {}, id="convnet-beside"))
    return shown


@pytest.mark.parametrize(("name", "inputs", "options"), variants())
def test_learns_eight_examples_and_every_gradient_lives(name, inputs, options):
    torch.manual_seed(0)
    spec = ModelSpec(inputs, 4)
    net = models.load(name)(spec, **options)
    given = tuple(example(item, 8) for item in inputs)
    target = torch.arange(8) % 4
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2 if name in ("linear", "mlp") else 3e-3)
    losses = []
    moved = {key: torch.zeros_like(value, dtype=torch.bool) for key, value in net.named_parameters()}
    for _ in range(150):
        output = net(*given)
        assert output.shape == (8, 4)
        assert torch.isfinite(output).all()
        loss = F.cross_entropy(output, target)
        optimizer.zero_grad()
        loss.backward()
        for key, value in net.named_parameters():
            assert value.grad is not None, f"{key} is not reached"
            moved[key] |= value.grad != 0
        optimizer.step()
        losses.append(loss.item())
        if losses[-1] < 0.05:
            break
    assert losses[-1] < 0.05
    for key, where in moved.items():
        assert where.any(), f"the gradient of {key} is always zero"


def test_starts_near_equal_odds():
    for entry in own():
        inputs = (PICTURE,) if "image" in entry.kinds else (NUMBERS,)
        losses = []
        for seed in range(6):
            torch.manual_seed(seed)
            net = entry.load()(ModelSpec(inputs, 10)).eval()
            given = (example(item, 256) for item in inputs)
            losses.append(F.cross_entropy(net(*given), torch.randint(10, (256,))).item())
        assert abs(sum(losses) / len(losses) - math.log(10)) < 0.15, entry.name


def count(net: torch.nn.Module) -> int:
    return sum(value.numel() for value in net.parameters())


def test_parameter_counts():
    spec = ModelSpec((InputSpec("image", (1, 28, 28)),), 10)
    assert count(mlp(spec, hidden=[128])) == 784 * 128 + 128 + 128 * 10 + 10
    assert count(linear(spec)) == 784 * 10 + 10
    tables = ModelSpec((NUMBERS, CATEGORIES), 3)
    assert count(linear(tables)) == (20 + 3 + 6 + 1) * 3
    assert count(mlp(tables, hidden=(8,))) == 4 * 2 + 7 * 4 + (20 + 6) * 8 + 8 + 8 * 3 + 3


def test_unknown_category_is_a_zero_embedding():
    embeddings = Embeddings([4, 7])
    assert embeddings(torch.zeros(3, 2, dtype=torch.int64)).abs().sum() == 0
    assert embeddings(torch.ones(3, 2, dtype=torch.int64)).abs().sum() > 0
    assert [embedding_width(codes) for codes in (2, 7, 1000)] == [1, 4, 50]
    torch.manual_seed(0)
    table = Embeddings([500]).tables[0].weight.detach()
    assert float(table[1:].std()) == pytest.approx(50**-0.5, rel=0.03)  # so that an embedding has length 1


def test_every_known_code_starts_at_random_with_an_embedding_of_its_own():
    """Row 4.10: what starts equal is moved by symmetric gradients alone, and stays equal."""
    drawn = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        drawn.append([table.weight.detach() for table in Embeddings([50, 9], width=3).tables])
    for first, again, other in zip(*drawn):
        assert torch.equal(first, again)
        assert not first[0].any()
        assert (first[1:] != other[1:]).all()
        assert len(first.unique(dim=0)) == len(first)


def test_one_hot_against_torch():
    codes = torch.stack([torch.randint(0, 4, (50,)), torch.randint(0, 7, (50,))], dim=1)
    expected = torch.cat([F.one_hot(codes[:, 0], 4)[:, 1:], F.one_hot(codes[:, 1], 7)[:, 1:]], dim=1)
    assert torch.equal(OneHot((4, 7))(codes), expected.float())


@pytest.mark.parametrize("name", sorted(set(ACTIVATIONS) - {"softplus", "sigmoid"}))
def test_initial_weights_keep_the_signal_size(name):
    torch.manual_seed(0)
    x = torch.randn(2048, 256)
    for _ in range(6):
        layer = torch.nn.Linear(256, 256)
        initialize(layer, followed_by=name)
        x = activation(name)(layer(x))
    assert 0.05 < x.square().mean().sqrt() < 5


@pytest.mark.parametrize("options", [{"activation": "rellu"}, {"dropout": 1.0}, {"hidden": [0]}, {"dropout": [0.1]},
                                     {"dropout": [0.1, -0.1]}, {"input_dropout": 1.0}, {"initializer": "he_norml"}])
def test_wrong_options_are_named(options):
    with pytest.raises(RecipeError) as caught:
        mlp(ModelSpec((NUMBERS,), 2), **options)
    assert "model.options" in str(caught.value)


def test_each_layer_may_have_its_own_dropout_and_inputs_theirs():
    net = mlp(ModelSpec((NUMBERS,), 2), hidden=[8, 6, 4], dropout=[0.1, 0.0, 0.3], input_dropout=0.2)
    drops = [(at, layer.p) for at, layer in enumerate(net.hidden) if isinstance(layer, torch.nn.Dropout)]
    assert drops == [(0, 0.2), (3, 0.1), (8, 0.3)]
    same = mlp(ModelSpec((NUMBERS,), 2), hidden=[8, 6], dropout=0.4)
    assert [layer.p for layer in same.hidden if isinstance(layer, torch.nn.Dropout)] == [0.4, 0.4]
    assert not any("Dropout" in type(layer).__name__ for layer in mlp(ModelSpec((NUMBERS,), 2)).modules())


def test_a_named_initializer_is_that_of_all_layers():
    net = mlp(ModelSpec((NUMBERS,), 2), hidden=[8, 8], initializer="zeros")
    assert all((value == 0).all() for value in net.parameters())
    torch.manual_seed(0)
    small = mlp(ModelSpec((InputSpec("number", (200,)),), 50), hidden=[300], initializer="small_random")
    for layer in (small.hidden[0], small.output):
        assert float(layer.weight.detach().std()) == pytest.approx(0.01, rel=0.03)


def test_worked_numbers_of_dense_layers():
    """34.24: the stacked autoencoder 784-100-30-100-784. 34.06: one layer from a picture of a million pixels."""
    pictures = ModelSpec((InputSpec("image", (1, 28, 28)),), 784)
    model = mlp(pictures, hidden=(100, 30, 100))
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    assert [sum(p.numel() for p in layer.parameters()) for layer in layers] == [78_500, 3_030, 3_100, 79_184]
    with torch.device("meta"):
        assert nn.Linear(1000 * 1000 * 3, 1000).weight.numel() == 3_000_000_000


def test_a_text_is_the_mean_of_its_tokens_whatever_its_padding():
    ids = torch.tensor([[4, 5, 4], [6, 0, 0]])
    mean = MeanEmbedding(8, 3)
    table = mean.table.weight
    torch.testing.assert_close(mean(ids), torch.stack([(2 * table[4] + table[5]) / 3, table[6]]))
    shares = TokenShares(8)(ids)
    torch.testing.assert_close(shares, torch.tensor([[0, 0, 0, 2 / 3, 1 / 3, 0, 0], [0, 0, 0, 0, 0, 1.0, 0]]))
    for bag in (mean, TokenShares(8)):
        torch.testing.assert_close(bag(torch.nn.functional.pad(ids, (0, 4))), bag(ids))


@pytest.mark.parametrize("name", ["linear", "mlp"])
def test_texts_and_numbers_are_learnt_from_together(name):
    spec = ModelSpec((InputSpec("text", (9,), (50,)), InputSpec("number", (2,))), 3)
    model = models.load(name)(spec)
    outputs = model(torch.randint(1, 50, (5, 9)), torch.randn(5, 2))
    outputs.sum().backward()
    assert outputs.shape == (5, 3)
    assert all(parameter.grad is not None for parameter in model.parameters())
