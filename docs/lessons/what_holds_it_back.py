# %% [markdown]
# # What holds it back?
# <!-- data: mnist -->
#
# Four small worlds, each with one fault planted in it: too little learnt, too much learnt by heart, another world
# outside, wrong labels. In each the question is the same: what does the verdict say, what do small experiments find,
# and is the promise kept? Because the fault is known, the answer can be checked.
#
# The pictures are MNIST at half size, 14 × 14, so that all of it takes a few minutes on one core. `og.read` fetches
# MNIST once (12 MB), or finds it below `ORTHOGON_DATA`. People read these digits nearly perfectly: 0.2 % wrong is the
# figure usually given, and stands in for the best error that there can be.

# %%
import csv

import numpy as np
from scipy.ndimage import rotate

import orthogon as og
from orthogon.draw import dots
from orthogon.draw.curves import curves

mnist = og.read("mnist")
label = mnist.target_column()
PICTURES = mnist.columns["image"].pixels.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).astype(np.uint8)
DIGITS = np.array(label.levels)[label.codes]
HUMAN = "accuracy=0.998"


def some(count, seed):
    """So many pictures with their digits, drawn at random."""
    rows = np.random.default_rng(seed).choice(len(PICTURES), count, replace=False)
    return PICTURES[rows], DIGITS[rows]


def train(name, data, **options):
    """A fully connected network; options with "__" for the point of a recipe's key."""
    options = {key.replace("__", "."): value for key, value in options.items()}
    return og.train(data, model="mlp", options={"train.threads": 1, **options}, name=name, quiet=True)


# %% [markdown]
# <a id="bias"></a><!-- rows: 14.02 14.07 -->
# ## Too little learnt
#
# **The fault:** a network of 16 hidden units that sees 3,000 pictures twice and stops. It cannot even do what it was
# shown.
#
# High *bias* shows as an error on the training examples themselves that is far above what is possible. No train-dev
# and no dev set are needed to see it, and more data cannot help: what there is has not been learnt yet. What may help
# is a bigger network, longer training, a better rate or optimizer, another architecture.

# %%
plenty = some(6_000, seed=1)
run = train("bias", plenty, model__options={"hidden": [16]}, train__epochs=2, train__batch_size=128,
            split__train=3_000, split__dev=2_000, split__test=1_000)
og.diagnose(run, human=HUMAN)

# %% [markdown]
# The straight line, `linear`, is a baseline that trains to its end. A network that stays above it has not been given
# its chance. The probe tries the remedies against bias, each beside the unchanged network, on the same examples:

# %%
found = og.probe(run, data=plenty, quiet=True)
print(found)

# %% [markdown]
# Now follow the recipe that was confirmed, and look whether the promise was kept.

# %%
after = og.train(plenty, recipe=found.next, name="bias-after", quiet=True)
og.compare(run, after)

# %% [markdown]
# One remedy at a time: much of the bias is gone, not all of it, and the verdict still calls it that. The next round
# begins where this one ended; exercise 1 goes on.

# %% [markdown]
# <a id="variance"></a><!-- rows: 14.03 14.08 13.01 13.02 -->
# ## Learnt by heart
#
# **The fault:** 300 pictures, and a network with 85,000 weights that sees them 200 times.
#
# Now the training error is 0 and the dev error is not: *variance*, in the working sense of the word. The amount of
# overfitting is the gap between the two. Here dev is drawn from where train is, so that nothing but variance can make
# the gap; where it is not, a train-dev set has to tell (the next section).

# %%
few = some(4_300, seed=2)
run = train("variance", few, train__epochs=200, train__batch_size=32,
            split__train=300, split__dev=3_000, split__test=1_000)
og.diagnose(run, human=HUMAN)

# %% [markdown]
# The pattern in the course of training: what was seen goes on improving, what was not seen stops, or turns.

# %%
epochs = [line for line in run.metrics() if line["event"] == "epoch"]
at = [line["epoch"] for line in epochs]
curves({"train": (at, [line["train_loss"] for line in epochs]), "dev": (at, [line["dev"]["loss"] for line in epochs])},
       title="Loss on seen and unseen pictures", x_label="epoch", y_label="loss", log=True, height=220)

# %% [markdown]
# Against variance there are more data, which makes no bias; regularization, by L2 or dropout; pictures that are moved a
# little, which is data for free; and another architecture. Which of them? The probe says.

# %%
found = og.probe(run, data=few, quiet=True)
print(found)

# %%
after = og.train(few, recipe=found.next, name="variance-after", quiet=True)
og.compare(run, after)

# %% [markdown]
# <a id="mismatch"></a><!-- rows: 14.21 14.22 11.08 -->
# ## Another world outside
#
# **The fault:** the network learns from upright digits, and will be used on digits that are turned by up to 40 degrees.
#
# Dev and test are turned: they are the target. Train is upright, and so is *train-dev*, pictures like those trained on
# that were never trained on. Reading the ladder, take both differences, and take them only where the way from train to
# dev is long enough to be worth explaining:
#
# - train-dev well above train: variance, since nothing but being unseen sets the two apart;
# - dev well above train-dev: mismatch, since nothing but the world they come from sets the two apart.
#
# Both may be there at once. "Train-dev is near dev, so it is variance" and "train-dev is near train, so it is mismatch"
# are the two pure cases only.

# %%
pictures, digits = some(4_000, seed=3)
turned = np.arange(len(pictures)) >= 2_500
draw = np.random.default_rng(3)
for i in np.flatnonzero(turned):
    pictures[i] = rotate(pictures[i], draw.uniform(-40, 40), reshape=False, order=1)
