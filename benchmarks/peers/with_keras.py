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


def residual(x: object, channels: int, stride: int) -> object:
    """As `torch_networks.Residual`."""
    y = layers.Conv2D(channels, 3, stride, padding="same", use_bias=False)(x)
    y = layers.ReLU()(layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(y))
    y = layers.Conv2D(channels, 3, padding="same", use_bias=False)(y)
    y = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(y)
    if stride > 1:
        x = layers.Conv2D(channels, 1, stride, use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)
    return layers.ReLU()(layers.Add()([x, y]))


def resnet18() -> keras.Model:
    """As `torch_networks.ResNet18`."""
    picture = keras.Input((32, 32, 3))
    x = layers.Conv2D(64, 3, padding="same", use_bias=False)(picture)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x))
    for k, channels in enumerate((64, 128, 256, 512)):
        x = residual(residual(x, channels, 1 + (k > 0)), channels, 1)
    return keras.Model(picture, layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(x)))


def mobilenet_v2() -> keras.Model:
    """Keras's own, which gives probabilities unless told otherwise."""
    return keras.applications.MobileNetV2((96, 96, 3), weights=None, classes=CLASSES, classifier_activation=None)


NETWORKS = {"overhead": mlp, "fashion": convnet, "resnet18": resnet18, "mobilenet_v2": mobilenet_v2}


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
    if given.suite != "overhead":
        x = x.transpose(0, 2, 3, 1)
    model = NETWORKS[given.suite]()
    model.compile(optimizer=keras.optimizers.Adam(rate(given, len(x))),
                  loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    clock = Clock()
    model.fit(x, y, batch_size=given.batch, epochs=given.epochs, callbacks=[Ticks(clock)])
    found = None if x_test is None else model.predict(x_test.transpose(0, 2, 3, 1), verbose=0).argmax(1)
    report(clock, given, len(x), sum(math.prod(each.shape) for each in model.trainable_weights), found)


if __name__ == "__main__":
    main()
