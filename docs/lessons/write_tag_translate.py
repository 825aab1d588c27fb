# %% [markdown]
# # Write, tag, translate
#
# Texts, one token after the other: a network that writes names, one that knows a verb from a noun, and one that turns a
# date as people write it into one that programs read. All three are the same few parts: tokens, embeddings, a recurrent
# layer, and a loss at every step.
#
# <!-- data: names english-ewt -->
#
# All of it takes some minutes on one core. The commands of a terminal stand beside each step.

# %%
import numpy as np
import torch
from torch import nn

import orthogon as og
from orthogon.data.tokens import tokenizer
from orthogon.draw.images import contact_sheet, figure
from orthogon.equations.recurrent import rnn_step
from orthogon.nn.recurrent import Recurrent
from orthogon.report.sheets import sheet
from orthogon.stats import compare_paired_values

SHORT = {"train.preflight": False, "train.health": False, "train.threads": 1}

# %% [markdown]
# <a id="notation"></a><!-- rows: 24.02 24.03 24.06 24.07 24.16 24.25 -->
# ## One cell, many steps
#
# An example is now a sequence $x^{\langle 1 \rangle}, \dots, x^{\langle T_x \rangle}$: letters, words, sounds, the
# bases of DNA, the frames of a film. The answer may be one thing (is this review kind?), one for each step (a tag for
# each word), or a sequence of another length, $T_y \ne T_x$ (a translation). A plain network would want all sequences
# equally long, and would have to learn at every place anew what a word means. A *recurrent* one uses the same weights
# at each step, and hands itself a note of what it has read, the state $a$:
#
# $$a^{\langle t \rangle} = \tanh\left(W_a \left[a^{\langle t-1 \rangle}; x^{\langle t \rangle}\right] + b_a\right)$$
#
# $W_a = [W_{aa} \mid W_{ax}]$ is the two matrices side by side, for the old state and for what comes in. Drawn step by
# step, *unrolled*, it is a deep network with one layer for each token, all of them the same; the gradient runs back
# through it from the last step to the first, and the weights get the sum of what each step says. Below, the two ways of
# writing the step are one and the same, by the functions that the tests take as their truth.

# %%
rng = np.random.default_rng(0)
W_aa, W_ax, b = rng.normal(size=(3, 3)), rng.normal(size=(3, 2)), rng.normal(size=3)
a, x = rng.normal(size=(1, 3)), rng.normal(size=(1, 2))
together, _ = rnn_step(x, a, np.hstack([W_aa, W_ax]), b)
print(np.abs(together - np.tanh(a @ W_aa.T + x @ W_ax.T + b)).max() < 1e-12)

# %% [markdown]
# <a id="write"></a><!-- rows: 24.12 25.01 25.03 25.04 25.06 25.10 24.27 -->
# ## Write
#
# *Terminal:* `orthogon train names --task language`
#
# A language model says how probable each token is after all before it. The product of these is the probability of the
# whole text. In training the *true* token before is given at each step, whatever the network would have said; when it
# writes, its own. Here tokens are letters, so nothing is unknown, and the vocabulary has a few dozen entries; of words
# it would have 30,000 to 50,000, in search engines a million. (Karpathy's essay on *The unreasonable effectiveness of
# recurrent neural networks* lets such models write Shakespeare, LaTeX and C.)

# %%
names = og.train("names", task="language", epochs=5, name="names", quiet=True,
                 options={**SHORT, "split.test": 1000, "model.options": {"hidden": 128, "layers": 1}})
print(og.evaluate(names))

# %% [markdown]
# The n-grams, which look up how often a letter followed the few before it, are still ahead after these five passes.
# With the defaults, twenty passes of a larger network, they are behind (1.93 against 2.07 nats on a thousand other
# names). No figure says anything before such a baseline stands beside it.
#
# What the network has learnt it can write: a letter is drawn from what it says, given to it as the next input, and so
# on, until the mark of the end is drawn.

# %%
print(og.write(names, count=12, temperature=0.8))

# %% [markdown]
# <a id="score"></a><!-- rows: 25.02 25.05 25.07 25.09 -->
# ## Which is more probable?
#
# *Terminal:* `orthogon score names charlotte chralotte`
#
# And it can weigh texts against each other. That is what speech recognition needs a language model for: of two
# sentences that sound alike it takes the more probable one. In the course's example, "Ram ate an apple" ought to beat
# "Ram an ate apple"; of names:

