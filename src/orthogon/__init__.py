"""Orthogon: deep learning with the strategy built in.

>>> import orthogon as og
>>> run = og.train()                                    # real handwritten digits, nothing to download
>>> run = og.train("photos/", model="convnet", epochs=5)
>>> og.evaluate(run)

`import orthogon` is light: each name is imported when it is first used, and torch only by what computes.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orthogon.data.dataset import Dataset
    from orthogon.data.read import read
    from orthogon.nn.gradient_check import gradient_check
    from orthogon.serve.bundle import load
    from orthogon.stats.estimate import Estimate
    from orthogon.train.recipe import Recipe
    from orthogon.train.run import Run
    from orthogon.verbs.calibrate import calibrate
    from orthogon.verbs.check import check
    from orthogon.verbs.compare import compare
    from orthogon.verbs.convert import convert
    from orthogon.verbs.diagnose import diagnose
    from orthogon.verbs.ensemble import ensemble
    from orthogon.verbs.estimators import Classifier, Regressor
    from orthogon.verbs.evaluate import evaluate
    from orthogon.verbs.features import features
    from orthogon.verbs.find_rate import find_rate
    from orthogon.verbs.gallery import gallery
    from orthogon.verbs.get import get
    from orthogon.verbs.human import human
    from orthogon.verbs.inside import inside
    from orthogon.verbs.labels import labels
    from orthogon.verbs.language import score, write
    from orthogon.verbs.learning_curve import learning_curve
    from orthogon.verbs.listing import list_names as list  # noqa: F401 - not in __all__, so that * hides no builtin
    from orthogon.verbs.mismatch import mismatch
    from orthogon.verbs.mistakes import mistakes
    from orthogon.verbs.predict import predict
    from orthogon.verbs.preflight import preflight
    from orthogon.verbs.probe import probe
    from orthogon.verbs.read_predictions import read_predictions
    from orthogon.verbs.report import report
    from orthogon.verbs.restore import restore
    from orthogon.verbs.show import show
    from orthogon.verbs.show_augment import show_augment
    from orthogon.verbs.stylize import stylize
    from orthogon.verbs.summary import summary
    from orthogon.verbs.train import train
    from orthogon.verbs.verify import verify

__version__ = "0.1.0"

_FACE = {
    "read": "orthogon.data.read:read",
    "show": "orthogon.verbs.show:show",
    "show_augment": "orthogon.verbs.show_augment:show_augment",
    "check": "orthogon.verbs.check:check",
    "list": "orthogon.verbs.listing:list_names",
    "get": "orthogon.verbs.get:get",
    "verify": "orthogon.verbs.verify:verify",
    "convert": "orthogon.verbs.convert:convert",
    "preflight": "orthogon.verbs.preflight:preflight",
    "probe": "orthogon.verbs.probe:probe",
    "features": "orthogon.verbs.features:features",
    "find_rate": "orthogon.verbs.find_rate:find_rate",
    "train": "orthogon.verbs.train:train",
    "labels": "orthogon.verbs.labels:labels",
    "calibrate": "orthogon.verbs.calibrate:calibrate",
    "mismatch": "orthogon.verbs.mismatch:mismatch",
    "summary": "orthogon.verbs.summary:summary",
    "restore": "orthogon.verbs.restore:restore",
    "stylize": "orthogon.verbs.stylize:stylize",
    "compare": "orthogon.verbs.compare:compare",
    "evaluate": "orthogon.verbs.evaluate:evaluate",
    "diagnose": "orthogon.verbs.diagnose:diagnose",
    "read_predictions": "orthogon.verbs.read_predictions:read_predictions",
    "report": "orthogon.verbs.report:report",
    "mistakes": "orthogon.verbs.mistakes:mistakes",
    "human": "orthogon.verbs.human:human",
    "predict": "orthogon.verbs.predict:predict",
    "score": "orthogon.verbs.language:score",
    "write": "orthogon.verbs.language:write",
    "gallery": "orthogon.verbs.gallery:gallery",
    "inside": "orthogon.verbs.inside:inside",
    "ensemble": "orthogon.verbs.ensemble:ensemble",
    "learning_curve": "orthogon.verbs.learning_curve:learning_curve",
    "load": "orthogon.serve.bundle:load",
    "Classifier": "orthogon.verbs.estimators:Classifier",
    "Regressor": "orthogon.verbs.estimators:Regressor",
    "gradient_check": "orthogon.nn.gradient_check:gradient_check",
    "Dataset": "orthogon.data.dataset:Dataset",
    "Recipe": "orthogon.train.recipe:Recipe",
    "Run": "orthogon.train.run:Run",
    "Estimate": "orthogon.stats.estimate:Estimate",
}
_ALSO_PACKAGES = ("train", "report")  # a verb and a folder of the same name

__all__ = [
    "Classifier", "Dataset", "Estimate", "Recipe", "Regressor", "Run", "calibrate", "check", "compare", "convert",
    "diagnose", "ensemble", "evaluate", "features", "find_rate", "gallery", "get", "gradient_check", "human",
    "inside", "labels", "learning_curve", "load", "mismatch", "mistakes", "predict", "preflight", "probe", "read",
    "read_predictions", "report", "restore", "score", "show", "show_augment", "stylize", "summary", "train", "verify",
    "write",
]


def _load(name: str) -> Any:
    module, _, attribute = _FACE[name].partition(":")
    return getattr(import_module(module), attribute)


class _Verb(ModuleType):
    """A package that can be called: `orthogon.train` is the folder, `orthogon.train(data)` the verb."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        return _load(self.__name__.rpartition(".")[2])(*args, **options)

    @property
    def __signature__(self) -> Any:
        import inspect

        return inspect.signature(_load(self.__name__.rpartition(".")[2]))


class _Face(ModuleType):
    """This module. Python binds folders to it as they are imported; two of them are verbs as well."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _ALSO_PACKAGES and isinstance(value, ModuleType):
            value.__class__ = _Verb
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Face


def __getattr__(name: str) -> Any:
    if name in _ALSO_PACKAGES:
        return import_module(f"orthogon.{name}")
    if name not in _FACE:
        raise AttributeError(f"module 'orthogon' has no attribute {name!r}")
    value = _load(name)
    globals()[name] = value
    return value


def __dir__() -> tuple[str, ...]:
    return tuple(sorted({*_FACE, *(name for name in globals() if name.startswith("__"))}))
