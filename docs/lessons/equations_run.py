# %% [markdown]
# # The equations, run
#
# A neural network is a handful of equations, each short enough to be run on its own. Here they are run, one after the
# other: from a single neuron to networks of any depth, every gradient checked against another way of getting it. At the
# end are exercises that grade themselves.
#
# The equations are those of `orthogon.equations`: NumPy, forward and backward, one example per row. What a lecture
# writes as $Z = WX + b$, with examples as columns, is $Z = XW^\top + b$ here; $W$ is the same.

# %%
import inspect
import time
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_breast_cancer

import orthogon as og
from orthogon.data.encoders import NumberEncoder
from orthogon.data.split import split
from orthogon.draw.boundaries import boundaries
from orthogon.draw.curves import curves
from orthogon.draw.times import times
from orthogon.equations.activations import ACTIVATIONS, hardmax, sigmoid, softmax
from orthogon.equations.dense import check_dimensions, network, network_backward, network_by_loop
from orthogon.equations.derivative import gradient_check_ratio, numerical_gradient, two_sided_derivative
from orthogon.equations.logistic import fit_logistic, logistic, logistic_by_loop
from orthogon.equations.losses import (
    binary_cross_entropy,
    binary_cross_entropy_from_logits,
    binary_cross_entropy_from_logits_backward,
)
from orthogon.equations.optimizers import adam
from orthogon.equations.perceptron import train_perceptron
from orthogon.equations.quadratic import descend_quadratic
from orthogon.equations.regularization import (
    dropout_mask,
    inverted_dropout,
    original_dropout,
    original_dropout_at_test_time,
)
from orthogon.registry import optimizers

draw = np.random.default_rng(0)

# %% [markdown]
# <a id="one-neuron"></a><!-- rows: 1.03 1.04 1.05 -->
# ## One neuron
#
# **What does a neuron compute?** A weighted sum of its inputs plus a bias, $z = w^\top x + b$, and then a bend, $a =
# g(z)$. With the sigmoid $\sigma(z) = 1/(1 + e^{-z})$ for its bend, $a$ lies between 0 and 1 and can be read as the
# probability of class 1: that is logistic regression. Turned around, $\log \frac{a}{1-a} = z$: the log-odds are linear
# in the input, and nothing else is assumed.

# %%
x = np.array([[1.0, 2.0], [-1.0, 0.5], [0.0, -1.0]])  # three examples of two features
w, b = np.array([0.5, -0.25]), 0.1

z = x @ w + b
a, _ = sigmoid(z)
for each, probability in zip(z, a):
    print(f"z = {each:+.3f}   a = {probability:.3f}   log-odds of a = {np.log(probability / (1 - probability)):+.3f}")

# %% [markdown]
# <a id="bias"></a><!-- rows: 1.22 -->
# ## What the bias is for
#
# **Could we do without $b$?** It is what the intercept is in linear regression. Without it, $z = 0$ at the origin
# whatever the weights are: the boundary must pass through the origin, and turning is all it can do. With it, the
# boundary can also move.

# %%
points = np.concatenate([draw.normal((2, 2), 0.6, (40, 2)), draw.normal((4, 4), 0.6, (40, 2))])
of = np.repeat([0.0, 1.0], 40)

fitted = fit_logistic(points, of, learning_rate=1.0, steps=1000)
w = np.zeros(2)
for _ in range(1000):
    w = w - logistic(points, of, w, 0.0)[1]  # the same, b held at zero

for name, weights, bias in (("without", w, 0.0), ("with", fitted.w, fitted.b)):
    right = ((points @ weights + bias > 0) == of).mean()
    print(f"{name:>7} a bias: w = {weights.round(2)}, b = {bias:.2f}, {right:.0%} of {len(of)} right")
boundaries(
    {"without a bias": lambda p: sigmoid(p @ w)[0], "with a bias": lambda p: sigmoid(p @ fitted.w + fitted.b)[0]},
    points, of, title="A boundary without and with a bias",
)

# %% [markdown]
# <a id="likelihood"></a><!-- rows: 1.06 3.01 -->
# ## From likelihood to loss
#
# **Where does $-[y \log a + (1-y) \log(1-a)]$ come from?** Toss a coin that shows 1 with probability $p$. One toss $y$
# has the probability $p^y (1-p)^{1-y}$: $p$ if $y = 1$ and $1 - p$ if $y = 0$. Independent tosses multiply. The best
# $p$ makes what was seen most likely. A logarithm turns the product into a sum without moving its top, and a minus
# turns the top into a bottom, because optimizers go down. That is all the loss is.

# %%
tosses = np.array([1.0, 1, 0, 1, 1, 0, 1, 1, 0, 1])
p = np.linspace(0.01, 0.99, 99)
likelihood = np.array([np.prod(q**tosses * (1 - q) ** (1 - tosses)) for q in p])
loss = np.array([binary_cross_entropy(np.full(10, q), tosses)[0] for q in p])