# %%
print(og.score(names, ["charlotte", "chralotte", "ettolrahc"]))

# %% [markdown]
# Each token of one text alone shows where a network is surprised. In "The cat, which already ate …, was full." the
# surprise that tells is at *was*: the state has to keep for a whole clause that the cat was one. Gates make that
# easier; whether one network does it is to be measured, not believed.

# %%
print(og.score(names, ["emmma"]))

# %% [markdown]
# <a id="tag"></a><!-- rows: 24.08 24.17 24.26 26.13 -->
# ## Tag
#
# *Terminal:* `orthogon train english-ewt --task tag`
#
# One answer for each word: its part of speech; or whether it belongs to a name, as in "**Harry Potter** and **Hermione
# Granger** invented a new spell", 1 1 0 1 1 0 0 0 0. Here the network reads the sentence from both ends, since "bikes"
# in "Aaron bikes to school" is only a verb because of what stands around it. It sees words and their letters, so that a
# word that it has never seen still shows its ending.

# %%
tags = og.train("english-ewt", task="tag", epochs=2, name="tags", quiet=True, options={**SHORT, "split.train": 4000})
print(og.evaluate(tags))

# %%
print(og.predict(tags, ["Aaron bikes to school every day .", "Her two old bikes are red ."]))

# %% [markdown]
# Nobody should be impressed by an accuracy before it stands beside what is cheap: most words have one tag, so the
# commonest tag of each word is already right nine times in ten. The report of the run has both, in pairs.

# %% [markdown]
# <a id="frames"></a><!-- rows: 24.14 -->
# ## The next frame
#
# Also one answer for each step, only that the answer is a picture: what will the next frame of a film be? Each film
# shows a square that goes its way and is thrown back by the walls. The layer is the one that the tasks above are made
# of, trained by hand, as any PyTorch module can be.

# %%
SIDE, FRAMES = 10, 16


def films(count: int, seed: int) -> torch.Tensor:
    """count×FRAMES×SIDE²: a bright square of 3 pixels, from a drawn place with a drawn speed."""
    rng = np.random.default_rng(seed)
    far = SIDE - 3
    place, speed = rng.integers(0, far + 1, (count, 1, 2)), rng.integers(-2, 3, (count, 1, 2))
    corner = np.abs((place + speed * np.arange(FRAMES)[:, None] + far) % (2 * far) - far)[..., None]
    down, right = np.moveaxis((corner <= np.arange(SIDE)) & (np.arange(SIDE) < corner + 3), 2, 0)
    return torch.from_numpy(down[..., None] & right[..., None, :]).float().flatten(2)


