"""Streaming normalization against a reference that keeps lists of moments, and what it learns from single examples."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from orthogon.nn.streaming_norm import StreamingNorm


class Reference:
    """The equations of Liao et al. 2016 in NumPy: raw moments and gradients in lists, averaged when they are wanted."""

    def __init__(self, decay: float, share: float, shares: tuple[float, float, float]) -> None:
        self.decay, self.share, self.shares, self.updates = decay, share, shares, 0
        self.recent, self.recent_gradients, self.long, self.long_gradient = [], [], None, None

    def forward(self, x: np.ndarray) -> np.ndarray:
        """x: C×n, each row all values of a feature."""
        if self.recent_gradients:
            self.updates += 1
            kept = min(self.decay, 1 - 1 / self.updates)
            self.long = self.mixed(kept, self.long, np.mean(self.recent, axis=0))
            self.long_gradient = self.mixed(kept, self.long_gradient, np.mean(self.recent_gradients, axis=0))
            self.recent, self.recent_gradients = [], []
        self.recent.append(np.stack([x.mean(1), (x**2).mean(1)]))
        now = np.mean(self.recent, axis=0)
        moments = now if self.long is None else (1 - self.share) * self.long + self.share * now
        self.mean, self.variance = moments[0][:, None], (moments[1] - moments[0] ** 2)[:, None] + 1e-5
        return (x - self.mean) / np.sqrt(self.variance)

    def backward(self, x: np.ndarray, upstream: np.ndarray) -> np.ndarray:
        by_mean = -(upstream / np.sqrt(self.variance)).sum(1)
        by_variance = (upstream * (x - self.mean) * -0.5 * self.variance**-1.5).sum(1)
        current = np.stack([by_mean, by_variance])
        self.recent_gradients.append(current)
        recent = np.mean(self.recent_gradients, axis=0)
        long = recent if self.long_gradient is None else self.long_gradient
        by_mean, by_variance = (self.shares[0] * long + self.shares[1] * recent + self.shares[2] * current)[:, :, None]
        through = (by_mean + by_variance * 2 * (x - self.mean)) / x.shape[1]
        return upstream / np.sqrt(self.variance) + through

    @staticmethod
    def mixed(kept: float, before: np.ndarray | None, now: np.ndarray) -> np.ndarray:
        return now if before is None else kept * before + (1 - kept) * now


def by_feature(values: torch.Tensor) -> np.ndarray:
    return values.detach().transpose(0, 1).flatten(1).numpy()


@pytest.mark.parametrize("shape", [(6, 3), (1, 3), (2, 3, 4), (1, 3, 2, 2)])
@pytest.mark.parametrize("options", [{}, {"decay": 0.9, "share": 0.5, "gradient_shares": (0.5, 0.2, 0.1)}])
def test_values_and_gradients_over_many_updates_are_those_of_the_reference(shape, options):
    torch.manual_seed(0)
    layer = StreamingNorm(3, **options).double()
    reference = Reference(options.get("decay", 0.7), options.get("share", 0.3),
                          options.get("gradient_shares", (0.7, 0.0, 0.3)))
    for update in range(14):
        steps = []
        for _ in range(1 + update % 3):
            x = (2 * torch.randn(shape, dtype=torch.float64) + 5).requires_grad_()
            out = layer(x)
            np.testing.assert_allclose(by_feature(out), reference.forward(by_feature(x)), atol=1e-8)
            steps.append((x, out, reference.mean, reference.variance))
        for x, out, reference.mean, reference.variance in reversed(steps):
            upstream = torch.randn(shape, dtype=torch.float64)
            out.backward(upstream)
            np.testing.assert_allclose(by_feature(x.grad), reference.backward(by_feature(x), by_feature(upstream)),
                                       atol=1e-7)
    assert layer.updates == 13
    np.testing.assert_allclose(layer.running_mean.numpy(), reference.long[0], rtol=1e-10)
    np.testing.assert_allclose(layer.running_var.numpy(), reference.long[1] - reference.long[0] ** 2, rtol=1e-8)
    np.testing.assert_allclose(layer.running_gradient.numpy(), reference.long_gradient, rtol=1e-6)


def test_with_the_present_alone_it_is_batch_norm():
    torch.manual_seed(0)
    layer, batch = StreamingNorm(3, share=1.0, gradient_shares=(0, 0, 1)).double(), nn.BatchNorm1d(3).double()
    for module in (layer, batch):
        nn.init.constant_(module.weight, 1.5)
        nn.init.constant_(module.bias, -0.5)
    for _ in range(3):
        x = torch.randn(8, 3, 5, dtype=torch.float64).requires_grad_()
        upstream = torch.randn(8, 3, 5, dtype=torch.float64)
        inputs = [(x, *layer.parameters()), (x, *batch.parameters())]
        outs = [layer(x), batch(x)]
        torch.testing.assert_close(outs[0], outs[1])
        gradients = [torch.autograd.grad(out, given, upstream) for out, given in zip(outs, inputs)]
        torch.testing.assert_close(gradients[0], gradients[1])


def test_long_term_statistics_approach_those_of_the_population_from_single_examples():
    torch.manual_seed(0)
    layer = StreamingNorm(4, decay=0.995)
    examples = torch.randn(1200, 4) * torch.tensor([1.0, 2, 5, 0.1]) + torch.tensor([0.0, 10, -30, 1])
    for x in examples:
        layer(x.unsqueeze(0)).sum().backward()
    torch.testing.assert_close(layer.running_var.sqrt(), torch.tensor([1.0, 2, 5, 0.1]), atol=0, rtol=0.15)
    torch.testing.assert_close(layer.running_mean, torch.tensor([0.0, 10, -30, 1]), atol=1, rtol=0)
    out = layer.eval()(examples)
    assert out.std(0).sub(1).abs().max() < 0.15


def test_a_large_offset_leaves_the_variance_exact_in_float32():
    torch.manual_seed(0)
    layer = StreamingNorm(2)
    for _ in range(30):
        layer(torch.randn(32, 2) + 5000).sum().backward()
    torch.testing.assert_close(layer.running_var, torch.ones(2), atol=0.2, rtol=0)


def test_evaluation_uses_the_long_term_statistics_and_changes_nothing():
    torch.manual_seed(0)
    layer = StreamingNorm(3)
    for _ in range(4):
        layer(torch.randn(5, 3) * 2 + 1).sum().backward()
    nn.init.constant_(layer.weight, 2.0)
    nn.init.constant_(layer.bias, 3.0)
    layer.eval()
    before, x = copy.deepcopy(layer.state_dict()), torch.randn(7, 3, requires_grad=True)
    expected = 2 * (x - layer.running_mean) / (layer.running_var + 1e-5).sqrt() + 3
    torch.testing.assert_close(layer(x), expected)
    layer(x).sum().backward()
    torch.testing.assert_close(x.grad, (2 / (layer.running_var + 1e-5).sqrt()).expand(7, 3))
    for name, value in layer.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_forward_passes_without_gradients_are_averaged_and_close_no_update():
    layer, x = StreamingNorm(2), torch.tensor([[1.0, 2.0], [3.0, 6.0]])
    layer(x)
    layer(x + 2)
    assert layer.updates == 0
    torch.testing.assert_close(layer.recent_mean, torch.tensor([3.0, 5.0]))
    torch.testing.assert_close(layer.recent_var, torch.tensor([2.0, 5.0]))
    assert torch.equal(layer.running_mean, torch.zeros(2))
    torch.testing.assert_close(layer.eval()(x), (x - torch.tensor([3.0, 5.0])) / torch.tensor([2.0, 5.0]).sqrt())


def test_the_state_that_was_saved_goes_on_as_if_nothing_had_happened():
    torch.manual_seed(0)
    layer = StreamingNorm(3)
    layer(torch.randn(4, 3)).square().sum().backward()
    other, x = StreamingNorm(3), torch.randn(4, 3, requires_grad=True)
    other.load_state_dict(layer.state_dict())
    gradients = [torch.autograd.grad(module(x).pow(3).sum(), x)[0] for module in (layer, other)]
    assert torch.equal(*gradients)


def test_only_the_shares_that_make_sense_are_taken():
    for options in ({"decay": 1.0}, {"decay": -0.1}):
        with pytest.raises(ValueError, match="decay is from 0 to below 1"):
            StreamingNorm(3, **options)
    for options in ({"share": 0.0}, {"share": 1.1}):
        with pytest.raises(ValueError, match="share is above 0 and at most 1"):
            StreamingNorm(3, **options)
    StreamingNorm(3, decay=0.0, share=1.0)


@pytest.mark.parametrize("shape", [(3,), (4, 2), (4, 2, 3)])
def test_inputs_of_another_width_are_refused(shape):
    with pytest.raises(ValueError, match="expected N×3 or N×3×…, got"):
        StreamingNorm(3)(torch.randn(shape))


def test_learning_online_from_one_example_at_a_time_succeeds_on_inputs_of_wild_scales():
    torch.manual_seed(0)
    x = torch.randn(300, 2)
    target = (x[:, 0] * x[:, 1] > 0).float()
    x = x * torch.tensor([100.0, 0.01]) + torch.tensor([500.0, 3.0])
    net = nn.Sequential(StreamingNorm(2, decay=0.99), nn.Linear(2, 16, bias=False), StreamingNorm(16, decay=0.99),
                        nn.ReLU(), nn.Linear(16, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(3):
        for example, label in zip(x, target):
            optimizer.zero_grad()
            nn.functional.binary_cross_entropy_with_logits(net(example.unsqueeze(0))[0], label.view(1)).backward()
            optimizer.step()
    right = (net.eval()(x)[:, 0] > 0) == target.bool()
    assert right.float().mean() > 0.9


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiled_whole_it_streams_values_and_gradients_as_uncompiled(backend):
    torch._dynamo.reset()
    torch.manual_seed(0)
    plain = StreamingNorm(3)
    compiled = torch.compile(copy.deepcopy(plain), backend=backend, fullgraph=True)
    for _ in range(3):
        x, upstream = torch.randn(4, 3, requires_grad=True), torch.randn(4, 3)
        ours, theirs = (torch.autograd.grad(module(x), x, upstream)[0] for module in (compiled, plain))
        torch.testing.assert_close(ours, theirs)
    assert plain.updates == 2
    torch.testing.assert_close(compiled.running_gradient, plain.running_gradient)
