# %% [markdown]
# # Optimizers, seen
#
# Training is a walk downhill in fog. This lesson looks at the walkers: first over landscapes of two variables, where a
# path can be drawn, then at what makes the ground itself steep, flat or noisy: averages, schedules, batches, depth.
#
# Each optimizer and each schedule here is taken by the name that a recipe would use (`--set train.optimizer=nadam`).

# %%
import numpy as np
import torch
import torch.nn.functional as F

import orthogon as og
from orthogon.draw.curves import curves
from orthogon.draw.paths import paths
from orthogon.draw.scale import scale_by_layer
from orthogon.draw.schedules import schedules as on_one_axis
from orthogon.equations.averages import bias_corrected, exponentially_weighted_average
from orthogon.equations.derivative import one_sided_derivative, two_sided_derivative
from orthogon.equations.initialization import glorot_normal, glorot_uniform
from orthogon.equations.schedules import batches_per_epoch, growing_batch, staircase
from orthogon.nn.scale import signal_scale
from orthogon.optim.momentum import AveragedMomentum
from orthogon.optim.paths import heights, path, quadratic, rosenbrock, saddle
from orthogon.optim.schedules import Timeline
from orthogon.registry import optimizers, schedules

draw = np.random.default_rng(0)
OPTIONS = {"momentum": {"momentum": 0.9}, "nesterov": {"momentum": 0.9, "nesterov": True}}


def walk(surface, start, steps, **rates):
    """The path of each named optimizer at its rate."""

    def from_start(name, rate):
        return path(lambda p: optimizers.load(name)(p, lr=rate, **OPTIONS.get(name, {})), surface, start, steps)

    return {name: from_start(name, rate) for name, rate in rates.items()}


# %% [markdown]
# <a id="quadratic"></a><!-- rows: 6.01 6.02 7.03 7.05 7.06 -->
# ## A long valley
#
# **Why does plain gradient descent zigzag?** Because one rate must do for all directions. This valley is 25 times as
# steep across as along. The rate is bounded by the steep direction: above $2/25 = 0.08$ each step across lands further
# up on the other side. Below it, progress along the floor is slow. Momentum averages the zigzag away and adds up what
# stays the same. RMSprop and Adam give each direction a rate of its own, by the size of its recent gradients.

# %%
for rate in (0.079, 0.081):
    end = walk(quadratic, (-9, 1.6), 200, sgd=rate)["sgd"][-1]
    print(f"sgd at the rate {rate}: after 200 steps {np.linalg.norm(end):.1e} from the minimum")

walked = walk(quadratic, (-9, 1.6), 60, sgd=0.07, momentum=0.02, rmsprop=0.3, adam=0.5)
x, y = np.linspace(-10, 3, 70), np.linspace(-2, 2, 70)
paths(walked, x, y, heights(quadratic, x, y), title="Sixty steps in a long valley", lowest=[(0, 0)])

# %% [markdown]
# <a id="saddle"></a><!-- rows: 6.12 -->
# ## A saddle
#
# **Do we get stuck?** In many dimensions seldom in a minimum, more often near a saddle, where the gradient is small,
# too: the ground rises in some directions and falls in others. All of these start a thousandth beside the ridge. The
# plain walker stands almost still until its small sideways slope has grown; those that divide by the size of recent
# gradients leave at once.

# %%
walked = walk(saddle, (-1.5, 0.001), 200, sgd=0.1, momentum=0.05, rmsprop=0.03, adam=0.05)
for name, line in walked.items():
    print(f"{name:>8}: off the saddle after {int((np.abs(line[:, 1]) > 0.5).argmax())} steps")
x, y = np.linspace(-1.8, 1, 70), np.linspace(-1.6, 1.6, 70)
paths(walked, x, y, heights(saddle, x, y), title="Off a saddle", lowest=[(0, 1), (0, -1)])

# %% [markdown]
# <a id="rosenbrock"></a><!-- rows: 7.15 -->
# ## A bent valley
#
# **And where the floor is curved and almost flat?** Rosenbrock's valley is easy to find and hard to follow. The steps
# down its side are over soon; nearly all of the time goes into the walk along it.

# %%
walked = walk(rosenbrock, (-1.2, 1), 1000, sgd=0.001, momentum=0.0005, nesterov=0.0005, rmsprop=0.005, adam=0.02)
for name, line in walked.items():
    print(f"{name:>8}: {np.linalg.norm(line[-1] - 1):.3f} from the minimum after 1000 steps")