np.testing.assert_allclose(loss, -np.log(likelihood) / 10)
print(f"the share of ones is {tosses.mean()}")
print(f"the likelihood is largest at p = {p[likelihood.argmax()]:.2f}, the loss smallest at p = {p[loss.argmin()]:.2f}")
curves({"loss": (p, loss)}, title="The loss of ten tosses, seven of them 1", x_label="p", y_label="mean loss",
       height=220)

# %% [markdown]
# The gradient of this loss is as simple as can be. With $a = \sigma(z)$ the factors $a(1-a)$ of $\sigma'$ cancel:
#
# $$\frac{\partial L}{\partial a} = -\frac{y}{a} + \frac{1-y}{1-a}, \qquad
# \frac{da}{dz} = a(1-a), \qquad \frac{\partial L}{\partial z} = a - y .$$

# %%
y, at = 1.0, 0.3
slope = two_sided_derivative(lambda z: binary_cross_entropy_from_logits(np.array([z]), np.array([y]))[0], at)
print(f"a − y = {sigmoid(np.array([at]))[0][0] - y:.9f}, by differences {slope:.9f}")

# %% [markdown]
# <a id="derivatives"></a><!-- rows: 1.11 -->
# ## $d$ and $\partial$
#
# **Why two kinds of d?** $\frac{df}{dx}$ is for a function of one variable: everything that depends on $x$ moves along.
# $\frac{\partial f}{\partial x}$ is for one of several: the others are held still. They differ as soon as one variable
# depends on another. Take $f = x^2 y$ where $y = 3x$. In code both are called `dx`: the derivative of the cost, by `x`.

# %%
at = 2.0
partial = two_sided_derivative(lambda x: x**2 * (3 * at), at)
total = two_sided_derivative(lambda x: x**2 * (3 * x), at)
print(f"∂f/∂x = 2xy = {partial:.6f}        df/dx = 9x² = {total:.6f}")
np.testing.assert_allclose([partial, total], [24, 36], rtol=1e-8)

# %% [markdown]
# <a id="five-ways"></a><!-- rows: 1.07 1.08 1.09 -->
# ## Logistic regression, five times
#
# **What do loops cost, and what do libraries add?** One and the same thing is computed five times: gradient descent on
# logistic regression, on all examples at once, from zero, in float64. Whether a tumor is malignant or benign is told
# from 30 measurements. First by Algorithm 1 of the course, with a loop over examples and a loop over features:

# %%
print(inspect.getsource(logistic_by_loop))

# %%
data = og.read(load_breast_cancer())
train = split(data).rows("train")
features = NumberEncoder.fitted([name for name in data.columns if name != data.target], data, train)
X = features.encode(data)[train].double().numpy()  # standardized by the training rows
y = data.target_column().codes[train].astype(float)
STEPS, RATE = 100, 0.5
ways, seconds = {}, {}


def descend(gradients, X, y):
    """w and b after gradient descent from zero, and the time of a step."""
    w, b, began = X[0] * 0, y[0] * 0, time.perf_counter()
    for _ in range(STEPS):
        dw, db = gradients(X, y, w, b)
        w, b = w - RATE * dw, b - RATE * db
    return np.append(w, b), (time.perf_counter() - began) / STEPS


ways["loops"], seconds["loops"] = descend(lambda *at: logistic_by_loop(*at)[1:], X, y)

# %% [markdown]
# Without the loops, each becomes one product of arrays. Then the same gradient, $dz = (a - y)/m$, written out in torch,
# and left to torch's autograd.

# %%
ways["NumPy arrays"], seconds["NumPy arrays"] = descend(lambda *at: logistic(*at)[1:], X, y)


def explicit(X, y, w, b):
    dz = (torch.sigmoid(X @ w + b) - y) / len(y)
    return dz @ X, dz.sum()


def by_autograd(X, y, w, b):
    w, b = w.detach().requires_grad_(), b.detach().requires_grad_()
    return torch.autograd.grad(F.binary_cross_entropy_with_logits(X @ w + b, y), (w, b))


tensors = torch.from_numpy(X), torch.from_numpy(y)
ways["torch by hand"], seconds["torch by hand"] = descend(explicit, *tensors)
ways["torch autograd"], seconds["torch autograd"] = descend(by_autograd, *tensors)

# %% [markdown]
# And by `og.train`, which splits, standardizes, evaluates and reports as well. The model is any module of ours: this
# one is a neuron in float64 that starts at zero. `classify` takes one logit per class, so it gives two, $0$ and $z$:
# the softmax of the two is $\sigma(z)$.