class NextFrame(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.reads, self.paints = Recurrent(SIDE**2, 256, "lstm"), nn.Linear(256, SIDE**2)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return self.paints(self.reads(frames)[0])


torch.manual_seed(0)
network, shown = NextFrame(), films(4000, seed=0)
optimizer = torch.optim.AdamW(network.parameters(), 2e-3)
for _ in range(600):
    film = shown[torch.randint(len(shown), (64,))]
    optimizer.zero_grad()
    nn.functional.binary_cross_entropy_with_logits(network(film[:, :-1]), film[:, 1:]).backward()
    optimizer.step()

# %% [markdown]
# After one frame nobody can know which way the square goes; after two it is plain, and walls are all that is left to
# learn. Below, the squared error of a frame, summed over its pixels, on 500 films that were not trained on, beside the
# cheapest forecast that there is, the frame before once more. And one of the films: how it went on (above), and what
# the network expected (below).

# %%
new = films(500, seed=1)
with torch.no_grad():
    expected = network(new[:, :-1]).sigmoid()
learnt, again = (((frames - new[:, 1:]) ** 2).sum(2) for frames in (expected, new[:, :-1]))
for frame in (2, 3, 5, 10, 16):
    print(f"frame {frame:2}: {learnt[:, frame - 2].mean():5.2f}, the frame before {again[:, frame - 2].mean():5.2f}")
less = compare_paired_values(learnt[:, 1:].mean(1), again[:, 1:].mean(1), higher_is_better=False)
print(f"from frame 3 on less by {less.difference:.2f} [{less.low:.2f}, {less.high:.2f}], {less.n} films")

# %%
both = (255 * torch.cat([new[2, 1:9], expected[2, :8]])).byte().view(-1, SIDE, SIDE)
figure(np.asarray(contact_sheet(list(both.numpy()), columns=8, cell=60)), "The next frames")

# %% [markdown]
# <a id="prepare"></a><!-- rows: 26.11 26.12 26.14 26.15 24.24 -->
# ## How much preparation?
#
# How much text must be *prepared* first? Stop words, dictionary forms and counts weighed by rarity (TF-IDF) were made
# for methods that see words as unrelated numbers: less noise, a smaller table. Of a *corpus*, the texts at hand, comes
# the vocabulary either way. A network with embeddings learns itself that "mice" is near "mouse", and needs "not", which
# stop lists throw away; so Orthogon cuts texts into tokens and leaves it at that, unless `data.stop_words` or
# `data.lemmas` ask for more. What no preparation takes away are the problems of language itself: words with several
# senses, misspellings, sarcasm, dialects. The TF-IDF of every text stands beside the network, as a baseline.

# %%
print(tokenizer("word").split("It hasn't rained, has it?"))
print(tokenizer("character").split("It hasn't"))

# %% [markdown]
# <a id="translate"></a><!-- rows: 24.09 28.01 28.03 28.14 28.16 28.18 -->
# ## Translate
#
# *Terminal:* `orthogon train dates`
#
# Input and output of different lengths: an *encoder* reads the source, a *decoder* writes the target, a token at a
# time, from the probability of the whole, $P(y^{\langle 1 \rangle}, \dots, y^{\langle T_y \rangle} \mid x)$. The small
# case is dates as people write them, in many languages, to be written as `1969-07-20`. At each step the decoder looks
# back at the source: *attention* gives weights $\alpha^{\langle t, t' \rangle}$ that sum to one, and the decoder sees
# the mean of the encoder's states by these weights. The same idea now serves wherever something must be looked up: in
# pictures, graphs and tables of memory.

# %%
dates = og.train("dates", epochs=3, name="dates", quiet=True, options={**SHORT, "split.train": 8000})
print(og.evaluate(dates))

# %%
print(og.predict(dates, ["July 20th 1969", "3 mai 2014", "den 24. Dezember 1999"]))

# %% [markdown]
# Three passes write two of three dates without a mistake; eight write all of them. Below are the weights of attention,
# step by step: which letters of the source (from left to right) were looked at when each letter of the target (from top
# to bottom) was written.

# %%
sheet(dates, "attention")

# %% [markdown]
# <a id="search"></a><!-- rows: 28.04 28.05 28.06 28.07 28.08 28.09 28.10 -->
# ## Whose fault?
#
# The most probable output is not found by taking the most probable token each time (*greedy search*), and there are far
# too many to try them all. *Beam search* keeps the few best beginnings at each step. It is no exact search as breadth
# first is: what fell out of the beam is gone. So a wrong output has one of two causes, and they have different cures.
# If the model itself finds the *reference* more probable than what was written, by the very objective that was searched
# (divided by a power of the length, since every further token makes a text less probable), then the search has missed
# it, and a wider beam helps. If not, no search can help: the model must get better.

# %%
found = og.mistakes(dates)
print(found)

# %% [markdown]
# <a id="exercises"></a><!-- rows: 28.11 28.12 28.13 28.17 24.21 -->
# ## Exercises
#
# 1. Let the network read with a GRU in place of the LSTM (`model.options.cell`). Is the difference larger than its
#    interval?
# 2. Translate sentences: `orthogon train tatoeba-en-fr`. They are judged by BLEU, which counts how many of the word
#    groups of the output are in the reference, each at most as often as there, and punishes outputs that are too short.
#    The report says with which settings it was counted.
# 3. Take attention away (`model.options.attention=none`), and compare by length: long sentences are what it is for.

# %% tags=["solution"]
gru = og.train("names", task="language", epochs=5, name="names-gru", quiet=True,
               options={**SHORT, "split.test": 1000, "model.options": {"hidden": 128, "layers": 1, "cell": "gru"}})
print(og.compare(names, gru))
