"""Keras 3: `compile` and `fit` at their defaults, progress bar included. The variant is the backend: jax or torch."""

from __future__ import annotations

import math
import os

from problem import CLASSES, FEATURES, HIDDEN, Clock, Problem, problem, report, training_rows

given = problem()
os.environ["KERAS_BACKEND"] = given.variant

import keras  # noqa: E402 - the backend is chosen before the import
from keras import layers  # noqa: E402


def mlp() -> keras.Model:
    return keras.Sequential([
        keras.Input((FEATURES,)), layers.Dense(HIDDEN, activation="relu"), layers.Dense(CLASSES),
    ])


def block(x: object, channels: int, halve: bool = False) -> object:
    """As `torch_networks.Block`."""
    he = keras.initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal")
    x = layers.Conv2D(channels, 3, padding="same", use_bias=False, kernel_initializer=he)(x)
    if halve:
        x = layers.MaxPooling2D(2)(x)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x))


def convnet() -> keras.Model:
    """As `torch_networks.ConvNet`, with channels last, which is what Keras prefers."""
    picture = keras.Input((28, 28, 1))
    x = block(block(picture, 32, halve=True), 64)
    x = layers.Add()([x, block(x, 64)])
    x = block(x, 128, halve=True)
    x = layers.Add()([x, block(x, 128)])
    small = keras.initializers.RandomNormal(stddev=0.1 / 128**0.5)
    return keras.Model(picture, layers.Dense(CLASSES, kernel_initializer=small)(layers.GlobalAveragePooling2D()(x)))


def rate(given: Problem, rows: int) -> object:
    if given.schedule == "constant":
        return given.lr
    return keras.optimizers.schedules.CosineDecay(given.lr, given.epochs * given.steps_per_epoch(rows))


class Ticks(keras.callbacks.Callback):
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        self.clock.tick()


def main() -> None:
    keras.utils.set_random_seed(given.seed)
    x, y, x_test = training_rows(given)
    if given.suite == "fashion":
        x = x.transpose(0, 2, 3, 1)
    model = mlp() if given.suite == "overhead" else convnet()
    model.compile(optimizer=keras.optimizers.Adam(rate(given, len(x))),
                  loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    clock = Clock()
    model.fit(x, y, batch_size=given.batch, epochs=given.epochs, callbacks=[Ticks(clock)])
    found = None if x_test is None else model.predict(x_test.transpose(0, 2, 3, 1), verbose=0).argmax(1)
    report(clock, given, len(x), sum(math.prod(each.shape) for each in model.trainable_weights), found)


if __name__ == "__main__":
    main()
