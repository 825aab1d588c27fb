# %% [markdown]
# # Same or different
# <!-- data: omniglot -->
#
# A door that knows its people, a till that knows its goods: who is to be known changes every week, and there is one
# picture of each. No classifier can be trained for that. What can be trained, once, is to tell whether two pictures
# show the *same*. This lesson does it with drawn characters, 242 of them, each by 20 people, and ends with a gallery
# that knows again what it was shown once, and says *unknown* to the rest.
#
# `og.read` fetches Omniglot (MIT licence, 3 MB) once, or finds it below `ORTHOGON_DATA`. All of it takes some minutes
# on two cores. The commands of a terminal stand beside each step.

# %%
import numpy as np

import orthogon as og
from orthogon.data.omniglot import one_shot_runs
from orthogon.draw.curves import curves
from orthogon.report.sheets import sheet
from orthogon.serve.encode import encodings
from orthogon.stats import rate
from orthogon.tasks.verification_metrics import Pairs, one_shot_accuracy

characters = og.read("omniglot")
print(f"{len(characters):,} pictures, {len(characters.target_column().levels)} characters")

# %% [markdown]
# <a id="two-questions"></a><!-- rows: 21.01 21.03 -->
# ## Two questions
#
# *Verification* asks: is this the one that it is said to be? One is held against one (1:1). *Recognition* asks: who is
# it? One is held against all K that are known (1:K). That is much harder, since there are K ways to go wrong. Say that
# a stranger passes for a given person once in a hundred times. What happens among many?

# %%
for known in (1, 10, 100, 1000):
    print(f"{known:5,} known: a stranger is taken for one of them in {1 - 0.99**known:.0%} of cases")

# %% [markdown]
# A verifier therefore has two errors: *false accepts*, two that differ and are taken for the same, and *false rejects*.
# And where only one picture of each is known, it is *one-shot* recognition: what makes two pictures the same must have
# been learnt before, from others.
#
# <a id="triplets"></a><!-- rows: 21.05 21.06 21.07 21.09 -->
# ## Encodings from triplets
#
# *Terminal:* `orthogon train omniglot --task verify --set task.loss=triplet`
#
# Both pictures go through the same network, hence *siamese*, which gives each an *encoding*, here of 64 numbers. How
# unlike they are is the distance of their encodings, $d = \|f(x^1) - f(x^2)\|$. It is learnt from triplets: an anchor
# A, a positive P of the same character, a negative N of another. A triplet costs nothing once the negative is farther
# than the positive by a margin α:
#
# $$L = \max\left(d^2(A, P) - d^2(A, N) + \alpha,\; 0\right)$$
#
# Without the margin all encodings could be one point at no cost. A batch holds several pictures of each of its
# characters, so that triplets can be made within it. And dev holds *other characters* than training: what counts is how
# well those are told apart that the network has never seen.
#
# DeepFace (Taigman et al. 2014) still learnt to classify 4,000 known people, took the layer before the last as the
# encoding, and came within a point of what people reach on pairs of faces (97.35 % against 97.5 %, by its authors).
# FaceNet (Schroff et al. 2015) left the classes out and learnt the distances themselves, as here.

# %%
SMALL = {"data.image_size": 28, "task.loss": "triplet", "model.options.width": 16, "train.batch_size": 120,
         "train.preflight": False, "train.health": False, "train.threads": 1}
run = og.train("omniglot", task="verify", model="convnet", epochs=8, name="semi-hard", quiet=True, options=SMALL)
print(og.evaluate(run))

# %% [markdown]
# `accuracy` asks for the nearest other picture, `one_shot` for the right one among 20 of which one picture each is
# known. Intervals are over characters: two pairs with the same character in them are not two independent witnesses.
#
# <a id="mining"></a><!-- rows: 21.08 -->
# ## Which negatives?
#
# *Terminal:* `orthogon train omniglot --task verify --set task.mining=random`
#
# Most negatives are far away already and teach nothing. *Hard* ones, the nearest of all, teach most, and can pull all
# encodings together into one point: then every triplet costs α and nothing moves any more. *Semi-hard* ones are farther
# than the positive, but by less than α. Orthogon takes these unless told otherwise, watches how far encodings spread,
# and says so when they collapse. Both networks are judged on the same pictures:

# %%
easy = og.train("omniglot", task="verify", model="convnet", epochs=8, name="random", quiet=True,
                options={**SMALL, "task.mining": "random"})
og.compare(easy, run)

# %% [markdown]
# <a id="threshold"></a><!-- rows: 21.04 -->
# ## How far is too far?
#
# A distance becomes an answer by a threshold. A larger one accepts more of the right pairs, and more of the wrong: the
# ROC curve. Where both errors are as frequent is the *equal error rate*, a good figure to compare by and a bad one to
# work with. A door wants few strangers in: so choose the *false accepts* that can be borne, one in a hundred here, and
# read off the rest.

