"""The sections of a recipe: every setting with its default, its bounds and the problem that it addresses.

A knob is a field that may be turned: its bounds, scale and the problem that it addresses are declared with the field.
This module does not import torch: a run folder with its recipe must exist long before torch is loaded.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from orthogon.train.thresholds import parse_thresholds

Problem = Literal["train fit", "dev fit", "test fit", "real world", "speed", "description", "bookkeeping"]
"""What a knob is turned for (row 14.01). The last three are no problem of fit: time and memory; what data and task are;
seeds, records and looks."""


def knob(
    default: Any,
    line: str,
    *,
    problem: Problem | tuple[Problem, ...],
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    scale: Literal["linear", "log"] = "linear",
    live: bool = False,
) -> Any:
    """A field of the recipe.

    line:    one line of what it is, shown by `--help` and `orthogon list knobs`.
    low, high, above: inclusive bounds, and an exclusive lower bound.
    scale:   how a search should step through it.
    problem: what turning it addresses (row 14.01); several where it cannot be turned for one alone.
    live:    whether it may change during a run.
    """
    problems = (problem,) if isinstance(problem, str) else problem
    return Field(
        default=default, description=line, ge=low, le=high, gt=above,
        json_schema_extra={"scale": scale, "problem": list(problems), "live": live},
    )


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_assignment=True, frozen=False)


class Normalization(Section):
    """What is taken from pictures, and what they are divided by: a number for each channel, in 0 … 255."""

    mean: list[float]
    std: list[Annotated[float, Field(gt=0)]]

    @model_validator(mode="after")
    def _alike(self) -> Self:
        if len(self.mean) != len(self.std):
            raise ValueError("mean and std have a number for each channel, so equally many")
        return self


class DataSettings(Section):
    """What is read, and as what."""

    source: str | None = knob(None, "path or public name of the data; the bundled digits when left out",
                              problem="description")
    target: str | list[str] | None = knob(None, "column to learn; several make a multilabel or vector target",
                                          problem="description")
    types: dict[str, Literal["number", "category", "text", "image", "date", "ignore"]] = knob(
        {}, "column -> number, category, text, image, date or ignore, where the inferred type is wrong",
        problem="description",
    )
    columns: list[str] | None = knob(None, "names of the columns, for tables without a header", problem="description")
    header: bool = knob(True, "whether a table's first row names the columns", problem="description")
    group: str | None = knob(None, "column whose equal values must stay on one side of a split", problem="description")
    source_column: str | None = knob(None, "column that names the distribution each example comes from",
                                     problem="description")
    weight: str | None = knob(None, "column that says how much each example counts", problem="description")
    image_size: int | None = knob(None, "side in pixels that pictures are brought to", low=8, high=1024,
                                  problem="train fit")
    fit: Literal["crop", "letterbox", "stretch"] = knob("crop", "how pictures of other shapes are made square",
                                                        problem="train fit")
    channels: Literal[1, 3] | None = knob(None, "1 = grey, 3 = colour; left out: as the pictures are",
                                          problem="train fit")
    normalize: Normalization | Literal["fitted", "unit"] | None = knob(
        None, "what pictures are standardized by: fitted to the train set, unit (to 0 … 1), or {mean: [...], std: "
        "[...]} in 0 to 255; left out: what the weights were trained with, else what suits the task",
        problem="train fit"
    )
    tokens: Literal["whitespace", "word", "character", "bpe", "unigram"] | None = knob(
        None, "what texts are split into; bpe and unigram learn parts of words; left out: mostly words",
        problem=("train fit", "dev fit"))
    vocabulary: int | None = knob(None, "most tokens that are known, the commonest; left out: 30,000 words, 8,000 "
                                  "parts of words", low=5, high=2_000_000, scale="log",
                                  problem=("train fit", "dev fit"))
    min_count: int | None = knob(None, "how often a token occurs in train at least to be known; left out: 2 of words, "
                                 "1 of characters and parts of words", low=1, high=1_000_000, problem="dev fit")
    max_tokens: int | None = knob(None, "tokens after which a text is cut; left out: the longest of train, up to "
                                  "1,000; of what language and translate read, 1,000", low=1, high=100_000, scale="log",
                                  problem=("train fit", "speed"))
    lowercase: bool | None = knob(None, "whether texts are read in lower case; left out: as suits the task",
                                  problem=("train fit", "dev fit"))
    stop_words: bool = knob(False, "leave English words such as the, this and and out of texts", problem="dev fit")
    lemmas: str | None = knob(None, "language whose dictionary forms stand for the words of texts, such as en: mice "
                              "becomes mouse; needs simplemma", problem="dev fit")
    joint: bool = knob(False, "of translate: whether both languages share one vocabulary, as suits texts that share "
                       "names and letters", problem=("train fit", "dev fit"))
    running: bool = knob(False, "whether plain text is one running text, such as a book; otherwise each line is an "
                         "example", problem="description")
    corrections: str | None = knob(None, "CSV of id, given, corrected: labels changed as the data is read, in all "
                                   "parts", problem="description")
    skip_bad: bool = knob(False, "leave unreadable files out (they are listed) instead of refusing",
                          problem="description")


class SplitSettings(Section):
    """Which example serves for what."""

    seed: int = knob(0, "seed of the split", low=0, problem="bookkeeping")
    train: float | int | None = knob(None, "share (below 1) or number of examples to train on", above=0,
                                     problem="dev fit")
    dev: float | int | None = knob(None, "share or number of examples to choose by", above=0, problem="test fit")
    test: float | int | None = knob(None, "share or number of examples for the sealed check", low=0,
                                    problem="description")
    train_dev: float | int | None = knob(None, "share or number held out from the training distribution", low=0,
                                         problem="description")
    by: Literal["random", "time", "order"] = knob(
        "random", "random (shuffled, stratified), time (oldest train) or order (as read: train first, test last)",
        problem="description")
    time_column: str | None = knob(None, "date column that orders a split by time", problem="description")
    stratify: bool = knob(True, "keep the share of each class alike in all parts", problem="description")
    target_source: str | None = knob(None, "source that dev and test are taken from: the distribution that matters",
                                     problem="real world")
    target_train: float = knob(0.0, "share of that source kept as a reserve for training", low=0, high=1,
                               problem="real world")
    move_dev: float | int | None = knob(None, "share or number of dev that moves into training, when all else is split",
                                        low=0, problem="real world")
    move_reserve: float | int | None = knob(None, "share or number of the reserve that moves into training", low=0,
                                            problem="real world")
    folds: int | None = knob(None, "k-fold: every example but test serves as dev once", low=2, high=100,
                             problem="test fit")


class TaskSettings(Section):
    """What is learnt."""

    name: str | None = knob(None, "classify, regress, multilabel, …; left out: from the target column",
                            problem="description")
    class_weights: Literal["none", "balanced"] | dict[str, float] = knob(
        "none", "weight of each class in the loss: none, balanced, or class -> weight", problem="real world"
    )
    label_smoothing: float = knob(0.0, "share of the label spread over all classes", low=0, high=0.9,
                                  problem="dev fit")
    loss: Literal["cross_entropy", "squared_hinge", "squared", "absolute", "huber", "robust", "log_likelihood",
                  "giou", "crf", "bernoulli", "prototypes", "triplet", "contrastive", "siamese",
                  "chi_square"] | None = knob(
        None, "of classify: cross_entropy (left out) or squared_hinge; of regress: squared (left out), absolute, huber "
        "or robust; of localize: giou (left out), log_likelihood, squared or huber; of tag: crf (left out where tags "
        "mark entities) or cross_entropy; of reconstruct: bernoulli (left out) or squared; of verify: triplet (left "
        "out), prototypes, contrastive, siamese or chi_square",
        problem="real world"
    )
    loss_weights: dict[str, float] = knob({}, "what each part of the loss counts, e.g. {class: 0.1, box: 0.9}; of "
                                          "localize object, class, box and points, each 1 where it is not named; of "
                                          "segment cross_entropy and dice, each 0.5", problem="real world")
    point_scale: tuple[str, str] | None = knob(None, "of localize: two points whose distance errors of points are told "
                                               "in, e.g. [left_eye, right_eye]; left out: the diagonal of the object",
                                               problem="description")
    robust_shape: float = knob(1.0, "of the robust loss: 2 squared, 1 like huber, 0 Cauchy, below 0 large errors count "
                               "ever less", low=-100, high=2, problem="real world")
    noise: float = knob(0.0, "of reconstruct: standard deviation of the noise on inputs, which is to be taken away "
                        "again; pixels are 0 to 1", low=0, high=10, problem="dev fit")
    mask: float = knob(0.0, "of reconstruct: share of each input that is masked, and is to be filled in", low=0,
                       high=0.95, problem="dev fit")
    beta: float = knob(1.0, "of reconstruct: what the divergence of the codes of a vae from a normal distribution "
                       "counts; 1 is the bound on the likelihood", low=0, high=1000, scale="log",
                       problem=("train fit", "real world"))
    binarize: float | None = knob(None, "of tasks that rebuild pictures: pixels above it are 1, all others 0", above=0,
                                  high=1, problem="description")
    encoding: int | None = knob(None, "of verify: how many numbers an encoding has; left out: 64", low=1, high=65_536,
                                problem=("train fit", "dev fit"), scale="log")
    examples_each: int = knob(4, "of verify: examples of each identity in a batch; train.batch_size over it is the "
                              "number of identities", low=2, high=1000, problem="train fit")
    turns: Literal[1, 2, 4] = knob(1, "of verify: square pictures turned by a quarter (4) or by half a turn (2) count "
                                   "as further identities in training; 1 = none", problem="dev fit")
    shots: int = knob(1, "of verify by prototypes: examples that a prototype is the mean of", low=1, high=1000,
                      problem="real world")
    mining: Literal["semi-hard", "hard", "random"] = knob(
        "semi-hard", "of verify by triplets: which third example is taken: all that are farther than the second, but "
        "by less than the margin; the nearest; any", problem="train fit")
    margin: float | None = knob(None, "of verify: by how much another identity is to be farther (triplet, left out: "
                                "0.2), or how far (contrastive, 1)", above=0, high=100, problem="train fit")
    distance: Literal["squared", "euclidean"] = knob("squared", "of verify by triplets: what the margin is in",
                                                     problem="train fit")
    false_accept_rate: float = knob(0.01, "of verify: share of pairs of two identities that may be taken for one; it "
                                    "sets the threshold that is shipped", above=0, high=0.5, scale="log",
                                    problem="real world")
    positive: str | None = knob(None, "the class that precision, recall and ROC AUC of two classes speak of",
                                problem="description")
    metric: str | None = knob(None, "the metric that judges, of `orthogon list metrics`: what dev chooses by, and what "
                              "is compared; left out: the first one of the task", problem="real world")
    threshold: float | None = knob(None, "of multilabel: the probability from which a label is predicted; left out: "
                                   "0.5, by which most labels are right; for the F1 of rare labels 0.1 to 0.3", above=0,
                                   high=1, problem="real world")
    satisfice: dict[str, str] = knob({}, "thresholds to keep while the metric is made as good as can be, e.g. "
                                     "{recall: '>=0.9', milliseconds: '<=5', parameters: '<=1e6', megabytes: '<=2'}",
                                     problem="real world")
    gradient_penalty: float | None = knob(
        None, "of generate: γ of the penalty on the discriminator's squared slope; 0 = none; left out: 0.001", low=0,
        high=1000, scale="log", problem="train fit")
    cd_steps: int = knob(1, "of boltzmann: Gibbs steps after which what the machine makes is compared with the data",
                         low=1, high=10_000, scale="log", problem="train fit")
    persistent: bool = knob(False, "of boltzmann: whether chains go on from batch to batch, instead of starting at the "
                            "data each time", problem="train fit")
    costs: dict[str, float] = knob({}, "how bad each error is, for the metric weighted_error: 'true->predicted' or a "
                                   "true class -> weight; what is not named weighs 1", problem="real world")

    projector: int | None = knob(None, "of barlow_twins: how many numbers the network gives, which are compared; left "
                                 "out: 256", low=2, high=65_536, scale="log", problem="train fit")
    redundancy: float | None = knob(None, "of barlow_twins: what correlations between outputs count in the loss, where "
                                    "those of outputs with themselves count 1; left out: 0.0051", low=0, high=10,
                                    scale="log", problem="train fit")

    history: int | None = knob(None, "of forecast: steps in time that the network is given; left out: three times what "
                               "lies ahead, at least 24", low=1, high=100_000, scale="log",
                               problem=("train fit", "dev fit"))
    horizon: int = knob(1, "of forecast: how many steps are forecast", low=1, high=10_000, scale="log",
                        problem="description")
    delay: int = knob(0, "of forecast: steps between the history and what is forecast", low=0, high=100_000,
                      problem="description")
    time: str | None = knob(None, "of forecast: the column of dates or numbers that orders the rows; left out: the "
                            "only date column, else rows are taken as they follow one another", problem="description")
    series: str | None = knob(None, "of forecast: the column that names the series of a row, where there are several",
                              problem="description")
    season: int | None = knob(None, "of forecast: steps in a season, one of which the seasonal baseline looks back; "
                              "left out: the day, week or year, or what the train set shows", low=1, high=100_000,
                              problem="description")
    block: int | None = knob(None, "of forecast: steps in a block; parts begin with blocks, and intervals draw them as "
                             "wholes; left out: seven horizons, fewer where the series is short", low=1,
                             high=1_000_000, problem="description")

    beam: int = knob(5, "of tasks that write: beginnings that are followed at each step of the search; 1 = greedy; "
                     "greedy it is while training is looked at", low=1, high=10_000, scale="log",
                     problem="real world")
    length_exponent: float = knob(0.7, "of tasks that write: α in the sum of logarithms over length^α, by which texts "
                                  "are compared; 0 favors short ones", low=-10, high=10, problem="real world")
    truncation: int | None = knob(None, "of language: tokens of running text after which back-propagation through time "
                                  "is truncated; left out: 128 characters, 35 words", low=1, high=10_000, scale="log",
                                  problem=("train fit", "speed"))
    context: int = knob(256, "of language: tokens that are read when a block of running text is evaluated, before the "
                        "one in front of it, from which its first token is predicted", low=0, high=10_000, scale="log",
                        problem="description")

    options: dict[str, Any] = knob({}, "what a task is told that is not a knob: the verbs that need no data set write "
                                   "it", problem="description")

    @field_validator("satisfice")
    @classmethod
    def _readable(cls, satisfice: dict[str, str]) -> dict[str, str]:
        parse_thresholds(satisfice)
        return satisfice

    @field_validator("costs")
    @classmethod
    def _not_negative(cls, costs: dict[str, float]) -> dict[str, float]:
        for name, weight in costs.items():
            if not 0 <= weight < math.inf:
                raise ValueError(f"the weight of {name!r} is a number from 0 up")
        return costs


class ModelSettings(Section):
    """The network."""

    name: str | None = knob(None, "a name (`orthogon list models`), file.py:Class, or timm:NAME", problem="train fit")
    options: dict[str, Any] = knob({}, "options of that model, e.g. {hidden: [256, 128], dropout: 0.2}",
                                   problem="train fit")
    source_hash: str | None = knob(None, "SHA-256 of file.py, written by the run", problem="bookkeeping")
    weights: str | None = knob(None, "what it starts from: published weights (`orthogon list weights`), a RUN, a file "
                               ".safetensors, .pth or .npz; left out: random", problem=("train fit", "dev fit"))
    weights_hash: str | None = knob(None, "SHA-256 of the weights, or its first digits; written by the run",
                                    problem="bookkeeping")
    head: list[Annotated[int, Field(ge=1, le=65_536)]] | None = knob(
        None, "sizes of the hidden layers (ReLU) of a new head; [] = one linear layer; left out: the model's own head",
        problem=("train fit", "dev fit"))
    reinitialize: int = knob(0, "layers of the trunk, from its end, that start anew instead of with the weights",
                             low=0, high=100_000, problem=("train fit", "dev fit"))


class ParameterRule(Section):
    """Rate and decay for the parameters whose names match."""

    pattern: str = knob(..., "shell pattern on parameter names, e.g. 'head.*'", problem="description")
    lr: float | None = knob(None, "learning rate factor for them", low=0, scale="log", high=1000, problem="train fit")
    weight_decay: float | None = knob(None, "weight decay for them", low=0, scale="log", high=10, problem="dev fit")


class TrainSettings(Section):
    """How it is learnt."""

    seed: int = knob(0, "seed of initial weights, order, dropout and augmentation", low=0,
                     problem="bookkeeping")
    epochs: int | None = knob(None, "passes over the train set", low=1, high=1_000_000, problem="train fit")
    minutes: float | None = knob(None, "time to spend; resolved into steps before the first", above=0,
                                 problem="train fit", high=1e5)
    steps: int | None = knob(None, "number of steps; written by the run when minutes are given", low=1,
                             high=1_000_000_000, problem="train fit")
    batch_size: int | None = knob(None, "examples per step; sets the speed, and is no knob for dev error once the rate "
                                  "is tuned anew", low=1, high=65_536, scale="log", problem="speed")
    micro_batch_size: int | None = knob(None, "examples at once in memory; gradients add up to the batch", low=1,
                                        scale="log", problem="speed", high=65_536)
    optimizer: str = knob("adamw", "how gradients move the weights: `orthogon list optimizers`", problem="train fit")
    lr: float | None = knob(None, "learning rate at its highest", above=0, high=100, scale="log",
                            problem="train fit", live=True)
    momentum: float = knob(0.9, "of momentum (with dropout up to 0.99); the first beta of Adam; 0 turns it off", low=0,
                           high=0.9999, problem="train fit", live=True)
    bias_correction: bool = knob(False, "averaged_momentum divides by 1 - momentum^t, as Adam does",
                                 problem="train fit")
    beta2: float | None = knob(None, "decay of the mean square of gradients; left out: 0.999 of Adam's kin and "
                               "RMSprop, 0.9 of Adadelta", above=0, high=0.999999, problem="train fit")
    epsilon: float | None = knob(None, "added to the denominator of adaptive optimizers; left out: 1e-8, of Adadelta "
                                 "1e-6, of Adagrad 1e-10", above=0, scale="log", high=1, problem="train fit")
    backstitch: float = knob(0.0, "before each step a step back by this share of it, on the same batch; 0.3 is usual, "
                             "0 = none", low=0, high=10, problem="dev fit")
    weight_decay: float = knob(0.01, "decay of weights, not of biases and norms; beside the gradient in adamw and "
                               "adamod, through it in the others", low=0, high=10, scale="log",
                               problem="dev fit", live=True)
    l1: float = knob(0.0, "penalty on the sum of absolute weights, added to the loss; brings unimportant weights to "
                     "zero; not of biases and norms", low=0, high=10, scale="log", problem="dev fit", live=True)
    l2: float = knob(0.0, "penalty on half the sum of squared weights, added to the loss; not of biases and norms",
                     low=0, high=10, scale="log", problem="dev fit", live=True)
    max_norm: float | None = knob(None, "largest norm of the weights into each unit; 4 or 5 is usual with dropout",
                                  above=0, scale="log", problem="dev fit", live=True, high=1000)
    transfer: Literal["auto", "features", "head", "last", "gradual", "all"] = knob(
        "auto", "what learns of a model with weights: head on stored features, head, head and last stage (last), stage "
        "after stage from the top, or all; auto: by the amount of data", problem=("train fit", "dev fit"))
    freeze: Annotated[int, Field(ge=0, le=100_000)] | list[str] | None = knob(
        None, "in place of transfer: how many layers from the input do not learn, or patterns of their names, e.g. "
        "['features.1*']", problem=("train fit", "dev fit"))
    layer_decay: float = knob(1.0, "rate of each stage of the network over that of the stage after it; the head has "
                              "the full rate", above=0, high=1, problem=("train fit", "dev fit"))
    trunk_rate: float = knob(1.0, "rate of all stages but the head over what layer_decay gives them: a trunk with "
                             "weights wants small steps, a new head large ones", above=0, high=1, scale="log",
                             problem=("train fit", "dev fit"))
    parameter_rules: list[ParameterRule] = knob([], "patterns of parameter names with rate and decay of their own",
                                                problem="train fit")
    schedule: str = knob("one_cycle", "how the rate changes: `orthogon list schedules`", problem="train fit")
    warmup: float | None = knob(None, "share of the steps in which the rate rises; left out: 0.25 of one_cycle, "
                                "0 of the others", low=0, high=0.9, problem="train fit")
    schedule_factor: float | None = knob(None, "what step and plateau multiply the rate by (left out: 0.1), and "
                                         "exponential each epoch (0.95); the decay of inverse_time (1), the k of root "
                                         "(1)", above=0, problem="train fit", high=1000)
    schedule_epochs: int = knob(10, "epochs between the drops of step and the growths of the batch; patience of "
                                "plateau", low=1, problem="train fit", high=1_000_000)
    schedule_table: dict[int, float] = knob({}, "of manual: epoch, from 1 -> what the rate is multiplied by from then "
                                            "on, e.g. {5: 0.3, 8: 0.1}", problem="train fit")
    batch_growth: float = knob(1.0, "what the batch is multiplied by every schedule_epochs epochs, instead of lowering "
                               "the rate; 5 is usual, with the constant schedule", low=1, high=1000,
                               problem="train fit")
    clip_norm: float | None = knob(None, "largest norm of the whole gradient", above=0, scale="log",
                                   problem="train fit", live=True, high=1e6)
    clip_value: float | None = knob(None, "largest size of each component of the gradient", above=0, scale="log",
                                    problem="train fit", live=True, high=1e6)
    ema: float = knob(0.0, "decay of an average of the weights that is used in evaluation; 0 = none", low=0,
                      high=0.99999, problem="dev fit")
    augment: list[Literal["flip", "crop", "shift", "rotate", "shear", "scale", "warp", "color", "pca_color", "noise",
                          "erase", "mask", "mixup", "cutmix"]] = knob(
        [], "changes to training pictures: flip, crop, shift, rotate, shear, scale, warp; color, pca_color, noise; "
        "erase, mask; mixup, cutmix. See them: orthogon show augment", problem=("dev fit", "real world"))
    augment_strength: float = knob(1.0, "what the largest change of each way is multiplied by: 1 turns by up to 30°, "
                                   "shifts by 1/8, scales by a fifth, crops to 40 % of the area; 0 = none", low=0,
                                   high=3, problem="dev fit", live=True)
    augment_border: Literal["black", "edge"] = knob("black", "what a moved or turned picture shows beyond its edge",
                                                    problem="dev fit")
    early_stopping: int | None = knob(None, "stop after so many epochs without a better dev score", low=1,
                                      problem=("train fit", "dev fit"), high=1_000_000)
    keep_best: bool = knob(False, "end with the weights of the best epoch on dev, not the last",
                           problem=("train fit", "dev fit"))
    sync_batch_norm: bool = knob(False, "batch statistics over all ranks", problem="train fit")
    device: str = knob("auto", "auto, cpu, cuda or mps", problem="speed")
    precision: Literal["auto", "fp32", "bf16"] = knob("auto", "fp32, or bf16 autocast where the hardware has it",
                                                      problem="speed")
    channels_last: bool | None = knob(None, "memory layout of pictures; left out: by hardware", problem="speed")
    fused: bool | None = knob(None, "fused optimizer; left out: where there is one", problem="speed")
    flat: bool | None = knob(None, "the optimizer moves all parameters as one; left out: where they are many and small",
                             problem="speed")
    explicit: bool | None = knob(None, "gradients of linear and mlp by written-out equations, without autograd; left "
                                 "out: where that is faster", problem="speed")
    compile: bool = knob(False, "torch.compile the model", problem="speed")
    threads: int | None = knob(None, "CPU threads; left out: by model size, at most OMP_NUM_THREADS", low=1, high=1024,
                               problem="speed")
    deterministic: bool = knob(False, "bit-identical also on a GPU, at some cost", problem="speed")
    checkpoint_steps: int | None = knob(None, "steps between checkpoints; left out: about every minute", low=1,
                                        high=1_000_000_000, problem="bookkeeping")
    evaluate_every: int = knob(1, "epochs between looks at dev", low=1, high=1_000_000, problem="bookkeeping")
    health: bool = knob(True, "record gradients, updates and activations of each layer at a few steps",
                        problem="bookkeeping")
    preflight: bool = knob(True, "look for mistakes before the first step, in 5 % of the planned time and 5 s at most",
                           problem="bookkeeping")
    refit: bool = knob(False, "after evaluation train once more on all parts but test, and ship that",
                       problem="dev fit")