x, y = np.linspace(-1.6, 1.4, 70), np.linspace(-0.6, 1.6, 70)
paths(walked, x, y, heights(rosenbrock, x, y), title="A thousand steps along a bent valley", lowest=[(1, 1)])

# %% [markdown]
# <a id="averages"></a><!-- rows: 7.01 7.02 -->
# ## An average that forgets
#
# **How does one average without keeping everything?** $V_t = \beta V_{t-1} + (1-\beta)\theta_t$. Each value fades by
# $\beta$ at each step, so the average looks back over about $1/(1-\beta)$ of them: what lies that far back counts
# $\beta^{1/(1-\beta)} \approx 1/e$ of the newest. For $\beta = 0.9$ that is ten steps, and $0.9^{10} = 0.349$.
#
# **Why a correction?** $V$ starts at 0, so the first averages are too small: after $t$ steps the weights add up to $1 -
# \beta^t$ only. Dividing by that puts it right, and soon makes no difference.

# %%
days = np.arange(1, 101)
temperature = 12 + 6 * np.sin(days / 16) + draw.normal(0, 2, 100)
slow = exponentially_weighted_average(temperature, 0.95)
print(f"0.9¹⁰ = {0.9**10:.4f}, 1/e = {np.exp(-1):.4f}")
corrected = bias_corrected(slow, 0.95)
print(f"first day {temperature[0]:.1f}; average of β = 0.95: {slow[0]:.1f}, corrected {corrected[0]:.1f}")
curves(
    {"measured": (days, temperature), "β = 0.7": (days, exponentially_weighted_average(temperature, 0.7)),
     "β = 0.95": (days, slow), "β = 0.95, corrected": (days, corrected)},
    title="Averages of a noisy series", x_label="day", y_label="degrees",
)

# %% [markdown]
# <a id="momentum"></a><!-- rows: 7.03 7.04 -->
# ## Momentum, in two forms
#
# **Which formula is right?** Both. The lecture averages, $V := \beta V + (1-\beta)dW$ and $W := W - \alpha V$. Most
# libraries add up, $V := \beta V + dW$. Their $V$ is $1/(1-\beta)$ times as large, so the same path needs the rate
# $\alpha(1-\beta)$. Who copies a rate from one form into the other is off by a factor of ten.

# %%
averaged = path(lambda p: AveragedMomentum(p, lr=0.2, momentum=0.9), quadratic, (-9, 1.6), 60)
summed = path(lambda p: torch.optim.SGD(p, lr=0.2 * (1 - 0.9), momentum=0.9), quadratic, (-9, 1.6), 60)
print(f"two paths of 60 steps differ by at most {np.abs(averaged - summed).max():.0e}")
np.testing.assert_allclose(averaged, summed, atol=1e-12)

# %% [markdown]
# In Adam both averages are corrected, which makes its first step as long as the rate in every direction, however steep:

# %%
for steepness in (0.01, 1.0, 100.0):
    first = path(lambda p: torch.optim.Adam(p, lr=0.1), lambda at, k=steepness: k * at.sum(-1), (0, 0), 1)[1]
    print(f"slope {steepness:>6}: first step {first}")
    np.testing.assert_allclose(first, [-0.1, -0.1], rtol=1e-5)

# %% [markdown]
# <a id="schedules"></a><!-- rows: 8.01 8.02 8.03 8.04 8.05 8.06 -->
# ## All schedules on one axis
#
# **When should the rate fall?** Early in training a high rate makes progress; late, it keeps the weights from settling.
# So it is lowered: by the epoch ($\alpha_0/(1 + \text{epoch})$, $0.95^{\text{epoch}}\alpha_0$,
# $\alpha_0/\sqrt{\text{epoch}}$, a staircase, a table by hand), by the share of the run that is done (linear, cosine,
# one cycle), or when dev stops improving (plateau: here it stops at epoch 12).

# %%
EPOCHS, STEPS = 20, 10
lines = {}
for name in schedules.table():
    table = {6: 0.6, 14: 0.2} if name == "manual" else {}
    warmup = schedules.load(name).default_warmup
    schedule = schedules.load(name)(Timeline(EPOCHS * STEPS, STEPS, warmup, every=5, table=table))
    factors = []
    for epoch in range(EPOCHS):
        factors += [schedule(epoch * STEPS + k) for k in range(STEPS)]
        schedule.observe(min(epoch, 12))
    lines[name] = factors
    print(f"{name:>12}: {factors[0]:.2f} at first, {factors[len(factors) // 2]:.3f} halfway, {factors[-1]:.4f} at last")
