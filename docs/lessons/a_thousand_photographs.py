# %% [markdown]
# # A thousand photographs
# <!-- data: trashnet -->
#
# 1,137 photographs of rubbish, six classes: what a bin would have to know. That is little for a network that must learn
# to see, and much for one that can see already. This lesson trains both, measures what the loan is worth, and looks
# into the network that won.
#
# `og.read` fetches the photographs (MIT licence) and the weights once, or finds them below `ORTHOGON_DATA`. All of it
# takes about ten minutes on two cores. The commands of a terminal stand beside each step.

# %%
import orthogon as og

photographs = og.read("trashnet")
print(og.check(photographs))

# %% [markdown]
# Two photographs stand under two labels each: nobody can name both rightly. Worse, and not in the files: the same
# bottle was photographed several times in a row, so a random split puts it on both sides. Every score below is too good
# for bottles that nobody has photographed yet, and it is so for all networks alike; the comparison stands, the level
# does not.

# %% [markdown]
# <a id="scratch"></a><!-- rows: 18.06 -->
# ## From nothing
#
# *Terminal:* `orthogon train trashnet --set data.image_size=96 --recipe strong --epochs 12`
#
# A small network, random weights; pictures are mirrored, moved and erased in part, which is the cheapest data there is
# (`orthogon show augment RUN` draws what it is shown).

# %%
SPLIT = {"split.train": 0.6, "split.dev": 0.2, "split.test": 0.2, "train.preflight": False}
scratch = og.train(photographs, recipe="strong", epochs=12, name="scratch", quiet=True,
                   options={**SPLIT, "data.image_size": 96})
print(og.diagnose(scratch))

# %% [markdown]
# <a id="features"></a><!-- rows: 18.01 18.02 18.03 31.03 -->
# ## Borrowed eyes
#
# *Terminal:* `orthogon train trashnet --model mobilenet_v2 --weights imagenet --set train.transfer=features`
#
# MobileNet-V2 has seen a million photographs of a thousand things. Its last layer, which names them, is of no use here:
# it is replaced by one with six outputs. Everything before it is *frozen*: it does not learn. So each photograph needs
# to go through it once only. What comes out, 1,280 numbers, is stored, and the new layer learns from these numbers as
# from a table, hundreds of times in seconds. This is what little data asks for: few weights learn, so few can learn by
# heart.

# %%
features = og.train(photographs, model="mobilenet_v2", weights="imagenet", name="features", quiet=True,
                    options={**SPLIT, "train.transfer": "features"})
og.compare(scratch, features)

# %% [markdown]
# The network that was lent to us was *pre-trained*; letting it learn our classes is *fine-tuning*. A loan pays where
# the borrower has the same kind of input, far less data than the lender had, and use for what early layers see: edges,
# textures, parts.

# %% [markdown]
# <a id="all"></a><!-- rows: 18.04 18.05 18.08 -->
# ## How much should learn?
#
# *Terminal:* `orthogon train trashnet --model mobilenet_v2 --weights imagenet`
#
# The more examples there are, the more layers may learn, from the last backwards: the last ones speak of the lender's
# classes, the first ones of what all photographs have in common. With about 114 photographs of each class Orthogon lets
# all layers learn, the early ones at lower rates. Here the first four blocks stay frozen (18 layers: they see edges and
# colors), which saves a third of the time. Labels are smoothed, since the network soon knows every training picture.

# %%
tuned = og.train(photographs, model="mobilenet_v2", weights="imagenet", epochs=12, name="tuned", quiet=True,
                 options={**SPLIT, "train.freeze": 18, "data.fit": "stretch", "task.label_smoothing": 0.1,
                          "train.augment": ["flip", "crop", "rotate", "color"]})
og.compare(features, tuned)

# %% [markdown]
# Frozen layers stay in evaluation mode, batch norm included: its running means are part of what was lent, and a batch
# of 32 photographs of rubbish would overwrite them.

# %%
print(og.diagnose(tuned))

# %% [markdown]
# <a id="inside"></a><!-- rows: 22.08 -->
# ## What does it look at?
#
# *Terminal:* `orthogon inside tuned`, then `orthogon report tuned --open`
#
# For the worst mistakes, Grad-CAM shows which places spoke for the wrong class and which for the right one. For single
# units of an early, a middle and the last layer, nine photographs in which the unit answers most, cut out exactly as
# wide as the unit sees. Early units like edges and colors; late ones like bottle necks and print.

# %%
print(og.inside(tuned, data=photographs))

# %% [markdown]
# <a id="together"></a><!-- rows: 31.01 31.02 -->
# ## Several looks, several networks
#
# Averaging the probabilities of several looks at a photograph, or of several networks, nearly always helps a little and
# always costs. It is for benchmarks more than for use. Whether it helped here is measured on dev, in pairs.

# %%
og.ensemble(scratch, features, tuned)

# %% [markdown]
# ### Exercises
#
# 1. What if nothing at all is frozen? Leave `train.freeze` out and compare with `tuned`, in score and in time.
# 2. How few photographs are enough? Train `features` with `split.train` of 60 and of 300 photographs.
# 3. Take ten photographs of your own, run `orthogon predict tuned FOLDER`, and see what a white background was worth.
