"""What can be named in a recipe: name -> where it lives, readable without importing it.

A registry is a table. Other packages join through the entry-point groups `orthogon.models`, `orthogon.tasks`,
`orthogon.optimizers` and `orthogon.schedules`: the entry point's name is the name, its value the dotted path.
"""

from __future__ import annotations

from orthogon.registry.entries import Entry, Option, Registry
from orthogon.registry.model_entries import models

__all__ = ["Entry", "Option", "Registry", "models", "optimizers", "schedules", "tasks"]

tasks = Registry(
    "task",
    (
        Entry("classify", "orthogon.tasks.classify:Classify", "one label of several, from pictures, texts or tables"),
        Entry("regress", "orthogon.tasks.regress:Regress", "a number, or several"),
        Entry("forecast", "orthogon.tasks.forecast:Forecast", "the next values of a series, from those before them"),
        Entry("verify", "orthogon.tasks.verify:Verify", "same or different, also of identities never seen: encodings"),
        Entry("translate", "orthogon.text.translate:Translate", "a text from a text: translation, normalization"),
        Entry("multilabel", "orthogon.tasks.multilabel:MultiLabel", "any number of labels; unknown ones left out"),
        Entry("tag", "orthogon.text.tag:Tag", "a tag for each word of a sentence: parts of speech, entities"),
        Entry("language", "orthogon.text.language:Language", "what comes next in a text: scores texts, writes them"),
        Entry("segment", "orthogon.vision.segment:Segment", "the class of each pixel, from pictures with masks"),
        Entry("localize", "orthogon.vision.localize:Localize", "one object in a picture: its class, box and points"),
        Entry("barlow_twins", "orthogon.vision.barlow_twins:BarlowTwins",
              "pictures without labels: changed views of one come out alike, different outputs say different things"),
        Entry("generate", "orthogon.vision.generate:Generate", "new pictures like those of the data; no labels needed"),
        Entry("reconstruct", "orthogon.tasks.reconstruct:Reconstruct", "the input again from a code; no labels needed"),
        Entry("boltzmann", "orthogon.tasks.boltzmann:Boltzmann", "what inputs are likely, without labels: rbm and dbn"),
    ),
)

optimizers = Registry(
    "optimizer",
    (
        Entry("sgd", "torch.optim:SGD", "plain gradient descent"),
        Entry("momentum", "torch.optim:SGD", "gradient descent along the sum of past gradients, each older one fading"),
        Entry("averaged_momentum", "orthogon.optim.momentum:AveragedMomentum",
              "the same along their average: momentum at rate lr·(1 − β)"),
        Entry("nesterov", "torch.optim:SGD", "momentum that looks a step ahead"),
        Entry("rmsprop", "torch.optim:RMSprop", "gradient over its running root mean square"),
        Entry("adagrad", "torch.optim:Adagrad", "gradient over the root of all its past squares; for sparse data"),
        Entry("adadelta", "torch.optim:Adadelta", "Adagrad that forgets, and needs no rate: --lr 1"),
        Entry("adam", "torch.optim:Adam", "adaptive moments; weight decay through the gradient"),
        Entry("adamw", "torch.optim:AdamW", "Adam with decoupled weight decay; the default"),
        Entry("nadam", "torch.optim:NAdam", "Adam that looks a step ahead"),
        Entry("adamod", "orthogon.optim.adamod:AdaMod", "Adam whose rates stay below their own long average"),
        Entry("lbfgs", "orthogon.optim.lbfgs:LBFGS",
              "L-BFGS, ten iterations a step with a line search; for whole sets and pictures that are fitted"),
    ),
)

schedules = Registry(
    "schedule",
    (
        Entry("constant", "orthogon.optim.schedules:Constant", "the rate stays as it is"),
        Entry("linear", "orthogon.optim.schedules:Linear", "in a straight line to zero"),
        Entry("cosine", "orthogon.optim.schedules:Cosine", "half a cosine from the rate to zero"),
        Entry("one_cycle", "orthogon.optim.schedules:OneCycle", "up to the rate, then down to zero"),
        Entry("inverse_time", "orthogon.optim.schedules:InverseTime", "over 1 + epoch"),
        Entry("exponential", "orthogon.optim.schedules:Exponential", "times 0.95 each epoch"),
        Entry("root", "orthogon.optim.schedules:Root", "over the root of the epoch"),
        Entry("step", "orthogon.optim.schedules:Staircase", "times a factor every so many epochs"),
        Entry("manual", "orthogon.optim.schedules:Manual", "by a table of epochs: train.schedule_table"),
        Entry("plateau", "orthogon.optim.schedules:Plateau", "times a factor when the dev score stops improving"),
    ),
)