on_one_axis(lines, title="All schedules", epoch_steps=STEPS)

# %% [markdown]
# <a id="growing-batches"></a><!-- rows: 6.11 -->
# ## Larger batches instead
#
# **Must the rate fall at all?** What keeps weights from settling is noise, and the noise of a step is proportional to
# $\alpha / B$: the rate over the batch size. Letting $B$ grow where $\alpha$ would fall does the same to it, with fewer
# and larger steps, which parallel hardware likes (Smith et al. 2018,
# [arXiv:1711.00489](https://arxiv.org/abs/1711.00489)). In a recipe: `train.batch_growth`.

# %%
updates = {"rate falls": 0, "batch grows": 0}
for epoch in range(30):
    rate, batch = staircase(epoch, 0.1), growing_batch(epoch, 32)
    updates["rate falls"] += batches_per_epoch(50_000, 32)
    updates["batch grows"] += batches_per_epoch(50_000, batch)
    if epoch % 10 == 0:
        print(f"from epoch {epoch:>2}: rate {rate:g} and batch 32, or rate 0.1 and batch {batch}; "
              f"α/B {rate / 32:.2g} or {0.1 / batch:.2g}")
    np.testing.assert_allclose(rate / 32, 0.1 / batch)
print(f"updates in 30 epochs of 50,000 examples: {updates}")

# %% [markdown]
# <a id="vanishing"></a><!-- rows: 10.01 10.02 -->
# ## Vanishing and exploding
#
# **Why is depth dangerous?** Because it multiplies. On the way through the layers a signal is multiplied by the gain of
# each, and its gradient on the way back. A gain of magnitude 0.9 leaves $0.9^{50} = 0.005$ after fifty layers, one of
# 1.1 makes $117$ of it. It is the magnitude that counts; the sign of the weights does not. In a recurrent network the
# layers are time steps, the matrix is the same at each, and there may be hundreds: early steps are not learnt from
# (vanishing, the common case), or the loss becomes NaN (exploding, the loud one).

# %%
scales = {}
for gain in (0.9, 1.0, 1.1):
    signal, along = draw.standard_normal((32, 200)), []
    for _ in range(50):
        signal = signal @ (gain / np.sqrt(200) * draw.standard_normal((200, 200))).T
        along.append(signal.std())
    scales[f"gain {gain}"] = along
    print(f"gain {gain}: {gain**50:8.3f} by the rule, {along[-1]:8.3f} measured after 50 layers")

recurrent = 0.9 / np.sqrt(200) * draw.standard_normal((200, 200))
print(f"the same matrix 300 times: {np.linalg.norm(np.linalg.matrix_power(recurrent, 300)):.0e}")
scale_by_layer(scales, title="A signal through fifty linear layers")

# %% [markdown]
# <a id="scale"></a><!-- rows: 4.02 4.04 4.05 4.06 4.07 -->
# ## Weights that keep the scale
#
# **How large should weights be?** So that a layer neither shrinks nor blows up what it is given: variance $1/n_{in}$
# for a linear layer. ReLU throws half away, so $2/n_{in}$ (He). To keep the gradient on its way back as well,
# $2/(n_{in} + n_{out})$ (Glorot). SELU wants $1/n_{in}$ (LeCun). These are variances; what one multiplies the draws by
# are their roots.

# %%
pairs = {"relu, He": ("relu", "he_normal"), "relu, Glorot": ("relu", "glorot_uniform"),
         "tanh, Glorot": ("tanh", "glorot_uniform"), "selu, LeCun": ("selu", "lecun_normal"),
         "tanh, 0.01": ("tanh", "small_random"), "sigmoid, Glorot": ("sigmoid", "glorot_uniform")}
through = {name: signal_scale(*pair, width=128, seeds=2) for name, pair in pairs.items()}
for name, scale in through.items():
    print(f"{name:>15}: activations × {scale.activations[-1] / scale.activations[0]:.0e} from layer 1 to 50, "
          f"gradients × {scale.gradients[0] / scale.gradients[-1]:.0e} on the way back")
scale_by_layer({name: scale.activations for name, scale in through.items()}, title="Activations through fifty layers")

# %% [markdown]
# Activations are half of it. Sigmoid's seem steady, since they lie between 0 and 1 whatever happens; its gradients tell
# the truth.