askew = og.read((pictures, digits), source_column=np.where(turned, "askew", "upright"), name="askew")
run = train("mismatch", askew, train__epochs=60, train__batch_size=64, split__target_source="askew",
            split__train_dev=700)
verdict = og.diagnose(run, human=HUMAN)
print(verdict)

# %%
dots([(rung.name, rung.estimate) for rung in verdict.rungs if rung.name not in ("majority", "linear")],
     title="Errors of a network that learnt from upright digits", x_label="error, percent", connect=True)

# %%
found = og.probe(run, data=askew, quiet=True)
print(found)

# %% [markdown]
# Two ways lead out. To turn training pictures costs nothing but time, if one knows that turning is what differs. To
# move some of dev into training needs no such idea, but costs labels that dev then lacks.

# %%
after = og.train(askew, recipe=found.next, name="mismatch-after", quiet=True)
og.compare(run, after)

# %% [markdown]
# <a id="labels"></a><!-- rows: 11.11 11.12 14.19 -->
# ## Wrong labels
#
# **The fault:** one label in five is another digit, drawn at random, in train, dev and test alike.
#
# Suppose that people are shown 300 of these pictures and disagree with 61 of the labels, which is what `orthogon human`
# would measure. That is the first alarm: 20 % is no human error rate for digits.

# %%
pictures, truth = some(2_000, seed=4)
draw = np.random.default_rng(4)
wrong = draw.choice(len(truth), len(truth) // 5, replace=False)
given = truth.copy()
given[wrong] = (truth[wrong].astype(int) + draw.integers(1, 10, len(wrong))) % 10
noisy = og.read((pictures, given), name="noisy")
run = train("noise", noisy, train__epochs=30, train__batch_size=32, split__train=1_000, split__dev=500,
            split__test=500)
og.diagnose(run, human="61/300")

# %% [markdown]
# The network has learnt by heart what people would not accept: that is variance, and the verdict says so. It cannot say
# *why* the two differ: a gap is a sum, and one of its summands is labels that are wrong. Wrong labels are one more
# category of mistakes, with its share and its ceiling. Two tools look at it:
#
# - the **queue**: every label, the one that held-out networks believe least first. It finds wrong labels; how many it
#   flags says nothing sure about how many there are.
# - the **audit**: 200 drawn at random and looked at, which gives the rate.
#
# A person would answer on the pages that `orthogon labels` and `orthogon labels --audit 200` make. Here the truth is
# known, and answers.

# %%
queue = og.labels(run, data=noisy, test=True, quiet=True).queue
true = dict(zip(noisy.ids.tolist(), truth.tolist()))
is_wrong = dict(zip(noisy.ids.tolist(), (given != truth).tolist()))


def answered(ids, path):
    """The file that the page saves: what the labels of these examples should be."""
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([("id", "label"), *((name, true[name]) for name in ids)])
    return path


found_so_far = np.cumsum([is_wrong[name] for name in queue.ids.tolist()]) / len(wrong)
curves({"the queue": (np.arange(1, len(queue) + 1), found_so_far), "at random": ([1, len(queue)], [0, 1])},
       title="Wrong labels found, going down the queue", x_label="labels looked at", y_label="share found", height=220)

# %%
drawn = queue.ids[queue.uniform(200)].tolist()
print(og.labels(run, data=noisy, audited=answered(drawn, "audit.csv"), quiet=True))

# %% [markdown]
# Where wrong labels are so large a part of the dev error, mending them comes first. Dev and test are mended by the same
# process (hence `test=True`), or they would no longer come from one distribution; and some labels that the networks
# believe are looked at as well, since a network may be wrong together with its label.
#
# Here everything that is doubted is reviewed. Nothing is deleted, and the data stays as it was: the corrections are a
# file beside it.

# %%
doubted = queue.ids[queue.predicted != queue.given].tolist()
print(og.labels(run, data=noisy, reviewed=answered(doubted, "labels.csv"), quiet=True))

# %%
mended = og.read(noisy, corrections=run.path / "labels" / "corrections.csv")
after = og.train(mended, recipe=run.recipe(), name="noise-after", quiet=True)
og.diagnose(after, human=HUMAN)

# %% [markdown]
# The same network, trained anew on mended labels. Compare its dev error with the last column of the table above, where
# the old network is judged by mended labels too: the difference is what wrong labels *in train* had cost. It is said
# that networks are robust to random errors there, so that mending them by hand does not pay. That holds for many
# examples, where errors average out. It does not hold for a network that knows its few examples by heart, the wrong
# ones among them.
#
# What is left is variance, with wrong labels out of the way, and a probe may go on from there.

# %% [markdown]
# <a id="exercises"></a><!-- rows: 14.02 14.03 14.22 -->
# ## Exercises
#
# 1. One round is seldom the end. What does the verdict say of `bias-after` and `variance-after`, and what does a
#    second probe of the first one find?
# 2. Take train-dev away from the third world. What can the verdict still say, and what not?

# %% tags=["solution"]
for name in ("bias-after", "variance-after"):
    print(og.diagnose(name, human=HUMAN).sentence)
print(og.probe("bias-after", data=plenty, quiet=True))

# %% tags=["solution"]
blind = train("blind", askew, train__epochs=60, train__batch_size=64, split__target_source="askew", split__train_dev=0)
og.diagnose(blind, human=HUMAN)

# %% [markdown]
# The first lesson of this kind, [A promise, kept](a-promise-kept.md), goes through the loop on data that needs no
# download; [advice](../advice.md) says what else there is to do against each gap.
