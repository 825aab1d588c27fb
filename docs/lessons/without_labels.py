# %% [markdown]
# # Without labels
#
# Labels cost more than pictures. What can be learnt from pictures alone, and what is it worth? This lesson trains an
# autoencoder, a denoiser, a variational autoencoder, a restricted Boltzmann machine and Barlow Twins on the bundled
# digits, looks at what each of them makes, and ends with the question that decides: how many labels does it save?
#
# Nothing has to be downloaded, and all of it takes a minute or two. The commands of a terminal stand beside each step;
# with `mnist` or `fashion_mnist` in place of `digits` they work on 70,000 larger pictures.

# %%
import orthogon as og
from orthogon.report.sheets import sheet

SHORT = {"train.preflight": False, "train.health": False, "train.threads": 1}

# %% [markdown]
# <a id="bottleneck"></a><!-- rows: 23.01 23.06 23.07 -->
# ## Through a bottleneck
#
# *Terminal:* `orthogon train digits --task reconstruct --model autoencoder --set model.options.code=8`
#
# An *autoencoder* has to give its input back. But what it passes on in the middle, the *code*, is 8 numbers here, and
# the picture is 64. The *encoder* makes the code from the picture, the *decoder* the picture from the code. The loss is
# the distance between output and input. Nothing else is needed, so no labels are.
#
# Principal components do the same with straight lines: of all linear encoders and decoders with 8 numbers they lose
# least. They are what an autoencoder has to beat, on pictures that neither has seen.

# %%
plain = og.train("digits", task="reconstruct", model="autoencoder", epochs=20, name="plain", quiet=True,
                 options={**SHORT, "model.options.code": 8})
print(og.evaluate(plain))

# %%
sheet(plain, "rebuilt")

# %% [markdown]
# Above are pictures of dev, below what came out of 8 numbers each. Where a stroke is unusual, the network draws the
# usual one: it has learnt what digits look like, not each digit.
#
# <a id="denoise"></a><!-- rows: 23.03 23.04 -->
# ## Take the noise away
#
# *Terminal:* `orthogon train digits --task reconstruct --set task.noise=0.3`
#
# With a wide code an autoencoder could copy. If it is given a picture with noise and has to give the clean one, copying
# is of no use: it has to know what is digit and what is noise. `task.mask` hides pixels instead. The figure to read is
# `psnr_gain`: by how many decibels the output is nearer to the clean picture than the noisy input was.

# %%
denoiser = og.train("digits", task="reconstruct", epochs=10, name="denoiser", quiet=True,
                    options={**SHORT, "task.noise": 0.3})
print(og.evaluate(denoiser))

# %%
sheet(denoiser, "rebuilt")

# %% [markdown]
# <a id="variational"></a><!-- rows: 23.05 -->
# ## A code to draw from
#
# *Terminal:* `orthogon train digits --task reconstruct --model vae --set model.options.code=2`
#
# Draw a code at random, decode it, and a plain autoencoder gives rubbish: nothing kept its codes together. A
# *variational* one makes of each picture not a point but a small Gaussian, and pays for each nat by which that differs
# from N(0, 1). Codes then fill the space without holes, and a random one decodes to something. Rebuilding and this
# *divergence* together bound the likelihood of the pictures (the ELBO), in nats a picture.
#
# With two numbers the whole space can be seen. Each place of the plane is a code, decoded:

# %%
variational = og.train("digits", task="reconstruct", model="vae", epochs=80, name="variational", quiet=True,
                       options={**SHORT, "model.options.code": 2})
print(og.evaluate(variational))

# %%
sheet(variational, "plane")

# %%
sheet(variational, "codes")

# %% [markdown]
# The colors of the codes are the labels, which training never saw: some digits keep to themselves, others share a
# place. And these are samples, none of them chosen. They are blurred, because the mean of all that a code may stand for
# is what loses least:

# %%
sheet(variational, "samples")