# %%
scale_by_layer({name: scale.gradients for name, scale in through.items()}, title="Gradients through fifty layers")

# %% [markdown]
# <a id="glorot"></a><!-- rows: 4.08 -->
# ## Glorot uniform or normal?
#
# **Which of the two?** They have one variance, $2/(n_{in} + n_{out})$; a sum over many inputs cannot tell them apart,
# and neither can what is measured here. They differ in their tails: the uniform one is bounded by
# $\sqrt{6/(n_{in}+n_{out})}$, the normal one now and then draws a weight of four standard deviations. In wide layers
# take either. In narrow ones, where one weight matters, the bounded one is the safer choice. Whether one of them serves
# recurrent networks better is an open question in the lectures; it can be measured, not derived.

# %%
drawn = {"uniform": glorot_uniform(300, 200, draw), "normal": glorot_normal(300, 200, draw)}
for name, weights in drawn.items():
    scale = signal_scale("tanh", f"glorot_{name}", width=128, seeds=2)
    print(f"{name:>7}: variance × 250 = {250 * weights.var():.3f}, largest weight {np.abs(weights).max():.2f}; "
          f"50 tanh layers keep {scale.activations[-1] / scale.activations[0]:.2f} of the signal")
    np.testing.assert_allclose(250 * weights.var(), 1, rtol=0.02)

# %% [markdown]
# <a id="cures"></a><!-- rows: 10.06 -->
# ## A list of cures
#
# **What helps against gradients that vanish or explode?**
#
# | cure | what it does | against | in Orthogon |
# |---|---|---|---|
# | initial weights to scale | each layer starts with gain 1 | both | `initialize`, by default |
# | ReLU and its kin | slope 1 wherever a unit is on | vanishing | `activation` of `mlp` |
# | batch normalization | puts the scale right in each layer, at each step | both | `norm` of `mlp`, `convnet` |
# | skip connections | the gradient reaches early layers unmultiplied | vanishing | any module of yours |
# | clipping | bounds the step; by norm it keeps the direction | exploding | `train.clip_norm`, `train.clip_value` |
# | gates (LSTM, GRU) | a memory that is added to, not multiplied | both, over time | `torch.nn.LSTM`, `torch.nn.GRU` |
# | layer-wise pre-training | early layers learn before the late ones | vanishing | historic; see deep belief nets |
#
# Four of them on a network of thirty layers: how much of the gradient arrives in layer 1?


# %%
class Skipped(torch.nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return x + self.inner(x)


def layer(bend, norm=False, skip=False):
    linear = torch.nn.Linear(64, 64)
    initialize = torch.nn.init.kaiming_normal_ if bend is torch.nn.ReLU else torch.nn.init.xavier_normal_
    initialize(linear.weight)
    block = torch.nn.Sequential(linear, *([torch.nn.BatchNorm1d(64)] if norm else []), bend())
    return Skipped(block) if skip else block


torch.manual_seed(0)
x, sigmoid, relu = torch.randn(128, 64), torch.nn.Sigmoid, torch.nn.ReLU
nets = {"sigmoid": {"bend": sigmoid}, "sigmoid, batch norm": {"bend": sigmoid, "norm": True},
        "sigmoid, skips": {"bend": sigmoid, "skip": True}, "ReLU, He": {"bend": relu}}
for name, options in nets.items():
    net = torch.nn.Sequential(*[layer(**options) for _ in range(30)])
    net(x).square().mean().backward()
    first, last = (next(net[k].parameters()).grad.norm() for k in (0, -1))
    print(f"{name:>19}: gradient of layer 1 over that of layer 30: {first / last:.0e}")

# %% [markdown]
# Without a cure nothing arrives. With batch norm, or with ReLU and He's weights, the first layer is told about as much
# as the last; with skips alone a few percent, which is far from nothing.
#
# <a id="checking"></a><!-- rows: 10.07 10.08 10.09 10.11 -->
# ## Checking a gradient, and its rules
#
# **How does one know that a gradient is right?** By differences. Two-sided ones, $(f(\theta+\varepsilon) -
# f(\theta-\varepsilon))/2\varepsilon$, err by $O(\varepsilon^2)$, one-sided ones by $O(\varepsilon)$: much more, as
# long as $\varepsilon < 1$. Too small an $\varepsilon$ is no good either: the difference drowns in rounding.

# %%
sizes = np.logspace(-1, -11, 41)
ways = {"one-sided": one_sided_derivative, "two-sided": two_sided_derivative}
errors = {name: [abs(way(np.exp, 1.0, e) - np.e) + 1e-16 for e in sizes] for name, way in ways.items()}
for name, found in errors.items():
    print(f"{name}: best at ε = {sizes[np.argmin(found)]:.0e}, where the error is {min(found):.0e}")
curves({name: (sizes, found) for name, found in errors.items()}, title="Error of a numerical derivative",
       x_label="ε", y_label="error", log=True, log_x=True, height=240)

# %% [markdown]
# The rules (`og.gradient_check` sees to dropout and to precision by itself):
#
# - For debugging alone: it costs two forward passes or more for each number that is checked.
# - Everything that is in the cost must be in both: with a penalty on the weights, too.
# - No dropout: the function must be the same at each call. (It runs a copy in evaluation mode, in float64.)
# - At initial weights, and again after some training: some mistakes show only once weights are large.
# - A ratio of 1e-7 is great, 1e-5 wants a second look, 1e-3 is a mistake. Then look for the worst coordinate.

# %%
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Dropout(0.5), torch.nn.Linear(8, 3))
batch = torch.randn(32, 6), torch.randint(0, 3, (32,))