# %%
rows = run.rows("dev")
curve = Pairs.of(rows).curve()
curves({"right pairs accepted": (curve.false_accept, curve.true_accept),
        "by chance": (np.linspace(0, 1, 50), np.linspace(0, 1, 50))},
       title="Pairs that are accepted as the threshold grows", x_label="false accepts", y_label="right pairs",
       height=240)

# %%
network = og.load(run)
print(f"threshold shipped with the network: {network.task.threshold:.3f}")
for name in ("equal_error_rate", "true_accept_rate"):
    print(f"{name:18} {network.metrics['dev'][name]}")

# %% [markdown]
# The pairs to learn from are those that go wrong. These are of one character and lie farthest apart:

# %%
sheet(run, "same-but-far")

# %% [markdown]
# When this page was written all of them had one picture in common: somebody drew but a part of the character. That is
# no fault of a network, and no threshold mends it. It is worth a look before anything is trained longer.
#
# <a id="one-shot"></a><!-- rows: 21.03 -->
# ## Against people
#
# Omniglot comes with 20 official runs: 20 characters of an alphabet that is in no training set, one picture of each,
# and each once more by another hand. People name 95.5 % of these rightly; a siamese network that was trained on four
# times as many characters, 92.0 % (Koch et al. 2015). Nothing was chosen by these runs, so they may be asked, once:

# %%
official = one_shot_runs(og.get("omniglot").folder)
for what, encode in (("raw pixels", lambda pictures: pictures.reshape(len(pictures), -1)),
                     ("encodings", lambda pictures: encodings(network, pictures))):
    print(f"by {what:10}",
          one_shot_accuracy([(encode(each.known), encode(each.queries), each.answers) for each in official]))

# %% [markdown]
# With prototypes, turned characters as further ones, and 100 epochs (`--recipe one-shot`) it goes further; the
# figures are in [the table of benchmarks](../../benchmarks/README.md).
#
# <a id="gallery"></a><!-- rows: 21.12 -->
# ## A gallery
#
# *Terminal:* `orthogon gallery add FOLDER`, then `orthogon gallery identify PICTURE`
#
# In use, no picture need be kept: its encoding is enough, with whose it is and a hash, so that nothing is added twice.
# A gallery belongs to the network that made its encodings, and refuses those of any other. Half of the dev characters
# are put in, *one picture each*; the other half are strangers.

# %%
place = {name: row for row, name in enumerate(characters.ids)}
dev = characters.take(np.array([place[each] for each in rows.ids]))
names = np.array([dev.target_column().cell(row) for row in range(len(dev))])
known = np.unique(names)[::2]
first = np.array([np.flatnonzero(names == name)[0] for name in known])
rest = np.setdiff1d(np.arange(len(dev)), first)

gallery = og.gallery("characters.sqlite", run)
print(gallery.add(dev.take(first)))
answers = gallery.identify(dev.take(rest))
print(answers.threshold)

# %% [markdown]
# The threshold is the gallery's own: each picture was left out in turn, with all of its identity, and counted as the
# stranger that it then is. Among K known it has to be stricter than the one that the network ships for pairs. What does
# that do to the pictures that the gallery has not seen?

# %%
said = np.array([one["identity"] or "unknown" for one in answers])
theirs = np.isin(names[rest], known)
for what, right, of in (("known, and named rightly", said == names[rest], theirs),
                        ("known, and named wrongly", (said != names[rest]) & (said != "unknown"), theirs),
                        ("strangers, and unknown", said == "unknown", ~theirs)):
    print(f"{what:25} {rate(right[of], groups=names[rest][of])} characters")

# %% [markdown]
# Hardly a stranger passes, and few of the known are known: that is the price of a strict threshold with a network as
# small as this one, and with one picture each. Nor can 24 pictures say much about one stranger in a hundred, which is
# what the wide interval at the threshold admits. What helps: a better network, more pictures of each, or a door that
# may err more often, `gallery.identify(..., false_accepts=0.1)`.
#
# <a id="honest"></a><!-- rows: 21.02 -->
# ## What is honest to say
#
# The strangers here are characters of the same alphabets, drawn by the same 20 hands. Other hands, other paper, another
# camera are another population, and the threshold must be chosen on that. And a picture of a face is not a face: who
# holds a photograph up to the camera is let in. That takes a test of its own, of *liveness*, which no distance gives.
#
# ### Exercises
#
# 1. Put five pictures of each into the gallery. How do the three rates change, and how the threshold?
# 2. Ask for more false accepts, 0.1, and for fewer, 0.001. With how many identities would the last be a measurement?
# 3. Take `task.loss` of `siamese`, `contrastive` and `prototypes`, and compare each with `run`.

# %% tags=["solution"]
five = np.concatenate([np.flatnonzero(names == name)[:5] for name in known])
gallery.update(dev.take(five))
answers = gallery.identify(dev.take(np.setdiff1d(np.arange(len(dev)), five)))
print(answers.threshold)