# %% [markdown]
# <a id="machine"></a><!-- rows: 23.08 23.12 -->
# ## A machine that goes back and forth
#
# *Terminal:* `orthogon train digits --task boltzmann --model rbm --set model.options.hidden=64`
#
# A *restricted Boltzmann machine* has a visible layer, a hidden one, and nothing but one matrix between them. It is no
# function but a probability of pictures, and learns without a loss that could be differentiated: what the data makes
# the hidden units do is strengthened, what the machine dreams up by itself, going back and forth once, is weakened
# (contrastive divergence). The weights of a unit have the shape of a picture, so they can be looked at: white excites
# it, black inhibits it.

# %%
machine = og.train("digits", task="boltzmann", model="rbm", epochs=40, name="machine", quiet=True,
                   options={**SHORT, "model.options.hidden": 64})
print(og.evaluate(machine))

# %%
sheet(machine, "filters-1")

# %% [markdown]
# Units that stayed gray have learnt nothing yet. Boltzmann machines can be stacked, each learning from the one below: a
# deep belief network, `--model dbn`. An older way to learn such a stack is *wake-sleep* (Hinton et al. 1995): awake,
# the weights downward learn to rebuild what the weights upward made of data; asleep, those upward learn to recognize
# what those downward dreamt. Layer by layer with contrastive divergence needs no sleep for each example, and is what is
# built here.
#
# <a id="twins"></a><!-- rows: 21.13 21.14 -->
# ## The same, seen twice
#
# *Terminal:* `orthogon train digits --task barlow_twins`
#
# To rebuild every pixel is more than is needed to know a digit. *Barlow Twins* changes each picture in two ways, moves
# it, turns it, and asks that the network give the same for both. A constant would do that; so it is also asked that the
# outputs be uncorrelated with each other: each has to say something of its own. Whether the outputs collapsed all the
# same is measured: `spread` is 0 where all pictures have one encoding, and `effective_rank` counts the dimensions that
# are used.

# %%
twins = og.train("digits", task="barlow_twins", epochs=24, name="twins", quiet=True,
                 options={**SHORT, "model.options.width": 8, "train.batch_size": 64})
print(og.evaluate(twins))

# %%
sheet(twins, "neighbors")

# %% [markdown]
# <a id="worth"></a><!-- rows: 23.01 -->
# ## What is it worth?
#
# The rows above are pictures of dev, each with the others whose encodings are nearest; green where the label agrees,
# which no training saw.
#
# *Terminal:* `orthogon features twins --labels 20,100`
#
# Pictures are nice to look at and prove nothing. The test is whether labels are saved. The head is taken off, and a
# classifier learns from what is left in three ways, with 20 labels, two of each digit, and with 100: the nearest
# neighbors, a linear probe, and training of the whole network. Beside each stands the same network with *random*
# weights, for that is no bad start either: a random network keeps most of what is in a small picture. Both learn from
# the very same labelled pictures and answer for the same ones of dev, so the difference is taken in pairs.

# %%
print(og.features(twins, labels=[20, 100], processes=1))

# %% [markdown]
# What is honest to say? A gain holds for these pictures, this network and this number of labels. It is largest where
# labels are fewest, and shrinks as they are added: the network that is trained as a whole on 100 labels no longer shows
# that it was helped. Weak baselines flatter: the nearest neighbor by *raw pixels*, in the table above, is hard to beat
# on pictures as small as these. The changes that Barlow Twins is shown are knowledge, too: who says that a moved digit
# is the same digit has said what a label would. And an encoder that was chosen by its score on dev needs another set to
# be judged by.
#
# <a id="exercises"></a><!-- rows: 23.02 23.09 23.10 -->
# ## Exercises
#
# 1. Ask `og.features` for the autoencoder, the variational one and the Boltzmann machine as well. Which saves labels?
# 2. Is more code always better? Train `plain` with codes of 2 and 32 numbers. Where do principal components win?
# 3. Stack two Boltzmann machines (`model="dbn"`), then let a classifier begin with them: `og.train("digits",
#    model="dbn", weights="stack")`. The autoencoder of the classic course is there by name: `--recipe
#    classic/stacked-autoencoder`.

# %% tags=["solution"]
for code in (2, 32):
    run = og.train("digits", task="reconstruct", model="autoencoder", epochs=10, name=f"code-{code}", quiet=True,
                   options={**SHORT, "model.options.code": code})
    print(f"{code} numbers\n{og.evaluate(run)}\n")