def penalized(net, batch):
    penalty = sum(p.square().sum() for name, p in net.named_parameters() if name.endswith("weight"))
    return F.cross_entropy(net(batch[0]), batch[1]) + 0.01 / 2 * penalty


def without_penalty(net, batch):
    gradients = torch.autograd.grad(F.cross_entropy(net(batch[0]), batch[1]), [*net.parameters()])
    return {name: gradient for (name, _), gradient in zip(net.named_parameters(), gradients)}


before = og.gradient_check(net, penalized, batch)
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for _ in range(50):
    optimizer.zero_grad()
    penalized(net, batch).backward()
    optimizer.step()
after = og.gradient_check(net, penalized, batch)
forgotten = og.gradient_check(net, penalized, batch, gradients=without_penalty)
print(f"ratio at first {before.ratio:.0e}, after 50 steps {after.ratio:.0e}, both {before.passed and after.passed}")
print(f"the penalty forgotten in the gradient: ratio {forgotten.ratio:.0e}, passed {forgotten.passed}")
np.testing.assert_equal([before.passed, after.passed, forgotten.passed], [True, True, False])

# %% [markdown]
# <a id="covariate-shift"></a><!-- rows: 9.18 9.05 -->
# ## Covariate shift
#
# **Nothing about the question has changed; why is the network wrong?** Because the inputs have moved to where it never
# learnt. The rule here is fixed: class 1 lies above a wave. The network is trained where $x$ is between −2 and 0, and
# used further and further to the right. The remedy is to train again on what is there now.
#
# Within a network the deep layers live through the same: what they are given moves as the layers before them learn.
# Batch normalization was made to lower this *internal* covariate shift. Whether that is why it helps is disputed; see
# the reading list below.


# %%
def world(shift, n=400):
    x = torch.rand(n, 2) * torch.tensor([2.0, 3.0]) + torch.tensor([float(shift) - 2.0, -1.5])
    return x, (x[:, 1] > torch.sin(2 * x[:, 0])).float()


def trained(x, y):
    net = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1), torch.nn.Flatten(0))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.03)
    for _ in range(200):
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(net(x), y).backward()
        optimizer.step()
    return net


def accuracy(net, x, y):
    with torch.no_grad():
        return ((net(x) > 0) == y.bool()).float().mean().item()


torch.manual_seed(0)
shifts, old = np.linspace(0, 2, 5), trained(*world(0.0))
kept = [accuracy(old, *world(shift)) for shift in shifts]
again = [accuracy(trained(*world(shift)), *world(shift)) for shift in shifts]
print(f"in place {kept[0]:.0%}; shifted by 2: {kept[-1]:.0%} as it was, {again[-1]:.0%} trained again (of 400)")
curves({"as it was": (shifts, kept), "trained again": (shifts, again)}, title="Accuracy as the inputs move",
       x_label="shift of the inputs", y_label="share right", height=220)