# %%
class Neuron(torch.nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.w = torch.nn.Parameter(torch.zeros(inputs, dtype=torch.float64))
        self.b = torch.nn.Parameter(torch.zeros((), dtype=torch.float64))

    def forward(self, x):
        z = x.double() @ self.w + self.b
        return torch.stack([torch.zeros_like(z), z], dim=1)


neuron = Neuron(X.shape[1])
run = og.train(
    data, model=neuron, epochs=STEPS, batch_size=len(y), lr=RATE, quiet=True,
    options={"train.optimizer": "sgd", "train.schedule": "constant", "train.weight_decay": 0.0,
             "train.evaluate_every": STEPS},
)
ways["og.train"] = np.append(neuron.w.detach(), neuron.b.detach())
seconds["og.train"] = run.result["speed"]["step_ms"] / 1000

for name, weights in ways.items():
    print(f"{name:>14}: differs from the loops by at most {np.abs(weights - ways['loops']).max():.0e}")
    np.testing.assert_allclose(weights, ways["loops"], atol=1e-10)
found = run.result["splits"]["dev"]["metrics"]["accuracy"]
print(f"accuracy on dev: {found['value']:.1%} [{found['low']:.1%}, {found['high']:.1%}], n = {found['n']}")

# %% [markdown]
# All five end at the same 31 numbers. What differs is the time. The red line is what the machine could do: a step needs
# $4mn$ floating-point operations ($2mn$ forward, $2mn$ backward), and the rate of this machine is measured with a large
# product of matrices. A problem as small as this one leaves all of them far from it: what counts here is the cost of a
# call, and of Python. (`og.train` also records what is in its report.)

# %%
square = draw.standard_normal((600, 600))
began = time.perf_counter()
for _ in range(5):
    square @ square
rate = 5 * 2 * 600**3 / (time.perf_counter() - began)
limit = 4 * X.size / rate
print(f"{rate / 1e9:.0f} billion operations a second; {4 * X.size:,} operations a step")
print(f"loops: {seconds['loops'] / limit:,.0f} times the limit; arrays: {seconds['NumPy arrays'] / limit:,.0f} times")
times(seconds, limit=limit, title="A step of logistic regression, five times")

# %% [markdown]
# <a id="computation-graph"></a><!-- rows: 1.10 -->
# ## The computation graph
#
# **How does autograd know?** Forward, the cost is $x, w, b \to z \to a \to L$. While it is computed, torch notes which
# operation made what from what. Backward, it walks the same graph from the cost to the leaves and multiplies the slopes
# on the way: the chain rule. Nothing has to be written down but the cost.

# %%
x, label = torch.tensor([1.0, 2.0]), torch.tensor(1.0)
w, b = torch.tensor([0.5, -0.25], requires_grad=True), torch.tensor(0.1, requires_grad=True)
z = w @ x + b
a = torch.sigmoid(z)
L = F.binary_cross_entropy(a, label)


def show(node, depth=0):
    leaf = getattr(node, "variable", None)
    name = "w" if leaf is w else "b" if leaf is b else type(node).__name__.removesuffix("Backward0")
    print("    " * depth + name)
    for inner, _ in node.next_functions:
        if inner is not None:
            show(inner, depth + 1)


show(L.grad_fn)
L.backward()
with torch.no_grad():
    by_chain = (-label / a + (1 - label) / (1 - a)) * a * (1 - a) * x  # dL/da · da/dz · dz/dw
print(f"dL/dw: {w.grad.numpy()} by autograd, {by_chain.numpy()} by the chain rule")
torch.testing.assert_close(w.grad, by_chain)

# %% [markdown]
# <a id="perceptron"></a><!-- rows: 1.01 1.02 -->
# ## The perceptron
#
# **What can one neuron learn, and what not?** The oldest neuron bends with a step: 1 if $w^\top x + b > 0$, else 0 (on
# the line, too). Its rule is older than gradient descent: after a mistake, $w := w + (y - \hat y) x$. If a line
# separates the classes, it finds one. AND, OR and NOT have such a line; XOR has none, and the perceptron goes round in
# circles.

# %%
corners = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
logic = {"AND": [0, 0, 0, 1], "OR": [0, 1, 1, 1], "NOT the first": [1, 1, 0, 0], "XOR": [0, 1, 1, 0]}
learnt = {name: train_perceptron(corners, np.array(answers, float)) for name, answers in logic.items()}
for name, found in learnt.items():
    last = found.mistakes[-1]
    print(f"{name:>13}: w = {found.w}, b = {found.b:+.0f}; {last} mistakes in epoch {len(found.mistakes)}, the last")
np.testing.assert_equal([found.converged for found in learnt.values()], [True, True, True, False])
boundaries(
    {name: lambda p, found=found: sigmoid(p @ found.w + found.b)[0] for name, found in learnt.items()},
    corners, [*logic.values()], title="Logical functions by one neuron",
)

# %% [markdown]
# <a id="two-layers"></a><!-- rows: 1.12 1.13 1.14 -->
# ## Two layers
#
# **What is a network?** The same step, twice: $Z^{[1]} = X W^{[1]\top} + b^{[1]}$, $A^{[1]} = g(Z^{[1]})$, and again
# with $A^{[1]}$ for the input. One example at a time this is a loop (Algorithm 2 of the course); all examples at once
# it is a product of matrices for each layer, in which the rows of $A$ are the examples.

# %%
weights = [draw.standard_normal((4, 3)), draw.standard_normal((1, 4))]  # 3 inputs, 4 hidden units, 1 output
biases = [np.zeros(4), np.zeros(1)]
inputs = draw.standard_normal((2000, 3))

began = time.perf_counter()
one_by_one = network_by_loop(inputs, weights, biases, ["sigmoid", "sigmoid"])
between = time.perf_counter()
at_once, _ = network(inputs, weights, biases, ["sigmoid", "sigmoid"])
ended = time.perf_counter()

np.testing.assert_allclose(one_by_one, at_once)
print(f"2000 examples: {1000 * (between - began):.1f} ms one at a time, {1000 * (ended - between):.1f} ms at once")

# %% [markdown]
# <a id="counting"></a><!-- rows: 1.20 1.21 -->
# ## Counting layers, and four indices
#
# **Which layer is the first?** The first that computes. The input is layer 0 and does not count; hidden layers and the
# output do, and the output is not a hidden layer. So the network above has two layers, one of them hidden.
#
# **What does $a_j^{[l]\lbrace k \rbrace(i)}$ mean?** Unit $j$ of layer $l$, in mini-batch $k$, for its example $i$. (A
# time step would be $\langle t \rangle$.) The lecture counts $j$ and $i$ from 1, arrays count from 0.

# %%
batches = np.split(inputs, 20)  # k = 1 … 20, a hundred examples each


def activation(layer, batch, example, unit):
    found, _ = network(batches[batch - 1], weights[:layer], biases[:layer], ["sigmoid"] * layer)
    return found[example - 1, unit - 1]


print(f"a of unit 2, layer 1, batch 3, example 5: {activation(1, 3, 5, 2):.4f}")
example = inputs[2 * 100 + 4]
np.testing.assert_allclose(activation(1, 3, 5, 2), sigmoid(weights[0][1] @ example)[0])

# %% [markdown]
# <a id="dimensions"></a><!-- rows: 1.15 1.16 1.19 -->
# ## L layers, and their dimensions
#
# **How does one keep track?** By shapes: most mistakes in a network are a transpose, and shapes catch them before
# anything is learnt. $W^{[l]}$ has a row for each unit of its layer and a column for each of the layer before: $n^{[l]}
# \times n^{[l-1]}$. $b^{[l]}$ has one number per unit. $Z^{[l]}$ and $A^{[l]}$ have a row per example and a column per
# unit.

# %%
sizes = [5, 3, 4, 3, 1]  # n⁰ = 5 inputs; L = 4 layers of 3, 4, 3 and 1 units
weights = [draw.standard_normal((n, before)) / np.sqrt(before) for before, n in pairwise(sizes)]
biases = [np.zeros(n) for n in sizes[1:]]
inputs = draw.standard_normal((100, 5))
for layer, shape in enumerate(check_dimensions(inputs, weights, biases), start=1):
    print(f"layer {layer}: W {weights[layer - 1].shape}, b {biases[layer - 1].shape}, Z and A {shape}")

try:
    check_dimensions(inputs, [weights[0], weights[1].T, *weights[2:]], biases)
except ValueError as error:
    print(f"\none transposed: {error}")

# %% [markdown]
# <a id="backpropagation"></a><!-- rows: 1.17 -->
# ## Back-propagation
#
# **How do early layers learn of a mistake at the end?** It is handed back, from layer $L$ to layer 1. Each layer is
# told $dA$, how the cost depends on what it gave; it finds from it how the cost depends on its own weights, and on what
# it was given, which it hands on:
#
# $$dZ^{[l]} = dA^{[l]} \ast g'(Z^{[l]}), \quad dW^{[l]} = dZ^{[l]\top} A^{[l-1]}, \quad
# db^{[l]} = \textstyle\sum_i dZ^{[l](i)}, \quad dA^{[l-1]} = dZ^{[l]} W^{[l]} .$$
#
# Each gradient here is compared with differences, $(J(\theta + \varepsilon) - J(\theta - \varepsilon)) / 2\varepsilon$:
# slow, but hard to get wrong.

# %%
names = ["tanh", "relu", "sigmoid", "identity"]
targets = (inputs[:, 0] * inputs[:, 1] > 0).astype(float)


def cost():
    Z, _ = network(inputs, weights, biases, names)
    return binary_cross_entropy_from_logits(Z[:, 0], targets)[0]


def gradients_of(X, y, weights, biases, names):
    """The cost, and its gradient by each weight and each bias."""
    Z, cache = network(X, weights, biases, names)
    J, loss = binary_cross_entropy_from_logits(Z[:, 0], y)
    _, d_weights, d_biases = network_backward(binary_cross_entropy_from_logits_backward(1.0, loss)[:, None], cache)
    return J, [*d_weights, *d_biases]


J, gradients = gradients_of(inputs, targets, weights, biases, names)
for layer in range(4):
    ratio = gradient_check_ratio(numerical_gradient(lambda _: cost(), weights[layer]), gradients[layer])
    print(f"W of layer {layer + 1}: back-propagation and differences are {ratio:.0e} apart")
    np.testing.assert_array_less(ratio, 1e-7)

# %% [markdown]
# With the gradients, learning is a loop. This one is all that the next sections need.


# %%
def learn(X, y, weights, biases, names, steps=400, rate=0.03):
    """Adam on the logistic loss: weights and biases in the end, and the cost before each step."""
    parameters, states, costs = [*weights, *biases], [{}] * 2 * len(weights), []
    for _ in range(steps):
        weights, biases = parameters[: len(names)], parameters[len(names) :]
        J, gradients = gradients_of(X, y, weights, biases, names)
        moved = [adam(*each, learning_rate=rate) for each in zip(parameters, gradients, states)]
        parameters, states = [p for p, _ in moved], [s for _, s in moved]
        costs.append(J)
    return parameters[: len(names)], parameters[len(names) :], costs


*_, costs = learn(inputs, targets, weights, biases, names)
print(f"cost {costs[0]:.3f} before, {costs[-1]:.3f} after {len(costs)} steps")

# %% [markdown]
# <a id="xor"></a><!-- rows: 1.02 1.28 -->
# ## XOR: hidden units, and why they must bend
#
# **What does a hidden layer buy?** Each hidden unit draws a line of its own, and the output combines them. One unit is
# still one line. Two are enough for XOR; more leave room for choice.
#
# **Why not leave out the bend?** With $g(z) = z$, $W^{[2]} (W^{[1]} x) = (W^{[2]} W^{[1]}) x$: however many layers, it
# is one line again. The last panel has eight hidden units and no bend.

# %%
cloud = np.repeat(corners, 20, axis=0) + draw.normal(0, 0.13, (80, 2))
xor = np.repeat([0.0, 1, 1, 0], 20)


def solve(units, bend):
    draw = np.random.default_rng(3)
    start = [draw.standard_normal((units, 2)), draw.standard_normal((1, units))]
    weights, biases, _ = learn(cloud, xor, start, [np.zeros(units), np.zeros(1)], [bend, "identity"])
    return lambda p: network(p, weights, biases, [bend, "sigmoid"])[0][:, 0]


solved = {f"{units} unit{'s' * (units > 1)}": solve(units, "tanh") for units in (1, 2, 3, 4, 8)}
solved["8 units, no bend"] = solve(8, "identity")
for name, network_of in solved.items():
    print(f"{name:>16}: {((network_of(cloud) > 0.5) == xor).mean():.0%} of {len(xor)} right")
boundaries(solved, cloud, xor, title="XOR by hidden units")

# %% [markdown]
# <a id="zero-start"></a><!-- rows: 4.01 4.02 4.03 -->
# ## Why not start from zero?
#
# **Logistic regression could. Why not a network?** Because of symmetry. If all hidden units start alike, each gets the
# same gradient and they stay alike for ever: eight units do the work of one. All zero is worse still: no signal passes,
# and only the last bias learns. Random weights break the symmetry; biases may start at zero, since the weights tell the
# units apart.

# %%
starts = {
    "all zero": [np.zeros((8, 2)), np.zeros((1, 8))],
    "all alike": [np.full((8, 2), 0.5), np.full((1, 8), 0.5)],
    "random": [draw.standard_normal((8, 2)), draw.standard_normal((1, 8))],
}
history = {}
for name, start in starts.items():
    weights, _, costs = learn(cloud, xor, start, [np.zeros(8), np.zeros(1)], ["tanh", "identity"])
    history[name] = (np.arange(len(costs)), costs)
    print(f"{name:>9}: {len(np.unique(weights[0], axis=0))} different hidden units after {len(costs)} steps, "
          f"cost {costs[-1]:.3f}")
np.testing.assert_equal(len(np.unique(weights[0], axis=0)), 8)
curves(history, title="Cost of XOR from three starts", x_label="step", y_label="cost", height=220)

# %% [markdown]
# <a id="slopes"></a><!-- rows: 2.08 2.01 2.02 2.03 -->
# ## The slopes of activations
#
# **What does a bend do to a gradient?** It multiplies it by $g'(z)$. The sigmoid's slope is never more than 1/4, and
# far from 0 it is nothing; tanh reaches 1 in one point; ReLU is 1 or 0 (at 0 itself there is none: by convention 0).

# %%
z = np.linspace(-4, 4, 161)
slopes = {}
for name in ("sigmoid", "tanh", "relu", "leaky_relu", "gelu", "selu"):
    forward, backward = ACTIVATIONS[name]
    _, cache = forward(z)
    slopes[name] = (z, backward(np.ones_like(z), cache))
    print(f"{name:>10}: steepest {slopes[name][1].max():.3f}, at −4 {slopes[name][1][0]:+.4f}")
curves(slopes, title="Derivatives of activations", x_label="z", y_label="g′(z)")

# %% [markdown]
# <a id="vanishing-product"></a><!-- rows: 1.18 -->
# ## What many slopes make
#
# **Why are deep sigmoid networks slow to learn?** On its way back a gradient meets a factor in every layer. Three
# factors of 0.1 leave $0.1 \cdot 0.1 \cdot 0.1 = 0.001$ of it. The early layers, which find the simple features that
# all later ones build on, learn slowest. Here is the gradient that arrives in each of ten layers, with the weights that
# Glorot's rule gives.

# %%
np.testing.assert_allclose(0.1 * 0.1 * 0.1, 0.001)
arriving = {}
for name in ("sigmoid", "tanh"):
    weights = [np.sqrt(1 / 50) * draw.standard_normal((50, 50)) for _ in range(10)]
    _, cache = network(draw.standard_normal((64, 50)), weights, [np.zeros(50)] * 10, [name] * 10)
    _, d_weights, _ = network_backward(draw.standard_normal((64, 50)), cache)
    norms = [np.linalg.norm(each) for each in d_weights]
    arriving[name] = (np.arange(1, 11), norms)
    print(f"{name:>7}: the gradient of layer 1 is {norms[0] / norms[-1]:.1g} of that of layer 10")
curves(arriving, title="Gradient of each of ten layers", x_label="layer", y_label="norm", log=True, height=220)

# %% [markdown]
# <a id="hardmax"></a><!-- rows: 2.10 2.11 -->
# ## Softmax and hardmax
#
# **Why is it called soft?** Hardmax gives 1 to the largest score and 0 to the others. It is what one wants in the end,
# but it is flat: no small change of a score changes it, so there is no gradient to learn by. Softmax, $a_i = e^{z_i} /
# \sum_j e^{z_j}$, keeps the order, adds up to 1, and has a slope everywhere.

# %%
scores, nudge = np.array([[2.0, 1.0, -1.0]]), np.array([[0, 0.01, 0]])
print("hardmax", hardmax(scores)[0], "  after a nudge", hardmax(scores + nudge)[0])
print("softmax", softmax(scores)[0][0].round(4), "  after a nudge", softmax(scores + nudge)[0][0].round(4))

# %% [markdown]
# <a id="quadratic"></a><!-- rows: 1.32 7.14 -->
# ## A quadratic, and any optimizer
#
# **What is left of all this if the network goes?** Learning: a cost, a gradient, a step. The smallest case is one
# number $w$ under $J = w^2 - 10w + 25 = (w-5)^2$. From 0 at the rate 0.01, the first step goes to 0.1 and a thousand
# more to 4.99999999. With the coefficients $(1, -20, 100)$ instead the first step is 0.2, and it ends at 10.

# %%
path = descend_quadratic(steps=1001)
other = descend_quadratic((1.0, -20.0, 100.0), steps=1001)
print(f"w² − 10w + 25:   {path[1]:.1f} after one step, {path[-1]:.8f} after 1001")
print(f"w² − 20w + 100:  {other[1]:.1f} after one step, {other[-1]:.8f} after 1001")
np.testing.assert_allclose([path[1], path[-1], other[1], other[-1]], [0.1, 4.99999999, 0.2, 9.99999998], atol=1e-8)

# %% [markdown]
# In torch the cost alone is written down, its coefficients come in as data, and the optimizer is one name in one line.

# %%
for name, rate in (("sgd", 0.01), ("momentum", 0.01), ("adam", 0.1)):
    w, coefficients = torch.zeros((), requires_grad=True), torch.tensor([1.0, -10.0, 25.0])
    optimizer = optimizers.load(name)([w], lr=rate)  # the one line
    for _ in range(1001):
        optimizer.zero_grad()
        (coefficients[0] * w**2 + coefficients[1] * w + coefficients[2]).backward()
        optimizer.step()
    print(f"{name:>8}: w = {w.item():.4f}")
    np.testing.assert_allclose(w.item(), 5, atol=0.01)

# %% [markdown]
# <a id="dropout"></a><!-- rows: 5.04 5.05 5.06 -->
# ## Dropout, now and at first
#
# **Where is the scale put right?** In training each unit stays on with probability `keep_prob`. That lowers what the
# next layer receives, on average, by the factor `keep_prob`. The original form leaves it at that and multiplies by
# `keep_prob` at test time. The inverted form divides by it in training, so that test time needs nothing; that is what
# everybody uses. The one is the other times a constant, so they are equivalent.

# %%
A, keep = np.array([1.0, 2.0, 3.0]), 0.8
masks = dropout_mask((20_000, 3), keep, draw)
many = np.broadcast_to(A, masks.shape)
print("inverted: mean in training", inverted_dropout(many, masks, keep)[0].mean(0).round(2), "  at test time", A)
print("original: mean in training", original_dropout(many, masks)[0].mean(0).round(2), "  at test time",
      original_dropout_at_test_time(A, keep).round(2))
np.testing.assert_allclose(inverted_dropout(many, masks, keep)[0].mean(0), A, rtol=0.02)
np.testing.assert_allclose(original_dropout(many, masks)[0].mean(0), original_dropout_at_test_time(A, keep), rtol=0.02)

# %% [markdown]
# <a id="dropout-recipe"></a><!-- rows: 5.08 -->
# ## A recipe for dropout
#
# **What else changes when units are dropped?** Srivastava et al. (2014, *Dropout: a simple way to prevent neural
# networks from overfitting*, appendix A) give these rules of thumb. They are starting points, to be measured on dev:
#
# | rule | why |
# |---|---|
# | $n/p$ units instead of $n$, where $p$ is kept | so that as many are on as before |
# | dropout on visible and on hidden units: keep 0.8 of inputs, 0.5 to 0.8 of hidden units | both can overfit |
# | a rate 10 to 100 times as high, with decay | gradients are noisier, and cancel |
# | momentum 0.95 to 0.99 (the lecture: 0.9 or 0.99) | for the same reason |
# | max-norm 3 to 4 (the lecture: 4 or 5) | so that high rates do not blow weights up |
#
# As a recipe, for a network that would have had 256 and 128 units:

# %%
recipe = og.Recipe().with_values({
    "model.name": "mlp", "model.options": {"hidden": [320, 160], "dropout": 0.2},
    "train.optimizer": "momentum", "train.momentum": 0.95, "train.lr": 0.1, "train.schedule": "cosine",
})
print("\n".join(line for line in recipe.to_yaml().splitlines()
                if line.split(":")[0].strip() in ("hidden", "dropout", "optimizer", "momentum", "lr", "schedule")))

# %% [markdown]
# <a id="exercises"></a><!-- rows: 10.08 10.09 10.10 -->
# ## Exercises
#
# **Can you write the backward pass?** Each exercise gives a forward pass and asks for its gradients. `grade` hands your
# function a random upstream gradient and compares what you return with differences, by `og.gradient_check`: the same
# tool that checks whole networks. It says where you are furthest off. Fill in, run, repeat; the solutions are folded.


# %%
class Point(torch.nn.Module):
    """The inputs of a function as parameters, so that `og.gradient_check` can move them."""

    def __init__(self, **values):
        super().__init__()
        for name, value in values.items():
            self.register_parameter(name, torch.nn.Parameter(torch.as_tensor(value)))


def batch_norm(Z, gamma, beta):
    return gamma * (Z - Z.mean(0)) / torch.sqrt(Z.var(0, correction=0) + 1e-5) + beta


coin, classes = np.array([1.0, 0, 1, 1, 0, 0]), np.array([2, 0, 1, 1])
Z, W, gamma, b = (draw.standard_normal(shape) for shape in ((5, 3), (2, 3), 3, 2))
EXERCISES = {
    "sigmoid": (lambda z: 1 / (1 + torch.exp(-z)), {"z": Z}),
    "dense": (lambda X, W, b: X @ W.T + b, {"X": Z, "W": W, "b": b}),
    "tanh_layer": (lambda X, W, b: torch.tanh(X @ W.T + b), {"X": Z, "W": W, "b": b}),
    "logistic_loss": (lambda z: F.binary_cross_entropy_with_logits(z, torch.tensor(coin)), {"z": draw.normal(0, 1, 6)}),
    "softmax_loss": (lambda z: F.cross_entropy(z, torch.tensor(classes)), {"z": draw.normal(0, 1, (4, 3))}),
    "batch_norm": (batch_norm, {"Z": Z, "gamma": gamma, "beta": gamma * 0.1}),
}

graded = {}


def grade(name, backward):
    """Say whether backward(d_out, **inputs) gives the gradient of the cost by each input, in their order."""
    forward, inputs = EXERCISES[name]
    point = Point(**inputs)
    d_out = torch.tensor(draw.standard_normal(tuple(forward(**dict(point.named_parameters())).shape)))

    def yours(point, d_out):
        values = {key: value.detach().numpy() for key, value in point.named_parameters()}
        found = backward(d_out.numpy(), **values)
        return dict(zip(inputs, found if isinstance(found, tuple) else (found,), strict=True))

    check = og.gradient_check(
        point, lambda point, d_out: (forward(**dict(point.named_parameters())) * d_out).sum(), d_out, gradients=yours,
    )
    for wrong in check.failures:
        print(f"{name}: not yet. {wrong.name}, {wrong.worst}")
    if check.passed:
        print(f"{name}: right, {check.ratio:.0e} from the differences")
    graded[name] = check.passed


# %% [markdown]
# **1. Sigmoid.** $a = \sigma(z)$. Given $\partial J/\partial a$, what is $\partial J/\partial z$?


# %% tags=["exercise"]
def sigmoid_backward(d_a, z):
    return np.zeros_like(z)  # your line


grade("sigmoid", sigmoid_backward)


# %% tags=["solution"]
def sigmoid_backward(d_a, z):
    a, _ = sigmoid(z)
    return d_a * a * (1 - a)


grade("sigmoid", sigmoid_backward)

# %% [markdown]
# **2. A dense layer.** $Z = XW^\top + b$. Return $dX$, $dW$ and $db$; each has the shape of what it is the gradient of.


# %% tags=["exercise"]
def dense_backward(d_Z, X, W, b):
    return np.zeros_like(X), np.zeros_like(W), np.zeros_like(b)


grade("dense", dense_backward)


# %% tags=["solution"]
def dense_backward(d_Z, X, W, b):
    return d_Z @ W, d_Z.T @ X, d_Z.sum(axis=0)


grade("dense", dense_backward)

# %% [markdown]
# **3. A layer of tanh units.** $A = \tanh(XW^\top + b)$: the two above, in the order of the chain rule.


# %% tags=["exercise"]
def tanh_layer_backward(d_A, X, W, b):
    return np.zeros_like(X), np.zeros_like(W), np.zeros_like(b)


grade("tanh_layer", tanh_layer_backward)


# %% tags=["solution"]
def tanh_layer_backward(d_A, X, W, b):
    A = np.tanh(X @ W.T + b)
    return dense_backward(d_A * (1 - A**2), X, W, b)


grade("tanh_layer", tanh_layer_backward)

# %% [markdown]
# **4. The logistic loss.** $J$ is the mean over six examples with the labels `coin`, straight from $z$. Mind the mean.


# %% tags=["exercise"]
def logistic_loss_backward(d_J, z):
    return np.zeros_like(z)


grade("logistic_loss", logistic_loss_backward)


# %% tags=["solution"]
def logistic_loss_backward(d_J, z):
    return d_J * (sigmoid(z)[0] - coin) / len(z)


grade("logistic_loss", logistic_loss_backward)

# %% [markdown]
# **5. Softmax and cross-entropy.** The same for the labels `classes` of three. `np.eye(3)[classes]` is one-hot.


# %% tags=["exercise"]
def softmax_loss_backward(d_J, z):
    return np.zeros_like(z)


grade("softmax_loss", softmax_loss_backward)


# %% tags=["solution"]
def softmax_loss_backward(d_J, z):
    return d_J * (softmax(z)[0] - np.eye(3)[classes]) / len(z)


grade("softmax_loss", softmax_loss_backward)

# %% [markdown]
# **6. Batch normalization.** $\hat z = (z - \mu)/\sqrt{\sigma^2 + \varepsilon}$ and $\tilde z = \gamma \hat z + \beta$.
# The hard part: $\mu$ and $\sigma$ depend on every $z$ of the batch.


# %% tags=["exercise"]
def batch_norm_backward(d_out, Z, gamma, beta):
    return np.zeros_like(Z), np.zeros_like(gamma), np.zeros_like(beta)


grade("batch_norm", batch_norm_backward)


# %% tags=["solution"]
def batch_norm_backward(d_out, Z, gamma, beta):
    scale = 1 / np.sqrt(Z.var(axis=0) + 1e-5)
    normalized = (Z - Z.mean(axis=0)) * scale
    d_normalized = d_out * gamma
    along = d_normalized.mean(axis=0) + normalized * (d_normalized * normalized).mean(axis=0)
    return scale * (d_normalized - along), (d_out * normalized).sum(axis=0), d_out.sum(axis=0)


grade("batch_norm", batch_norm_backward)

# %% [markdown]
# All equations, with their code and how far they are from autograd, stand in [equations.md](../equations.md). How the
# steps are taken is the subject of the next lesson: [Optimizers, seen](optimizers-seen.md).