# %% [markdown]
# <a id="reading-regularization"></a><!-- rows: 5.20 -->
# ## To read: other ways to regularize
#
# - Goodfellow, Bengio & Courville 2016, [*Deep Learning*, chapter
#   7](https://www.deeplearningbook.org/contents/regularization.html): the whole map.
# - Kukačka et al. 2017, [arXiv:1710.10686](https://arxiv.org/abs/1710.10686): a taxonomy, by data, network, loss,
#   penalty and optimizer.
# - Zhang et al. 2018, [arXiv:1710.09412](https://arxiv.org/abs/1710.09412): mixup; train on mixtures of two examples
#   and of their labels.
# - DeVries & Taylor 2017, [arXiv:1708.04552](https://arxiv.org/abs/1708.04552): cutout; a square of each picture is
#   hidden.
# - Huang et al. 2016, [arXiv:1603.09382](https://arxiv.org/abs/1603.09382): stochastic depth; whole layers are dropped.
# - Müller et al. 2019, [arXiv:1906.02629](https://arxiv.org/abs/1906.02629): when label smoothing helps, and when not.
# - Izmailov et al. 2018, [arXiv:1803.05407](https://arxiv.org/abs/1803.05407): averaging weights along the way.
# - Zhang et al. 2017, [arXiv:1611.03530](https://arxiv.org/abs/1611.03530): networks can learn random labels by heart;
#   what, then, makes them generalize?
#
# <a id="reading-practice"></a><!-- rows: 7.16 -->
# ## To read: gradient descent in practice
#
# - Bengio 2012, [arXiv:1206.5533](https://arxiv.org/abs/1206.5533): *Practical recommendations for gradient-based
#   training of deep architectures*; the rate is the knob to turn first.
# - LeCun et al. 1998, *Efficient BackProp* (in *Neural networks: tricks of the trade*): why inputs are standardized,
#   weights scaled and examples shuffled.
# - Bottou, Curtis & Nocedal 2018, [arXiv:1606.04838](https://arxiv.org/abs/1606.04838): the theory, readable.
# - Goh 2017, [*Why momentum really works*](https://distill.pub/2017/momentum/): with pictures that move.
# - Ruder 2016, [arXiv:1609.04747](https://arxiv.org/abs/1609.04747): an overview of the variants.
# - Wilson et al. 2017, [arXiv:1705.08292](https://arxiv.org/abs/1705.08292): where adaptive methods generalize worse.
# - Choi et al. 2019, [arXiv:1910.05446](https://arxiv.org/abs/1910.05446), and Schmidt et al. 2021,
#   [arXiv:2007.01547](https://arxiv.org/abs/2007.01547): comparisons turn on how well each method was tuned.
#
# <a id="reading-schedules"></a><!-- rows: 8.08 -->
# ## To read: schedules compared
#
# - Loshchilov & Hutter 2017, [arXiv:1608.03983](https://arxiv.org/abs/1608.03983): the cosine, with restarts.
# - Smith 2017, [arXiv:1506.01186](https://arxiv.org/abs/1506.01186), and Smith & Topin 2018,
#   [arXiv:1708.07120](https://arxiv.org/abs/1708.07120): cyclical rates, the range test, one cycle.
# - Goyal et al. 2017, [arXiv:1706.02677](https://arxiv.org/abs/1706.02677): large batches; rate in proportion, with
#   warm-up.
# - Gotmare et al. 2019, [arXiv:1810.13243](https://arxiv.org/abs/1810.13243): what restarts and warm-up really do.
# - Li et al. 2020, [arXiv:1905.04753](https://arxiv.org/abs/1905.04753): under a fixed budget, a straight line to zero
#   is hard to beat.
# - Smith et al. 2018, [arXiv:1711.00489](https://arxiv.org/abs/1711.00489): larger batches instead of lower rates.
#
# <a id="reading-norms"></a><!-- rows: 9.17 -->
# ## To read: normalizers compared
#
# - Ioffe & Szegedy 2015, [arXiv:1502.03167](https://arxiv.org/abs/1502.03167): batch normalization.
# - Ba et al. 2016, [arXiv:1607.06450](https://arxiv.org/abs/1607.06450): layer normalization, and a table of what each
#   norm is invariant to.
# - Salimans & Kingma 2016, [arXiv:1602.07868](https://arxiv.org/abs/1602.07868): weight normalization.
# - Gitman & Ginsburg 2017, [arXiv:1709.08145](https://arxiv.org/abs/1709.08145): batch against weight normalization on
#   ImageNet.
# - Wu & He 2018, [arXiv:1803.08494](https://arxiv.org/abs/1803.08494): group normalization, and how batch norm fails in
#   small batches.
# - Santurkar et al. 2018, [arXiv:1805.11604](https://arxiv.org/abs/1805.11604): it is not covariate shift that batch
#   norm cures; it makes the landscape smoother.
